"""Reports as banks and providers write them, with invented data, and readers of them."""

import io
from collections.abc import Sequence
from typing import Any

from kassa.connectors.reports import Declaration, read_report
from kassa.reconciliation.domain.reports import ReportLine, Unreadable


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
