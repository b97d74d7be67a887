"""The inbox: kept before it is acknowledged, applied once, in any order, by any process."""

import asyncio
import hashlib
import itertools
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest
from tests.modifying import REFUND, modify
from tests.shop import Shop
from tests.telling import TAKEN, Telling, due, keep, kept, news, post, waiting

from kassa import assembly
from kassa.base.domain.lifecycle import (
    DisputeStage,
    DisputeStatus,
    ModificationStatus,
    PaymentStatus,
)
from kassa.base.domain.money import Money
from kassa.base.usecases.core import Core
from kassa.connectors.base import (
    DisputeEvent,
    Done,
    ForeignEvent,
    ForeignReason,
    IrrelevantEvent,
    ModificationEvent,
    Outcome,
    Pending,
)
from kassa.connectors.unread import unread
from kassa.identity.domain.principals import Mode
from kassa.operations.usecases.readiness import backlogs
from kassa.payments.domain.payments import Payment
from kassa.providers.domain.providers import AccountStatus, ProviderAccount
from kassa.providers.usecases.provider_accounts import list_accounts
from kassa.reconciliation.usecases.breaks import list_breaks
from kassa.settings import Settings
from kassa.webhooks_in.usecases import receive
from kassa.webhooks_in.usecases.apply import apply_news

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("sound_in_the_end")]
NOW = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
MONEY = Money(10_000, "CNY")


def dispute(key: str) -> DisputeEvent:
    return DisputeEvent(
        dedupe_key=f"dispute of {key}",
        key=key,
        reference=f"d of {key}",
        stage=DisputeStage.CHARGEBACK,
        status=DisputeStatus.NEEDS_RESPONSE,
        amount=MONEY,
        fee=Money(1_500, "CNY"),
        reason="fraud",
        respond_by=NOW,
    )


def owned_by(shop: Shop, company_id: str, status: AccountStatus = AccountStatus.ACTIVE) -> None:
    shop.core.accounts["scripted"] = ProviderAccount(
        company_id=company_id,
        name="scripted",
        connector="scripted",
        mode=Mode.TEST,
        status=status,
    )


def also_at(core: Core, provider: Telling) -> None:
    cast("dict[str, Any]", core.connectors)["scripted"] = provider


async def test_it_is_kept_whole_but_for_the_credentials(shop: Shop) -> None:
    provider = Telling()
    _, key = await waiting(shop, provider)
    body = provider.tell(news(key, name="n-1"))

    answer = await post(shop, body, target="/providers/scripted?a=1")

    assert (answer.status, answer.body, answer.outcome) == (200, b"thanks", "applied")
    [row] = await shop.sql("select * from provider_news")
    assert (bytes(row["body"]), row["account"], row["dedupe_key"]) == (body, "scripted", "n-1")
    assert row["headers"] == '{"x-mark":"m"}' or row["headers"] == '{"x-mark": "m"}'
    assert (row["attempt_id"], row["result"], row["next_at"]) == (key, "captured", None)
    [about] = provider.heard_about
    assert about["target"] == "/providers/scripted?a=1"
    assert datetime.now(UTC) - about["received_at"] < timedelta(minutes=1)


async def test_what_a_notification_decided_names_it(shop: Shop) -> None:
    provider = Telling()
    payment, key = await waiting(shop, provider)

    await post(shop, provider.tell(news(key, name="n-1")))

    rows = await shop.sql(
        "select evidence ->> 'news' as news from payment_event where payment_id = $1 and"
        " event = 'capture'",
        payment.id,
    )
    assert [row["news"] for row in rows] == ["n-1"]


async def test_irrelevant_news_is_acknowledged_and_not_kept(shop: Shop) -> None:
    provider = Telling()
    await waiting(shop, provider)

    answer = await post(shop, provider.tell(IrrelevantEvent(event="customer.created")))

    assert (answer.status, answer.body, answer.outcome) == (200, b"thanks", "irrelevant")
    assert await kept(shop) == []


async def test_a_disabled_account_still_receives(shop: Shop) -> None:
    provider = Telling()
    payment, key = await waiting(shop, provider)
    owned_by(shop, shop.company.id, AccountStatus.DISABLED)

    await post(shop, provider.tell(news(key)))

    assert (await shop.read(payment)).status is PaymentStatus.CAPTURED


