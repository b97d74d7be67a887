"""One connection to PostgreSQL: every statement has a deadline, and none of them is a COMMIT's.

Nothing else opens connections (`tests/test_deadlines.py`).
"""

import socket
import time
from dataclasses import dataclass
from typing import Any

import asyncpg
import msgspec

from kassa.base.store.seals import Seals
from kassa.base.store.vault import Vault

# seconds, not money
_CONNECT = 3.0
_GRACE = 2.0  # the server ends a statement by itself before we think it silent
_ROLLBACK = 2.0
_IDLE_IN_TRANSACTION = 15.0
_NEVER = 366.0 * 86_400  # what the driver takes for "no deadline" it does not take here
# A peer that is gone without a word is noticed after 25 s of silence, or 10 s of unheard data.
_KEEPALIVE_IDLE, _KEEPALIVE_INTERVAL, _KEEPALIVE_COUNT = 10, 5, 3
_USER_TIMEOUT_MS = 10_000

_SYNC_REP = "SyncRepWaitForLSN"  # where in the server's source the warnings come from


@dataclass(frozen=True, slots=True)
class WireLimits:
    """How long a statement may take, and how long it may wait for a lock."""

    statement: float  # seconds, not money
    lock: float  # seconds, not money
    idle: float = _IDLE_IN_TRANSACTION  # seconds, not money

    @property
    def client(self) -> float:  # seconds, not money
        """When we stop waiting: a server that is silent cannot time out by itself."""
        return self.statement + _GRACE


# seconds, not money
QUICK = WireLimits(8.0, 0.5)
"""For requests. A batch that waits for a lock makes all of its callers wait."""
LONG = WireLimits(600.0, 5.0, idle=600.0)
"""For exports, proofs and imports: nobody's request waits behind them."""
MIGRATING = WireLimits(3_600.0, 600.0)
"""For changes of the schema, and for another migrator to end."""


class Wire(asyncpg.Connection):  # type: ignore[misc] # it ships no types
    """A connection that knows when COMMIT is in doubt.

    `doubted`: the server gave up waiting for its standby, and what it answered as committed may
    be lost with it. `taken_at`: since when somebody uses it. `seals`: what the rows are sealed with
    that it writes. `vault`: what personal data is sealed with.
    """

    __slots__ = ("born", "doubted", "kept", "seals", "taken_at", "vault")

    def __init__(self, protocol: Any, transport: Any, *others: Any, **named: Any):
        super().__init__(protocol, transport, *others, **named)
        self.born = self.taken_at = time.monotonic()
        self.doubted = False
        self.seals: Seals | None = None
        self.vault: Vault | None = None
        self.kept = False
        _mind(transport)

    async def begin(self, statement: str = "begin") -> None:
        await self.execute(statement)
        self._mark(self)

    async def commit(self) -> str:
        """COMMIT, for however long it takes: to cancel it would leave nobody knowing.

        Gives what the server says it did: "ROLLBACK" where a statement had failed before.
        """
        self._mark(None)
        return str(await self.execute("commit", timeout=_NEVER))

    async def roll_back(self) -> None:
        self._mark(None)
        await self.execute("rollback", timeout=_ROLLBACK)

    def _mark(self, transaction: Any) -> None:
        """As asyncpg's own transactions do: cursors ask for it."""
        self._top_xact = transaction  # type: ignore[misc] # a slot of the class above

    async def without_end(self, statement: str) -> None:
        """Statements that commit by themselves; like COMMIT they are never canceled."""
        await self.execute(statement, timeout=_NEVER)


def _heed(wire: Any, message: Any) -> None:
    known = getattr(message, "server_source_function", None) == _SYNC_REP
    if known and message.sqlstate in ("01000", "57P01"):
        wire.doubted = True


def _mind(transport: Any) -> None:
    """Let the kernel find out that the other end is gone."""
    found = transport.get_extra_info("socket")
    if found is None or found.family not in (socket.AF_INET, socket.AF_INET6):
        return
    found.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in (
        ("TCP_KEEPIDLE", _KEEPALIVE_IDLE),
        ("TCP_KEEPINTVL", _KEEPALIVE_INTERVAL),
        ("TCP_KEEPCNT", _KEEPALIVE_COUNT),
        ("TCP_USER_TIMEOUT", _USER_TIMEOUT_MS),
    ):
        if hasattr(socket, name):  # not every system has them
            found.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


def _ms(seconds: float) -> str:  # seconds, not money
    return str(int(seconds * 1000))


async def connect(url: str, limits: WireLimits) -> Wire:
    """A new connection, whose statements end within these limits."""
    wire: Wire = await asyncpg.connect(
        url,
        timeout=_CONNECT,
        command_timeout=limits.client,
        connection_class=Wire,
        server_settings={
            "application_name": "kassa",
            "statement_timeout": _ms(limits.statement),
            "lock_timeout": _ms(limits.lock),
            "idle_in_transaction_session_timeout": _ms(limits.idle),
            "jit": "off",  # it takes longer than any request has, and goes by guesses of sizes
        },
    )
    wire.add_log_listener(_heed)
    # Binary, as COPY needs it: one byte that says the version, and then the text.
    await wire.set_type_codec(
        "jsonb",
        encoder=lambda value: b"\x01" + msgspec.json.encode(value),
        decoder=lambda data: msgspec.json.decode(memoryview(data)[1:]),
        schema="pg_catalog",
        format="binary",
    )
    return wire
