"""Many callers, one transaction; and what goes wrong stays with whom it belongs to."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, cast

import pytest

from kassa.base.domain.errors import (
    AmbiguousCommit,
    InProgress,
    InvalidRequest,
    KassaError,
    ProviderUnavailable,
)
from kassa.base.usecases import batch
from kassa.base.usecases.batch import MOST, Contended, batched, to_the_end
from kassa.base.usecases.core import Core

pytestmark = pytest.mark.anyio


class Desk:
    """Stands where a Core does: all that batches need of it is a place for their queues."""

    def __init__(self) -> None:
        self.gatherers: dict[Any, Any] = {}
        self.running: set[Any] = set()


def a_core() -> Core:
    return cast("Core", Desk())


class Verb:
    """A set verb that doubles numbers, and remembers which sets it was given."""

    def __init__(self, trouble: Callable[[Sequence[int]], None] = lambda _: None) -> None:
        self.sets: list[list[int]] = []
        self.trouble = trouble
        self.one = batched(self.many)

    async def many(self, core: Core, items: Sequence[int]) -> list[int | KassaError]:
        self.sets.append(list(items))
        await asyncio.sleep(0.001)
        self.trouble(items)
        return [InvalidRequest(f"{item} is odd") if item % 2 else item * 2 for item in items]


class Locked(Verb):
    """A set verb whose item 4 somebody else holds for so many tries."""

    def __init__(self, tries: int) -> None:
        super().__init__()
        self.tries = tries

    async def many(self, core: Core, items: Sequence[int]) -> list[int | KassaError]:
        self.sets.append(list(items))
        await asyncio.sleep(0.001)
        self.tries -= 4 in items
        return [Contended() if item == 4 and self.tries >= 0 else item for item in items]


@pytest.fixture(autouse=True)
def _little_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch, "_PATIENCE", 1.0)


async def test_an_idle_server_adds_no_wait() -> None:
    verb = Verb()

    assert await verb.one(a_core(), 2) == 4

    assert verb.sets == [[2]]


async def test_calls_that_arrive_while_a_batch_runs_form_the_next_one() -> None:
    verb, core = Verb(), a_core()

    first = asyncio.ensure_future(verb.one(core, 0))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    answers = await asyncio.gather(first, *(verb.one(core, 2 * n) for n in range(1, 101)))

    assert answers == [4 * n for n in range(101)]
    assert verb.sets == [[0], [2 * n for n in range(1, 101)]]


async def test_a_crowd_is_served_in_batches_of_bounded_size() -> None:
    verb, core = Verb(), a_core()

    answers = await asyncio.gather(*(verb.one(core, 2 * n) for n in range(5 * MOST // 2)))

    assert answers == [4 * n for n in range(5 * MOST // 2)]
    assert [len(each) for each in verb.sets] == [MOST, MOST, MOST // 2]


async def test_a_refused_item_is_refused_alone() -> None:
    verb, core = Verb(), a_core()

    answers = await asyncio.gather(
        *(verb.one(core, n) for n in (2, 3, 4, 5)), return_exceptions=True
    )

    assert [answers[0], answers[2]] == [4, 8]
    assert [str(answers[1]), str(answers[3])] == ["3 is odd", "5 is odd"]
    assert len(verb.sets) == 1


async def test_a_batch_that_fails_as_a_whole_is_cut_until_the_bad_item_stands_alone() -> None:
    def trouble(items: Sequence[int]) -> None:
        if 14 in items:
            raise RuntimeError("the database stumbled over 14")

    verb, core = Verb(trouble), a_core()

    answers = await asyncio.gather(
        *(verb.one(core, 2 * n) for n in range(16)), return_exceptions=True
    )

    assert [n for n, answer in enumerate(answers) if isinstance(answer, RuntimeError)] == [7]
    assert [answer for n, answer in enumerate(answers) if n != 7] == [
        4 * n for n in range(16) if n != 7
    ]
    assert verb.sets.count([14]) == 1


async def test_after_an_ambiguous_commit_nothing_is_tried_again() -> None:
    def trouble(_: Sequence[int]) -> None:
        raise AmbiguousCommit("the connection broke during COMMIT")

    verb, core = Verb(trouble), a_core()

    answers = await asyncio.gather(
        *(verb.one(core, 2 * n) for n in range(8)), return_exceptions=True
    )

    assert all(isinstance(answer, AmbiguousCommit) for answer in answers)
    assert len(verb.sets) == 1


@pytest.mark.parametrize("error", [ProviderUnavailable("no database"), AmbiguousCommit("broke")])
async def test_what_the_database_cannot_do_now_is_not_tried_in_halves(error: KassaError) -> None:
    def trouble(_: Sequence[int]) -> None:
        raise error

    verb, core = Verb(trouble), a_core()

    answers = await asyncio.gather(
        *(verb.one(core, 2 * n) for n in range(8)), return_exceptions=True
    )

    assert answers == [error] * 8
    assert len(verb.sets) == 1


async def test_a_contended_item_is_tried_again_and_keeps_nobody_in_its_batch() -> None:
    verb, core = Locked(3), a_core()

    waiting = asyncio.create_task(verb.one(core, 4))
    answers = await asyncio.gather(*(verb.one(core, n) for n in (2, 6, 8)))

    assert answers == [2, 6, 8]
    assert not waiting.done()
    assert await waiting == 4
    assert sum(4 in each for each in verb.sets) == 4


async def test_a_batch_that_waited_for_an_unknown_lock_is_gone_through_one_by_one() -> None:
    def trouble(items: Sequence[int]) -> None:
        if 14 in items:
            raise InProgress("locked")

    verb, core = Verb(trouble), a_core()
    answers = [asyncio.create_task(verb.one(core, 2 * n)) for n in range(16)]
    await asyncio.sleep(0.5)

    assert [n for n, answer in enumerate(answers) if not answer.done()] == [7]
    assert sorted({len(each) for each in verb.sets}) == [1, 16]
    sets = len(verb.sets)
    assert await asyncio.gather(*(verb.one(core, n) for n in (100, 102))) == [200, 204]
    assert len(verb.sets[sets:]) < 20
    answers[7].cancel()


async def test_those_that_wait_for_nobody_knows_what_hold_few_connections() -> None:
    inside, most = [0], [0]

    async def many(_: Core, items: Sequence[int]) -> list[int]:
        inside[0] += 1
        most[0] = max(most[0], inside[0])
        await asyncio.sleep(0.02)
        inside[0] -= 1
        raise InProgress("locked")

    one, core = batched(many, key=lambda item: item), a_core()
    answers = await asyncio.gather(*(one(core, n) for n in range(20)), return_exceptions=True)

    assert all(isinstance(answer, InProgress) for answer in answers)
    assert most[0] <= 3  # a batch, and two by themselves


async def test_an_item_that_is_known_to_wait_is_not_let_into_a_batch() -> None:
    def trouble(items: Sequence[int]) -> None:
        if 14 in items:
            raise InProgress("locked")

    verb, core = Verb(trouble), a_core()
    verb.one = batched(verb.many, key=lambda item: item)
    first = asyncio.create_task(verb.one(core, 14))
    await asyncio.sleep(0.05)

    again = asyncio.create_task(verb.one(core, 14))
    await asyncio.gather(again, *(verb.one(core, 2 * n) for n in range(6)), return_exceptions=True)

    assert all(len(each) == 1 for each in verb.sets if 14 in each)
    with pytest.raises(InProgress):
        await first


async def test_a_caller_that_goes_away_cancels_neither_its_work_nor_its_neighbors() -> None:
    verb, core = Verb(), a_core()

    leaving = asyncio.create_task(verb.one(core, 2))
    staying = asyncio.create_task(verb.one(core, 4))
    await asyncio.sleep(0)
    leaving.cancel()

    assert await staying == 8
    assert leaving.cancelled()
    assert verb.sets == [[2, 4]]


async def test_a_caller_that_goes_away_while_waiting_for_its_turn_is_still_served() -> None:
    verb, core = Verb(), a_core()

    first = asyncio.create_task(verb.one(core, 2))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    leaving = asyncio.create_task(verb.one(core, 4))
    await asyncio.sleep(0)
    leaving.cancel()
    await first
    await verb.one(core, 6)

    assert verb.sets[0] == [2]
    assert 4 in verb.sets[1]


async def test_after_trouble_the_verb_serves_on() -> None:
    broken = [True]

    def trouble(_: Sequence[int]) -> None:
        if broken[0]:
            raise RuntimeError("no database")

    verb, core = Verb(trouble), a_core()
    with pytest.raises(RuntimeError):
        await verb.one(core, 2)

    broken[0] = False

    assert await verb.one(core, 2) == 4


async def test_two_cores_share_no_batch() -> None:
    verb = Verb()

    await asyncio.gather(verb.one(a_core(), 2), verb.one(a_core(), 4))

    assert sorted(verb.sets) == [[2], [4]]


async def test_work_that_must_end_ends_though_nobody_waits_for_it() -> None:
    core, done = a_core(), asyncio.Event()

    async def work() -> None:
        await asyncio.sleep(0.005)
        done.set()

    waiting = asyncio.create_task(to_the_end(core, work()))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting

    assert len(core.running) == 1
    await asyncio.wait_for(done.wait(), 1)
    await asyncio.sleep(0)
    assert not core.running
