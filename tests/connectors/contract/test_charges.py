"""Charges under every fault: what is answered, and what a question and a repeat make of it."""

from typing import Any

import pytest
from tests.connectors.contract.plug import Way, plugs
from tests.connectors.contract.scenes import (
    FAULTS,
    about,
    begun,
    calm,
    ended,
    faulted,
    operations_of,
    paid,
)
from tests.connectors.contract.stage import Stage, connect
from tests.connectors.contract.truth import (
    Contradiction,
    asked,
    judge_charge,
    payable,
    standing,
)

from kassa.connectors.base import (
    ActionNeeded,
    Authorized,
    Captured,
    ChargeRequest,
    Declined,
    InDoubt,
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
    for operation in await operations_of(stage, way, "charge", lambda: begun(stage, way)):
        with about(stage, way, "charge", fault, operation):
            await _charge_under(stage, way, fault, operation)


async def _charge_under(stage: Stage, way: Way, fault: str, operation: str) -> None:
    request = stage.charge_request(way)
    before, mark = standing(stage, request.key), stage.mark
    said = await faulted(stage, fault, operation, lambda one: one.charge(request))
    judge_charge(stage, request, said, before, fault=fault, speaks=stage.mark > mark)
    calm(stage)
    await _resolved(stage, way, request, said)
    now = standing(stage, request.key)
    if isinstance(said, Declined) and now.moved != (0, 0, 0):
        raise Contradiction(f"said {said}, and now the books have {now}")


async def _resolved(stage: Stage, way: Way, request: ChargeRequest, said: Any) -> None:
    """A question, and a repeat where the payer has no address; then it is paid, and once."""
    found = await asked(stage, stage.patient.query(request.key))
    judge_charge(stage, request, found, standing(stage, request.key), may_be_unknown=True)
    if isinstance(found, InDoubt | NotSent):
        raise Contradiction(f"all is well again, and the question by our key alone got {found}")
    if isinstance(found, Declined):
        _is_over(stage, way, request)
        return
    if isinstance(said, Declined) and not isinstance(found, Unknown):
        raise Contradiction(f"said {said}, and the question got {found}")
    if isinstance(said, Declined):
        return
    address = next((one for one in (found, said) if isinstance(one, ActionNeeded)), None)
    if address is None and isinstance(found, Unknown | Pending):
        found = await asked(stage, stage.patient.charge(request))
        judge_charge(stage, request, found, standing(stage, request.key))
        if isinstance(found, InDoubt | NotSent | Unknown | Declined):
            raise Contradiction(f"all is well again, and the repeat of the charge got {found}")
        address = found
    if address is not None:
        await stage.go(address)
        stage.act(request.key, "pay")
    told = await ended(stage, way, request)
    await _repeated(stage, way, request, told)


def _is_over(stage: Stage, way: Way, request: ChargeRequest) -> None:
    if not way.one_address and payable(stage, request.key):
        raise Contradiction("declined, and the payer can still pay")


async def _repeated(stage: Stage, way: Way, request: ChargeRequest, told: Any) -> None:
    """The same charge again, and a payer who tries to pay it once more. An address that was good
    before may be told again: it takes no second payment."""
    again = await asked(stage, stage.patient.charge(request))
    judge_charge(stage, request, again, standing(stage, request.key), speaks=False)
    if isinstance(again, Declined):
        raise Contradiction(f"the repeat of a paid charge got {again}")
    stage.act(request.key, "pay")
    if await ended(stage, way, request) != told:
        raise Contradiction("a repeat changed what the question tells")


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
            stage, way, verb, lambda: stage.patient.query(request.key)
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
        _is_over(stage, way, request)
    elif stage.act(request.key, "pay"):
        await ended(stage, way, request)


@pytest.mark.parametrize(("stage", "way"), WAYS, indirect=["stage"])
async def test_nothing_listens_there(stage: Stage, way: Way) -> None:
    """Whatever is asked of an address where nobody is, nothing was sent."""
    request, reference = await paid(stage, way)
    before = standing(stage, request.key)
    deaf = connect(stage.plug, "http://127.0.0.1:9", 2)
    try:
        for call in (
            deaf.charge(stage.charge_request(way)),
            deaf.query(request.key),
            deaf.refund(stage.change_request("refund", request, reference)),
        ):
            said = await asked(stage, call)
            assert isinstance(said, NotSent | ActionNeeded), said
        assert standing(stage, request.key) == before
    finally:
        await deaf.close()
