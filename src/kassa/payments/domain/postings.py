"""What money moves with a fact: its postings, before they have ids."""

from dataclasses import dataclass
from functools import singledispatch

from kassa.base.domain.money import Money
from kassa.ledger.domain import ledger
from kassa.ledger.domain.ledger import Entry, PostingKind
from kassa.payments.domain import facts
from kassa.payments.domain.disputes import Dispute, DisputeEffect
from kassa.payments.domain.fact import Fact
from kassa.payments.domain.payments import OFFLINE, Attempt, Method
from kassa.payments.domain.state import PaymentState

_K = PostingKind


@dataclass(frozen=True, slots=True)
class UnbookedPosting:
    """A posting to be: `cause` is what it is booked for."""

    kind: PostingKind
    entries: tuple[Entry, ...]
    cause: str


def source_account(attempt: Attempt) -> str:
    """The account that an attempt's money comes out of, and goes back into."""
    if attempt.method is Method.WALLET:
        return ledger.wallet_account(attempt.instrument)
    if attempt.method is Method.BANK_TRANSFER:
        return ledger.TRANSIT_ACCOUNT
    if attempt.method in OFFLINE:
        return ledger.CASH_ACCOUNT
    return ledger.provider_account(attempt.connector)


def fee_account(attempt: Attempt) -> str:
    """The account that a fee goes to: a provider keeps it, our own wallet earns it."""
    if attempt.method is Method.WALLET or attempt.method in OFFLINE:
        return ledger.FEE_INCOME_ACCOUNT
    return ledger.provider_account(attempt.connector)


def reserve_account(attempt: Attempt) -> str:
    """Where reserved funds stand: a wallet's own balance, or a claim on the provider."""
    if attempt.method is Method.WALLET:
        return ledger.wallet_account(attempt.instrument)
    return ledger.reserved_account(attempt.connector)


@singledispatch
def booked(fact: Fact, state: PaymentState) -> list[UnbookedPosting]:
    """Of a fact that moves no money."""
    return []


def _merchant(state: PaymentState) -> str:
    return ledger.merchant_account(state.payment.business_id)


def _charged(
    state: PaymentState, attempt: Attempt, fee: Money | None, cause: str
) -> list[UnbookedPosting]:
    return _borne(_merchant(state), attempt, fee, cause)


def _brought(
    attempt: Attempt, credit: str, amount: Money, applied: Money | None
) -> tuple[Entry, ...]:
    """What the attempt brought, to `credit`: `applied` of it had come before, in part."""
    if not applied or not applied.minor:
        return ledger.move(source_account(attempt), credit, amount)
    before = ledger.move(ledger.UNAPPLIED_ACCOUNT, credit, applied)
    rest = amount - applied
    return (*ledger.move(source_account(attempt), credit, rest), *before) if rest.minor else before


def _overpaid(
    attempt: Attempt, amount: Money, fee: Money | None, cause: str, applied: Money | None = None
) -> list[UnbookedPosting]:
    """Money that must go back; what the provider keeps of it is nobody's but ours to bear."""
    entries = _brought(attempt, ledger.SURPLUS_ACCOUNT, amount, applied)
    came = [UnbookedPosting(_K.SURPLUS, entries, cause)]
    return came + _borne(ledger.FEE_EXPENSE_ACCOUNT, attempt, fee, cause)


def _borne(bearer: str, attempt: Attempt, fee: Money | None, cause: str) -> list[UnbookedPosting]:
    if fee is None or not fee.minor:
        return []
    entries = ledger.move(bearer, fee_account(attempt), fee)
    return [UnbookedPosting(_K.FEE, entries, cause)]


@booked.register
def _(fact: facts.PaymentAuthorized, state: PaymentState) -> list[UnbookedPosting]:
    attempt = state.attempts[fact.attempt]
    held = ledger.held_account(state.payment.business_id)
    entries = ledger.move(reserve_account(attempt), held, fact.amount)
    return [UnbookedPosting(_K.AUTHORIZE, entries, fact.attempt)]


