"""`kassa compare`, as it is typed."""

import asyncio

import pytest
from tests.cli.prompt import Type

from kassa import assembly
from kassa import demo as demo_company
from kassa.settings import Settings


@pytest.fixture
def demo(settings: Settings, database_url: str) -> None:
    """The demo company, which nobody has paid yet."""

    async def work() -> None:
        async with assembly.open_core(settings, database_url) as core:
            await demo_company.make(core, settings)

    asyncio.run(work())


@pytest.mark.parametrize("said", ["soon", "2026-13-01", "0001-01-01T00:00:00+14:00"])
@pytest.mark.parametrize("option", ["--from", "--to"])
def test_what_is_no_time_is_refused_in_one_sentence(kassa: Type, option: str, said: str) -> None:
    told = kassa("compare", "--account", "sandbox", option, said)

    assert told.status == 2
    assert f"'{said}' is no time" in told.err
    assert told.err.count("\n") == 1


@pytest.mark.usefixtures("demo")
def test_what_agrees_ends_well_in_words_and_as_json(kassa: Type) -> None:
    words = kassa("compare", "--account", "sandbox")
    found = kassa("compare", "--account", "sandbox", "--from", "2026-11-01", "--json")

    assert (words.status, words.out.splitlines()[-1]) == (0, "nothing to compare in that time")
    assert found.status == 0
    assert (found.content["account"], found.content["found"]) == ("sandbox", [])
