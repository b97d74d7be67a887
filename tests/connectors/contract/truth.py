"""Whether what a connector answered is so in the provider's books."""

import inspect
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from typing import Any

from tests.connectors.contract.stage import Stage

from kassa.base.domain.money import Money
from kassa.connectors.base import (
    ActionNeeded,
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
from kassa_simulator.protocols import protocols


class Contradiction(AssertionError):
    """A connector said, or did, what it must not."""


@dataclass(frozen=True)
class Standing:
    """How one charge stands in the books. `taken`, `given`: each movement in minor units."""

    taken: Sequence[int]
    given: Sequence[int]
    reserved: int
    statuses: Sequence[str]
    currency: str

    @property
    def is_there(self) -> bool:
        return bool(self.statuses)

    @property
    def moved(self) -> tuple[int, int, int]:
        return sum(self.taken), sum(self.given), self.reserved


def standing(stage: Stage, key: str) -> Standing:
    charges = stage.charges(key)
    return Standing(
        taken=stage.moved(key, "charge"),
        given=stage.moved(key, "refund"),
        reserved=sum(one.authorized_minor for one in charges if one.status == "authorized"),
        statuses=[one.status for one in charges],
        currency=charges[-1].currency if charges else "",
    )


def payable(stage: Stage, key: str) -> bool:
    """Whether a payer could still pay a charge of that key."""
    protocol = protocols()[stage.plug.name]
    return any(
        "pay" in protocol.acts(one) for one in stage.charges(key) if one.status != "captured"
    )


async def asked(stage: Stage, call: Awaitable[Any]) -> Any:
    """What the connector answers. Nothing it does may end in an exception or tell a secret."""
    assert inspect.isawaitable(call)
    try:
        said = await call
    except Exception as error:
        raise Contradiction(f"raised {type(error).__name__}: {error}") from error
    tells_no_secret(stage, said)
    return said


def tells_no_secret(stage: Stage, *said: object) -> None:
    for text in map(repr, said):
        if any(secret in text for secret in stage.plug.secrets):
            raise Contradiction("a secret stands in what it says")


def judge_charge(  # noqa: C901 - one case of every outcome
    stage: Stage,
    request: ChargeRequest,
    said: object,
    before: Standing,
    *,
    fault: str = "",
    may_be_unknown: bool = False,
    speaks: bool = True,
) -> None:
    """`said` of a charge, as the books are now. `before`: how they were before it was asked.
    `speaks`: it asked the provider. Raises: Contradiction."""
    now = standing(stage, request.key)
    if len(now.taken) > 1 and sum(now.taken) > request.amount.minor:
        raise Contradiction(f"money was taken more than once: {now.taken}")
    match said:
        case Captured(amount=amount):
            _judge_amount(stage, request.amount, amount, sum(now.taken), now.currency)
        case Authorized(amount=amount):
            _judge_amount(stage, request.amount, amount, now.reserved, now.currency)
        case Declined():
            if now.taken or now.reserved:
                raise Contradiction(f"{said} and the books have {now}")
        case NotSent():
            if now != before:
                raise Contradiction(f"{said} and the books went from {before} to {now}")
        case Unknown():
            if not may_be_unknown:
                raise Contradiction(f"{said} is an answer to a question only")
            if now.is_there and fault != "not_found":
                raise Contradiction(f"{said} and the books have {now}")
        case ActionNeeded():
            if speaks and (now.taken or now.reserved):
                raise Contradiction(f"{said} and the books have {now}")
        case Pending() | InDoubt():
            pass
        case _:
            raise Contradiction(f"{said!r} is no outcome of a charge")


def judge_change(  # noqa: C901 - one case of every outcome
    stage: Stage,
    verb: str,
    charge_key: str,
    request: ModificationRequest,
    said: object,
    before: Standing,
    *,
    fault: str = "",
    may_be_unknown: bool = False,
) -> None:
    """The same of a capture, void or refund; `before`: the books before the first of its calls."""
    now = standing(stage, charge_key)
    done = effect(verb, before, now)
    if len(now.given) - len(before.given) > 1 or len(now.taken) - len(before.taken) > 1:
        raise Contradiction(f"money moved more than once under one key: {now}")
    match said:
        case Done() if verb == "void":
            if not done:
                raise Contradiction(f"{said} and the books have {now}")
        case Done() if verb in stage.plug.sums and stage.distorted:
            pass
        case Done(amount=amount):
            _judge_amount(stage, request.amount, amount, done, now.currency)
        case NotSent() if may_be_unknown:
            pass  # the question was not put: nothing is learned
        case Declined() | NotSent():
            if done:
                raise Contradiction(f"{said} and the books went from {before} to {now}")
        case Unknown():
            if not may_be_unknown:
                raise Contradiction(f"{said} is an answer to a question only")
            if done and fault != "not_found":
                raise Contradiction(f"{said} and the books have {now}")
        case Pending() | InDoubt():
            pass
        case _:
            raise Contradiction(f"{said!r} is no outcome of a {verb}")


def effect(verb: str, before: Standing, now: Standing) -> int:
    """By how much minor units the books have moved; of a void 1 for having let go."""
    match verb:
        case "capture":
            return sum(now.taken) - sum(before.taken)
        case "refund":
            return sum(now.given) - sum(before.given)
        case "void":
            return int(before.reserved > 0 and now.reserved == 0 and not now.taken)
    raise AssertionError(verb)


def _judge_amount(stage: Stage, wanted: Money, said: Money, moved: int, currency: str) -> None:
    if stage.distorted and said != wanted:
        return  # the core compares, and finds it wrong
    if stage.distorted and stage.everywhere:
        raise Contradiction(f"was told of another amount or currency, and answered {said}")
    if (said.minor, said.currency) != (moved, currency):
        raise Contradiction(f"says {said} and the books have {moved} {currency}")