@booked.register
def _(fact: facts.PaymentCaptured, state: PaymentState) -> list[UnbookedPosting]:
    attempt = state.attempts[fact.attempt]
    if fact.surplus:
        return _overpaid(attempt, fact.amount, fact.fee, fact.attempt, fact.applied)
    entries = _brought(attempt, _merchant(state), fact.amount, fact.applied)
    return [
        UnbookedPosting(_K.CAPTURE, entries, fact.attempt),
        *_charged(state, attempt, fact.fee, fact.attempt),
    ]


@booked.register
def _(fact: facts.PaidTwice, state: PaymentState) -> list[UnbookedPosting]:
    cause = fact.capture or fact.attempt
    return _overpaid(state.attempts[fact.attempt], fact.amount, fact.fee, cause, fact.applied)


@booked.register
def _(fact: facts.TransferReceived, state: PaymentState) -> list[UnbookedPosting]:
    source = source_account(state.attempts[fact.attempt])
    entries = ledger.move(source, ledger.UNAPPLIED_ACCOUNT, fact.amount)
    return [UnbookedPosting(_K.RECEIPT, entries, fact.attempt)]


@booked.register
def _(fact: facts.TransferReversed, state: PaymentState) -> list[UnbookedPosting]:
    source = source_account(state.attempts[fact.attempt])
    entries = ledger.move(ledger.UNAPPLIED_ACCOUNT, source, fact.amount)
    return [UnbookedPosting(_K.RECEIPT_REVERSAL, entries, fact.attempt)]


@booked.register
def _(fact: facts.TransferOverpaid, state: PaymentState) -> list[UnbookedPosting]:
    return _overpaid(state.attempts[fact.attempt], fact.amount, None, fact.attempt)


def _charge_of(state: PaymentState, modification: str) -> Attempt:
    """The charge that a modification changes."""
    return state.attempts[state.modifications[modification].attempt_id]


@booked.register
def _(fact: facts.CaptureCompleted, state: PaymentState) -> list[UnbookedPosting]:
    attempt = _charge_of(state, fact.modification)
    held = ledger.held_account(state.payment.business_id)
    entries: tuple[Entry, ...] = ledger.move(held, _merchant(state), fact.amount)
    if attempt.method is not Method.WALLET:
        reserved = ledger.reserved_account(attempt.connector)
        entries = (*entries, *ledger.move(source_account(attempt), reserved, fact.amount))
    return [
        UnbookedPosting(_K.CAPTURE, entries, fact.modification),
        *_charged(state, attempt, fact.fee, fact.modification),
    ]


@booked.register
def _(fact: facts.CaptureUnowed, state: PaymentState) -> list[UnbookedPosting]:
    attempt = _charge_of(state, fact.modification)
    return _overpaid(attempt, fact.amount, None, fact.modification)


@booked.register
def _(fact: facts.ReservationReleased, state: PaymentState) -> list[UnbookedPosting]:
    if not fact.released.minor:
        return []
    attempt = state.attempts[fact.attempt]
    held = ledger.held_account(state.payment.business_id)
    entries = ledger.move(held, reserve_account(attempt), fact.released)
    return [UnbookedPosting(_K.RELEASE, entries, fact.modification or fact.attempt)]


@booked.register
def _(fact: facts.RefundCompleted, state: PaymentState) -> list[UnbookedPosting]:
    attempt = _charge_of(state, fact.modification)
    entries = ledger.move(_merchant(state), source_account(attempt), fact.amount)
    return [
        UnbookedPosting(_K.REFUND, entries, fact.modification),
        *_charged(state, attempt, fact.fee, fact.modification),
    ]


@booked.register
def _(fact: facts.RefundReversed, state: PaymentState) -> list[UnbookedPosting]:
    source = source_account(_charge_of(state, fact.modification))
    kind = _K.SURPLUS_RETURN_REVERSAL if fact.surplus else _K.REFUND_REVERSAL
    credited = ledger.SURPLUS_ACCOUNT if fact.surplus else _merchant(state)
    return [UnbookedPosting(kind, ledger.move(source, credited, fact.amount), fact.modification)]


