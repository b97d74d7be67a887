"""The orders interface over gRPC: the same two calls, held to the same rules as their JSON."""

from copy import copy
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import grpc.aio
from google.protobuf.message import Message
from google.rpc import status_pb2

from kassa.base.domain.errors import InvalidRequest, KassaError
from kassa.base.usecases.core import Core
from kassa.faces import edge, grpc_status
from kassa.faces.grpc_door import Headers
from kassa.faces.grpc_service import Call, Face, serve
from kassa.faces.orders import contract, handlers
from kassa.faces.orders.failures import failure_of, field_of, message_of
from kassa.faces.orders.reach import authenticate
from kassa.identity.domain.principals import Principal
from kassa.identity.usecases.businesses import known_business
from kassa.orders.usecases.create_order import create_live_order
from kassa_protos.orders.v1 import orders_pb2

_EXACT_DIGITS = 15  # beyond them one double stands for several decimals: 2^53 + 1 reads as 2^53


def add_to(server: grpc.aio.Server, core: Core) -> None:
    """Serve `kassa.orders.v1.PaymentService` from `server`."""

    async def who(headers: Headers) -> Principal:
        return await authenticate(core, headers)

    async def create(
        request: orders_pb2.CreateOrderRequest, call: Call
    ) -> orders_pb2.CreateOrderResponse:
        key = contract.read_key(call.headers)
        wanted = edge.convert(members_of(request), contract.CreateOrder)
        order = contract.read_create(wanted, call.principal, request_id=key, now=datetime.now(UTC))
        await known_business(core, call.principal, order.business_id)
        created = await create_live_order(core, order)
        if created.replayed:
            call.said.update(contract.REPLAYED)
        said = contract.write_created(created, core.policy.base_url)
        return orders_pb2.CreateOrderResponse(
            payment_session_id=said.payment_session_id,
            return_url=said.return_url,
            order_id=said.order_id,
            payment_link=said.payment_link,
        )

    async def verify(
        request: orders_pb2.VerifyPaymentRequest, call: Call
    ) -> orders_pb2.VerifyPaymentResponse:
        wanted = edge.convert(set_fields(request), contract.VerifyPayment)
        verdict = await handlers.judge(core, call.principal, wanted.order_id)
        return orders_pb2.VerifyPaymentResponse(
            message=verdict.message, code=verdict.code, status=verdict.status
        )

    face = Face(
        service=orders_pb2.DESCRIPTOR.services_by_name["PaymentService"],
        core=core,
        authenticate=who,
        methods={"CreateOrder": create, "VerifyPayment": verify},
        tell=tell,
    )
    serve(server, face)


def tell(error: KassaError) -> status_pb2.Status:
    """The status, its reason named as `code` is in the JSON body: ORDER_AMOUNT_MISSING."""
    named = copy(error)  # one error may be told to several callers of one batch
    named.reason, named.field = failure_of(error).code, field_of(error)
    named.message = message_of(error)
    return grpc_status.status_of(named)


def members_of(request: orders_pb2.CreateOrderRequest) -> dict[str, Any]:
    """What the request sets, as its JSON would say it.

    Raises: InvalidRequest for what JSON could not say: a number that is none, a time that is none.
    """
    members = set_fields(request)
    if "order_amount_decimal" in members:
        members = contract.with_one_amount(members)
    elif "order_amount" in members:
        members["order_amount"] = _exactly(members["order_amount"])
    if request.HasField("order_expiry_time"):
        try:
            members["order_expiry_time"] = request.order_expiry_time.ToDatetime(UTC)
        except (ValueError, OverflowError):
            raise InvalidRequest(
                "order_expiry_time: not a moment of the years 1 to 9999", field="order_expiry_time"
            ) from None
    return members


def set_fields(message: Message) -> dict[str, Any]:
    """Every field that is set; proto3 cannot tell 0 and "" from unset, so they are not."""
    return {
        field.name: set_fields(value) if isinstance(value, Message) else value
        for field, value in message.ListFields()
    }


def _exactly(number: Any) -> Decimal:
    """The shortest decimal that names this double: what the caller wrote, not its binary image."""
    amount = Decimal(repr(number))
    if not amount.is_finite():
        raise InvalidRequest("order_amount: not a number", field="order_amount")
    if len(amount.normalize().as_tuple().digits) > _EXACT_DIGITS:
        raise InvalidRequest(
            f"order_amount: {amount} has more digits than a double keeps apart;"
            " send order_amount_decimal",
            field="order_amount",
        )
    return amount
