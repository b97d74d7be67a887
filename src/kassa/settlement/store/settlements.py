"""Settlements and their lines: gathered in sets, and looked up from the payout or the payment."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, NamedTuple

from kassa.base.domain.lifecycle import SettlementStatus
from kassa.base.domain.money import Money
from kassa.base.store.connection import Connection
from kassa.base.store.mapping import reader
from kassa.base.store.queries import Command, Queries, Rows, Value
from kassa.payments.store.payments import next_number
from kassa.payments.store.rows import json_rows
from kassa.proof.store.resealing import resealed
from kassa.settlement.domain.settlements import PART_OF, Line, Settlement, SettlementPart, Sums

_COUNTER = "settlement"
_PARTS = tuple(SettlementPart)


def _kinds(part: SettlementPart) -> str:
    return ", ".join(f"'{kind}'" for kind, its in PART_OF.items() if its is part)


def _counted(part: SettlementPart) -> str:
    if part is SettlementPart.OTHER:
        named = ", ".join(f"'{kind}'" for kind in PART_OF)
        return f"coalesce(sum(l.amount_minor) filter (where l.kind not in ({named})), 0)"
    return f"coalesce(sum(l.amount_minor) filter (where l.kind in ({_kinds(part)})), 0)"


_SUMS = ", ".join(f"{_counted(part)} as {part}" for part in _PARTS)
"""One column per part, over lines `l`; what is in which part stands in the domain."""


class Moved(NamedTuple):
    """`settlement`: None while the line waits for one."""

    line: Line
    settlement: Settlement | None


class _Account(NamedTuple):
    company_id: str
    connector: str
    currency: str


class _Gathered(NamedTuple):
    settlement_id: str
    sums: Sums


class _Waiting(NamedTuple):
    company_id: str
    connector: str
    currency: str
    sums: Sums


class _Put(NamedTuple):
    lines: int
    postings: int


class Booked(NamedTuple):
    id: str
    kind: str
    at: datetime


_SETTLEMENT = reader(
    Settlement,
    prefixes={"sums": ""},
    called={part.value: f"{part}_minor" for part in _PARTS},
)
_MOVED = reader(Moved, prefixes={"line": "", "settlement_sums": "settlement_"})
_SUMMED = [
    reader(noun, prefixes={"sums": ""}, sums=[part.value for part in _PARTS])
    for noun in (_Gathered, _Waiting)
]


class Sql(Queries, readers=[_SETTLEMENT, _MOVED, *_SUMMED], words={"sums": _SUMS}):
    lock: Command
    companies_waiting: Value[str]
    accounts_waiting: Rows[_Account]
    open_ones: Rows[Settlement]
    add: Command
    save: Command
    gather: Rows[_Gathered]
    waiting: Rows[_Waiting]
    listed: Rows[Settlement]
    find: Rows[Settlement]
    lines_waiting: Rows[Line]
    lines_of: Rows[Line]
    lines_of_payments: Rows[Moved]
    find_by_payout: Rows[Settlement]
    to_be_paid_again: Rows[Settlement]
    postings_elsewhere: Value[str]
    to_adopt: Rows[Settlement]
    put: Rows[_Put]
    postings_of_cause: Rows[Booked]
    the_time: Value[datetime]


def _row(settlement: Settlement) -> dict[str, Any]:
    return {
        "company_id": settlement.company_id,
        "id": settlement.id,
        "number": settlement.number,
        "connector": settlement.connector,
        "currency": settlement.currency,
        "status": settlement.status,
        **{f"{part}_minor": getattr(settlement.sums, part.value) for part in _PARTS},
        "carried_over_minor": settlement.carried_over_minor,
        "net_minor": settlement.net.minor,
        "payout_reference": settlement.payout_reference,
        "opened_at": settlement.opened_at,
        "closed_at": settlement.closed_at,
        "paid_at": settlement.paid_at,
    }


async def lock(connection: Connection, companies: Sequence[str]) -> None:
    """Let nobody else change these companies' settlements until this transaction ends.

    It is the row that numbers them, so that a lock and a number cannot be taken in two orders.
    Payments go on meanwhile: their movements are lines that wait, and wait for no lock.
    """
    await Sql.lock.run(connection, list(companies), _COUNTER)


async def companies_waiting(connection: Connection) -> list[str]:
    """Companies with movements that are in no settlement yet."""
    return await Sql.companies_waiting.all(connection)


async def accounts_waiting(
    connection: Connection, companies: Sequence[str], until: datetime | None
) -> Sequence[tuple[str, str, str]]:
    """(company, connector, currency)s with movements, from before `until`, in no settlement."""
    return await Sql.accounts_waiting.all(connection, list(companies), until)


async def open_ones(connection: Connection, companies: Sequence[str]) -> list[Settlement]:
    """Each account's open settlement, where there is one; under the companies' lock."""
    return await Sql.open_ones.all(connection, list(companies))


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
            await Sql.add.run(connection, json_rows([_row(one) for one in numbered]))
        return numbered


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
            await Sql.save.run(
                connection,
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
    rows = await Sql.gather.all(
        connection,
        [one.id for one in settlements],
        [one.company_id for one in settlements],
        [one.connector for one in settlements],
        [one.currency for one in settlements],
        until,
    )
    return {row.settlement_id: row.sums for row in rows}


async def waiting(
    connection: Connection, company_id: str | None
) -> dict[tuple[str, str, str], Sums]:
    """What is in no settlement yet, by (company, connector, currency)."""
    rows = await Sql.waiting.all(connection, company_id)
    return {row[:3]: row.sums for row in rows}


async def listed(
    connection: Connection, company_id: str | None, status: str | None, limit: int
) -> list[Settlement]:
    """The open ones, then the newest first."""
    return await Sql.listed.all(connection, company_id, status, limit)


async def find(connection: Connection, company_id: str, name: str) -> Settlement | None:
    """By its id, or by its number."""
    return await Sql.find.first(connection, company_id, name)


async def lines(
    connection: Connection, settlement: Settlement, after: tuple[str, int], limit: int
) -> list[Line]:
    """The next `limit` lines behind (posting id, leg) `after`, oldest first.

    Of an open one: what waits for it.
    """
    account = (settlement.company_id, settlement.connector, settlement.currency)
    if settlement.status is SettlementStatus.OPEN:
        return await Sql.lines_waiting.all(connection, *account, *after, limit)
    return await Sql.lines_of.all(connection, *account, *after, limit, settlement.id)


async def lines_of_payments(
    connection: Connection, company_id: str, payment_ids: Sequence[str]
) -> Sequence[Moved]:
    """Every movement of these payments at a provider, oldest first."""
    return await Sql.lines_of_payments.all(connection, company_id, list(payment_ids))


async def find_by_payout(
    connection: Connection,
    company_id: str,
    reference: str,
    *,
    connector: str | None = None,
    currency: str | None = None,
) -> Settlement | None:
    """The settlement that this payout pays, or has paid; None also where several fit: it is not
    guessed."""
    fitting = await find_by_payouts(
        connection, company_id, [reference], connector=connector, currency=currency
    )
    return fitting[0] if len(fitting) == 1 else None


async def find_by_payouts(
    connection: Connection,
    company_id: str,
    references: Sequence[str],
    *,
    connector: str | None = None,
    currency: str | None = None,
) -> list[Settlement]:
    """All that payouts of these references pay, or have paid before they were sent back."""
    return await Sql.find_by_payout.all(
        connection, company_id, list(references), connector, currency
    )


async def to_be_paid_again(
    connection: Connection, company_id: str, connector: str, net: Money
) -> list[Settlement]:
    """Those whose payout came back, and that come to exactly that; two say enough."""
    return await Sql.to_be_paid_again.all(
        connection, company_id, connector, net.currency, net.minor
    )


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
        now = await Sql.the_time.one(connection)
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
    elsewhere = await Sql.postings_elsewhere.all(
        connection, company_id, list(posting_ids), connector, currency, target.id
    )
    return PutIntoPayout(target.id, added, tuple(elsewhere))


async def _adopted(
    connection: Connection,
    account: tuple[str, str, str],
    reference: str,
    posting_ids: Sequence[str],
) -> Settlement | None:
    """The oldest closed one without a reference that holds any of these, now with it."""
    found = await Sql.to_adopt.first(connection, *account, list(posting_ids))
    if found is None:
        return None
    adopted = replace(found, payout_reference=reference)
    await save(connection, [adopted])
    return adopted


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
        done = await Sql.put.first(connection, *account, list(posting_ids), settlement_id)
        return done or (0, 0)


async def postings_of_cause(
    connection: Connection, company_id: str, cause: str
) -> Sequence[Booked]:
    """What was booked for it, oldest first."""
    return await Sql.postings_of_cause.all(connection, company_id, cause)
