"""Charges under every fault: what is answered, and what a question and a repeat make of it."""

import pytest
from tests.connectors.contract.plug import Way, plugs
from tests.connectors.contract.scenes import (
    CHANGES,
    FAULTS,
    about,
    at_once,
    begun,
    calm,
    can,
    ended,
    faulted,
    is_over,
    operations_of,
    paid,
    resolved,
)
from tests.connectors.contract.stage import Stage, connect
from tests.connectors.contract.truth import (
    Contradiction,
    asked,
    judge_charge,
    standing,
)

from kassa.connectors.base import (
    ActionNeeded,
    Authorized,
    Captured,
    ChargeRequest,
    Declined,
    NotSent,
    Pending,
    Unknown,
)

pytestmark = pytest.mark.anyio

WAYS = [
    pytest.param(plug, way, id=f"{plug.name}-{way.name}") for plug in plugs() for way in plug.ways
]


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize(("stage", "way"), WAYS, indirect=["stage"])
async def test_a_charge_takes_the_money_once_whatever_happens_to_it(
    stage: Stage, way: Way, fault: str
) -> None:
    async def clean() -> None:
        await stage.patient.charge(stage.charge_request(way))

    for operation in await operations_of(stage, way, "charge", at_once(clean)):
        with about(stage, way, "charge", fault, operation):
            await _charge_under(stage, way, fault, operation)


async def _charge_under(stage: Stage, way: Way, fault: str, operation: str) -> None:
    request = stage.charge_request(way)
    before, mark = standing(stage, request.key), stage.mark
    said = await faulted(stage, fault, operation, lambda one: one.charge(request))
    judge_charge(stage, request, said, before, fault=fault, speaks=stage.mark > mark)
    calm(stage)
    await resolved(stage, way, request, said)
    now = standing(stage, request.key)
    if isinstance(said, Declined) and now.moved != (0, 0, 0):
        raise Contradiction(f"said {said}, and now the books have {now}")


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize(("stage", "way"), WAYS, indirect=["stage"])
async def test_a_question_moves_nothing_and_tells_the_truth_or_nothing(
    stage: Stage, way: Way, fault: str
) -> None:
    request = await begun(stage, way)
    for verb in ("query of an open one", "query of a paid one"):
        if verb == "query of a paid one":
            stage.act(request.key, "pay")
        before = standing(stage, request.key)
        for operation in await operations_of(
            stage, way, verb, at_once(lambda: stage.patient.query(request.key))
        ):
            with about(stage, way, verb, fault, operation):
                said = await faulted(stage, fault, operation, lambda one: one.query(request.key))
                judge_charge(stage, request, said, before, fault=fault, may_be_unknown=True)
                if standing(stage, request.key) != before:
                    raise Contradiction("a question moved money")
                calm(stage)
                await _is_told(stage, way, request, bool(before.taken or before.reserved))


async def _is_told(stage: Stage, way: Way, request: ChargeRequest, is_paid: bool) -> None:
    if is_paid:
        await ended(stage, way, request)
        return
    said = await asked(stage, stage.patient.query(request.key))
    if not isinstance(said, ActionNeeded | Pending | Captured | Authorized):
        raise Contradiction(f"the payer can pay, and the question got {said}")


@pytest.mark.parametrize("stage", plugs(), ids=str, indirect=True)
async def test_a_key_nobody_used_is_unknown(stage: Stage) -> None:
    said = await asked(stage, stage.patient.query("at1_00000000000000000000nobody"))
    assert isinstance(said, Unknown)


@pytest.mark.parametrize(("stage", "way"), WAYS, indirect=["stage"])
async def test_a_payer_who_refuses_leaves_nothing_taken(stage: Stage, way: Way) -> None:
    changes = {"instrument": way.declines} if way.declines else {}
    request = await begun(stage, way, **changes)
    if not way.declines:
        assert stage.act(request.key, "decline")
    said = await asked(stage, stage.patient.query(request.key))
    judge_charge(stage, request, said, standing(stage, request.key))
    assert isinstance(said, Declined | ActionNeeded | Pending)
    if isinstance(said, Declined):
        is_over(stage, way, request)
    elif stage.act(request.key, "pay"):
        await ended(stage, way, request)


@pytest.mark.parametrize(("stage", "way"), WAYS, indirect=["stage"])
async def test_nothing_listens_there(stage: Stage, way: Way) -> None:
    """Whatever is asked of an address where nobody is, nothing was sent."""
    request, reference = await paid(stage, way)
    before = standing(stage, request.key)
    deaf = connect(stage.plug, "http://127.0.0.1:9", 2)
    try:
        calls = [deaf.charge(stage.charge_request(way)), deaf.query(request.key)]
        for verb in CHANGES:
            if can(stage.plug, verb):
                change = stage.change_request(verb, request, reference)
                calls.append(getattr(deaf, verb)(change))
        for call in calls:
            said = await asked(stage, call)
            assert isinstance(said, NotSent | ActionNeeded), said
        assert standing(stage, request.key) == before
    finally:
        await deaf.close()
