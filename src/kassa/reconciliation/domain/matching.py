"""Reconciliation's decisions: which movements of ours a report's line tells of; pure.

A line names what it is about by our reference, and where that leads nowhere by the provider's, and
then by whatever else stands in it. What leads to several payments is a break that lists them.
Amounts must be equal to the minor unit: with one movement, with all that are left of that name
(1:n), or together with the lines before that did not fit alone (n:1). Nothing is ever nearly equal.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from kassa.base.domain.lifecycle import BreakClass
from kassa.base.domain.money import Money
from kassa.ledger.domain.ledger import TRANSIT_ACCOUNT, PostingKind, provider_account
from kassa.reconciliation.domain.references import (
    KnownReference,
    ReferenceIndex,
    Subject,
    is_another,
    may_be_another,
    subject_of,
)
from kassa.reconciliation.domain.reports import LineKind, ReportLine

LATE_AFTER = timedelta(hours=24)
"""How much later than ours a report's own date may be: two clocks differ by a day at most."""
BANK = "bank"  # the account whose reports tell of payouts and transfers that arrived
SANDBOX = "sandbox"  # the account on which no real money moves

MOVEMENTS: Mapping[str, LineKind] = {
    PostingKind.CAPTURE: LineKind.PAYMENT,
    PostingKind.RECEIPT: LineKind.PAYMENT,
    PostingKind.RECEIPT_REVERSAL: LineKind.REFUND,
    PostingKind.SURPLUS: LineKind.PAYMENT,
    PostingKind.REFUND: LineKind.REFUND,
    PostingKind.SURPLUS_RETURN: LineKind.REFUND,
    PostingKind.REFUND_REVERSAL: LineKind.REFUND_REVERSAL,
    PostingKind.SURPLUS_RETURN_REVERSAL: LineKind.REFUND_REVERSAL,
    PostingKind.DISPUTE: LineKind.DISPUTE,
    PostingKind.DISPUTE_REVERSAL: LineKind.DISPUTE_REVERSAL,
    PostingKind.CHARGE_RETURN: LineKind.DISPUTE,
}
"""What each posting at a provider account reads like in that provider's report."""


def ledger_account(account: str) -> str:
    """Where in the ledger stands what the reports of this account tell of."""
    return TRANSIT_ACCOUNT if account == BANK else provider_account(account)


class LineState(StrEnum):
    MATCHED = "matched"
    WAITING = "waiting"  # its amount fits nothing alone; other lines may complete it
    BREAK = "break"
    QUARANTINE = "quarantine"  # not understood
    IGNORED = "ignored"


@dataclass(slots=True)
class ReportableMovement:
    """One posting at the provider account. `minor`: as a report shows it, positive came in.

    `fee_minor`: what is booked as the fee of its cause. `reported`: a line told of it already.
    """

    posting_id: str
    cause: str
    payment_id: str
    kind: LineKind
    minor: int
    currency: str
    at: datetime
    is_surplus: bool = False
    fee_minor: int = 0
    fee_postings: tuple[str, ...] = ()
    reported: bool = False


@dataclass(frozen=True, slots=True)
class PartialLine:
    """A line that may be one of several for the same movement."""

    place: int
    minor: int
    fee_minor: int


@dataclass(slots=True, kw_only=True)
class MatchResult:
    """What becomes of a line, and of the `parts` before it that it completes.

    `problem`: why it is a break. `key`: what lines of the same movement have in common.
    `late`: how late it was reported, if it was. `only_fee`: the movements themselves stay as they
    are, the line tells their fee. `exchanged`: the line's amount is in another currency.
    """

    state: LineState
    problem: BreakClass | None = None
    words: str = ""
    movements: list[ReportableMovement] = field(default_factory=list)
    parts: Sequence[PartialLine] = ()
    fee_minor: int = 0
    payment_id: str = ""
    cause: str = ""
    key: str = ""
    expected_minor: int | None = None
    late: str = ""
    only_fee: bool = False
    exchanged: bool = False

    def by_payment(self) -> "list[MatchResult]":
        """The same for each payment that the movements are of."""
        ids = list(dict.fromkeys([one.payment_id for one in self.movements]))
        if len(ids) == 1:
            return [self]
        return [
            replace(self, movements=[one for one in self.movements if one.payment_id == payment_id])
            for payment_id in ids
        ]


