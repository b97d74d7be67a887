"""One answer per idempotency key: repeated, contradicted, at once, after a crash, after a day."""

import asyncio
from datetime import timedelta

import pytest
from tests.shop import Shop

from kassa.base.domain.errors import (
    AmbiguousCommit,
    IdempotencyMismatch,
    InProgress,
    InvalidRequest,
    KassaError,
)
from kassa.orders.store import answers
from kassa.orders.store.answers import AnswerKey
from kassa.orders.usecases import answer_once as answer_once_module
from kassa.orders.usecases.answer_once import Answer, Asked, Turn, answer_once

pytestmark = pytest.mark.anyio


class Worker:
    """Does what is asked, and remembers under which request ids."""

    def __init__(self, *failures: BaseException) -> None:
        self.turns: list[Turn] = []
        self.failures = list(failures)
        self.go_on = asyncio.Event()
        self.go_on.set()

    async def __call__(self, turn: Turn) -> Answer:
        self.turns.append(turn)
        await self.go_on.wait()
        if self.failures:
            raise self.failures.pop(0)
        return Answer(200, f"answer {len(self.turns)}".encode())

    @property
    def request_ids(self) -> list[str]:
        return [turn.request_id for turn in self.turns]


def asked(shop: Shop, body: bytes = b"{}", **changes: str) -> Asked:
    said = {"company_id": shop.company.id, "place": "me POST /pg/orders", "key": "k-1"} | changes
    return Asked(**said, body=body, mismatch="this key had another body")


async def test_a_repeat_gets_the_first_answer_and_does_nothing(shop: Shop) -> None:
    work = Worker()

    first = await answer_once(shop.core, asked(shop), work)
    again = await answer_once(shop.core, asked(shop), work)

    assert (first.replayed, again.replayed) == (False, True)
    assert (again.status, again.body) == (first.status, first.body)
    assert len(work.turns) == 1


async def test_without_a_key_it_is_done_each_time(shop: Shop) -> None:
    work = Worker()

    await answer_once(shop.core, None, work)
    await answer_once(shop.core, None, work)

    assert len(set(work.request_ids)) == 2


async def test_another_body_under_the_key_is_refused(shop: Shop) -> None:
    work = Worker()
    await answer_once(shop.core, asked(shop), work)

    with pytest.raises(IdempotencyMismatch):
        await answer_once(shop.core, asked(shop, b"other"), work)

    assert len(work.turns) == 1


async def test_a_key_is_anothers_at_another_place_or_company(shop: Shop) -> None:
    work = Worker()

    await answer_once(shop.core, asked(shop), work)
    await answer_once(shop.core, asked(shop, b"other", place="me POST /\x00\udcff" * 500), work)
    await answer_once(shop.core, asked(shop, b"other", company_id="cmp_other"), work)

    assert len(set(work.request_ids)) == 3


async def test_while_it_is_worked_on_others_are_told_to_come_back(shop: Shop) -> None:
    work = Worker()
    work.go_on.clear()

    first = asyncio.create_task(answer_once(shop.core, asked(shop), work))
    while not work.turns:
        await asyncio.sleep(0.001)
    with pytest.raises(InProgress):
        await answer_once(shop.core, asked(shop), work)
    work.go_on.set()

    assert (await first).body == b"answer 1"
    assert (await answer_once(shop.core, asked(shop), work)).replayed


async def test_of_many_at_once_one_works(shop: Shop) -> None:
    work = Worker()

    done = await asyncio.gather(
        *(answer_once(shop.core, asked(shop), work) for _ in range(20)), return_exceptions=True
    )

    assert len(work.turns) == 1
    assert {type(one) for one in done} <= {Answer, InProgress}


@pytest.mark.parametrize(
    "failure, same", [(InvalidRequest("no"), False), (AmbiguousCommit("who knows"), True)]
)
async def test_what_changed_nothing_frees_the_key_and_what_may_have_keeps_its_id(
    shop: Shop, failure: KassaError, same: bool
) -> None:
    work = Worker(failure)
    with pytest.raises(type(failure)):
        await answer_once(shop.core, asked(shop), work)

    again = await answer_once(shop.core, asked(shop), work)

    assert not again.replayed
    assert (len(set(work.request_ids)) == 1) == same
    assert (work.turns[0].at == work.turns[1].at) == same


