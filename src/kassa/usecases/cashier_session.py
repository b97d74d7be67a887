"""What the cashier page shows and offers for a session token."""

from dataclasses import dataclass
from datetime import UTC, datetime

from kassa.connectors.base import Capturer
from kassa.domain.errors import NotFound
from kassa.domain.orders import Order
from kassa.domain.payments import CaptureMethod, Method, Payment
from kassa.domain.principals import Company
from kassa.store import orders
from kassa.usecases.authenticate import company_by_number
from kassa.usecases.core import Core
from kassa.usecases.find_payments import payments_of_order
from kassa.usecases.ids import company_number_of
from kassa.usecases.open_payment import redirect

_ALIPAY_CURRENCY = "CNY"
_WORDS = {  # what order_meta.payment_methods may say for each of our methods
    Method.CREDIT_CARD: {"card", "cc", "dc", "credit_card"},
    Method.WALLET: {"wallet", "app"},
    Method.ALIPAY: {"alipay"},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """`methods`: payable now. `sandbox`: cards are played by the sandbox provider."""

    company: Company
    order: Order
    payment: Payment
    methods: tuple[Method, ...]
    expired: bool
    now: datetime
    sandbox: bool


async def open_session(core: Core, token: str) -> Session:
    """Raises: NotFound."""
    number = company_number_of(token, "sess_")
    company = await company_by_number(core, number) if number is not None else None
    if company is None or not token.isprintable() or len(token) > 100:
        raise NotFound("no such payment page")
    async with core.db.connection() as connection:
        order = await orders.by_session(connection, company.id, token)
    if order is None:
        raise NotFound("no such payment page")
    views = await payments_of_order(core, company.id, order.id)
    payment = next((view.payment for view in views if view.payment.is_paid), views[-1].payment)
    now = datetime.now(UTC)
    return Session(
        company=company,
        order=order,
        payment=payment,
        methods=_methods(core, order, payment),
        expired=now >= order.expires_at,
        now=now,
        sandbox="sandbox" in core.connectors,
    )


def _methods(core: Core, order: Order, payment: Payment) -> tuple[Method, ...]:
    """What is switched on here and in the merchant's comma list, if there is one.

    What is to be claimed later is not offered where it would be taken at once.
    """
    reserves = payment.capture_method is CaptureMethod.MANUAL
    usable = {
        name
        for name, connector in core.connectors.items()
        if not reserves or isinstance(connector, Capturer)
    }
    offered = [Method.WALLET]
    if "sandbox" in usable:
        offered.insert(0, Method.CREDIT_CARD)
    if "alipay" in usable and order.amount.currency == _ALIPAY_CURRENCY:
        offered.append(Method.ALIPAY)
    wanted = {word.strip().lower() for word in order.payment_methods.split(",") if word.strip()}
    return tuple(method for method in offered if not wanted or wanted & _WORDS[method])


async def start_alipay(core: Core, token: str) -> str:
    """The address at Alipay where this session's payment can be paid.

    Raises: NotFound, IllegalTransition, UnsupportedOperation.
    """
    session = await open_session(core, token)
    return (await redirect(core, session.payment, actor="payer")).redirect_url
