"""Record money that changed hands at the counter: cash or a check."""

from dataclasses import dataclass

from kassa.domain.case import Case
from kassa.domain.errors import UnsupportedOperation
from kassa.domain.payments import OFFLINE, CaptureMethod, Method, Payment
from kassa.usecases.change_payment import Change, Purse, change_payment
from kassa.usecases.core import Core


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """`actor`: who says that the money is there."""

    company_id: str
    payment_id: str
    method: Method
    actor: str


async def record_payment(core: Core, wanted: Recording) -> Payment:
    """Book the payment as captured in cash or by check. A paid payment comes back as it is.

    Raises: NotFound, IllegalTransition, UnsupportedOperation.
    """
    if wanted.method not in OFFLINE:
        raise UnsupportedOperation(f"{wanted.method} is not recorded, it is paid")

    def decide(case: Case, _: Purse | None) -> None:
        if case.payment.is_paid:
            return
        if case.payment.capture_method is CaptureMethod.MANUAL:
            raise UnsupportedOperation("money at the counter cannot be reserved, only taken")
        attempt = case.start_attempt(wanted.method, "offline", actor=wanted.actor)
        case.capture(
            attempt,
            reference=attempt.id,
            fee=None,
            actor=wanted.actor,
            evidence={"attempt": attempt.id, "by": "recorded"},
        )

    change = Change(company_id=wanted.company_id, payment_id=wanted.payment_id, decide=decide)
    return (await change_payment(core, change)).payment
