"""What providers say, as plain data that is kept, and back."""

from typing import Any

import msgspec

from kassa.base.domain.lifecycle import ModificationKind
from kassa.connectors.base import (
    ActionNeeded,
    AnyNews,
    Authorized,
    Captured,
    ChargeEvent,
    Declined,
    DisputeEvent,
    Done,
    FailedLater,
    InDoubt,
    ModificationEvent,
    ModificationOutcome,
    NotSent,
    Outcome,
    Pending,
    Unknown,
    UnreadEvent,
)

_OUTCOMES = {
    one.__name__: one
    for one in (
        Authorized,
        Captured,
        ActionNeeded,
        Pending,
        Declined,
        NotSent,
        InDoubt,
        Unknown,
        Done,
        FailedLater,
    )
}


def write_outcome(outcome: Outcome | ModificationOutcome) -> dict[str, Any]:
    """Its members, and its class as `type`."""
    return {**msgspec.to_builtins(outcome), "type": type(outcome).__name__}


def read_outcome(said: dict[str, Any]) -> Any:
    """What `write_outcome` has written."""
    members = {name: value for name, value in said.items() if name != "type"}
    return msgspec.convert(members, _OUTCOMES[said["type"]])


def write_news(news: AnyNews) -> dict[str, Any]:
    """Its members, and its class as `type`."""
    said = {**msgspec.to_builtins(news), "type": type(news).__name__}
    if not isinstance(news, DisputeEvent | UnreadEvent):
        said["outcome"] = write_outcome(news.outcome)
    return said


def read_news(said: dict[str, Any]) -> AnyNews:
    """What `write_news` has written."""
    members = {name: value for name, value in said.items() if name != "type"}
    if said["type"] == DisputeEvent.__name__:
        return msgspec.convert(members, DisputeEvent)
    if said["type"] == UnreadEvent.__name__:
        return msgspec.convert(members, UnreadEvent)
    members["outcome"] = read_outcome(members["outcome"])
    if said["type"] == ModificationEvent.__name__:
        what = ModificationKind(members.pop("what", ModificationKind.REFUND))
        return ModificationEvent(**members, what=what)
    return ChargeEvent(**members)
