"""What every test of the suite is made of: a verb, the fault that plays on it, and what follows."""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

from tests.connectors.contract.plug import Plug, Way
from tests.connectors.contract.stage import Stage
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
from kassa.connectors.catalog import kind_of
from kassa.connectors.kind import operations
from kassa_simulator.faults import ANSWER_CODECS, OF_CALLS, PICKY

SECONDS = {"timeout_before": 0.15, "timeout_after": 0.15, "slow": 0.02}
"""How long the faults last that a hasty connector does not wait for: longer than it, and no
longer. "slow": for each byte."""

FAULTS = sorted(OF_CALLS - {PICKY, *ANSWER_CODECS})

CHANGES = ("capture", "void", "refund")
"""Verbs that not every connector has; each is played where the class has it."""

_operations: dict[tuple[str, str, str], list[str]] = {}


def can(plug: Plug, verb: str) -> bool:
    return verb in operations(kind_of(plug.name).load())


@contextmanager
def about(stage: Stage, way: Way, verb: str, fault: str, operation: str) -> Iterator[None]:
    """Whatever fails within says of which connector, verb, fault and call it is."""
    __tracebackhide__ = True
    try:
        yield
    except Contradiction as error:
        where = f"{stage.plug.name}, {way.name}: {verb}, {fault} on {operation}"
        raise Contradiction(f"{where}: {error}") from error


async def operations_of(
    stage: Stage, way: Way, verb: str, ready: Callable[[], Awaitable[Callable[[], Awaitable[Any]]]]
) -> list[str]:
    """What the faults of a verb are played on: each of the simulator's operations that it consists
    of when nothing goes wrong, and "*", all of them. `ready` sets the scene and gives the verb."""
    named = (stage.plug.name, way.name, verb)
    if named not in _operations:
        run = await ready()
        mark = stage.mark
        await run()
        _operations[named] = stage.operations_since(mark)
    found = _operations[named]
    return ["*", *found] if len(found) > 1 else ["*"]


def at_once(run: Callable[[], Awaitable[Any]]) -> Callable[[], Awaitable[Any]]:
    """The `ready` of a verb that needs no scene."""

    async def ready() -> Callable[[], Awaitable[Any]]:
        return run

    return ready


async def faulted(
    stage: Stage, fault: str, operation: str, call: Callable[[Any], Awaitable[Any]]
) -> Any:
    """Ask while `fault` plays, and the books be quiet afterwards. The hasty connector is asked only
    where there is something to wait for: elsewhere a busy machine would hide the fault from it."""
    stage.distorted.clear()
    stage.play(fault, operation, seconds=SECONDS.get(fault, 0))
    try:
        return await asked(stage, call(stage.hasty if fault in SECONDS else stage.patient))
    finally:
        stage.stop()


def calm(stage: Stage) -> None:
    stage.distorted.clear()


async def begun(stage: Stage, way: Way, **changes: Any) -> ChargeRequest:
    """A charge whose payer stands at the page, or which is paid already where none is needed."""
    request = stage.charge_request(way, **changes)
    said = await asked(stage, stage.patient.charge(request))
    judge_charge(stage, request, said, standing(stage, request.key))
    await stage.go(said)
    return request


async def paid(stage: Stage, way: Way) -> tuple[ChargeRequest, str]:
    """A charge that is paid, or reserved, and the provider's reference of it."""
    request = await begun(stage, way)
    stage.act(request.key, "pay")
    said = await ended(stage, way, request)
    return request, said.reference


async def ended(stage: Stage, way: Way, request: ChargeRequest) -> Any:
    """What a question by our key alone tells of a charge that was paid: the whole truth."""
    said = await asked(stage, stage.patient.query(request.key))
    judge_charge(stage, request, said, standing(stage, request.key), may_be_unknown=True)
    wanted = Authorized if way.reserves else Captured
    if not isinstance(said, wanted) or said.amount != request.amount:
        raise Contradiction(f"it is paid, and the question by our key alone got {said}")
    return said


async def resolved(stage: Stage, way: Way, request: ChargeRequest, said: Any) -> None:
    """A question, and a repeat where the payer has no address; then it is paid, and once."""
    found = await asked(stage, stage.patient.query(request.key))
    judge_charge(stage, request, found, standing(stage, request.key), may_be_unknown=True)
    if isinstance(found, InDoubt | NotSent):
        raise Contradiction(f"all is well again, and the question by our key alone got {found}")
    if isinstance(found, Declined):
        is_over(stage, way, request)
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
    await repeated(stage, way, request, told)


def is_over(stage: Stage, way: Way, request: ChargeRequest) -> None:
    if not way.one_address and payable(stage, request.key):
        raise Contradiction("declined, and the payer can still pay")


async def repeated(stage: Stage, way: Way, request: ChargeRequest, told: Any) -> None:
    """The same charge again, and a payer who tries to pay it once more. An address that was good
    before may be told again: it takes no second payment."""
    again = await asked(stage, stage.patient.charge(request))
    judge_charge(stage, request, again, standing(stage, request.key), speaks=False)
    if isinstance(again, Declined):
        raise Contradiction(f"the repeat of a paid charge got {again}")
    stage.act(request.key, "pay")
    if await ended(stage, way, request) != told:
        raise Contradiction("a repeat changed what the question tells")
