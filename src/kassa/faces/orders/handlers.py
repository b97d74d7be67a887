"""The orders interface over HTTP: read, call the use case, write."""

import re
from datetime import UTC, datetime

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match, Route

from kassa.base.domain.errors import IdempotencyMismatch, KassaError, NotFound
from kassa.base.domain.lifecycle import AWAITED, ModificationKind
from kassa.base.usecases.core import Core
from kassa.faces import edge
from kassa.faces.orders import changes, contract, refunds, resources, settlements
from kassa.faces.orders.failures import ErrorBody, write_error
from kassa.faces.orders.pg import handlers as pg
from kassa.faces.orders.pg.replies import write_error as pg_error
from kassa.faces.orders.pg.versions import HEADER
from kassa.faces.orders.reach import authenticate, changes_of, find_order
from kassa.identity.domain.principals import Principal
from kassa.identity.usecases.businesses import known_business
from kassa.modifications.usecases.modify_payment import (
    ModifiedPayment,
    ModifyPayment,
    modify_payment,
    sync_modification,
)
from kassa.orders.domain.orders import Order
from kassa.orders.usecases.create_order import create_live_order
from kassa.payments.domain.payments import Payment
from kassa.payments.usecases.find_payments import get_payment
from kassa.payments.usecases.find_taken_back import find_taken_back, taken_of
from kassa.payments.usecases.sync_payment import sync_payment
from kassa.settlement.usecases.settlements import settlement_of_payments


async def judge(core: Core, principal: Principal, order_id: str) -> contract.PaymentVerdict:
    """Whether an order is paid; a provider that has not decided is asked first.

    Raises: NotFound.
    """
    company_id = principal.company.id
    order, payments = await find_order(core, company_id, order_id)
    undecided = [payment for payment in payments if payment.status in AWAITED]
    for payment in undecided:
        await sync_payment(core, company_id, payment.id, actor=principal.actor)
    if undecided:
        order, payments = await find_order(core, company_id, order_id)
    return contract.write_verdict(order, payments, await find_taken_back(core, payments))


async def create(request: Request) -> Response:
    core = edge.core_of(request)
    headers = contract.read_headers(request.headers)
    principal = await authenticate(core, headers)
    key = contract.read_key(headers)
    asked = contract.with_one_amount(edge.parse_json(await edge.read_bytes(request)))
    wanted = edge.convert(asked, contract.CreateOrder)
    order = contract.read_create(wanted, principal, request_id=key, now=datetime.now(UTC))
    await known_business(core, principal, order.business_id)
    created = await create_live_order(core, order)
    return edge.answer(
        contract.write_created(created, core.policy.base_url),
        headers=contract.REPLAYED if created.replayed else None,
    )


async def verify(request: Request) -> Response:
    core = edge.core_of(request)
    principal = await authenticate(core, contract.read_headers(request.headers))
    wanted = await edge.read_json(request, contract.VerifyPayment)
    return edge.answer(await judge(core, principal, wanted.order_id))


async def order_asked_for(request: Request) -> tuple[Order, list[Payment]]:
    core = edge.core_of(request)
    principal = await authenticate(core, contract.read_headers(request.headers))
    return await find_order(core, principal.company.id, request.path_params["order_id"])


async def show_order(request: Request) -> Response:
    order, payments = await order_asked_for(request)
    base_url = edge.core_of(request).policy.base_url
    return edge.answer(resources.write_order(order, payments, base_url))


async def show_payments(request: Request) -> Response:
    order, payments = await order_asked_for(request)
    done = await changes_of(edge.core_of(request), payments)
    taken = await find_taken_back(edge.core_of(request), payments)
    return edge.answer(
        [resources.write_payment(order, one, done, taken=taken[one.id]) for one in payments]
    )


async def change_authorization(request: Request) -> Response:
    """Claim what is reserved, or let go of it; what is not known yet reads as pending."""
    core = edge.core_of(request)
    headers = contract.read_headers(request.headers)
    principal = await authenticate(core, headers)
    key = contract.read_key(headers)
    wanted = await edge.read_json(request, changes.ChangeAuthorization)
    changes.demand_right(wanted, principal)
    company_id, order_id = principal.company.id, request.path_params["order_id"]
    order, payments = await find_order(core, company_id, order_id)
    payment = changes.reserving_payment(payments)
    done = await modify_payment(core, changes.read_change(wanted, payment, principal, key))
    payment, claim = done.payment, done.modification
    if done.replayed and claim.is_open:
        claim = await sync_modification(core, claim, actor=principal.actor)
        payment = (await get_payment(core, company_id, payment.id)).payment
    return edge.answer(
        resources.write_payment(order, payment, taken=await taken_of(core, payment), about=claim),
        headers=contract.REPLAYED if done.replayed else None,
    )


