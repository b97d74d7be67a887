"""Settlement files: what each provider reports of a day (UTC), with faults on demand."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from kassa_simulator.books import SqliteBooks
from kassa_simulator.desk import Desk, Movement
from kassa_simulator.frame import Answer, Change
from kassa_simulator.lines import Line
from kassa_simulator.odd_rows import ODD, kept
from kassa_simulator.protocols import WritesFiles, protocols

_OF_LINES = ("missing", "extra", "split", "wrong")
_OF_DAYS = ("late", "again")
FAULTS = (*_OF_LINES, *_OF_DAYS, *ODD)
_LATE_BY = 3
_DAY = timedelta(days=1)


class BadWish(Exception):
    """There is no such file; says why."""


def settlement_file(
    books: SqliteBooks,
    desk: Desk,
    *,
    provider: str,
    merchant: str,
    day: datetime,
    faults: Sequence[str],
) -> Answer:
    """What `provider` reports to `merchant` of the day that begins at `day`. Raises: BadWish."""
    able = {name: one for name, one in protocols().items() if isinstance(one, WritesFiles)}
    protocol = able.get(provider)
    if protocol is None:
        raise BadWish(f"provider must be one of {', '.join(able)}")
    if books.merchant(provider, merchant) is None:
        raise BadWish(f"{provider} has no merchant of that name")
    if strange := sorted(set(faults) - set(FAULTS)):
        raise BadWish(f"faults must be of {', '.join(FAULTS)}, not {strange[0][:40]}")
    faults = [*faults, *kept(books, provider, merchant)]
    moved = _of_day(books, desk, provider, merchant, day, late="late" in faults)
    if "again" in faults:
        moved = desk.movements(provider, merchant, day - _DAY, day) + moved
    odd = [fault for fault in ODD if fault in faults]
    content = protocol.settlement_file(books, _spoiled(books, _lines(books, moved), faults), odd)
    name = f"{provider}_{day:%Y-%m-%d}.csv"
    return Answer(
        headers={
            "content-type": "text/csv",
            "content-disposition": f'attachment; filename="{name}"',
        },
        body=content,
    )


def _of_day(
    books: SqliteBooks, desk: Desk, provider: str, merchant: str, day: datetime, *, late: bool
) -> list[Movement]:
    """What moved on that day; with `late` a part of it is told of some days later, and here is
    what is late of a day before."""
    if not late:
        return desk.movements(provider, merchant, day, day + _DAY)
    earlier = day - _LATE_BY * _DAY
    before = desk.movements(provider, merchant, earlier, earlier + _DAY)
    now = desk.movements(provider, merchant, day, day + _DAY)
    is_late = {one.id: books.chance("late", one.id) < 1 / _LATE_BY for one in (*before, *now)}
    return [
        *(one for one in before if is_late[one.id]),
        *(one for one in now if not is_late[one.id]),
    ]


def _lines(books: SqliteBooks, movements: Iterable[Movement]) -> list[Line]:
    lines = []
    for movement in movements:
        charge = books.charge(movement.provider, movement.charge_id)
        change = _refund_of(books, movement) if movement.kind == "refund" else None
        lines.append(Line(movement, charge, change))
    return lines


def _refund_of(books: SqliteBooks, movement: Movement) -> Change | None:
    """The n-th refund that was done is the n-th that moved money; what comes back is the last of
    its amount that has not yet."""
    moved = books.connection.execute(
        "SELECT amount_minor FROM movements WHERE provider = ? AND charge_id = ? AND"
        " kind = 'refund' AND number <= ? ORDER BY number",
        (movement.provider, movement.charge_id, int(movement.id.removeprefix("mv"))),
    )
    done = iter(
        change
        for change in books.changes_of(movement.provider, movement.charge_id)
        if change.kind == "refund" and (change.status != "failed" or change.data.get("returned"))
    )
    away: list[tuple[int, Change | None]] = []
    found: Change | None = None
    for (minor,) in moved.fetchall():
        if minor > 0:
            found = next(done, None)
            away.append((minor, found))
            continue
        place = max((at for at, (gone, _) in enumerate(away) if gone == -minor), default=None)
        found = None if place is None else away.pop(place)[1]
    return found


def _spoiled(books: SqliteBooks, lines: list[Line], faults: Sequence[str]) -> list[Line]:
    """Each fault falls on one line, always the same; each on another where there are enough."""
    lines = list(lines)
    order = sorted(lines, key=lambda line: books.chance("file", line.movement.id))
    for fault, line in zip(
        [each for each in _OF_LINES if each in faults and each != "extra"], order, strict=False
    ):
        place = lines.index(line)
        match fault:
            case "missing":
                del lines[place]
            case "wrong":
                lines[place] = _with_amount(line, line.movement.amount_minor + 1)
            case "split":
                half = line.movement.amount_minor // 2
                rest = _with_amount(line, line.movement.amount_minor - half)
                without_fee = replace(rest, movement=replace(rest.movement, fee_minor=0))
                lines[place : place + 1] = [_with_amount(line, half), without_fee]
    if "extra" in faults and order:
        known = order[-1].movement
        strange = replace(
            known,
            id="mv0",
            kind="charge",
            charge_id=books.new_id("unknown_", "extra", known.id),
            key="unknown",
        )
        lines.append(Line(strange, None))
    return lines


def _with_amount(line: Line, amount: int) -> Line:
    return replace(line, movement=replace(line.movement, amount_minor=amount))
