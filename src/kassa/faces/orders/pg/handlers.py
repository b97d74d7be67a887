"""The versioned API over HTTP: read, call the use case, write."""

from dataclasses import dataclass
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from kassa.base.domain.errors import (
    IdempotencyMismatch,
    IllegalTransition,
    KassaError,
    NotFound,
    UnsupportedOperation,
)
from kassa.base.domain.lifecycle import ModificationKind, ModificationStatus, OrderStatus
from kassa.base.usecases.core import Core
from kassa.checkout.usecases.cashier_session import Session, open_session
from kassa.checkout.usecases.pay_session import pay_session
from kassa.faces import edge
from kassa.faces.orders import changes, contract, refunds
from kassa.faces.orders.pg import entities, orders, sessions
from kassa.faces.orders.pg.replies import MISMATCH, reply, reply_once
from kassa.faces.orders.pg.versions import ApiVersion, read_version
from kassa.faces.orders.reach import authenticate, changes_of, find_order
from kassa.identity.domain.principals import Principal
from kassa.identity.usecases.businesses import known_business
from kassa.modifications.usecases.modify_payment import modify_payment, sync_modification
from kassa.orders.domain.orders import Order
from kassa.orders.usecases.answer_once import Turn
from kassa.orders.usecases.create_order import create_order
from kassa.orders.usecases.terminate_order import is_terminating, terminate_order
from kassa.payments.domain.payments import Payment
from kassa.payments.usecases.find_payments import get_payment
from kassa.payments.usecases.find_taken_back import find_taken_back, taken_of
from kassa.payments.usecases.sync_payment import sync_payment
from kassa.settlement.usecases.settlements import settlement_of_payments


@dataclass(frozen=True, slots=True, kw_only=True)
class PgCall:
    """A request whose version and sender are known."""

    core: Core
    version: ApiVersion
    principal: Principal
    request: Request

    @property
    def company_id(self) -> str:
        return self.principal.company.id

    @property
    def order_id(self) -> str:
        order_id: str = self.request.path_params["order_id"]
        return order_id

    async def find(self) -> tuple[Order, list[Payment]]:
        """The order of the address, and its payments.

        Raises: NotFound.
        """
        return await find_order(self.core, self.company_id, self.order_id)

    async def once(self, body: bytes, work: Any) -> Response:
        return await reply_once(
            self.request,
            company_id=self.company_id,
            credential=self.principal.credential,
            body=body,
            work=work,
        )


async def called(request: Request) -> PgCall:
    """Raises: InvalidRequest for its version, Unauthenticated."""
    version = read_version(request.headers)
    core = edge.core_of(request)
    principal = await authenticate(core, contract.read_headers(request.headers))
    return PgCall(core=core, version=version, principal=principal, request=request)


async def create(request: Request) -> Response:
    call = await called(request)
    body = await edge.read_bytes(request)

    async def work(turn: Turn) -> dict[str, Any]:
        wanted = edge.convert(edge.parse_json(body), orders.PgCreateOrder)
        loopback = call.core.policy.allow_loopback
        new = orders.read_create(wanted, call.principal, turn, allow_loopback=loopback)
        try:
            await known_business(call.core, call.principal, new.business_id)
            made = await create_order(call.core, new)
        except IdempotencyMismatch as error:
            is_taken = error.reason == "order_id_taken"
            raise (orders.already_exists() if is_taken else IdempotencyMismatch(MISMATCH)) from None
        if made.replayed and made.order.request_id != turn.request_id:
            raise orders.already_exists()
        return await _order(call, made.order, [made.payment])

    return await call.once(body, work)


async def show_order(request: Request) -> Response:
    call = await called(request)
    return reply(request, await _order(call, *await call.find()))


async def _order(call: PgCall, order: Order, payments: list[Payment]) -> dict[str, Any]:
    closing = order.status is OrderStatus.ACTIVE and await is_terminating(call.core, order)
    base_url = call.core.policy.base_url
    return entities.write_order(order, payments, call.version, base_url=base_url, closing=closing)


async def end_order(request: Request) -> Response:
    call = await called(request)
    body = await edge.read_bytes(request)

    async def work(_: Turn) -> dict[str, Any]:
        orders.read_end(edge.convert(edge.parse_json(body), orders.TerminateOrder))
        done = await terminate_order(
            call.core, call.company_id, call.order_id, actor=call.principal.actor
        )
        return await _order(call, done.order, done.payments)

    return await call.once(body, work)


async def pay(request: Request) -> Response:
    """Without credentials: whoever holds the session may pay its order."""
    version, core = read_version(request.headers), edge.core_of(request)
    body = await edge.read_bytes(request)
    wanted = edge.convert(edge.parse_json(body), sessions.PayOrder)
    session = await _session(core, wanted.payment_session_id)
    order = session.order

    async def work(turn: Turn) -> dict[str, Any]:
        asked = sessions.read_pay(wanted, order, session.payment, turn.request_id)
        try:
            paid = await pay_session(core, session, asked)
        except UnsupportedOperation:
            raise sessions.no_account(asked.takes) from None
        if paid is None and not session.ways:
            raise sessions.no_account(asked.takes)
        url = sessions.page_of(core.policy.base_url, order, paid)
        return sessions.write_pay(wanted, order, paid or session.payment, version, url=url)

    return await reply_once(
        request, company_id=order.company_id, credential=order.id, body=body, work=work
    )


async def _session(core: Core, token: str) -> Session:
    try:
        return await open_session(core, token)
    except NotFound:
        raise NotFound("payment_session_id : is not valid", reason="session_unknown") from None


