"""The tests' databases: one of each kind in each process, put back after every test.

To put one back takes a few milliseconds, a clone many times as long. No test can tell the
difference: the rows and the sequences are again those of the template, and nobody is connected but
whoever proves their books.
Where a test changed the schema, or left many rows, the database is dropped and cloned anew.
"""

import asyncio
import io
import itertools
import os
from dataclasses import dataclass, field
from urllib.parse import urlsplit, urlunsplit

import asyncpg

from kassa.base.store.wire import LONG, Wire, connect
from kassa.proof.store import checks
from kassa.proof.store.checks import Violation
from kassa.proof.usecases.verify import KnownHead, prove
from kassa_embedded.postgres import EmbeddedPostgres

APP_ROLE = "kassa_app"
# What was deleted stays in the files until somebody tidies up; a clone is tidy.
_TESTS_PER_CLONE = 200
_ROWS_PER_CLONE = 2_000

_TABLES = """
select c.oid::regclass::text as name, array(
  select attname::text from pg_attribute
  where attrelid = c.oid and attnum > 0 and not attisdropped and attgenerated = ''
  order by attnum) as columns
from pg_class c where relkind = 'r' and relnamespace = 'public'::regnamespace order by 1
"""
_SEQUENCES = """
select oid::regclass::text from pg_class
where relkind = 'S' and relnamespace = 'public'::regnamespace order by 1
"""
# Whatever changes a schema writes to one of these: so do GRANT, and ALTER DATABASE.
_CATALOGS = (
    "pg_class pg_attribute pg_attrdef pg_constraint pg_index pg_namespace pg_proc pg_trigger"
    " pg_type pg_db_role_setting"
).split()
_SCHEMA = (
    "select concat_ws(' ', "
    + ", ".join(
        f"(select count(*) || ' ' || max(xmin::text::bigint) from {name})" for name in _CATALOGS
    )
    + ")"
)
_SEND_AWAY = """
select pg_terminate_backend(pid, 5000) from pg_stat_activity
where datname = current_database() and pid <> pg_backend_pid() and application_name <> 'proving'
"""
# Triggers keep history from being deleted, and foreign keys want an order.
_UNHINDERED = "set local session_replication_role = replica; "


@dataclass(frozen=True)
class ExternalPostgres:
    """The server named by KASSA_TEST_DATABASE_URL; its role may create databases and roles."""

    owner_url: str
    app_url: str


def in_database(url: str, name: str) -> str:
    """The same server and role, another database."""
    return urlunsplit(urlsplit(url)._replace(path=f"/{name}"))


class Kept:
    """A clone that is used again and again."""

    name: str

    def __init__(self, name: str, connection: "asyncpg.Connection[asyncpg.Record]"):
        self.name = name
        self._connection = connection
        self._tests = 0

    async def learn(self) -> "Kept":
        """How it is now is how it will be put back."""
        tables = await self._connection.fetch(_TABLES)
        self._columns = {row["name"]: row["columns"] for row in tables}
        self._look = " union all ".join(
            f"select '{name}' as name, count(*) as rows, max(xmin::text::bigint) as writer"
            f" from {name}"
            for name in self._columns
        )
        sequences = []
        for row in await self._connection.fetch(_SEQUENCES):
            [at] = await self._connection.fetch(f"select last_value, is_called from {row[0]}")
            sequences.append(f"setval('{row[0]}', {at[0]}, {at[1]})")
        self._wind_back = f"select {', '.join(sequences)}"
        self._schema = await self._connection.fetchval(_SCHEMA)
        self._looks = await self._looked()
        self._contents = {
            name: await self._read(name) for name, (rows, _) in self._looks.items() if rows
        }
        return self

    async def put_back(self) -> bool:
        """False: it is not worth it, or cannot be done."""
        self._tests += 1
        if self._tests >= _TESTS_PER_CLONE:
            return False
        try:
            return await self._put_back()
        # The test ended our session too, or an external server does not let us do this.
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
            return False
        except asyncpg.InternalClientError:  # asked while it heard that its session is ended
            return False

    async def _put_back(self) -> bool:
        await self._connection.execute(_SEND_AWAY)
        if await self._connection.fetchval(_SCHEMA) != self._schema:
            return False
        await self._connection.execute(self._wind_back)
        now = await self._looked()
        touched = [name for name in now if now[name] != self._looks[name]]
        if sum(now[name][0] for name in touched) > _ROWS_PER_CLONE:
            return False
        await self._refill(touched)
        return True

    async def _looked(self) -> dict[str, tuple[int, int | None]]:
        """By table: how many rows it has, and the last transaction that wrote one of them.
        Whatever is inserted, updated or deleted changes either."""
        return {row[0]: (row[1], row[2]) for row in await self._connection.fetch(self._look)}

    async def _refill(self, tables: list[str]) -> None:
        if not tables:
            return
        async with self._connection.transaction():
            deletes = "; ".join(f"delete from {name}" for name in tables)
            await self._connection.execute(_UNHINDERED + deletes)
            full = [name for name in tables if name in self._contents]
            for name in full:
                await self._connection.copy_to_table(
                    name,
                    source=io.BytesIO(self._contents[name]),
                    columns=self._columns[name],
                    format="binary",
                )
        if full:
            looks = await self._looked()
            self._looks |= {name: looks[name] for name in full}

    async def _read(self, name: str) -> bytes:
        into = io.BytesIO()
        await self._connection.copy_from_table(
            name, output=into, columns=self._columns[name], format="binary"
        )
        return into.getvalue()

    def close(self) -> None:
        self._connection.terminate()


