"""What every gRPC call passes, over real connections to the server as it is served."""

import asyncio
import gc
import io
import json
import os
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import grpc.aio
import pytest
import structlog
from grpc_health.v1 import health_pb2, health_pb2_grpc
from prometheus_client import REGISTRY

from kassa import app, observe
from kassa.base.usecases.core import Core
from kassa.faces import grpc_door, grpc_health, peer
from kassa.settings import Settings
from moego.business.payment.v1 import payment_pb2

pytestmark = pytest.mark.anyio

GET = "/moego.business.payment.v1.PaymentService/GetPayment"
LIST = "/moego.business.payment.v1.PaymentService/ListPayments"
CREATE = "/kassa.orders.v1.PaymentService/CreateOrder"
C = grpc.StatusCode
READ = health_pb2.HealthCheckRequest
SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


@pytest.fixture
async def channel(core: Core, settings: Settings) -> AsyncIterator[grpc.aio.Channel]:
    async with app.grpc_server(core, settings) as server, Connected(server) as opened:
        yield opened


class Connected:
    """A channel to `server`, which is started for it."""

    def __init__(self, server: grpc.aio.Server):
        self._server = server

    async def __aenter__(self) -> grpc.aio.Channel:
        port = self._server.add_insecure_port("127.0.0.1:0")
        await self._server.start()
        options = [("grpc.max_send_message_length", 64 << 20)]
        self._channel = grpc.aio.insecure_channel(f"127.0.0.1:{port}", options=options)
        return self._channel

    async def __aexit__(self, *_: object) -> None:
        await self._channel.close()


@pytest.fixture
def key(demo: Any) -> tuple[tuple[str, str], ...]:
    return (("authorization", f"Bearer {demo.api_key}"),)


@pytest.fixture
def lines() -> Iterator[Callable[[], list[dict[str, Any]]]]:
    written = io.BytesIO()
    observe.configure_logs("test", "info")
    factory = structlog.BytesLoggerFactory(written)
    structlog.configure(logger_factory=factory, cache_logger_on_first_use=False)
    yield lambda: [json.loads(line) for line in written.getvalue().splitlines()]
    structlog.reset_defaults()


def counted(face: str, status: str) -> float:
    labels = {"face": face, "status": status}
    return REGISTRY.get_sample_value("kassa_requests_total", labels) or 0.0


async def soon(true: Callable[[], bool]) -> None:
    """A call is counted when its end is on its way, which its caller may hear of earlier."""
    async with asyncio.timeout(5):
        while not true():
            await asyncio.sleep(0.01)


async def refused(channel: Any, method: str, data: bytes, metadata: Any = ()) -> Any:
    with pytest.raises(grpc.aio.AioRpcError) as ended:
        await channel.unary_unary(method)(data, metadata=metadata)
    return ended.value


def empty_ids(count: int) -> bytes:
    filtered = payment_pb2.ListPaymentsRequest.Filter(order_ids=[""] * count)
    return bytes(
        payment_pb2.ListPaymentsRequest(company_id="c", filter=filtered).SerializeToString()
    )


async def test_a_message_that_is_too_large_is_refused_and_counted(channel, key, lines):
    ended = await refused(channel, LIST, empty_ids(200_000), key)

    assert ended.code() is C.RESOURCE_EXHAUSTED
    await soon(lambda: len(lines()) == 1)
    # gRPC ends it over our heads; whether we miss the message or hear of the end first is chance.
    assert lines()[0]["status"] in ("INVALID_ARGUMENT", "CANCELLED")


@pytest.mark.parametrize("with_key", [False, True])
async def test_what_grpc_ends_over_our_heads_leaves_no_trace_of_a_bug(
    channel, key, with_key, caplog
):
    data = empty_ids(200_000)
    calls = [refused(channel, LIST, data, key if with_key else ()) for _ in range(40)]

    await asyncio.gather(*calls)

    await asyncio.sleep(0.2)  # the server's side of the last call may end after the client's
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []


async def test_a_message_of_64_kilobytes_is_read(channel, key):
    ended = await refused(channel, LIST, empty_ids(30_000), key)

    assert ended.code() is C.INVALID_ARGUMENT


@pytest.mark.parametrize("with_key, ids", [(False, 1_900_000), (True, 1_900_000), (True, 32_000)])
async def test_memory_stays_flat_under_messages_made_of_nothing(channel, key, with_key, ids):
    data = empty_ids(ids)
    metadata = key if with_key else ()
    for _ in range(4):
        await refused(channel, LIST, data, metadata)
    before = resident()

    for _ in range(20):
        await refused(channel, LIST, data, metadata)

    assert resident() - before < 64 * 1024 * 1024  # the client's own buffers are in it, too


async def test_a_message_that_was_refused_is_not_kept(channel, key):
    data = empty_ids(10)
    gc.collect()
    gc.disable()
    before = kept_messages()
    try:
        for _ in range(3):
            await refused(channel, LIST, data, key)
        await soon(lambda: kept_messages() <= before)
    finally:
        gc.enable()


