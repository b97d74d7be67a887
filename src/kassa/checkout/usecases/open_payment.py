"""A customer opens the payment of an order, renews its redirect, and reads it again."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

from kassa.base.domain.card_numbers import refuse_card_data
from kassa.base.domain.errors import IllegalTransition, NotFound
from kassa.base.domain.lifecycle import AttemptStatus, PaymentStatus
from kassa.base.usecases.core import Core
from kassa.base.usecases.ids import company_number_of, stable_id
from kassa.connectors.base import ActionNeeded, ChargeRequest
from kassa.identity.domain.principals import Principal
from kassa.orders.domain.orders import Order
from kassa.orders.domain.ownership import may_open
from kassa.orders.store import orders
from kassa.payments.domain import facts
from kassa.payments.domain.aggregate import PaymentAggregate
from kassa.payments.domain.payer_limits import refuse_haste
from kassa.payments.domain.payments import Attempt, CaptureMethod, Method, Payment
from kassa.payments.usecases.change_payment import PaymentChange, WalletBalances, change_payment
from kassa.payments.usecases.find_payments import View, find_by_number, payments_of_order
from kassa.payments.usecases.payment_numbers import next_payment_number
from kassa.payments.usecases.submit_payment import charge_request
from kassa.payments.usecases.take_outcome import take_outcome
from kassa.providers.usecases.provider_calls import Task, ask_provider
from kassa.routing.usecases.routing import ACCOUNT, REDIRECT, RoutingRequest, choose

PAGE = "page"
_APP = "app"
_FRESH = timedelta(seconds=1)  # the address names the second in which it was signed
# In the payment's extra: how the customer opens the address, and the attempt that bears their text.
_CHANNEL = "channel"
_OWN_TRADE = "own_trade"
_SHORTEST_SESSION = 48  # characters; an order id of that length that looks like one is no order's
# Declined before anything was sent, for what the order is: another try would end alike.
_FOR_GOOD = frozenset(
    {"currency_unsupported", "amount_out_of_range", "expired", "address_too_long"}
)


async def open_payment(
    core: Core,
    principal: Principal,
    *,
    order_id: str,
    subject: str,
    description: str,
    channel: str = PAGE,
) -> Payment:
    """The order's payment, claimed for the customer, with its Alipay address and its number.

    `order_id`: or the order's session token. Whose an order is says orders/domain/ownership.py.
    `channel`: what opens it: a browser ("page"), one on a phone ("wap"), or the phone's SDK
    ("app"), for which the address is a signed text without the gateway before it; or the payer's
    own app, that scans the address as a code ("qr").
    The same customer asking again gets the same payment. Nobody else's payment is told from
    one that does not exist.
    Raises: NotFound, IllegalTransition (the order takes no payment), UnsupportedOperation,
    InvalidRequest.
    """
    refuse_card_data({"subject": subject, "description": description}, {})
    by_session = _is_session(order_id)
    found = await _order_of_session(core, principal, order_id) if by_session else order_id
    view = (await payments_of_order(core, principal.company.id, found))[-1]
    payment = view.payment
    _require_own(principal, payment, view.order, by_session=by_session)
    # Processing without an address: whoever was making one may have died.
    going = payment.is_open or payment.status is PaymentStatus.PROCESSING
    if payment.number is not None and (payment.redirect_url or not going):
        return payment
    number = await next_payment_number(core, payment.company_id)

    def claim(case: PaymentAggregate, _: WalletBalances | None) -> None:
        _require_own(principal, case.payment, case.order, by_session=by_session)
        if case.payment.number is not None:
            return
        if not case.payment.is_open or case.is_expired() or case.order_paid:
            raise IllegalTransition(
                f"the order takes no payment: it is {case.payment.status}", reason="order_closed"
            )
        case.refuse_method(Method.ALIPAY)
        opened = facts.PaymentOpened(
            number=number,
            payer=principal.name,
            subject=subject,
            description=description,
            extra={_OWN_TRADE: "", **case.payment.extra, _CHANNEL: channel},
        )
        case.record(opened, actor=principal.actor)

    case = await change_payment(
        core, PaymentChange(company_id=payment.company_id, payment_id=payment.id, decide=claim)
    )
    if case.payment.redirect_url or case.payment.is_paid:
        return case.payment
    return await redirect(core, case.payment, actor=principal.actor, renew=False, own=True)


def _is_session(text: str) -> bool:
    return len(text) >= _SHORTEST_SESSION and company_number_of(text, "sess_") is not None


async def _order_of_session(core: Core, principal: Principal, token: str) -> str:
    """Raises: NotFound."""
    async with core.db.connection() as connection:
        order = await orders.by_session(connection, principal.company.id, token)
    if order is None:
        raise NotFound("no such order")
    return order.id


def _require_own(principal: Principal, payment: Payment, order: Order, *, by_session: bool) -> None:
    """Raises: NotFound for an order that is another's, or of which nobody can say whose it is."""
    if not _is_own(principal, payment, order, by_session=by_session):
        raise NotFound("no such order")