async def create_refund(request: Request) -> Response:
    core = edge.core_of(request)
    headers = contract.read_headers(request.headers)
    principal = await authenticate(core, headers)
    key = contract.read_key(headers)
    wanted = await edge.read_json(request, changes.CreateRefund)
    company_id, order_id = principal.company.id, request.path_params["order_id"]
    order, payments = await find_order(core, company_id, order_id)
    payment = changes.refundable_payment(payments)
    asked = changes.read_refund(wanted, payment, principal, key, core.new_id("refund"))
    if changes.uses_key_of_another(asked, await changes_of(edge.core_of(request), payments)):
        raise IdempotencyMismatch("this idempotency key was used for another refund")
    done = await _refund(core, asked, taken=wanted.refund_id is not None)
    refund = done.modification
    if done.replayed:
        refund = await sync_modification(core, refund, actor=principal.actor)
    return edge.answer(
        refunds.write_refund(order, refund), headers=contract.REPLAYED if done.replayed else None
    )


async def _refund(core: Core, asked: ModifyPayment, *, taken: bool) -> ModifiedPayment:
    """`taken`: a contradiction is one of the merchant's own refund id, and not of a key.

    Raises: as `modify_payment`.
    """
    mismatch = IdempotencyMismatch(
        f"refund {asked.request_id!r} exists, and is not the one that is asked for",
        reason="refund_id_taken" if taken else None,
    )
    try:
        done = await modify_payment(core, asked)
    except IdempotencyMismatch:
        raise mismatch from None
    if done.replayed and not changes.says_the_same(asked, done.modification):
        raise mismatch
    return done


async def show_refunds(request: Request) -> Response:
    order, payments = await order_asked_for(request)
    done = await changes_of(edge.core_of(request), payments)
    found = [item for item in done if item.kind is ModificationKind.REFUND]
    return edge.answer([refunds.write_refund(order, refund) for refund in found])


async def show_refund(request: Request) -> Response:
    """One refund, by the merchant's id of it; a provider that has not answered is asked first."""
    core = edge.core_of(request)
    principal = await authenticate(core, contract.read_headers(request.headers))
    order, payments = await find_order(core, principal.company.id, request.path_params["order_id"])
    wanted = request.path_params["refund_id"]
    for item in await changes_of(edge.core_of(request), payments):
        if item.kind is ModificationKind.REFUND and refunds.refund_id_of(item) == wanted:
            refund = await sync_modification(core, item, actor=principal.actor)
            return edge.answer(refunds.write_refund(order, refund))
    raise NotFound("no such refund of this order", reason="refund_not_found")


async def show_settlements(request: Request) -> Response:
    order, payments = await order_asked_for(request)
    shares = await settlement_of_payments(
        edge.core_of(request), order.company_id, [payment.id for payment in payments]
    )
    return edge.answer(settlements.write_settlements(order, payments, shares))


async def refuse(request: Request) -> Response:
    """Whatever else is asked for here: a verb that the address does not take, or no address.

    Raises: NotFound.
    """
    takes = [one.methods or () for one in served if one.matches(request.scope)[0] is Match.PARTIAL]
    if not takes:
        raise NotFound(f"{request.method} {request.url.path} is not served here")
    allowed = ", ".join(sorted(set().union(*takes)))
    said = f"this address takes {allowed}"
    body = ErrorBody(said, "method_not_allowed", "invalid_request_error")
    return edge.answer(body, 405, {"Allow": allowed})


def by_version(plain: edge.Handler, versioned: edge.Handler) -> edge.Handler:
    """`versioned` for who names a version of the API, `plain` for who speaks the seed's words."""

    async def handler(request: Request) -> Response:
        return await (versioned if HEADER in request.headers else plain)(request)

    return handler


def write_either(request: Request, error: KassaError) -> Response:
    return (pg_error if HEADER in request.headers else write_error)(request, error)


_ORDER = "/pg/orders/{order_id}"


def _either(method: str, path: str, plain: edge.Handler, versioned: edge.Handler) -> Route:
    return edge.route(method, path, by_version(plain, versioned), write_either)


served = [
    edge.route("POST", "/v1/orders:create", create, write_error),
    edge.route("POST", "/v1/orders:verify", verify, write_error),
    edge.route("POST", "/pg/orders", pg.create, pg_error),
    edge.route("POST", "/pg/orders/sessions", pg.pay, pg_error),
    edge.route(
        "POST",
        "/pg/orders/pay/authenticate/{cf_payment_id}",
        pg.authenticate_payment,
        pg_error,
    ),
    _either("GET", _ORDER, show_order, pg.show_order),
    edge.route("PATCH", _ORDER, pg.end_order, pg_error),
    _either("GET", f"{_ORDER}/payments", show_payments, pg.show_payments),
    edge.route("GET", f"{_ORDER}/payments/{{cf_payment_id}}", pg.show_payment, pg_error),
    _either("POST", f"{_ORDER}/authorization", change_authorization, pg.change_authorization),
    _either("POST", f"{_ORDER}/refunds", create_refund, pg.create_refund),
    _either("GET", f"{_ORDER}/refunds", show_refunds, pg.show_refunds),
    _either("GET", f"{_ORDER}/refunds/{{refund_id}}", show_refund, pg.show_refund),
    _either("GET", f"{_ORDER}/settlements", show_settlements, pg.show_settlement),
]
# Last, for every verb, and known by its beginning: {:path} would end at a line break.
elsewhere = edge.route((), "/pg/", refuse, write_either)
elsewhere.path_regex = re.compile("/v1/orders:|/pg/")

routes = [*served, elsewhere]
