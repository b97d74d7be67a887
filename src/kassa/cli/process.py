"""The processes that `kassa serve` and `kassa work` start: http, grpc and workers."""

import asyncio
import os
import signal
import socket
import sys
import time
from collections.abc import Awaitable, Callable

import msgspec
import uvloop
from granian.constants import HTTPModes, Interfaces
from granian.server.embed import Server

from kassa import app, observe
from kassa.settings import Settings
from kassa.workers.rounds import make_rounds

SETTINGS = "KASSA_CHILD_SETTINGS"
DATABASE = "KASSA_CHILD_DATABASE"
_BIND_PATIENCE_SECONDS = 8.0  # seconds, not money: for the port's last owner, just killed, to go
_GRPC_GRACE_SECONDS = 5.0  # seconds, not money


def environment(settings: Settings, database_url: str) -> dict[str, str]:
    """What a child is told, beside its name."""
    return {SETTINGS: msgspec.json.encode(settings).decode(), DATABASE: database_url}


async def serve_http(settings: Settings, database_url: str, stop: asyncio.Event) -> None:
    await _wait_for_port(settings.host, settings.port)
    async with app.open_core(settings, database_url) as core:
        server = Server(
            app.http_app(core, settings),
            address=settings.host,
            port=settings.port,
            interface=Interfaces.ASGINL,
            http=HTTPModes.http1,
            websockets=False,
            backlog=1024,
            log_enabled=False,
        )
        serving = asyncio.create_task(server.serve())
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if not serving.done():
            server.stop()  # type: ignore[no-untyped-call]
        await serving


async def serve_grpc(settings: Settings, database_url: str, stop: asyncio.Event) -> None:
    await _wait_for_port(settings.host, settings.grpc_port)
    async with app.open_core(settings, database_url) as core:
        server = app.grpc_server(core)
        server.add_insecure_port(f"{settings.host}:{settings.grpc_port}")
        await server.start()
        await stop.wait()
        await server.stop(_GRPC_GRACE_SECONDS)


async def run_workers(settings: Settings, database_url: str, stop: asyncio.Event) -> None:
    async with app.open_core(settings, database_url) as core:
        await make_rounds(core, app.chores(settings), stop)


_PROCESSES: dict[str, Callable[[Settings, str, asyncio.Event], Awaitable[None]]] = {
    "http": serve_http,
    "grpc": serve_grpc,
    "workers": run_workers,
}


async def _wait_for_port(host: str, port: int) -> None:
    """Wait until nobody holds the port; then say so in one sentence and give up for good."""
    until = time.monotonic() + _BIND_PATIENCE_SECONDS
    while True:
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError as error:
                if time.monotonic() > until:
                    print(
                        f"kassa: cannot listen on {host}:{port}: {error.strerror};"
                        " is another server there? choose another --port or --grpc-port",
                        file=sys.stderr,
                    )
                    sys.exit(os.EX_CONFIG)
            else:
                return
        await asyncio.sleep(0.1)  # seconds, not money


async def _run(name: str, settings: Settings, database_url: str) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    await _PROCESSES[name](settings, database_url, stop)


def main(argv: list[str]) -> None:
    settings = msgspec.json.decode(os.environ.pop(SETTINGS), type=Settings)
    database_url = os.environ.pop(DATABASE)
    observe.configure_logs(argv[1], settings.log_level)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_run(argv[1], settings, database_url))


if __name__ == "__main__":
    main(sys.argv)
