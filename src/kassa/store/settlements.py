"""Settlements and their lines: gathered in sets, and looked up from the payout or the payment."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from kassa.domain.lifecycle import SettlementStatus
from kassa.domain.money import Money
from kassa.domain.settlements import PART_OF, Line, Part, Settlement, Sums
from kassa.store.connection import Cells, Connection
from kassa.store.payments import next_number
from kassa.store.resealing import resealed
from kassa.store.rows import columns, json_rows, whole
from kassa.store.statuses import one

_OPEN = one(SettlementStatus.OPEN)

_COUNTER = "settlement"
_PARTS = tuple(Part)

# Read and written in this order; the sums in the order of the fields of Sums.
_COLUMNS = (
    "company_id, id, number, connector, currency, status, payments_minor, refunds_minor,"
    " disputes_minor, fees_minor, other_minor, carried_over_minor, payout_reference, opened_at,"
    " closed_at, paid_at"
).split(", ")
_SELECT = f"select {columns('s', _COLUMNS)} from settlement s"

_LINE = (
    "l.posting_id, l.leg, l.settlement_id, l.payment_id, l.kind, l.at, l.amount_minor, l.currency"
)


def _kinds(part: Part) -> str:
    return ", ".join(f"'{kind}'" for kind, its in PART_OF.items() if its is part)


def _counted(part: Part) -> str:
    if part is Part.OTHER:
        named = ", ".join(f"'{kind}'" for kind in PART_OF)
        return f"coalesce(sum(l.amount_minor) filter (where l.kind not in ({named})), 0)"
    return f"coalesce(sum(l.amount_minor) filter (where l.kind in ({_kinds(part)})), 0)"


_SUMS = ", ".join(f"{_counted(part)} as {part}" for part in _PARTS)
"""One column per part, over lines `l`; what is in which part stands in the domain."""


def _read(row: Cells) -> Settlement:
    """`row`: the values of _COLUMNS, in their order."""
    return Settlement(
        company_id=row[0],
        id=row[1],
        number=row[2],
        connector=row[3],
        currency=row[4],
        status=SettlementStatus(row[5]),
        sums=Sums(*row[6:11]),
        carried_over_minor=row[11],
        payout_reference=row[12],
        opened_at=row[13],
        closed_at=row[14],
        paid_at=row[15],
    )


def _row(settlement: Settlement) -> dict[str, Any]:
    row: dict[str, Any] = {f"{part}_minor": getattr(settlement.sums, part.value) for part in _PARTS}
    row["net_minor"] = settlement.net.minor
    for name in _COLUMNS:
        if name not in row:
            row[name] = getattr(settlement, name)
    return row


def _read_line(row: Cells) -> Line:
    return Line(
        posting_id=row[0],
        leg=row[1],
        settlement_id=row[2],
        payment_id=row[3],
        kind=row[4],
        at=row[5],
        amount=Money(row[6], row[7]),
    )


async def lock(connection: Connection, companies: Sequence[str]) -> None:
    """Let nobody else change these companies' settlements until this transaction ends.

    It is the row that numbers them, so that a lock and a number cannot be taken in two orders.
    Payments go on meanwhile: their movements are lines that wait, and wait for no lock.
    """
    await connection.execute(
        "insert into counter as t (company_id, name, value)"
        " select c.id, $2, 0 from company c where c.id = any($1) order by c.id"
        " on conflict (company_id, name) do update set value = t.value",
        list(companies),
        _COUNTER,
    )


async def companies_waiting(connection: Connection) -> list[str]:
    """Companies with movements that are in no settlement yet."""
    rows = await connection.fetch(
        "select distinct company_id from settlement_line where settlement_id is null order by 1"
    )
    return [row[0] for row in rows]


async def accounts_waiting(
    connection: Connection, companies: Sequence[str], until: datetime | None
) -> list[tuple[str, str, str]]:
    """(company, connector, currency)s with movements, from before `until`, in no settlement."""
    rows = await connection.fetch(
        "select distinct l.company_id, l.connector, l.currency from settlement_line l"
        " where l.settlement_id is null and l.company_id = any($1)"
        " and ($2::timestamptz is null or l.at < $2) order by 1, 2, 3",
        list(companies),
        until,
    )
    return [(row[0], row[1], row[2]) for row in rows]


async def open_ones(connection: Connection, companies: Sequence[str]) -> list[Settlement]:
    """Each account's open settlement, where there is one; under the companies' lock."""
    rows = await connection.fetch(
        f"{_SELECT} where s.company_id = any($1) and s.status = {_OPEN}", list(companies)
    )
    return [_read(row) for row in rows]


async def add(connection: Connection, settlements: Sequence[Settlement]) -> list[Settlement]:
    """Keep new ones, each under the company's next number; under the companies' lock."""
    async with resealed(
        connection,
        "settlement",
        "t.company_id = any($1) and t.id = any($2)",
        sorted({one.company_id for one in settlements}),
        [one.id for one in settlements],
    ):
        numbered = [
            replace(one, number=await next_number(connection, one.company_id, _COUNTER))
            for one in settlements
        ]
        if numbered:
            names = ", ".join((*_COLUMNS, "net_minor"))
            await connection.execute(
                f"insert into settlement as t ({names}) select {names}"
                " from json_populate_recordset(null::settlement, $1::json)",
                json_rows([_row(one) for one in numbered]),
            )
        return numbered


_CHANGED = [
    name
    for name in (*_COLUMNS, "net_minor")
    if name not in ("company_id", "id", "number", "connector", "currency", "opened_at")
]
_UPDATE = (
    f"update settlement as t set {', '.join(f'{name} = w.{name}' for name in _CHANGED)}"
    " from json_populate_recordset(null::settlement, $1::json) as w"
    " where t.company_id = any($2) and t.id = any($3)"
    " and t.company_id = w.company_id and t.id = w.id"
)


async def save(connection: Connection, settlements: Sequence[Settlement]) -> None:
    """Write what changed; under the companies' lock."""
    async with resealed(
        connection,
        "settlement",
        "t.company_id = any($1) and t.id = any($2)",
        sorted({one.company_id for one in settlements}),
        [one.id for one in settlements],
    ):
        if settlements:
            await connection.execute(
                _UPDATE,
                json_rows([_row(one) for one in settlements]),
                sorted({one.company_id for one in settlements}),
                [one.id for one in settlements],
            )


