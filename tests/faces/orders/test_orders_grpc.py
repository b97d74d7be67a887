"""The orders interface over gRPC, on a real server and a real database."""

from decimal import Decimal

import grpc
import msgspec
import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status

from kassa.base.domain.errors import IdempotencyMismatch, InvalidRequest
from kassa.faces.orders import contract
from kassa.faces.orders import grpc as orders_grpc
from kassa.identity.domain.principals import Business
from kassa.identity.usecases.authenticate import authenticate_api_key
from kassa.identity.usecases.businesses import add_business
from kassa.payments.domain.payments import CaptureMethod, Method
from kassa.payments.usecases.find_payments import payments_of_order
from kassa.payments.usecases.record_payment import Recording, record_payment
from kassa_protos.orders.v1 import orders_pb2, orders_pb2_grpc

pytestmark = pytest.mark.anyio

ALICE = {
    "customer_name": "Alice",
    "customer_email": "alice@example.com",
    "customer_phone": "9999999999",
}


def a_request(**members):
    amount = {} if "order_amount_decimal" in members else {"order_amount": 299.99}
    return orders_pb2.CreateOrderRequest(**({**ALICE, **amount} | members))


@pytest.fixture
async def stub(core):
    server = grpc.aio.server()
    orders_grpc.add_to(server, core)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield orders_pb2_grpc.PaymentServiceStub(channel)
    await server.stop(None)


@pytest.fixture
def metadata(demo):
    return (
        ("x-client-id", demo.orders_client_id),
        ("x-client-secret", demo.orders_client_secret),
    )


async def refusal(call):
    """The gRPC code a call ends with, and the reason in its details."""
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await call
    status = rpc_status.from_call(raised.value)
    reason = error_details_pb2.ErrorInfo()
    assert status.details[0].Unpack(reason)
    return raised.value.code(), reason.reason


async def test_an_order_is_created_verified_and_paid(stub, metadata, core, demo):
    created = await stub.CreateOrder(a_request(), metadata=metadata)
    asked = orders_pb2.VerifyPaymentRequest(order_id=created.order_id)
    pending = await stub.VerifyPayment(asked, metadata=metadata)
    [view] = await payments_of_order(core, demo.company_id, created.order_id)
    await record_payment(
        core,
        Recording(
            company_id=demo.company_id,
            payment_id=view.payment.id,
            method=Method.CASH,
            actor="till",
        ),
    )
    paid = await stub.VerifyPayment(asked, metadata=metadata)

    assert view.order.amount.major == Decimal("299.99")
    assert created.return_url.endswith(f"/pay/{created.payment_session_id}")
    assert (pending.code, pending.status) == ("202", "pending")
    assert (paid.message, paid.code, paid.status) == ("Payment successful", "200", "success")


async def test_the_same_key_replays_and_says_so(stub, metadata):
    keyed = (*metadata, ("idempotency-key", "grpc-1"))
    first = stub.CreateOrder(a_request(), metadata=keyed)
    once = await first
    second = stub.CreateOrder(a_request(), metadata=keyed)
    again = await second

    assert once == again
    assert ("idempotent-replayed", "true") not in tuple(await first.initial_metadata())
    assert ("idempotent-replayed", "true") in tuple(await second.initial_metadata())
    other = stub.CreateOrder(a_request(order_amount=300), metadata=keyed)
    assert await refusal(other) == (grpc.StatusCode.ALREADY_EXISTS, "REQUEST_INVALID")


async def test_an_order_id_with_other_content_is_taken(stub, metadata):
    await stub.CreateOrder(a_request(order_id="grpc_2"), metadata=metadata)

    other = stub.CreateOrder(a_request(order_id="grpc_2", order_amount=1), metadata=metadata)

    assert await refusal(other) == (grpc.StatusCode.ALREADY_EXISTS, "ORDER_ALREADY_EXISTS")


async def test_an_order_may_be_created_to_be_captured_later(stub, metadata, core, demo):
    made = [
        await stub.CreateOrder(a_request(**said), metadata=metadata)
        for said in ({}, {"capture_method": "manual"})
    ]

    found = [await payments_of_order(core, demo.company_id, one.order_id) for one in made]
    assert [views[0].payment.capture_method for views in found] == [
        CaptureMethod.AUTOMATIC,
        CaptureMethod.MANUAL,
    ]


