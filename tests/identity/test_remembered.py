"""What is looked up for a moment's requests is looked up once, and no answer outlives its use."""

import asyncio

import pytest
from tests.shop import Shop

from kassa.base.domain.errors import ProviderUnavailable
from kassa.identity.usecases.authenticate import forget, remembered

pytestmark = pytest.mark.anyio


class Looking:
    """Answers when it is told to."""

    def __init__(self, *answers: str | Exception | None) -> None:
        self.answers = list(answers)
        self.times = 0
        self.may = asyncio.Event()

    async def __call__(self) -> str | None:
        self.times += 1
        answer = self.answers.pop(0)
        await self.may.wait()
        if isinstance(answer, Exception):
            raise answer
        return answer


async def test_those_who_ask_at_once_wait_for_one_answer(shop: Shop) -> None:
    look = Looking("found")
    asked = [asyncio.create_task(remembered(shop.core, "k", look)) for _ in range(20)]
    await asyncio.sleep(0)
    asked[0].cancel()  # that the first goes away is nothing to the others
    look.may.set()

    answers = await asyncio.gather(*asked, return_exceptions=True)

    assert isinstance(answers[0], asyncio.CancelledError)
    assert answers[1:] == ["found"] * 19
    assert look.times == 1


async def test_an_error_or_nothing_is_told_to_all_who_asked_and_is_looked_up_again(
    shop: Shop,
) -> None:
    look = Looking(ProviderUnavailable("away"), None, "found")
    look.may.set()

    told = await asyncio.gather(
        *(remembered(shop.core, "k", look) for _ in range(3)), return_exceptions=True
    )

    assert [type(one) for one in told] == [ProviderUnavailable] * 3
    assert await remembered(shop.core, "k", look) is None
    assert await remembered(shop.core, "k", look) == "found"


async def test_who_asks_after_a_change_does_not_get_what_was_looked_up_before(shop: Shop) -> None:
    before, after = Looking("old"), Looking("new")
    old = asyncio.create_task(remembered(shop.core, "k", before))
    await asyncio.sleep(0)
    forget(shop.core, "k")
    after.may.set()

    assert await remembered(shop.core, "k", after) == "new"

    before.may.set()
    assert await old == "old"
    assert await remembered(shop.core, "k", after) == "new"
