"""Payouts in reports: announced by a provider, and arrived at the bank."""

from kassa.base.domain.errors import IllegalTransition, InvalidRequest
from kassa.base.domain.lifecycle import BreakClass, SettlementStatus
from kassa.base.store.connection import Connection
from kassa.base.usecases.core import Core
from kassa.reconciliation.domain.matching import LineState, MatchResult
from kassa.reconciliation.domain.reports import ReportLine
from kassa.reconciliation.store import breaks
from kassa.reconciliation.store.reconciliation import ReportFile
from kassa.settlement.domain.settlements import Settlement, check_reference
from kassa.settlement.store import settlements
from kassa.settlement.usecases.settlements import mark_paid

_WORDS = 20  # of a free text, that may be a payout's reference


def _references(line: ReportLine) -> list[str]:
    """What may name the payout: whole references, and the words of a free text."""
    whole = [line.payout_reference, line.our_reference, line.provider_reference]
    words = line.payout_reference.split()[:_WORDS]
    return [one for one in dict.fromkeys((*whole, *words)) if one and one.isprintable()]


def _break(problem: BreakClass, words: str, found: Settlement | None = None) -> MatchResult:
    return MatchResult(
        state=LineState.BREAK,
        problem=problem,
        words=words,
        cause=found.id if found else "",
        expected_minor=found.net.minor if found else None,
    )


async def announced(connection: Connection, file: ReportFile, line: ReportLine) -> MatchResult:
    """A provider says what it has paid out; the bank's statement will say whether it arrived."""
    for reference in _references(line):
        found = await settlements.find_by_payout(
            connection,
            file.company_id,
            reference,
            connector=file.connector,
            currency=line.amount.currency,
        )
        if found is None:
            continue
        if -line.amount.minor != found.net.minor:
            words = f"they pay out {-line.amount}, settlement {found.number} is {found.net}"
            return _break(BreakClass.AMOUNT, words, found)
        return MatchResult(state=LineState.MATCHED, cause=found.id)
    return _break(BreakClass.MISSING_OURS, f"no settlement of ours has the payout of {line.amount}")


async def arrived(
    core: Core,
    connection: Connection,
    file: ReportFile,
    line: ReportLine,
    reported: set[int],
    in_batch: frozenset[str],
    *,
    dry_run: bool,
) -> tuple[MatchResult, str]:
    """Money on the bank account: the payout of a settlement by its name, else by its exact net.

    Gives the payout's posting too, when the line is the one that tells of it. `reported`: in a
    dry run, the settlements that lines before have told of; `in_batch`: the postings that lines
    of this batch tell of.
    """
    if not dry_run:
        # Nobody adds a line to the settlement between the look at its net and its payout.
        await settlements.lock(connection, [file.company_id])
    found = await _named(connection, file, line)
    if found is None:
        fitting = await breaks.payouts_of_net(
            connection, file.company_id, line.amount.currency, line.amount.minor
        )
        fitting = [one for one in fitting if hash(one) not in reported]
        if len(fitting) != 1:
            how_many = "several settlements come" if fitting else "no settlement comes"
            return _break(BreakClass.MISSING_OURS, f"{how_many} to {line.amount}"), ""
        found = await settlements.find(connection, file.company_id, fitting[0])
        assert found is not None
    if found.net != line.amount:
        words = f"{line.amount} arrived, settlement {found.number} is {found.net}"
        return _break(BreakClass.AMOUNT, words, found), ""
    if found.status in (SettlementStatus.OPEN, SettlementStatus.CARRIED):
        words = f"{line.amount} arrived for settlement {found.number}, which is {found.status}"
        return _break(BreakClass.STATUS, words, found), ""
    reference = found.payout_reference or next(iter(_references(line)), "")
    reference = reference or f"{file.id}/{line.number}"
    is_paid = found.status is SettlementStatus.PAID
    try:
        check_reference(reference)
    except InvalidRequest as error:
        words = f"{line.amount} arrived for settlement {found.number}: {error.message}"
        return _break(BreakClass.MISSING_OURS, words, found), ""
    matched = MatchResult(state=LineState.MATCHED, cause=found.id)
    twice = _break(BreakClass.DUPLICATE, f"the payout of settlement {found.number} again", found)
    if dry_run:
        postings = await breaks.payout_postings(connection, file.company_id, found.id)
        if hash(found.id) in reported or (is_paid and all(told for _, told in postings)):
            return twice, ""
        reported.add(hash(found.id))
        return matched, ""
    if not is_paid:
        try:
            await mark_paid(
                core, connection, file.company_id, found.id, reference, line.occurred_at
            )
        except IllegalTransition as error:  # raised before anything is written
            return _break(BreakClass.MISSING_OURS, error.message, found), ""
    postings = await breaks.payout_postings(connection, file.company_id, found.id)
    left = [posting_id for posting_id, told in postings if not told and posting_id not in in_batch]
    return (matched, left[-1]) if left else (twice, "")


async def _named(connection: Connection, file: ReportFile, line: ReportLine) -> Settlement | None:
    for reference in _references(line):
        found = await settlements.find_by_payout(
            connection, file.company_id, reference, currency=line.amount.currency
        )
        if found is not None:
            return found
    return None
