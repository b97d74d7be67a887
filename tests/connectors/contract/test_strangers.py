"""Letters that are rightly signed and not ours, or in words that nobody knows: no forgeries.

A provider whose letters are refused too often posts none at all.
"""

from pathlib import Path
from typing import Any

import pytest
from tests.connectors.contract.plug import Plug, Way, plugs
from tests.connectors.contract.stage import Stage, staged
from tests.connectors.contract.test_notifications import judge_news, lived
from tests.connectors.contract.truth import tells_no_secret

from kassa.connectors.base import (
    Captured,
    ChargeEvent,
    Declined,
    Done,
    InDoubt,
    IrrelevantEvent,
    ModificationEvent,
    Pending,
    Refused,
    UnreadEvent,
)

pytestmark = pytest.mark.anyio

WAYS = [
    pytest.param(plug, way, id=f"{plug.name}-{way.name}") for plug in plugs() for way in plug.ways
]


async def told(stage: Stage) -> list[Any]:
    """What every letter says."""
    await stage.simulator.post_letters()
    found = [await stage.parsed(letter) for letter in stage.heard]
    tells_no_secret(stage, *found)
    return found


def key_of(news: Any) -> str:
    return str(getattr(news, "key", ""))


@pytest.mark.parametrize(("plug", "way"), WAYS)
async def test_letters_of_a_shops_other_orders_are_no_forgeries_and_not_ours(
    plug: Plug, way: Way, tmp_path: Path
) -> None:
    async with staged(plug, tmp_path) as stage:
        stage.play("foreign", "letter")
        _, keys = await lived(stage, way)

        news = await told(stage)

        letters = stage.simulator.letters()
        strange = [one for one in letters if one["faults"] == ["stranger"]]
        assert strange
        assert not [one for one in news if isinstance(one, Refused)]
        ours = [one for one in news if key_of(one) in keys]
        assert 0 < len(ours) <= len(letters) - len(strange)


@pytest.mark.parametrize(("plug", "way"), WAYS)
async def test_words_of_next_year_are_asked_about_and_never_believed(
    plug: Plug, way: Way, tmp_path: Path
) -> None:
    async with staged(plug, tmp_path) as stage:
        stage.play("next_year", "letter")
        charge_key, keys = await lived(stage, way)

        news = await told(stage)

        assert not [one for one in news if isinstance(one, Refused)]
        for one in news:
            if isinstance(one, ChargeEvent | ModificationEvent):
                assert not isinstance(one.outcome, Declined), one
                if isinstance(one.outcome, Captured | Done):  # it is said by more than a status
                    judge_news(stage, charge_key, keys, one)
        asks = [one for one in news if key_of(one) == charge_key and _asks(one)]
        assert asks
        assert {key_of(one) for one in news if _asks(one)} <= {charge_key, *keys, ""}


def _asks(news: Any) -> bool:
    """Whether the charge or change that it names is asked about."""
    if isinstance(news, ChargeEvent | ModificationEvent):
        return isinstance(news.outcome, InDoubt | Pending)
    return isinstance(news, UnreadEvent) and not isinstance(news, IrrelevantEvent)
