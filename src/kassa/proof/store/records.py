"""Records of rows that have no events: one for each writing, sealed and chained like events."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from kassa.base.store.connection import Connection
from kassa.base.store.queries import Command, Queries, Rows, Value
from kassa.base.store.seals import Seals, seals_of
from kassa.proof.store.canon import record_digest
from kassa.proof.store.cover import (
    COVERS,
    digest,
    is_genuine,
    key_of,
    key_sql,
    sealed_digest_sql,
)

RECORDED = tuple(home for home, cover in COVERS.items() if cover.recorded)
"""The tables whose rows have records."""
Name = tuple[str, str]
"""The company and the key of a row, within its table."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """That a row was written, and how. `digest`: of what the program changes in it."""

    home: str
    company_id: str
    key: str
    version: int
    digest: bytes
    at: datetime

    def sealed(self, seals: Seals) -> tuple[str, str, str, int, bytes, datetime, bytes]:
        """Its columns."""
        said = record_digest(
            self.company_id, self.home, self.key, self.version, self.digest, self.at
        )
        seal = seals.of("row_record", said)
        return self.home, self.company_id, self.key, self.version, self.digest, self.at, seal


class _Newest(NamedTuple):
    company_id: str
    key: str
    version: int
    digest: bytes


class Sql(Queries):
    newest: Rows[_Newest]
    add: Command
    add_missing: Command
    pages_of: Value[int]


def last_part(home: str) -> str:
    """The seal whose digest the records keep: what the program changes, if it changes anything."""
    return COVERS[home].parts[-1]


async def newest(
    connection: Connection, home: str, names: Sequence[Name]
) -> dict[Name, tuple[int, bytes]]:
    """By row: the version and the digest of its newest record; rows without one are missing.

    To be asked in a statement of its own, after the one that locked the rows: so it sees what was
    committed while that one waited, and the next version is nobody else's.
    """
    rows = await Sql.newest.all(
        connection, home, [company_id for company_id, _ in names], [key for _, key in names]
    )
    return {(row.company_id, row.key): (row.version, row.digest) for row in rows}


def first(
    connection: Connection, home: str, row: Mapping[str, Any], company_id: str, at: datetime
) -> tuple[Any, ...]:
    """The columns of the record of a row that is to be written for the first time."""
    record = Record(
        home=home,
        company_id=company_id,
        key=key_of(home, row),
        version=1,
        digest=digest(home, last_part(home), row),
        at=at,
    )
    return record.sealed(seals_of(connection))


async def add(
    connection: Connection, records: Sequence[Record], *, unless_there: bool = False
) -> None:
    """`unless_there`: one that another process has written meanwhile is as good."""
    if records:
        seals = seals_of(connection)
        columns = map(list, zip(*(one.sealed(seals) for one in records), strict=True))
        if unless_there:
            await Sql.add_missing.run(connection, *columns)
        else:
            await Sql.add.run(connection, *columns)


async def pages_of(connection: Connection, home: str) -> int:
    """How many pages of the disk a table has."""
    return await Sql.pages_of.one(connection, home)


async def record_unrecorded(connection: Connection, home: str, page: int, pages: int) -> int:
    """Give every row in these pages that has no record its first, as it is; gives how many.

    One whose seal is not genuine gets none.
    """
    cover, part = COVERS[home], last_part(home)
    seals = seals_of(connection)
    rows = await connection.fetch(
        f"select {cover.company}, {key_sql(home)}, {sealed_digest_sql(home, part)}, t.{part},"
        f" {cover.exempt(part)}, clock_timestamp() from {home} t"
        " where t.ctid >= $1::tid and t.ctid < $2::tid and not exists (select from row_record r"
        f" where r.home = '{home}' and r.company_id = {cover.company} and r.key = {key_sql(home)})"
        + ("" if cover.appended else " for no key update of t"),
        (page, 0),
        (page + pages, 0),
    )
    records = [
        Record(home=home, company_id=company_id, key=key, version=1, digest=said, at=at)
        for company_id, key, said, seal, is_exempt, at in rows
        if (seal is None and is_exempt) or is_genuine(seals, home, part, said, seal)
    ]
    await add(connection, records, unless_there=True)
    return len(records)


async def unlike_their_records(
    connection: Connection, home: str, company_id: str | None, limit: int, *, all_recorded: bool
) -> list[tuple[str, str, str, datetime | None]]:
    """(company, row, words, since when): rows of one table that do not agree with their newest
    record, and records whose row is gone; `all_recorded`: or that have none."""
    cover = COVERS[home]
    found = await connection.fetch(
        f"""
select coalesce(t.company_id, r.company_id), $2 || ' ' || coalesce(t.key, r.key), case
    when r.key is null then 'has no record'
    when t.key is null then format('is gone; record %s has it since %s', r.version, r.at)
    when r.many <> r.version then format('has %s records instead of %s', r.many, r.version)
    else format('is not as record %s of %s has it: edited or set back', r.version, r.at) end, r.at
  from (select {cover.company} as company_id, {key_sql(home)} as key,
            {sealed_digest_sql(home, last_part(home))} as digest
          from {home} t where $1::text is null or {cover.company} = $1) t
  full join (select company_id, key, max(version) as version, count(*) as many, max(at) as at,
            (array_agg(digest order by version desc))[1] as digest
          from row_record where home = $2 and ($1::text is null or company_id = $1)
         group by company_id, key) r on r.company_id = t.company_id and r.key = t.key
 where (r.key is null and $3) or (r.key is not null and t.digest is distinct from r.digest)
    or r.many <> r.version
 order by 1, 2 limit $4""",
        company_id,
        home,
        all_recorded,
        limit,
    )
    return [tuple(row) for row in found]
