"""What providers paid out, what the merchant's bank sent back, and the bank's statement of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Protocol, runtime_checkable
from xml.sax.saxutils import escape

from kassa_simulator.decimals import shown
from kassa_simulator.frame import Books, Call, Merchant

AGAIN_AFTER = timedelta(days=1)
"""After so long, what came back is paid out once more."""
_RETURNED = "returned payouts"
_STATEMENT = "urn:iso:std:iso:20022:tech:xsd:camt.053.001.08"


@dataclass(frozen=True, slots=True, kw_only=True)
class Payout:
    """One try. `at`: when it arrived; `returned_at`: when the bank sent it back, if it did."""

    reference: str
    currency: str
    amount_minor: int
    at: datetime
    returned_at: datetime | None = None


@runtime_checkable
class PaysOut(Protocol):
    """A protocol whose provider pays out what it has settled."""

    def payouts(self, books: Books, merchant: Merchant, now: datetime) -> Sequence[Payout]:
        """Every try, the oldest first."""
        ...

    def return_payout(
        self, books: Books, merchant: Merchant, reference: str, now: datetime
    ) -> bool:
        """The bank sends it back; a day later it comes again under another reference. False
        where there is no such payout, or it has come back already."""
        ...


def nobodys_call(now: datetime) -> Call:
    """For what a protocol does for a call, and here for nobody's."""
    return Call(method="GET", path="", query="", headers={}, body=b"", now=now, origin="")


def keep_returned(books: Books, provider: str, name: str, now: datetime) -> None:
    """Of a payout that is known by a name of its own, whichever try it is."""
    books.put(provider, _RETURNED, name, {"at": now.isoformat()})


def returned_at(books: Books, provider: str, name: str) -> datetime | None:
    kept: Mapping[str, Any] | None = books.get(provider, _RETURNED, name)
    return None if kept is None else datetime.fromisoformat(kept["at"])


def tries(first: Payout, again: str, returned: datetime | None, now: datetime) -> Sequence[Payout]:
    """The one, and what follows once it has come back. `again`: what the second is called."""
    if returned is None:
        return [first]
    came_back = replace(first, returned_at=returned)
    if returned + AGAIN_AFTER > now:
        return [came_back]
    return [came_back, replace(first, reference=again, at=returned + AGAIN_AFTER)]


def statement(name: str, payouts: Sequence[Payout], since: datetime, until: datetime) -> bytes:
    """The bank's camt.053 of that time: an entry for each payout that arrived, and for each that
    went back. What a bank leaves out of it, balances for one, is left out."""
    moved = [
        (at, sign * one.amount_minor, one)
        for one in payouts
        for at, sign in ((one.at, 1), (one.returned_at, -1))
        if at is not None and since <= at < until
    ]
    entries = "".join(
        _entry(minor, one, at) for at, minor, one in sorted(moved, key=lambda each: each[0])
    )
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<Document xmlns="{_STATEMENT}"><BkToCstmrStmt>'
        f"<GrpHdr><MsgId>{escape(name)}</MsgId><CreDtTm>{until:%Y-%m-%dT%H:%M:%S}Z</CreDtTm>"
        f"</GrpHdr><Stmt><Id>{escape(name)}</Id><Acct><Id><Othr><Id>0000123456</Id></Othr></Id>"
        f"</Acct>{entries}</Stmt></BkToCstmrStmt></Document>\n"
    ).encode()


def _entry(minor: int, one: Payout, at: datetime) -> str:
    side = "CRDT" if minor >= 0 else "DBIT"
    text = f"{'RETURN ' if one.returned_at == at else ''}PAYOUT {one.reference}"
    amount = f'<Amt Ccy="{one.currency}">{shown(abs(minor), one.currency)}</Amt>'
    return (
        f"<Ntry>{amount}<CdtDbtInd>{side}</CdtDbtInd><Sts><Cd>BOOK</Cd></Sts>"
        f"<BookgDt><Dt>{at:%Y-%m-%d}</Dt></BookgDt>"
        f"<NtryDtls><TxDtls>{amount}<CdtDbtInd>{side}</CdtDbtInd>"
        f"<RmtInf><Ustrd>{escape(text)}</Ustrd></RmtInf></TxDtls></NtryDtls></Ntry>"
    )
