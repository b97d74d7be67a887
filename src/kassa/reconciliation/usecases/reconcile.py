"""Reconcile: lay a report beside the books, settle what agrees, open a break for what does not.

Lines go in batches (see report_pipeline), and the file's position moves with them; so an import
that was cut off goes on where it stopped, and one content is done once.
"""

import asyncio
import hashlib
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping
from contextlib import aclosing, suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import islice
from typing import BinaryIO

from kassa.base.domain.errors import InProgress, InvalidRequest
from kassa.base.domain.lifecycle import BreakClass
from kassa.base.usecases.bounds import readable
from kassa.base.usecases.core import Core
from kassa.identity.domain.audit import Act
from kassa.identity.usecases import audit
from kassa.modifications.store.modifications import by_id as modification_by_id
from kassa.modifications.usecases.modify_payment import sync_modification
from kassa.payments.store import payments
from kassa.payments.usecases.sync_payment import sync_payment
from kassa.payments.usecases.tell import write_news
from kassa.reconciliation.domain.matching import LATE_AFTER, LineState
from kassa.reconciliation.domain.references import KnownReference
from kassa.reconciliation.domain.reported_payments import is_complete, rest_released
from kassa.reconciliation.domain.reports import ReportLine, Unreadable
from kassa.reconciliation.store import breaks, held_lines
from kassa.reconciliation.store import reconciliation as store
from kassa.reconciliation.store.reconciliation import BreakRow, ReportFile
from kassa.reconciliation.usecases.report_batch import BatchTurn, Numbered, cases_of
from kassa.reconciliation.usecases.report_pipeline import Run, import_batches, one_batch, take_held
from kassa.reconciliation.usecases.reported_changes import take_reversal

LINES_PER_BATCH = 2_000
_ASKED_AT_ONCE = 500  # payments that a provider is asked about because of one file
_DIGEST_BYTES = 1 << 20

Items = Iterator[ReportLine | Unreadable]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """`breaks`: open ones by class; in a dry run those that would be. `totals`: per currency, in
    minor units: gross and fees of all lines, gross of the matched ones.

    `repeated`: lines that an earlier file has had, of which nothing more came. `pending`: what the
    bank has not booked yet.
    `imported_before`: the content was known and done; what is open of it was looked at once more.
    `settled`: payments that were completed. `missing`: payments in the time that the account's
    reports cover which none of them told of, found to be missing just now.
    """

    file_id: str
    name: str
    imported_before: bool
    dry_run: bool
    lines: int
    matched: int
    quarantined: int
    repeated: int
    settled: int
    breaks: Mapping[str, int]
    totals: Mapping[str, Mapping[str, int]]
    missing: int = 0
    pending: int = 0

    @property
    def is_clean(self) -> bool:
        return not self.missing and not any(self.breaks.values())


def digest_of(file: BinaryIO) -> str:
    """The SHA-256 of what is left of the file, read in pieces."""
    digest = hashlib.sha256()
    while piece := file.read(_DIGEST_BYTES):
        digest.update(piece)
    return digest.hexdigest()


async def reconcile(
    core: Core,
    company_id: str,
    connector: str,
    name: str,
    lines: Items,
    sha256: str,
    *,
    dry_run: bool = False,
    progress: Callable[[int], None] = lambda _: None,
    tells_fees: bool = True,
    actor: str = "operator",
    lines_per_batch: int = LINES_PER_BATCH,
) -> Outcome:
    """Import a report of the provider account `connector`, or of the bank (`matching.BANK`).

    `sha256`: of the content, which is the file's identity; `name` is for people. `tells_fees`:
    whether a fee of nothing on a line means nothing; else it means that the file is silent.
    `progress` hears how many lines are done.
    Raises: InProgress when rows stay locked by somebody else; the import can be sent again.
    """
    if len(sha256) != 64 or not name.strip():
        raise InvalidRequest("a report needs a name, and the SHA-256 of its content in hex")
    name = name.replace("\x00", "")[:200]
    file, is_new = await _open(core, company_id, connector, name, sha256, actor, dry_run)
    run = Run(core, file, actor, tells_fees, dry_run, progress)
    if file.state == "done" and not is_new:
        await _look_again(run)
        return await _outcome(run, imported_before=True)
    lines = (readable(core, connector, item) for item in lines)
    async with aclosing(_batches(lines, file.position, lines_per_batch)) as batches:
        await import_batches(run, batches)
    await _finish(run)
    missing = 0
    if not dry_run:
        missing = await find_missing(core, company_id, connector)
    return replace(await _outcome(run, imported_before=False), missing=missing)


