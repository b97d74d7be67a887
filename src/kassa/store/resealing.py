"""Seals of rows that are read back: after a statement that knows a part of them only."""

from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from kassa.store.connection import Connection
from kassa.store.cover import COVERS, digest_sql, is_genuine, seal_for, sealed_digest_sql
from kassa.store.seals import Seals, seals_of


@asynccontextmanager
async def resealed(
    connection: Connection, home: str, where: str, *values: Any
) -> AsyncIterator[None]:
    """Seal these rows of `home`, called `t`, anew after the block has changed or added some.

    In the caller's transaction, with the newest version of the seal. A row whose seal was not
    genuine before gets none that is; neither does one that had none, which is either falsified or
    from before the seals, and then waits for `seal_unsealed`.
    """
    cover = COVERS[home]
    seals = seals_of(connection)
    name = ", ".join(f"t.{one}" for one in cover.key)
    before = await connection.fetch(
        f"select row({name})::text as name, {sealed_digest_sql(home, 'seal')} as digest, t.seal"
        f" from {home} t where {where} for update",
        *values,
    )
    broken = {
        row["name"]
        for row in before
        if not is_genuine(seals, home, "seal", row["digest"], row["seal"])
    }
    yield
    await seal_again(connection, home, where, *values, broken=broken)


async def seal_again(
    connection: Connection, home: str, where: str, *values: Any, broken: Collection[str] = ()
) -> None:
    """Seal these rows of `home`, called `t`, as they are now; not the `broken` ones."""
    name = ", ".join(f"t.{one}" for one in COVERS[home].key)
    rows = await connection.fetch(
        f"select t.ctid, row({name})::text as name, {digest_sql(home, 'seal')} as digest"
        f" from {home} t where {where}",
        *values,
    )
    good = [(row["ctid"], row["digest"]) for row in rows if row["name"] not in broken]
    await _write(connection, home, "seal", good)


async def _write(
    connection: Connection, home: str, part: str, rows: Sequence[tuple[Any, bytes]]
) -> None:
    if not rows:
        return
    seals = seals_of(connection)
    await connection.execute(
        f"update {home} t set {part} = w.seal from unnest($1::tid[], $2::bytea[]) as w(at, seal)"
        " where t.ctid = w.at",
        [at for at, _ in rows],
        [seal_for(seals, home, part, digest) for _, digest in rows],
    )


async def seal_unsealed(connection: Connection, home: str, part: str, limit: int) -> int:
    """Seal up to so many rows that are from before the seals, as they are found."""
    cover = COVERS[home]
    exempt = cover.unborn if part == "birth" else cover.unsealed
    rows = await connection.fetch(
        f"select t.ctid, {digest_sql(home, part)} as digest from {home} t"
        f" where t.{part} is null and not ({exempt}) limit $1 for update",
        limit,
    )
    await _write(connection, home, part, [(row["ctid"], row["digest"]) for row in rows])
    return len(rows)


@dataclass(frozen=True, slots=True)
class Falsified:
    """A row that is not as the program wrote it. `words`: how that shows."""

    company_id: str
    name: str
    words: str
    since: datetime | None


_PAGE = 10_000
_WORDS = {
    "birth": "is not as it was made",
    "seal": "is not as this program left it",
}


async def falsified(
    connection: Connection,
    seals: Seals,
    home: str,
    company_id: str | None,
    limit: int,
    *,
    all_sealed: bool,
) -> list[Falsified]:
    """Rows of one table whose seals are not genuine; `all_sealed`: or that have none."""
    found: list[Falsified] = []
    for part in COVERS[home].parts:
        wrong = await _wrong(connection, seals, home, part, company_id, limit, all_sealed)
        found += [Falsified(row[0], row[1], _WORDS[part], row[2]) for row in wrong]
    return found


async def _wrong(
    connection: Connection,
    seals: Seals,
    home: str,
    part: str,
    company_id: str | None,
    limit: int,
    all_sealed: bool,
) -> list[Any]:
    cover = COVERS[home]
    exempt = cover.unborn if part == "birth" else cover.unsealed
    wrong: list[Any] = []
    cursor = await connection.cursor(
        f"select t.ctid, {sealed_digest_sql(home, part)}, t.{part}, {exempt} from {home} t"
        f" where ($1::text is null or {cover.company} = $1)",
        company_id,
    )
    while rows := await cursor.fetch(_PAGE):
        for at, digest, seal, is_exempt in rows:
            if seal is None and (is_exempt or not all_sealed):
                continue
            if not is_genuine(seals, home, part, digest, seal):
                wrong.append(at)
    if not wrong:
        return []
    found: list[Any] = await connection.fetch(
        f"select {cover.company}, {cover.called}, {cover.since} from {home} t"
        " where t.ctid = any($1::tid[]) order by 1, 2",
        wrong[:limit],
    )
    return found