async def test_news_of_another_companys_payment_is_misaddressed(shop: Shop) -> None:
    provider = Telling()
    payment, key = await waiting(shop, provider)
    [row] = await shop.attempts(payment)
    other = await shop.other_company()
    owned_by(shop, other.id)

    for said in (
        news(key),
        news("", reference=row["provider_reference"]),
        news("ours-1", reference=""),
        news(f"at{other.number}_\x00"),
    ):
        answer = await post(shop, provider.tell(said))
        assert answer.outcome in ("foreign", "parked")
        if said.key:
            assert (answer.status, answer.body) == (200, b"thanks")

    assert (await shop.read(payment)).status is PaymentStatus.PROCESSING
    assert [applied for _, applied in await kept(shop)] == [False]  # the reference, of nobody's


async def test_news_that_names_the_providers_reference_alone_finds_its_charge(shop: Shop) -> None:
    provider = Telling()
    payment, _ = await waiting(shop, provider)
    [row] = await shop.attempts(payment)

    answer = await post(shop, provider.tell(news("", reference=row["provider_reference"])))

    assert answer.outcome == "applied"
    assert (await shop.read(payment)).status is PaymentStatus.CAPTURED


async def test_news_that_comes_before_our_own_answer_waits_for_its_reference(shop: Shop) -> None:
    provider = Telling()
    owned_by(shop, shop.company.id)
    told: list[str] = []

    async def charge(request: Any) -> Outcome:
        answer = await post(shop, provider.tell(news("", reference="ref-1")))
        told.append(answer.outcome)
        return Pending(reference="ref-1")

    provider.answers.append(charge)
    payment = await shop.play(await shop.payment(), provider)
    assert (told, payment.status) == (["parked"], PaymentStatus.PROCESSING)
    await due(shop)

    assert await apply_news(shop.core) == 1

    assert (await shop.read(payment)).status is PaymentStatus.CAPTURED
    assert await kept(shop) == [("captured", True)]


async def test_news_that_comes_before_our_own_answer_is_not_undone_by_it(shop: Shop) -> None:
    provider = Telling()

    async def charge(request: Any) -> Outcome:
        await post(shop, provider.tell(news(request.key)))
        return Pending(reference="ref-1")

    provider.answers.append(charge)
    payment = await shop.play(await shop.payment(), provider)

    assert payment.status is PaymentStatus.CAPTURED
    assert (await shop.timeline(payment)).count("capture captured") == 1


async def test_parked_news_is_tried_for_a_day_and_then_is_somebodys_work(shop: Shop) -> None:
    provider = Telling()
    await waiting(shop, provider)
    stranger = provider.tell(news(f"at{shop.company.number}_never", name="n-1"))
    assert (await post(shop, stranger)).outcome == "parked"

    tries = []
    for _ in range(3):
        await due(shop)
        assert await apply_news(shop.core) == 1
        [row] = await shop.sql("select tries, next_at > now() as later from provider_news")
        tries.append((row["tries"], row["later"]))
    assert tries == [(1, True), (2, True), (3, True)]
    assert await apply_news(shop.core) == 0  # its pause is not over
    assert await list_breaks(shop.core, shop.company.id) == []
    await shop.sql("update provider_news set received_at = now() - interval '25 hours'")
    await due(shop)
    await apply_news(shop.core)

    [item] = await list_breaks(shop.core, shop.company.id)
    assert (item.problem, item.connector) == ("unknown_news", "scripted")
    assert "n-1" in item.details
    assert await kept(shop) == [("unknown", False)]
    assert await apply_news(shop.core) == 0
    assert (await post(shop, stranger)).outcome == "duplicate"


async def test_what_was_kept_and_cannot_be_read_any_more_ends_as_somebodys_work(shop: Shop) -> None:
    provider = Telling()
    await waiting(shop, provider)
    await post(shop, provider.tell(news(f"at{shop.company.number}_never")))
    await shop.sql(
        """update provider_news
        set news = '{"type": "Gone"}', received_at = now() - interval '25 hours'"""
    )
    await shop.reseal("provider_news")
    await due(shop)

    assert await apply_news(shop.core) == 1

    assert await kept(shop) == [("unknown", False)]
    assert len(await list_breaks(shop.core, shop.company.id)) == 1


async def test_a_kill_between_keeping_and_applying_costs_nothing(shop: Shop) -> None:
    provider = Telling()
    payment, key = await waiting(shop, provider)
    said = news(key)
    await keep(shop, said, lease=timedelta(seconds=10))
    assert await apply_news(shop.core) == 0  # whoever kept it may still be alive
    await due(shop)

    assert await apply_news(shop.core) == 1

    assert (await shop.read(payment)).status is PaymentStatus.CAPTURED
    assert await kept(shop) == [("captured", True)]


