"""A database that the release of before filled is upgraded: nothing is lost, and life goes on."""

import json
import tempfile
from collections.abc import AsyncIterator, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from tests.databases import Databases, in_database
from tests.modifying import CAPTURE, REFUND, Obedient, modify
from tests.proof.test_seals import chain_all
from tests.reports import Reporter
from tests.shop import Shop
from tests.upgrade.figures import figures
from tests.upgrade.kept import Older, copy

from kassa import assembly
from kassa import demo as demo_company
from kassa.base.domain.lifecycle import BreakClass, DisputeStage, DisputeStatus, PaymentStatus
from kassa.base.domain.money import Money
from kassa.base.store.migrate import migrate
from kassa.base.usecases.core import Core
from kassa.cli.telling import as_json, as_text
from kassa.connectors.base import Captured, DisputeEvent, Done, InDoubt
from kassa.disputes.usecases.disputes import take_dispute_news
from kassa.identity.usecases.companies import get_company
from kassa.modifications.usecases.modify_payment import take_modification_news
from kassa.orders.usecases.expire_orders import expire_orders
from kassa.payments.domain import facts
from kassa.payments.domain.payments import Attempt, Payment
from kassa.payments.usecases.explain import PaymentHistory, explain
from kassa.payments.usecases.find_payments import get_payment
from kassa.payments.usecases.submit_payment import take_news
from kassa.proof.usecases.old_rows import seal_old_rows
from kassa.proof.usecases.verify import verify_books
from kassa.reconciliation.usecases.breaks import list_breaks
from kassa.settings import Settings
from kassa.settlement.usecases.settlements import close_settlements
from kassa.workers.rounds import standard_chores

pytestmark = pytest.mark.anyio
COMPANY = "cmp_shop"
_BEHIND_THE_TIME = 28
S = PaymentStatus

BETTER = {
    ("accepted, then paid", "payment.provider_reference"): "known since it was accepted",
    ("accepted, then paid", "attempts"): "likewise",
    ("captured after its void", "attempts"): "no surplus before there was any",
    ("captured after its void", "payment.captured"): "what came after its end was captured",
    ("captured after its void", "payment.surplus"): "and it was surplus",
    ("reported in part, then settled", "payment.settled_minor"): "by as much as the line said",
}
"""Where `--as-of` tells more, or truer, than it did: which life, what of it, and why."""

WORDS = {
    "note (failed), by provider scripted": "the provider says another amount",
    "fee known (captured), by provider scripted": "the provider's own fee",
    "settle  captured → settled, by reconciliation": "settle: all of it was reported",
}
"""Headings that read another way now, and the new words; no reader of before knows less by them."""


@pytest.fixture(scope="session")
def older() -> Older:
    return Older.read()


@pytest.fixture(scope="session")
def upgraded(databases: Databases, older: Older) -> Iterator[tuple[str, Path]]:
    """The template of the upgraded database, and the directory of its installation."""
    name = databases.new("older")
    owner_url = in_database(databases.server.owner_url, name)
    databases.loop.run(older.put(owner_url))
    databases.loop.run(migrate(owner_url))
    with tempfile.TemporaryDirectory(prefix="kassa-test-") as directory:
        installation = older.install(Path(directory))

        async def first_pass() -> None:
            """What the first worker of this release does before anything else."""
            settings = _settings_in(installation)
            async with assembly.open_core(
                settings, in_database(databases.server.app_url, name)
            ) as core:
                assert (await verify_books(core)).violations == ()
                assert await seal_old_rows(core) > 0

        databases.loop.run(first_pass())
        yield name, installation


def _settings_in(directory: Path) -> Settings:
    return demo_company.prepare(Settings(data_dir=str(directory), demo=True))


@pytest.fixture
def fresh_database(databases: Databases, upgraded: tuple[str, Path]) -> Iterator[str]:
    """The name of a copy of the upgraded database that is this test's alone."""
    taken = databases.take(upgraded[0])
    yield taken.name
    databases.give_back(upgraded[0], taken)


@pytest.fixture
def settings(upgraded: tuple[str, Path], tmp_path: Path) -> Settings:
    """The installation of then, whose files the test may change."""
    return _settings_in(copy(upgraded[1], tmp_path))


@pytest.fixture
async def shop(core: Core, owner_url: str) -> AsyncIterator[Shop]:
    """The shop of then."""
    connectors: Any = core.connectors
    connectors["scripted"] = Obedient()
    opened = Shop(core, await get_company(core, COMPANY), owner_url)
    yield opened
    for connection in opened.connections:
        await connection.close()


