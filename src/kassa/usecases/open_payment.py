"""A customer opens the payment of an order, renews its redirect, and reads it again."""

from dataclasses import replace
from typing import Any

from kassa.connectors.base import ActionNeeded
from kassa.domain.case import Case
from kassa.domain.errors import IllegalTransition, NotFound
from kassa.domain.lifecycle import AttemptStatus, PaymentEvent, PaymentStatus
from kassa.domain.payments import Attempt, CaptureMethod, Method, Payment
from kassa.domain.principals import Principal
from kassa.store import payments
from kassa.usecases.change_payment import Change, Purse, change_payment
from kassa.usecases.core import Core
from kassa.usecases.find_payments import View, find_by_number, payments_of_order
from kassa.usecases.learn import learn
from kassa.usecases.provider_calls import Task, ask_provider
from kassa.usecases.routing import ACCOUNT, REDIRECT, Question, choose
from kassa.usecases.submit_payment import charge_request

PAGE = "page"
_CHANNEL = "channel"  # in the payment's extra: how the customer opens the address
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

    `channel`: what opens it: a browser ("page"), one on a phone ("wap"), or the phone's SDK
    ("app"), for which the address is a signed text without the gateway before it.
    The same customer asking again gets the same payment. Nobody else's payment is told from
    one that does not exist.
    Raises: NotFound, IllegalTransition (the order takes no payment), UnsupportedOperation.
    """
    views = await payments_of_order(core, principal.company.id, order_id)
    payment = views[-1].payment
    if payment.payer not in ("", principal.name):
        raise NotFound(f"no such order: {order_id!r}")
    # Processing without an address: whoever was making one may have died.
    going = payment.is_open or payment.status is PaymentStatus.PROCESSING
    if payment.number is not None and (payment.redirect_url or not going):
        return payment
    async with core.db.connection() as connection:
        number = await payments.next_number(connection, payment.company_id, "payment")

    def claim(case: Case, _: Purse | None) -> None:
        if case.payment.payer not in ("", principal.name):
            raise NotFound(f"no such order: {order_id!r}")
        if case.payment.number is not None:
            return
        if not case.payment.is_open or case.is_expired() or case.order_paid:
            raise IllegalTransition(
                f"the order takes no payment: it is {case.payment.status}", reason="order_closed"
            )
        case.move(
            PaymentEvent.NOTE,
            actor=principal.actor,
            evidence={"note": "opened by the customer"},
            payer=principal.name,
            number=number,
            subject=subject,
            description=description,
            extra={**case.payment.extra, _CHANNEL: channel},
        )

    case = await change_payment(
        core, Change(company_id=payment.company_id, payment_id=payment.id, decide=claim)
    )
    if case.payment.redirect_url or case.payment.is_paid:
        return case.payment
    return await redirect(core, case.payment, actor=principal.actor, renew=False)


async def renew_redirect(core: Core, principal: Principal, number: int) -> Payment:
    """A fresh Alipay address for the same trade: it can never open a second charge.

    One that is paid, or under way by another method, comes back as it is.
    Raises: NotFound, IllegalTransition.
    """
    payment = (await get_customer_payment(core, principal, number)).payment
    if payment.is_paid:
        return payment
    return await redirect(core, payment, actor=principal.actor)


async def get_customer_payment(core: Core, principal: Principal, number: int) -> View:
    """The customer's own payment.

    Raises: NotFound, also for another customer's.
    """
    view = await find_by_number(core, principal.company.id, number)
    if view.payment.payer != principal.name:
        raise NotFound("no such payment")
    return view


async def redirect(
    core: Core, payment: Payment, *, actor: str, renew: bool = True, channel: str = ""
) -> Payment:
    """Give the payment a fresh Alipay address, under the same attempt while that one stands.

    `renew` False: an address that it has already is kept. `channel`: other than the customer's.
    Signing is our own arithmetic, nothing is sent: the trade begins when the payer opens it.
    A payment that Alipay could never take comes back as it failed, without another attempt.
    Raises: IllegalTransition (ended or expired), UnsupportedOperation (not configured).
    """
    account = (await choose(core, _question(payment))).accounts[0]
    chosen: list[Attempt] = []

    def start(case: Case, _: Purse | None) -> None:
        chosen.clear()
        busy = case.payment.is_paid or case.payment.status is PaymentStatus.PROCESSING
        attempt = _standing(core, case)
        if busy and not attempt:
            return
        if attempt is None and _unfit(case) and not case.is_expired():
            return
        if attempt is None or case.is_expired():
            attempt = case.start_attempt(Method.ALIPAY, account, actor=actor)
        chosen.append(attempt)

    key: dict[str, Any] = {"company_id": payment.company_id, "payment_id": payment.id}
    case = await change_payment(core, Change(decide=start, **key))
    if not chosen:
        return case.payment
    attempt, current = chosen[0], case.payment
    back = f"{core.policy.base_url}/pay/{case.order.session_token}/result"
    wished = channel or current.extra.get(_CHANNEL, PAGE)
    instrument = "" if wished == PAGE else wished
    request = charge_request(core, current, case.order, attempt, instrument=instrument, back=back)
    outcome = await ask_provider(
        core, attempt.connector, Task.CHARGE, lambda connector: connector.charge(request)
    )

    def finish(case: Case, _: Purse | None) -> None:
        held = case.attempts[attempt.id]
        again = case.payment.status is PaymentStatus.REQUIRES_ACTION
        if again and not renew and case.payment.redirect_url:
            return
        if again and isinstance(outcome, ActionNeeded):
            if held.status is AttemptStatus.DISPATCHED:
                case.move(
                    PaymentEvent.NOTE,
                    actor=actor,
                    evidence={"note": "redirect renewed", "attempt": attempt.id},
                    redirect_url=outcome.url,
                    redirect_expires_at=outcome.expires_at,
                )
                case.put_attempt(replace(held, next_query_at=held.next_query(case.now)))
            return
        learn(
            case,
            held,
            outcome,
            connector=core.connectors[held.connector],
            actor=actor,
            how="charge",
        )

    return (await change_payment(core, Change(decide=finish, **key))).payment


def _question(payment: Payment) -> Question:
    return Question(
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


def _standing(core: Core, case: Case) -> Attempt | None:
    """The Alipay attempt that still waits for its payer."""
    for attempt in case.attempts.values():
        waits = attempt.method is Method.ALIPAY and attempt.status is AttemptStatus.DISPATCHED
        if waits and attempt.connector in core.connectors:
            return attempt
    return None


def _unfit(case: Case) -> bool:
    """Whether the newest attempt was Alipay's, and showed that the order can never go there."""
    newest = max(case.attempts.values(), key=lambda attempt: attempt.number, default=None)
    return (
        newest is not None
        and newest.method is Method.ALIPAY
        and newest.status is AttemptStatus.DECLINED
        and newest.failure_code in _FOR_GOOD
    )
