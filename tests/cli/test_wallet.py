"""`kassa wallet` as people meet it: a user is made, topped up, shown and frozen."""

import asyncio

from tests.cli.prompt import Type

from kassa import app
from kassa import demo as demo_company
from kassa.settings import Settings


def test_a_user_is_made_topped_up_shown_and_frozen(
    kassa: Type, settings: Settings, database_url: str
) -> None:
    async def make() -> None:
        async with app.open_core(settings, database_url) as core:
            await demo_company.make(core, settings)

    asyncio.run(make())

    made = kassa("wallet", "add", "wu_new", "--auth-code", "a code of this test")
    empty = kassa("wallet", "show", "wu_new")
    topped_up = kassa("wallet", "top-up", "wu_new", "100.00", "CNY")
    shown = kassa("wallet", "show", "wu_new")
    frozen = kassa("wallet", "status", "wu_new", "frozen")
    nobody = kassa("wallet", "show", "wu_nobody")

    assert made.out == "wu_new is ready\n"
    assert empty.out == "wu_new has no balance yet\n"
    assert topped_up.out == "wu_new has 100.00 CNY\n"
    assert shown.out == ("wu_new has 100.00 CNY, besides 0.00 CNY reserved; spent today 0.00 CNY\n")
    assert frozen.out == "wu_new is frozen\n"
    assert (nobody.status, nobody.err) == (2, "kassa: no such wallet user: 'wu_nobody'\n")
