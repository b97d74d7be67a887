"""Every fault as it is on the wire, and what it leaves in the provider's books."""

import asyncio
import time
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest
import stripe
from tests.simulator.conftest import KEY, Shop

from kassa_simulator.faults import BadRule
from kassa_simulator.running import Simulator

pytestmark = pytest.mark.anyio


def charge_request(simulator: Simulator, attempt: str = "att_1") -> bytes:
    body = urlencode(
        {
            "amount": "1099",
            "currency": "usd",
            "payment_method": "pm_card_visa",
            "confirm": "true",
            "return_url": "https://shop.example/back",
            "metadata[kassa_attempt]": attempt,
        }
    )
    lines = [
        "POST /stripe/v1/payment_intents HTTP/1.1",
        f"Host: {urlsplit(simulator.url).netloc}",
        f"Authorization: Bearer {KEY}",
        f"Idempotency-Key: {attempt}",
        "Content-Type: application/x-www-form-urlencoded",
        f"Content-Length: {len(body)}",
        "",
        body,
    ]
    return "\r\n".join(lines).encode()


async def on_the_wire(simulator: Simulator, *, wait: float = 0.3) -> bytes:
    """All bytes that come back, until the connection ends or is silent for `wait` seconds; the
    first may take longer on a busy machine.

    Raises: ConnectionResetError.
    """
    address = urlsplit(simulator.url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    writer.write(charge_request(simulator))
    found = b""
    try:
        while part := await asyncio.wait_for(reader.read(65536), wait if found else 10):
            found += part
    except TimeoutError:
        pass
    finally:
        writer.close()
    return found


def play(simulator: Simulator, fault: str, **more: Any) -> None:
    simulator.set_faults([{"provider": "stripe", "operation": "charge", "fault": fault, **more}])


def charges(simulator: Simulator) -> int:
    return simulator.money("stripe").get("USD", {"charges": 0})["charges"]


@pytest.mark.parametrize(("fault", "done"), [("reset_before", 0), ("reset_after", 1)])
async def test_a_reset_connection_says_nothing_about_the_money(
    simulator: Simulator, fault: str, done: int
) -> None:
    play(simulator, fault)

    with pytest.raises(ConnectionResetError):
        await on_the_wire(simulator)

    assert charges(simulator) == done


async def test_a_refused_call_ends_without_a_byte(simulator: Simulator) -> None:
    play(simulator, "refuse")

    assert await on_the_wire(simulator) == b""
    assert charges(simulator) == 0


@pytest.mark.parametrize(("fault", "done"), [("timeout_before", 0), ("timeout_after", 1)])
async def test_a_call_that_hangs_is_silent_and_then_closed(
    simulator: Simulator, fault: str, done: int
) -> None:
    play(simulator, fault, seconds=0.3)

    began = time.monotonic()
    answer = await on_the_wire(simulator, wait=5)

    assert answer == b""
    assert time.monotonic() - began >= 0.3
    assert charges(simulator) == done


async def test_garbage_is_200_and_no_json(simulator: Simulator) -> None:
    play(simulator, "garbage")

    head, _, body = (await on_the_wire(simulator)).partition(b"\r\n\r\n")

    assert head.startswith(b"HTTP/1.1 200")
    assert not body.startswith(b"{")
    assert charges(simulator) == 1


@pytest.mark.parametrize(
    ("fault", "status", "done"),
    [("error_500", 500, 0), ("error_500_after", 500, 1), ("rate_limited", 429, 0)],
)
async def test_an_error_status_may_hide_a_charge(
    simulator: Simulator, fault: str, status: int, done: int
) -> None:
    play(simulator, fault)

    answer = (await on_the_wire(simulator)).lower()

    assert answer.startswith(b"http/1.1 %d" % status)
    assert (b"retry-after: 1" in answer) == (status == 429)
    assert charges(simulator) == done


async def test_a_slow_answer_is_the_right_one_byte_by_byte(simulator: Simulator) -> None:
    play(simulator, "slow", seconds=0.0001)

    answer = await on_the_wire(simulator, wait=1)

    assert b'"status": "succeeded"' in answer
    play(simulator, "slow")
    assert (await on_the_wire(simulator, wait=0.3)).partition(b"\r\n\r\n")[2] == b""


async def test_an_answer_comes_twice_and_the_effect_once(simulator: Simulator) -> None:
    play(simulator, "duplicate_answer")

    answer = await on_the_wire(simulator)

    half = len(answer) // 2
    assert answer[:half] == answer[half:]
    assert answer[:half].startswith(b"HTTP/1.1 200 OK\r\n")
    assert charges(simulator) == 1


@pytest.mark.parametrize(
    ("fault", "amount", "currency"),
    [("wrong_amount", 1199, "usd"), ("wrong_currency", 1099, "eur")],
)
async def test_an_answer_may_speak_of_other_money(
    shop: Shop, simulator: Simulator, fault: str, amount: int, currency: str
) -> None:
    play(simulator, fault)

    intent = await shop.pay()

    assert (intent.amount, intent.currency) == (amount, currency)
    assert simulator.money("stripe")["USD"]["charged_minor"] == 1099


async def test_a_charge_that_exists_is_not_found_at_first(shop: Shop, simulator: Simulator) -> None:
    intent = await shop.pay()
    simulator.set_faults([{"operation": "query", "fault": "not_found", "first": 1}])

    with pytest.raises(stripe.InvalidRequestError) as caught:
        await shop(lambda v1: v1.payment_intents.retrieve(intent.id))
    assert caught.value.code == "resource_missing"
    search = {"query": "metadata['kassa_attempt']:'att_1'"}
    assert (await shop(lambda v1: v1.payment_intents.search(search))).data == []

    assert (await shop(lambda v1: v1.payment_intents.retrieve(intent.id))).id == intent.id
    assert (await shop(lambda v1: v1.payment_intents.search(search))).data[0].id == intent.id


async def test_the_provider_declines(shop: Shop, simulator: Simulator) -> None:
    play(simulator, "decline")

    with pytest.raises(stripe.CardError):
        await shop.pay()

    assert charges(simulator) == 0


async def test_a_key_that_is_under_way_is_a_conflict(shop: Shop, simulator: Simulator) -> None:
    play(simulator, "busy", first=1)

    with pytest.raises(stripe.APIError) as caught:
        await shop.pay()

    assert caught.value.http_status == 409
    assert caught.value.json_body["error"]["code"] == "idempotency_key_in_use"
    assert (await shop.pay()).status == "succeeded"


async def test_a_fault_plays_on_the_first_calls_of_each_reference(
    shop: Shop, simulator: Simulator
) -> None:
    play(simulator, "error_500", first=2)

    for attempt in ("att_1", "att_2"):
        for _ in range(2):
            with pytest.raises(stripe.APIError):
                await shop.pay(attempt)
        assert (await shop.pay(attempt)).status == "succeeded"


async def test_a_share_of_the_calls_has_the_fault(shop: Shop, simulator: Simulator) -> None:
    play(simulator, "error_500", share=0.5)

    for number in range(20):
        try:
            await shop.pay(f"att_{number}")
        except stripe.APIError:
            continue

    failed = len(simulator.calls(fault="error_500"))
    assert 3 <= failed <= 17
    assert charges(simulator) == 20 - failed


@pytest.mark.parametrize(
    ("rule", "why"),
    [
        ({"fault": "rain"}, "fault must be one of"),
        ({"fault": "slow", "shade": 1}, "no such field: shade"),
        ({"fault": "slow", "share": 2}, "share must be a number from 0 to 1"),
        ({"fault": "slow", "operation": "letter"}, "operation of slow"),
        ({"fault": "slow", "operation": "page"}, "operation of slow"),
        ({"fault": "late", "operation": "charge"}, "operation of late"),
    ],
)
async def test_a_bad_rule_is_refused_and_changes_nothing(
    simulator: Simulator, rule: dict[str, Any], why: str
) -> None:
    play(simulator, "slow")

    with pytest.raises(BadRule, match=why):
        simulator.set_faults([rule])

    assert [each.fault for each in simulator.counter.desk.rules] == ["slow"]
