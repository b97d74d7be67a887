"""Whether this process may take requests, and how much work waits."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from kassa.base.store import server
from kassa.base.store.server import Demands
from kassa.base.usecases.core import Core
from kassa.operations.store import backlogs as backlogs_of
from kassa.operations.store.backlogs import Gauges
from kassa.reconciliation.store import unknown_outcomes as store
from kassa.reconciliation.store.unknown_outcomes import UnknownOutcomes
from kassa.webhooks_in.store import provider_events
from kassa.webhooks_in.store.provider_events import ForeignCount

_CALL = timedelta(seconds=30)  # longer than any call may take
_MOMENT = 0.4  # seconds, not money: who asks gives up after half a second


@dataclass(frozen=True, slots=True)
class Readiness:
    """`checks`: each by name, "ok" or what is wrong."""

    checks: dict[str, str]
    backlog: Gauges | None
    doubts: Sequence[UnknownOutcomes] | None = ()
    foreign: Sequence[ForeignCount] = ()

    @property
    def ready(self) -> bool:
        return all(verdict == "ok" for verdict in self.checks.values())

    def gauges(self) -> str:
        """The backlog in Prometheus's text form."""
        if self.backlog is None:
            return "kassa_database_up 0\n"
        lines = ["kassa_database_up 1\n"]
        lines += [
            f'kassa_gauge_failed{{gauge="{name}"}} 1\n'
            if value is None
            else f"kassa_{name} {value}\n"
            for name, value in self.backlog.items()
        ]
        if self.doubts is None:
            lines.append('kassa_gauge_failed{gauge="doubt"} 1\n')
        lines += [
            f'kassa_foreign_notifications_total{{account="{one.account}",why="{one.why}"}}'
            f" {one.many}\n"
            for one in self.foreign
        ]
        return "".join(lines) + self._in_doubt()

    def _in_doubt(self) -> str:
        """By account: for how long, and of how much, nobody knows what became of it."""
        oldest: dict[str, int] = {}
        for one in self.doubts or ():
            oldest[one.account] = max(one.oldest_seconds, oldest.get(one.account, 0))
        lines = [
            f'kassa_doubt_oldest_seconds{{account="{account}"}} {seconds}\n'
            for account, seconds in oldest.items()
        ]
        lines += [
            f'kassa_doubt_minor{{account="{one.account}",currency="{one.currency}"}} {one.minor}\n'
            for one in self.doubts or ()
        ]
        return "".join(lines)


async def readiness(core: Core) -> Readiness:
    """What the database is like: reachable, migrated, not a standby, writable, and durable where
    money is real. It answers within half a second, whatever happens.

    Raises: ProviderUnavailable.
    """
    found = await core.db.vitals(_MOMENT)
    checks = {"database": "ok"}
    checks["schema"] = "ok" if found.migrated else "older than this version needs: kassa migrate"
    checks["primary"] = "this database is a standby" if found.state.standby else "ok"
    checks["writable"] = "the database is read-only" if found.state.read_only else found.written
    demands = core.db.demands or Demands()
    wrong = server.shortcomings(found.state, demands) if core.policy.live else {}
    checks |= {name: wrong.get(name, "ok") for name in server.CHECKED}
    return Readiness(checks, None)


async def backlogs(core: Core) -> Readiness:
    """How much work waits, which takes longer to count.

    Raises: ProviderUnavailable.
    """
    async with core.db.connection() as connection:
        gauges = await backlogs_of.count(connection)
        doubts = await store.doubts(connection, _CALL)
        foreign = await provider_events.foreign_news(connection)
        return Readiness({"database": "ok"}, gauges, doubts, foreign)
