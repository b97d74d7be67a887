"""Lines of earlier files of an account, by what they say of themselves."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from kassa.base.store.connection import Connection
from kassa.base.store.mapping import reader
from kassa.base.store.queries import Command, Queries, Rows, Value
from kassa.proof.store.resealing import resealed
from kassa.reconciliation.domain.matching import LineState
from kassa.reconciliation.domain.reports import ReportLine
from kassa.reconciliation.store.reconciliation import LineRow


@dataclass(frozen=True, slots=True)
class EarlierLine:
    """`is_open`: it is a break that nobody has explained yet."""

    identity: str
    file_id: str
    file_name: str
    place: int
    number: int
    state: str
    cause: str
    is_open: bool

    @property
    def is_final(self) -> bool:
        """Whether nothing that is known now could make more of it."""
        return self.state != LineState.BREAK or not self.is_open

    @property
    def is_told(self) -> bool:
        """Whether what it says is in the books, or explained."""
        explained = self.state == LineState.BREAK and not self.is_open
        return explained or self.state == LineState.MATCHED


class ToldBy(NamedTuple):
    """A line that has told of the movements of `cause`."""

    movement_cause: str
    file_id: str
    file_name: str
    row: LineRow

    def line(self) -> ReportLine:
        return self.row.as_line()

    def as_earlier(self) -> EarlierLine:
        row = self.row
        return EarlierLine(
            "", self.file_id, self.file_name, row.place, row.number, row.state, row.cause, False
        )


class _Identity(NamedTuple):
    place: int
    identity: str


class Sql(Queries, readers=[reader(ToldBy, prefixes={"row": ""})]):
    earlier: Rows[EarlierLine]
    told_by: Rows[ToldBy]
    identities: Rows[_Identity]
    alike: Rows[EarlierLine]
    breaks_of_lines: Value[str]
    resolve_repeated: Command


async def earlier(
    connection: Connection, company_id: str, connector: str, identities: Sequence[str]
) -> list[EarlierLine]:
    """The lines of these identities in all files of the account, the oldest file first."""
    return await Sql.earlier.all(connection, company_id, connector, list(identities))


async def identities(
    connection: Connection, company_id: str, file_id: str, places: Sequence[int]
) -> dict[int, str]:
    """By place, the identity that these lines of a file were kept with."""
    rows = await Sql.identities.all(connection, company_id, file_id, list(places))
    return {row.place: row.identity for row in rows}


async def alike(
    connection: Connection, company_id: str, file_id: str, cause: str, line: ReportLine
) -> EarlierLine | None:
    """A line of another file, of the same day and amount, that has told of a movement of that
    cause."""
    return await Sql.alike.first(
        connection,
        company_id,
        file_id,
        cause,
        line.amount.minor,
        line.amount.currency,
        line.occurred_at,
    )


async def told_by(
    connection: Connection, company_id: str, file_id: str, causes: Sequence[str]
) -> dict[str, list[ToldBy]]:
    """By cause: the lines of other files that have told of its movements."""
    named = sorted({cause for cause in causes if cause})
    rows = await Sql.told_by.all(connection, company_id, file_id, named) if named else []
    told: dict[str, list[ToldBy]] = {}
    for row in rows:
        told.setdefault(row.movement_cause, []).append(row)
    return told


async def resolve(
    connection: Connection,
    company_id: str,
    lines: Sequence[EarlierLine],
    resolution: str,
    actor: str,
) -> None:
    """Close the breaks of these lines: a file that has them again has explained them."""
    found = await Sql.breaks_of_lines.all(
        connection, company_id, [one.file_id for one in lines], [one.place for one in lines]
    )
    if found:
        where = "t.company_id = $1 and t.id = any($2)"
        async with resealed(connection, "report_break", where, company_id, found):
            await Sql.resolve_repeated.run(connection, company_id, found, resolution, actor)
