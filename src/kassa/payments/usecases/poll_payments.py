"""Ask providers about every undecided attempt that is due."""

from collections.abc import Mapping, Sequence

from kassa.base.store.connection import Connection
from kassa.base.usecases.core import Core
from kassa.payments.store import payments
from kassa.payments.store.payments import ToQuery
from kassa.payments.usecases.sync_payment import sync_payment
from kassa.providers.usecases.fair_queue import Asking, QueuedQuery, ask_all


async def poll_payments(core: Core, limit: int = 200) -> int:
    """Query what is due; returns how many payments were asked about."""
    return await ask_all(core, poller(limit), limit)


def poller(limit: int = 200) -> "Asking[ToQuery]":
    """What keeps asking about payments."""
    return Asking(
        QueuedQuery(
            name="poll",
            find=_find,
            account=lambda due: due.connector,
            key=lambda due: due.payment_id,
            ask=_ask,
        ),
        limit,
    )


async def _find(
    connection: Connection, room: Mapping[str, int], limit: int, busy: Sequence[str]
) -> list[ToQuery]:
    return await payments.to_query(connection, room, limit, busy=busy)


async def _ask(core: Core, due: ToQuery) -> None:
    company_id, payment_id = due.company_id, due.payment_id
    await sync_payment(core, company_id, payment_id, actor="worker:poller", only_due=True)
