"""Alipay's bills as it writes them, with invented data."""

from collections.abc import Sequence

ALIPAY_TRADES = (
    "支付宝交易号,商户订单号,业务类型,商品名称,创建时间,完成时间,门店编号,门店名称,操作员,终端号,"
    "对方账户,订单金额（元）,商家实收（元）,支付宝红包（元）,集分宝（元）,支付宝优惠（元）,"
    "商家优惠（元）,券核销金额（元）,券名称,商家红包消费金额（元）,卡消费金额（元）,"
    "退款批次号/请求号,服务费（元）,分润（元）,备注"
)
ALIPAY_MOVEMENTS = (
    "账务流水号,业务流水号,商户订单号,商品名称,发生时间,对方账号,收入金额（+元）,支出金额（-元）,"
    "账户余额（元）,交易渠道,业务类型,备注"
)


def trade(
    number: int,
    *,
    kind: str = "交易",
    order: str = "35.80",
    received: str = "35.80",
    request: str = "",
    fee: str = "-0.21",
) -> str:
    cells = [
        f"202610032200140000000000{number:04d}\t",
        f"at_{number}\t",
        f"{kind}\t",
        "茶具一套",
        "2026-10-03 08:59:58",
        "2026-10-03 09:00:03",
        *["\t"] * 4,
        "*客(138****0000)\t",
        order,
        received,
        *["0.00"] * 5,
        "",
        "0.00\t",
        "0.00",
        f"{request}\t",
        fee,
        "0.00",
        "",
    ]
    return ",".join(cells)


def movement(number: int, kind: str, income: str, spent: str) -> str:
    return (
        f"7712345{number:04d}\t,20261003220014{number:04d}\t,at_{number}\t,茶具一套\t,"
        f"2026-10-03 21:02:06,某客 (a@example.com)\t,{income},{spent},1000.00,支付宝,{kind},"
    )


def alipay(header: str, rows: Sequence[str], *totals: str, end: bool = True) -> str:
    name = "账务" if header == ALIPAY_MOVEMENTS else "业务"
    closing = [f"#{'-' * 41}{name}明细列表结束{'-' * 36}", *totals] if end else []
    lines = [
        f"#支付宝{name}明细查询",
        "#账号：[20880000000000000156]",
        "#起始日期：[2026年10月03日 00:00:00]   终止日期：[2026年10月04日 00:00:00]",
        f"#{'-' * 41}{name}明细列表{'-' * 40}",
        header,
        *rows,
        *closing,
    ]
    if end:
        lines.append("#导出时间：[2026年10月04日 05:46:49]")
    return "\r\n".join(lines) + "\r\n"


WHOLE = {
    "alipay": alipay(
        ALIPAY_TRADES, [trade(1), trade(2)], "#交易合计：2笔，商家实收共71.60元，商家优惠共0.00元"
    ).encode("gb18030"),
    "alipay, movements": alipay(
        ALIPAY_MOVEMENTS, [movement(1, "提现", "0", "1.00")], "#支出合计：1笔，共1.00元"
    ).encode("gb18030"),
}
"""A whole file of each format, which the suite of reports damages."""
