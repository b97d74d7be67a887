"""What the cashier page shows and offers for a session token."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

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
from kassa.usecases.routing import NUMBER, Question, ways_to_pay

_WORDS = {  # what order_meta.payment_methods may say for each of our methods
    Method.CREDIT_CARD: {"card", "cc", "dc", "credit_card"},
    Method.WALLET: {"wallet", "app"},
    Method.ALIPAY: {"alipay"},
}
_ORDER = (Method.CREDIT_CARD, Method.WALLET, Method.ALIPAY)
"""As the page lists them."""


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
    manual = payment.capture_method is CaptureMethod.MANUAL
    ways = await ways_to_pay(core, company.id, payment.amount, manual=manual)
    return Session(
        company=company,
        order=order,
        payment=payment,
        methods=_wanted(ways, order),
        expired=now >= order.expires_at,
        now=now,
        sandbox=NUMBER in ways.get(Method.CREDIT_CARD, ()),
    )


def _wanted(ways: Mapping[Method, frozenset[str]], order: Order) -> tuple[Method, ...]:
    """What some account takes and the merchant's comma list names, if there is one."""
    offered = [method for method in _ORDER if method in ways or method is Method.WALLET]
    wanted = {word.strip().lower() for word in order.payment_methods.split(",") if word.strip()}
    return tuple(method for method in offered if not wanted or wanted & _WORDS[method])


def card_question(session: Session, number: str) -> Question:
    """What decides which account takes a card that was typed in here."""
    payment = session.payment
    return Question(
        company_id=session.company.id,
        method=Method.CREDIT_CARD,
        amount=payment.amount,
        takes=NUMBER,
        manual=payment.capture_method is CaptureMethod.MANUAL,
        card_prefix=number[:8],
        customer_id=session.order.customer.id,
        key=payment.order_id,
    )


async def start_alipay(core: Core, token: str) -> str:
    """The address at Alipay where this session's payment can be paid.

    Raises: NotFound, IllegalTransition, UnsupportedOperation.
    """
    session = await open_session(core, token)
    return (await redirect(core, session.payment, actor="payer")).redirect_url
