"""Seals of rows that are read back: after a statement that knows a part of them only."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from kassa.base.store.connection import Connection
from kassa.base.store.seals import Seals, seals_of
from kassa.proof.store import records
from kassa.proof.store.cover import (
    COVERS,
    digest_sql,
    is_genuine,
    key_sql,
    seal_for,
    sealed_digest_sql,
)
from kassa.proof.store.records import Name, Record


@asynccontextmanager
async def resealed(
    connection: Connection, home: str, where: str, *values: Any
) -> AsyncIterator[None]:
    """Seal these rows of `home`, called `t`, anew after the block has changed or added some.

    In the caller's transaction, with the newest version of the seal, and with a record where the
    table has some. A row that was not genuine before, or was not as its newest record had it, gets
    neither; nor does one that is made anew although a record says that it was there. One that had
    no seal is falsified, or from before the seals, and then waits for `seal_unsealed`.
    """
    genuine = await _genuine(connection, home, where, values)
    yield
    await _seal_again(connection, home, where, values, genuine)


async def _genuine(
    connection: Connection, home: str, where: str, values: Sequence[Any]
) -> dict[Name, bool]:
    """Whether each of these rows is as this program left it. They are locked; not against whoever
    only refers to them."""
    seals = seals_of(connection)
    rows = await connection.fetch(
        f"select {COVERS[home].company}, {key_sql(home)}, {sealed_digest_sql(home, 'seal')}, t.seal"
        f" from {home} t where {where} for no key update",
        *values,
    )
    known = await _known(connection, home, [(row[0], row[1]) for row in rows])
    return {
        (company_id, key): is_genuine(seals, home, "seal", said, seal)
        and known.get((company_id, key), (0, said))[1] == said
        for company_id, key, said, seal in rows
    }


async def _known(
    connection: Connection, home: str, names: Sequence[Name]
) -> dict[Name, tuple[int, bytes]]:
    if not names or not COVERS[home].recorded:
        return {}
    return await records.newest(connection, home, names)


async def _seal_again(
    connection: Connection,
    home: str,
    where: str,
    values: Sequence[Any],
    genuine: Mapping[Name, bool],
) -> None:
    cover = COVERS[home]
    # Of a row that came while the block waited for it, and that the block then changed, xmax says
    # so; then the record of its making is another's, and no sign that it was there and is gone.
    rows = await connection.fetch(
        f"select t.ctid, {cover.company}, {key_sql(home)}, {digest_sql(home, 'seal')},"
        f" t.seal is null, t.xmax::text <> '0', clock_timestamp() from {home} t where {where}",
        *values,
    )
    known = await _known(connection, home, [(row[1], row[2]) for row in rows])
    sealed, recorded = [], []
    for ctid, company_id, key, said, is_bare, was_updated, at in rows:
        name = company_id, key
        version, last = known.get(name, (0, None))
        if not genuine.get(name, last in (None, said) or was_updated):
            continue
        if last != said:
            recorded.append(
                Record(
                    home=home,
                    company_id=company_id,
                    key=key,
                    version=version + 1,
                    digest=said,
                    at=at,
                )
            )
        if last != said or is_bare:
            sealed.append((ctid, said))
    await _write(connection, home, "seal", sealed)
    if cover.recorded:
        await records.add(connection, recorded)


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


@asynccontextmanager
async def reborn(
    connection: Connection, home: str, companies: Sequence[str], ids: Sequence[str]
) -> AsyncIterator[None]:
    """Seal these rows' births anew after the block has put what they say where nobody reads it.

    In the caller's transaction, which holds the rows. Only those that were genuine before: another
    one stays the finding that it was.
    """
    seals = seals_of(connection)
    where = "(t.company_id, t.id) in (select * from unnest($1::text[], $2::text[]))"
    before = await connection.fetch(
        f"select t.company_id, t.id, {sealed_digest_sql(home, 'birth')}, t.birth"
        f" from {home} t where {where}",
        companies,
        ids,
    )
    genuine = {
        (company_id, key)
        for company_id, key, said, birth in before
        if is_genuine(seals, home, "birth", said, birth)
    }
    yield
    after = await connection.fetch(
        f"select t.ctid, t.company_id, t.id, {digest_sql(home, 'birth')} from {home} t"
        f" where {where}",
        companies,
        ids,
    )
    await _write(
        connection,
        home,
        "birth",
        [(ctid, said) for ctid, company_id, key, said in after if (company_id, key) in genuine],
    )


async def seal_unsealed(connection: Connection, home: str, part: str, limit: int) -> int:
    """Seal up to so many rows that are from before the seals, as they are found."""
    rows = await connection.fetch(
        f"select t.ctid, {digest_sql(home, part)} as digest from {home} t"
        f" where t.{part} is null and not ({COVERS[home].exempt(part)}) limit $1 for update",
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
    wrong: list[Any] = []
    cursor = await connection.cursor(
        f"select t.ctid, {sealed_digest_sql(home, part)}, t.{part}, {cover.exempt(part)}"
        f" from {home} t where ($1::text is null or {cover.company} = $1)",
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
