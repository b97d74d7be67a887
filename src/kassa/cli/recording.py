"""`kassa record`: a payment that was made past us."""

from kassa.base.domain.errors import InvalidRequest
from kassa.base.usecases.core import Core
from kassa.cli.running import told, whoever_asks
from kassa.identity.domain.principals import Company
from kassa.payments.domain.payments import OFFLINE, Method, Payment
from kassa.payments.domain.restrictions import allows
from kassa.payments.usecases.find_payments import payments_of_order
from kassa.payments.usecases.record_payment import (
    Recording,
    accept_short_transfer,
    record_payment,
)
from kassa.settings import Settings


def record(
    settings: Settings,
    company: str,
    order_id: str,
    method: str,
    *,
    reference: str,
    by: str,
    accept_short: bool = False,
) -> str:
    """`by`: who says that the money is there, "" for whoever runs the command. `accept_short`: what
    came by transfer is taken for the whole."""
    word = method.lower().replace("-", "_").replace(" ", "_")
    if word not in set(OFFLINE):
        raise InvalidRequest(
            f"a payment is recorded as {', '.join(sorted(OFFLINE))}, not as {method!r}"
        )

    async def work(core: Core, side: Company) -> str:
        actor = f"operator:{by}" if by else whoever_asks()
        view = (await payments_of_order(core, side.id, order_id))[-1]
        if accept_short:
            key = side.id, view.payment.id
            return transferred(await accept_short_transfer(core, *key, actor=actor))
        payment = await record_payment(
            core,
            Recording(
                company_id=side.id,
                payment_id=view.payment.id,
                method=Method(word),
                actor=actor,
                reference=reference,
                by_staff=True,
            ),
        )
        said = f"{payment.id} {payment.status} {payment.amount} by {payment.method}"
        if not view.payment.is_paid and not allows(view.order.payment_methods, Method(word)):
            said += (
                f"\nnote: the order is to be paid by {view.order.payment_methods}, and not by"
                f" {word}; it is recorded, because you say that the money is there"
            )
        return said

    return told(settings, company, work)


def transferred(payment: Payment) -> str:
    """What transfers have made of a payment."""
    said = f"{payment.id} {payment.status}: captured {payment.captured} of {payment.amount}"
    if payment.unapplied_minor:
        said += f"; {payment.unapplied} came, {payment.missing} are missing"
    if payment.surplus_left.minor:
        said += f"; {payment.surplus_left} are to go back"
    return said
