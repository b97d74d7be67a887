"""The business face over gRPC, on a real database and a real connection."""

from collections.abc import AsyncIterator

import grpc.aio
import pytest
from google.protobuf import json_format
from google.rpc import error_details_pb2
from grpc_status import rpc_status
from tests.faces.business.test_handlers import UNKNOWN, an_order, ask, list_page

from kassa.faces.business.grpc import add_to
from moego.business.payment.v1 import payment_pb2, payment_pb2_grpc

pytestmark = pytest.mark.anyio


@pytest.fixture
async def stub(core) -> AsyncIterator[payment_pb2_grpc.PaymentServiceStub]:
    server = grpc.aio.server()
    add_to(server, core)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield payment_pb2_grpc.PaymentServiceStub(channel)
    await server.stop(None)


@pytest.fixture
def key(demo) -> tuple[tuple[str, str], ...]:
    return (("authorization", f"Bearer {demo.api_key}"),)


def wanted(demo, **members) -> payment_pb2.ListPaymentsRequest:
    body = {"pagination": {}, "companyId": demo.company_id} | members
    return json_format.ParseDict(body, payment_pb2.ListPaymentsRequest())


async def test_a_payment_reads_the_same_as_over_rest(core, client, demo, stub, key):
    payment = await an_order(core, demo, "ord_001")

    found = await stub.GetPayment(payment_pb2.GetPaymentRequest(id=payment.id), metadata=key)

    rest = await ask(client, demo, "GET", f"/v1/payment/{payment.id}")
    mapped = json_format.MessageToDict(found, always_print_fields_with_no_presence=True)
    assert mapped == rest.json()


async def test_a_token_given_out_over_grpc_works_over_rest(core, client, demo, stub, key):
    made = [(await an_order(core, demo, f"ord_{number:03}")).id for number in range(3)]

    first = await stub.ListPayments(wanted(demo, pagination={"pageSize": 2}), metadata=key)

    pagination = {"pageToken": first.next_page_token}
    second = (await list_page(client, demo, pagination=pagination)).json()
    assert [payment.id for payment in first.payments] == made[:0:-1]
    assert [payment["id"] for payment in second["payments"]] == made[:1]


def one(payment_id):
    return "GetPayment", payment_pb2.GetPaymentRequest(id=payment_id)


def many(body):
    return "ListPayments", json_format.ParseDict(body, payment_pb2.ListPaymentsRequest())


_C = grpc.StatusCode
# fmt: off
BAD = [
    (*one(UNKNOWN), _C.NOT_FOUND, None),
    (*one("1"), _C.NOT_FOUND, None),
    (*one(""), _C.INVALID_ARGUMENT, "id"),
    (*one("a\x00"), _C.INVALID_ARGUMENT, "id"),
    (*one("x" * 65), _C.INVALID_ARGUMENT, "id"),
    (*many({}), _C.INVALID_ARGUMENT, "pagination"),
    (*many({"companyId": "c"}), _C.INVALID_ARGUMENT, "pagination"),
    (*many({"pagination": {}}), _C.INVALID_ARGUMENT, "company_id"),
    (*many({"pagination": {}, "companyId": "cmp_none"}), _C.PERMISSION_DENIED, None),
    (*many({"pagination": {"pageSize": -1}, "companyId": "c"}),
     _C.INVALID_ARGUMENT, "pagination.page_size"),
    (*many({"pagination": {"pageSize": 501}, "companyId": "c"}),
     _C.INVALID_ARGUMENT, "pagination.page_size"),
    (*many({"pagination": {}, "companyId": "c", "filter": {"orderIds": ["o"] * 501}}),
     _C.INVALID_ARGUMENT, "filter.order_ids"),
]
# fmt: on


async def test_every_bad_call_ends_with_its_exact_status(stub, key):
    for method, message, code, field in BAD:
        with pytest.raises(grpc.aio.AioRpcError) as ended:
            await getattr(stub, method)(message, metadata=key)

        got = (ended.value.code(), _violations(ended.value))
        assert got == (code, [field] if field else []), (method, message)


def _violations(error: grpc.aio.AioRpcError) -> list[str]:
    status = rpc_status.from_call(error)
    found = error_details_pb2.BadRequest()
    return [
        violation.field
        for detail in (status.details if status else ())
        if detail.Unpack(found)
        for violation in found.field_violations
    ]


async def test_a_caller_nobody_knows_is_unauthenticated(stub):
    wanted_payment = payment_pb2.GetPaymentRequest(id=UNKNOWN)
    for sent in (None, "", "Bearer", "Bearer sk_none_none", "Basic !!!", "x"):
        metadata = () if sent is None else (("authorization", sent),)

        with pytest.raises(grpc.aio.AioRpcError) as ended:
            await stub.GetPayment(wanted_payment, metadata=metadata)

        assert ended.value.code() is grpc.StatusCode.UNAUTHENTICATED, sent


@pytest.mark.parametrize("garbage", [b"\xff\xff\xff", b"\x0a\x02\xff\xfe"])
async def test_bytes_that_are_no_message_are_the_callers_mistake(core, demo, key, caplog, garbage):
    server = grpc.aio.server()
    add_to(server, core)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        call = channel.unary_unary("/moego.business.payment.v1.PaymentService/GetPayment")
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await call(garbage, metadata=key)
    await server.stop(None)

    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert refused.value.details() == "the bytes are not the message that this call takes"
    assert not caplog.records
