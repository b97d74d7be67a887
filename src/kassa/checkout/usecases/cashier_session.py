"""What the cashier page shows and offers for a session token."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum

from kassa.base.domain.errors import IllegalTransition, NotFound
from kassa.base.domain.lifecycle import PaymentStatus
from kassa.base.usecases.core import Core
from kassa.base.usecases.ids import company_number_of
from kassa.checkout.usecases.open_payment import PAGE, is_own_trade, redirect
from kassa.identity.domain.principals import Company
from kassa.identity.store import companies
from kassa.identity.usecases.authenticate import company_by_number
from kassa.identity.usecases.businesses import find_business
from kassa.identity.usecases.sides import MODE, is_served
from kassa.orders.domain.orders import Order
from kassa.orders.store import orders
from kassa.payments.domain.payments import CaptureMethod, Method, Payment
from kassa.payments.domain.restrictions import allows
from kassa.payments.domain.taken_back import NOTHING_TAKEN, TakenBack
from kassa.payments.usecases.find_payments import payments_of_order
from kassa.payments.usecases.find_taken_back import taken_of
from kassa.payments.usecases.submit_payment import Submission, submit_payment
from kassa.routing.usecases.routing import (
    ACCOUNT,
    NUMBER,
    REDIRECT,
    Route,
    RoutingRequest,
    choose,
    ways_to_pay,
)


class PaymentWay(StrEnum):
    """A way to pay as the page offers it."""

    CREDIT_CARD = "credit_card"  # the number is typed in here: cards of the sandbox only
    CARD_PAGE = "card_page"  # a card, on the provider's own page
    WALLET = "wallet"
    ALIPAY = "alipay"
    EWALLET = "ewallet"
    UPI = "upi"
    NET_BANKING = "net_banking"


# fmt: off
_WAYS: Mapping[PaymentWay, tuple[Method, str]] = {
    PaymentWay.CREDIT_CARD: (Method.CREDIT_CARD, NUMBER),
    PaymentWay.CARD_PAGE:   (Method.CREDIT_CARD, REDIRECT),
    PaymentWay.WALLET:      (Method.WALLET,      ""),
    PaymentWay.ALIPAY:      (Method.ALIPAY,      REDIRECT),
    PaymentWay.EWALLET:     (Method.EWALLET,     REDIRECT),
    PaymentWay.UPI:         (Method.UPI,         REDIRECT),
    PaymentWay.NET_BANKING: (Method.NET_BANKING, REDIRECT),
}
# fmt: on
"""In the page's order: the method, and what the payer gives for it. Our own wallet is asked for
nothing by any provider."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """`ways`: payable now. `closed`: the company takes no payments
    now. `sandbox`: cards are played by the sandbox provider. `business_name`: whom the order is
    paid to. `taken`: what the payer's bank has of it."""

    company: Company
    order: Order
    payment: Payment
    ways: tuple[PaymentWay, ...]
    expired: bool
    closed: bool
    now: datetime
    sandbox: bool
    business_name: str = ""
    taken: TakenBack = NOTHING_TAKEN


async def open_session(core: Core, token: str) -> Session:
    """Raises: NotFound."""
    number = company_number_of(token, "sess_")
    company = await company_by_number(core, number) if number is not None else None
    if company is None or not token.isprintable() or len(token) > 100:
        raise NotFound("no such payment page")
    if not is_served(core, company):
        raise NotFound("no such payment page")
    async with core.db.connection() as connection:
        order = await orders.by_session(connection, company.id, token)
        closed = await companies.is_closed(connection, company.id)
    if order is None:
        raise NotFound("no such payment page")
    MODE.set(company.mode)  # the token is the payer's proof
    views = await payments_of_order(core, company.id, order.id)
    payment = next((view.payment for view in views if view.payment.is_paid), views[-1].payment)
    if payment.method is Method.ALIPAY and is_own_trade(payment):
        payment = replace(payment, redirect_url="")  # Alipay shows the customer's own text there
    now = datetime.now(UTC)
    manual = payment.capture_method is CaptureMethod.MANUAL
    ways = await ways_to_pay(core, company.id, payment.amount, manual=manual)
    business = await find_business(core, company, order.business_id)
    return Session(
        company=company,
        order=order,
        payment=payment,
        ways=() if closed else _wanted(ways, order),
        closed=closed,
        expired=now >= order.expires_at,
        now=now,
        sandbox=NUMBER in ways.get(Method.CREDIT_CARD, ()),
        business_name=business.name if business else company.name,
        taken=await taken_of(core, payment),
    )


def _wanted(taken: Mapping[Method, frozenset[str]], order: Order) -> tuple[PaymentWay, ...]:
    """What some account takes and the merchant allows."""
    return tuple(
        way
        for way, (method, takes) in _WAYS.items()
        if (takes == "" or takes in taken.get(method, ())) and allows(order.payment_methods, method)
    )


async def way_of(core: Core, session: Session, way: PaymentWay, *, card_digits: str = "") -> Route:
    """Which account takes the payment by that way.

    Raises: UnsupportedOperation.
    """
    payment = session.payment
    method, takes = _WAYS[way]
    question = RoutingRequest(
        company_id=session.company.id,
        method=method,
        amount=payment.amount,
        takes=takes,
        manual=payment.capture_method is CaptureMethod.MANUAL,
        card_prefix=card_digits[:8],
        customer_id=session.order.customer.id,
        account=payment.extra.get(ACCOUNT, ""),
        key=payment.order_id,
    )
    return await choose(core, question)


async def start_page(core: Core, session: Session, way: PaymentWay, *, back: str) -> Payment:
    """The payment, with the address of the provider's page where it can be paid.

    A page that was opened before and is still good is opened again: it can charge only once.
    `back`: where the provider sends the payer afterwards.
    Raises: NotFound, IllegalTransition, UnsupportedOperation, ProviderUnavailable.
    """
    payment, method = session.payment, _WAYS[way][0]
    if session.closed:
        raise IllegalTransition("the merchant takes no payments now", reason="company_closed")
    if method is Method.ALIPAY:
        return await redirect(core, payment, actor="payer", channel=PAGE)
    until = payment.redirect_expires_at
    good = bool(payment.redirect_url) and (until is None or session.now < until)
    if payment.status is PaymentStatus.REQUIRES_ACTION and payment.method is method and good:
        return payment
    route = await way_of(core, session, way)
    submission = Submission(
        company_id=payment.company_id,
        payment_id=payment.id,
        method=method,
        connector=route.accounts[0],
        fallbacks=route.accounts[1:],
        because=route.because,
        instrument="",
        instrument_shown="",
        actor="payer",
        return_url=back,
    )
    return await submit_payment(core, submission)
