"""Attempts looked up by what names them, many at a time, outside of a change."""

from collections.abc import Sequence
from typing import NamedTuple

from kassa.base.store.connection import Connection
from kassa.base.store.mapping import reader
from kassa.base.store.queries import Queries, Rows
from kassa.payments.domain.payments import Attempt
from kassa.payments.store.rows import ATTEMPT, WORDS


class _Referred(NamedTuple):
    place: int
    attempt: Attempt


class Sql(
    Queries,
    readers=[
        ATTEMPT.reader,
        reader(_Referred, currencies={"attempt_amount": "attempt_currency"}),
    ],
    words=WORDS,
):
    of_ids: Rows[Attempt]
    of_references: Rows[_Referred]


async def of_ids(
    connection: Connection, keys: Sequence[tuple[str, str]]
) -> dict[tuple[str, str], Attempt]:
    """Those of these (company, attempt id)s that there are."""
    if not keys:
        return {}
    companies, ids = [company for company, _ in keys], [one for _, one in keys]
    found = await Sql.of_ids.all(connection, companies, ids)
    return {(one.company_id, one.id): one for one in found}


async def of_references(
    connection: Connection, wanted: Sequence[tuple[str, str, str]]
) -> list[Attempt | None]:
    """For each company, account and reference the newest attempt that the account's provider knows
    by that reference of its own; the company is "" where the account serves every one."""
    if not wanted:
        return []
    companies, accounts, references = ([one[place] for one in wanted] for place in range(3))
    rows = await Sql.of_references.all(connection, companies, accounts, references)
    found = {row.place: row.attempt for row in rows}
    return [found.get(place) for place in range(1, len(wanted) + 1)]
