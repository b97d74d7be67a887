"""Payouts in reports: announced by a provider, arrived at the bank, and sent back."""

from dataclasses import dataclass

from kassa.base.domain.errors import IllegalTransition, InvalidRequest
from kassa.base.domain.lifecycle import BreakClass, SettlementStatus
from kassa.base.store.connection import Connection
from kassa.base.usecases.core import Core
from kassa.ledger.domain.ledger import PostingKind
from kassa.reconciliation.domain.matching import LineState, MatchResult
from kassa.reconciliation.domain.reports import ReportLine
from kassa.reconciliation.domain.transfers import more_names_in, texts_of
from kassa.reconciliation.store import breaks
from kassa.reconciliation.store.reconciliation import ReportFile
from kassa.settlement.domain.settlements import Settlement, check_reference
from kassa.settlement.store import settlements
from kassa.settlement.usecases.settlements import (
    expect_again,
    mark_failed,
    mark_named_failed,
    mark_paid,
)

_WORDS = 40  # of a free text, that may be a payout's reference


def _references(line: ReportLine) -> list[str]:
    """What may name the payout: whole references, and the words of the texts."""
    texts = texts_of(line)
    words = [word for text in texts for word in text.split()[:_WORDS]]
    names = dict.fromkeys((*texts, *words, *more_names_in(line)))
    return [one for one in names if one.isprintable()]


def _break(problem: BreakClass, words: str, found: Settlement | None = None) -> MatchResult:
    return MatchResult(
        state=LineState.BREAK,
        problem=problem,
        words=words,
        cause=found.id if found else "",
        expected_minor=found.net.minor if found else None,
    )


async def announced(
    core: Core, connection: Connection, file: ReportFile, line: ReportLine, *, dry_run: bool
) -> MatchResult:
    """A provider says what it has paid out, or that it came back; the bank's statement will say
    whether it arrived."""
    found = await _named(connection, file, line, connector=file.connector)
    if len(found) > 1:
        return _several(line, found)
    if not found:
        return await _announced_again(core, connection, file, line, dry_run=dry_run)
    [one] = found
    if line.amount.minor == one.net.minor and one.net.minor:
        if not dry_run:
            why = f"report {file.name}, line {line.number}"
            await mark_named_failed(core, connection, one, _references(line), why)
        return MatchResult(state=LineState.MATCHED, cause=one.id)
    if -line.amount.minor != one.net.minor:
        words = f"they pay out {-line.amount}, settlement {one.number} is {one.net}"
        return _break(BreakClass.AMOUNT, words, one)
    return MatchResult(state=LineState.MATCHED, cause=one.id)


async def _announced_again(
    core: Core, connection: Connection, file: ReportFile, line: ReportLine, *, dry_run: bool
) -> MatchResult:
    """Under a name that we do not know: what came back may be paid out once more."""
    net = -line.amount
    failed = await settlements.to_be_paid_again(connection, file.company_id, file.connector, net)
    reference = line.payout_reference or line.provider_reference
    if len(failed) != 1 or not reference:
        words = f"no settlement of ours has the payout of {line.amount}"
        return _break(BreakClass.MISSING_OURS, words)
    [one] = failed
    if not dry_run:
        try:
            await expect_again(core, connection, one, reference)
        except InvalidRequest as error:
            return _break(BreakClass.MISSING_OURS, error.message, one)
    return MatchResult(state=LineState.MATCHED, cause=one.id)


