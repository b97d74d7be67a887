"""What a matched line of a report means for its payment: which fact, if any."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from kassa.base.domain.lifecycle import BreakClass, PaymentStatus
from kassa.base.domain.money import Money
from kassa.ledger.domain import ledger
from kassa.ledger.domain.ledger import Posting, PostingKind
from kassa.payments.domain.facts import Reported
from kassa.payments.domain.payments import Payment
from kassa.reconciliation.domain.matching import LineState, MatchResult, ReportableMovement
from kassa.reconciliation.domain.reports import LineKind, ReportLine


def is_complete(payment: Payment, settled_minor: int) -> bool:
    """Whether a report has told of all of it, and nothing more of it can come."""
    return (
        payment.status is PaymentStatus.CAPTURED
        and settled_minor == payment.captured.minor
        and reserved_minor(payment) == 0
    )


def reserved_minor(payment: Payment) -> int:
    return payment.authorized.minor - payment.captured.minor - payment.released_minor


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportSource:
    """Which report says it. `account`: the ledger's, that the provider kept its fees from."""

    name: str
    file: str
    account: str


@dataclass(slots=True)  # not frozen, which would take four times as long to make
class ReportEffect:
    """What a matched line means; no fact where it says nothing new. `contradicts`: the provider had
    told another fee before."""

    fact: Reported | None = None
    contradicts: str = ""


def effect_of(
    payment: Payment,
    verdict: MatchResult,
    line: ReportLine,
    report: ReportSource,
    *,
    fee_told: bool,
) -> ReportEffect:
    """Count what was reported, put the fee right, and settle what is complete.

    `fee_told`: whether the line says what the provider kept.
    """
    reported = 0 if verdict.only_fee else _counted(payment, verdict)
    told = fee_told or verdict.only_fee
    fee = _fee_of(payment, verdict) if told else _Fee(0, payment.fee_known, "")
    change = fee.change_minor
    if not reported and not change and fee.known == payment.fee_known:
        return ReportEffect()
    first, currency = verdict.movements[0], payment.amount.currency
    fact = Reported(
        report=report.name,
        file=report.file,
        line=line.number,
        amount=str(line.amount),
        settles=bool(reported) and is_complete(payment, payment.settled_minor + reported),
        counted_minor=reported,
        fee=str(Money(verdict.fee_minor, currency)) if change or not reported else "",
        fee_change_minor=change,
        fee_is_ours=bool(change) and first.is_surplus,
        fee_cause=first.cause if change else "",
        fee_account=report.account if change else "",
        fee_known=fee.known,
    )
    return ReportEffect(fact, fee.contradicts)


def once(payment: Payment, verdict: MatchResult) -> MatchResult:
    """A payment has one fee: another charge for it is not taken for its fee."""
    if verdict.state is not LineState.MATCHED or not payment.fee_known:
        return verdict
    booked = verdict.movements[0].fee_minor
    if booked == verdict.fee_minor:
        return verdict
    currency = payment.amount.currency
    told, known = (Money(minor, currency) for minor in (verdict.fee_minor, booked))
    return MatchResult(
        state=LineState.BREAK,
        problem=BreakClass.FEE,
        words=f"a charge of {told} for a payment whose fee is {known}",
        payment_id=verdict.payment_id,
        cause=verdict.cause,
        expected_minor=-booked,
    )


def rest_released(payment: Payment) -> Reported:
    """All of it had been reported, and now the rest of the reservation was let go."""
    return Reported(settles=True, fee_known=payment.fee_known)


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


def exchange(
    company_id: str,
    account: str,
    movements: Sequence[ReportableMovement],
    settled: Money,
    *,
    new_id: Callable[[str], str],
    at: datetime,
) -> list[Posting]:
    """What these come to, less their fees, was paid out as `settled` in another currency: each
    side is balanced by what was changed."""
    first = movements[0]
    left = sum(movement.minor - movement.fee_minor for movement in movements)
    ways = (
        (ledger.EXCHANGE_ACCOUNT, account, Money(left, first.currency)),
        (account, ledger.EXCHANGE_ACCOUNT, settled),
    )
    return [
        Posting(
            company_id=company_id,
            id=new_id("po"),
            kind=PostingKind.EXCHANGE,
            currency=amount.currency,
            entries=ledger.move(debit, credit, amount),
            payment_id=first.payment_id,
            cause=first.cause,
            at=at,
        )
        for debit, credit, amount in ways
        if amount.minor
    ]


def _counted(payment: Payment, verdict: MatchResult) -> int:
    """How much of `captured` the line confirms. Surplus counts where it is all the payment has."""
    reported = 0
    for movement in verdict.movements:
        if movement.kind is LineKind.PAYMENT and (payment.surplus or not movement.is_surplus):
            reported += movement.minor
    left = payment.captured.minor - payment.settled_minor
    return reported if reported <= left else 0


@dataclass(slots=True)
class _Fee:
    """`known`: whether the charge's fee is the provider's figure now."""

    change_minor: int
    known: bool
    contradicts: str


def _fee_of(payment: Payment, verdict: MatchResult) -> _Fee:
    """From what is booked as the fee of these movements to what the report says of them."""
    first = verdict.movements[0]
    is_charge = first.kind is LineKind.PAYMENT and not first.is_surplus
    is_whole = is_charge and _is_whole(payment, verdict.movements)
    booked = sum(movement.fee_minor for movement in verdict.movements)
    change = verdict.fee_minor - booked
    contradicts = ""
    if change and is_whole and payment.fee_known:
        currency = payment.amount.currency
        told, before = (Money(minor, currency) for minor in (verdict.fee_minor, booked))
        contradicts = f"the fee is {told}, and was told as {before} before"
    return _Fee(change, payment.fee_known or is_whole, contradicts)


def _is_whole(payment: Payment, movements: list[ReportableMovement]) -> bool:
    """Whether this is the whole charge: only then `fee_known` is about this very fee."""
    return sum(movement.minor for movement in movements) == payment.captured.minor
