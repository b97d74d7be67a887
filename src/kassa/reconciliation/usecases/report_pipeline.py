"""A report's batches, one after the other, and the next one prepared while one is written.

A batch and all its effects are one transaction, which also moves the file's position. Three are
under way at most: while others are written, the next one looks its lines up, locks their payments
and decides; so this process works while the server does. What concerns its payments alone a batch
books at once; only when the one before is committed, it takes the file and writes the rest. So
commits keep the file's order, and what was cut off is cut off between two batches. Where a batch is
about a payment of one before it, it waits for that to end before it decides.

Nobody else is waited for. Lines about a payment that somebody else is changing are set aside, as
lines of the file that wait, and have their turn at the end; so one payment that is kept costs the
others nothing.

Locks are taken in one order everywhere: payments (their orders), then the file, then settlements.
"""

import asyncio
import time
from collections import ChainMap, Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack
from copy import deepcopy
from dataclasses import dataclass, field
from functools import partial

from kassa.base.domain.errors import InProgress
from kassa.base.store.connection import Connection
from kassa.base.usecases.core import Core
from kassa.reconciliation.domain.matching import BANK, PartialLine
from kassa.reconciliation.domain.reports import LineKind, ReportLine
from kassa.reconciliation.store import held_lines
from kassa.reconciliation.store import reconciliation as store
from kassa.reconciliation.store.reconciliation import ReportFile
from kassa.reconciliation.usecases.report_batch import (
    Batch,
    BatchTurn,
    Numbered,
    book,
    write,
)

_AT_ONCE = 3  # batches: one is decided on, one is booked, and one is committed
_TRIES = 5  # of a batch whose rows somebody else keeps locked
_PAGE = 2_000
# seconds, not money
_PATIENCE = 5.0  # with who keeps a payment to the end
_SOON, _LATER = 0.05, 0.5  # pauses between tries, which double

Writing = asyncio.Task[None]


@dataclass(slots=True)
class Run:
    """One import under way. In a dry run nothing is written, so `reported`, `waiting`,
    `planned` and `seen` remember here what the tables would.

    `unwritten`: what RepeatedLines has to know of the batches that are being written. `progress`
    hears how many lines are done. `by_hand`: who has said what the lines are about.
    """

    core: Core
    file: ReportFile
    actor: str
    tells_fees: bool
    dry_run: bool
    progress: Callable[[int], None] = lambda _: None
    by_hand: str = ""
    held: set[str] = field(default_factory=set)
    reported: set[int] = field(default_factory=set)
    waiting: dict[str, list[PartialLine]] = field(default_factory=dict)
    planned: dict[str, int] = field(default_factory=dict)
    seen: Counter[str] = field(default_factory=Counter)
    unwritten: list[dict[int, str]] = field(default_factory=list)

    def batch(self, turn: BatchTurn = BatchTurn.FIRST) -> Batch:
        batch = Batch(self.core, self.file, self.actor, self.tells_fees, self.dry_run)
        batch.by_hand = self.by_hand
        batch.reported, batch.waiting = self.reported, self.waiting
        if self.dry_run:
            batch.repeats.counted = self.seen
        batch.held = self.held if turn is BatchTurn.FIRST else set()
        return batch


def reads_settlements(numbered: Sequence[Numbered]) -> bool:
    """Whether deciding on these lines asks for more than their payments, which are locked: for
    what settlements come to, which the batch before may be changing."""
    return any(
        isinstance(item, ReportLine) and item.kind is LineKind.PAYOUT for _, item in numbered
    )


async def import_batches(run: Run, batches: AsyncIterator[list[Numbered]]) -> None:
    """Judge all lines and commit what follows.

    Raises: InProgress when rows stay locked by somebody else; the import can be sent again.
    """
    at_once = min(_AT_ONCE, run.core.db.size)
    if run.dry_run or run.file.connector == BANK or at_once < 2:
        # A dry run remembers what the lines before said, and a bank's line reads what they paid.
        async for numbered in batches:
            await one_batch(run, numbered)
        return
    writing: list[Writing] = []  # the older first
    under_way: list[list[Numbered]] = []  # those, and the one that is being prepared
    try:
        async for numbered in batches:
            under_way.append(numbered)
            try:
                if len(writing) == at_once:
                    await _done(writing[0])
                    del writing[0], under_way[0]
                writing.append(await _prepare(run, numbered, writing[-1] if writing else None))
            except InProgress:
                await _one_by_one(run, writing, under_way)
        try:
            for one in writing:
                await _done(one)
        except InProgress:
            await _one_by_one(run, writing, under_way)
    finally:
        await _ended(writing)


async def _one_by_one(run: Run, writing: list[Writing], under_way: list[list[Numbered]]) -> None:
    """Each in its own time, and again where a lock was in the way; what is done stays done."""
    await _ended(writing)
    writing.clear()
    for numbered in under_way:
        await one_batch(run, numbered)
    under_way.clear()


