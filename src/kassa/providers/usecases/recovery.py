"""A provider that did not answer answers again: what waited for it is asked about soon.

Outages are longer than the pauses between questions are short: without this, what was undecided
would wait for a schedule that has slowed down meanwhile.
"""

from datetime import timedelta
from typing import Any

import structlog

from kassa.base.usecases.core import Core
from kassa.connectors.base import InDoubt, NotSent
from kassa.providers.store import outages
from kassa.providers.store.outages import SilentAccount
from kassa.providers.usecases.fair_queue import PER_SECOND
from kassa.providers.usecases.provider_accounts import account_of, refresh

_log = structlog.get_logger("kassa.providers")
_PROBE = timedelta(seconds=5)  # so often a silent account is asked one question out of turn
_RARE_PROBE = timedelta(seconds=30)  # after an hour of silence
_CALL = timedelta(seconds=30)  # longer than a question may take
_LONG = timedelta(minutes=1)  # what was silent for less has short pauses before it anyway


async def heard(core: Core, name: str, outcome: Any) -> None:
    """How a question to that account ended; called once what it brought is committed.

    The first answer after a long silence pulls forward what was asked about in vain meanwhile, in
    whichever process; what waits for its payer keeps its schedule. One charge of which a provider
    that answers otherwise never tells is no silence, and is not asked about more often for it.
    """
    if name not in core.connectors:
        return
    account = _key(core, name)
    if isinstance(outcome, InDoubt | NotSent):
        async with core.db.connection() as connection:
            await outages.begin(connection, account, before=_CALL, probe=_PROBE)
        return
    async with core.db.connection() as connection:
        if not await outages.is_silent(connection, account):
            return
    async with core.db.transaction() as connection:
        since = await outages.end(connection, account, long=_LONG)
        if since is None:
            return
        pulled = await outages.pull_forward(
            connection, name, since, per_second=PER_SECOND, apart=core.policy.query_interval
        )
    _log.info("provider answers again", account=name, asked_again=pulled)


async def probe_silent(core: Core) -> int:
    """Have each silent account asked one question out of turn; returns how many those were."""
    await refresh(core)
    probed = 0
    async with core.db.transaction() as connection:
        due = await outages.due(connection, sorted(core.connectors), _PROBE, _RARE_PROBE)
        for _, name in due:
            probed += await outages.pull_one(connection, name, apart=core.policy.query_interval)
    return probed


def _key(core: Core, name: str) -> SilentAccount:
    return account_of(core, name).company_id, name