@dataclass(slots=True)
class Matcher:
    """Where the lines of one account are laid beside our movements, one after the other.

    `movements`: by cause. `waiting`: by key, in the file's order.
    """

    account: str
    is_live: bool
    directory: ReferenceIndex
    movements: Mapping[str, list[ReportableMovement]]
    waiting: dict[str, list[PartialLine]] = field(default_factory=dict)

    def judge(self, line: ReportLine, place: int) -> MatchResult:
        """Decide on a line of a payment, refund or dispute; what matches counts as reported."""
        named = self.directory.named_by(line)
        if not named:
            return _unknown(line)
        own = [known for known in named if known.connector == self.account]
        if not own or (self.is_live and self.account == SANDBOX):
            return self._elsewhere(line, named[0])
        rivals = self.directory.rivals(line, named)
        if rivals and any(known.connector == self.account for known in rivals):
            return ambiguous(line, [*own, *rivals])
        subject = subject_of(line, own, self.directory)
        of_it = [one for cause in subject.causes for one in self.movements.get(cause, ())]
        if not line.amount.minor and line.fee.minor and subject.exact and of_it:
            return _fee_alone(line, of_it)
        booked = [movement for movement in of_it if movement.kind is line.kind]
        if not booked:
            return _not_booked(line, subject)
        payment_id, cause = booked[0].payment_id, booked[0].cause
        if booked[0].currency != line.amount.currency:
            exchanged = self._exchanged(line, subject, booked)
            if exchanged is not None:
                return exchanged
            return MatchResult(
                state=LineState.BREAK,
                problem=BreakClass.CURRENCY,
                words=f"they report {line.amount}, we booked {_sum_of(booked)}",
                payment_id=payment_id,
                cause=cause,
            )
        left = [movement for movement in booked if not movement.reported]
        if not left:
            return _reported_before(line, subject, booked, self.directory)
        if line.kind is not LineKind.PAYMENT:
            left = [one for one in left if not is_another(line, subject, one.cause, self.directory)]
        if not left:
            return _another(line, subject)
        found = _equal(line.amount.minor, left)
        if not found and may_be_another(
            line, subject, [one.cause for one in booked], self.directory
        ):
            return _another(line, subject)
        return self._fit(line, place, left, found, f"{line.kind}/{min(subject.causes)}")

    def _exchanged(
        self, line: ReportLine, subject: Subject, booked: list[ReportableMovement]
    ) -> MatchResult | None:
        """Settled in another currency than paid: the line says both amounts, and the payer's is
        what we booked. Its fee in our currency is the same part of it."""
        paid = line.presented
        if paid is None or paid.currency != booked[0].currency or not line.amount.minor:
            return None
        left = [movement for movement in booked if not movement.reported]
        if not left:
            return _reported_before(line, subject, booked, self.directory)
        found = _equal(paid.minor, left)
        if len({movement.payment_id for movement in found}) != 1:
            return None  # of several payments nobody says which part of it is whose
        for movement in found:
            movement.reported = True
        parts, whole = abs(line.fee.minor * paid.minor), abs(line.amount.minor)
        fee = (2 * parts + whole) // (2 * whole)
        return MatchResult(
            state=LineState.MATCHED,
            movements=found,
            fee_minor=-fee if line.fee.minor < 0 else fee,
            payment_id=found[0].payment_id,
            cause=found[0].cause,
            late=_lateness(line, found),
            exchanged=True,
        )

    def _fit(
        self,
        line: ReportLine,
        place: int,
        left: list[ReportableMovement],
        found: list[ReportableMovement],
        key: str,
    ) -> MatchResult:
        """`found`: what the line fits alone."""
        before = self.waiting.get(key, [])
        parts: Sequence[PartialLine] = ()
        if not found and before:
            found = _equal(line.amount.minor + sum(part.minor for part in before), left)
            parts = tuple(before)
        payment_id, cause = left[0].payment_id, left[0].cause
        if not found:
            part = PartialLine(place, line.amount.minor, line.fee.minor)
            self.waiting.setdefault(key, []).append(part)
            return MatchResult(
                state=LineState.WAITING,
                payment_id=payment_id,
                cause=cause,
                key=key,
                expected_minor=sum(movement.minor for movement in left),
            )
        if parts:
            del self.waiting[key]
        for movement in found:
            movement.reported = True
        return MatchResult(
            state=LineState.MATCHED,
            movements=found,
            parts=parts,
            fee_minor=line.fee.minor + sum(part.fee_minor for part in parts),
            payment_id=found[0].payment_id,
            cause=found[0].cause,
            key=key,
            late=_lateness(line, found),
        )

    def judge_fee(self, line: ReportLine) -> MatchResult:
        """Decide on a charge by itself: the fee of one payment, or of nothing in particular."""
        fee_minor = -line.amount.minor
        named = self.directory.named_by(line)
        booked = [
            movement
            for known in named
            if known.connector == self.account
            for movement in self.movements.get(known.id, ())
            if movement.kind is LineKind.PAYMENT and movement.currency == line.amount.currency
        ]
        if len(booked) == 1 and fee_minor >= 0:
            return MatchResult(
                state=LineState.MATCHED,
                movements=booked,
                fee_minor=fee_minor,
                payment_id=booked[0].payment_id,
                cause=booked[0].cause,
                only_fee=True,
            )
        what = f"a charge of {-line.amount}" if fee_minor >= 0 else f"a fee of {line.amount} back"
        return self.judge_other(
            line, BreakClass.FEE, f"{what} that belongs to no single payment of ours"
        )

    def judge_other(self, line: ReportLine, problem: BreakClass, words: str) -> MatchResult:
        """What only a person can decide about; of one payment of ours, where the line names it."""
        own = [one for one in self.directory.named_by(line) if one.connector == self.account]
        of_one = len({one.payment_id for one in own}) == 1
        return MatchResult(
            state=LineState.BREAK,
            problem=problem,
            words=f"{words}; it names {own[0].id}" if of_one else words,
            payment_id=own[0].payment_id if of_one else "",
            cause=own[0].id if of_one else "",
        )

    def _elsewhere(self, line: ReportLine, known: KnownReference) -> MatchResult:
        test = SANDBOX in (known.connector, self.account)
        problem = BreakClass.TEST_IN_LIVE if test else BreakClass.WRONG_ACCOUNT
        words = f"reported by {self.account}, but {known.id} belongs to {known.connector}"
        if known.connector == self.account:
            words = f"{known.id} is of the sandbox, and this is a live side"
        return MatchResult(
            state=LineState.BREAK,
            problem=problem,
            words=words,
            payment_id=known.payment_id,
            cause=known.id,
        )


