"""Answer a request once per idempotency key: repeats get the first answer, byte for byte."""

import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from kassa.base.domain.errors import IdempotencyMismatch, InProgress, KassaError
from kassa.base.usecases import keyed
from kassa.base.usecases.batch import to_the_end
from kassa.base.usecases.core import Core
from kassa.base.usecases.keyring import Purpose
from kassa.orders.store import answers
from kassa.orders.store.answers import AnswerKey, Kept

LIFETIME = timedelta(hours=24)
_LEASE = timedelta(seconds=60)  # longer than any request may take: then its process must have died
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
    finds what was done.
    Raises: IdempotencyMismatch (another body came under this key), InProgress, as `work` raises.
    """
    if asked is None:
        return await work(Turn(core.new_id("ask"), datetime.now(UTC)))
    key = AnswerKey(company_id=asked.company_id, scope=_digest(asked.place), key=asked.key)
    kept = await _claim(core, key, asked)
    if kept.status is not None and kept.body is not None:
        return Answer(kept.status, kept.body, replayed=True)
    return await to_the_end(core, _work(core, key, Turn(kept.id, kept.created_at), work))


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
        if (
            old is not None
            and not old.leased
            and await answers.take_over(connection, key, old, _LEASE)
        ):
            return old
    raise InProgress("the same request is being worked on; send it again shortly")


async def _work(core: Core, key: AnswerKey, turn: Turn, work: Work) -> Answer:
    try:
        answer = await work(turn)
    except BaseException as error:
        undecided = not isinstance(error, KassaError) or error.code in _UNDECIDED
        async with core.db.connection() as connection:
            await (answers.leave if undecided else answers.forget)(connection, key, turn.request_id)
        raise
    async with core.db.connection() as connection:
        if answer.keep:
            await answers.finish(
                connection, key, turn.request_id, status=answer.status, body=answer.body
            )
        else:
            await answers.leave(connection, key, turn.request_id)
        await answers.purge(connection, key.company_id, LIFETIME)
    return answer
