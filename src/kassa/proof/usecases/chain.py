"""Chain the history: what this program added gets links, and a block that seals them."""

import asyncio
import hashlib
import hmac
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import structlog

from kassa.base.store.connection import Connection
from kassa.base.store.seals import Seals
from kassa.base.usecases.core import Core
from kassa.base.usecases.keyring import Keyring, Purpose
from kassa.payments.store.payments import clock
from kassa.proof.store import chain
from kassa.proof.store.chain import Addition, Block
from kassa.proof.store.heads import Noted, Place

_log = structlog.get_logger("kassa.chain")
_MOST = 1_000  # statements' worth of rows in one transaction
_PAGE = 1_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MEMORY = "chain: what was told"
_AGAIN_SECONDS = 60.0  # seconds, not money: the same trouble is told once in this time
_HOMES = {"event": "payment_event", "posting": "posting", "record": "row_record"}

BESIDE_US = timedelta(minutes=10)
"""So long another machine may have been sealing before this one's file must know of it."""
WHAT_TO_DO = (
    "if the database or this file was restored from a backup, see that nothing else is missing,"
    " then: kassa verify --accept-head"
)


def chain_keys(secrets: Keyring) -> list[bytes]:
    """The keys that seal blocks; the first seals new ones. They are kept nowhere; who has only the
    database cannot know them."""
    return [
        hmac.digest(one.secret.reveal(), b"kassa: the chain of history, 1", hashlib.sha256)
        for one in secrets.of(Purpose.CHAIN).every
    ]


def seal_keys(secrets: Keyring) -> list[bytes]:
    """The keys that seal rows, likewise."""
    return [
        hmac.digest(one.secret.reveal(), b"kassa: seals of rows, 1", hashlib.sha512)
        for one in secrets.of(Purpose.SEALS).every
    ]


def seals_of(secrets: Keyring) -> Seals:
    """What the rows are sealed with that this installation writes."""
    return Seals(seal_keys(secrets))


def block_hash(key: bytes, before: bytes, block: Block) -> bytes:
    """What seals `block` onto the block whose hash is `before`; its own hash is not read."""
    micros = (block.at - _EPOCH) // timedelta(microseconds=1)
    head = f"{block.seq}:{block.first_link}:{block.last_link}:{micros}:{block.company_id}"
    message = before.hex() + ":" + block.root.hex() + ":" + head
    return hmac.digest(key, message.encode(), hashlib.sha256)


def is_sealed(keys: Sequence[bytes], before: bytes, block: Block) -> bool:
    """Whether one of these keys sealed `block` onto the block whose hash is `before`."""
    return any(block_hash(key, before, block) == block.hash for key in keys)


async def chain_history(core: Core, most: int = _MOST) -> int:
    """Chain what up to `most` statements have added; returns how many links that made.

    Only one process at a time does it; the others have nothing to do meanwhile. What carries no
    seal of ours gets no link, and a company whose newest block is not the one that we know gets
    none at all: both are told, and hold nobody else up.
    """
    async with core.db.transaction(long=True) as connection:
        if not await chain.take_the_pen(connection):
            return 0
        companies = await chain.companies_waiting(connection)
        if not companies:
            return 0
        noted = await asyncio.to_thread(core.heads.read)
        unsealed_before = None
        if noted is None:
            unsealed_before = await chain.not_begun_since_the_upgrade(connection)
            if unsealed_before is None:
                _tell(
                    core, "", f"{core.heads.path} is missing: no history is chained; {WHAT_TO_DO}"
                )
                return 0
            noted = {}
        last = await _sound_heads(core, connection, companies, noted, known=unsealed_before is None)
        blocks = []
        while additions := await chain.waiting(connection, list(last), most):
            blocks += await _take_up(core, connection, additions, last, unsealed_before)
            if unsealed_before is None:  # else all of it now: later on nothing goes without a seal
                break
        heads = {one.company_id: (one.seq, one.hash.hex()) for one in blocks}
        if heads:
            await asyncio.to_thread(core.heads.announce, heads)
    if heads:
        await asyncio.to_thread(core.heads.settle, heads)
    return sum(block.last_link - block.first_link + 1 for block in blocks)


async def _take_up(
    core: Core,
    connection: Connection,
    additions: Sequence[Addition],
    last: dict[str, Block | None],
    unsealed_before: datetime | None,
) -> list[Block]:
    """Link what is ours, put the rest on the list, and clear the queue of both."""
    good, refused = _sorted_out(core, additions, unsealed_before)
    blocks = await _link(core, connection, good, last, await clock(connection))
    if refused:
        await chain.refuse(connection, refused)
        _tell_refused(core, refused)
    await chain.take_out(connection, sorted({one.queued for one in additions}))
    last.update({block.company_id: block for block in blocks})
    return blocks


async def follow_heads(core: Core) -> int:
    """See that every company's chain still ends where this machine's file says, or went on.

    Another machine may be making the links; and a chain that nobody adds to can be cut off, too.
    """
    noted = await asyncio.to_thread(core.heads.read)
    if noted is not None:
        async with core.db.transaction() as connection:
            await _sound_heads(core, connection, None, noted, known=True)
    return 0


