"""Send what was not sent, and ask about what was not answered: captures, voids and refunds."""

from collections.abc import Mapping, Sequence

from kassa.base.store.connection import Connection
from kassa.base.usecases.core import Core
from kassa.modifications.store import modifications
from kassa.modifications.usecases.modify_payment import sync_modification
from kassa.payments.domain.modifications import Modification
from kassa.providers.usecases.fair_queue import Asking, QueuedQuery, ask_all


async def pursue_modifications(core: Core, limit: int = 200) -> int:
    """Go on with every one that is due; returns how many those were."""
    return await ask_all(core, pursuer(limit), limit)


def pursuer(limit: int = 200) -> "Asking[Modification]":
    """What keeps captures, voids and refunds going."""
    return Asking(
        QueuedQuery(
            name="pursue",
            find=_find,
            account=lambda item: item.connector,
            key=lambda item: item.id,
            ask=_ask,
        ),
        limit,
    )


async def _find(
    connection: Connection, room: Mapping[str, int], limit: int, busy: Sequence[str]
) -> list[Modification]:
    return await modifications.due(connection, room, limit, busy=busy)


async def _ask(core: Core, item: Modification) -> None:
    await sync_modification(core, item, actor="worker:pursuit")