def ambiguous(line: ReportLine, named: Iterable[KnownReference]) -> MatchResult:
    """Its words lead to several payments: a person decides."""
    ids = dict.fromkeys(
        known.id if known.payment_id in (known.id, "") else f"{known.id} of {known.payment_id}"
        for known in named
    )
    return MatchResult(
        state=LineState.BREAK,
        problem=BreakClass.AMBIGUOUS,
        words=f"{line.amount} names several of ours: {', '.join(ids)}",
    )


def _fee_alone(line: ReportLine, booked: Sequence[ReportableMovement]) -> MatchResult:
    """Nothing moved but a fee, of a refund or a dispute that is named itself: so much more of it,
    or less, was kept than the lines before have told."""
    first = booked[0]
    return MatchResult(
        state=LineState.MATCHED,
        movements=[first],
        fee_minor=first.fee_minor + line.fee.minor,
        payment_id=first.payment_id,
        cause=first.cause,
        only_fee=True,
    )


def _equal(minor: int, left: list[ReportableMovement]) -> list[ReportableMovement]:
    """The movement of exactly that amount, or all of them when they add up to it."""
    for movement in left:
        if movement.minor == minor:
            return [movement]
    return left if len(left) > 1 and sum(one.minor for one in left) == minor else []


def _sum_of(booked: Iterable[ReportableMovement]) -> str:
    totals: dict[str, int] = {}
    for movement in booked:
        totals[movement.currency] = totals.get(movement.currency, 0) + movement.minor
    return " and ".join(str(Money(minor, currency)) for currency, minor in totals.items())


def _lateness(line: ReportLine, found: Iterable[ReportableMovement]) -> str:
    if line.occurred_at is None:
        return ""
    booked_at = min(movement.at for movement in found)
    if line.occurred_at - booked_at <= LATE_AFTER:
        return ""
    return (
        f"booked at {booked_at:%Y-%m-%d %H:%M}Z, reported as of {line.occurred_at:%Y-%m-%d %H:%M}"
    )


def _unknown(line: ReportLine) -> MatchResult:
    refund = line.kind is LineKind.REFUND
    reference = line.our_reference or line.provider_reference
    words = f"nothing of ours is called {reference!r}" if reference else "the line names nothing"
    return MatchResult(
        state=LineState.BREAK,
        problem=BreakClass.REFUND_MISSING if refund else BreakClass.MISSING_OURS,
        words=words,
    )


def _not_booked(line: ReportLine, subject: Subject) -> MatchResult:
    """We know what it is about, but no money of that kind has moved in our books."""
    known = subject.known
    problem = BreakClass.STATUS
    words = f"they report a {line.kind}, our {known.kind} {known.id} is {known.status}"
    if not subject.exact and line.kind is not LineKind.PAYMENT:
        refund = line.kind is LineKind.REFUND
        problem = BreakClass.REFUND_MISSING if refund else BreakClass.MISSING_OURS
        words = f"they report a {line.kind} of {known.id}, we know of none"
    return MatchResult(
        state=LineState.BREAK,
        problem=problem,
        words=words,
        payment_id=known.payment_id,
        cause=known.id,
    )


def _another(line: ReportLine, subject: Subject) -> MatchResult:
    """One more under its charge, which by its own name is none of those that we know."""
    refund = line.kind is LineKind.REFUND
    what = "refund" if refund else str(line.kind)
    return MatchResult(
        state=LineState.BREAK,
        problem=BreakClass.REFUND_MISSING if refund else BreakClass.MISSING_OURS,
        words=f"another {what} of {subject.known.id}, which we do not know",
        payment_id=subject.known.payment_id,
        cause=subject.known.id,
    )


def _reported_before(
    line: ReportLine, subject: Subject, booked: list[ReportableMovement], directory: ReferenceIndex
) -> MatchResult:
    """All that we booked has been reported."""
    if may_be_another(line, subject, [one.cause for one in booked], directory):
        return _another(line, subject)
    problem, words = BreakClass.DUPLICATE, f"{booked[0].cause} was reported before"
    if (line.amount.minor < 0) != (booked[0].minor < 0):
        problem, words = BreakClass.AMOUNT, f"takes back a part of {booked[0].cause}"
    return MatchResult(
        state=LineState.BREAK,
        problem=problem,
        words=words,
        payment_id=booked[0].payment_id,
        cause=booked[0].cause,
        expected_minor=0,
    )
