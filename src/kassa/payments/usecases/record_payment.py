"""Record money that came past us: cash or a check at the counter, or a transfer to the bank."""

from dataclasses import dataclass

from kassa.base.domain.errors import InvalidRequest, UnsupportedOperation
from kassa.base.usecases.core import Core
from kassa.payments.domain.aggregate import PaymentAggregate
from kassa.payments.domain.payments import OFFLINE, CaptureMethod, Method, Payment
from kassa.payments.usecases.change_payment import PaymentChange, WalletBalances, change_payment
from kassa.reconciliation.domain import transfers

_LONGEST_REFERENCE = 100
_COUNTER = "offline"


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """`actor`: who says that the money is there. `reference`: how it is known outside: a check's
    number, a transfer's reference; kept as evidence."""

    company_id: str
    payment_id: str
    method: Method
    actor: str
    reference: str = ""


async def record_payment(core: Core, wanted: Recording) -> Payment:
    """Book the payment as captured in cash, by check or by bank transfer.

    A paid payment comes back as it is. What was recorded by mistake is refunded, which calls
    nobody. A transfer is on its way until a bank statement's line names it: see
    `domain.transfers`.
    Raises: NotFound, IllegalTransition, UnsupportedOperation, InvalidRequest.
    """
    if wanted.method not in OFFLINE:
        raise UnsupportedOperation(f"{wanted.method} is not recorded, it is paid")
    if len(wanted.reference) > _LONGEST_REFERENCE or not wanted.reference.isprintable():
        raise InvalidRequest(
            f"a reference is one line of at most {_LONGEST_REFERENCE} characters", field="reference"
        )
    at_the_bank = wanted.method is Method.BANK_TRANSFER
    connector = transfers.CONNECTOR if at_the_bank else _COUNTER

    def decide(case: PaymentAggregate, _: WalletBalances | None) -> None:
        if case.payment.is_paid:
            return
        if case.payment.capture_method is CaptureMethod.MANUAL:
            raise UnsupportedOperation("money that is there cannot be reserved, only taken")
        attempt = case.start_attempt(wanted.method, connector, actor=wanted.actor)
        case.capture(
            attempt,
            reference=wanted.reference or attempt.id,
            fee=None,
            actor=wanted.actor,
            by="recorded",
        )

    change = PaymentChange(
        company_id=wanted.company_id, payment_id=wanted.payment_id, decide=decide
    )
    return (await change_payment(core, change)).payment
