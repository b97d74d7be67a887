"""Captures, voids, refunds and closings under every fault."""

from collections.abc import Mapping
from typing import Any

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
    operations_of,
    paid,
)
from tests.connectors.contract.stage import Stage
from tests.connectors.contract.truth import (
    Contradiction,
    Standing,
    asked,
    effect,
    judge_change,
    judge_charge,
    payable,
    standing,
)

from kassa.connectors.base import (
    Authorized,
    Captured,
    ChargeRequest,
    Declined,
    Done,
    InDoubt,
    ModificationRequest,
    NotSent,
    Pending,
    Unknown,
)

pytestmark = pytest.mark.anyio


def _cases() -> list[Any]:
    """Each verb once: how the money came does not matter to it."""
    return [
        pytest.param(plug, way, verb, id=f"{plug.name}-{way.name}-{verb}")
        for plug in plugs()
        for verb in CHANGES
        for way in [one for one in plug.ways if one.reserves is not (verb == "refund")][:1]
        if can(plug, verb)
    ]


def _ways() -> list[Any]:
    """Those whose charges wait for a payer."""
    return [
        pytest.param(plug, way, id=f"{plug.name}-{way.name}")
        for plug in plugs()
        for way in plug.ways
        if can(plug, "close") and not way.fields.get("instrument")
    ]


def _amount(stage: Stage, verb: str) -> Mapping[str, Any]:
    in_part = verb == "refund" or (verb == "capture" and stage.plug.claims_in_part)
    return {"amount": stage.plug.part} if in_part else {}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize(("stage", "way", "verb"), _cases(), indirect=["stage"])
async def test_a_change_is_made_once_whatever_happens_to_it(
    stage: Stage, way: Way, verb: str, fault: str
) -> None:
    async def ready() -> Any:
        charge, reference = await paid(stage, way)
        request = stage.change_request(verb, charge, reference)
        return lambda: getattr(stage.patient, verb)(request)

    for operation in await operations_of(stage, way, verb, ready):
        with about(stage, way, verb, fault, operation):
            await _change_under(stage, way, verb, fault, operation)


async def _change_under(stage: Stage, way: Way, verb: str, fault: str, operation: str) -> None:
    charge, reference = await paid(stage, way)
    request = stage.change_request(verb, charge, reference, **_amount(stage, verb))
    before = standing(stage, charge.key)
    said = await faulted(stage, fault, operation, lambda one: getattr(one, verb)(request))
    judge_change(stage, verb, charge.key, request, said, before)
    calm(stage)
    found = await asked(stage, stage.patient.query_modification(request))
    _judge(stage, verb, charge, request, found, before)
    if isinstance(found, InDoubt | NotSent):
        raise Contradiction(f"all is well again, and the question got {found}")
    if isinstance(said, Declined):
        if isinstance(found, Done | Pending):
            raise Contradiction(f"said {said}, and the question got {found}")
        return
    if isinstance(found, Unknown) or verb in stage.plug.never:
        found = await asked(stage, getattr(stage.patient, verb)(request))
        _judge(stage, verb, charge, request, found, before)
    if not isinstance(found, Done) and not _is_refused(stage, verb, found):
        raise Contradiction(f"all is well again, and it came to {found}")
    await _again(stage, verb, charge, request, before)


def _is_refused(stage: Stage, verb: str, found: object) -> bool:
    return verb in stage.plug.never and isinstance(found, Declined)


def _judge(
    stage: Stage,
    verb: str,
    charge: ChargeRequest,
    request: ModificationRequest,
    said: object,
    before: Standing,
) -> None:
    judge_change(stage, verb, charge.key, request, said, before, may_be_unknown=True)