def kept_messages() -> int:
    return sum(type(one) is payment_pb2.ListPaymentsRequest for one in gc.get_objects())


def resident() -> int:
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.parametrize("method", [GET, LIST, CREATE])
async def test_who_asks_is_known_before_the_message_is_looked_at(channel, method):
    assert (await refused(channel, method, b"\xff\xff")).code() is C.UNAUTHENTICATED

    waiting = channel.stream_unary(method)()  # and never sends one

    with pytest.raises(grpc.aio.AioRpcError) as ended:
        await asyncio.wait_for(waiting, 5)
    assert ended.value.code() is C.UNAUTHENTICATED


async def test_a_caller_who_sends_no_message_is_not_waited_for(channel, key, monkeypatch):
    monkeypatch.setattr(grpc_door, "_READING_SECONDS", 0.1)

    for method, metadata in ((GET, key), ("/grpc.health.v1.Health/Check", ())):
        waiting = channel.stream_unary(method)(metadata=metadata)

        with pytest.raises(grpc.aio.AioRpcError) as ended:
            await asyncio.wait_for(waiting, 5)
        assert ended.value.code() is C.INVALID_ARGUMENT


@pytest.mark.parametrize("last", ["right", "wrong"])
async def test_of_two_credentials_none_is_taken(channel, demo, key, last):
    wrong = (("authorization", "Bearer sk_none_none"),)
    twice = key + wrong if last == "wrong" else wrong + key

    for method, metadata in (
        (GET, twice),
        (GET, key + key),
        (CREATE, two_clients(demo, "x-client-id")),
        (CREATE, two_clients(demo, "x-client-secret")),
    ):
        ended = await refused(channel, method, b"", metadata)

        assert ended.code() is C.UNAUTHENTICATED, metadata


def two_clients(demo: Any, twice: str) -> tuple[tuple[str, str], ...]:
    right = {"x-client-id": demo.orders_client_id, "x-client-secret": demo.orders_client_secret}
    return (*right.items(), (twice, right[twice]))


async def test_every_call_has_an_id_a_line_and_a_count(channel, key, lines):
    before = counted("business", "NOT_FOUND"), counted("orders", "UNAUTHENTICATED")

    one = await refused(channel, GET, b"\n\x03abc", (*key, ("x-request-id", "mine-1")))
    two = await refused(channel, CREATE, b"", (("x-request-id", "no id {}"),))

    await soon(lambda: len(lines()) == 2)
    written = lines()
    ids = [dict(ended.trailing_metadata())["x-request-id"] for ended in (one, two)]
    assert ids[0] == "mine-1"
    assert ids[1].startswith("rq_")
    assert [line["request_id"] for line in written] == ids
    assert [(line["method"], line["status"]) for line in written] == [
        (GET, "NOT_FOUND"),
        (CREATE, "UNAUTHENTICATED"),
    ]
    assert counted("business", "NOT_FOUND") == before[0] + 1
    assert counted("orders", "UNAUTHENTICATED") == before[1] + 1


async def test_a_call_that_succeeds_says_its_id_too(channel, key):
    wanted = payment_pb2.ListPaymentsRequest(company_id="cmp_001", pagination={"page_size": 1})
    before = counted("business", "OK")

    call = channel.unary_unary(LIST)(wanted.SerializeToString(), metadata=key)
    await call

    assert dict(await call.trailing_metadata())["x-request-id"].startswith("rq_")
    await soon(lambda: counted("business", "OK") == before + 1)


@pytest.mark.parametrize("method", ["/nobody.knows/This", LIST + "s"])
async def test_what_nobody_serves_is_answered_counted_and_logged(channel, lines, method):
    ended = await refused(channel, method, b"")

    assert ended.code() is C.UNIMPLEMENTED
    assert "x-request-id" in dict(ended.trailing_metadata())
    await soon(lambda: len(lines()) == 1)
    assert [(line["method"], line["status"]) for line in lines()] == [(method, "UNIMPLEMENTED")]


async def test_a_call_without_a_deadline_has_one_all_the_same(channel, key, monkeypatch):
    monkeypatch.setattr(grpc_door, "LONGEST_CALL", 0.1)

    waiting = channel.stream_unary(GET)(metadata=key)

    with pytest.raises(grpc.aio.AioRpcError) as ended:
        await asyncio.wait_for(waiting, 5)
    assert ended.value.code() is C.DEADLINE_EXCEEDED


async def test_watchers_of_one_address_cannot_take_every_place(channel):
    stub = health_pb2_grpc.HealthStub(channel)
    open_ones = [stub.Watch(READ()) for _ in range(grpc_door._STREAMS_OF_ONE)]
    for one in open_ones:
        await one.read()

    with pytest.raises(grpc.aio.AioRpcError) as ended:
        await stub.Watch(READ()).read()

    assert ended.value.code() is C.RESOURCE_EXHAUSTED
    open_ones[0].cancel()


