"""Errors as google.rpc.Status: the table is whole, and a call ends with it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import grpc.aio
import pytest
from google.rpc import code_pb2, error_details_pb2
from grpc_status import rpc_status

from kassa.base.domain.errors import ERRORS, InvalidRequest, KassaError, NotFound, RateLimited
from kassa.faces import edge, grpc_status

pytestmark = pytest.mark.anyio


def test_every_error_has_a_code_and_every_code_an_http_status():
    assert set(grpc_status.CODE) == {*ERRORS, "internal"}
    assert set(grpc_status.HTTP_STATUS) == set(code_pb2.Code.values()) - {code_pb2.OK}


def test_a_bad_field_is_named_in_both_envelopes():
    error = InvalidRequest("pagination.page_size must be 1..500", field="pagination.page_size")

    body = grpc_status.to_json(grpc_status.status_of(error))

    details = [
        {
            "@type": "type.googleapis.com/google.rpc.ErrorInfo",
            "reason": "INVALID_REQUEST",
            "domain": "kassa",
        },
        {
            "@type": "type.googleapis.com/google.rpc.BadRequest",
            "fieldViolations": [
                {
                    "field": "pagination.page_size",
                    "description": "pagination.page_size must be 1..500",
                }
            ],
        },
    ]
    assert body == {
        "code": 3,
        "message": "pagination.page_size must be 1..500",
        "details": details,
        "error": {
            "code": 400,
            "status": "INVALID_ARGUMENT",
            "message": "pagination.page_size must be 1..500",
            "details": details,
        },
    }


def test_slow_down_says_for_how_long():
    status = grpc_status.status_of(RateLimited("too many", retry_after_seconds=7))

    retry = error_details_pb2.RetryInfo()
    assert status.details[1].Unpack(retry)
    assert retry.retry_delay.seconds == 7


def test_our_own_bug_is_told_with_a_request_id_to_quote():
    edge.REQUEST_ID.set("req-7")

    status = grpc_status.status_of(KassaError("internal error; quote request id req-7"))

    asked = error_details_pb2.RequestInfo()
    assert status.details[1].Unpack(asked)
    assert (status.code, asked.request_id) == (code_pb2.INTERNAL, "req-7")


def test_long_words_are_cut_to_what_headers_can_carry():
    status = grpc_status.status_of(InvalidRequest("x" * 50_000, field="y" * 50_000))

    assert status.ByteSize() < 4_000


def test_half_a_character_in_a_callers_words_does_no_harm():
    status = grpc_status.status_of(InvalidRequest("\ud800 is unknown", field="\ud800"))

    assert status.message == "? is unknown"


Call = Callable[[bytes], Awaitable[bytes]]


@asynccontextmanager
async def serving(work: Callable[[], Awaitable[bytes]]) -> AsyncIterator[Any]:
    """A method over a real connection whose whole work is `work`."""

    async def method(request: bytes, context: Any) -> bytes:
        return await grpc_status.told(context, work())

    server = grpc.aio.server()
    handler = grpc.method_handlers_generic_handler(
        "test.Service", {"Method": grpc.unary_unary_rpc_method_handler(method)}
    )
    server.add_generic_rpc_handlers((handler,))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            yield channel.unary_unary("/test.Service/Method")
    finally:
        await server.stop(None)


async def test_a_refusal_ends_the_call_with_its_status():
    async def refuse() -> bytes:
        raise NotFound("no such thing", reason="thing_unknown")

    async with serving(refuse) as call:
        with pytest.raises(grpc.aio.AioRpcError) as ended:
            await call(b"")

    status = rpc_status.from_call(ended.value)
    info = error_details_pb2.ErrorInfo()
    assert status is not None
    assert status.details[0].Unpack(info)
    assert ended.value.code() is grpc.StatusCode.NOT_FOUND
    assert (info.reason, info.domain) == ("THING_UNKNOWN", "kassa")


async def test_a_bug_ends_the_call_without_its_cause():
    async def break_down() -> bytes:
        raise RuntimeError("the secret cause")

    async with serving(break_down) as call:
        with pytest.raises(grpc.aio.AioRpcError) as ended:
            await call(b"")

    assert ended.value.code() is grpc.StatusCode.INTERNAL
    assert "quote request id" in (ended.value.details() or "")
    assert "secret" not in str(ended.value)


async def test_a_passed_deadline_stops_the_work():
    stopped = asyncio.Event()

    async def dawdle() -> bytes:
        try:
            await asyncio.sleep(30)
        except asyncio.CancelledError:
            stopped.set()
            raise
        return b""

    async with serving(dawdle) as call:
        with pytest.raises(grpc.aio.AioRpcError) as ended:
            await call(b"", timeout=0.05)
        await asyncio.wait_for(stopped.wait(), 5)

    assert ended.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
