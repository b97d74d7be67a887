"""Whether this process may take requests, and how much work waits."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from kassa.store import doubts as store
from kassa.store import mailboxes, migrate, server
from kassa.store.doubts import Doubt
from kassa.store.mailboxes import Backlog
from kassa.usecases.core import Core

_CALL = timedelta(seconds=30)  # longer than any call may take
_DURABLE = {
    "fsync": ("on",),
    "full_page_writes": ("on",),
    "synchronous_commit": ("on", "remote_apply"),
}


@dataclass(frozen=True, slots=True)
class Readiness:
    """`checks`: each by name, "ok" or what is wrong."""

    checks: dict[str, str]
    backlog: Backlog | None
    doubts: Sequence[Doubt] = ()

    @property
    def ready(self) -> bool:
        return all(verdict == "ok" for verdict in self.checks.values())

    def gauges(self) -> str:
        """The backlog in Prometheus's text form."""
        if self.backlog is None:
            return "kassa_database_up 0\n"
        return (
            "kassa_database_up 1\n"
            f"kassa_announcements_waiting {self.backlog.announcements}\n"
            f"kassa_attempts_undecided {self.backlog.undecided}\n"
            f"kassa_oldest_undecided_seconds {self.backlog.oldest_undecided_seconds}\n"
            f"kassa_modifications_undecided {self.backlog.modifications}\n"
            f"kassa_oldest_modification_seconds {self.backlog.oldest_modification_seconds}\n"
            f"kassa_payments_with_surplus {self.backlog.surplus}\n"
            f"kassa_disputes_open {self.backlog.disputes}\n"
            f"kassa_provider_news_waiting {self.backlog.news}\n"
            f"kassa_provider_news_lost {self.backlog.lost_news}\n" + self._in_doubt()
        )

    def _in_doubt(self) -> str:
        """By account: for how long, and of how much, nobody knows what became of it."""
        oldest: dict[str, int] = {}
        for one in self.doubts:
            oldest[one.account] = max(one.oldest_seconds, oldest.get(one.account, 0))
        lines = [
            f'kassa_doubt_oldest_seconds{{account="{account}"}} {seconds}\n'
            for account, seconds in oldest.items()
        ]
        lines += [
            f'kassa_doubt_minor{{account="{one.account}",currency="{one.currency}"}} {one.minor}\n'
            for one in self.doubts
        ]
        return "".join(lines)


async def readiness(core: Core) -> Readiness:
    """Ask the database: reachable, migrated, not a standby, and durable where money is real.

    Raises: ProviderUnavailable.
    """
    async with core.db.connection() as connection:
        checks = {"database": "ok"}
        current = await migrate.is_current(connection)
        checks["schema"] = "ok" if current else "older than this version needs: run kassa migrate"
        standby = await server.is_standby(connection)
        checks["primary"] = "this database is a standby" if standby else "ok"
        for name, good in _DURABLE.items():
            value = await server.setting(connection, name)
            lax = core.policy.live and value not in good
            checks[name] = f"is {value}: commits may be lost" if lax else "ok"
        backlog = await mailboxes.backlog(connection)
        return Readiness(checks, backlog, await store.doubts(connection, _CALL))