async def _sound_heads(
    core: Core,
    connection: Connection,
    companies: Sequence[str] | None,
    noted: dict[str, Noted],
    *,
    known: bool,
) -> dict[str, Block | None]:
    """The newest block of each of these companies that may get another; of the others none."""
    last = await chain.last_blocks(connection, companies)
    now = await clock(connection)
    sound: dict[str, Block | None] = {}
    moved: dict[str, Place] = {}
    for company_id in companies if companies is not None else sorted({*last, *noted}):
        head, ours = last.get(company_id), noted.get(company_id, Noted())
        if head is not None and (head.seq, head.hash.hex()) == ours.sealed:
            sound[company_id] = head
            continue
        words = await _why_not(core, connection, company_id, ours, head, now) if known else ""
        if words:
            _tell(core, company_id, f"the chain of {company_id} {words}; {WHAT_TO_DO}")
            continue
        sound[company_id] = head
        if head is not None:
            moved[company_id] = head.seq, head.hash.hex()
    if moved:
        await asyncio.to_thread(core.heads.settle, moved)
    return sound


async def _why_not(
    core: Core,
    connection: Connection,
    company_id: str,
    ours: Noted,
    head: Block | None,
    now: datetime,
) -> str:
    """Why this head is not one that our own could have led to; "" when it is."""
    if head is None:
        return "" if ours.sealed is None else f"is gone: it had {ours.sealed[0]} blocks"
    before = b""
    start = 1
    for seq, digest in ours.places:
        found = await chain.blocks_from(connection, company_id, seq, 1)
        if found and (found[0].seq, found[0].hash.hex()) == (seq, digest):
            start, before = seq + 1, found[0].hash
            break
    else:
        if ours.sealed is not None:
            return f"no longer has the block {ours.sealed[0]} that was its newest"
    keys = chain_keys(core.secrets)
    while start <= head.seq:
        blocks = await chain.blocks_from(connection, company_id, start, _PAGE)
        if ours.sealed is not None and blocks and blocks[0].at < now - BESIDE_US:
            return f"goes on behind block {start - 1}, where {core.heads.path} ends"
        for block in blocks:
            if block.seq != start or not is_sealed(keys, before, block):
                return f"was edited in block {start}"
            start, before = start + 1, block.hash
        if not blocks:
            return f"has no block {start}"
    return ""


def is_ours(seals: Seals, one: Addition) -> bool:
    """Whether this program wrote it; of what is gone nothing else can be said."""
    return one.digest is None or seals.fits(_HOMES[one.kind], one.digest, one.seal)


def _sorted_out(
    core: Core, additions: Iterable[Addition], unsealed_before: datetime | None
) -> tuple[list[Addition], list[Addition]]:
    """What may be linked, and what may not.

    A row that is gone gets its link all the same: its absence will be found.
    """
    seals = seals_of(core.secrets)
    good: list[Addition] = []
    refused: list[Addition] = []
    for one in additions:
        is_old = one.seal is None and unsealed_before and one.at and one.at < unsealed_before
        (good if is_ours(seals, one) or is_old else refused).append(one)
    return good, refused


async def _link(
    core: Core,
    connection: Connection,
    additions: Sequence[Addition],
    last: dict[str, Block | None],
    at: datetime,
) -> list[Block]:
    """Give each its link, and seal those of each company in one block; gives the blocks."""
    key = chain_keys(core.secrets)[0]
    pieces: dict[str, list[Addition]] = defaultdict(list)
    for one in additions:
        pieces[one.company_id].append(one)
    links, blocks = [], []
    for company_id, piece in sorted(pieces.items()):
        head = last.get(company_id)
        seq, before, link = (head.seq, head.hash, head.last_link) if head else (0, b"", 0)
        digests = [one.digest or b"" for one in piece]
        links += [
            (company_id, link + nth, one.kind, one.key, one.number, digest)
            for nth, (one, digest) in enumerate(zip(piece, digests, strict=True), 1)
        ]
        block = Block(
            company_id=company_id,
            seq=seq + 1,
            first_link=link + 1,
            last_link=link + len(piece),
            at=max(at, head.at) if head else at,  # in their order, whatever the clock did
            root=hashlib.sha256(b"".join(digests)).digest(),
            hash=b"",
        )
        blocks.append(replace(block, hash=block_hash(key, before, block)))
    if blocks:
        await chain.link(connection, links)
        await chain.seal(connection, blocks)
    return blocks


def _tell_refused(core: Core, refused: Sequence[Addition]) -> None:
    for one in refused[:10]:
        what = f"{one.kind} {one.key} {one.number or ''}".strip()
        _tell(
            core,
            what,
            f"{what} of {one.company_id} was not written by this program, and gets no link;"
            " kassa verify shows what else is wrong",
        )


def _tell(core: Core, about: str, words: str) -> None:
    told: dict[str, float] = core.gatherers.setdefault(_MEMORY, {})  # seconds, not money
    now = time.monotonic()
    if now - told.get(about, -_AGAIN_SECONDS) >= _AGAIN_SECONDS:
        told[about] = now
        _log.error("history is not chained", why=words)