async def _done(writing: Writing) -> None:
    """Wait, and raise what it raised. Whoever waits may be canceled; what is written is not."""
    await asyncio.wait([writing])
    writing.result()


async def _ended(writing: list[Writing]) -> None:
    """Wait, whatever becomes of them."""
    if writing:
        await asyncio.wait(writing)
    for one in writing:
        if not one.cancelled():
            one.exception()  # heard: what is raised already matters more


async def _prepare(run: Run, numbered: list[Numbered], before: Writing | None) -> Writing:
    """Look up and decide on this batch, while the one before is written; gives the rest of it."""
    async with AsyncExitStack() as stack:
        connection = await stack.enter_async_context(run.core.db.transaction(long=True))
        batch = run.batch()
        if before is not None:
            batch.repeats.unwritten = ChainMap(*run.unwritten)
        await batch.look(connection, numbered, partial(_done, before) if before else None)
        if before is not None and reads_settlements(numbered):
            await _done(before)
        # Its own: should it come to nothing, the figures are those of the batch before.
        batch.file = deepcopy(run.file)
        await batch.judge(connection, numbered, BatchTurn.FIRST)
        batch.file.position = numbered[-1][0]
        run.file = batch.file
        names = {row.place: row.identity for row in batch.rows if row.identity}
        run.unwritten = [*run.unwritten, names][1 - _AT_ONCE :]
        start = numbered[0][0] - 1
        return asyncio.create_task(_write(run, batch, connection, start, before, stack.pop_all()))


async def _write(
    run: Run,
    batch: Batch,
    connection: Connection,
    start: int,
    before: Writing | None,
    transaction: AsyncExitStack,
) -> None:
    """Book at once; the rest when the batch before is committed."""
    async with transaction:
        await book(connection, batch)
        if before is not None:
            await _done(before)
        found = await store.lock_file(connection, batch.file.company_id, batch.file.id)
        if found.position != start:
            raise InProgress("somebody else imports the same file; send it again")
        await write(connection, batch, BatchTurn.FIRST)
        await store.save_file(connection, batch.file)
    run.progress(batch.file.position)


async def one_batch(run: Run, numbered: list[Numbered], turn: BatchTurn = BatchTurn.FIRST) -> None:
    """Judge these lines and commit what follows; sent again where a lock was in the way."""
    for left in reversed(range(_TRIES)):
        try:
            async with run.core.db.transaction(long=True) as connection:
                await _work(run, connection, numbered, turn)
        except InProgress:
            if not left:
                raise
        else:
            run.progress(run.file.position)
            return


async def _work(
    run: Run, connection: Connection, numbered: list[Numbered], turn: BatchTurn
) -> None:
    batch = run.batch(turn)
    await batch.look(connection, numbered)
    if not run.dry_run:
        # Whoever else imports the same file waits here, and then finds these lines done.
        run.file = await store.lock_file(connection, run.file.company_id, run.file.id)
        batch.file = run.file
    if turn is BatchTurn.FIRST:
        numbered = [item for item in numbered if item[0] > run.file.position]
    elif turn is BatchTurn.HELD:
        places = [place for place, _ in numbered]
        left = await held_lines.still(connection, run.file.company_id, run.file.id, places)
        numbered = [item for item in numbered if item[0] in left]
    if not numbered:
        return
    await batch.judge(connection, numbered, turn)
    if turn is BatchTurn.FIRST:
        run.file.position = numbered[-1][0]
    if run.dry_run:
        for one in batch.opened:
            run.planned[one.problem] = run.planned.get(one.problem, 0) + 1
        return
    await book(connection, batch)
    await write(connection, batch, turn)
    await store.save_file(connection, run.file)


async def take_held(run: Run) -> None:
    """The turn of the lines that were set aside, again and again for a while.

    Raises: InProgress when some still wait; all others are imported, and the import, sent again,
    goes on with those.
    """
    until, pause = time.monotonic() + _PATIENCE, _SOON
    while left := await _pass_over_held(run):
        if time.monotonic() > until:
            raise InProgress(
                f"{left} lines wait for payments that somebody else keeps locked; all others are"
                " imported: send the report again"
            )
        await asyncio.sleep(pause)
        pause = min(pause * 2, _LATER)


async def _pass_over_held(run: Run) -> int:
    """How many are left of them."""
    company_id, file_id, core, place = run.file.company_id, run.file.id, run.core, 0
    while True:
        async with core.db.connection(long=True) as connection:
            places = await held_lines.after(connection, company_id, file_id, place, _PAGE)
            rows = await store.lines_at(connection, company_id, file_id, places) if places else []
        if not rows:
            break
        place = rows[-1].place
        await one_batch(run, [(row.place, row.as_line()) for row in rows], BatchTurn.HELD)
    if not place:
        return 0
    async with core.db.connection(long=True) as connection:
        return await held_lines.count(connection, company_id, file_id)
