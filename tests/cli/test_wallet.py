"""`kassa wallet` as people meet it: a user is made, topped up, shown and frozen."""

import asyncio
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from kassa import app
from kassa import demo as demo_company
from kassa.cli import main
from kassa.settings import Settings


@dataclass(frozen=True)
class Said:
    status: object
    out: str
    err: str


Type = Callable[..., Said]


@pytest.fixture
def kassa(
    settings: Settings,
    owner_url: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Type:
    """Types `kassa …` on the test's own database, in this process."""

    def typed(*arguments: str) -> Said:
        for name in [name for name in os.environ if name.startswith("KASSA_")]:
            monkeypatch.delenv(name)
        monkeypatch.setenv("KASSA_DATABASE_URL", owner_url)
        monkeypatch.setenv("KASSA_DATA_DIR", settings.data_dir)
        monkeypatch.setattr(sys, "argv", ["kassa", *arguments])
        monkeypatch.setattr(sys.modules["__main__"], "__package__", None)
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        return Said(ended.value.code or 0, said.out, said.err)

    return typed


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
