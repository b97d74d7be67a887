"""The database that a release of before filled, as it was found, and as it is after an upgrade."""

import hashlib
import io
import json
import lzma
import shutil
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any

import asyncpg

from kassa.assembly import HEADS
from kassa.base.store.migrate import migrate

_HERE = Path(__file__).parent


@dataclass(frozen=True)
class Older:
    """`lives`: payments by what happens to them. `stories`: what the old release told of each."""

    migrated_to: int
    tables: dict[str, Any]
    sequences: dict[str, list[Any]]
    heads: str
    lives: dict[str, str]
    stories: dict[str, Any] = field(repr=False)

    @classmethod
    def read(cls) -> "Older":
        packed = (_HERE / "release_0_3.json.xz").read_bytes()
        return cls(**json.loads(lzma.decompress(packed)))

    async def put(self, url: str) -> None:
        """The schema of then, and its rows."""
        connection = await asyncpg.connect(url)
        try:
            await self._make_schema(connection)
            # Triggers would write what is there already, and foreign keys want an order.
            await connection.execute("set session_replication_role = replica")
            for name, table in self.tables.items():
                await connection.copy_to_table(
                    name,
                    source=io.BytesIO(table["rows"].encode()),
                    columns=table["columns"],
                )
            for name, at in self.sequences.items():
                await connection.execute(f"select setval('{name}', {at[0]}, {at[1]})")
        finally:
            await connection.close()

    async def _make_schema(self, connection: "asyncpg.Connection[asyncpg.Record]") -> None:
        await connection.execute(
            "create table schema_migration (number integer primary key, name text not null,"
            " checksum text not null, applied_at timestamptz not null default now())"
        )
        scripts = files("kassa.base.store").joinpath("migrations").iterdir()
        for script in sorted(scripts, key=lambda one: one.name):
            if not script.name.endswith(".sql") or int(script.name[:4]) > self.migrated_to:
                continue
            await connection.execute(script.read_text(encoding="utf-8"))

    def install(self, directory: Path) -> Path:
        """The keys of then, and what stood beside them."""
        folder = directory / "secrets"
        folder.mkdir(mode=0o700)
        for name in ("pepper", "page_token", "credentials_key.1", "sandbox"):
            content = hashlib.sha256(f"of tests only: {name}".encode()).digest()
            (folder / name).write_bytes(content)
            (folder / name).chmod(0o600)
        heads = directory / HEADS
        heads.parent.mkdir(mode=0o700)
        heads.write_text(self.heads)
        heads.with_name("rows_sealed").touch()
        return directory


async def upgrade(url: str) -> int:
    return await migrate(url)


def copy(installation: Path, directory: Path) -> Path:
    """What a test may change without another one seeing it."""
    for name in ("secrets", "proof", "demo"):
        if (installation / name).exists():
            shutil.copytree(installation / name, directory / name)
    return directory
