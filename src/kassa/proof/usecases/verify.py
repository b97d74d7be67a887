"""Prove the books: every promise asked as a question, every counter-example shown."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from datetime import datetime

from kassa.base.domain.errors import InvalidRequest, ProviderUnavailable
from kassa.base.store.connection import Connection
from kassa.base.store.seals import Seals
from kassa.base.usecases.core import Core
from kassa.identity.domain.audit import INSTALLATION, Act
from kassa.identity.usecases import audit
from kassa.payments.store.payments import clock
from kassa.proof.store import chain
from kassa.proof.store import checks as books
from kassa.proof.store.chain import Block
from kassa.proof.store.checks import Violation
from kassa.proof.store.checks_afterwards import AFTERWARDS_CHECKS
from kassa.proof.store.checks_chain import CHAIN_CHECKS, OURS, SEALED
from kassa.proof.store.checks_dates import DATE_CHECKS
from kassa.proof.store.checks_house import HOUSE_CHECKS
from kassa.proof.store.checks_ledger import LEDGER_CHECKS
from kassa.proof.store.checks_rows import PAYMENTS_SEALED, ROW_CHECKS, ROWS_RECORDED, ROWS_SEALED
from kassa.proof.store.cover import COVERS
from kassa.proof.store.heads import Noted
from kassa.proof.store.records import RECORDED, unlike_their_records
from kassa.proof.store.resealing import falsified
from kassa.proof.usecases.chain import (
    BESIDE_US,
    WHAT_TO_DO,
    chain_keys,
    is_ours,
    is_sealed,
    seals_of,
)

CHECKS = (
    *LEDGER_CHECKS,
    *AFTERWARDS_CHECKS,
    *DATE_CHECKS,
    *ROW_CHECKS,
    *CHAIN_CHECKS,
    *HOUSE_CHECKS,
)
_BY_KEY = (PAYMENTS_SEALED, ROWS_SEALED, ROWS_RECORDED, OURS, SEALED)
_TAMPERED = frozenset(
    (*(name for name, _ in _BY_KEY), *(one.title for one in (*CHAIN_CHECKS, *HOUSE_CHECKS)))
)
_UNDATED = frozenset(one.title for one in DATE_CHECKS)
COMPARE = (
    "something other than Kassa wrote to the database: keep a copy of it as it is, find out who"
    " could write, and compare these rows with a backup from before"
)
UNDATED = (
    "see that workers run (kassa work, or kassa serve): what is due comes up by itself; kassa"
    " explain tells what a payment waits for"
)
EXPLAIN = (
    "see what happened to the payment (kassa explain PAYMENT), and correct nothing in the database"
    " by hand: a correction is a posting (kassa breaks)"
)
_HOMES = ("orders", "payment")
_WHOLE_QUEUE = 1_000_000_000
_LANES = 2  # connections that ask at the same time, of one and the same moment


@dataclass(frozen=True, slots=True)
class Head:
    """The newest block of a company: who keeps it elsewhere can prove that nothing was cut off."""

    company_id: str
    seq: int
    hash: str


@dataclass(frozen=True, slots=True)
class Proof:
    """`counts`: what was looked at. Sound books have no `violations`."""

    counts: dict[str, int]
    checks: tuple[tuple[str, str], ...]
    violations: tuple[Violation, ...]
    heads: tuple[Head, ...] = ()


@dataclass(frozen=True, slots=True)
class Progress:
    """`check` has begun; of `total` rows to walk through, `done` are behind us."""

    check: str
    done: int
    total: int


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class KnownHead:
    """What no database holds: the keys, and the newest blocks as this machine's file has them
    (None: there is no file).

    `rows_sealed`, `rows_recorded`: whether rows from before the seals, or the records, have got
    theirs, and none may be without."""

    keys: Sequence[bytes]
    seals: Seals
    noted: Mapping[str, Noted] | None
    rows_sealed: bool
    rows_recorded: bool


def known_of(core: Core) -> KnownHead:
    """What this process knows now; it reads the head file."""
    return KnownHead(
        keys=chain_keys(core.secrets),
        seals=seals_of(core.secrets),
        noted=core.heads.read(),
        rows_sealed=core.heads.rows_sealed,
        rows_recorded=core.heads.rows_recorded,
    )


Told = Callable[[Progress], None]


def _silent(_: Progress) -> None:
    """Nobody listens."""


async def verify_books(
    core: Core,
    company_id: str | None = None,
    progress: Told = _silent,
    heads: Sequence[Head] = (),
) -> Proof:
    """Run every check in one snapshot, over all companies or one.

    `heads`: newest blocks that were noted at another time, to be found again. Those that the
    head file names are looked for in any case.
    """
    # Before the moment that is looked at: what is sealed meanwhile is not missed in it.
    known = await asyncio.to_thread(known_of, core)
    async with AsyncExitStack() as stack:
        lanes = [await stack.enter_async_context(core.db.transaction(long=True))]
        await books.hold_still(lanes[0])
        snapshot = await books.snapshot_of(lanes[0])
        for _ in range(_LANES - 1):
            try:
                lane = await stack.enter_async_context(core.db.transaction(long=True))
            except ProviderUnavailable:
                break  # no connection to spare: it takes longer, and is as good
            await books.hold_still(lane, snapshot)
            lanes.append(lane)
        return await prove(lanes, known, company_id, progress, heads)


async def accept_heads(core: Core) -> Sequence[Head]:
    """Let the chain as it is be what the head file knows, whatever the file knew before.

    Raises: InvalidRequest when the chain is not whole by itself.
    """
    known = replace(known_of(core), noted={})
    seal = _Seal(known, None, ())
    async with core.db.transaction(long=True) as connection:
        await books.hold_still(connection)
        await books.prepare(connection)
        found = await seal.check(connection)
    if found:
        raise InvalidRequest(
            f"the chain is not whole: {found[0].company_id} {found[0].object_id}"
            f" {found[0].found}; its heads are not accepted"
        )
    heads = {one.company_id: (one.seq, one.hash) for one in seal.heads}
    async with core.db.transaction() as connection:
        said = {one.company_id: f"{one.seq}:{one.hash}" for one in seal.heads}
        await audit.note(core, connection, Act.HEADS_ACCEPTED, INSTALLATION, after=said)
    await asyncio.to_thread(core.heads.replace, heads)
    await asyncio.to_thread(core.heads.note_rows_sealed)
    # What an older database has no records of gets them; the chain says if some were taken away.
    await asyncio.to_thread(core.heads.forget_rows_recorded)
    return seal.heads


async def prove(
    lanes: Sequence[Connection],
    known: KnownHead,
    company_id: str | None = None,
    progress: Told = _silent,
    heads: Sequence[Head] = (),
) -> Proof:
    """Run every check over these connections, whose open transactions see the same moment."""
    for lane in lanes:
        await books.prepare(lane)
    counts = await books.counts(lanes[0], company_id)
    seal = _Seal(known, company_id, heads)
    work: list[tuple[str, tuple[str, ...], Callable[[Connection], Awaitable[list[Violation]]]]] = [
        (check.title, check.reads, _asking(check, company_id)) for check in CHECKS
    ]
    work.append((SEALED[0], ("chain_link", "chain_block"), seal.check))
    some = [home for home in COVERS if home not in _HOMES]
    for (name, _), homes in ((PAYMENTS_SEALED, _HOMES), (ROWS_SEALED, some)):
        work.append((name, tuple(homes), _sealed(known, company_id, name, homes)))
    work.append((ROWS_RECORDED[0], ("row_record", *RECORDED), _recorded(known, company_id)))
    work.append((OURS[0], ("unchained",), _waiting(known, company_id)))
    weights = {name: sum(counts.get(table, 0) for table in reads) for name, reads, _ in work}
    # The longest first, so that no lane stands idle while another works through a long one.
    waiting = sorted(work, key=lambda one: weights[one[0]])
    found: dict[str, list[Violation]] = {}
    done = 0

    async def walk(lane: Connection) -> None:
        nonlocal done
        while waiting:
            name, _, ask = waiting.pop()
            progress(Progress(name, done, sum(weights.values())))
            found[name] = await books.asked(lane, name, ask)
            done += weights[name]

    async with asyncio.TaskGroup() as group:
        for lane in lanes:
            group.create_task(walk(lane))
    checks = (*((check.title, check.promise) for check in CHECKS), *_BY_KEY)
    violations = tuple(_with_next_step(one) for name, _ in checks for one in found[name])
    return Proof(_told(counts), checks, violations, tuple(seal.heads))


def _with_next_step(one: Violation) -> Violation:
    if one.todo:
        return one
    if one.check in _TAMPERED:
        return replace(one, todo=COMPARE)
    return replace(one, todo=UNDATED if one.check in _UNDATED else EXPLAIN)


def _asking(
    check: books.Check, company_id: str | None
) -> Callable[[Connection], Awaitable[list[Violation]]]:
    async def ask(lane: Connection) -> list[Violation]:
        return await books.violations(lane, check, company_id)

    return ask


def _sealed(
    known: KnownHead, company_id: str | None, name: str, homes: Sequence[str]
) -> Callable[[Connection], Awaitable[list[Violation]]]:
    async def ask(lane: Connection) -> list[Violation]:
        found: list[Violation] = []
        for home in homes:
            rows = await falsified(
                lane,
                known.seals,
                home,
                company_id,
                books.MOST,
                all_sealed=known.rows_sealed,
            )
            found += [
                Violation(name, row.company_id, row.name, f"{home}: {row.words}", row.since)
                for row in rows
            ]
        return found[: books.MOST]

    return ask


def _recorded(
    known: KnownHead, company_id: str | None
) -> Callable[[Connection], Awaitable[list[Violation]]]:
    async def ask(lane: Connection) -> list[Violation]:
        found: list[Violation] = []
        for home in RECORDED:
            rows = await unlike_their_records(
                lane, home, company_id, books.MOST, all_recorded=known.rows_recorded
            )
            found += [Violation(ROWS_RECORDED[0], *row) for row in rows]
        return found[: books.MOST]

    return ask


def _waiting(
    known: KnownHead, company_id: str | None
) -> Callable[[Connection], Awaitable[list[Violation]]]:
    async def ask(lane: Connection) -> list[Violation]:
        companies = await chain.companies_waiting(lane)
        if company_id is not None:
            companies = [one for one in companies if one == company_id]
        found = await chain.waiting(lane, companies, _WHOLE_QUEUE)
        forged = [one for one in found if not is_ours(known.seals, one)]
        return [
            Violation(
                OURS[0],
                one.company_id,
                one.key if one.kind == "posting" else f"{one.key} {one.kind} {one.number}",
                "was not written by this program: it carries no seal of its key",
                one.at,
            )
            for one in forged[: books.MOST]
        ]

    return ask


_NAMES = {
    "orders": "orders",
    "payments": "payment",
    "events": "payment_event",
    "postings": "posting",
    "entries": "entry",
    "changes": "modification",
    "disputes": "dispute",
    "settlements": "settlement",
    "links": "chain_link",
    "blocks": "chain_block",
}


def _told(counts: dict[str, int]) -> dict[str, int]:
    return {name: counts[table] for name, table in _NAMES.items()}


class _Seal:
    """Walks along the blocks with the key that no database holds."""

    def __init__(self, known: KnownHead, company_id: str | None, wanted: Sequence[Head]) -> None:
        self._keys = known.keys
        self._noted = known.noted
        self._company_id = company_id
        self._wanted = {(head.company_id, head.seq): head.hash for head in wanted}
        self._newer: dict[str, datetime] = {}  # the first block behind what the file knows
        self._met: set[str] = set()  # companies whose noted head is there
        self._found: list[Violation] = []
        self.heads: list[Head] = []

    async def check(self, lane: Connection) -> list[Violation]:
        links = await books.last_links(lane, self._company_id)
        last: Block | None = None
        async for block, count, root in books.blocks(lane, self._company_id):
            if last is not None and last.company_id != block.company_id:
                self._end(last, links)
                last = None
            self._compare(last, block, links=count, root=root)
            last = block
        if last is not None:
            self._end(last, links)
        for company_id, link in links.items():
            self._say(company_id, f"links up to {link}", "are in no block at all", None)
        for company_id, seq in self._wanted:
            if self._company_id in (None, company_id):
                self._say(company_id, f"block {seq}", "was noted elsewhere, and is gone", None)
        await self._compare_with_file(lane)
        return self._found[: books.MOST]

    async def _compare_with_file(self, lane: Connection) -> None:
        if self._noted is None:
            if self.heads and await chain.not_begun_since_the_upgrade(lane) is None:
                words = "is missing: nobody can say that no end of a chain was cut off"
                self._say("", "the head file", words, None, WHAT_TO_DO)
            return
        for company_id, noted in sorted(self._noted.items()):
            if noted.sealed is None or self._company_id not in (None, company_id):
                continue
            if company_id not in self._met:
                words = "was the newest block, and is gone"
                self._say(company_id, f"block {noted.sealed[0]}", words, None, WHAT_TO_DO)
        until = await clock(lane) - BESIDE_US
        for company_id, at in sorted(self._newer.items()):
            if at < until:
                words = f"is older than the chain, which went on at {at.isoformat()}"
                self._say(company_id, "the head file", words, at, WHAT_TO_DO)

    def _look_up(self, block: Block) -> None:
        """Whether it is the head that the file knows, or one that came later."""
        noted = (self._noted or {}).get(block.company_id)
        if noted is None or noted.sealed is None:
            return
        if (block.seq, block.hash.hex()) in noted.places:
            self._met.add(block.company_id)
        elif block.company_id in self._met and block.seq > noted.places[0][0]:
            self._newer.setdefault(block.company_id, block.at)

    def _compare(self, last: Block | None, block: Block, *, links: int, root: bytes | None) -> None:
        def say(words: str) -> None:
            name = f"block {block.seq} (links {block.first_link} to {block.last_link})"
            self._say(block.company_id, name, words, last.at if last else block.at)

        seq, first = (last.seq + 1, last.last_link + 1) if last else (1, 1)
        if block.seq != seq:
            say(f"follows block {seq - 1}: what was between them is gone")
        elif block.first_link != first:
            say(f"begins with another link than {first}")
        expected = block.last_link - block.first_link + 1
        if links != expected:
            say(f"holds {links} links instead of {expected}")
        elif root != block.root:
            say("holds links that were edited or changed their order")
        before = last.hash if last else b""
        if not is_sealed(self._keys, before, block) and block.seq == seq:
            say("was edited, or the block before it")
        self._look_up(block)
        noted = self._wanted.pop((block.company_id, block.seq), None)
        if noted is not None and noted != block.hash.hex():
            say(f"has another hash than the one that was noted, {noted}")

    def _end(self, block: Block, links: dict[str, int]) -> None:
        self.heads.append(Head(block.company_id, block.seq, block.hash.hex()))
        over = links.pop(block.company_id, 0)
        if over > block.last_link:
            name = f"links {block.last_link + 1} to {over}"
            self._say(block.company_id, name, "follow the last block: it is gone", block.at)

    def _say(
        self, company_id: str, what: str, words: str, since: datetime | None, todo: str = ""
    ) -> None:
        self._found.append(Violation(SEALED[0], company_id, what, words, since, todo))
