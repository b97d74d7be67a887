"""Breaks after they were opened: listed, owned, resolved, and closed by what came later."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from kassa.domain.lifecycle import AWAITS_PAYOUT, BreakStatus, PaymentStatus
from kassa.domain.matching import BANK, ledger_account
from kassa.domain.reports import BreakClass
from kassa.store.connection import Connection, Row
from kassa.store.resealing import resealed
from kassa.store.statuses import any_of, one

_OPEN = one(BreakStatus.OPEN)
_RESOLVED = one(BreakStatus.RESOLVED)
_CAPTURED = one(PaymentStatus.CAPTURED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Break:
    """One work item. `age` runs until it is resolved. `line`: the number in the file, if any.

    `posting_id`: what a person booked to put it right.
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


_SELECT = (
    "select b.company_id, b.id, b.class as problem, b.connector, b.file_id,"
    " coalesce(f.name, '') as file_name, l.number as line, b.payment_id, b.cause, b.currency,"
    " b.expected_minor, b.found_minor, b.details, b.owner, b.status, b.opened_at,"
    " coalesce(b.resolved_at, statement_timestamp()) - b.opened_at as age, b.resolution,"
    " b.resolved_by, b.resolved_at, b.posting_id from report_break b"
    " left join report_file f on f.company_id = b.company_id and f.id = b.file_id"
    " left join report_line l on l.company_id = b.company_id and l.file_id = b.file_id"
    " and l.place = b.place"
)


def _read(row: Row) -> Break:
    return Break(**{**dict(row), "problem": BreakClass(row["problem"])})


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
    rows = await connection.fetch(
        f"{_SELECT} where b.company_id = $1 and ($2 or b.status = {_OPEN})"
        " and ($3::text is null or b.class = $3) and ($4::text is null or b.owner = $4)"
        " order by b.opened_at, b.file_id, b.place, b.id limit $5",
        company_id,
        with_resolved,
        problem,
        owner,
        limit,
    )
    return [_read(row) for row in rows]


async def by_id(connection: Connection, company_id: str, break_id: str) -> Break | None:
    row = await connection.fetchrow(
        f"{_SELECT} where b.company_id = $1 and b.id = $2", company_id, break_id
    )
    return _read(row) if row else None


async def lock(connection: Connection, company_id: str, break_id: str) -> None:
    await connection.execute(
        "select 1 from report_break where company_id = $1 and id = $2 for update",
        company_id,
        break_id,
    )


async def assign(connection: Connection, company_id: str, break_id: str, owner: str) -> None:
    async with resealed(
        connection, "report_break", "t.company_id = $1 and t.id = $2", company_id, break_id
    ):
        await connection.execute(
            "update report_break set owner = $3 where company_id = $1 and id = $2",
            company_id,
            break_id,
            owner,
        )


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
        await connection.execute(
            f"update report_break set status = {_RESOLVED}, resolution = $3, resolved_by = $4,"
            " resolved_at = statement_timestamp(), posting_id = $5"
            f" where company_id = $1 and id = $2 and status = {_OPEN}",
            company_id,
            break_id,
            resolution,
            actor,
            posting_id,
        )


_CURED = tuple(
    problem.value
    for problem in (
        BreakClass.AMOUNT,
        BreakClass.CURRENCY,
        BreakClass.STATUS,
    )
)


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
    rows = await connection.fetch(
        f"select id from report_break where company_id = $1 and status = {_OPEN}"
        " and ((class = $5 and payment_id = any($2) and file_id = '')"
        "  or (class = any($4) and cause = any($3) and cause <> ''"
        "   and (file_id <> $6 or place = any($7)))) for update",
        company_id,
        list(payment_ids),
        list(causes),
        list(_CURED),
        BreakClass.MISSING_THEIRS.value,
        file_id,
        list(places),
    )
    cured = [row[0] for row in rows]
    if cured:
        where = "t.company_id = $1 and t.id = any($2)"
        async with resealed(connection, "report_break", where, company_id, cured):
            await connection.execute(
                f"update report_break set status = {_RESOLVED}, resolution = $3, resolved_by = $4,"
                " resolved_at = statement_timestamp() where company_id = $1 and id = any($2)",
                company_id,
                cured,
                resolution,
                actor,
            )


async def has_open(connection: Connection, company_id: str) -> bool:
    found: bool = await connection.fetchval(
        f"select exists (select from report_break where company_id = $1 and status = {_OPEN})",
        company_id,
    )
    return found


