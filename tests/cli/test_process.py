"""What a process of `kassa serve` does when it cannot begin, and for what it waits."""

import asyncio
import json
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import aiohttp
import grpc
import msgspec
import pytest
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from tests.e2e.server import free_ports

from kassa import app, assembly, demo
from kassa.base.usecases.core import Core
from kassa.cli import process
from kassa.settings import Settings

pytestmark = pytest.mark.anyio

# As `kassa work` starts them, but without patience.
_RUN = """\
import sys
from kassa.cli import process
from kassa.settings import Settings
process._PATIENCE_SECONDS = 0
nowhere = "postgresql://kassa@127.0.0.1:1/kassa"
sys.exit(process.run("workers", Settings(data_dir=sys.argv[1]), nowhere, is_first=True))
"""


def test_a_database_that_never_answers_ends_it_with_one_line(tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", _RUN, str(tmp_path)],
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
        async with assembly.open_core(settings, database_url) as core:
            await demo.make(core, settings)
        await asyncio.wait_for(channel.channel_ready(), 15)
    stop.set()
    await asyncio.wait_for(serving, 15)


async def test_the_workers_show_operators_what_payers_are_not_shown(
    database_url: str, reachable_dir: Path
) -> None:
    [port] = free_ports(1)
    settings = Settings(data_dir=str(reachable_dir), ops_port=port)
    stop = asyncio.Event()
    working = asyncio.create_task(process.run_workers(settings, database_url, stop, is_first=True))
    async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as session:
        for _ in range(200):
            try:
                async with session.get("/metrics") as answer:
                    metrics = await answer.text()
                break
            except OSError:
                await asyncio.sleep(0.05)
        async with session.get("/readyz") as answer:
            ready = await answer.json()
    stop.set()
    await asyncio.wait_for(working, 15)

    assert "kassa_database_up 1" in metrics
    assert ready["checks"]["database"] == "ok"


async def test_the_workers_work_when_the_operators_port_is_taken(
    database_url: str, reachable_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "_PORT_PAUSE_SECONDS", 0.1)
    stop = asyncio.Event()
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        settings = Settings(data_dir=str(reachable_dir), ops_port=port)
        working = asyncio.create_task(
            process.run_workers(settings, database_url, stop, is_first=True)
        )
        await asyncio.sleep(1)
        assert not working.done()
    async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as session:
        for _ in range(200):
            try:
                async with session.get("/livez") as answer:
                    alive = answer.status
                break
            except OSError:
                await asyncio.sleep(0.05)
    stop.set()
    await asyncio.wait_for(working, 15)

    assert alive == 200


@pytest.mark.parametrize(
    ("wanted", "demo", "shown"), [(False, False, False), (True, False, True), (False, True, True)]
)
async def test_grpc_tells_what_it_serves_only_where_that_is_wanted(
    core: Core, settings: Settings, *, wanted: bool, demo: bool, shown: bool
) -> None:
    chosen = msgspec.structs.replace(settings, grpc_reflection=wanted, demo=demo)
    async with app.grpc_server(core, chosen) as server:
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            asked = reflection_pb2.ServerReflectionRequest(list_services="")
            stub = reflection_pb2_grpc.ServerReflectionStub(channel)
            answers = []
            with suppress(grpc.aio.AioRpcError):
                answers = [one async for one in stub.ServerReflectionInfo(iter([asked]))]

    assert bool(answers) is shown