def _is_own(principal: Principal, payment: Payment, order: Order, *, by_session: bool) -> bool:
    if payment.number is not None:
        return payment.payer == principal.name
    if payment.payer:  # not opened here: the merchant's server said who pays
        return payment.payer == (principal.customer_id or principal.name)
    customer = order.customer
    about = (order.company_id, customer.name, customer.email, customer.phone)
    # An id made of the person's data names nobody: whoever knows the data can make it too.
    named = "" if customer.id == stable_id("cus", *about) else customer.id
    return may_open(order, principal, named=named, by_session=by_session)


async def renew_redirect(core: Core, principal: Principal, number: int) -> Payment:
    """A fresh Alipay address for the same trade: it can never open a second charge.

    One that is paid, or under way by another method, comes back as it is.
    Raises: NotFound, IllegalTransition.
    """
    payment = (await get_customer_payment(core, principal, number)).payment
    if payment.is_paid:
        return payment
    return await redirect(core, payment, actor=principal.actor, own=True)


async def get_customer_payment(core: Core, principal: Principal, number: int) -> View:
    """The customer's own payment.

    Raises: NotFound, also for another customer's.
    """
    view = await find_by_number(core, principal.company.id, number)
    if view.payment.payer != principal.name:
        raise NotFound("no such payment")
    return view


async def redirect(
    core: Core,
    payment: Payment,
    *,
    actor: str,
    renew: bool = True,
    channel: str = "",
    own: bool = False,
) -> Payment:
    """Give the payment a fresh Alipay address, under the same attempt while that one stands.

    `renew` False: an address that it has already is kept. `channel`: other than the customer's.
    `own`: it is for the customer who opened the payment. Their text stands in their own trade
    alone: anybody else's address is another attempt, with the merchant's words.
    Signing is our own arithmetic, nothing is sent: the trade begins when the payer opens it. An
    address that was signed within the last second is fresh enough and stays.
    A payment that Alipay could never take comes back as it failed, without another attempt.
    Raises: IllegalTransition (ended, expired), UnsupportedOperation, RateLimited.
    """
    account = (await choose(core, _question(payment))).accounts[0]
    chosen: list[Attempt] = []

    def start(case: PaymentAggregate, _: WalletBalances | None) -> None:
        chosen.clear()
        case.refuse_closed()
        busy = case.payment.is_paid or case.payment.status is PaymentStatus.PROCESSING
        attempt = _standing(core, case, own=own)
        if busy and not attempt:
            return
        if attempt is None and _unfit(case) and not case.is_expired():
            return
        if attempt is None or case.is_expired():
            refuse_haste(case.attempts.values(), case.now)
            attempt = case.start_attempt(Method.ALIPAY, account, actor=actor)
            mark = attempt.id if own else ""
            case.payment = replace(case.payment, extra={**case.payment.extra, _OWN_TRADE: mark})
        elif _is_fresh(case, channel):
            return
        chosen.append(attempt)

    key: dict[str, Any] = {"company_id": payment.company_id, "payment_id": payment.id}
    case = await change_payment(core, PaymentChange(decide=start, **key))
    if not chosen:
        return case.payment
    attempt = chosen[0]
    request = _request(core, case, attempt, channel=channel)
    outcome = await ask_provider(
        core, attempt.connector, Task.CHARGE, lambda connector: connector.charge(request)
    )

    def finish(case: PaymentAggregate, _: WalletBalances | None) -> None:
        held = case.attempts[attempt.id]
        again = case.payment.status is PaymentStatus.REQUIRES_ACTION
        if again and not renew and case.payment.redirect_url:
            return
        if again and isinstance(outcome, ActionNeeded):
            _renew(case, held, outcome, actor=actor)
            return
        provider = core.connectors[held.connector]
        take_outcome(case, held, outcome, connector=provider, actor=actor, how="charge")

    return (await change_payment(core, PaymentChange(decide=finish, **key))).payment


