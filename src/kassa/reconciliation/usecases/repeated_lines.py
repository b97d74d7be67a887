"""Lines that an earlier file has had: banks' statements overlap, and so do providers' reports."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from kassa.base.domain.lifecycle import BreakClass
from kassa.base.store.connection import Connection
from kassa.reconciliation.domain.matching import BANK, LineState, MatchResult
from kassa.reconciliation.domain.reports import LineKind, ReportLine
from kassa.reconciliation.store import repeated_lines as store
from kassa.reconciliation.store.reconciliation import BreakRow, LineRow, ReportFile
from kassa.reconciliation.store.repeated_lines import EarlierLine

_NAMELESS = frozenset({LineKind.FEE, LineKind.ADJUSTMENT, LineKind.PAYOUT})
"""Of a provider's report: what no movement of ours tells from another."""


@dataclass(slots=True)
class RepeatedLines:
    """The lines of a batch beside those of earlier files of the account.

    The n-th of several that nothing tells apart is the n-th of another file. `counted`: how many of
    each this file has had. `cured`: earlier lines that were breaks, and match now. `unwritten`: of
    this file, by place, the identities of the batches before, whose rows may not be to be read yet.
    """

    file: ReportFile
    earlier: dict[str, dict[str, list[EarlierLine]]] = field(default_factory=dict)
    counted: Counter[str] = field(default_factory=Counter)
    unwritten: Mapping[int, str] = field(default_factory=dict)
    cured: list[EarlierLine] = field(default_factory=list)

    async def look(self, connection: Connection, lines: Sequence[ReportLine]) -> None:
        """For those of `lines` that have to be known before they are judged."""
        names = {name for line in lines if (name := self.identity_of(line))}
        if names:
            await self._find(connection, names)

    def take(self, line: ReportLine) -> EarlierLine | None:
        """Which earlier line this one repeats; each is asked for once."""
        name = self.identity_of(line)
        return self._next(name) if name else None

    async def take_held(
        self, connection: Connection, numbered: Sequence[tuple[int, object]]
    ) -> dict[int, EarlierLine]:
        """By place, of lines of this file that waited for a lock: which earlier line each repeats
        by now. What another file had meanwhile was not to be seen before."""
        names = await store.identities(
            connection, self.file.company_id, self.file.id, [place for place, _ in numbered]
        )
        if not names or self.file.connector != BANK:
            return {}
        own: dict[str, list[int]] = {}
        files: dict[str, dict[str, list[EarlierLine]]] = {}
        for one in await store.earlier(
            connection, self.file.company_id, self.file.connector, sorted(set(names.values()))
        ):
            if one.file_id == self.file.id:
                own.setdefault(one.identity, []).append(one.place)
            else:
                files.setdefault(one.identity, {}).setdefault(one.file_id, []).append(one)
        found = {}
        for place, name in names.items():
            number = sum(mine < place for mine in own.get(name, ()))
            others = files.get(name, {}).values()
            told = (its[number] for its in others if len(its) > number)
            # Not one that waits as well, or that this very line is the first to tell of.
            before = next((one for one in told if one.is_told), None)
            if before is not None:
                found[place] = before
        return found

    def doubt(self, line: ReportLine, before: EarlierLine) -> MatchResult | None:
        """Of a line of which nothing but day and amount is said it is not certain."""
        if line.is_marked:
            return None
        return MatchResult(
            state=LineState.BREAK,
            problem=BreakClass.DUPLICATE,
            words=f"{line.amount} may be line {before.number} of {before.file_name} again: neither"
            " has a reference",
            cause=before.cause,
        )

    async def link(
        self, connection: Connection, rows: Sequence[LineRow], opened: list[BreakRow]
    ) -> list[LineRow]:
        """Of a provider's payments and refunds that are breaks: withdraw those that an earlier file
        has told of in the same words. Gives their rows, which then repeat it. What is left of
        duplicates is told apart by its time."""
        linked = await self._link(connection, rows, opened)
        await self._tell_apart(connection, rows, opened)
        return linked

    async def _link(
        self, connection: Connection, rows: Sequence[LineRow], opened: list[BreakRow]
    ) -> list[LineRow]:
        mine = {row.place: row for row in rows if row.state == LineState.BREAK and not row.identity}
        lines = {place: row.as_line() for place, row in mine.items()}
        names = {name for line in lines.values() if (name := line.identity)}
        if not names:
            return []
        await self._find(connection, names)
        told = await store.told_by(
            connection, self.file.company_id, self.file.id, [row.cause for row in mine.values()]
        )
        linked = []
        for place, row in mine.items():
            row.identity = lines[place].identity
            # A refund and its return are one cause, and so are a dispute and its end.
            same = [one for one in told.get(row.cause, ()) if _are_one(one.line(), lines[place])]
            is_first = not self.counted[row.identity]
            before = self._next(row.identity) if row.identity else None
            # What matched is kept without its identity: it is the first of its file that is alike.
            if before is None and is_first and same:
                before = same[0].as_earlier()
            if before is None:
                continue
            repeat(row, before)
            linked.append(row)
        places = {row.place for row in linked}
        opened[:] = [one for one in opened if one.place not in places]
        return linked

    async def _tell_apart(
        self, connection: Connection, rows: Sequence[LineRow], opened: list[BreakRow]
    ) -> None:
        """A duplicate of another second than the line that told before is a second movement under
        one name: what was won and lost again between two looks of ours, or was never told to us."""
        found = {one.place: one for one in opened if one.problem == BreakClass.DUPLICATE}
        if not found or self.file.connector == BANK:
            return
        told = await store.told_by(
            connection, self.file.company_id, "", [one.cause for one in found.values()]
        )
        for row in rows:
            one = found.get(row.place)
            if one is None or row.occurred_at is None:
                continue
            lines = [it.row for it in told.get(one.cause, ())]
            lines += [it for it in rows if it.state == LineState.MATCHED and it.cause == one.cause]
            before = {it.occurred_at for it in lines if it.kind == row.kind}
            if before and None not in before and row.occurred_at not in before:
                opened[opened.index(one)] = replace(
                    one,
                    problem=BreakClass.STATUS,
                    details=f"a second {row.kind} of {one.cause}, as of"
                    f" {row.occurred_at:%Y-%m-%d %H:%M:%S}, is not booked",
                )

    def identity_of(self, line: ReportLine) -> str:
        """What is kept with the line, so that a later file finds it."""
        return line.identity if self._is_looked_up(line) else ""

    def _is_looked_up(self, line: ReportLine) -> bool:
        return self.file.connector == BANK or line.kind in _NAMELESS

    async def _find(self, connection: Connection, names: set[str]) -> None:
        company_id, file = self.file.company_id, self.file
        own = {place: name for place, name in self.unwritten.items() if name in names}
        for one in await store.earlier(connection, company_id, file.connector, sorted(names)):
            if one.file_id == file.id:
                own[one.place] = one.identity
            else:
                by_file = self.earlier.setdefault(one.identity, {})
                by_file.setdefault(one.file_id, []).append(one)
        self.counted.update(own.values())

    def _next(self, name: str) -> EarlierLine | None:
        number = self.counted[name]
        self.counted[name] += 1
        files = self.earlier.get(name, {}).values()
        return next((its[number] for its in files if len(its) > number), None)


def _are_one(one: ReportLine, other: ReportLine) -> bool:
    """Said in the same words; or, in two kinds of report, of the same thing at the provider, money
    and second."""
    if one.identity == other.identity:
        return True
    said, again = (
        (it.kind, it.amount, it.fee, it.provider_reference, it.payout_reference, it.occurred_at)
        for it in (one, other)
    )
    return bool(other.provider_reference and other.occurred_at) and said == again


def repeat(row: LineRow, before: EarlierLine) -> None:
    """`row` says again what that line has said."""
    row.state = LineState.IGNORED
    row.repeats_file, row.repeats_place = before.file_id, before.place
