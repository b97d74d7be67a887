"""Prove the books: every promise asked as a question, every counter-example shown."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from kassa.domain.errors import ProviderUnavailable
from kassa.store import books
from kassa.store.books import Violation
from kassa.store.books_afterwards import AFTERWARDS_CHECKS
from kassa.store.books_chain import CHAIN_CHECKS, SEALED
from kassa.store.books_dates import DATE_CHECKS
from kassa.store.books_ledger import LEDGER_CHECKS
from kassa.store.chain import Block
from kassa.usecases.chain import block_hash, chain_key
from kassa.usecases.core import Core

CHECKS = (*LEDGER_CHECKS, *AFTERWARDS_CHECKS, *DATE_CHECKS, *CHAIN_CHECKS)
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

    `heads`: newest blocks that were noted at another time, to be found again.
    """
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
        return await prove(lanes, chain_key(core.secrets), company_id, progress, heads)


async def prove(
    lanes: Sequence[Any],
    key: bytes,
    company_id: str | None = None,
    progress: Told = _silent,
    heads: Sequence[Head] = (),
) -> Proof:
    """Run every check over these connections, whose open transactions see the same moment."""
    for lane in lanes:
        await books.prepare(lane)
    counts = await books.counts(lanes[0], company_id)
    seal = _Seal(key, company_id, heads)
    work: list[tuple[str, tuple[str, ...], Callable[[Any], Awaitable[list[Violation]]]]] = [
        (check.name, check.reads, _asking(check, company_id)) for check in CHECKS
    ]
    work.append((SEALED[0], ("chain_link", "chain_block"), seal.check))
    weights = {name: sum(counts[table] for table in reads) for name, reads, _ in work}
    # The longest first, so that no lane stands idle while another works through a long one.
    waiting = sorted(work, key=lambda one: weights[one[0]])
    found: dict[str, list[Violation]] = {}
    done = 0

    async def walk(lane: Any) -> None:
        nonlocal done
        while waiting:
            name, _, ask = waiting.pop()
            progress(Progress(name, done, sum(weights.values())))
            found[name] = await ask(lane)
            done += weights[name]

    async with asyncio.TaskGroup() as group:
        for lane in lanes:
            group.create_task(walk(lane))
    checks = (*((check.name, check.promise) for check in CHECKS), SEALED)
    violations = tuple(one for name, _ in checks for one in found[name])
    return Proof(_told(counts), checks, violations, tuple(seal.heads))


def _asking(
    check: books.Check, company_id: str | None
) -> Callable[[Any], Awaitable[list[Violation]]]:
    async def ask(lane: Any) -> list[Violation]:
        return await books.violations(lane, check, company_id)

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

    def __init__(self, key: bytes, company_id: str | None, wanted: Sequence[Head]) -> None:
        self._key = key
        self._company_id = company_id
        self._wanted = {(head.company_id, head.seq): head.hash for head in wanted}
        self._found: list[Violation] = []
        self.heads: list[Head] = []

    async def check(self, lane: Any) -> list[Violation]:
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
        return self._found[: books.MOST]

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
            say("its links were edited or changed their order")
        before = last.hash if last else b""
        if block_hash(self._key, before, block) != block.hash and block.seq == seq:
            say("was edited, or the block before it")
        noted = self._wanted.pop((block.company_id, block.seq), None)
        if noted is not None and noted != block.hash.hex():
            say(f"has another hash than the one that was noted, {noted}")

    def _end(self, block: Block, links: dict[str, int]) -> None:
        self.heads.append(Head(block.company_id, block.seq, block.hash.hex()))
        over = links.pop(block.company_id, 0)
        if over > block.last_link:
            name = f"links {block.last_link + 1} to {over}"
            self._say(block.company_id, name, "follow the last block: it is gone", block.at)

    def _say(self, company_id: str, what: str, words: str, since: datetime | None) -> None:
        self._found.append(Violation(SEALED[0], company_id, what, words, since))