async def test_on_two_processes_each_notification_is_applied_once(
    shop: Shop, settings: Settings, database_url: str
) -> None:
    provider = Telling()
    stories = [await waiting(shop, provider) for _ in range(5)]
    bodies = [provider.tell(dispute(key)) for _, key in stories]
    for (_, key), body in zip(stories, bodies, strict=True):
        assert (await post(shop, body)).outcome == "parked"  # it is not paid yet
        await post(shop, provider.tell(news(key)))
    await due(shop)

    async with assembly.open_core(settings, database_url) as other:
        also_at(other, provider)
        cores = (shop.core, other)
        await asyncio.gather(
            *(apply_news(core) for core in cores * 4),
            *(post(shop, body, core=core) for core in cores for body in bodies),
        )

    for payment, _ in stories:
        assert (await shop.read(payment)).disputed_minor == 10_000
    count = "select count(*) from posting where kind = $1"
    assert [(await shop.sql(count, kind))[0][0] for kind in ("dispute", "capture")] == [5, 5]
    assert {applied for _, applied in await kept(shop)} == {True}


async def test_a_dispute_that_was_won_is_not_lost_by_old_news_applied_again(shop: Shop) -> None:
    provider = Telling()
    payment, key = await waiting(shop, provider)
    await post(shop, provider.tell(news(key)))
    opened = provider.tell(dispute(key))
    won = replace(dispute(key), dedupe_key="won", status=DisputeStatus.WON)
    for body in (opened, provider.tell(won), opened):
        await post(shop, body)

    await due(shop)
    await apply_news(shop.core)

    assert (await shop.read(payment)).disputed_minor == 0


async def told_in_this_order(shop: Shop, order: tuple[str, ...]) -> tuple[Any, ...]:
    """A payment and its refund, of which news comes in that order, each of it twice."""
    provider = Telling()
    payment, key = await waiting(shop, provider)
    said: dict[str, bytes] = {
        "pending": provider.tell(news(key, Pending(reference="ref"))),
        "paid": provider.tell(news(key, TAKEN)),
        "disputed": provider.tell(replace(dispute(key), amount=Money(4_000, "CNY"))),
        "refunded": b"",
    }
    for name in order:
        if name != "refunded":
            for _ in range(2):
                await post(shop, said[name])
            continue
        # The refund is asked for as soon as there is money to give back.
        if not (await shop.read(payment)).is_paid:
            await post(shop, said["paid"])
        provider.says.append(Pending(reference="rr"))
        asked = (await modify(shop, payment, REFUND, 3_000)).modification
        done = Done(reference="rr", amount=asked.amount)
        again = provider.tell(ModificationEvent(dedupe_key=asked.id, key=asked.id, outcome=done))
        for _ in range(2):
            await post(shop, again)
    await due(shop)
    await apply_news(shop.core)
    return await standing(shop, payment)


async def standing(shop: Shop, payment: Payment) -> tuple[Any, ...]:
    now = await shop.read(payment)
    entries = await shop.sql(
        "select p.kind, e.account, sum(e.amount_minor)::bigint as minor from posting p"
        " join entry e on e.posting_id = p.id where p.payment_id = $1 group by 1, 2 order by 1, 2",
        payment.id,
    )
    refunds = await shop.sql("select status from modification where payment_id = $1", payment.id)
    return (
        now.status,
        now.captured.minor,
        now.refunded.minor,
        now.refund_reserved.minor,
        now.disputed_minor,
        now.surplus,
        [tuple(row) for row in entries],
        [row["status"] for row in refunds],
    )


async def test_any_order_of_the_same_news_ends_in_the_same_state(shop: Shop) -> None:
    names = ("pending", "paid", "disputed", "refunded")

    ends = [await told_in_this_order(shop, order) for order in itertools.permutations(names)]

    assert all(end == ends[0] for end in ends)
    assert ends[0][:6] == (PaymentStatus.CAPTURED, 10_000, 3_000, 0, 4_000, False)
    assert ends[0][7] == [ModificationStatus.SUCCEEDED]
    assert {applied for _, applied in await kept(shop)} == {True}


