"""Breaks after they were opened: listed, owned, resolved, and closed by what came later."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from kassa.base.domain.lifecycle import BreakClass
from kassa.base.store.connection import Connection
from kassa.base.store.queries import Command, Queries, Rows, Value
from kassa.ledger.domain.ledger import PostingKind
from kassa.payments.domain.disputes import BookedByHand, Dispute
from kassa.proof.store.resealing import resealed
from kassa.reconciliation.domain.matching import BANK, ledger_account


@dataclass(frozen=True, slots=True, kw_only=True)
class Break:
    """One work item. `age` runs until it is resolved. `line`: the number in the file, if any.

    `posting_id`: what a person booked to put it right. `again_in`: "file:line" of later files that
    have had the same line.
    """

    company_id: str
    id: str
    problem: BreakClass
    connector: str
    file_id: str
    file_name: str
    line: int | None
    payment_id: str
    cause: str
    currency: str
    expected_minor: int | None
    found_minor: int | None
    details: str
    owner: str
    status: str
    opened_at: datetime
    age: timedelta
    resolution: str
    resolved_by: str
    resolved_at: datetime | None
    posting_id: str
    again_in: list[str]


class _Many(NamedTuple):
    problem: str
    many: int


class _Place(NamedTuple):
    place: int
    cause: str


@dataclass(frozen=True, slots=True)
class Unreported:
    """A captured payment of which no report has told all."""

    payment_id: str
    currency: str
    captured_minor: int
    settled_minor: int
    captured_at: datetime


class _Reported(NamedTuple):
    company_id: str
    connector: str


class _Payout(NamedTuple):
    id: str
    is_reported: bool


class Sql(Queries):
    booked_by_hand: Rows[BookedByHand]
    listed: Rows[Break]
    by_id: Rows[Break]
    lock: Command
    assign: Command
    resolve: Command
    lock_cured: Value[str]
    resolve_cured: Command
    place_of: Value[int]
    of_line: Value[str]
    work_done: Value[str]
    has_open: Value[bool]
    open_of_file: Rows[_Many]
    places_of: Rows[_Place]
    unreported: Rows[Unreported]
    to_settle: Value[str]
    companies_to_settle: Value[str]
    accounts_reported: Rows[_Reported]
    payouts_of_net: Value[str]
    payout_postings: Rows[_Payout]
    returns_of_net: Value[str]


async def booked_by_hand(
    connection: Connection, disputes: Sequence[Dispute]
) -> dict[str, BookedByHand]:
    """By dispute: what people have made of what it took in another currency."""
    rows = await Sql.booked_by_hand.all(
        connection,
        [one.company_id for one in disputes],
        [one.payment_id for one in disputes],
        [one.id for one in disputes],
    )
    return {row.dispute_id: row for row in rows}


async def listed(
    connection: Connection,
    company_id: str,
    *,
    with_resolved: bool,
    problem: str | None,
    owner: str | None,
    limit: int,
) -> list[Break]:
    """The oldest first."""
    return await Sql.listed.all(connection, company_id, with_resolved, problem, owner, limit)


async def by_id(connection: Connection, company_id: str, break_id: str) -> Break | None:
    return await Sql.by_id.first(connection, company_id, break_id)


async def lock(connection: Connection, company_id: str, break_id: str) -> None:
    await Sql.lock.run(connection, company_id, break_id)


async def assign(connection: Connection, company_id: str, break_id: str, owner: str) -> None:
    async with resealed(
        connection, "report_break", "t.company_id = $1 and t.id = $2", company_id, break_id
    ):
        await Sql.assign.run(connection, company_id, break_id, owner)


async def resolve(
    connection: Connection,
    company_id: str,
    break_id: str,
    resolution: str,
    actor: str,
    posting_id: str,
) -> None:
    async with resealed(
        connection, "report_break", "t.company_id = $1 and t.id = $2", company_id, break_id
    ):
        await Sql.resolve.run(connection, company_id, break_id, resolution, actor, posting_id)


_CURED = tuple(
    problem.value
    for problem in (
        BreakClass.AMOUNT,
        BreakClass.CURRENCY,
        BreakClass.STATUS,
    )
)

CURED_BY_TIME = (BreakClass.STATUS, BreakClass.REFUND_MISSING, BreakClass.MISSING_OURS)
"""Of lines that told of what we did not know yet."""
_OF_THE_LINE = tuple({*_CURED, *(problem.value for problem in CURED_BY_TIME)})


async def resolve_matched(
    connection: Connection,
    company_id: str,
    payment_ids: Sequence[str],
    causes: Sequence[str],
    resolution: str,
    *,
    file_id: str,
    places: Sequence[int],
    actor: str,
) -> None:
    """Close what a line has cured: it was reported after all, or as it should be.

    By a line of another file, or by the very line (one of `places`) at another look.
    """
    cured = await Sql.lock_cured.all(
        connection,
        company_id,
        list(payment_ids),
        list(causes),
        list(_CURED),
        BreakClass.MISSING_THEIRS.value,
        file_id,
        list(places),
        list(_OF_THE_LINE),
    )
    if cured:
        where = "t.company_id = $1 and t.id = any($2)"
        async with resealed(connection, "report_break", where, company_id, cured):
            await Sql.resolve_cured.run(connection, company_id, cured, resolution, actor)


async def place_of(connection: Connection, company_id: str, break_id: str) -> int:
    """Of the line that it is about; 0 where it is about none."""
    return await Sql.place_of.one(connection, company_id, break_id)


async def resolve_line(
    connection: Connection, company_id: str, file_id: str, place: int, words: str, actor: str
) -> None:
    """Close what is open about a line that matches now; what is left to do with its money stays."""
    found = await Sql.of_line.all(connection, company_id, file_id, place)
    if found:
        where = "t.company_id = $1 and t.id = any($2)"
        async with resealed(connection, "report_break", where, company_id, found):
            await Sql.resolve_cured.run(connection, company_id, found, words, actor)


async def end_work(
    connection: Connection,
    company_id: str,
    payment_id: str,
    classes: Sequence[str],
    *,
    actor: str,
) -> None:
    """Close what was work about a payment, of these classes, and is done."""
    done = await Sql.work_done.all(connection, company_id, payment_id, list(classes))
    if done:
        where = "t.company_id = $1 and t.id = any($2)"
        async with resealed(connection, "report_break", where, company_id, done):
            await Sql.resolve_cured.run(connection, company_id, done, "it is put right", actor)


async def has_open(connection: Connection, company_id: str) -> bool:
    return await Sql.has_open.one(connection, company_id)


async def open_of_file(connection: Connection, company_id: str, file_id: str) -> dict[str, int]:
    """How many of each class are still open."""
    rows = await Sql.open_of_file.all(connection, company_id, file_id)
    return {row.problem: row.many for row in rows}


async def places_of(
    connection: Connection, company_id: str, file_id: str, problem: BreakClass, limit: int
) -> dict[int, str]:
    """Lines of the file that are open breaks of that class, and what each is about."""
    rows = await Sql.places_of.all(connection, company_id, file_id, problem.value, limit)
    return {row.place: row.cause for row in rows}


async def unreported(
    connection: Connection,
    company_id: str,
    connector: str,
    older_than: timedelta,
    boundary: timedelta,
    limit: int,
) -> list[Unreported]:
    """Within what the account's finished reports cover, the oldest first; none known yet.

    `boundary`: how much before a report's first line its period may have begun.
    """
    return await Sql.unreported.all(
        connection,
        company_id,
        connector,
        older_than,
        boundary,
        limit,
        BreakClass.MISSING_THEIRS.value,
        ledger_account(connector),
        BANK,
    )


async def to_settle(connection: Connection, company_id: str, limit: int) -> list[str]:
    """Payments completely reported whose reservation was let go after that."""
    return await Sql.to_settle.all(connection, company_id, limit)


async def companies_to_settle(connection: Connection) -> list[str]:
    """Companies with such payments; the index payment_to_settle holds no others."""
    return await Sql.companies_to_settle.all(connection)


async def accounts_reported(connection: Connection) -> Sequence[tuple[str, str]]:
    """(company, connector)s of which a report was imported."""
    return await Sql.accounts_reported.all(connection)


async def payouts_of_net(
    connection: Connection, company_id: str, currency: str, net_minor: int
) -> list[str]:
    """Ids of settlements that are to be paid out, and come to exactly that; two say enough."""
    return await Sql.payouts_of_net.all(connection, company_id, currency, net_minor)


async def payout_postings(
    connection: Connection, company_id: str, settlement_id: str, kind: PostingKind
) -> Sequence[tuple[str, bool]]:
    """(posting, whether a line told of it)s of a settlement's payouts, or of their returns, oldest
    first."""
    return await Sql.payout_postings.all(connection, company_id, settlement_id, kind.value)


async def returns_of_net(
    connection: Connection, company_id: str, currency: str, net_minor: int
) -> list[str]:
    """Ids of settlements of exactly that net whose payout went back, and no line told of it."""
    return await Sql.returns_of_net.all(connection, company_id, currency, net_minor)
