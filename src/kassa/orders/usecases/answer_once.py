"""Answer a request once per idempotency key: repeats get the first answer, byte for byte."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import structlog

from kassa.base.domain.errors import IdempotencyMismatch, InProgress, KassaError
from kassa.base.store.connection import Connection
from kassa.base.usecases import keyed
from kassa.base.usecases.batch import to_the_end
from kassa.base.usecases.core import Core
from kassa.base.usecases.keyring import Purpose
from kassa.orders.store import answers
from kassa.orders.store.answers import AnswerKey, Kept

_log = structlog.get_logger("kassa.answers")
LIFETIME = timedelta(hours=24)
_LEASE = timedelta(seconds=4)  # of whoever is at it; after that without a word they have died
_RENEWED_EVERY = 1.0  # seconds, not money
_AT_WORK = "the same request is being worked on; send it again shortly"
# After these something may have happened, or will when the same request is sent again.
_UNDECIDED = frozenset({"internal", "in_progress", "provider_unavailable", "ambiguous_commit"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """`place`: who asks, by which method, at which address. `body`: may hold a card number; only
    a keyed hash of it is kept. `mismatch`: what is said to another body under the same key."""

    company_id: str
    place: str
    key: str
    body: bytes
    mismatch: str


@dataclass(frozen=True, slots=True)
class Turn:
    """What the work is done under. `request_id`: for the core, alike for every repeat; `at`: when
    the request came for the first time."""

    request_id: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Answer:
    """`replayed`: it is the answer of an earlier request under the same key. `keep` False: it is
    not the last word, so a repeat is worked on again, under the same `Turn.request_id`."""

    status: int
    body: bytes
    replayed: bool = False
    keep: bool = True


Work = Callable[[Turn], Awaitable[Answer]]


async def answer_once(core: Core, asked: Asked | None, work: Work) -> Answer:
    """What `work` answers, kept for a day under the key; without a key it is just done.

    A refusal that changed nothing uses up no key. Where the work may have had an effect and no
    answer was kept, a repeat does it again under the same `Turn.request_id`, by which the core
    finds what was done: also where a process died over it, a few seconds after that.
    Raises: IdempotencyMismatch (another body came under this key), InProgress, as `work` raises.
    """
    if asked is None:
        return await work(Turn(core.new_id("ask"), datetime.now(UTC)))
    key = AnswerKey(company_id=asked.company_id, scope=_digest(asked.place), key=asked.key)
    kept = await _claim(core, key, asked)
    if kept.status is not None and kept.body is not None:
        return Answer(kept.status, kept.body, replayed=True)
    return await to_the_end(core, _work(core, key, kept, work))


def _digest(place: str) -> str:
    """An address may be of any length and hold any character; a key in a database may not."""
    return hashlib.sha256(place.encode("utf-8", "surrogatepass")).hexdigest()


def _body_hash(core: Core, body: bytes) -> bytes:
    return keyed.make(core.secrets.of(Purpose.FINGERPRINTS), body, keyed.blake2b)


def _is_of(core: Core, body: bytes, kept: bytes) -> bool:
    return keyed.fits(core.secrets.of(Purpose.FINGERPRINTS), body, kept, keyed.blake2b)


async def _claim(core: Core, key: AnswerKey, asked: Asked) -> Kept:
    """The row to work under, or the answer that there is."""
    async with core.db.connection() as connection:
        new = await answers.begin(
            connection,
            key,
            id=core.new_id("ask"),
            body_hash=_body_hash(core, asked.body),
            lease=_LEASE,
            lifetime=LIFETIME,
        )
        if new is not None:
            return new
        old = await answers.find(connection, key)
        if old is not None and not _is_of(core, asked.body, old.body_hash):
            raise IdempotencyMismatch(asked.mismatch)
        if old is not None and old.status is not None:
            return old
        if old is not None and not old.leased:
            holder = core.new_id("ask")
            if await answers.take_over(connection, key, old, _LEASE, holder):
                return replace(old, holder=holder)
    raise InProgress(_AT_WORK)


async def _work(core: Core, key: AnswerKey, kept: Kept, work: Work) -> Answer:
    try:
        async with _held(core, key, kept.holder):
            answer = await work(Turn(kept.id, kept.created_at))
    except BaseException as error:
        undecided = not isinstance(error, KassaError) or error.code in _UNDECIDED
        async with core.db.connection() as connection:
            await (answers.leave if undecided else answers.forget)(connection, key, kept.holder)
        raise
    async with core.db.connection() as connection:
        if not answer.keep:
            await answers.leave(connection, key, kept.holder)
        elif not await answers.finish(
            connection, key, kept.holder, status=answer.status, body=answer.body
        ):
            return await _of_another(connection, key)
        await answers.purge(connection, key.company_id, LIFETIME)
    return answer


async def _of_another(connection: Connection, key: AnswerKey) -> Answer:
    """We were silent for too long, and somebody else has taken it over: theirs is the answer."""
    kept = await answers.find(connection, key)
    if kept is None or kept.status is None or kept.body is None:
        raise InProgress(_AT_WORK)
    return Answer(kept.status, kept.body, replayed=True)


@asynccontextmanager
async def _held(core: Core, key: AnswerKey, holder: str) -> AsyncIterator[None]:
    """While this lasts, say again and again that we are at it. Most requests end before the first
    time, and then it costs a timer."""
    loop, over = asyncio.get_running_loop(), asyncio.Event()
    renewing: list[asyncio.Task[None]] = []

    def begin() -> None:
        renewing.append(loop.create_task(_renew(core, key, holder, over)))

    timer = loop.call_later(_RENEWED_EVERY, begin)
    try:
        yield
    finally:
        timer.cancel()
        over.set()
        if renewing:  # a word under way must not come after the last one
            await asyncio.wait(renewing, timeout=_LEASE.total_seconds())


async def _renew(core: Core, key: AnswerKey, holder: str, over: asyncio.Event) -> None:
    held = True
    while held and not over.is_set():
        try:
            async with core.db.connection() as connection:
                held = await answers.renew(connection, key, holder, _LEASE)
        except KassaError as error:  # whoever takes it over meanwhile finds what we did
            _log.info("a key could not be held", reason=error.code)
        with suppress(TimeoutError):
            await asyncio.wait_for(over.wait(), _RENEWED_EVERY)