async def _open(
    core: Core,
    company_id: str,
    connector: str,
    name: str,
    sha256: str,
    actor: str,
    dry_run: bool,
) -> tuple[ReportFile, bool]:
    fresh = ReportFile(company_id=company_id, id=core.new_id("rf"), connector=connector, name=name)
    async with core.db.transaction(long=True) as connection:
        if not dry_run:
            await store.add_file(connection, fresh, sha256, actor)
        found = await store.find_file(connection, company_id, connector, sha256)
        if not dry_run and found is not None and found.id == fresh.id:
            said = {"account": connector, "name": name, "sha256": sha256}
            await audit.note(
                core, connection, Act.REPORT_IMPORTED, company_id, fresh.id, after=said
            )
    return (found, found.id == fresh.id) if found else (fresh, True)


async def _batches(lines: Items, done: int, size: int) -> AsyncGenerator[list[Numbered], None]:
    """What comes after the lines that are `done`. The next ones are read meanwhile."""
    await asyncio.to_thread(lambda: next(islice(lines, done, done), None))
    ahead = asyncio.create_task(_take(lines, size))
    try:
        while items := await ahead:
            ahead = asyncio.create_task(_take(lines, size))
            yield list(enumerate(items, done + 1))
            done += len(items)
    finally:
        if not ahead.done():
            await asyncio.wait([ahead])


async def _take(lines: Items, count: int) -> list[ReportLine | Unreadable]:
    return await asyncio.to_thread(lambda: list(islice(lines, count)))


async def _finish(run: Run) -> None:
    """What waited for more lines waited in vain; what our books do not know is asked about."""
    if run.dry_run:
        for parts in run.waiting.values():
            count = run.planned.get(BreakClass.AMOUNT, 0) + len(parts)
            run.planned[BreakClass.AMOUNT] = count
        return
    await take_held(run)
    await _ask(run)
    while await _end_of_waiting(run):
        pass
    while await settle_complete(run.core, run.file.company_id):
        pass
    async with run.core.db.transaction(long=True) as connection:
        run.file = await store.lock_file(connection, run.file.company_id, run.file.id)
        run.file.state = "done"
        await store.save_file(connection, run.file)


async def _look_again(run: Run) -> None:
    """Of a file that is done: its lines that said more than we knew, which may be known by now."""
    if run.dry_run:
        return
    await _ask(run)
    company_id, file = run.file.company_id, run.file
    async with run.core.db.connection(long=True) as connection:
        places = {
            place
            for problem in breaks.CURED_BY_TIME
            for place in await breaks.places_of(
                connection, company_id, file.id, problem, _ASKED_AT_ONCE
            )
        }
        rows = await store.lines_at(connection, company_id, file.id, sorted(places))
    if rows:
        await one_batch(run, [(row.place, row.as_line()) for row in rows], BatchTurn.BREAKS)


async def _ask(run: Run) -> None:
    """They say paid and we do not know: ask the provider, and look at the line once more. A refund
    that came back is taken from the line itself."""
    company_id, core = run.file.company_id, run.core
    async with core.db.connection(long=True) as connection:
        places = await breaks.places_of(
            connection, company_id, run.file.id, BreakClass.STATUS, _ASKED_AT_ONCE
        )
        known = await store.look_up(connection, company_id, [(c, "") for c in places.values()])
        items = await store.lines_at(connection, company_id, run.file.id, list(places))
    for row in items:
        one = known.by_id.get(places[row.place])
        if one is None:
            continue
        if one.connector == run.file.connector:
            await take_reversal(core, company_id, row.as_line(), one, actor=run.actor)
    for one in known.by_id.values():
        if not one.is_open or one.connector not in core.connectors:
            continue
        with suppress(InProgress):  # who keeps it will bring it on
            await _ask_about(run, one)
    if items:
        await one_batch(run, [(row.place, row.as_line()) for row in items], BatchTurn.BREAKS)


