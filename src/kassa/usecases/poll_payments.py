"""Ask providers about every undecided attempt that is due."""

import asyncio

import structlog

from kassa.store import payments
from kassa.usecases.core import Core
from kassa.usecases.provider_accounts import refresh
from kassa.usecases.sync_payment import sync_payment

_log = structlog.get_logger("kassa.poller")
_AT_ONCE = 16  # queries in flight: a sick provider must not take all of a worker's attention


async def poll_payments(core: Core, limit: int = 200) -> int:
    """Query what is due; returns how many payments were asked about."""
    await refresh(core)
    async with core.db.connection() as connection:
        due = list(
            dict.fromkeys(await payments.to_query(connection, sorted(core.connectors), limit))
        )
    gate = asyncio.Semaphore(_AT_ONCE)

    async def ask(company_id: str, payment_id: str) -> None:
        async with gate:
            try:
                await sync_payment(core, company_id, payment_id, actor="worker:poller")
            except Exception:  # noqa: BLE001 - one payment's trouble is not the others'
                _log.exception("poll failed", payment=payment_id)

    await asyncio.gather(*(ask(*key) for key in due))
    return len(due)