async def open_of_file(connection: Connection, company_id: str, file_id: str) -> dict[str, int]:
    """How many of each class are still open."""
    rows = await connection.fetch(
        "select class, count(*) from report_break where company_id = $1 and file_id = $2"
        f" and file_id <> '' and status = {_OPEN} group by class order by class",
        company_id,
        file_id,
    )
    return {row[0]: row[1] for row in rows}


async def places_of(
    connection: Connection, company_id: str, file_id: str, problem: BreakClass, limit: int
) -> dict[int, str]:
    """Lines of the file that are open breaks of that class, and what each is about."""
    rows = await connection.fetch(
        "select place, cause from report_break where company_id = $1 and file_id = $2"
        f" and file_id <> '' and status = {_OPEN} and class = $3 order by place limit $4",
        company_id,
        file_id,
        problem.value,
        limit,
    )
    return {row[0]: row[1] for row in rows}


@dataclass(frozen=True, slots=True)
class Unreported:
    """A captured payment of which no report has told all."""

    payment_id: str
    currency: str
    captured_minor: int
    settled_minor: int
    captured_at: datetime


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
    rows = await connection.fetch(
        "select p.id, p.currency, p.captured_minor, p.settled_minor, p.captured_at from payment p"
        f" where p.company_id = $1 and p.connector = $2 and p.status = {_CAPTURED}"
        " and p.settled_minor < p.captured_minor"
        # What was recorded by mistake was taken back by a refund, and never comes.
        " and ($2 <> $8 or p.refunded_minor < p.captured_minor)"
        " and p.captured_at < statement_timestamp() - $3::interval"
        " and exists (select from report_file f where f.company_id = $1 and f.connector = $2"
        "  and f.state = 'done'"
        "  and p.captured_at between f.covers_from - $4::interval and f.covers_until)"
        " and exists (select from posting g join entry e on e.company_id = g.company_id"
        "  and e.posting_id = g.id where g.company_id = $1 and g.payment_id = p.id"
        "  and g.payment_id <> '' and e.account = $7)"
        " and not exists (select from report_break b where b.company_id = $1"
        "  and b.payment_id = p.id and b.class = $6 and b.file_id = '')"
        " order by p.captured_at, p.id limit $5",
        company_id,
        connector,
        older_than,
        boundary,
        limit,
        BreakClass.MISSING_THEIRS.value,
        ledger_account(connector),
        BANK,
    )
    return [Unreported(*row) for row in rows]


async def to_settle(connection: Connection, company_id: str, limit: int) -> list[str]:
    """Payments completely reported whose reservation was let go after that."""
    rows = await connection.fetch(
        f"select id from payment where company_id = $1 and status = {_CAPTURED}"
        " and settled_minor = captured_minor"
        " and authorized_minor = captured_minor + released_minor order by id limit $2",
        company_id,
        limit,
    )
    return [row[0] for row in rows]


async def companies_to_settle(connection: Connection) -> list[str]:
    """Companies with such payments; the index payment_to_settle holds no others."""
    rows = await connection.fetch(
        f"select distinct company_id from payment where status = {_CAPTURED}"
        " and settled_minor = captured_minor"
        " and authorized_minor = captured_minor + released_minor order by 1"
    )
    return [row[0] for row in rows]


async def accounts_reported(connection: Connection) -> list[tuple[str, str]]:
    """(company, connector)s of which a report was imported."""
    rows = await connection.fetch(
        "select distinct company_id, connector from report_file where state = 'done' order by 1, 2"
    )
    return [(row[0], row[1]) for row in rows]


async def payouts_of_net(
    connection: Connection, company_id: str, currency: str, net_minor: int
) -> list[str]:
    """Ids of settlements that are to be paid out, and come to exactly that; two say enough."""
    rows = await connection.fetch(
        "select id from settlement where company_id = $1 and currency = $2 and net_minor = $3"
        f" and status in {any_of(AWAITS_PAYOUT)} order by id limit 2",
        company_id,
        currency,
        net_minor,
    )
    return [row[0] for row in rows]


async def payout_postings(
    connection: Connection, company_id: str, settlement_id: str
) -> list[tuple[str, bool]]:
    """(posting, whether a line told of it)s of a settlement's payouts, oldest first."""
    rows = await connection.fetch(
        "select p.id, exists (select from report_match r where r.company_id = p.company_id"
        "  and r.posting_id = p.id) from posting p where p.company_id = $1 and p.cause = $2"
        " and p.cause <> '' and p.kind = 'payout' order by p.id",
        company_id,
        settlement_id,
    )
    return [(row[0], row[1]) for row in rows]
