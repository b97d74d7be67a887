"""A provider that was silent answers again: what waited for it does not wait for its schedule."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from tests.modifying import REFUND, modify
from tests.shop import Shop
from tests.telling import Telling

from kassa import assembly
from kassa.base.domain.lifecycle import ModificationStatus, PaymentStatus
from kassa.base.domain.money import Money
from kassa.base.usecases.core import Core
from kassa.connectors.base import (
    ActionNeeded,
    Captured,
    Done,
    InDoubt,
    ModificationOutcome,
    ModificationRequest,
    Outcome,
    Pending,
)
from kassa.modifications.usecases.pursue_modifications import pursue_modifications
from kassa.payments.domain.payments import Payment
from kassa.payments.usecases.poll_payments import poll_payments
from kassa.providers.usecases.fair_queue import FairQueue, turns_of
from kassa.providers.usecases.recovery import probe_silent
from kassa.settings import Settings

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("sound_in_the_end")]
DOUBT = InDoubt(reason="no answer")
LOST = InDoubt(reason="the connection broke", lost=True)
PAGE = ActionNeeded(reference="page", url="https://provider.example/page")


class Moody(Telling):
    """Silent until it is `well`; then it has taken what it was sent, and given back what it was
    asked for. What it never tells of: `mute`."""

    def __init__(self) -> None:
        super().__init__()
        self.well = False
        self.mute: set[str] = set()

    async def query(self, key: str, known: Any = None) -> Outcome:
        self.queried.append(key)
        if not self.well or key in self.mute:
            return DOUBT
        return Captured(reference=f"ref of {key}", amount=Money(10_000, "CNY"))

    async def query_modification(self, request: ModificationRequest) -> ModificationOutcome:
        self.queried.append(request.key)
        return Done(reference="r", amount=request.amount) if self.well else DOUBT


class Time:
    """Passes for the database's rows and the process's turns and breakers alike."""

    def __init__(self, shop: Shop) -> None:
        self.shop = shop
        self.passed = 0.0  # seconds, not money
        self.clock = lambda: self.passed
        shop.core.gatherers["turns"] = FairQueue(clock=self.clock)

    async def passes(self, seconds: float) -> None:  # seconds, not money
        self.passed += seconds
        for lane in self.shop.core.gatherers.get("provider calls", {}).values():
            breaker = lane.breaker
            if breaker.clock is not self.clock:
                breaker.clock, breaker.open_until = self.clock, 0
                breaker.start_over()
        for table in ("attempt", "modification"):
            await self.shop.sql(
                f"update {table} set created_at = created_at - $1::interval,"
                " next_query_at = next_query_at - $1::interval,"
                " last_query_at = last_query_at - $1::interval,"
                " undecided_since = undecided_since - $1::interval",
                timedelta(seconds=seconds),
            )
        await self.shop.sql(
            "update provider_silence set since = since - $1::interval,"
            " probe_at = probe_at - $1::interval,"
            " recovers_until = recovers_until - $1::interval",
            timedelta(seconds=seconds),
        )


async def rounds(core: Core) -> None:
    await probe_silent(core)
    await poll_payments(core)
    await pursue_modifications(core)


async def sent(shop: Shop, provider: Moody, answer: Outcome = LOST) -> Payment:
    provider.answers.append(answer)
    return await shop.play(await shop.payment(), provider)


async def undecided(shop: Shop) -> int:
    [row] = await shop.sql("select count(*) as many from payment where status = 'processing'")
    many: int = row["many"]
    return many


async def silent_for_hours(shop: Shop, time: Time) -> None:
    """Everything was asked about in vain, and its next question is an hour away."""
    for _ in range(2):
        await time.passes(7_200)
        await rounds(shop.core)
    await shop.sql(
        "update attempt set last_query_at = now() - interval '10 minutes',"
        " next_query_at = now() + interval '1 hour'"
        " where next_query_at is not null"
    )
    await time.passes(10)


async def test_two_hundred_in_flight_are_decided_soon_after_a_long_silence(shop: Shop) -> None:
    provider, time = Moody(), Time(shop)
    await asyncio.gather(*(sent(shop, provider) for _ in range(200)))
    await silent_for_hours(shop, time)
    assert await undecided(shop) == 200

    provider.well = True
    asked = len(provider.queried)
    started = time.passed
    while await undecided(shop) and time.passed < started + 60:
        await rounds(shop.core)
        await time.passes(1)

    assert await undecided(shop) == 0
    assert 200 <= len(provider.queried) - asked <= 240
    assert time.passed - started >= 8  # at the pace of the account's turns, not all at once


async def test_while_it_is_silent_it_is_asked_one_question_now_and_then(shop: Shop) -> None:
    provider, time = Moody(), Time(shop)
    for _ in range(3):
        await sent(shop, provider)
    await silent_for_hours(shop, time)

    asked = len(provider.queried)
    for _ in range(60):
        await time.passes(5)
        await rounds(shop.core)

    assert 8 <= len(provider.queried) - asked <= 11  # after hours: every 30 s
    assert set(provider.queried[asked:]) == {
        row["id"] for row in await shop.sql("select id from attempt")
    }


async def test_another_process_hears_the_answer_and_this_one_asks(
    shop: Shop, settings: Settings, database_url: str
) -> None:
    provider, time = Moody(), Time(shop)
    payments = [await sent(shop, provider) for _ in range(5)]
    await silent_for_hours(shop, time)
    provider.well = True

    async with assembly.open_core(settings, database_url) as other:
        other.connectors["scripted"] = provider
        home, shop.core = shop.core, other
        await shop.sync(payments[0])
        shop.core = home
    await time.passes(1)
    await poll_payments(shop.core)

    assert await undecided(shop) == 0


async def test_who_waits_for_a_payer_keeps_the_schedule(shop: Shop) -> None:
    provider, time = Moody(), Time(shop)
    payer = await sent(shop, provider, PAGE)
    doubtful = await sent(shop, provider)
    pending = await sent(shop, provider, Pending(reference="p"))
    await silent_for_hours(shop, time)
    provider.well = True

    for _ in range(10):
        await rounds(shop.core)
        await time.passes(5)

    assert (await shop.read(doubtful)).status is PaymentStatus.CAPTURED
    assert (await shop.read(pending)).status is PaymentStatus.CAPTURED
    assert (await shop.read(payer)).status is PaymentStatus.REQUIRES_ACTION
    [row] = await shop.sql(
        "select next_query_at - now() as pause from attempt where payment_id = $1", payer.id
    )
    assert row["pause"] > timedelta(minutes=50)


async def test_a_refund_in_doubt_is_pulled_forward_too(shop: Shop) -> None:
    provider, time = Moody(), Time(shop)
    paid = await shop.play(await shop.payment(), provider)
    provider.says.append(DOUBT)
    refund = (await modify(shop, paid, REFUND, 3_000)).modification
    for _ in range(10):
        await time.passes(7_200)
        await rounds(shop.core)
    await time.passes(60)
    provider.well = True

    await rounds(shop.core)

    [row] = await shop.sql("select status from modification where id = $1", refund.id)
    assert row["status"] == ModificationStatus.SUCCEEDED


async def test_one_charge_that_is_never_told_of_is_no_silence(shop: Shop) -> None:
    provider, time = Moody(), Time(shop)
    provider.well = True
    lost = await sent(shop, provider)
    [attempt] = await shop.attempts(lost)
    provider.mute.add(attempt["id"])
    await time.passes(7_200)

    for _ in range(60):
        await rounds(shop.core)
        await sent(shop, provider)
        await time.passes(5)

    assert provider.queried.count(attempt["id"]) <= 3


async def test_a_silence_that_ended_here_and_goes_on_there_loses_nobody(shop: Shop) -> None:
    provider, time = Moody(), Time(shop)
    for _ in range(30):
        await sent(shop, provider)
    await silent_for_hours(shop, time)
    provider.well = True
    await rounds(shop.core)  # the first answer
    provider.well = False
    await time.passes(1)
    await rounds(shop.core)  # and what is asked now is not answered
    await time.passes(7)
    provider.well = True

    for _ in range(20):
        await rounds(shop.core)
        await time.passes(2)

    assert await undecided(shop) == 0
    assert turns_of(shop.core).room(["scripted"])