BAD_MEMBERS = [
    ({"customer_name": ""}, "CUSTOMER_NAME_MISSING"),
    ({"customer_email": ""}, "CUSTOMER_EMAIL_MISSING"),
    ({"customer_phone": "x"}, "CUSTOMER_PHONE_INVALID"),
    ({"order_amount": 0}, "ORDER_AMOUNT_MISSING"),
    ({"order_amount": -1}, "ORDER_AMOUNT_INVALID"),
    ({"order_amount": 0.1 + 0.2}, "ORDER_AMOUNT_INVALID"),
    ({"order_amount": float("nan")}, "ORDER_AMOUNT_INVALID"),
    ({"order_amount": float("inf")}, "ORDER_AMOUNT_INVALID"),
    ({"order_amount": 1e300}, "ORDER_AMOUNT_INVALID"),
    ({"order_amount_decimal": "NaN"}, "ORDER_AMOUNT_DECIMAL_INVALID"),
    ({"order_amount_decimal": "1_000"}, "ORDER_AMOUNT_DECIMAL_INVALID"),
    ({"order_amount_decimal": " 1"}, "ORDER_AMOUNT_DECIMAL_INVALID"),
    ({"order_amount_decimal": "9" * 31}, "ORDER_AMOUNT_DECIMAL_INVALID"),
    ({"order_amount_decimal": "0.001"}, "ORDER_AMOUNT_INVALID"),
    ({"order_amount_decimal": "5", "order_amount": 6}, "ORDER_AMOUNT_DECIMAL_INVALID"),
    (
        {"order_amount_decimal": "5", "order_amount": float("nan")},
        "ORDER_AMOUNT_DECIMAL_INVALID",
    ),
    ({"order_currency": "XYZ"}, "ORDER_CURRENCY_INVALID"),
    ({"order_id": "a/b"}, "ORDER_ID_INVALID"),
    ({"module": "CASINO"}, "MODULE_INVALID"),
    ({"capture_method": "later"}, "CAPTURE_METHOD_INVALID"),
    ({"order_note": "\x00"}, "ORDER_NOTE_INVALID"),
    ({"order_expiry_time": Timestamp(seconds=2**62)}, "ORDER_EXPIRY_TIME_INVALID"),
    ({"order_expiry_time": Timestamp(seconds=1)}, "ORDER_EXPIRY_TIME_INVALID"),
    ({"order_expiry_time": Timestamp(nanos=-5)}, "ORDER_EXPIRY_TIME_INVALID"),
    ({"customer_details": {"org_id": 4294967295}}, "ORG_ID_INVALID"),
    ({"order_meta": {"return_url": "javascript:x"}}, "RETURN_URL_INVALID"),
]


async def test_every_bad_create_is_refused_as_its_json_would_be(stub, metadata):
    calls = [stub.CreateOrder(a_request(**said), metadata=metadata) for said, _ in BAD_MEMBERS]

    told = [await refusal(call) for call in calls]

    wanted = [(grpc.StatusCode.INVALID_ARGUMENT, reason) for _, reason in BAD_MEMBERS]
    assert told == wanted


@pytest.mark.parametrize(
    "said, field",
    [
        ({"customer_name": ""}, "customer_name"),
        ({"order_amount_decimal": "0.001"}, "order_amount"),
        ({"order_amount_decimal": "9" * 30}, "order_amount"),
        ({"order_currency": "XYZ"}, "order_currency"),
        ({"order_expiry_time": Timestamp(seconds=1_767_225_601)}, "order_expiry_time"),
        ({"order_meta": {"return_url": "javascript:x"}}, "order_meta.return_url"),
        ({"order_meta": {"notify_url": "ftp://shop.example"}}, "order_meta.notify_url"),
        ({"order_meta": {"payment_methods": "nonsense"}}, "order_meta.payment_methods"),
        ({"customer_details": {"org_id": 4294967295}}, "customer_details.org_id"),
    ],
)
async def test_a_field_at_fault_is_named_as_the_request_names_it(stub, metadata, said, field):
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await stub.CreateOrder(a_request(**said), metadata=metadata)

    bad = error_details_pb2.BadRequest()
    [found] = [
        one
        for one in rpc_status.from_call(raised.value).details
        if one.Is(error_details_pb2.BadRequest.DESCRIPTOR)
    ]
    assert found.Unpack(bad)
    assert [one.field for one in bad.field_violations] == [field]


async def test_an_order_is_for_the_business_that_it_names(stub, metadata, core, demo):
    company = (await authenticate_api_key(core, demo.api_key)).company
    await add_business(core, company, Business("biz_station", "Station"))

    created = await stub.CreateOrder(a_request(business_id="biz_station"), metadata=metadata)
    unknown = stub.CreateOrder(a_request(business_id="biz_nobody"), metadata=metadata)

    [view] = await payments_of_order(core, demo.company_id, created.order_id)
    assert (view.order.business_id, view.payment.business_id) == ("biz_station", "biz_station")
    assert await refusal(unknown) == (grpc.StatusCode.INVALID_ARGUMENT, "BUSINESS_ID_INVALID")


