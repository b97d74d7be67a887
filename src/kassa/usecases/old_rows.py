"""Rows from before the seals get theirs once, as they are found."""

import asyncio

import structlog

from kassa.store import chain
from kassa.store.cover import COVERS
from kassa.store.resealing import seal_unsealed
from kassa.usecases.core import Core

_log = structlog.get_logger("kassa.chain")
_MOST = 5_000  # rows in one transaction


async def seal_old_rows(core: Core) -> int:
    """Seal every row that has no seal, if this installation has not done so; gives how many.

    Where the head file is lost nothing is sealed: a database from which somebody took the seals
    looks the same as one from before them.
    """
    if await asyncio.to_thread(lambda: core.heads.rows_sealed):
        return 0
    if await asyncio.to_thread(core.heads.read) is None:
        async with core.db.connection(long=True) as connection:
            if await chain.not_begun_since_the_upgrade(connection) is None:
                return 0
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
