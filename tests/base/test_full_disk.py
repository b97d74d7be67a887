"""A disk that is really full: "not now", seen by readiness, and over when there is room again."""

import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from kassa.base.domain.errors import ProviderUnavailable
from kassa.base.store.db import Database
from kassa.base.store.pulse import Vitals
from kassa_embedded.postgres import EmbeddedPostgres

pytestmark = pytest.mark.anyio


@pytest.fixture
def small_disk() -> Iterator[Path]:
    """A file system of 256 MB; only root may make one, and not everywhere."""
    with tempfile.TemporaryDirectory(prefix="kassa-test-") as name:
        argv = ["mount", "-t", "tmpfs", "-o", "size=256m,mode=711", "tmpfs", name]
        if subprocess.run(argv, capture_output=True, check=False, timeout=10).returncode != 0:
            pytest.skip("no file system can be mounted here")
        try:
            yield Path(name)
        finally:
            subprocess.run(["umount", "-l", name], check=False, timeout=10)


def fill(disk: Path) -> Path:
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(b"\0" * 65536)
        except OSError:
            return filler


async def write(db: Database) -> None:
    async with db.transaction() as connection:
        await connection.execute(
            "insert into t select repeat('x', 1000) from generate_series(1, 5000)"
        )


async def seen(db: Database) -> Vitals:
    return await db.vitals(5)


async def test_a_full_disk_is_not_now_and_readiness_knows(small_disk: Path) -> None:
    with EmbeddedPostgres(small_disk / "data", log=lambda _: None, durable=False) as server:
        db = await Database(server.owner_url, size=2).open()
        async with db.connection() as connection:
            await connection.execute("create table t (text text)")
        assert (await seen(db)).written == "ok"
        filler = fill(small_disk)

        with pytest.raises(ProviderUnavailable):
            await write(db)
        db._pulse._sung_at = 0  # a second later
        assert "nothing can be written" in (await seen(db)).written

        filler.unlink()
        await write(db)
        db._pulse._sung_at = 0
        assert (await seen(db)).written == "ok"
        await db.close()
