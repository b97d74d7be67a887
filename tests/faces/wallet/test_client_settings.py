"""How each wallet client wants to be spoken to: its prefix, A for what waits, its clock."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.faces.wallet.agreeing import CONSULT, a_consult
from tests.faces.wallet.calls import PAY, Merchant, an_order, another_client, code

from kassa.base.domain.errors import InvalidRequest, NotFound
from kassa.faces.wallet import signature
from kassa.faces.wallet.signature import Signed
from kassa.identity.domain.principals import ClientSettings
from kassa.identity.usecases.companies import set_wallet_client

pytestmark = pytest.mark.anyio


async def a_client(merchant: Merchant, **settings: Any) -> Merchant:
    """A client of its own, whose settings nobody has remembered yet."""
    name = "5X" + str(abs(hash(tuple(sorted(settings.items()))))).zfill(14)[:14]
    other = await another_client(merchant, name)
    await set_wallet_client(merchant.core, name, ClientSettings(**settings))
    return other


async def say(
    merchant: Merchant,
    *,
    signs: str,
    asks: str,
    time: str = "2026-11-22T10:00:00+08:00",
    members: dict[str, Any] | None = None,
) -> Any:
    """Sign the one path and ask for the other, as behind a proxy; the answer is believed if its
    signature is over the path that was signed."""
    body = json.dumps(members or an_order()).encode()
    signed = Signed("POST", signs, merchant.client_id, time, body)
    headers = {
        "Client-Id": merchant.client_id,
        "Request-Time": time,
        "Signature": signature.sign(signed, merchant.key, merchant.key_version),
        "Content-Type": "application/json; charset=UTF-8",
    }
    answer = await merchant.client.request("POST", asks, headers=headers, content=body)
    return merchant.believed("POST", signs, answer)


@pytest.mark.parametrize("asks", ["/acl/api/v1/payments/pay", PAY])
async def test_a_prefix_may_reach_us_or_be_taken_away_by_a_proxy(
    merchant: Merchant, asks: str
) -> None:
    client = await a_client(merchant, path_prefix="/acl/api")

    assert code(await say(client, signs="/acl/api/v1/payments/pay", asks=asks)) == "S SUCCESS"


@pytest.mark.parametrize("asks", ["/acl/api" + CONSULT, CONSULT])
async def test_a_prefix_stands_before_agreements_too(merchant: Merchant, asks: str) -> None:
    client = await a_client(merchant, path_prefix="/acl/api")
    asked: dict[str, Any] = {"signs": "/acl/api" + CONSULT, "asks": asks, "members": a_consult()}

    assert code(await say(client, **asked)) == "S SUCCESS"
    assert code(await say(merchant, **asked | {"asks": "/acl/api" + CONSULT})) == (
        "F NO_INTERFACE_DEF"
    )


async def test_a_prefix_that_is_not_the_client_s_own_is_no_api(merchant: Merchant) -> None:
    path = "/acl/api/v1/payments/pay"
    with_other = await a_client(merchant, path_prefix="/wallet")
    kept = "/wallet" + path

    assert code(await say(with_other, signs=kept, asks=path)) == "F NO_INTERFACE_DEF"
    assert code(await say(merchant, signs=path, asks=path)) == "F NO_INTERFACE_DEF"


async def test_who_signs_without_the_prefix_is_refused(merchant: Merchant) -> None:
    client = await a_client(merchant, path_prefix="/acl/api")
    body = json.dumps(an_order()).encode()
    time = "2026-11-22T10:00:00+08:00"
    signed = Signed("POST", PAY, client.client_id, time, body)
    headers = {
        "Client-Id": client.client_id,
        "Request-Time": time,
        "Signature": signature.sign(signed, client.key, "1"),
    }

    answer = await client.client.request("POST", PAY, headers=headers, content=body)

    assert code(answer.json()) == "F INVALID_SIGNATURE"


async def test_what_waits_for_its_payer_is_accepted_for_who_knows_the_word(
    merchant: Merchant,
) -> None:
    client = await a_client(merchant, says_accepted=True)
    asked = an_order()

    first, again = await client.ask(PAY, asked), await client.ask(PAY, asked)

    assert [code(one) for one in (first, again)] == ["A ACCEPT"] * 2
    assert again["paymentId"] == first["paymentId"]
    assert first["redirectActionForm"]["redirectionUrl"]
    assert code(await merchant.ask(PAY, an_order())) == "S SUCCESS"


@pytest.mark.parametrize(("off", "said"), [(0, "S SUCCESS"), (400, "F INVALID_SIGNATURE")])
@pytest.mark.parametrize("sign", [1, -1])
async def test_a_clock_may_be_off_as_far_as_was_agreed(
    merchant: Merchant, off: int, said: str, sign: int
) -> None:
    client = await a_client(merchant, time_tolerance_seconds=300)
    time = (datetime.now(UTC) + sign * timedelta(seconds=off)).isoformat(timespec="seconds")

    assert code(await say(client, signs=PAY, asks=PAY, time=time)) == said


@pytest.mark.parametrize(
    "wrong",
    [
        {"path_prefix": "api"},
        {"path_prefix": "/a/b/c/d/e"},
        {"path_prefix": "/a?b"},
        {"time_tolerance_seconds": 0},
        {"time_tolerance_seconds": 86_401},
    ],
    ids=str,
)
async def test_settings_that_cannot_be_are_refused(
    merchant: Merchant, wrong: dict[str, Any]
) -> None:
    with pytest.raises(InvalidRequest):
        await set_wallet_client(merchant.core, merchant.client_id, ClientSettings(**wrong))
    with pytest.raises(NotFound):
        await set_wallet_client(merchant.core, "5X-nobody", ClientSettings())