async def _again(
    stage: Stage, verb: str, charge: ChargeRequest, request: ModificationRequest, before: Standing
) -> None:
    """The same request once more moves nothing, and is answered the same or not at all."""
    then = standing(stage, charge.key)
    said = await asked(stage, getattr(stage.patient, verb)(request))
    _judge(stage, verb, charge, request, said, before)
    if standing(stage, charge.key) != then:
        raise Contradiction("a repeat under the same key moved money")
    if isinstance(said, InDoubt):  # the question tells
        said = await asked(stage, stage.patient.query_modification(request))
    if effect(verb, before, then) and not isinstance(said, Done):
        raise Contradiction(f"it is done, and a repeat of it got {said}")


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize(("stage", "way", "verb"), _cases(), indirect=["stage"])
async def test_a_question_of_a_change_tells_the_truth_or_nothing(
    stage: Stage, way: Way, verb: str, fault: str
) -> None:
    charge, reference = await paid(stage, way)
    request = stage.change_request(verb, charge, reference, **_amount(stage, verb))
    before = standing(stage, charge.key)
    for made in (False, True):
        if made:
            await asked(stage, getattr(stage.patient, verb)(request))
        then = standing(stage, charge.key)
        named = f"question of a {verb}"
        for operation in await operations_of(
            stage, way, named, at_once(lambda: stage.patient.query_modification(request))
        ):
            with about(stage, way, named, fault, operation):
                said = await faulted(
                    stage, fault, operation, lambda one: one.query_modification(request)
                )
                judge_change(
                    stage,
                    verb,
                    charge.key,
                    request,
                    said,
                    before,
                    fault=fault,
                    may_be_unknown=True,
                )
                if standing(stage, charge.key) != then:
                    raise Contradiction("a question moved money")
                if not made and isinstance(said, Declined) and verb not in stage.plug.never:
                    raise Contradiction(f"nobody asked for it yet, and the question got {said}")
                calm(stage)


@pytest.mark.parametrize(("stage", "way", "verb"), _cases(), indirect=["stage"])
async def test_more_than_there_is_is_refused(stage: Stage, way: Way, verb: str) -> None:
    """What was given back, claimed or let go wholly is not there a second time."""
    charge, reference = await paid(stage, way)
    first = await asked(
        stage, getattr(stage.patient, verb)(stage.change_request(verb, charge, reference))
    )
    before = standing(stage, charge.key)
    if _is_refused(stage, verb, first):
        return
    assert isinstance(first, Done)
    for another in CHANGES if verb != "refund" else ("refund",):
        if not can(stage.plug, another) or (verb == "capture" and another == "refund"):
            continue
        request = stage.change_request(another, charge, reference)
        said = await asked(stage, getattr(stage.patient, another)(request))
        assert not isinstance(said, NotSent | Unknown | Pending)
        if standing(stage, charge.key) != before:
            raise Contradiction(f"{another} after {verb} moved money")
        if isinstance(said, Done) and another != verb:
            raise Contradiction(f"{another} after {verb} got {said}")


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize(("stage", "way"), _ways(), indirect=["stage"])
async def test_what_is_closed_nobody_pays(stage: Stage, way: Way, fault: str) -> None:
    async def ready() -> Any:
        request = await begun(stage, way)
        return lambda: stage.patient.close_charge(request.key)

    for operation in await operations_of(stage, way, "close", ready):
        with about(stage, way, "close", fault, operation):
            await _close_under(stage, way, fault, operation)


async def _close_under(stage: Stage, way: Way, fault: str, operation: str) -> None:
    request = await begun(stage, way)
    before = standing(stage, request.key)
    said = await faulted(stage, fault, operation, lambda one: one.close_charge(request.key))
    judge_charge(stage, request, said, before, fault=fault, may_be_unknown=True)
    if isinstance(said, Declined):
        _nobody_pays(stage, request)
    calm(stage)
    await _closed_after_all(stage, way, request)


def _nobody_pays(stage: Stage, request: ChargeRequest) -> None:
    if payable(stage, request.key):
        raise Contradiction("it is closed, and the payer can pay it")


async def _closed_after_all(stage: Stage, way: Way, request: ChargeRequest) -> None:
    said = await asked(stage, stage.patient.close_charge(request.key))
    judge_charge(stage, request, said, standing(stage, request.key), may_be_unknown=True)
    if isinstance(said, InDoubt | NotSent):
        raise Contradiction(f"all is well again, and closing it got {said}")
    if isinstance(said, Declined):
        _nobody_pays(stage, request)
    elif isinstance(said, Captured | Authorized) or stage.act(request.key, "pay"):
        await ended(stage, way, request)


@pytest.mark.parametrize(("stage", "way"), _ways(), indirect=["stage"])
async def test_what_is_paid_is_not_closed(stage: Stage, way: Way) -> None:
    request, _ = await paid(stage, way)
    before = standing(stage, request.key)
    said = await asked(stage, stage.patient.close_charge(request.key))
    judge_charge(stage, request, said, before)
    assert isinstance(said, Captured | Authorized)
    assert standing(stage, request.key) == before
