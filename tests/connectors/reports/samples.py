"""Reports as banks and providers write them, with invented data, and readers of them."""

import io
from collections.abc import Mapping, Sequence
from typing import Any

from kassa.connectors.reports import Declaration, read_report
from kassa.domain.reports import ReportLine, Unreadable


def read(data: bytes | str, form: str = "csv", **said: Any) -> list[ReportLine | Unreadable]:
    data = data.encode() if isinstance(data, str) else data
    return list(read_report(io.BytesIO(data), Declaration(format=form, **said)))


def good(lines: Sequence[ReportLine | Unreadable]) -> list[ReportLine]:
    """`lines`, none of which may be unreadable."""
    assert [line for line in lines if isinstance(line, Unreadable)] == []
    return [line for line in lines if isinstance(line, ReportLine)]


def aside(lines: Sequence[ReportLine | Unreadable]) -> dict[int, str]:
    """Why which line was put aside; no number may occur twice, readable or not."""
    assert len({line.number for line in lines}) == len(lines)
    return {line.number: line.reason for line in lines if isinstance(line, Unreadable)}


def amounts(lines: Sequence[ReportLine | Unreadable]) -> list[tuple[str, str]]:
    return [(str(line.amount), str(line.fee)) for line in good(lines)]


MAPPING = {
    "kind": "what",
    "amount": "gross",
    "currency": "ccy",
    "fee": "fee",
    "net": "net",
    "our_reference": "ref",
    "occurred_at": "when",
}
HEADER = "what,gross,ccy,fee,net,ref,when"

SANDBOX_HEADER = (
    "line,type,our_reference,provider_reference,gross,fee,net,currency,occurred_at,payout_reference"
)
SANDBOX = f"""{SANDBOX_HEADER}
1,payment,at_1,ch_1,299.99,9.00,290.99,CNY,2026-10-03T09:00:00Z,po_7
2,refund,rf_1,re_1,-100.00,0.00,-100.00,CNY,2026-10-03T10:30:00Z,po_7
3,dispute,at_2,dp_1,-500,0,-500,JPY,2026-10-03T11:00:00Z,po_8
4,dispute_reversal,at_2,dp_1,500,0,500,JPY,2026-10-09T11:00:00Z,
5,payout,,po_7,-190.99,0.00,-190.99,CNY,2026-10-04T00:00:00Z,po_7
"""

STRIPE_COLUMNS = (
    "automatic_payout_id,automatic_payout_effective_at,balance_transaction_id,created_utc,created,"
    "currency,gross,fee,net,reporting_category,source_id,description,charge_id,payment_intent_id,"
    "refund_id,dispute_id,payment_metadata[kassa_attempt],payment_metadata[order_id],"
    "refund_metadata[kassa_attempt]"
).split(",")


def stripe(*rows: Mapping[str, str], columns: Sequence[str] = STRIPE_COLUMNS) -> str:
    """A report of `rows`; what a row does not say is as of an ordinary charge."""
    lines = [",".join(columns)]
    for number, row in enumerate(rows, 1):
        usual = {
            "automatic_payout_id": "po_1Qk",
            "automatic_payout_effective_at": "2026-10-05 00:00:00",
            "balance_transaction_id": f"txn_{number}",
            "created_utc": f"2026-10-03 09:00:{number % 60:02d}",
            "created": f"2026-10-03 17:00:{number % 60:02d}",
            "currency": "eur",
            "gross": "100.00",
            "fee": "1.75",
            "net": "98.25",
            "reporting_category": "charge",
        }
        lines.append(",".join((usual | dict(row)).get(name, "") for name in columns))
    return "\n".join(lines) + "\n"


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


CAMT = "urn:iso:std:iso:20022:tech:xsd:camt.053.001.{}"


def money(amount: str, sign: str, currency: str = "EUR") -> str:
    return f'<Amt Ccy="{currency}">{amount}</Amt><CdtDbtInd>{sign}</CdtDbtInd>'


def balance(kind: str, amount: str, sign: str = "CRDT", currency: str = "EUR") -> str:
    return (
        f"<Bal><Tp><CdOrPrtry><Cd>{kind}</Cd></CdOrPrtry></Tp>{money(amount, sign, currency)}</Bal>"
    )


def entry(
    amount: str,
    *transactions: str,
    sign: str = "CRDT",
    currency: str = "EUR",
    status: str = "<Sts><Cd>BOOK</Cd></Sts>",
    code: str = "ESCT",
    more: str = "",
) -> str:
    details = "".join(f"<TxDtls>{each}</TxDtls>" for each in transactions)
    return (
        f"<Ntry><NtryRef>N-1</NtryRef>{money(amount, sign, currency)}{status}"
        "<BookgDt><Dt>2026-10-05</Dt></BookgDt><ValDt><Dt>2026-10-06</Dt></ValDt>"
        "<AcctSvcrRef>BANK-1</AcctSvcrRef><BkTxCd><Domn><Cd>PMNT</Cd><Fmly><Cd>RCDT</Cd>"
        f"<SubFmlyCd>{code}</SubFmlyCd></Fmly></Domn></BkTxCd>{more}"
        f"{f'<NtryDtls>{details}</NtryDtls>' if details else ''}</Ntry>\n"
    )


def camt(*parts: str, version: str = "08", namespace: str = CAMT) -> str:
    """One statement of `parts`, which are balances and entries."""
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<Document xmlns="{namespace.format(version)}"><BkToCstmrStmt>'
        "<GrpHdr><MsgId>MSG-1</MsgId><CreDtTm>2026-10-06T04:00:00Z</CreDtTm></GrpHdr>"
        "<Stmt><Id>S-1</Id><Acct><Id><IBAN>DE00123456780000000001</IBAN></Id><Ccy>EUR</Ccy></Acct>"
        f"{''.join(parts)}</Stmt></BkToCstmrStmt></Document>"
    )