async def gather(
    connection: Connection, settlements: Sequence[Settlement], until: datetime | None
) -> Mapping[str, Sums]:
    """Put every waiting movement of these accounts, from before `until`, into its settlement.

    One statement, over what waits and not over history. The sums of what was put, by settlement
    id; under the companies' lock.
    """
    rows = await connection.fetch(
        "with l as (update settlement_line t set settlement_id = w.id"
        "  from unnest($1::text[], $2::text[], $3::text[], $4::text[])"
        "   as w(id, company_id, connector, currency)"
        # Asked again of a row that somebody else has just changed: it is taken once.
        "  where t.settlement_id is null and t.company_id = w.company_id"
        "  and t.connector = w.connector and t.currency = w.currency"
        "  and ($5::timestamptz is null or t.at < $5)"
        "  returning t.settlement_id, t.kind, t.amount_minor)"
        f" select l.settlement_id, {_SUMS} from l group by l.settlement_id",
        [one.id for one in settlements],
        [one.company_id for one in settlements],
        [one.connector for one in settlements],
        [one.currency for one in settlements],
        until,
    )
    return {row[0]: Sums(*map(whole, row[1:])) for row in rows}


async def waiting(
    connection: Connection, company_id: str | None
) -> dict[tuple[str, str, str], Sums]:
    """What is in no settlement yet, by (company, connector, currency)."""
    rows = await connection.fetch(
        f"select l.company_id, l.connector, l.currency, {_SUMS} from settlement_line l"
        " where l.settlement_id is null and ($1::text is null or l.company_id = $1)"
        " group by 1, 2, 3",
        company_id,
    )
    return {(row[0], row[1], row[2]): Sums(*map(whole, row[3:])) for row in rows}