def test_few_places_are_few_of_one_and_few_of_all():
    few = grpc_door.Few(3, 2)

    assert [few.enter(name) for name in ("a", "a", "a", "b", "b")] == [
        *(True, True, False),  # of one
        *(True, False),  # of all
    ]
    few.leave("a")
    assert few.enter("b")


async def test_strangers_who_send_no_message_leave_places_for_others(channel, key):
    beyond = 5
    silent = [
        channel.stream_unary("/grpc.health.v1.Health/Check")(never())
        for _ in range(grpc_door._LATE_OF_ONE + beyond)
    ]

    ended = await ended_of(silent, beyond)

    assert {one.code() for one in ended} == {C.RESOURCE_EXHAUSTED}
    asked = payment_pb2.ListPaymentsRequest(company_id="cmp_001", pagination={"page_size": 1})
    assert await channel.unary_unary(LIST)(asked.SerializeToString(), metadata=key) is not None
    for one in silent:
        one.cancel()


async def test_of_callers_whose_messages_are_late_only_some_are_waited_for(
    channel, key, monkeypatch
):
    monkeypatch.setattr(grpc_door, "_SLOW_SECONDS", 0.1)
    beyond = 5
    silent = [
        channel.stream_unary(LIST)(never(), metadata=key)
        for _ in range(grpc_door._LATE_OF_ONE + beyond)
    ]

    ended = await ended_of(silent, beyond)

    assert {one.code() for one in ended} == {C.RESOURCE_EXHAUSTED}
    for one in silent:
        one.cancel()


async def never() -> AsyncIterator[bytes]:
    await asyncio.sleep(60)
    yield b""


async def ended_of(calls: list[Any], wanted: int) -> list[grpc.aio.AioRpcError]:
    """The errors of those that ended, when there are as many as wanted, and a little later."""
    async with asyncio.timeout(5):
        while sum(one.done() for one in calls) < wanted:
            await asyncio.sleep(0.02)
    await asyncio.sleep(0.2)
    done = [one for one in calls if one.done()]
    assert len(done) == wanted
    found = []
    for one in done:
        with pytest.raises(grpc.aio.AioRpcError) as ended:
            await one
        found.append(ended.value)
    return found


class TestHealth:
    async def test_is_what_readyz_says(self, core: Core, settings: Settings) -> None:
        async with app.grpc_server(core, settings) as server, Connected(server) as channel:
            stub = health_pb2_grpc.HealthStub(channel)
            for name in ("", "kassa.orders.v1.PaymentService"):
                assert (await stub.Check(READ(service=name))).status == SERVING
            watching = stub.Watch(READ(service="moego.business.payment.v1.PaymentService"))
            assert (await watching.read()).status == SERVING

            await core.db.close()

            assert (await asyncio.wait_for(watching.read(), 5)).status == NOT_SERVING
            assert (await stub.Check(READ())).status == NOT_SERVING

    async def test_of_who_is_not_heard_from_is_not_serving(self, core, monkeypatch) -> None:
        monkeypatch.setattr(grpc_health, "_PATIENCE_SECONDS", 0.05)
        hang = asyncio.Event()

        async def ready() -> bool:
            return await hang.wait()

        server = grpc_door.make_server({}, core.admission)
        async with grpc_health.healthy(server, ["one"], ready), Connected(server) as channel:
            stub = health_pb2_grpc.HealthStub(channel)
            assert (await stub.Check(READ(service="one"))).status == NOT_SERVING
        await server.stop(None)

    async def test_of_a_service_that_is_not_there_is_not_found(self, channel) -> None:
        ended = await refused(
            channel, "/grpc.health.v1.Health/Check", READ(service="x").SerializeToString()
        )

        assert ended.code() is C.NOT_FOUND


async def test_a_call_in_the_clear_from_elsewhere_is_refused_and_one_from_here_is_served(
    core,
) -> None:
    async def ready() -> bool:
        return True

    for networks, code in ((["10.0.0.0/8"], C.PERMISSION_DENIED), (["127.0.0.0/8"], C.OK)):
        server = grpc_door.make_server({}, core.admission, in_clear=peer.networks_of(networks))
        async with grpc_health.healthy(server, ["one"], ready), Connected(server) as channel:
            call = health_pb2_grpc.HealthStub(channel).Check(READ(service="one"))
            watch = health_pb2_grpc.HealthStub(channel).Watch(READ(service="one"))
            if code is C.OK:
                assert (await call).status == SERVING
                assert (await watch.read()).status == SERVING
            else:
                for ended in (call, watch):
                    with pytest.raises(grpc.aio.AioRpcError) as told:
                        await (ended if ended is call else ended.read())
                    assert told.value.code() is code
                    assert told.value.details() == peer.IN_THE_CLEAR
        await server.stop(None)
