"""The inbox of provider events, as they came; row state, never a cursor."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from kassa.base.store.connection import Connection
from kassa.base.store.mapping import reader
from kassa.base.store.queries import Command, Queries, Rows, Value
from kassa.base.store.seals import seals_of
from kassa.proof.store.cover import seal_of


@dataclass(frozen=True, slots=True, order=True)
class ProviderEventKey:
    """One notification. `company_id`: "" while an account that serves everybody names a charge by
    its own reference only. `dedupe_key`: the same however often the news comes."""

    company_id: str
    account: str
    dedupe_key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptProviderEvent:
    """A verified notification as it is kept. `news`: what was understood, in plain data.

    `tries`: how often it was to be applied before. `is_late`: it has waited for its charge too
    long. `is_new`: it had not come before; `is_applied`: nothing is left to do.
    """

    key: ProviderEventKey
    news: dict[str, Any]
    tries: int
    is_late: bool = False
    is_new: bool = False
    is_applied: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeignCount:
    """How often a provider posted to `account` what was genuine and not ours. `event`: what the
    last of it was called."""

    account: str
    why: str
    many: int
    event: str
    last_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class NewProviderEvent:
    """A verified notification that is to be kept; `news` as in KeptProviderEvent."""

    key: ProviderEventKey
    headers: Mapping[str, str]
    body: bytes
    news: dict[str, Any]

    @property
    def sealed(self) -> dict[str, Any]:
        """What its seals are over."""
        return {
            "company_id": self.key.company_id,
            "account": self.key.account,
            "dedupe_key": self.key.dedupe_key,
            "headers": dict(self.headers),
            "body": self.body,
            "news": self.news,
        }


class _Again(NamedTuple):
    """`is_elsewhere`: somebody else has it just now."""

    key: ProviderEventKey
    is_elsewhere: bool
    is_applied: bool
    tries: int
    is_late: bool


class _Applied(NamedTuple):
    """`is_elsewhere`: somebody else has it just now."""

    key: ProviderEventKey
    is_elsewhere: bool
    is_applied: bool


class Sql(
    Queries,
    readers=[
        reader(KeptProviderEvent, prefixes={"key": ""}, unstored=["is_new", "is_applied"]),
        reader(_Applied, prefixes={"key": ""}),
        reader(_Again, prefixes={"key": ""}),
    ],
):
    keep_news: Rows[ProviderEventKey]
    keep_again: Rows[_Again]
    lease_news: Rows[KeptProviderEvent]
    park_news: Command
    give_up_news: Command
    applied: Rows[_Applied]
    mark_applied: Command
    unknown_news: Value[int]
    count_foreign: Command
    foreign_news: Rows[ForeignCount]


_LATE = timedelta(hours=24)  # so long news waits for a charge that we do not know yet


async def keep_news(
    connection: Connection, arrived: Sequence[NewProviderEvent], lease_for: timedelta
) -> list[KeptProviderEvent | None]:
    """Keep verified notifications, for whoever keeps them to apply; after the lease a worker does.

    One that was kept before and never applied (we were killed in between, its charge is not
    known) is given out again. None for what somebody else has just now.
    """
    seals = seals_of(connection)
    first = {one.key: one for one in reversed(arrived)}
    keys = sorted(first)  # in one order everywhere
    said = {key: first[key].sealed for key in keys}
    made = {key: seal_of(seals, "provider_news", "seal", said[key]) for key in keys}
    new = await Sql.keep_news.all(
        connection,
        *_arrays(keys),
        [said[key]["headers"] for key in keys],
        [first[key].body for key in keys],
        [first[key].news for key in keys],
        lease_for,
        [seal_of(seals, "provider_news", "birth", said[key]) for key in keys],
        [made[key] for key in keys],
    )
    again: dict[ProviderEventKey, _Again] = {}
    if known := sorted(first.keys() - set(new)):
        rows = await Sql.keep_again.all(
            connection,
            *_arrays(known),
            [first[key].news for key in known],
            [made[key] for key in known],
            lease_for,
            _LATE,
        )
        again = {row.key: row for row in rows}
    return [_kept(one, again.get(one.key), is_first=first[one.key] is one) for one in arrived]


def _kept(
    one: NewProviderEvent, again: _Again | None, *, is_first: bool
) -> KeptProviderEvent | None:
    """`again`: how it stood where it was kept before. `is_first`: of those of one batch."""
    if again is None:
        return KeptProviderEvent(key=one.key, news=one.news, tries=0, is_new=is_first)
    if again.is_elsewhere:
        return None
    return KeptProviderEvent(
        key=one.key,
        news=one.news,
        tries=again.tries,
        is_late=again.is_late,
        is_applied=again.is_applied,
    )


async def unknown_news(connection: Connection, account: str, most: int) -> int:
    """How much of an account's news waits for what is not known here, counted up to `most`."""
    return await Sql.unknown_news.one(connection, account, most)


async def count_foreign(connection: Connection, found: Sequence[tuple[str, str, str]]) -> None:
    """Count what is not ours: the account, why, and what it is called."""
    accounts, reasons, events = ([one[place] for one in found] for place in range(3))
    await Sql.count_foreign.run(connection, accounts, reasons, events)


async def foreign_news(connection: Connection, accounts: Sequence[str] = ()) -> list[ForeignCount]:
    """What was counted of these accounts, or of all."""
    return await Sql.foreign_news.all(connection, list(accounts))


async def lease_news(
    connection: Connection, accounts: Sequence[str], limit: int, lease_for: timedelta
) -> list[KeptProviderEvent]:
    """Take news that is due to be applied; what nobody reports back on is due again after the
    lease. No other process gets the same meanwhile."""
    return await Sql.lease_news.all(connection, list(accounts), limit, lease_for, _LATE)


async def park_news(connection: Connection, key: ProviderEventKey, next_in: timedelta) -> None:
    """Its charge or refund is not known yet: try again then."""
    await Sql.park_news.run(connection, *_of(key), next_in)


async def give_up_news(connection: Connection, key: ProviderEventKey, result: str) -> None:
    """Nobody looks for its charge any more, until it comes again."""
    await Sql.give_up_news.run(connection, *_of(key), result)


async def applied(
    connection: Connection, keys: Sequence[ProviderEventKey]
) -> tuple[set[ProviderEventKey | None], set[ProviderEventKey | None]]:
    """Those of them that have been applied; and those that somebody else has just now. The others
    are locked. Asked under the lock of what they tell about, so that none is applied twice."""
    if not keys:
        return set(), set()
    found = await Sql.applied.all(connection, *_arrays(keys))
    return {one.key for one in found if one.is_applied}, {
        one.key for one in found if one.is_elsewhere
    }


async def mark_applied(
    connection: Connection, done: Sequence[tuple[ProviderEventKey, str, str]]
) -> None:
    """Each with the attempt or modification it was about, and the payment's status after it."""
    if not done:
        return
    await Sql.mark_applied.run(
        connection,
        *_arrays([key for key, _, _ in done]),
        [about for _, about, _ in done],
        [result for _, _, result in done],
    )


def _of(key: ProviderEventKey) -> tuple[str, str, str]:
    return key.company_id, key.account, key.dedupe_key


def _arrays(keys: Sequence[ProviderEventKey]) -> tuple[list[str], list[str], list[str]]:
    return (
        [key.company_id for key in keys],
        [key.account for key in keys],
        [key.dedupe_key for key in keys],
    )