async def listed(
    connection: Connection, company_id: str | None, status: str | None, limit: int
) -> list[Settlement]:
    """The open ones, then the newest first."""
    rows = await connection.fetch(
        f"{_SELECT} where ($1::text is null or s.company_id = $1)"
        " and ($2::text is null or s.status = $2)"
        f" order by s.status <> {_OPEN}, s.opened_at desc, s.company_id, s.number desc limit $3",
        company_id,
        status,
        limit,
    )
    return [_read(row) for row in rows]


async def find(connection: Connection, company_id: str, name: str) -> Settlement | None:
    """By its id, or by its number."""
    row = await connection.fetchrow(
        f"{_SELECT} where s.company_id = $1 and (s.id = $2 or s.number::text = $2)",
        company_id,
        name,
    )
    return _read(row) if row else None


async def lines(
    connection: Connection, settlement: Settlement, after: tuple[str, int], limit: int
) -> list[Line]:
    """The next `limit` lines behind (posting id, leg) `after`, oldest first.

    Of an open one: what waits for it.
    """
    is_open = settlement.status is SettlementStatus.OPEN
    of_it = "l.settlement_id is null" if is_open else "l.settlement_id = $6"
    rows = await connection.fetch(
        f"select {_LINE} from settlement_line l where l.company_id = $1 and l.connector = $2"
        f" and l.currency = $3 and {of_it} and (l.posting_id, l.leg) > ($4, $5)"
        f" order by l.posting_id, l.leg limit {limit:d}",
        settlement.company_id,
        settlement.connector,
        settlement.currency,
        *after,
        *([] if is_open else [settlement.id]),
    )
    return [_read_line(row) for row in rows]


async def lines_of_payments(
    connection: Connection, company_id: str, payment_ids: Sequence[str]
) -> list[tuple[Line, Settlement | None]]:
    """Every movement of these payments at a provider, oldest first; None: it waits."""
    rows = await connection.fetch(
        f"select {_LINE}, {columns('s', _COLUMNS)} from settlement_line l"
        " left join settlement s on s.company_id = l.company_id and s.id = l.settlement_id"
        " where l.company_id = $1 and l.payment_id = any($2) and l.payment_id <> ''"
        " order by l.posting_id, l.leg",
        company_id,
        list(payment_ids),
    )
    width = len(_LINE.split(", "))
    return [(_read_line(row), _read(row[width:]) if row[2] else None) for row in map(tuple, rows)]


async def find_by_payout(
    connection: Connection,
    company_id: str,
    reference: str,
    *,
    connector: str | None = None,
    currency: str | None = None,
) -> Settlement | None:
    """The settlement that this payout pays; None also where several fit: it is not guessed."""
    rows = await connection.fetch(
        f"{_SELECT} where s.company_id = $1 and s.payout_reference = $2"
        " and s.payout_reference <> '' and ($3::text is null or s.connector = $3)"
        " and ($4::text is null or s.currency = $4) limit 2",
        company_id,
        reference,
        connector,
        currency,
    )
    return _read(rows[0]) if len(rows) == 1 else None


@dataclass(frozen=True, slots=True)
class PutIntoPayout:
    """`elsewhere`: postings of the report that stay in the settlement they were in."""

    settlement_id: str
    added: int
    elsewhere: tuple[str, ...]


