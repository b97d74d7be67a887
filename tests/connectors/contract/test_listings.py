"""What a provider lists of a charge and of a time is whole and true, or there is no list."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.connectors.contract.plug import Way, plugs
from tests.connectors.contract.scenes import (
    FAULTS,
    about,
    at_once,
    calm,
    faulted,
    operations_of,
    paid,
)
from tests.connectors.contract.stage import Stage
from tests.connectors.contract.truth import Contradiction, asked

from kassa.connectors.base import Done, InDoubt, KnownCharge, NotSent, RefundSource
from kassa.connectors.catalog import kind_of
from kassa.connectors.listing import Lister, Listing

pytestmark = pytest.mark.anyio


def _that_can(ability: type) -> list[Any]:
    return [plug for plug in plugs() if isinstance(kind_of(plug.name).load(), ability)]


def _way(stage: Stage) -> Way:
    return next(one for one in stage.plug.ways if not one.reserves)


def _given(told: Sequence[Any]) -> list[int]:
    return sorted(one.outcome.amount.minor for one in told if isinstance(one.outcome, Done))


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("stage", _that_can(RefundSource), ids=str, indirect=True)
async def test_refunds_of_a_charge_are_listed_wholly_or_not_at_all(
    stage: Stage, fault: str
) -> None:
    charge, reference = await paid(stage, _way(stage))
    refund = stage.change_request("refund", charge, reference, stage.plug.part)
    await asked(stage, stage.patient.refund(refund))
    known = KnownCharge(reference=reference, amount=charge.amount)

    whole = await asked(stage, stage.patient.refunds_of(charge.key, known))
    assert [one.key for one in whole] == [refund.key]
    assert _given(whole) == stage.moved(charge.key, "refund") == [stage.plug.part.minor]
    for operation in await operations_of(
        stage,
        _way(stage),
        "refunds_of",
        at_once(lambda: stage.patient.refunds_of(charge.key, known)),
    ):
        with about(stage, _way(stage), "refunds_of", fault, operation):
            told = await faulted(
                stage, fault, operation, lambda one: one.refunds_of(charge.key, known)
            )
            if not isinstance(told, NotSent | InDoubt):
                _judge(stage, told, whole, fault)
            calm(stage)
            assert await asked(stage, stage.patient.refunds_of(charge.key, known)) == whole


def _judge(stage: Stage, told: Sequence[Any], whole: Sequence[Any], fault: str) -> None:
    """What nobody can read may stand beside the truth, never instead of it. A provider that says
    there is nothing is believed, and one that names another amount is for the core to compare."""
    if stage.distorted or (fault == "not_found" and not told):
        return
    found = [one for one in told if one in whole] if fault == "odd_entries" else [*told]
    if found != [*whole]:
        raise Contradiction(f"it listed {told}, and there are {whole}")


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("stage", _that_can(Lister), ids=str, indirect=True)
async def test_a_page_of_what_is_on_record_is_whole_or_there_is_none(
    stage: Stage, fault: str
) -> None:
    charge, _ = await paid(stage, _way(stage))
    now = datetime.now(UTC)
    span = now - timedelta(days=1), now + timedelta(hours=1)

    whole = await asked(stage, stage.patient.list_charges(*span))
    assert isinstance(whole, Listing)
    [mine] = [one for one in whole.charges if one.key == charge.key]
    assert [mine.captured.minor] == stage.moved(charge.key, "charge")
    for operation in await operations_of(
        stage, _way(stage), "list_charges", at_once(lambda: stage.patient.list_charges(*span))
    ):
        with about(stage, _way(stage), "list_charges", fault, operation):
            told = await faulted(stage, fault, operation, lambda one: one.list_charges(*span))
            if not isinstance(told, Listing | NotSent | InDoubt):
                raise Contradiction(f"{told!r} is no answer")
            if isinstance(told, Listing):
                _judge(stage, told.charges, whole.charges, fault)
                assert told.after == whole.after
            calm(stage)
            assert await asked(stage, stage.patient.list_charges(*span)) == whole