@dataclass(slots=True)
class StatementPayouts:
    """A bank's statement that is being read. `reported`: in a dry run, what lines before have told
    of; `in_batch`: the postings that lines of this batch tell of."""

    core: Core
    connection: Connection
    file: ReportFile
    reported: set[int]
    in_batch: frozenset[str]
    dry_run: bool

    async def moved(self, line: ReportLine) -> tuple[MatchResult, str]:
        """Money on the bank account: the payout of a settlement, or its return, by its name, else
        by its exact net.

        Gives the posting too, when the line is the one that tells of it.
        """
        if not self.dry_run:
            # Nobody adds a line to the settlement between the look at its net and its payout.
            await settlements.lock(self.connection, [self.file.company_id])
        found = await _named(self.connection, self.file, line)
        if len(found) > 1:
            return _several(line, found), ""
        one = found[0] if found else await self._of_that_net(line)
        if isinstance(one, MatchResult):
            return one, ""
        if one.net.minor and one.net == -line.amount:
            return await self._returned(line, one)
        if one.net != line.amount:
            words = f"{line.amount} arrived, settlement {one.number} is {one.net}"
            return _break(BreakClass.AMOUNT, words, one), ""
        if one.status in (SettlementStatus.OPEN, SettlementStatus.CARRIED):
            words = f"{line.amount} arrived for settlement {one.number}, which is {one.status}"
            return _break(BreakClass.STATUS, words, one), ""
        return await self._arrived(line, one)

    async def _of_that_net(self, line: ReportLine) -> Settlement | MatchResult:
        """Nothing names it: the only one that is to come to it, or to go back."""
        company_id, net = self.file.company_id, line.amount
        fitting = await breaks.payouts_of_net(
            self.connection, company_id, net.currency, net.minor
        ) or await breaks.returns_of_net(self.connection, company_id, net.currency, -net.minor)
        fitting = [one for one in fitting if hash(one) not in self.reported]
        if len(fitting) != 1:
            how_many = "several settlements come" if fitting else "no settlement comes"
            return _break(BreakClass.MISSING_OURS, f"{how_many} to {net}")
        found = await settlements.find(self.connection, company_id, fitting[0])
        assert found is not None
        return found

    async def _arrived(self, line: ReportLine, found: Settlement) -> tuple[MatchResult, str]:
        is_paid = found.status is SettlementStatus.PAID
        reference = self._reference_of(line, found)
        try:
            check_reference(reference)
        except InvalidRequest as error:
            words = f"{line.amount} arrived for settlement {found.number}: {error.message}"
            return _break(BreakClass.MISSING_OURS, words, found), ""
        if not is_paid and not self.dry_run:
            try:
                await mark_paid(
                    self.core,
                    self.connection,
                    self.file.company_id,
                    found.id,
                    reference,
                    line.occurred_at,
                )
            except IllegalTransition as error:  # raised before anything is written
                return _break(BreakClass.MISSING_OURS, error.message, found), ""
        expected = not is_paid and self.dry_run
        return await self._told(found, PostingKind.PAYOUT, "the payout", expected=expected)

    async def _returned(self, line: ReportLine, found: Settlement) -> tuple[MatchResult, str]:
        """What was at the bank is not there any more, whether or not somebody has said so."""
        if found.status not in (SettlementStatus.PAID, SettlementStatus.FAILED):
            words = f"{line.amount} went back for settlement {found.number}, which is"
            return _break(BreakClass.STATUS, f"{words} {found.status}", found), ""
        kind, words = PostingKind.PAYOUT_RETURN, "the return of the payout"
        told = await self._told(found, kind, words, expected=False)
        names = set(_references(line))
        is_current = found.payout_reference in names
        if told[1] or found.status is SettlementStatus.FAILED or not is_current:
            return told
        if self.dry_run:
            return await self._told(found, kind, words, expected=True)
        why = f"statement {self.file.name}, line {line.number}"
        await mark_failed(self.core, self.connection, self.file.company_id, found.id, why)
        return await self._told(found, kind, words, expected=False)

    async def _told(
        self, found: Settlement, kind: PostingKind, words: str, *, expected: bool
    ) -> tuple[MatchResult, str]:
        """The line tells of what is booked and no line has told of. `expected`: it would be booked
        now, were this no dry run."""
        twice = _break(BreakClass.DUPLICATE, f"{words} of settlement {found.number} again", found)
        booked = await breaks.payout_postings(self.connection, self.file.company_id, found.id, kind)
        left = [one for one, told in booked if not told and one not in self.in_batch]
        key = hash(found.id) if kind is PostingKind.PAYOUT else hash((found.id, kind))
        if (not left and not expected) or key in self.reported:
            return twice, ""
        if self.dry_run:
            self.reported.add(key)
        matched = MatchResult(state=LineState.MATCHED, cause=found.id)
        return matched, left[-1] if left and not self.dry_run else ""

    def _reference_of(self, line: ReportLine, found: Settlement) -> str:
        """What the payout is called: as it was announced; one after another that came back is
        called as its line calls it."""
        names = _references(line)
        known = found.payout_reference
        if known and (found.status is not SettlementStatus.FAILED or known in names):
            return known
        # Of a free text the word that is most like a reference: like the one before, or a number.
        stem = _stem(known)
        alike = [name for name in names if stem and " " not in name and _stem(name) == stem]
        whole = [line.our_reference, line.payout_reference, *alike, *filter(_is_numbered, names)]
        own = next((name for name in whole if name and " " not in name), "")
        return own or next(iter(names), "") or known or f"{self.file.id}/{line.number}"


def _stem(reference: str) -> str:
    """What stands before its first digit."""
    return reference.rstrip()[: next(iter(_digits_in(reference)), 0)]


def _digits_in(text: str) -> list[int]:
    return [place for place, character in enumerate(text) if character.isdigit()]


def _is_numbered(name: str) -> bool:
    return " " not in name and bool(_digits_in(name))


def _several(line: ReportLine, found: list[Settlement]) -> MatchResult:
    numbers = ", ".join(str(one.number) for one in found)
    return _break(BreakClass.AMBIGUOUS, f"{line.amount} names settlements {numbers}")


async def _named(
    connection: Connection, file: ReportFile, line: ReportLine, connector: str | None = None
) -> list[Settlement]:
    """What the line names; of several those that it fits to the last unit."""
    found = await settlements.find_by_payouts(
        connection,
        file.company_id,
        _references(line),
        connector=connector,
        currency=line.amount.currency,
    )
    fitting = [one for one in found if abs(one.net.minor) == abs(line.amount.minor)]
    return fitting if len(found) > 1 and fitting else found