async def test_the_payers_address_is_told_beside_the_merchants_own(stub, metadata):
    meta = {"return_url": "https://shop.example/thanks"}

    created = await stub.CreateOrder(a_request(order_meta=meta), metadata=metadata)

    assert created.return_url == "https://shop.example/thanks"
    assert created.payment_link.endswith(f"/pay/{created.payment_session_id}")


def test_a_member_has_one_name_in_messages_and_in_json():
    shapes = {
        "CreateOrderRequest": contract.CreateOrder,
        "CustomerDetails": contract.CustomerDetails,
        "OrderMeta": contract.OrderMeta,
        "OrderTags": contract.OrderTags,
        "CreateOrderResponse": contract.OrderCreated,
        "VerifyPaymentRequest": contract.VerifyPayment,
        "VerifyPaymentResponse": contract.PaymentVerdict,
    }
    messages = orders_pb2.DESCRIPTOR.message_types_by_name

    assert set(shapes) == set(messages)
    for name, shape in shapes.items():
        fields = messages[name].fields
        assert [field.json_name for field in fields] == [field.name for field in fields]
        said = {field.name for field in fields} - {"order_amount_decimal"}
        assert said == {field.name for field in msgspec.structs.fields(shape)}


async def test_unknown_orders_and_callers_are_told_apart_from_bad_requests(stub, metadata):
    nobody = orders_pb2.VerifyPaymentRequest(order_id="order_of_nobody")
    wrong = (metadata[0], ("x-client-secret", "wrong"))

    assert await refusal(stub.VerifyPayment(nobody, metadata=metadata)) == (
        grpc.StatusCode.NOT_FOUND,
        "ORDER_NOT_FOUND",
    )
    assert await refusal(
        stub.VerifyPayment(orders_pb2.VerifyPaymentRequest(), metadata=metadata)
    ) == (grpc.StatusCode.INVALID_ARGUMENT, "ORDER_ID_MISSING")
    for sent in ((), wrong):
        code, _ = await refusal(stub.CreateOrder(a_request(), metadata=sent))
        assert code is grpc.StatusCode.UNAUTHENTICATED


@pytest.mark.parametrize(
    "double, exact",
    [(299.99, "299.99"), (0.1, "0.1"), (1e15, "1000000000000000.0"), (1e22, "1E+22")],
)
def test_a_double_counts_as_its_shortest_decimal(double, exact):
    members = orders_grpc.members_of(a_request(order_amount=double))

    assert members["order_amount"] == Decimal(exact)


@pytest.mark.parametrize("text", ["300.00", "0.3", "12345678901234567.89", "9007199254740993"])
def test_decimal_text_is_exact_and_may_stand_beside_the_double_that_means_the_same(text):
    alone = orders_grpc.members_of(a_request(order_amount_decimal=text))
    beside = orders_grpc.members_of(a_request(order_amount_decimal=text, order_amount=float(text)))

    assert alone == beside
    assert alone["order_amount"] == Decimal(text)
    assert "order_amount_decimal" not in alone


def test_a_message_is_read_as_its_json_would_be():
    moment = Timestamp(seconds=1_796_000_000)

    members = orders_grpc.members_of(
        a_request(
            customer_details={"customer_id": 7},
            order_meta={"payment_methods": "card"},
            order_tags={},
            order_expiry_time=moment,
        )
    )

    assert members["customer_details"] == {"customer_id": 7}
    assert members["order_meta"] == {"payment_methods": "card"}
    assert members["order_tags"] == {}
    assert members["order_expiry_time"].timestamp() == moment.seconds


def test_telling_an_error_leaves_it_as_it_was():
    error = IdempotencyMismatch("taken", reason="order_id_taken")

    told = [orders_grpc.tell(error) for _ in range(2)]

    assert told[0] == told[1]
    assert isinstance(told[0], status_pb2.Status)
    assert orders_grpc.tell(InvalidRequest("x", field="a.b")).message == "x"


async def test_a_reused_key_is_called_as_the_caller_calls_it(stub, metadata):
    keyed = (*metadata, ("idempotency-key", "k-grpc"))
    await stub.CreateOrder(a_request(), metadata=keyed)

    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await stub.CreateOrder(a_request(order_note="another"), metadata=keyed)

    assert raised.value.code() is grpc.StatusCode.ALREADY_EXISTS
    assert "this Idempotency-Key was used" in raised.value.details()


async def test_a_double_that_stands_for_several_amounts_is_refused(stub, metadata):
    beyond = a_request(order_amount=float(2**53 + 1), order_currency="JPY")
    exact = a_request(order_amount_decimal=str(10**12), order_currency="JPY")  # the most there is

    refused = await refusal(stub.CreateOrder(beyond, metadata=metadata))
    made = await stub.CreateOrder(exact, metadata=metadata)

    assert refused == (grpc.StatusCode.INVALID_ARGUMENT, "ORDER_AMOUNT_INVALID")
    assert made.order_id
