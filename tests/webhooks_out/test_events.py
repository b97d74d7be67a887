"""What was told can be found, looked at and told again; every try is kept for a time."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from tests.shop import Shop
from tests.webhooks_out.test_deliver import Receiver, deliver, paid, receiver, wait_out

from kassa.base.domain.errors import InvalidRequest, NotFound
from kassa.webhooks_out.store.events import EventQuery
from kassa.webhooks_out.usecases.events import (
    forget_deliveries,
    list_events,
    replay,
    resend,
    show_event,
)

pytestmark = pytest.mark.anyio
__all__ = ["receiver"]


async def dead(shop: Shop, receiver: Receiver) -> str:
    """The id of an event that was tried as often as the schedule has it, in vain."""
    receiver.answers, receiver.body = [500], b"down\x00 for \xff today"
    await paid(shop, receiver)
    while await deliver(shop):
        await wait_out(shop)
    [event] = await list_events(shop.core, EventQuery(company_id=shop.company.id, state="dead"))
    return event.id


async def test_a_dead_letter_is_found_and_shown_with_each_of_its_tries(
    shop: Shop, receiver: Receiver
) -> None:
    event_id = await dead(shop, receiver)

    event, tries = await show_event(shop.core, shop.company.id, event_id)

    assert (event.event_type, event.state, event.last_status) == ("payment.paid", "dead", 500)
    assert len(tries) == len(receiver.got) == 10
    assert {(one.status, one.error) for one in tries} == {(500, "answered 500")}
    assert tries[0].answer == "down\ufffd for \ufffd today"
    assert all(0 <= one.milliseconds < 15_000 for one in tries)


async def test_it_is_sent_again_in_the_same_bytes_under_the_same_id(
    shop: Shop, receiver: Receiver
) -> None:
    event_id = await dead(shop, receiver)
    receiver.answers = [200]

    assert await resend(shop.core, shop.company.id, [event_id], reason="it was down") == [event_id]
    await deliver(shop)

    event, tries = await show_event(shop.core, shop.company.id, event_id)
    assert (event.state, event.tries, len(tries)) == ("delivered", 1, 11)
    assert {head["webhook-id"] for head, _, _ in receiver.got} == {event_id}
    assert len({body for _, body, _ in receiver.got}) == 1
    [row] = await shop.sql("select act, object, reason from audit where act like 'event.%'")
    assert tuple(row) == ("event.sent_again", event_id, "it was down")
    assert await shop.faults() == []


async def test_a_delivered_one_goes_out_again_as_well(shop: Shop, receiver: Receiver) -> None:
    await paid(shop, receiver)
    await deliver(shop)
    [event] = await list_events(shop.core, EventQuery(company_id=shop.company.id))

    await resend(shop.core, shop.company.id, [event.id])

    assert await deliver(shop) == 1
    assert len(receiver.got) == 2


async def test_of_unknown_ids_none_is_sent(shop: Shop, receiver: Receiver) -> None:
    event_id = await dead(shop, receiver)

    for wrong in ("ntf_nobody", "a\x00b", "x" * 501):
        with pytest.raises(NotFound):
            await resend(shop.core, shop.company.id, [event_id, wrong])
    with pytest.raises(NotFound):
        await resend(shop.core, (await shop.other_company()).id, [event_id])

    assert await deliver(shop) == 0


async def test_a_time_is_told_again_and_only_what_is_asked_for(
    shop: Shop, receiver: Receiver
) -> None:
    for _ in range(3):
        await paid(shop, receiver)
    await shop.submit(await shop.payment(notify_url=receiver.url), "declined")
    while await deliver(shop):
        continue
    said: list[int] = []
    asked = EventQuery(
        company_id=shop.company.id,
        event_type="payment.paid",
        since=datetime.now(UTC) - timedelta(hours=1),
    )

    assert await replay(shop.core, asked, told=said.append) == 3

    while await deliver(shop):
        continue
    assert said == [3]
    types = [body["type"] for body in receiver.bodies()]
    assert (types.count("payment.paid"), types.count("payment.failed")) == (6, 1)
    assert await replay(shop.core, replace(asked, until=asked.since)) == 0


async def test_events_are_found_by_order_payment_and_state(shop: Shop, receiver: Receiver) -> None:
    one, other = await paid(shop, receiver), await paid(shop, receiver)
    await deliver(shop)

    async def ids(**asked: str) -> list[str]:
        query = EventQuery(company_id=shop.company.id, **asked)
        return [event.payment_id for event in await list_events(shop.core, query)]

    assert await ids(about=one.id) == [one.id]
    assert await ids(about=other.order_id) == [other.id]
    assert await ids(state="waiting") == []
    assert sorted(await ids(state="delivered")) == sorted([one.id, other.id])
    with pytest.raises(InvalidRequest, match="waiting, delivered, dead"):
        await ids(state="lost")


async def test_tries_are_dropped_after_their_time_and_what_was_told_stays(
    shop: Shop, receiver: Receiver
) -> None:
    await paid(shop, receiver)
    await deliver(shop)
    assert await forget_deliveries(shop.core) == 0

    await shop.sql("update delivery set at = now() - interval '91 days'")

    assert await forget_deliveries(shop.core) == 1
    [event] = await list_events(shop.core, EventQuery(company_id=shop.company.id))
    assert await show_event(shop.core, shop.company.id, event.id) == (event, [])
