"""Record money that came past us: cash or a check at the counter, or a transfer to the bank."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from kassa.base.domain.card_numbers import TextKind, refuse_card_data
from kassa.base.domain.errors import InvalidRequest, UnsupportedOperation
from kassa.base.domain.lifecycle import UNDECIDED
from kassa.base.usecases.core import Core
from kassa.identity.domain.audit import Act, Deed
from kassa.identity.usecases import audit
from kassa.payments.domain import facts, receipts
from kassa.payments.domain.aggregate import PaymentAggregate
from kassa.payments.domain.payments import OFFLINE, Attempt, CaptureMethod, Method, Payment
from kassa.payments.usecases.change_payment import PaymentChange, WalletBalances, change_payment
from kassa.reconciliation.domain import transfers

_LONGEST_REFERENCE = 100
_COUNTER = "offline"


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """`actor`: who says that the money is there. `reference`: how it is known outside: a check's
    number, a transfer's reference; kept as evidence. `by_staff`: the merchant's people hold it,
    whatever the order allows its payer."""

    company_id: str
    payment_id: str
    method: Method
    actor: str
    reference: str = ""
    by_staff: bool = False


async def record_payment(core: Core, wanted: Recording) -> Payment:
    """Book the payment as captured in cash, by check or by bank transfer.

    A paid payment comes back as it is. What was recorded by mistake is refunded, which calls
    nobody. A transfer is on its way until a bank statement's line names it: see
    `reconciliation/domain/transfers.py`.
    Raises: NotFound, IllegalTransition, UnsupportedOperation, InvalidRequest.
    """
    if wanted.method not in OFFLINE:
        raise UnsupportedOperation(f"{wanted.method} is not recorded, it is paid")
    if len(wanted.reference) > _LONGEST_REFERENCE or not wanted.reference.isprintable():
        raise InvalidRequest(
            f"a reference is one line of at most {_LONGEST_REFERENCE} characters", field="reference"
        )
    refuse_card_data({"reference": wanted.reference}, {"reference": TextKind.ID})
    at_the_bank = wanted.method is Method.BANK_TRANSFER
    connector = transfers.CONNECTOR if at_the_bank else _COUNTER

    def decide(case: PaymentAggregate, _: WalletBalances | None) -> None:
        if case.payment.is_paid:
            return
        if case.payment.capture_method is CaptureMethod.MANUAL:
            raise UnsupportedOperation("money that is there cannot be reserved, only taken")
        attempt = _expected(case, wanted)
        if attempt is not None:  # its own reference is what the statement's line will have
            reference = attempt.provider_reference or attempt.id
            if wanted.reference:
                known = facts.Remark(text=f"known as {wanted.reference}")
                case.record(known, actor=wanted.actor, by="recorded")
        else:
            attempt = case.start_attempt(
                wanted.method, connector, actor=wanted.actor, by_staff=wanted.by_staff
            )
            reference = wanted.reference or attempt.id
        case.capture(attempt, reference=reference, fee=None, actor=wanted.actor, by="recorded")

    deed = _by_person(wanted.company_id, wanted.payment_id, wanted.actor, Act.RECORDED)
    change = PaymentChange(
        company_id=wanted.company_id, payment_id=wanted.payment_id, decide=decide, deed=deed
    )
    return (await change_payment(core, change)).payment


def _by_person(
    company_id: str, payment_id: str, actor: str, act: Act
) -> Callable[[PaymentAggregate], Deed | None] | None:
    """What is written down of money that is there by a person's word alone. What a merchant's
    program says stands in the timeline."""
    if not audit.is_persons():
        return None
    said = audit.deed(act, company_id, payment_id, business_id=None)

    def deed(case: PaymentAggregate) -> Deed | None:
        paid = case.payment
        audit.allowed(said, paid.business_id)
        told = {"by": actor, "method": paid.method, "captured": str(paid.captured)}
        return replace(said, after=told) if case.events else None

    return deed


def _expected(case: PaymentAggregate, wanted: Recording) -> Attempt | None:
    """The transfer that the payer was told to make: what staff say has come is that one."""
    case.expect_again(actor=wanted.actor)
    one = case.transfer
    if wanted.method is not Method.BANK_TRANSFER or one is None or not case.is_owed:
        return None
    return one if one.status in UNDECIDED else None


async def accept_short_transfer(
    core: Core, company_id: str, payment_id: str, *, actor: str
) -> Payment:
    """Take what has come by transfer for the whole.

    Raises: NotFound, IllegalTransition.
    """

    def decide(case: PaymentAggregate, _: WalletBalances | None) -> None:
        receipts.accept_short(case, actor=actor)

    deed = _by_person(company_id, payment_id, actor, Act.SHORT_ACCEPTED)
    change = PaymentChange(company_id=company_id, payment_id=payment_id, decide=decide, deed=deed)
    return (await change_payment(core, change)).payment


def begin_transfer(case: PaymentAggregate, *, actor: str, by_staff: bool = False) -> Attempt:
    """The attempt that waits for a bank's statement.

    Raises: IllegalTransition, UnsupportedOperation.
    """
    if case.payment.capture_method is CaptureMethod.MANUAL:
        raise UnsupportedOperation("a bank transfer cannot be reserved, only taken")
    attempt = case.start_attempt(
        Method.BANK_TRANSFER, transfers.CONNECTOR, actor=actor, by_staff=by_staff
    )
    reference = transfers.reference_for(attempt.id)
    case.record(facts.AttemptAccepted(attempt=attempt.id, reference=reference), actor=actor)
    case.record(facts.ActionRequired(attempt=attempt.id), actor=actor)
    return case.attempts[attempt.id]


async def expect_transfer(
    core: Core,
    company_id: str,
    payment_id: str,
    *,
    actor: str,
    claim: Callable[[PaymentAggregate], bool],
) -> Payment:
    """Wait for a transfer to the merchant's bank: the payment's `provider_reference` is what the
    payer has to write on it. Who says that it was sent proves nothing: a bank's statement does.

    `claim`: decides, under the same lock, whether it is expected at all.
    Raises: NotFound, IllegalTransition, UnsupportedOperation.
    """

    def decide(case: PaymentAggregate, _: WalletBalances | None) -> None:
        if not claim(case):
            return
        begin_transfer(case, actor=actor)

    change = PaymentChange(company_id=company_id, payment_id=payment_id, decide=decide)
    return (await change_payment(core, change)).payment
