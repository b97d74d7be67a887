"""What a matched line does to its payment: pure, and lean, since a report may have a million.

The moves that the payment aggregate makes, on the few figures that a report can change.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from kassa.base.domain.lifecycle import PaymentEvent, PaymentStatus, next_status
from kassa.base.domain.money import Money
from kassa.ledger.domain import ledger
from kassa.ledger.domain.ledger import Posting, PostingKind
from kassa.payments.domain.facts import Reported
from kassa.reconciliation.domain.matching import MatchResult, ReportableMovement
from kassa.reconciliation.domain.reports import LineKind


@dataclass(slots=True)
class ReportedPayment:
    """The part of a payment that reports change, and what decides how; see Payment."""

    company_id: str
    id: str
    business_id: str
    status: PaymentStatus
    currency: str
    authorized_minor: int
    captured_minor: int
    released_minor: int
    settled_minor: int
    fee_minor: int
    fee_known: bool
    surplus: bool
    version: int
    notify_kind: str
    notify_url: str

    @property
    def held_minor(self) -> int:
        return self.authorized_minor - self.captured_minor - self.released_minor

    @property
    def is_complete(self) -> bool:
        """Whether a report has told of all of it, and nothing more of it can come."""
        return (
            self.status is PaymentStatus.CAPTURED
            and self.settled_minor == self.captured_minor
            and self.held_minor == 0
        )


@dataclass(frozen=True, slots=True)
class ReportStep:
    """One row of the timeline: event number `seq`."""

    payment_id: str
    seq: int
    event: PaymentEvent
    from_status: PaymentStatus
    to_status: PaymentStatus
    fact: Reported


@dataclass(frozen=True, slots=True)
class ReportEffect:
    """What a matched line changed. `contradicts`: the provider had told another fee before."""

    step: ReportStep | None = None
    posting: Posting | None = None
    contradicts: str = ""

    @property
    def is_settled(self) -> bool:
        return self.step is not None and self.step.event is PaymentEvent.SETTLE


def apply(
    holding: ReportedPayment,
    verdict: MatchResult,
    told: Reported,
    *,
    fee_told: bool,
    account: str,
    new_id: Callable[[str], str],
    at: datetime,
) -> ReportEffect:
    """Count what was reported, put the fee right, and settle what is complete.

    `told`: which line says it; the rest of the fact is found here.
    `fee_told`: whether the line says what the provider kept. `account`: the ledger's, that it kept
    it from.
    """
    reported = 0 if verdict.only_fee else _counted(holding, verdict)
    posting, contradicts = None, ""
    was_known, was_booked = holding.fee_known, holding.fee_minor
    if fee_told:
        posting, contradicts = _put_fee_right(holding, verdict, account, new_id, at)
    holding.settled_minor += reported
    if not reported and posting is None and holding.fee_known == was_known:
        return ReportEffect()
    says_fee = posting is not None or not reported
    fact = replace(
        told,
        settles=bool(reported) and holding.is_complete,
        counted_minor=reported,
        fee=str(Money(verdict.fee_minor, holding.currency)) if says_fee else "",
        fee_change_minor=holding.fee_minor - was_booked,
        fee_known=holding.fee_known,
    )
    return ReportEffect(_step(holding, fact), posting, contradicts)


def arrival(
    company_id: str, movement: ReportableMovement, *, posting_id: str, at: datetime
) -> Posting:
    """A transfer that was said to be on its way is at the bank; or one that went back has left."""
    amount = Money(movement.minor, movement.currency)
    return Posting(
        company_id=company_id,
        id=posting_id,
        kind=PostingKind.TRANSFER,
        currency=movement.currency,
        entries=ledger.move(ledger.BANK_ACCOUNT, ledger.TRANSIT_ACCOUNT, amount),
        payment_id=movement.payment_id,
        cause=movement.cause,
        at=at,
    )


def complete(holding: ReportedPayment) -> ReportStep:
    """The rest of the reservation was let go after all of the claimed had been reported."""
    return _step(holding, Reported(settles=True, fee_known=holding.fee_known))


def _step(holding: ReportedPayment, fact: Reported) -> ReportStep:
    before = holding.status
    holding.status = next_status(before, fact.move)
    holding.version += 1
    return ReportStep(holding.id, holding.version, fact.move, before, holding.status, fact)


def _counted(holding: ReportedPayment, verdict: MatchResult) -> int:
    """How much of `captured` the line confirms. Surplus counts where it is all the payment has."""
    reported = 0
    for movement in verdict.movements:
        if movement.kind is LineKind.PAYMENT and (holding.surplus or not movement.is_surplus):
            reported += movement.minor
    left = holding.captured_minor - holding.settled_minor
    return reported if reported <= left else 0


def _put_fee_right(
    holding: ReportedPayment,
    verdict: MatchResult,
    account: str,
    new_id: Callable[[str], str],
    at: datetime,
) -> tuple[Posting | None, str]:
    """From what is booked as the fee of these movements to what the report says of them."""
    first = verdict.movements[0]
    is_charge = first.kind is LineKind.PAYMENT and not first.is_surplus
    booked = sum(movement.fee_minor for movement in verdict.movements)
    difference = verdict.fee_minor - booked
    was_known = is_charge and holding.fee_known
    if is_charge and _is_whole(holding, verdict.movements):
        holding.fee_known = True
    if not difference:
        return None, ""
    contradicts = ""
    if was_known and _is_whole(holding, verdict.movements):
        told, before = (Money(minor, holding.currency) for minor in (verdict.fee_minor, booked))
        contradicts = f"the fee is {told}, and was told as {before} before"
    bearer = (
        ledger.FEE_EXPENSE_ACCOUNT
        if first.is_surplus
        else ledger.merchant_account(holding.business_id)
    )
    if not first.is_surplus:
        holding.fee_minor += difference
    posting = Posting(
        company_id=holding.company_id,
        id=new_id("po"),
        kind=PostingKind.FEE_ADJUSTMENT,
        currency=holding.currency,
        entries=ledger.move(bearer, account, Money(difference, holding.currency)),
        payment_id=holding.id,
        cause=first.cause,
        at=at,
    )
    return posting, contradicts


def _is_whole(holding: ReportedPayment, movements: list[ReportableMovement]) -> bool:
    """Whether this is the whole charge: only then `fee_known` is about this very fee."""
    return sum(movement.minor for movement in movements) == holding.captured_minor
