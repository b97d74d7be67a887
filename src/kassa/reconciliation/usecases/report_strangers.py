"""Money on a statement that nothing of ours claims: whose transfer it may be, for a person."""

from dataclasses import replace

from kassa.base.store.connection import Connection
from kassa.reconciliation.domain.matching import MatchResult
from kassa.reconciliation.domain.reports import ReportLine
from kassa.reconciliation.domain.transfers import (
    MAY_BE_TRANSFERS,
    more_names_in,
    names_in,
    nearly_named,
)
from kassa.reconciliation.store import strangers
from kassa.reconciliation.store.strangers import Candidate
from kassa.reconciliation.usecases import report_evidence as evidence
from kassa.reconciliation.usecases.report_transfers import TransferLines

_MOST = 500  # transfers of one amount, among which a mistyped reference is looked for


async def explained(
    connection: Connection, transfers: TransferLines, line: ReportLine, verdict: MatchResult
) -> MatchResult:
    """The break, with the payment that the line may be about; never a match: what is nearly a
    name, or perhaps a word, proves nothing."""
    if line.amount.minor <= 0 or line.kind not in MAY_BE_TRANSFERS or verdict.cause:
        return verdict
    company_id = transfers.file.company_id
    match = "kassa breaks match takes it for that order"
    found = evidence.transfers_in(transfers.directory, line)
    ids = {known.payment_id for _, named, _ in found for known in named}
    if len(ids) == 1 and (case := transfers.cases.get(ids.pop())):
        payment = case.payment
        words = f"{line.amount} came, and may be a transfer for order {payment.order_id}, of which"
        words += f" {payment.missing} is awaited: if it is, {match}"
        return replace(verdict, words=words, payment_id=payment.id)
    awaited = await strangers.awaited(connection, company_id, line.amount, _MOST)
    near = [one for one in awaited if nearly_named(line, one.reference)]
    if len(near) == 1:
        [one] = near
        words = f"{line.amount} came with a reference that is not right, one sign away from"
        words += f" {one.reference} of order {one.order_id}, which awaits that amount: {match}"
        return replace(verdict, words=words, payment_id=one.payment_id)
    called = await _called(connection, company_id, line)
    if len(called) == 1:
        [one] = called
        words = f"{line.amount} came, and names order {one.order_id} of {one.amount}, for which no"
        words += f" transfer was expected: if it is a payer's, {match}"
        return replace(verdict, words=words, payment_id=one.payment_id)
    words = (
        f"{verdict.words}; if it is a payer's transfer, kassa breaks match takes it for an order"
    )
    return replace(verdict, words=words)


async def _called(connection: Connection, company_id: str, line: ReportLine) -> list[Candidate]:
    names = [name for name, _ in names_in(line)] + more_names_in(line)
    cut = dict.fromkeys(evidence.cut(name) for name in names)
    return await strangers.called(connection, company_id, list(cut))
