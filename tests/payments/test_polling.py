"""Finding out: asked by a schedule and on demand, never too often, and never guessed."""

import asyncio
from contextlib import suppress
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
from tests.modifying import REFUND, modify
from tests.shop import Scripted, Shop
from tests.telling import TAKEN, Silent, Telling, news, post, waiting

from kassa import assembly
from kassa.base.domain.lifecycle import ModificationStatus, PaymentStatus
from kassa.base.domain.query_schedule import SLOTS
from kassa.connectors.base import ActionNeeded, InDoubt, NotSent, Outcome, Pending, Unknown
from kassa.modifications.usecases.modify_payment import sync_modification
from kassa.modifications.usecases.pursue_modifications import pursue_modifications
from kassa.operations.usecases.readiness import backlogs
from kassa.payments.domain.payments import Payment
from kassa.payments.store import payments
from kassa.payments.usecases.poll_payments import poll_payments, poller
from kassa.payments.usecases.sync_payment import sync_payment
from kassa.providers.usecases.fair_queue import Asking, QueuedQuery, turns_of
from kassa.reconciliation.usecases.breaks import list_breaks
from kassa.reconciliation.usecases.stuck_money import report_stuck_money
from kassa.settings import Settings

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("sound_in_the_end")]
DOUBT = InDoubt(reason="no answer")


async def doubtful(shop: Shop, provider: Scripted | None = None, account: str = "") -> Payment:
    """A payment that was sent, and not answered."""
    provider = provider or Silent()
    provider.answers.append(DOUBT)
    payment = await shop.payment()
    if not account:
        return await shop.play(payment, provider)
    shop.core.connectors[account] = provider
    return await shop.submit(payment, connector=account)


async def planned(shop: Shop, payment: Payment) -> Any:
    """(attempt's status, how long until the next question or None)."""
    [row] = await shop.sql(
        "select status, next_query_at - now() as pause from attempt where payment_id = $1",
        payment.id,
    )
    return row["status"], row["pause"]


async def test_a_worker_asks_at_the_times_of_the_schedule_and_a_week_later_it_is_work(
    shop: Shop,
) -> None:
    payment = await doubtful(shop)
    asked, reported, passed = [], [], timedelta(0)

    while passed <= timedelta(days=50):
        pause = (await planned(shop, payment))[1]
        wait = pause + timedelta(milliseconds=1)
        await shop.age(payment, f"{wait.total_seconds()} seconds")
        passed += wait
        asked.append(passed)
        turns_of(shop.core).buckets.clear()  # as much time has passed for the account's turns
        assert await poll_payments(shop.core) == 1
        if await report_stuck_money(shop.core):
            reported.append(passed)

    provider = shop.core.connectors["scripted"]
    assert isinstance(provider, Silent)
    assert len(provider.queried) == len(asked)
    # A slow machine may miss one of the first seconds.
    planned_ones = [at for at in asked if at < timedelta(days=31)]
    for place, (after, slot) in enumerate(reversed(SLOTS[3:]), 1):
        assert abs(planned_ones[-place] - after) < slot / 5 + timedelta(seconds=30)
    later = asked[len(planned_ones) - 1 :]
    assert len(later) > 2
    for before, at in pairwise(later):  # for ever after, once a week
        assert timedelta(days=4) < at - before < timedelta(days=10)
    [week] = reported
    assert timedelta(days=7) <= week < timedelta(days=8.5)
    [item] = await list_breaks(shop.core, shop.company.id)
    assert (item.problem, item.payment_id, item.found_minor) == ("undecided", payment.id, 10_000)
    assert (await shop.read(payment)).status is PaymentStatus.PROCESSING
    assert (await planned(shop, payment))[0] == "in_doubt"


async def test_fifty_who_ask_at_once_of_two_processes_make_one_question(
    shop: Shop, settings: Settings, database_url: str
) -> None:
    provider = Silent()
    payment = await doubtful(shop, provider)

    async with assembly.open_core(settings, database_url) as other:
        other.connectors["scripted"] = provider
        cores = (shop.core, other)
        for _ in range(2):
            await asyncio.gather(
                *(
                    sync_payment(core, payment.company_id, payment.id, actor="client")
                    for core in cores * 25
                )
            )
        assert len(provider.queried) == 1

        await shop.age(payment, "3 seconds")
        await asyncio.gather(
            *(sync_payment(core, payment.company_id, payment.id, actor="x") for core in cores * 5)
        )

    assert len(provider.queried) == 2


