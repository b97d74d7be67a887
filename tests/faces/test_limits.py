"""What a caller who is limited sees on each face, and whom it does not harm."""

import dataclasses
import json
import math
from collections import Counter
from collections.abc import Callable
from typing import Any

import grpc.aio
import pytest
from tests.asgi import Client
from tests.faces.limited import (
    ASK,
    GRPC,
    NARROW,
    Doorman,
    bearer,
    calling,
    ended,
    pause_in,
)
from tests.faces.wallet.calls import Merchant

from kassa import assembly
from kassa.base.domain.rate_limits import Rate
from kassa.base.usecases.core import Core
from kassa.faces.wallet import signature
from kassa.identity.usecases import companies
from kassa.settings import Settings

pytestmark = pytest.mark.anyio


@pytest.fixture
def doorman(core: Core) -> Doorman:
    return Doorman(core)


@pytest.fixture
def merchant(client: Client, core: Core, demo: Any) -> Merchant:
    key = signature.private_key(demo.wallet_private_key_pem)
    return Merchant(client, core, demo.wallet_client_id, key)


WORDS: dict[str, Callable[[dict[str, Any]], bool]] = {
    "orders": lambda said: said["type"] == "rate_limit_error" and said["code"] == "request_failed",
    "pg": lambda said: said["type"] == "rate_limit_error" and said["code"] == "request_failed",
    "business": lambda said: (said["code"], said["error"]["status"]) == (8, "RESOURCE_EXHAUSTED"),
    "checkout": lambda said: said["data"] is None and said["error"]["code"] == "rate_limited",
    "gateway": lambda said: not said["paymentResult"] and said["error"].startswith("RATE_LIMITED:"),
}


@pytest.mark.parametrize("face", ASK)
async def test_a_caller_beyond_its_rate_is_told_so_in_the_words_of_the_face(
    face: str, client: Client, demo: Any, doorman: Doorman
) -> None:
    doorman.limit(test=NARROW)

    answers = [await ASK[face](client, demo) for _ in range(4)]

    assert [answer.status for answer in answers] == [404, 404, 404, 429]
    assert WORDS[face](answers[3].json())
    assert answers[3].headers["retry-after"] == "1"
    assert [answer.headers["ratelimit"] for answer in answers] == [
        '"requests";r=2;t=1',
        '"requests";r=1;t=2',
        '"requests";r=0;t=3',
        '"requests";r=0;t=3',
    ]
    assert {answer.headers["ratelimit-policy"] for answer in answers} == {'"requests";q=3;w=3'}
    doorman.now += int(answers[3].headers["retry-after"])
    assert (await ASK[face](client, demo)).status == 404
    assert sum(doorman.turned_away.values()) == 1


async def test_the_wallet_answers_a_signed_unknown(merchant: Merchant, doorman: Doorman) -> None:
    doorman.limit(test=NARROW)
    for _ in range(3):
        await merchant.inquire(paymentId="none")

    said = await merchant.inquire(paymentId="none")  # and its signature is checked in there

    assert said["result"]["resultCode"] == "REQUEST_TRAFFIC_EXCEED_LIMIT"
    assert said["result"]["resultStatus"] == "U"


@pytest.mark.parametrize("face", GRPC)
async def test_over_grpc_the_status_says_it(
    face: str, core: Core, settings: Settings, demo: Any, doorman: Doorman
) -> None:
    doorman.limit(test=NARROW)
    async with calling(core, settings) as channel:
        errors = [await ended(channel, face, demo) for _ in range(4)]

        codes = [error.code() for error in errors]
        assert codes == [grpc.StatusCode.NOT_FOUND] * 3 + [grpc.StatusCode.RESOURCE_EXHAUSTED]
        assert pause_in(errors[3]) == 1
        said = dict(errors[3].trailing_metadata() or ())
        assert said["ratelimit"] == '"requests";r=0;t=3'
        assert said["ratelimit-policy"] == '"requests";q=3;w=3'


async def test_who_shows_no_credential_is_counted_by_address(
    core: Core, settings: Settings, client: Client, doorman: Doorman
) -> None:
    doorman.limit(address=NARROW)

    pages = [await client.request("GET", "/pay/sess_nothing") for _ in range(4)]
    doorman.now += 3
    books = [await client.request("GET", "/sandbox/books") for _ in range(4)]
    doorman.now += 3
    provider = [await client.request("GET", "/providers/x/pay/y") for _ in range(4)]

    assert [page.status for page in pages] == [404, 404, 404, 429]
    assert [page.status for page in books] == [401, 401, 401, 429]
    assert [page.status for page in provider] == [404, 404, 404, 429]
    for last in (pages[3], books[3], provider[3]):
        assert last.headers["retry-after"] == "1"
    assert "text/html" in pages[3].headers["content-type"]


async def test_one_credential_beyond_its_rate_harms_no_other(
    core: Core, client: Client, demo: Any, doorman: Doorman
) -> None:
    doorman.limit(test=NARROW)
    company = await companies.get_company(core, demo.company_id)
    await companies.put_api_key(core, company, other := f"sk_other_{'b' * 43}")
    for _ in range(9):
        await ASK["business"](client, demo)

    answer = await client.request("GET", "/v1/payment/pay_none", headers=bearer(other))

    assert answer.status == 404
    assert (await ASK["orders"](client, demo)).status == 404