async def put_into_payout(
    connection: Connection,
    company_id: str,
    connector: str,
    currency: str,
    payout_reference: str,
    posting_ids: Sequence[str],
    *,
    new_id: Callable[[str], str],
) -> PutIntoPayout:
    """A provider's report says that one payout brought these movements: put them together.

    They go into the settlement of that reference. Where none has it yet, that is the closed one,
    without a reference, that holds some of them; else it is made, closed. Only what waits is
    put, and only while nothing is paid: what is in a settlement stays there.
    """
    await lock(connection, [company_id])
    account = (company_id, connector, currency)
    target = await find_by_payout(
        connection, company_id, payout_reference, connector=connector, currency=currency
    ) or await _adopted(connection, account, payout_reference, posting_ids)
    if target is None:
        now = await connection.fetchval("select statement_timestamp()")
        made = Settlement(
            company_id=company_id,
            id=new_id("st"),
            number=0,
            connector=connector,
            currency=currency,
            status=SettlementStatus.CLOSED,
            payout_reference=payout_reference,
            opened_at=now,
            closed_at=now,
        )
        [target] = await add(connection, [made])
    added = put = 0
    if target.status in (SettlementStatus.CLOSED, SettlementStatus.FAILED):
        added, put = await _put(connection, account, target.id, posting_ids)
    if put == len(set(posting_ids)):
        return PutIntoPayout(target.id, added, ())
    rows = await connection.fetch(
        "select distinct l.posting_id from settlement_line l where l.company_id = $1"
        " and l.posting_id = any($2) and l.connector = $3 and l.currency = $4"
        " and l.settlement_id is distinct from $5 order by 1",
        company_id,
        list(posting_ids),
        connector,
        currency,
        target.id,
    )
    return PutIntoPayout(target.id, added, tuple(row[0] for row in rows))


async def _adopted(
    connection: Connection,
    account: tuple[str, str, str],
    reference: str,
    posting_ids: Sequence[str],
) -> Settlement | None:
    """The oldest closed one without a reference that holds any of these, now with it."""
    row = await connection.fetchrow(
        f"{_SELECT} where s.company_id = $1 and s.connector = $2 and s.currency = $3"
        f" and s.status = {one(SettlementStatus.CLOSED)} and s.payout_reference = ''"
        " and s.id in (select l.settlement_id"
        "  from settlement_line l where l.company_id = $1 and l.posting_id = any($4)"
        "  and l.connector = $2 and l.currency = $3)"
        " order by s.number limit 1",
        *account,
        list(posting_ids),
    )
    if row is None:
        return None
    adopted = replace(_read(row), payout_reference=reference)
    await save(connection, [adopted])
    return adopted


_ADD_SUMS = ", ".join(f"{part}_minor = s.{part}_minor + x.{part}" for part in _PARTS)


async def _put(
    connection: Connection,
    account: tuple[str, str, str],
    settlement_id: str,
    posting_ids: Sequence[str],
) -> tuple[int, int]:
    """Put what waits, and bring the sums up to date in the same statement.

    Gives how many lines were put, and of how many postings they are.
    They grow by what is put, and are not summed anew: a long report comes in many parts.
    """
    async with resealed(
        connection, "settlement", "t.company_id = $1 and t.id = $2", account[0], settlement_id
    ):
        row = await connection.fetchrow(
            "with l as (update settlement_line t set settlement_id = $5"
            "  where t.company_id = $1 and t.posting_id = any($4) and t.connector = $2"
            "  and t.currency = $3 and t.settlement_id is null"
            "  returning t.posting_id, t.kind, t.amount_minor),"
            f" x as (select {_SUMS}, sum(l.amount_minor) as total, count(*) as lines,"
            "  count(distinct l.posting_id) as postings from l)"
            f" update settlement s set {_ADD_SUMS}, net_minor = s.net_minor + x.total"
            " from x where s.company_id = $1 and s.id = $5 and x.lines > 0"
            " returning x.lines, x.postings",
            *account,
            list(posting_ids),
            settlement_id,
        )
        return (row[0], row[1]) if row else (0, 0)


async def postings_of_cause(
    connection: Connection, company_id: str, cause: str
) -> list[tuple[str, str, datetime]]:
    """(id, kind, time) of what was booked for it, oldest first."""
    rows = await connection.fetch(
        "select id, kind, at from posting where company_id = $1 and cause = $2 and cause <> ''"
        " order by id",
        company_id,
        cause,
    )
    return [(row[0], row[1], row[2]) for row in rows]
