"""What merchants hear is as it was when it happened, whenever it arrives and however often."""

import json
from typing import Any

import asyncpg
import pytest
from tests.modifications.test_money_comes_back import disputed
from tests.modifying import REFUND, Obedient, modify
from tests.reports import Reporter
from tests.shop import Shop
from tests.webhooks_out.test_deliver import Receiver, deliver, letters, receiver, wait_out

from kassa.base.domain.lifecycle import DisputeStatus
from kassa.payments.domain.payments import Payment

pytestmark = pytest.mark.anyio
__all__ = ["receiver"]


async def paid(shop: Shop, receiver: Receiver, **changes: Any) -> Payment:
    return await shop.play(await shop.payment(notify_url=receiver.url, **changes), Obedient())


async def every(shop: Shop) -> None:
    while await deliver(shop):
        continue


async def test_a_letter_that_is_sent_again_says_the_same_to_the_byte(
    shop: Shop, receiver: Receiver
) -> None:
    receiver.answers = [500, 200]
    payment = await paid(shop, receiver)
    await deliver(shop)
    await modify(shop, payment, REFUND, 2_000, "r1")
    await shop.sql("update company set name = 'Another name'")

    await wait_out(shop)
    await every(shop)

    first, *rest = [body for head, body, _ in receiver.got if b"payment.paid" in body]
    assert rest == [first]
    assert json.loads(first)["data"]["refunded_amount"] == "0.00"


async def test_each_refund_is_told_with_what_it_came_to_and_by_its_name(
    shop: Shop, receiver: Receiver
) -> None:
    payment = await paid(shop, receiver)
    for number in range(1, 7):
        await modify(shop, payment, REFUND, 100, f"r{number}", reason=f"cup {number}")

    await every(shop)

    told = [one["data"] for one in receiver.bodies() if one["type"] == "payment.refunded"]
    assert [one["refunded_amount"] for one in told] == [f"{number}.00" for number in range(1, 7)]
    named = [(one["refund"]["refund_id"], one["refund"]["reason"]) for one in told]
    assert named == [(f"r{number}", f"cup {number}") for number in range(1, 7)]
    assert {(one["refund"]["amount"], one["refund"]["status"]) for one in told} == {
        ("1.00", "succeeded")
    }
    assert sorted(one["version"] for one in told) == [one["version"] for one in told]


async def test_each_word_of_a_dispute_is_told_with_what_it_had_taken_by_then(
    shop: Shop, receiver: Receiver
) -> None:
    payment = await paid(shop, receiver)
    await disputed(shop, payment)
    await disputed(shop, payment, status=DisputeStatus.WON)

    await every(shop)

    _, opened, won = receiver.bodies()
    assert (opened["type"], opened["data"]["disputed_amount"]) == ("payment.disputed", "100.00")
    assert opened["data"]["dispute"]["taken_amount"] == "100.00"
    assert opened["data"]["taken_back"][0]["how"] == "disputed"
    assert (won["type"], won["data"]["disputed_amount"]) == ("payment.dispute_won", "0.00")
    assert won["data"]["dispute"]["status"] == "won"
    assert won["data"]["dispute"]["id"] == opened["data"]["dispute"]["id"]


async def test_what_a_report_tells_is_told_as_it_was(shop: Shop, receiver: Receiver) -> None:
    payment = await paid(shop, receiver)
    reporter = Reporter(shop)
    await reporter.send(await reporter.line_of(payment))
    await modify(shop, payment, REFUND, 100, "r1")

    await every(shop)

    [settled] = [one for one in receiver.bodies() if one["type"] == "payment.settled"]
    assert settled["data"]["refunded_amount"] == "0.00"
    assert settled["data"]["order_status"] == "paid"


async def test_no_letter_of_a_payment_lacks_its_content(shop: Shop, receiver: Receiver) -> None:
    payment = await paid(shop, receiver)
    await modify(shop, payment, REFUND, 100, "r1")

    assert all(one["content"] for one in await letters(shop))


async def test_nobody_changes_what_a_letter_tells(shop: Shop, receiver: Receiver) -> None:
    await paid(shop, receiver)

    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="nothing else becomes of it"):
        await shop.sql("update announcement set content = '{}'")


async def test_letters_of_an_earlier_release_tell_how_things_stand(
    shop: Shop, receiver: Receiver
) -> None:
    payment = await paid(shop, receiver)
    await modify(shop, payment, REFUND, 100, "r1")
    await shop.sql("alter table announcement disable trigger announcement_is_kept")
    await shop.sql("update announcement set content = null")

    await every(shop)

    first, second = receiver.bodies()
    assert first["data"]["refunded_amount"] == second["data"]["refunded_amount"] == "1.00"
    assert second["data"]["refund"]["refund_id"] == "r1"
