"""A refusal says of what there was too much, and when to come again."""

import asyncio
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from google.rpc import error_details_pb2
from starlette.requests import Request
from tests.asgi import Client
from tests.faces.limited import (
    ASK,
    GRPC,
    Doorman,
    as_client,
    bearer,
    calling,
    ended,
    pause_in,
    under_way,
)

import kassa
from kassa import criticality
from kassa.base.domain.errors import KassaError, Overloaded, ProviderUnavailable, RateLimited
from kassa.base.domain.rate_limits import Quota
from kassa.base.usecases.admission import VISIT, Visit, pause_of
from kassa.base.usecases.core import Core
from kassa.cashier import dead_ends
from kassa.faces import grpc_status, inbound
from kassa.faces.checkout import contract as checkout
from kassa.faces.gateway import contract as gateway
from kassa.faces.orders import failures
from kassa.faces.wallet import codes
from kassa.settings import Settings

pytestmark = pytest.mark.anyio

SRC = Path(kassa.__file__).parent
OWN = Quota("attempts", 10, full_in=4, window=600)


@pytest.fixture
def doorman(core: Core) -> Doorman:
    return Doorman(core)


async def test_a_guess_at_the_cashier_is_told_of_the_brake_on_guesses(
    client: Client, doorman: Doorman
) -> None:
    pages = [await client.request("GET", f"/pay/sess_1zguess{guess}") for guess in range(12)]

    assert pages[0].headers["ratelimit"].startswith('"requests";')  # let in, and counted by address
    for refused in pages[10:]:
        assert refused.status == 429
        assert refused.headers["ratelimit-policy"] == '"unknown-payments";q=10;w=60'
        assert re.fullmatch(r'"unknown-payments";r=0;t=\d+', refused.headers["ratelimit"])


@pytest.mark.parametrize("face", ASK)
async def test_too_many_calls_at_once_are_told_as_such_and_of_no_rate(
    face: str, core: Core, settings: Settings, client: Client, demo: Any, doorman: Doorman
) -> None:
    doorman.limit(company_calls=2)
    async with under_way(core, settings, "/v1/orders:create", as_client(demo), 2):
        refused = await ASK[face](client, demo)

    assert refused.status == 429
    assert refused.headers["ratelimit-policy"] == '"calls";q=2;qu="concurrent-requests"'
    assert refused.headers["ratelimit"] == '"calls";r=0'


@pytest.mark.parametrize("face", GRPC)
async def test_so_are_they_over_grpc(
    face: str, core: Core, settings: Settings, demo: Any, doorman: Doorman
) -> None:
    doorman.limit(company_calls=1)
    async with (
        calling(core, settings) as channel,
        under_way(core, settings, "/v1/orders:create", as_client(demo)),
    ):
        doorman.now += 30
        error = await ended(channel, face, demo)

    said = dict(error.trailing_metadata() or ())
    assert said["ratelimit"] == '"calls";r=0'
    assert 30 <= pause_in(error) <= 45


async def test_wrong_credentials_are_told_as_such(client: Client, doorman: Doorman) -> None:
    doorman.limit(wrong_credentials=2)
    for number in range(4):
        key = bearer(f"sk_{number:012x}_{'a' * 43}")
        answer = await client.request("GET", "/v1/payment/x", headers=key)

    assert answer.status == 429
    assert answer.headers["ratelimit-policy"] == '"wrong-credentials";q=2'
    assert answer.headers["ratelimit"] == '"wrong-credentials";r=0;t=1'


async def test_what_is_given_up_under_load_speaks_of_no_quota(
    core: Core, settings: Settings, client: Client, demo: Any, doorman: Doorman
) -> None:
    doorman.limit(process_calls=1)
    async with under_way(core, settings, "/v1/orders:create", as_client(demo)):
        shed = [await ASK[face](client, demo) for face in ASK]

    assert {answer.status for answer in shed} == {503}
    assert not any("ratelimit" in answer.headers for answer in shed)