async def test_only_so_much_waits_for_what_nobody_knows_here(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(receive, "_MOST_UNKNOWN", 3)
    provider = Telling()
    payment, key = await waiting(shop, provider)
    strangers = [f"at{shop.company.number}_{number:026d}" for number in range(5)]

    answers = [await post(shop, provider.tell(news(one))) for one in strangers]

    assert [one.outcome for one in answers] == ["parked"] * 3 + ["foreign"] * 2
    assert {one.status for one in answers} == {200}
    assert len(await kept(shop)) == 3
    await post(shop, provider.tell(news(key)))  # what is known has room all the same
    assert (await shop.read(payment)).status is PaymentStatus.CAPTURED


async def test_what_nobody_ever_knew_is_one_piece_of_work_a_day(shop: Shop) -> None:
    provider = Telling()
    await waiting(shop, provider)
    for number in range(4):
        await post(shop, provider.tell(news(f"at{shop.company.number}_{number:026d}")))
    await shop.sql("update provider_news set received_at = now() - interval '25 hours'")
    await due(shop)

    await apply_news(shop.core)

    assert [one.problem for one in await list_breaks(shop.core, shop.company.id)] == [
        "unknown_news"
    ]


async def test_foreign_news_is_counted_and_shown_and_not_kept(shop: Shop) -> None:
    provider = Telling()
    await waiting(shop, provider)
    owned_by(shop, shop.company.id)
    strange = ForeignEvent(why=ForeignReason.ACCOUNT, event="payment.captured")

    answers = await asyncio.gather(*(post(shop, provider.tell(strange)) for _ in range(7)))
    await post(shop, provider.tell(news("R-1001")))

    assert {(one.status, one.body, one.outcome) for one in answers} == {(200, b"thanks", "foreign")}
    assert await kept(shop) == []
    [view] = [
        one
        for one in await list_accounts(shop.core, shop.company.id)
        if one.account.name == "scripted"
    ]
    shown = {one.why: (one.many, one.event) for one in view.foreign}
    assert shown == {"account": (7, "payment.captured"), "reference": (1, "")}
    text = (await backlogs(shop.core)).gauges()
    assert 'kassa_foreign_notifications_total{account="scripted",why="account"} 7\n' in text


async def test_what_cannot_be_read_is_kept_and_its_charge_asked_about(shop: Shop) -> None:
    provider = Telling()
    payment, key = await waiting(shop, provider)
    await shop.sql("update attempt set next_query_at = now() + interval '1 hour'")
    said = [unread(b"%d %s" % (number, key.encode()), "a newer version") for number in range(2)]

    for one in said:
        answer = await post(shop, provider.tell(one))
        assert (answer.status, answer.outcome) == (200, "unread")

    assert [one.key for one in said] == [key, key]
    assert [applied for _, applied in await kept(shop)] == [True, True]
    [row] = await shop.sql("select next_query_at <= now() + interval '5 s' as soon from attempt")
    assert row["soon"]
    assert (await shop.read(payment)).status is PaymentStatus.PROCESSING
    [item] = await list_breaks(shop.core, shop.company.id)  # of a version one in a day
    assert (item.problem, item.payment_id) == ("unknown_news", "")
    assert "a newer version" in item.details


async def test_what_no_question_would_tell_is_for_a_person_by_payment(shop: Shop) -> None:
    provider = Telling()
    payment, key = await waiting(shop, provider)
    await post(shop, provider.tell(news(key)))
    said = unread(key.encode(), "a dispute in words that are not known", for_people=True)

    for _ in range(2):
        assert (await post(shop, provider.tell(said))).status == 200

    [item] = await list_breaks(shop.core, shop.company.id)
    assert (item.problem, item.payment_id) == ("unknown_news", payment.id)
    assert (await shop.read(payment)).status is PaymentStatus.CAPTURED


async def test_what_cannot_be_read_and_names_nothing_of_ours_is_foreign(shop: Shop) -> None:
    provider = Telling()
    await waiting(shop, provider)

    for body in (b"R-1001", b"at1_01kb0000000000000000000001"):
        answer = await post(shop, provider.tell(unread(body, "a newer version")))
        assert (answer.status, answer.outcome) == (200, "foreign")

    assert await kept(shop) == []


async def test_what_was_not_understood_does_not_stand_in_the_way_of_the_same_letter(
    shop: Shop,
) -> None:
    provider = Telling()
    payment, key = await waiting(shop, provider)
    body = key.encode()
    understood = news(key, name=hashlib.sha256(body).hexdigest())

    await post(shop, provider.tell(unread(body, "a newer version")))
    answer = await post(shop, provider.tell(understood))

    assert answer.outcome == "applied"
    assert (await shop.read(payment)).status is PaymentStatus.CAPTURED
