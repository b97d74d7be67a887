"""Provider accounts whose questions go unanswered, and what is asked again once one is answered."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from kassa.base.store.connection import Connection
from kassa.base.store.queries import Command, Queries, Rows, Value, affected

SilentAccount = tuple[str, str]
"""The company whose it is, "" where it is everybody's, and its name."""


class _Ended(NamedTuple):
    """`counts`: it was long, or shortly after a long time."""

    since: datetime
    counts: bool


class _Silent(NamedTuple):
    company_id: str
    account: str


class Sql(Queries):
    begin: Command
    is_silent: Value[bool]
    end_silence: Rows[_Ended]
    due: Rows[_Silent]
    pull_charge: Value[bool]
    pull_modification: Value[bool]
    pull_forward: Command


async def begin(
    connection: Connection, account: SilentAccount, *, before: timedelta, probe: timedelta
) -> None:
    """A question went unanswered: it was asked at most `before` ago. The first one counts."""
    await Sql.begin.run(connection, *account, before, probe)


async def is_silent(connection: Connection, account: SilentAccount) -> bool:
    return await Sql.is_silent.one(connection, *account)


async def end(
    connection: Connection, account: SilentAccount, *, long: timedelta
) -> datetime | None:
    """Since when it was silent; None where that was not long, or another process has ended it.

    For so long again after a long silence every one counts: a provider comes back in steps, and
    the processes see it come back one after the other.
    """
    ended = await Sql.end_silence.first(connection, *account, long)
    return ended.since if ended is not None and ended.counts else None


async def due(
    connection: Connection, names: Sequence[str], shortest: timedelta, longest: timedelta
) -> list[SilentAccount]:
    """The silent ones that should be probed now, where no question is due anyway. The pause until
    the next time grows with the silence, a hundredth of that, between these two."""
    return [*await Sql.due.all(connection, list(names), shortest, longest)]


async def pull_one(connection: Connection, name: str, *, apart: timedelta) -> bool:
    """Let one thing be asked about now, the one that was asked about longest ago; of charges
    first, then of refunds, captures and voids. `apart`: between two questions about the same."""
    pulled = await Sql.pull_charge.first(connection, name, apart)
    return bool(pulled or await Sql.pull_modification.first(connection, name, apart))


async def pull_forward(
    connection: Connection, name: str, since: datetime, *, per_second: int, apart: timedelta
) -> int:
    """Let everything be asked about soon that was asked about since then, so many a second, the
    newest first; returns how much that is.

    What somebody else is changing at this moment is left to them: nothing waits here, so that
    nobody can wait for each other.
    """
    return affected(await Sql.pull_forward.run(connection, name, since, per_second, apart))
