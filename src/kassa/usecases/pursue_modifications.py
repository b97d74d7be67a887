"""Send what was not sent, and ask about what was not answered: captures, voids and refunds."""

import asyncio

import structlog

from kassa.domain.modifications import Modification
from kassa.store import modifications
from kassa.usecases.core import Core
from kassa.usecases.modify_payment import sync_modification
from kassa.usecases.provider_accounts import refresh

_log = structlog.get_logger("kassa.pursuit")
_AT_ONCE = 16  # calls in flight: a sick provider must not take all of a worker's attention


async def pursue_modifications(core: Core, limit: int = 200) -> int:
    """Go on with every one that is due; returns how many those were."""
    await refresh(core)
    async with core.db.connection() as connection:
        due = await modifications.due(connection, limit)
    gate = asyncio.Semaphore(_AT_ONCE)

    async def pursue(modification: Modification) -> None:
        async with gate:
            try:
                await sync_modification(core, modification, actor="worker:pursuit")
            except Exception:  # noqa: BLE001 - one payment's trouble is not the others'
                _log.exception("pursuit failed", modification=modification.id)

    mine = [item for item in due if item.connector in core.connectors]
    await asyncio.gather(*(pursue(item) for item in mine))
    return len(mine)
