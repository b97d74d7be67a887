"""What is certain stands, whatever is listed beside it and in whatever charset it is written."""

import pytest
from tests.connectors.contract.plug import Way, plugs
from tests.connectors.contract.scenes import can, ended, paid
from tests.connectors.contract.stage import Stage
from tests.connectors.contract.truth import asked

from kassa.connectors.base import Done, Pending
from kassa_simulator.faults import ANSWER_CODECS

pytestmark = pytest.mark.anyio

WAYS = [
    pytest.param(plug, way, id=f"{plug.name}-{way.name}") for plug in plugs() for way in plug.ways
]


@pytest.mark.parametrize(("stage", "way"), WAYS, indirect=["stage"])
async def test_paid_money_is_told_beside_tries_that_nobody_can_read(stage: Stage, way: Way) -> None:
    request, reference = await paid(stage, way)

    stage.play("odd_entries")

    told = await ended(stage, way, request)
    assert told.reference == reference


@pytest.mark.parametrize(("stage", "way"), WAYS, indirect=["stage"])
async def test_a_refund_is_made_and_found_beside_those_that_nobody_can_read(
    stage: Stage, way: Way
) -> None:
    if not can(stage.plug, "refund") or way.reserves:
        return
    charge, reference = await paid(stage, way)
    refund = stage.change_request("refund", charge, reference, stage.plug.part)

    stage.play("odd_entries")

    made = await asked(stage, stage.patient.refund(refund))
    assert isinstance(made, Done | Pending), made
    assert await asked(stage, stage.patient.query_modification(refund)) == made


@pytest.mark.parametrize(("stage", "way"), WAYS, indirect=["stage"])
async def test_reserved_money_is_claimed_and_found_beside_what_nobody_can_read(
    stage: Stage, way: Way
) -> None:
    if not way.reserves or "capture" in stage.plug.never:
        return
    charge, reference = await paid(stage, way)
    capture = stage.change_request("capture", charge, reference)

    stage.play("odd_entries")

    assert isinstance(await asked(stage, stage.patient.capture(capture)), Done)
    assert isinstance(await asked(stage, stage.patient.query_modification(capture)), Done)


@pytest.mark.parametrize("fault", sorted(ANSWER_CODECS))
@pytest.mark.parametrize(("stage", "way"), WAYS, indirect=["stage"])
async def test_answers_are_believed_in_whatever_charset_they_are_signed(
    stage: Stage, way: Way, fault: str
) -> None:
    stage.play(fault)

    charge, reference = await paid(stage, way)

    if can(stage.plug, "refund") and not way.reserves:
        refund = stage.change_request("refund", charge, reference, stage.plug.part)
        made = await asked(stage, stage.patient.refund(refund))
        assert isinstance(made, Done | Pending), made
        assert await asked(stage, stage.patient.query_modification(refund)) == made
