"""What a process of `kassa serve` does when it cannot begin, and for what it waits."""

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

import grpc
import pytest
from tests.e2e.server import free_ports

from kassa import app, demo
from kassa.cli import process
from kassa.cli.children import environment
from kassa.settings import Settings

pytestmark = pytest.mark.anyio

# As `python -m kassa.cli.process workers 0`, but without patience.
_RUN = """\
from kassa.cli import process
process._PATIENCE_SECONDS = 0
process.main(["process", "workers", "0"])
"""


def test_a_database_that_never_answers_ends_it_with_one_line(tmp_path: Path) -> None:
    settings = Settings(data_dir=str(tmp_path))
    told = environment(settings, "postgresql://kassa@127.0.0.1:1/kassa")

    ended = subprocess.run(
        [sys.executable, "-c", _RUN],
        env={**os.environ, **told},
        capture_output=True,
        text=True,
        check=False,
    )

    (line,) = ended.stderr.splitlines()
    assert ended.returncode == 1
    assert json.loads(line)["error"].startswith("the database cannot be reached: ")


async def test_grpc_listens_only_once_the_demo_is_registered(
    database_url: str, reachable_dir: Path
) -> None:
    _, grpc_port = free_ports(2)
    settings = demo.prepare(Settings(data_dir=str(reachable_dir), demo=True, grpc_port=grpc_port))
    stop = asyncio.Event()
    serving = asyncio.create_task(process.serve_grpc(settings, database_url, stop, is_first=True))
    async with grpc.aio.insecure_channel(f"127.0.0.1:{grpc_port}") as channel:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(channel.channel_ready(), 1)
        async with app.open_core(settings, database_url) as core:
            await demo.make(core, settings)
        await asyncio.wait_for(channel.channel_ready(), 15)
    stop.set()
    await asyncio.wait_for(serving, 15)