async def test_the_longer_calls_take_the_later_others_are_told_to_come(
    core: Core, settings: Settings, client: Client, demo: Any, doorman: Doorman
) -> None:
    doorman.limit(company_calls=4)
    async with under_way(core, settings, "/v1/orders:create", as_client(demo), 4):
        at_once = await ASK["gateway"](client, demo)
        doorman.now += 40
        later = [await ASK["gateway"](client, demo) for _ in range(3)]

    waits = [int(answer.headers["retry-after"]) for answer in later]
    assert int(at_once.headers["retry-after"]) <= 2
    for place, wait in enumerate(waits):
        assert 10 * (place + 1) <= wait <= 15 * (place + 1)


async def test_a_process_that_has_been_busy_for_long_says_so(core: Core, doorman: Doorman) -> None:
    doorman.limit(late=0.000001)
    minding = asyncio.create_task(core.admission.mind_the_time())
    for _ in range(100):
        await asyncio.sleep(0.05)
        if core.admission.busy == 1:
            break
    await asyncio.sleep(0.25)
    doorman.now += 20
    core.admission.arrive("192.0.2.1")
    with pytest.raises(Overloaded) as refused:
        core.admission.enter(_ordinary())
    minding.cancel()

    assert 19 <= refused.value.retry_after_seconds <= 21


def _ordinary() -> Any:
    return criticality.OF["moego.business.payment.v1.PaymentService/ListPayments"]


def waits_of(error: KassaError) -> set[int | None]:
    """What a hundred requests are told at the same time."""
    found = set()
    for _ in range(100):
        VISIT.set(Visit(address="192.0.2.1"))
        found.add(pause_of(error))
        assert pause_of(error) == pause_of(error)  # the status and the header say one thing
    return found


async def test_those_who_are_refused_for_the_same_do_not_all_come_back_at_once() -> None:
    assert waits_of(Overloaded("", retry_after_seconds=10, many=True)) == set(range(10, 16))
    assert waits_of(ProviderUnavailable("", retry_after_seconds=1)) == {1, 2}
    assert waits_of(RateLimited("", retry_after_seconds=10)) == {10}  # a bucket of one's own


def a_request() -> Request:
    scope = {"type": "http", "method": "GET", "path": "/", "headers": [], "query_string": b""}
    return Request(scope)


@pytest.mark.parametrize(
    "write",
    [
        failures.write_error,
        checkout.write_error,
        gateway.write_error,
        codes.write_error,
        grpc_status.write_error,
        inbound.write_error,
        dead_ends.dead_end,
    ],
)
async def test_whoever_writes_a_refusal_says_when_to_come_again_and_of_what_quota(
    write: Callable[..., Any],
) -> None:
    VISIT.set(visit := Visit(address="", quota=Quota("requests", 200, 199, 0.1, 10)))

    written = write(a_request(), RateLimited("slow", retry_after_seconds=7, quota=OWN))

    assert written.headers["retry-after"] == "7"
    assert dict(visit.headers())["ratelimit"] == '"attempts";r=0;t=4'
    write(a_request(), RateLimited("slow"))
    assert visit.headers() == ()


async def test_over_grpc_too() -> None:
    VISIT.set(visit := Visit(address=""))

    status = grpc_status.status_of(RateLimited("slow", retry_after_seconds=7, quota=OWN))

    retry = error_details_pb2.RetryInfo()
    assert any(detail.Unpack(retry) for detail in status.details)
    assert retry.retry_delay.seconds == 7
    assert dict(visit.headers())["ratelimit-policy"] == '"attempts";q=10;w=600'


def test_one_place_alone_knows_when_to_come_again() -> None:
    """Whoever read the seconds elsewhere would leave another bucket's figures in the headers."""
    readers = {
        str(path.relative_to(SRC))
        for path in SRC.rglob("*.py")
        if re.search(r"\.retry_after_seconds", path.read_text())
    }

    assert readers == {"base/domain/errors.py", "base/usecases/admission.py"}
