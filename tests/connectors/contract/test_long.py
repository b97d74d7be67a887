"""Whole lives of payments under faults by chance, one seed after the other, for as long as asked.

KASSA_TEST_FAULTS=300 python -m pytest tests/connectors/contract/test_long.py
"""

import os
import random
import time
from pathlib import Path
from typing import Any

import pytest
from tests.connectors.contract.plug import Plug, Way, plugs
from tests.connectors.contract.scenes import FAULTS, SECONDS, can, resolved
from tests.connectors.contract.stage import Stage, staged
from tests.connectors.contract.truth import (
    Contradiction,
    Standing,
    asked,
    judge_change,
    judge_charge,
    standing,
)

from kassa.connectors.base import (
    ActionNeeded,
    Authorized,
    Captured,
    ChargeRequest,
    Declined,
    Done,
    InDoubt,
    NotSent,
    Pending,
    Unknown,
)

pytestmark = pytest.mark.anyio

ASKED_FOR = float(os.environ.get("KASSA_TEST_FAULTS") or 0)
PLAYED = [name for name in FAULTS if not name.startswith("wrong_")]
"""A wrong amount is told apart from a right one only when nothing else plays."""
SHARE, TRIES = 0.05, 6


@pytest.mark.parametrize("plug", plugs(), ids=str)
async def test_whatever_chance_does_the_money_is_right(plug: Plug, tmp_path: Path) -> None:
    """One seed for each way to pay, and as many more as the time that was asked for allows."""
    until = time.monotonic() + ASKED_FOR / len(plugs())
    seed = 0
    while seed < len(plug.ways) or time.monotonic() < until:
        way = plug.ways[seed % len(plug.ways)]
        seed += 1
        try:
            async with staged(plug, tmp_path / str(seed), seed=seed) as stage:
                await _life(stage, way, random.Random(seed))
        except Contradiction as error:
            raise Contradiction(f"{plug.name}, {way.name}, seed {seed}: {error}") from error


def _trouble(stage: Stage) -> None:
    rules = [
        {
            "provider": stage.plug.name,
            "operation": "*",
            "fault": name,
            "share": SHARE,
            "seconds": SECONDS.get(name, 0),
        }
        for name in PLAYED
    ]
    stage.simulator.set_faults(rules)


async def _life(stage: Stage, way: Way, chance: random.Random) -> None:
    request = stage.charge_request(way)
    _trouble(stage)
    said = await _charged(stage, request)
    if isinstance(said, ActionNeeded):
        await stage.go(said)
        stage.act(request.key, chance.choice(["pay", "decline"]))
    stage.stop()
    if isinstance(said, Declined):
        return
    await resolved(stage, way, request, said)
    found = await asked(stage, stage.patient.query(request.key))
    verbs = [
        verb
        for verb in (("capture", "void") if way.reserves else ("refund",))
        if can(stage.plug, verb)
    ]
    if verbs and isinstance(found, Captured | Authorized):
        await _changed(stage, chance.choice(verbs), request, found.reference)


async def _charged(stage: Stage, request: ChargeRequest) -> Any:
    """As the gateway does it: asked about while in doubt, sent again only when nothing is there."""
    said: Any = Unknown(reason="nothing was sent yet")
    for _ in range(TRIES):
        before = standing(stage, request.key)
        if isinstance(said, Unknown | NotSent):
            said = await asked(stage, stage.hasty.charge(request))
            judge_charge(stage, request, said, before)
        elif isinstance(said, InDoubt | Pending):
            said = await asked(stage, stage.hasty.query(request.key))
            judge_charge(stage, request, said, before, fault="not_found", may_be_unknown=True)
        else:
            break
    return said


async def _changed(stage: Stage, verb: str, charge: ChargeRequest, reference: str) -> None:
    request = stage.change_request(verb, charge, reference)
    first = standing(stage, charge.key)
    said: Any = Unknown(reason="nothing was sent yet")
    for number in range(2 * TRIES):
        if number == TRIES:
            stage.stop()
        elif number == 0:
            _trouble(stage)
        if isinstance(said, Unknown | NotSent):
            said = await asked(stage, getattr(stage.hasty, verb)(request))
        elif isinstance(said, InDoubt | Pending):
            said = await asked(stage, stage.hasty.query_modification(request))
        _judge(stage, verb, charge, request, said, first)  # a slow call may land at any time
    stage.stop()
    said = await asked(stage, stage.patient.query_modification(request))
    _judge(stage, verb, charge, request, said, first)
    if isinstance(said, InDoubt | NotSent):
        raise Contradiction(f"all is well again, and the question of the {verb} got {said}")
    if isinstance(said, Done) and verb in stage.plug.never:
        raise Contradiction(f"{verb} is declared never to be done, and it got {said}")


def _judge(
    stage: Stage, verb: str, charge: ChargeRequest, request: Any, said: Any, before: Standing
) -> None:
    judge_change(
        stage, verb, charge.key, request, said, before, fault="not_found", may_be_unknown=True
    )