async def told(shop: Shop, payment_id: str, moment: str = "") -> PaymentHistory:
    at = datetime.fromisoformat(moment) if moment else None
    return await explain(shop.core, COMPANY, payment_id, at)


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Each value under its names; what belongs to one attempt, refund or dispute is one value."""
    if isinstance(value, dict) and path.count(".") < 2:
        for name, one in value.items():
            yield from leaves(one, f"{path}.{name}")
    else:
        yield path.removeprefix("."), value


def lost(was: Any, now: Any, path: str = "") -> Iterator[str]:
    """What JSON of before says and that of now does not."""
    if isinstance(was, dict) and isinstance(now, dict):
        for name in was:
            yield from lost(was[name], now.get(name, "nothing"), f"{path}.{name}")
    elif isinstance(was, list) and isinstance(now, list) and len(was) == len(now):
        for place, one in enumerate(was):
            yield from lost(one, now[place], f"{path}[{place}]")
    elif was != now:
        yield f"{path}: {was} was {now}"


def tells(now: str, was: str) -> bool:
    """Whether a line of a story says what one of before said; of evidence in any order."""
    if now == was or WORDS.get(was[_BEHIND_THE_TIME:], "nothing") in now:
        return True
    is_evidence = now.startswith(" " * _BEHIND_THE_TIME) and was.startswith(" " * _BEHIND_THE_TIME)
    return is_evidence and set(was.strip().split(", ")) <= set(now.strip().split(", "))


async def test_the_books_stay_sound_with_what_was_known_outside_the_database(shop: Shop) -> None:
    assert await shop.faults() == []

    await chain_all(shop)  # the records that the first pass has made

    assert await shop.faults() == []


SINCE = {
    "attempt_left",
    "charge_returned",
    "found_at_provider",
    "refund_reversed",
    "transfer_overpaid",
    "transfer_received",
    "transfer_reversed",
}
"""Kinds of facts that the old release did not know."""


async def test_every_event_of_before_is_read_as_what_it_was(shop: Shop, older: Older) -> None:
    read = [
        step.event.fact
        for payment_id in older.stories
        for step in (await told(shop, payment_id)).steps
    ]

    kinds = {cls.kind for cls in facts.KINDS}
    assert kinds - {fact.kind for fact in read} - SINCE == {"remark"}


async def test_every_moment_is_told_as_the_release_of_before_told_it(
    shop: Shop, older: Older
) -> None:
    """And where its `--as-of` had forgotten what it told at the time, it is told no worse."""
    better = set()
    for life, payment_id in older.lives.items():
        said = older.stories[payment_id]
        live = dict(said["live"])
        for moment, then in said["as_of"]:
            now = dict(leaves(figures(await told(shop, payment_id, moment))))
            at_the_time = dict(leaves(live.get(moment, {})))
            for path, was in leaves(then):
                if now.pop(path) != was:
                    group = path.partition(".")[0]
                    better.add((life, path if group == "payment" else group))
                    assert path not in at_the_time or at_the_time[path] != was, (life, path)
            assert not now, (life, moment)

    assert better == set(BETTER)


async def test_nobody_who_reads_a_story_misses_anything(shop: Shop, older: Older) -> None:
    """Neither as text nor as JSON; and where it is read in other words, they are the known ones."""
    new_words = set()
    for payment_id, said in older.stories.items():
        story = await told(shop, payment_id)
        assert list(lost(said["json"], json.loads(as_json(story, "test")))) == []

        now = iter(as_text(story).split("\n"))
        for line in said["text"].split("\n"):
            heading = line[_BEHIND_THE_TIME:]
            new_words |= {heading} & set(WORDS)
            # Lines between are new: of what happened, more is told.
            assert any(tells(one, line) for one in now), (payment_id, line)

    assert new_words == set(WORDS)


async def attempt_of(shop: Shop, payment_id: str) -> Attempt:
    return (await told(shop, payment_id)).attempts[-1]


async def the(shop: Shop, older: Older, life: str) -> Payment:
    return (await get_payment(shop.core, COMPANY, older.lives[life])).payment


async def go_on(shop: Shop, older: Older) -> None:
    """What was open is brought to its end, and what was paid is refunded, reported and settled."""
    provider: Any = shop.core.connectors["scripted"]
    yuan = Money(10_000, "CNY")
    # However long ago the release of before has run: it is the day of the upgrade.
    for change in (
        "update orders set expires_at = now() + interval '1 hour' where status = 'active'",
        "update payment set expires_at = now() + interval '1 hour' where status = any"
        " ('{created, processing, requires_action}')",
        "update payment set authorization_expires_at = now() + interval '7 days'"
        " where status = 'authorized'",
    ):
        await shop.sql(change)

    reserved = await the(shop, older, "open: reserved")
    assert (await modify(shop, reserved, CAPTURE, 6_000)).payment.captured.minor == 6_000

    await shop.expire(await the(shop, older, "open: created"))
    await expire_orders(shop.core)
    assert (await the(shop, older, "open: created")).status is S.EXPIRED

    doubtful = await the(shop, older, "open: in doubt")
    provider.answers_to_queries = [Captured(reference="found", amount=yuan)]
    await shop.age(doubtful, "1 hour")
    assert (await shop.sync(doubtful)).status is S.CAPTURED

    at_page = await attempt_of(shop, older.lives["open: at the page"])
    news = Captured(reference="page", amount=yuan)
    paid = await take_news(shop.core, at_page, news, actor="provider:scripted", how="notification")
    assert paid.status is S.CAPTURED

    [slow] = (await told(shop, older.lives["open: being refunded"])).modifications
    done = Done(reference="slow", amount=slow.amount)
    await take_modification_news(shop.core, slow, done, actor="provider:scripted", how="query")
    assert (await the(shop, older, "open: being refunded")).refunded.minor == 1_500

    disputed = await attempt_of(shop, older.lives["open: disputed"])
    won = DisputeEvent(
        dedupe_key="won after the upgrade",
        key=disputed.id,
        reference=f"dispute of {disputed.id}",
        stage=DisputeStage.CHARGEBACK,
        status=DisputeStatus.WON,
        amount=Money(5_000, "CNY"),
        fee=None,
        reason="",
        respond_by=None,
    )
    await take_dispute_news(shop.core, disputed, won, actor="provider:scripted")
    assert (await the(shop, older, "open: disputed")).disputed_minor == 0

    paid = await the(shop, older, "open: paid")
    reporter = Reporter(shop, provider=provider)
    outcome = await reporter.send(await reporter.line_of(paid, fee=30), name="upgraded.csv")
    assert (outcome.matched, outcome.breaks) == (1, {})
    assert (await the(shop, older, "open: paid")).status is S.SETTLED
    assert (await modify(shop, paid, REFUND, 4_000)).payment.refunded.minor == 4_000


async def test_life_goes_on_and_is_told_across_the_upgrade(shop: Shop, older: Older) -> None:
    await go_on(shop, older)

    await chain_all(shop)
    assert await shop.faults() == []
    for life, payment_id in older.lives.items():
        if not life.startswith("open: "):
            continue
        moment, was = older.stories[payment_id]["live"][-1]
        now, then = await told(shop, payment_id), await told(shop, payment_id, moment)
        assert len(now.steps) > len(then.steps)
        assert not [step.fault for step in now.steps if step.fault]
        assert then.payment.status == was["payment"]["status"]
        for name in ("authorized", "captured", "refunded", "refund_reserved", "fee"):
            assert getattr(then.payment, name).minor == was["payment"][name], (life, name)
        assert then.payment.disputed_minor == was["payment"]["disputed_minor"]
        assert then.payment.settled_minor == was["payment"]["settled_minor"] == 0
        last = await told(shop, payment_id, now.steps[-1].event.at.isoformat())
        assert figures(last)["payment"] == figures(now)["payment"], life


async def test_every_chore_takes_up_what_was_left(shop: Shop, older: Older) -> None:
    provider: Any = shop.core.connectors["scripted"]
    provider.answers_to_queries = [InDoubt(reason="silence")] * 100
    provider.says_to_queries = [InDoubt(reason="silence")] * 100
    breaks = [one.id for one in await list_breaks(shop.core, COMPANY)]

    for chore in standard_chores():
        if chore.name != "deliver":  # nobody on the network is to hear of this
            await chore.run(shop.core)
            if chore.finish is not None:
                await chore.finish()
    closed = await close_settlements(shop.core, COMPANY)

    assert closed
    found = await list_breaks(shop.core, COMPANY)
    assert {one.id for one in found} >= set(breaks)
    new = [one for one in found if one.id not in breaks]
    # Only what the old release had marked, and shown to nobody: it was of another amount.
    assert [one.problem for one in new] == [BreakClass.AMOUNT] * 2
    await chain_all(shop)
    assert await shop.faults() == []
    for life in ("paid", "disputed and lost", "open: being refunded"):
        assert not [one.fault for one in (await told(shop, older.lives[life])).steps if one.fault]