def _renew(case: PaymentAggregate, held: Attempt, needed: ActionNeeded, *, actor: str) -> None:
    """Another address for the attempt that waits. Who asked at the same moment has been given the
    same one: it is told once."""
    if held.status is not AttemptStatus.DISPATCHED or needed.url == case.payment.redirect_url:
        return
    renewed = facts.RedirectRenewed(attempt=held.id, url=needed.url, expires_at=needed.expires_at)
    case.record(renewed, actor=actor)
    case.put_attempt(replace(held, next_query_at=held.next_query(case.now)))


def _request(
    core: Core, case: PaymentAggregate, attempt: Attempt, *, channel: str
) -> ChargeRequest:
    payment = case.payment
    back = f"{core.policy.base_url}/pay/{case.order.session_token}/result"
    wished = channel or payment.extra.get(_CHANNEL, PAGE)
    instrument = "" if wished == PAGE else wished
    request = charge_request(core, payment, case.order, attempt, instrument=instrument, back=back)
    if not is_own_trade(payment, attempt.id):
        return request
    words = payment.subject or request.subject
    return replace(request, subject=words, description=payment.description)


def _question(payment: Payment) -> RoutingRequest:
    return RoutingRequest(
        company_id=payment.company_id,
        method=Method.ALIPAY,
        amount=payment.amount,
        takes=REDIRECT,
        manual=payment.capture_method is CaptureMethod.MANUAL,
        customer_id=payment.payer,
        account=payment.extra.get(ACCOUNT, ""),
        key=payment.order_id,
        any_currency=True,
    )


def is_own_trade(payment: Payment, attempt_id: str = "") -> bool:
    """Whether the attempt, or the one that waits, bears the text of the customer who opened it.

    Where that was not written down yet, whoever opened the payment began what waits.
    """
    mark: str | None = payment.extra.get(_OWN_TRADE)
    if mark is None:
        return payment.number is not None
    return bool(mark) if not attempt_id else mark == attempt_id


def _standing(core: Core, case: PaymentAggregate, *, own: bool) -> Attempt | None:
    """The Alipay attempt that still waits for its payer, and may be shown to who asks."""
    for attempt in case.attempts.values():
        waits = attempt.method is Method.ALIPAY and attempt.status is AttemptStatus.DISPATCHED
        shown = own or not is_own_trade(case.payment, attempt.id)
        if waits and shown and attempt.connector in core.connectors:
            return attempt
    return None


def _is_fresh(case: PaymentAggregate, channel: str) -> bool:
    """Whether it was signed a moment ago: pressing the button again and again signs nothing."""
    payment = case.payment
    wished = channel or payment.extra.get(_CHANNEL, PAGE)
    for_phone = not payment.redirect_url.startswith("http")
    return (
        payment.status is PaymentStatus.REQUIRES_ACTION
        and bool(payment.redirect_url)
        and for_phone is (wished == _APP)
        and case.now - payment.updated_at < _FRESH
    )


def _unfit(case: PaymentAggregate) -> bool:
    """Whether the newest attempt was Alipay's, and showed that the order can never go there."""
    newest = max(case.attempts.values(), key=lambda attempt: attempt.number, default=None)
    return (
        newest is not None
        and newest.method is Method.ALIPAY
        and newest.status is AttemptStatus.DECLINED
        and newest.failure_code in _FOR_GOOD
    )
