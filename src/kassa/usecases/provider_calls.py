"""Every call to a provider goes through here."""

from collections.abc import Awaitable, Callable
from enum import StrEnum
from typing import TypeVar

from kassa.connectors.base import Connector, InDoubt, NotSent
from kassa.usecases.core import Core

_T = TypeVar("_T")


class Task(StrEnum):
    """What a call is for; each has a breaker of its own, so that a provider that takes no charges
    can still be asked about those it has."""

    CHARGE = "charge"
    MODIFY = "modify"  # capture, void, close
    REFUND = "refund"
    QUERY = "query"


async def ask_provider(
    core: Core, account: str, task: Task, call: Callable[[Connector], Awaitable[_T]]
) -> _T | NotSent | InDoubt:
    """What the provider answers; NotSent where it may not be called now, nothing having left."""
    connector = core.connectors.get(account)
    if connector is None:
        return NotSent(reason=f"the account {account} cannot be used by this process")
    return await call(connector)
