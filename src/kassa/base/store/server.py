"""What the database server says of itself, and what real money asks of it."""

from collections.abc import Mapping
from dataclasses import dataclass

from kassa.base.store.connection import Connection, Row
from kassa.base.store.queries import Queries, Rows

_NEEDED: Mapping[str, tuple[str, ...]] = {
    "fsync": ("on",),
    "full_page_writes": ("on",),
    "synchronous_commit": ("on", "remote_apply"),
    "data_checksums": ("on",),
}
_STANDBYS = "synchronous_standby_names"
CHECKED = (*_NEEDED, _STANDBYS)
_REMEDIES: Mapping[str, str] = {
    "synchronous_commit": "ALTER SYSTEM SET synchronous_commit = on, SELECT pg_reload_conf(), and"
    " ALTER ROLE or ALTER DATABASE … RESET synchronous_commit where it was set for those",
    "data_checksums": "stop the server and run pg_checksums --enable",
}


@dataclass(frozen=True, slots=True)
class ServerState:
    """`settings`: by name, as they are in force for the connection that asked."""

    standby: bool
    read_only: bool
    settings: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Demands:
    """What live mode asks. `standbys`: what synchronous_standby_names has to be; "" if anything
    will do."""

    standbys: str = ""


_SETTINGS = ",\n  ".join(f"current_setting('{name}') as {name}" for name in CHECKED)


class Sql(Queries, words={"settings.checked": _SETTINGS}):
    state: Rows[Row]


async def state(connection: Connection) -> ServerState:
    row = await Sql.state.one(connection)
    return ServerState(row["standby"], row["read_only"], {name: row[name] for name in CHECKED})


def shortcomings(found: ServerState, demands: Demands) -> dict[str, str]:
    """Each setting under which acknowledged payments may be lost, and what to do about it."""
    wrong = {}
    for name, good in _NEEDED.items():
        value = found.settings[name]
        if value not in good:
            remedy = _REMEDIES.get(name, f"ALTER SYSTEM SET {name} = on, SELECT pg_reload_conf()")
            wrong[name] = f"is {value}: commits may be lost; {remedy}"
    names = found.settings[_STANDBYS]
    if demands.standbys and _bare(names) != _bare(demands.standbys):
        wrong[_STANDBYS] = (
            f"is {names!r} and database_standby_names says {demands.standbys!r}: make them alike"
        )
    return wrong


def refusal(found: ServerState, demands: Demands) -> str:
    """Why no real money may be taken on this connection, in one sentence; "" if it may."""
    if found.standby:
        return "live mode needs the primary, and this database is a standby: connect to the primary"
    for name, words in shortcomings(found, demands).items():
        return f"live mode takes no money on this database: {name} {words}"
    return ""


def _bare(names: str) -> str:
    return "".join(names.split())