async def authenticate_payment(request: Request) -> Response:
    version = read_version(request.headers)
    wanted = await edge.read_json(request, sessions.Authenticate)
    said = sessions.write_authenticated(wanted, request.path_params["cf_payment_id"], version)
    return reply(request, said)


async def show_payments(request: Request) -> Response:
    call = await called(request)
    order, payments = await call.find()
    done = await changes_of(call.core, payments)
    taken = await find_taken_back(call.core, payments)
    return reply(
        request,
        [
            entities.write_payment(order, one, done, call.version, taken=taken[one.id])
            for one in payments
        ],
    )


async def show_payment(request: Request) -> Response:
    """One payment; a provider that has not decided is asked first."""
    call = await called(request)
    order, payments = await call.find()
    asked = request.path_params["cf_payment_id"]
    for one in payments:
        if call.version.names(one.id, asked):
            payment = await sync_payment(
                call.core, call.company_id, one.id, actor=call.principal.actor
            )
            done = await changes_of(call.core, [payment])
            taken = await taken_of(call.core, payment)
            said = entities.write_payment(order, payment, done, call.version, taken=taken)
            return reply(request, said)
    raise NotFound("no such payment of this order", reason="payment_not_found")


async def change_authorization(request: Request) -> Response:
    call = await called(request)
    body = await edge.read_bytes(request)

    async def work(turn: Turn) -> dict[str, Any]:
        wanted = edge.convert(edge.parse_json(body), changes.ChangeAuthorization)
        changes.demand_right(wanted, call.principal)
        order, payments = await call.find()
        payment = changes.reserving_payment(payments)
        asked = changes.read_change(wanted, payment, call.principal, turn.request_id)
        done = await modify_payment(call.core, asked)
        payment, claim = done.payment, done.modification
        if done.replayed and claim.is_open:
            claim = await sync_modification(call.core, claim, actor=call.principal.actor)
            payment = (await get_payment(call.core, call.company_id, payment.id)).payment
        if claim.status is ModificationStatus.FAILED:
            raise _refused(claim.failure_message)
        taken = await taken_of(call.core, payment)
        return entities.write_payment(order, payment, [], call.version, taken=taken, about=claim)

    return await call.once(body, work)


def _refused(why: str) -> KassaError:
    """The provider refused for good and nothing was done, so the same may be asked anew."""
    return IllegalTransition(why or "the provider refused", reason="provider_refused")


class PgCreateRefund(msgspec.Struct, kw_only=True):
    """OrderCreateRefundRequest."""

    refund_amount: edge.Number
    refund_id: str | None = None
    refund_note: changes.Note | None = None
    refund_speed: str | None = None
    refund_splits: list[Any] | None = None


async def create_refund(request: Request) -> Response:
    call = await called(request)
    body = await edge.read_bytes(request)

    async def work(turn: Turn) -> dict[str, Any]:
        said = edge.convert(edge.parse_json(body), PgCreateRefund)
        if said.refund_splits:
            raise contract.wrong("refund_splits", "nothing is split among vendors here")
        order, payments = await call.find()
        wanted = changes.CreateRefund(
            refund_amount=said.refund_amount,
            refund_id=said.refund_id,
            refund_note=said.refund_note,
            refund_speed=said.refund_speed,
        )
        payment = changes.refundable_payment(payments)
        asked = changes.read_refund(wanted, payment, call.principal, None, turn.request_id)
        try:
            done = await modify_payment(call.core, asked)
        except IdempotencyMismatch:
            raise _refund_exists(asked.request_id) from None
        if done.replayed and not changes.says_the_same(asked, done.modification):
            raise _refund_exists(asked.request_id)
        refund = done.modification
        if done.replayed:
            refund = await sync_modification(call.core, refund, actor=call.principal.actor)
        return entities.write_refund(order, refund, call.version)

    return await call.once(body, work)


def _refund_exists(refund_id: str | None) -> IdempotencyMismatch:
    return IdempotencyMismatch(
        f"refund {refund_id!r} exists, and is not the one that is asked for",
        reason="refund_id_taken",
    )


async def show_refunds(request: Request) -> Response:
    call = await called(request)
    order, payments = await call.find()
    done = await changes_of(call.core, payments)
    found = [item for item in done if item.kind is ModificationKind.REFUND]
    return reply(request, [entities.write_refund(order, item, call.version) for item in found])


async def show_refund(request: Request) -> Response:
    """One refund, by the merchant's id of it; a provider that has not answered is asked first."""
    call = await called(request)
    order, payments = await call.find()
    wanted = request.path_params["refund_id"]
    for item in await changes_of(call.core, payments):
        if item.kind is ModificationKind.REFUND and refunds.refund_id_of(item) == wanted:
            refund = await sync_modification(call.core, item, actor=call.principal.actor)
            return reply(request, entities.write_refund(order, refund, call.version))
    raise NotFound("no such refund of this order", reason="refund_not_found")


async def show_settlement(request: Request) -> Response:
    """The settlement that the order's money is in; what is taken back later is in others."""
    call = await called(request)
    order, payments = await call.find()
    shares = await settlement_of_payments(
        call.core, call.company_id, [payment.id for payment in payments]
    )
    of = {payment.id: payment for payment in payments}
    for share in shares:
        if entities.is_settled(share):
            said = entities.write_settlement(order, of[share.payment_id], share, call.version)
            return reply(request, said)
    raise NotFound("settlement not found", reason="settlement_not_found")