async def test_a_stranger_cannot_use_up_the_rate_of_a_credential_by_naming_it(
    client: Client, demo: Any, doorman: Doorman
) -> None:
    doorman.limit(test=NARROW)
    for _ in range(9):
        await client.request("GET", "/v1/payment/x", headers=bearer(demo.api_key[:-1] + "#"))

    assert (await ASK["business"](client, demo)).status == 404


def wrong(number: int) -> dict[str, str]:
    return bearer(f"sk_{number:012x}_{'a' * 43}")


async def test_wrong_keys_in_a_row_bring_growing_pauses(
    client: Client, demo: Any, doorman: Doorman
) -> None:
    doorman.limit(wrong_credentials=5)

    statuses = Counter[int]()
    for number in range(150):
        answer = await client.request("GET", "/v1/payment/x", headers=wrong(number))
        statuses[answer.status] += 1
    pauses = []
    for number in range(4):
        pauses.append(int(answer.headers["retry-after"]))
        doorman.now += pauses[-1]
        tried = await client.request("GET", "/v1/payment/x", headers=wrong(number))
        answer = await client.request("GET", "/v1/payment/x", headers=wrong(number))
        assert (tried.status, answer.status) == (401, 429)

    assert statuses == {401: 5, 429: 145}
    assert pauses == [1, 2, 4, 8]
    assert doorman.turned_away["ordinary", "wrong_credentials"] == 149


@pytest.mark.parametrize("face", ["orders", "pg", "business", "checkout", "gateway", "wallet"])
async def test_every_face_brakes_who_guesses(
    face: str, client: Client, demo: Any, doorman: Doorman
) -> None:
    doorman.limit(wrong_credentials=3)
    headers = {
        "authorization": f"Bearer sk_none_{'a' * 43}",
        "x-client-id": "nobody",
        "x-client-secret": "nothing",
        "client-id": "nobody",
    }
    if face == "checkout":
        headers["authorization"] = f"Bearer {demo.customer_token[:-4]}AAAA"
    if face == "pg":
        headers["x-api-version"] = "2023-08-01"
    method, path = {
        "orders": ("POST", "/v1/orders:create"),
        "pg": ("GET", "/pg/orders/x"),
        "business": ("POST", "/v1/payments:list"),
        "checkout": ("GET", "/api/v1/payments/1"),
        "gateway": ("POST", "/gateway/payment-requests"),
        "wallet": ("POST", "/v1/payments/pay"),
    }[face]

    answers = [await client.request(method, path, headers=headers, content=b"{}") for _ in range(6)]

    assert "retry-after" not in answers[0].headers
    assert all(answer.headers["retry-after"] for answer in answers[4:])
    if face == "wallet":
        last = answers[5]
        assert json.loads(last.body)["result"]["resultCode"] == "REQUEST_TRAFFIC_EXCEED_LIMIT"
        assert "signature" not in last.headers  # which would cost more than all else
    else:
        assert [answers[0].status, answers[5].status] == [401, 429]


@pytest.mark.parametrize("face", GRPC)
async def test_over_grpc_who_guesses_is_braked_too(
    face: str, core: Core, settings: Settings, demo: Any, doorman: Doorman
) -> None:
    doorman.limit(wrong_credentials=3)
    wrong_one = dataclasses.replace(
        demo, api_key=f"sk_none_{'a' * 43}", orders_client_secret="nothing"
    )
    async with calling(core, settings) as channel:
        errors = [await ended(channel, face, wrong_one) for _ in range(5)]

    codes = [error.code() for error in errors]
    assert codes == [grpc.StatusCode.UNAUTHENTICATED] * 3 + [grpc.StatusCode.RESOURCE_EXHAUSTED] * 2
    assert pause_in(errors[4]) == 1


async def test_a_credential_proved_before_is_not_harmed_by_a_guesser_at_its_address(
    client: Client, demo: Any, merchant: Merchant, doorman: Doorman
) -> None:
    doorman.limit(wrong_credentials=1)
    assert (await ASK["business"](client, demo)).status == 404
    await merchant.inquire(paymentId="none")

    for number in range(9):
        last = await client.request("GET", "/v1/payment/x", headers=wrong(number))

    assert last.status == 429
    assert (await ASK["business"](client, demo)).status == 404
    said = await merchant.inquire(paymentId="none")
    assert said["result"]["resultCode"] == "ORDER_NOT_EXIST"


async def test_another_secret_for_a_name_that_was_proved_is_a_guess_like_any_other(
    client: Client, demo: Any, doorman: Doorman
) -> None:
    doorman.limit(wrong_credentials=3)
    assert (await ASK["business"](client, demo)).status == 404

    guessed = [bearer(f"{demo.api_key[:-2]}{number:02}") for number in range(9)]
    answers = [await client.request("GET", "/v1/payment/x", headers=one) for one in guessed]

    assert Counter(answer.status for answer in answers) == {401: 3, 429: 6}
    assert (await ASK["business"](client, demo)).status == 404


def test_without_settings_limits_are_as_promised_and_a_demo_has_as_good_as_none() -> None:
    usual, demo = assembly.limits_of(Settings()), assembly.limits_of(Settings(demo=True))

    assert (usual.live, usual.test) == (Rate(100, 200), Rate(25, 50))
    assert usual.company_calls == 20
    assert demo.test.per_second >= 10_000
    assert assembly.limits_of(Settings(demo=True, test_requests_per_second=7)).test.per_second == 7
    shared = usual.share(4)
    assert (shared.live, shared.company_calls) == (Rate(25, 50), math.ceil(20 / 4))
