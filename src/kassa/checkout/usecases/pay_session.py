"""Pay an order by its session: who holds the session may try to pay, and nothing else."""

from dataclasses import dataclass

from kassa.base.domain.errors import IllegalTransition, UnsupportedOperation
from kassa.base.domain.lifecycle import OrderStatus, PaymentStatus
from kassa.base.usecases.core import Core
from kassa.checkout.usecases.cashier_session import Session
from kassa.connectors.catalog import maker_of
from kassa.orders.usecases.terminate_order import is_terminating
from kassa.payments.domain.payments import CaptureMethod, Method, Payment
from kassa.payments.usecases.submit_payment import Submission, submit_payment
from kassa.routing.usecases.routing import ACCOUNT, NUMBER, REDIRECT, RoutingRequest, choose

_PAYER = "payer"
_SERVED = "session_request"  # in the payment's extra: the request that made the newest attempt


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class SessionPay:
    """`takes`: NUMBER, TOKEN or REDIRECT. `instrument`: a secret, sent on and never kept; ""
    sends the payer to the provider's own page. `request_id`: it makes one attempt, for ever."""

    method: Method
    takes: str
    request_id: str
    instrument: str = ""
    instrument_shown: str = ""


async def pay_session(core: Core, session: Session, wanted: SessionPay) -> Payment | None:
    """The payment after the try; None when nobody but our cashier can take it.

    One attempt at a time: while one is under way the payment comes back as it is.
    Raises: IllegalTransition (reason order_inactive), UnsupportedOperation (reason method_off) for
    an instrument that no account takes, ProviderUnavailable (nothing was sent).
    """
    payment = session.payment
    if session.closed and not payment.is_paid:
        raise IllegalTransition("the merchant takes no payments now", reason="order_inactive")
    if payment.extra.get(_SERVED) == wanted.request_id:
        return payment
    if payment.status is PaymentStatus.PROCESSING or _page_stands(session, wanted):
        return payment
    closed = session.order.status is not OrderStatus.ACTIVE or session.expired
    if closed or not payment.is_open or await is_terminating(core, session.order):
        raise IllegalTransition("order is no longer active", reason="order_inactive")
    try:
        route = await choose(core, _question(session, wanted))
    except UnsupportedOperation:
        if wanted.takes == REDIRECT:
            return None
        raise
    token = session.order.session_token
    submission = Submission(
        company_id=payment.company_id,
        payment_id=payment.id,
        method=wanted.method,
        connector=route.accounts[0],
        fallbacks=route.accounts[1:],
        because=route.because,
        instrument=wanted.instrument,
        instrument_shown=wanted.instrument_shown,
        actor=_PAYER,
        return_url=f"{core.policy.base_url}/pay/{token}/result",
        extra={_SERVED: wanted.request_id},
    )
    return await submit_payment(core, submission)


def _page_stands(session: Session, wanted: SessionPay) -> bool:
    """Whether the provider's page was opened before and is still good: it can charge only once."""
    payment = session.payment
    until = payment.redirect_expires_at
    return (
        wanted.takes == REDIRECT
        and payment.status is PaymentStatus.REQUIRES_ACTION
        and payment.method is wanted.method
        and bool(payment.redirect_url)
        and (until is None or session.now < until)
        and not session.expired
    )


def _question(session: Session, wanted: SessionPay) -> RoutingRequest:
    payment = session.payment
    return RoutingRequest(
        company_id=payment.company_id,
        method=wanted.method,
        amount=payment.amount,
        takes=wanted.takes,
        maker=maker_of(wanted.instrument),
        manual=payment.capture_method is CaptureMethod.MANUAL,
        card_prefix=wanted.instrument[:8] if wanted.takes == NUMBER else "",
        customer_id=session.order.customer.id,
        account=payment.extra.get(ACCOUNT, ""),
        key=payment.order_id,
    )