async def test_clients_who_ask_often_do_not_use_up_the_schedule(shop: Shop) -> None:
    payment = await doubtful(shop)

    for _ in range(30):
        await shop.sync(payment)
        await shop.sql("update attempt set last_query_at = null")

    _, pause = await planned(shop, payment)
    assert pause < timedelta(seconds=20)


async def test_doubt_ends_by_what_a_provider_answered_and_the_answer_is_kept(shop: Shop) -> None:
    payment = await doubtful(shop, Silent(queries=(DOUBT, TAKEN)))
    for _ in range(2):
        await shop.sync(payment)
        await shop.age(payment, "4 seconds")

    [answer] = await shop.sql("select * from provider_answer")
    [event] = await shop.sql(
        "select evidence ->> 'answer' as answer, actor from payment_event"
        " where payment_id = $1 and event = 'capture'",
        payment.id,
    )
    [attempt] = await shop.attempts(payment)
    assert (answer["payment_id"], answer["about"]) == (payment.id, attempt["id"])
    assert '"type": "Captured"' in answer["outcome"].replace('":"', '": "')
    assert (event["answer"], event["actor"]) == (answer["id"], "test")
    with pytest.raises(Exception, match="append-only"):
        await shop.sql("delete from provider_answer")


@pytest.mark.parametrize("said", [DOUBT, NotSent(reason="out"), Unknown(reason="no such charge")])
async def test_nothing_but_evidence_ends_a_doubt(shop: Shop, said: Outcome) -> None:
    payment = await doubtful(shop, Silent(queries=(said,) * 5))

    for _ in range(5):
        await shop.age(payment, "10 days")
        await poll_payments(shop.core)

    assert (await planned(shop, payment))[0] == "in_doubt"
    assert (await shop.read(payment)).status is PaymentStatus.PROCESSING
    assert (await shop.sql("select count(*) from provider_answer"))[0][0] == 0


async def test_news_pulls_the_next_question_forward(shop: Shop) -> None:
    provider = Telling()
    payment, key = await waiting(shop, provider)
    await shop.sql("update attempt set next_query_at = now() + interval '12 hours'")

    await post(shop, provider.tell(news(key, Pending(reference="ref"))))

    assert (await planned(shop, payment))[1] <= timedelta(0)
    await shop.sql("update attempt set last_query_at = now()")
    await post(shop, provider.tell(news(key, Pending(reference="ref"))))
    assert timedelta(seconds=1) < (await planned(shop, payment))[1] <= timedelta(seconds=3)


class Hanging(Silent):
    """It takes every question and answers none until it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.let_go = asyncio.Event()

    async def query(self, key: str, known: Any = None) -> Outcome:
        self.queried.append(key)
        await self.let_go.wait()
        return DOUBT


async def test_a_provider_that_hangs_takes_no_others_turn(shop: Shop) -> None:
    sick, well = Hanging(), Silent()
    for _ in range(20):
        await shop.age(await doubtful(shop, sick, "sick"), "2 hours")
    payments = [await doubtful(shop, well, "well") for _ in range(3)]
    for payment in payments:
        await shop.age(payment, "1 hour")
    polling = poller(limit=18)

    assert await polling.set_out(shop.core) == 18  # 15 of the sick one's, all of the other's
    for _ in range(200):
        if len(well.queried) == 3:
            break
        await asyncio.sleep(0.01)
    assert len(well.queried) == 3
    found = [await polling.set_out(shop.core) for _ in range(3)]
    assert sum(found) <= 1  # it is asked 16 at a time at most
    assert len(sick.queried) <= 16
    await shop.age(payments[0], "1 hour")
    assert await polling.set_out(shop.core) == 1

    sick.let_go.set()
    await polling.finish()


async def test_companies_take_turns_at_an_account_that_serves_several(shop: Shop) -> None:
    """What one company has open delays no question of another's, however much it is."""
    other = await shop.other_company()
    provider = Silent()
    for _ in range(12):
        payment = await doubtful(shop, provider)
        await shop.age(payment, "1 hour")
    provider.answers.append(DOUBT)
    single = await shop.payment(company=other, business_id=other.business_id)
    await shop.play(single, provider)
    await shop.age(single, "1 minute")

    async with shop.core.db.connection() as connection:
        found = await payments.to_query(connection, {"scripted": 4}, 200)

    assert len(found) == 4
    assert [company for company, _, _ in found].count(other.id) == 1


