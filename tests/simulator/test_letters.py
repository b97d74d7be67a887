"""What can happen to a letter on its way."""

import asyncio
import json
from datetime import timedelta
from typing import Any

import pytest
import stripe
from tests.simulator.conftest import SECRET, Heard, Shop

from kassa_simulator.running import Simulator

pytestmark = pytest.mark.anyio

EVENTS = ["payment_intent.created", "charge.succeeded", "payment_intent.succeeded"]


def play(simulator: Simulator, fault: str, **more: Any) -> None:
    simulator.set_faults([{"operation": "letter", "fault": fault, **more}])


async def test_letters_are_posted_by_themselves_in_order_after_the_answer(
    shop: Shop, simulator: Simulator, heard: Heard
) -> None:
    await shop.pay()

    for _ in range(100):
        if len(heard.letters) == 3:
            break
        await asyncio.sleep(0.02)
    assert heard.events == EVENTS


async def test_a_letter_that_is_not_heard_comes_again_and_is_the_same_event(
    shop: Shop, simulator: Simulator, heard: Heard
) -> None:
    heard.status = 500
    await shop.pay()
    await simulator.post_letters()
    heard.status = 200

    simulator.advance(timedelta(seconds=3))
    await simulator.post_letters()
    simulator.advance(timedelta(days=1))
    await simulator.post_letters()

    assert len(heard.letters) == 6
    ids = [json.loads(body)["id"] for _, body in heard.letters]
    assert len(set(ids)) == 3
    assert all(copy["heard"] for letter in simulator.letters() for copy in letter["copies"])


async def test_it_gives_up_after_a_few_tries(
    shop: Shop, simulator: Simulator, heard: Heard
) -> None:
    heard.status = 500
    await shop.pay()

    for _ in range(10):
        await simulator.post_letters()
        simulator.advance(timedelta(days=1))

    assert len(heard.letters) == 3 * 5


async def test_a_duplicated_letter_comes_two_to_five_times(
    shop: Shop, simulator: Simulator, heard: Heard
) -> None:
    play(simulator, "duplicated")

    await shop.pay()
    await simulator.post_letters()

    assert all(2 <= heard.events.count(event) <= 5 for event in EVENTS)


async def test_a_letter_that_never_comes_is_known_only_here(
    shop: Shop, simulator: Simulator, heard: Heard
) -> None:
    play(simulator, "never")

    await shop.pay()
    simulator.advance(timedelta(days=30))
    await simulator.post_letters()

    assert heard.letters == []
    assert [letter["faults"] for letter in simulator.letters()] == [["never"]] * 3


async def test_a_late_letter_comes_after_two_days(
    shop: Shop, simulator: Simulator, heard: Heard
) -> None:
    play(simulator, "late")
    await shop.pay()

    simulator.advance(timedelta(hours=47))
    await simulator.post_letters()
    assert heard.letters == []
    simulator.advance(timedelta(hours=2))
    await simulator.post_letters()

    assert heard.events == EVENTS


async def test_a_reordered_letter_is_overtaken_by_the_next(
    shop: Shop, simulator: Simulator, heard: Heard
) -> None:
    play(simulator, "reordered", first=1)
    await shop.pay()

    await simulator.post_letters()
    simulator.advance(timedelta(seconds=2))
    await simulator.post_letters()

    assert heard.events == [*EVENTS[1:], EVENTS[0]]


async def test_an_early_letter_is_there_before_the_answer(
    shop: Shop, simulator: Simulator, heard: Heard
) -> None:
    simulator.set_faults(
        [
            {"operation": "letter", "fault": "early"},
            {"operation": "charge", "fault": "timeout_after", "seconds": 0.1},
        ]
    )

    with pytest.raises(stripe.APIConnectionError):
        await shop.pay()

    assert heard.events == EVENTS


async def test_a_forged_copy_has_other_content_and_a_wrong_signature(
    shop: Shop, simulator: Simulator, heard: Heard
) -> None:
    play(simulator, "forged")

    await shop.pay()
    await simulator.post_letters()

    right, wrong = [], []
    for headers, body in heard.letters:
        try:
            stripe.Webhook.construct_event(body, headers["stripe-signature"], SECRET)
            right.append(json.loads(body)["data"]["object"]["amount"])
        except stripe.SignatureVerificationError:
            wrong.append(json.loads(body)["data"]["object"]["amount"])
    assert (right, wrong) == ([1099] * 3, [1199] * 3)


async def test_a_reservation_that_lapses_is_told_when_its_time_is_over(
    shop: Shop, simulator: Simulator, heard: Heard
) -> None:
    await shop.pay(capture_method="manual")

    simulator.advance(timedelta(days=7, seconds=1))
    await simulator.post_letters()

    assert heard.events[-1] == "payment_intent.canceled"
    assert json.loads(heard.letters[-1][1])["data"]["object"]["cancellation_reason"] == "automatic"