@dataclass
class Databases:
    """Makes, lends and drops databases; what it asks for itself goes over connections that live
    as long as the session."""

    server: EmbeddedPostgres | ExternalPostgres
    loop: asyncio.Runner
    connection: "asyncpg.Connection[asyncpg.Record]"
    _idle: dict[str, list[Kept]] = field(default_factory=dict)
    _made: list[str] = field(default_factory=list)

    def execute(self, statement: str) -> None:
        self.loop.run(self.connection.execute(statement))

    def new(self, kind: str, template: str = "template1") -> str:
        """The name of a database like the template, for whoever drops it, or until the end."""
        name = f"kassa_{kind}_{os.getpid()}_{len(self._made)}"
        self._made.append(name)
        self.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        # A template hands on its tables' grants, but not those of the database itself.
        self.execute(
            f'REVOKE ALL ON DATABASE "{name}" FROM PUBLIC;'
            f' GRANT CONNECT ON DATABASE "{name}" TO {APP_ROLE}'
        )
        return name

    def drop(self, name: str) -> None:
        self.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    def drop_all(self) -> None:
        for kept in itertools.chain(*self._idle.values()):
            kept.close()
        for name in self._made:
            self.drop(name)

    def take(self, template: str) -> Kept:
        """A database like the template that nobody else has."""
        idle = self._idle.setdefault(template, [])
        if idle:
            return idle.pop()
        return self.loop.run(self._learned(self.new("test", template)))

    async def _learned(self, name: str) -> Kept:
        connection = await asyncpg.connect(in_database(self.server.owner_url, name))
        return await Kept(name, connection).learn()

    def give_back(self, template: str, kept: Kept) -> None:
        if self.loop.run(kept.put_back()):
            self._idle[template].append(kept)
        else:
            kept.close()
            self.drop(kept.name)


@dataclass
class Prover:
    """Proves the books of a test's database, over a connection that has asked it all before: to
    make the plans takes ten times as long as to find nothing in a few rows."""

    databases: Databases
    _wires: dict[str, Wire] = field(default_factory=dict)

    def violations(self, name: str, known: KnownHead) -> tuple[Violation, ...]:
        """In a thread of its own, beside the test's loop."""
        return self.databases.loop.run(self._violations(name, known))

    async def _violations(self, name: str, known: KnownHead) -> tuple[Violation, ...]:
        if name in self._wires:
            try:
                return await self._proved(self._wires[name], known)
            except (asyncpg.PostgresConnectionError, asyncpg.InterfaceError, OSError):
                pass  # the test hung up on all
        self._wires[name] = wire = await connect(
            in_database(self.databases.server.app_url, name), LONG
        )
        await wire.execute("set application_name = 'proving'")
        return await self._proved(wire, known)

    async def _proved(self, wire: Wire, known: KnownHead) -> tuple[Violation, ...]:
        await wire.begin()
        try:
            await checks.hold_still(wire)
            return (await prove([wire], known)).violations
        finally:
            await wire.roll_back()

    def close(self) -> None:
        for wire in self._wires.values():
            wire.terminate()
