"""Notifications that come together are kept together and applied together, each for itself."""

import asyncio

import pytest
from tests.faces.gateway.test_statements import Counted
from tests.payments.test_contention import held, soon
from tests.shop import Shop
from tests.telling import Telling, due, kept, news, post, waiting

from kassa.base.domain.lifecycle import PaymentStatus
from kassa.base.domain.money import Money
from kassa.connectors.base import Captured, Pending
from kassa.payments.domain.payments import Payment
from kassa.webhooks_in.usecases import receive
from kassa.webhooks_in.usecases.apply import apply_news

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("sound_in_the_end")]

MANY = 20


async def captured(shop: Shop, *payments: Payment) -> bool:
    return all([(await shop.read(one)).status is PaymentStatus.CAPTURED for one in payments])


async def test_twenty_that_come_together_take_few_statements_and_commits(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider = Telling()
    stories = [await waiting(shop, provider) for _ in range(MANY + 1)]
    await post(shop, provider.tell(news(stories.pop()[1])))
    counted = Counted(monkeypatch)

    answers = await asyncio.gather(*(post(shop, provider.tell(news(key))) for _, key in stories))

    assert {one.outcome for one in answers} == {"applied"}
    # The first comes alone and the others form the next batch: looked up, kept, applied.
    assert counted.sent.count("commit") <= 4, "\n".join(counted.sent)
    assert len(counted.sent) <= 26, "\n".join(counted.sent)
    assert await captured(shop, *(payment for payment, _ in stories))


async def test_what_a_process_left_is_applied_together(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider = Telling()
    stories = [await waiting(shop, provider) for _ in range(MANY)]

    async def dies(*_: object) -> None: ...

    with monkeypatch.context() as killed:
        killed.setattr(receive, "_apply_for_a_while", dies)
        await asyncio.gather(*(post(shop, provider.tell(news(key))) for _, key in stories))
    await due(shop)
    counted = Counted(monkeypatch)

    assert await apply_news(shop.core) == MANY

    assert counted.sent.count("commit") <= 2, "\n".join(counted.sent)
    assert await captured(shop, *(payment for payment, _ in stories))


async def test_one_whose_payment_or_letter_somebody_holds_makes_no_other_wait(
    shop: Shop, owner_url: str
) -> None:
    provider = Telling()
    held_order, held_letter, *others = [await waiting(shop, provider) for _ in range(MANY)]
    body = provider.tell(news(held_letter[1], Pending(reference="r"), name="n-held"))
    await post(shop, body)
    await shop.sql("update provider_news set applied_at = null, attempt_id = '', next_at = now()")
    order = "select from orders where id = $1 for update", held_order[0].order_id
    letter = "select from provider_news where dedupe_key = $1 for update", "n-held"
    async with held(owner_url, *order), held(owner_url, *letter):
        stuck = [
            asyncio.create_task(post(shop, provider.tell(news(held_order[1])))),
            asyncio.create_task(post(shop, body)),
        ]
        with soon():
            answers = await asyncio.gather(
                *(post(shop, provider.tell(news(key))) for _, key in others)
            )
        assert {one.outcome for one in answers} == {"applied"}
        assert await captured(shop, *(payment for payment, _ in others))
        assert not stuck[1].done()

    assert [(await one).status for one in stuck] == [200, 200]
    await due(shop)
    await apply_news(shop.core)
    assert await captured(shop, held_order[0])


async def test_one_that_an_open_transaction_keeps_makes_no_other_wait(
    shop: Shop, owner_url: str
) -> None:
    provider = Telling()
    stuck, *others = [await waiting(shop, provider) for _ in range(MANY)]
    insert = (
        "insert into provider_news (company_id, account, dedupe_key, attempt_id, body, next_at)"
        " values ($1, 'scripted', 'n-open', '', '', now())"
    )
    body = provider.tell(news(stuck[1], name="n-open"))
    async with held(owner_url, insert, shop.company.id):
        waits = asyncio.create_task(post(shop, body))
        await asyncio.sleep(0)
        with soon():
            answers = await asyncio.gather(
                *(post(shop, provider.tell(news(key))) for _, key in others)
            )
        assert {one.outcome for one in answers} == {"applied"}
        assert not waits.done()

    assert (await waits).outcome == "applied"
    assert await captured(shop, stuck[0], *(payment for payment, _ in others))


async def test_one_that_cannot_be_stored_or_applied_spoils_no_other(shop: Shop) -> None:
    provider = Telling()
    lied, *others = [await waiting(shop, provider) for _ in range(MANY)]
    unstorable = provider.tell(news(lied[1], Pending(reference="\x00")))
    mixed = provider.tell(news(lied[1], Captured(reference="r", amount=Money(10_000, "JPY"))))

    answers = await asyncio.gather(
        *(post(shop, provider.tell(news(key))) for _, key in others[:10]),
        post(shop, unstorable),
        post(shop, mixed),
        *(post(shop, provider.tell(news(key))) for _, key in others[10:]),
        return_exceptions=True,
    )

    assert [isinstance(one, Exception) for one in answers] == [False] * 10 + [True] + [False] * 10
    assert await captured(shop, *(payment for payment, _ in others))
    assert (await shop.read(lied[0])).status is PaymentStatus.PROCESSING


async def test_letters_of_a_payment_are_applied_in_the_order_in_which_they_came(
    shop: Shop,
) -> None:
    provider = Telling()
    stories = [await waiting(shop, provider) for _ in range(4)]
    told = [
        provider.tell(news(key, Pending(reference=f"told-{turn}")))
        for turn in range(5)
        for _, key in stories
    ]

    await asyncio.gather(*(post(shop, body) for body in told))

    for payment, _ in stories:
        rows = await shop.sql(
            "select evidence ->> 'reference' as reference from payment_event"
            " where payment_id = $1 and evidence ? 'news' order by seq",
            payment.id,
        )
        assert [row["reference"] for row in rows] == [f"told-{turn}" for turn in range(5)]


async def test_one_letter_that_comes_many_times_at_once_is_kept_and_applied_once(
    shop: Shop,
) -> None:
    provider = Telling()
    payment, key = await waiting(shop, provider)
    body = provider.tell(news(key))

    answers = await asyncio.gather(*(post(shop, body) for _ in range(MANY)))

    assert [one.status for one in answers] == [200] * MANY
    assert [one.outcome for one in answers].count("applied") == 1
    assert await kept(shop) == [("captured", True)]
    assert await captured(shop, payment)
    count = "select count(*) from posting where kind = 'capture'"
    assert (await shop.sql(count))[0][0] == 1


async def test_what_is_unknown_here_has_room_for_so_many_and_no_more_at_once(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(receive, "_MOST_UNKNOWN", 3)
    provider = Telling()
    _, known = await waiting(shop, provider)
    strangers = [f"at{shop.company.number}_{number:026d}" for number in range(10)]

    answers = await asyncio.gather(
        *(post(shop, provider.tell(news(one))) for one in (*strangers, known))
    )

    assert [one.outcome for one in answers] == ["parked"] * 3 + ["foreign"] * 7 + ["applied"]