async def _ask_about(run: Run, one: KnownReference) -> None:
    company_id, core = run.file.company_id, run.core
    if one.kind == "attempt":
        await sync_payment(core, company_id, one.payment_id, actor=run.actor)
        return
    async with core.db.connection(long=True) as connection:
        modification = await modification_by_id(connection, company_id, one.id)
    if modification is not None:
        await sync_modification(core, modification, actor=run.actor)


async def _end_of_waiting(run: Run) -> bool:
    """A page of them becomes breaks; False when none is left."""
    company_id, file = run.file.company_id, run.file
    async with run.core.db.transaction(long=True) as connection:
        run.file = file = await store.lock_file(connection, company_id, file.id)
        rows = await store.waiting_lines(connection, company_id, file.id, LINES_PER_BATCH)
        if not rows:
            return False
        causes = {row.cause for row in rows}
        booked = await store.movements(connection, company_id, file.connector, causes)
        opened = []
        for row in rows:
            left = sum(
                movement.minor
                for movement in booked.get(row.cause, ())
                if movement.kind == row.kind and not movement.reported
            )
            line = row.as_line()
            opened.append(
                BreakRow(
                    id=run.core.new_id("br"),
                    problem=BreakClass.AMOUNT,
                    connector=file.connector,
                    details=f"{line.amount} is not what we booked for {row.cause}, nor a part of"
                    " it that the file's other lines complete",
                    file_id=file.id,
                    place=row.place,
                    payment_id=row.payment_id,
                    cause=row.cause,
                    currency=line.amount.currency,
                    expected_minor=left,
                    found_minor=line.amount.minor,
                )
            )
        await store.insert_breaks(connection, company_id, opened)
        places = [row.place for row in rows]
        await store.mark_lines(connection, company_id, file.id, places, LineState.BREAK)
        file.counts["waiting"] = file.counts.get("waiting", 0) - len(rows)
        await store.save_file(connection, file)
    return True


async def _outcome(run: Run, *, imported_before: bool) -> Outcome:
    file, found = run.file, dict(run.planned)
    if not run.dry_run or imported_before:
        async with run.core.db.connection(long=True) as connection:
            found = await breaks.open_of_file(connection, file.company_id, file.id)
    return Outcome(
        file_id=file.id,
        name=file.name,
        imported_before=imported_before,
        dry_run=run.dry_run,
        lines=file.position,
        matched=file.counts.get("matched", 0),
        quarantined=file.counts.get("quarantine", 0),
        repeated=file.counts.get("ignored", 0),
        settled=file.counts.get("settled", 0),
        breaks=dict(sorted(found.items())),
        totals=file.totals,
        pending=file.counts.get("pending", 0),
    )


async def settle_complete(core: Core, company_id: str, *, limit: int = 1_000) -> int:
    """Settle payments that were completely reported while a part of them was still reserved."""
    async with core.db.transaction(long=True) as connection:
        ids = await breaks.to_settle(connection, company_id, limit)
        if not ids:
            return 0
        now, kept = await held_lines.lock_free(connection, company_id, ids)
        ids = [one for one in ids if one not in kept]  # those come another time
        cases = await cases_of(core, connection, company_id, ids, now)
        ready = [
            case for case in cases.values() if is_complete(case.payment, case.payment.settled_minor)
        ]
        for case in ready:
            case.record(rest_released(case.payment), actor="reconciliation")
            case.announce("payment.settled")
        await write_news(core, connection, ready)
        await payments.save_alone(connection, ready)
    return len(ready)


async def find_missing(
    core: Core,
    company_id: str,
    connector: str,
    older_than: timedelta = timedelta(days=3),
    *,
    limit: int = 10_000,
) -> int:
    """Open a break for each captured payment that no report has told all of; how many are new.

    Only payments in a time that finished reports of the account cover: what a report has not
    reached yet is not missing from it.
    """
    async with core.db.transaction(long=True) as connection:
        found = await breaks.unreported(
            connection, company_id, connector, older_than, LATE_AFTER, limit
        )
        rows = [
            BreakRow(
                id=core.new_id("br"),
                problem=BreakClass.MISSING_THEIRS,
                connector=connector,
                details=f"captured {one.captured_at:%Y-%m-%d %H:%M}Z, and no report told all of it",
                payment_id=one.payment_id,
                currency=one.currency,
                expected_minor=one.captured_minor,
                found_minor=one.settled_minor,
            )
            for one in found
        ]
        return len(await store.insert_breaks(connection, company_id, rows))