async def test_what_fails_by_a_fault_of_ours_is_not_tried_again_at_once(shop: Shop) -> None:
    busy: list[list[str]] = []

    async def find(_: Any, room: Any, limit: int, taken: Any) -> list[str]:
        busy.append(sorted(taken))
        return [one for one in ("broken", "sound") if one not in taken]

    async def ask(_: Any, item: str) -> None:
        if item == "broken":
            raise RuntimeError("a bug")

    asking = Asking(QueuedQuery(name="x", find=find, account=lambda _: "sandbox", key=str, ask=ask))
    for _ in range(3):
        await asking.set_out(shop.core)
        await asking.finish()

    assert busy == [[], ["broken"], ["broken"]]


async def test_a_refund_in_doubt_is_asked_about_by_the_same_schedule(shop: Shop) -> None:
    provider = Telling()
    payment = await shop.play(await shop.payment(), provider)
    provider.says.append(DOUBT)
    refund = (await modify(shop, payment, REFUND, 3_000)).modification
    provider.says_to_queries += [Pending(reference="rr")] * 100

    asked, passed = 0, timedelta(0)
    while passed <= timedelta(days=50):
        [row] = await shop.sql("select next_query_at - now() as pause from modification")
        passed += row["pause"]
        await shop.sql(
            "update modification set next_query_at = next_query_at - $1::interval,"
            " last_query_at = last_query_at - $1::interval, created_at = created_at - $1::interval,"
            " undecided_since = undecided_since - $1::interval",
            row["pause"] + timedelta(milliseconds=1),
        )
        asked += await pursue_modifications(shop.core)

    assert len(SLOTS) + 2 <= asked <= len(SLOTS) + 4
    assert len(provider.queried) == asked
    still = await sync_modification(shop.core, refund, actor="test")
    assert still.status is ModificationStatus.PROCESSING
    assert (await shop.read(payment)).refund_reserved.minor == 3_000
    for _ in range(2):
        await report_stuck_money(shop.core)
    [item] = await list_breaks(shop.core, shop.company.id)
    assert (item.problem, item.found_minor, item.connector) == ("undecided", 3_000, "scripted")


async def test_money_in_doubt_is_measured_by_account(shop: Shop) -> None:
    payment = await doubtful(shop, Silent(), "one")
    await doubtful(shop, Silent(), "one")
    await shop.age(payment, "100 seconds")
    provider = Telling()
    paid = await shop.play(await shop.payment(), provider)
    provider.says.append(DOUBT)
    await modify(shop, paid, REFUND, 3_000)

    text = (await backlogs(shop.core)).gauges()

    assert 'kassa_doubt_minor{account="one",currency="CNY"} 20000\n' in text
    assert 'kassa_doubt_minor{account="scripted",currency="CNY"} 3000\n' in text
    assert 'kassa_doubt_oldest_seconds{account="one"} 10' in text
    assert 'kassa_doubt_oldest_seconds{account="scripted"} ' in text


async def test_what_was_sent_and_never_decided_is_measured_too_and_who_waits_for_a_payer_is_not(
    shop: Shop,
) -> None:
    page = ActionNeeded(reference="r", url="https://provider.example/page")
    payments = {}
    for account, answer in {
        "page": page,
        "pending": Pending(reference="r"),
        "killed": RuntimeError("the process died"),
        "young": Pending(reference="r"),
    }.items():
        shop.core.connectors[account] = Silent(answer)
        payments[account] = await shop.payment()
        with suppress(RuntimeError):
            await shop.submit(payments[account], connector=account)
        if account != "young":
            await shop.age(payments[account], "1 minute")

    text = (await backlogs(shop.core)).gauges()

    for account in ("pending", "killed"):
        assert f'kassa_doubt_minor{{account="{account}",currency="CNY"}} 10000\n' in text
        assert f'kassa_doubt_oldest_seconds{{account="{account}"}} 6' in text
    assert 'account="page"' not in text
    assert 'account="young"' not in text
