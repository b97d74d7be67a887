"""Rows from before the seals, or the records, get theirs once, as they are found."""

import asyncio

import structlog

from kassa.base.usecases.core import Core
from kassa.proof.store import chain, records
from kassa.proof.store.cover import COVERS
from kassa.proof.store.resealing import seal_unsealed

_log = structlog.get_logger("kassa.chain")
_MOST = 5_000  # rows in one transaction
_PAGES = 100  # pages of a table in one transaction


async def seal_old_rows(core: Core) -> int:
    """Seal every row that has no seal, if this installation has not done so, and then record every
    one that needs a record and has none; gives how many of both.

    Where the head file is lost nothing is done: a database from which somebody took the seals
    looks the same as one from before them.
    """
    heads = core.heads
    sealed, recorded = await asyncio.to_thread(lambda: (heads.rows_sealed, heads.rows_recorded))
    if sealed and recorded:
        return 0
    if await asyncio.to_thread(heads.read) is None:
        async with core.db.connection(long=True) as connection:
            if await chain.not_begun_since_the_upgrade(connection) is None:
                return 0
    seals = 0 if sealed else await _seal(core)
    return seals + (0 if recorded else await _record(core))


async def _seal(core: Core) -> int:
    done = 0
    for home, cover in COVERS.items():
        for part in () if cover.appended else cover.parts:
            while many := await _some(core, home, part):
                done += many
    await asyncio.to_thread(core.heads.note_rows_sealed)
    if done:
        _log.warning("rows from before the seals were sealed as they are", rows=done)
    return done


async def _some(core: Core, home: str, part: str) -> int:
    async with core.db.transaction(long=True) as connection:
        return await seal_unsealed(connection, home, part, _MOST)


async def _record(core: Core) -> int:
    done = 0
    for home in records.RECORDED:
        async with core.db.connection(long=True) as connection:
            pages = await records.pages_of(connection, home)
        for page in range(0, pages, _PAGES):
            async with core.db.transaction(long=True) as connection:
                done += await records.record_unrecorded(connection, home, page, _PAGES)
    await asyncio.to_thread(core.heads.note_rows_recorded)
    if done:
        _log.warning("rows from before the records were recorded as they are", rows=done)
    return done
