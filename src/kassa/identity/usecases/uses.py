"""When a credential was last used: noted at most once a minute, in one statement for all, and
never on a request's own way."""

import asyncio
import time
from dataclasses import dataclass, field

import structlog

from kassa.base.domain.errors import KassaError
from kassa.base.usecases.core import Core
from kassa.identity.store import credentials

_EVERY = 60.0  # seconds, not money
_REMEMBERED = 10_000
_log = structlog.get_logger("kassa.identity")


@dataclass(slots=True)
class _Uses:
    """`noted`: by public half, when this process last passed it on."""

    noted: dict[str, float] = field(default_factory=dict)  # seconds, not money
    waiting: set[str] = field(default_factory=set)
    writing: "asyncio.Task[None] | None" = None


def note_use(core: Core, lookup: str) -> None:
    """The credential of that public half has just proved who asks."""
    uses = core.gatherers.get("uses")
    if uses is None:
        uses = core.gatherers["uses"] = _Uses()
    now = time.monotonic()
    last = uses.noted.get(lookup)
    if last is not None and now - last < _EVERY:
        return
    if len(uses.noted) >= _REMEMBERED:
        uses.noted.clear()
    uses.noted[lookup] = now
    uses.waiting.add(lookup)
    if uses.writing is None:
        uses.writing = asyncio.create_task(_write(core, uses))
        core.running.add(uses.writing)
        uses.writing.add_done_callback(core.running.discard)


async def _write(core: Core, uses: _Uses) -> None:
    """All that waits, and what comes meanwhile. What cannot be written is noted the next time."""
    try:
        while uses.waiting:
            lookups, uses.waiting = uses.waiting, set()
            async with core.db.connection() as connection:
                await credentials.note_uses(connection, lookups)
    except KassaError as error:
        _log.warning("when credentials were used was not noted", why=error.reason)
    finally:
        uses.writing = None
