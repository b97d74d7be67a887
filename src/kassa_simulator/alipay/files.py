"""The bill of trades of a day."""

from collections.abc import Sequence
from datetime import timedelta, timezone

from kassa_simulator.decimals import shown
from kassa_simulator.frame import Books
from kassa_simulator.lines import Line, as_csv, local
from kassa_simulator.odd_rows import Names, spoiled

_CHINA = timezone(timedelta(hours=8))


def settlement_file(books: Books, lines: Sequence[Line], odd: Sequence[str]) -> bytes:
    """The bill of trades (业务明细), with its remarks and totals, in GB18030."""
    rows = []
    for line in lines:
        if line.movement.kind == "dispute":
            continue
        rows.append(_trade(line))
    remarks = "#支付宝业务明细查询\r\n#-----业务明细列表-----\r\n"
    end = "#-----业务明细列表结束-----\r\n"
    totals = [
        f"#{word}合计:{len(own)}笔,商家实收共{shown(sum(line.signed for line in own), 'CNY')}元\r\n"
        for word, kind in (("交易", "charge"), ("退款", "refund"))
        for own in [[line for line in lines if line.movement.kind == kind]]
    ]
    rows = spoiled(books, rows, _NAMES, odd)
    text = remarks + as_csv(_COLUMNS, rows) + end + "".join(totals)
    return text.encode("gb18030", "surrogateescape")


def _trade(line: Line) -> dict[str, str]:
    movement, charge = line.movement, line.charge
    made = charge.created_at if charge else movement.at
    amount = shown(line.signed, "CNY")
    return {
        "支付宝交易号": movement.charge_id + "\t",
        "商户订单号": movement.key + "\t",
        "业务类型": "退款" if line.movement.kind == "refund" else "交易",
        "商品名称": str(charge.data.get("subject", "") if charge else ""),
        "创建时间": local(_CHINA, made),
        "完成时间": local(_CHINA, movement.at),
        "订单金额(元)": amount,
        "商家实收(元)": amount,
        "退款批次号/请求号": line.change.key if line.change else "",
        "服务费(元)": shown(-movement.fee_minor, "CNY"),
    }


_COLUMNS = (
    "支付宝交易号 商户订单号 业务类型 商品名称 创建时间 完成时间 订单金额(元) 商家实收(元)"
    " 退款批次号/请求号 服务费(元)"
).split()
_NAMES = Names("业务类型", "商家实收(元)", text="商品名称")