async def test_after_a_crash_the_work_is_done_again_under_the_same_id(shop: Shop) -> None:
    """As if the process had died between the effect and the kept answer."""
    work = Worker()
    await answer_once(shop.core, asked(shop), work)
    await shop.sql("update orders_answer set status = null, body = null")

    with pytest.raises(InProgress):
        await answer_once(shop.core, asked(shop), work)
    await shop.sql("update orders_answer set lease_until = now()")
    with pytest.raises(IdempotencyMismatch):
        await answer_once(shop.core, asked(shop, b"other"), work)
    done = await answer_once(shop.core, asked(shop), work)

    assert not done.replayed
    assert len(work.turns) == 2
    assert len(set(work.request_ids)) == 1


async def test_after_a_day_the_key_is_free_and_the_old_answer_goes(shop: Shop) -> None:
    work = Worker()
    await answer_once(shop.core, asked(shop), work)
    await answer_once(shop.core, asked(shop, key="k-2"), work)
    await shop.sql("update orders_answer set created_at = now() - interval '24 hours'")

    again = await answer_once(shop.core, asked(shop, b"other"), work)

    assert not again.replayed
    assert len(set(work.request_ids)) == 3
    assert [row[0] for row in await shop.sql("select key from orders_answer")] == ["k-1"]


async def test_a_caller_that_goes_away_does_not_lose_the_answer(shop: Shop) -> None:
    work = Worker()
    work.go_on.clear()
    first = asyncio.create_task(answer_once(shop.core, asked(shop), work))
    while not work.turns:
        await asyncio.sleep(0.001)

    first.cancel()
    work.go_on.set()
    await asyncio.gather(*shop.core.running)

    assert (await answer_once(shop.core, asked(shop), work)).body == b"answer 1"


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a second without a word, and whoever was at it counts as dead."""
    monkeypatch.setattr(answer_once_module, "_LEASE", timedelta(seconds=0.5))
    monkeypatch.setattr(answer_once_module, "_RENEWED_EVERY", 0.1)


async def test_who_is_at_it_for_long_keeps_the_key(shop: Shop, hasty: None) -> None:
    work = Worker()
    work.go_on.clear()
    first = asyncio.create_task(answer_once(shop.core, asked(shop), work))

    await asyncio.sleep(1.2)
    with pytest.raises(InProgress):
        await answer_once(shop.core, asked(shop), work)
    work.go_on.set()

    assert (await first).body == b"answer 1"
    assert len(work.turns) == 1


async def test_who_was_silent_for_too_long_gives_the_others_answer(
    shop: Shop, hasty: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that stood still, and goes on when another has taken its request over."""
    work = Worker()
    work.go_on.clear()
    monkeypatch.setattr(answer_once_module, "_RENEWED_EVERY", 60.0)
    first = asyncio.create_task(answer_once(shop.core, asked(shop), work))
    while not work.turns:
        await asyncio.sleep(0.001)
    await asyncio.sleep(0.6)
    other = Worker()
    other.turns = [*work.turns]
    done = await answer_once(shop.core, asked(shop), other)
    work.go_on.set()
    late = await first

    assert (done.body, done.replayed) == (b"answer 2", False)
    assert (late.body, late.replayed) == (b"answer 2", True)
    assert len(set(other.request_ids)) == 1
    assert (await answer_once(shop.core, asked(shop), work)).body == b"answer 2"


async def test_of_many_who_find_it_left_one_takes_it_over(shop: Shop, hasty: None) -> None:
    work = Worker()
    await answer_once(shop.core, asked(shop), work)
    await shop.sql("update orders_answer set status = null, body = null, lease_until = now()")

    done = await asyncio.gather(
        *(answer_once(shop.core, asked(shop), work) for _ in range(20)), return_exceptions=True
    )

    assert len(work.turns) == 2
    assert {type(one) for one in done} <= {Answer, InProgress}


async def test_who_lost_the_key_meanwhile_writes_no_answer(shop: Shop) -> None:
    key = AnswerKey(company_id=shop.company.id, scope="s", key="k")
    async with shop.core.db.connection() as connection:
        said = {"lease": timedelta(0), "lifetime": timedelta(0), "body_hash": b"x"}
        await answers.begin(connection, key, id="first", **said)
        second = await answers.begin(connection, key, id="second", **said)
        assert second is not None
        assert await answers.take_over(connection, key, second, timedelta(0), "third")

        for late in ("first", "second"):
            assert not await answers.finish(connection, key, late, status=200, body=b"late")
            assert not await answers.renew(connection, key, late, timedelta(hours=1))
            await answers.leave(connection, key, late)
            await answers.forget(connection, key, late)
        kept = await answers.find(connection, key)

    assert kept is not None
    assert (kept.id, kept.status, kept.holder) == ("second", None, "third")