@booked.register
def _(fact: facts.OverpaymentReturned, state: PaymentState) -> list[UnbookedPosting]:
    attempt = _charge_of(state, fact.modification)
    entries = ledger.move(ledger.SURPLUS_ACCOUNT, source_account(attempt), fact.amount)
    returned = UnbookedPosting(_K.SURPLUS_RETURN, entries, fact.modification)
    bearer = ledger.FEE_EXPENSE_ACCOUNT
    return [returned, *_borne(bearer, attempt, fact.fee, fact.modification)]


@booked.register
def _(fact: facts.DisputeMoved, state: PaymentState) -> list[UnbookedPosting]:
    attempt = state.attempts[fact.attempt]
    bearer, fees = _merchant(state), _merchant(state)
    if attempt.surplus:  # the bank gives back what we owed its payer
        bearer, fees = ledger.SURPLUS_ACCOUNT, ledger.FEE_EXPENSE_ACCOUNT
    source, booked = source_account(attempt), []
    old = state.disputes.get(fact.dispute)
    for part in _parts(fact, old, state.payment.amount.currency):
        if part.minor > 0:
            entries = ledger.move(bearer, source, part)
            booked.append(UnbookedPosting(_K.DISPUTE, entries, fact.dispute))
        elif part.minor < 0:
            entries = ledger.move(source, bearer, -part)
            booked.append(UnbookedPosting(_K.DISPUTE_REVERSAL, entries, fact.dispute))
    more = (fact.fee.minor if fact.fee else 0) - (old.fee.minor if old else 0)
    if fact.fee is None or not more:
        return booked
    if more > 0:
        return booked + _borne(fees, attempt, Money(more, fact.fee.currency), fact.dispute)
    back = Money(-more, fact.fee.currency)
    entries = ledger.move(fee_account(attempt), fees, back)
    return [*booked, UnbookedPosting(_K.FEE_ADJUSTMENT, entries, fact.dispute)]


@booked.register
def _(fact: facts.ChargeReturned, state: PaymentState) -> list[UnbookedPosting]:
    attempt = state.attempts[fact.attempt]
    bearer = ledger.SURPLUS_ACCOUNT if attempt.surplus else _merchant(state)
    entries = ledger.move(bearer, source_account(attempt), fact.amount)
    return [UnbookedPosting(_K.CHARGE_RETURN, entries, fact.dispute)]


@booked.register
def _(fact: facts.Reported, state: PaymentState) -> list[UnbookedPosting]:
    if not fact.fee_change_minor or not fact.fee_account:
        return []
    bearer = ledger.FEE_EXPENSE_ACCOUNT if fact.fee_is_ours else _merchant(state)
    change = Money(fact.fee_change_minor, state.payment.amount.currency)
    entries = ledger.move(bearer, fact.fee_account, change)
    return [UnbookedPosting(_K.FEE_ADJUSTMENT, entries, fact.fee_cause)]


def taken_by(fact: facts.DisputeMoved, old: Dispute | None, currency: str) -> Money:
    """All that has left for the dispute after that, in the payment's currency."""
    if fact.taken is not None:
        return fact.taken
    if fact.effect is DisputeEffect.WITHDRAWN:
        return Money(fact.amount.minor, currency)  # as it was booked, before 0.5
    if fact.effect is DisputeEffect.RETURNED or old is None:
        return Money(0, currency)
    return old.taken


def _parts(fact: facts.DisputeMoved, old: Dispute | None, currency: str) -> list[Money]:
    """What is to be booked for it: each of the provider's bookings, or the difference."""
    if fact.parts:
        return [Money.parse(part) for part in fact.parts]
    before = old.taken.minor if old else 0
    return [Money(taken_by(fact, old, currency).minor - before, currency)]
