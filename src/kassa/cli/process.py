"""What the processes of `kassa serve` and `kassa work` do: http, grpc and workers.

Each is a copy of the supervisor, which imported this and all below it once, for all of them.
"""

import asyncio
import signal
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, suppress

import structlog
import uvloop
from starlette.types import ASGIApp

from kassa import app, assembly, demo, demo_providers, observe
from kassa.base.domain.errors import KassaError, ProviderUnavailable
from kassa.cli import collector
from kassa.cli.connections import Connections, is_taken, listen
from kassa.cli.places import OF_ONE_IN_GRPC, Share
from kassa.connectors import guard as guard  # noqa: PLC0414 - nobody shall wait for aiohttp
from kassa.faces import grpc_door, peer
from kassa.identity.usecases import tokens as tokens  # noqa: PLC0414 - nor for this
from kassa.settings import Settings
from kassa.workers.rounds import make_rounds

_PATIENCE_SECONDS = 20.0  # seconds, not money: PostgreSQL may be recovering from a crash
_GLANCE_SECONDS = 0.1  # seconds, not money
_PORT_PAUSE_SECONDS = 10.0  # seconds, not money


async def serve_http(
    settings: Settings, database_url: str, stop: asyncio.Event, *, is_first: bool
) -> None:
    async with AsyncExitStack() as stack:
        core = await stack.enter_async_context(
            assembly.open_core(
                settings,
                database_url,
                patience=_PATIENCE_SECONDS,
                processes=settings.http_processes,
                serves=True,
                count=observe.count_turned_away,
            )
        )
        if settings.demo and is_first:  # registered before anybody can be told we are ready
            await demo.make(core, settings)
            introducing = asyncio.create_task(demo_providers.introduce(core, settings))
            stack.callback(introducing.cancel)
        elif settings.demo:
            await _wait_for_demo(settings, stop)
        connections = Connections(
            app.http_app(core, settings),
            settings.port,
            spared=peer.networks_of(settings.trusted_proxies),
        )
        stack.push_async_callback(connections.stop)
        connections.start()
        await listen(connections, settings.host, settings.port, stop)


async def serve_grpc(
    settings: Settings, database_url: str, stop: asyncio.Event, *, is_first: bool
) -> None:
    async with assembly.open_core(
        settings,
        database_url,
        patience=_PATIENCE_SECONDS,
        serves=True,
        count=observe.count_turned_away,
    ) as core:
        if settings.demo:
            await _wait_for_demo(settings, stop)
        share = Share(
            settings.grpc_port,
            spared=peer.networks_of(settings.trusted_proxies),
            most=OF_ONE_IN_GRPC,
            places=grpc_door.CONNECTIONS,
        )
        async with app.grpc_server(core, settings, share.busy) as server:
            server.add_insecure_port(f"{settings.host}:{settings.grpc_port}")
            await server.start()
            share.start()
            await stop.wait()
            await share.stop()


async def run_workers(
    settings: Settings, database_url: str, stop: asyncio.Event, *, is_first: bool
) -> None:
    async with assembly.open_core(
        settings, database_url, patience=_PATIENCE_SECONDS, serves=True
    ) as core:
        rounds = make_rounds(core, app.chores(settings), stop)
        if not settings.ops_port:
            await rounds
            return
        # Here, and not where payers are served: who looks takes no time from who pays, and sees
        # what is wrong when the doors are overrun.
        await asyncio.gather(rounds, _show_operators(app.ops_app(core), settings, stop))


async def _show_operators(target: ASGIApp, settings: Settings, stop: asyncio.Event) -> None:
    """Work goes on without being looked at: a port that somebody took costs no payment."""
    while not stop.is_set():
        if is_taken(settings.ops_host, settings.ops_port):
            log = structlog.get_logger("kassa.process")
            log.error("operators cannot be served", host=settings.ops_host, port=settings.ops_port)
        else:
            await listen(target, settings.ops_host, settings.ops_port, stop)
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), _PORT_PAUSE_SECONDS)


async def _wait_for_demo(settings: Settings, stop: asyncio.Event) -> None:
    """Wait until the first http process has registered the demo, or until `stop`.

    Raises: ProviderUnavailable when it takes too long.
    """
    made = settings.demo_directory / "demo.json"
    until = time.monotonic() + _PATIENCE_SECONDS
    while not made.exists() and not stop.is_set():
        if time.monotonic() >= until:
            raise ProviderUnavailable("the demo company was not registered in time")
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), _GLANCE_SECONDS)


_PROCESSES: dict[str, Callable[..., Awaitable[None]]] = {
    "http": serve_http,
    "grpc": serve_grpc,
    "workers": run_workers,
}


async def _run(name: str, settings: Settings, database_url: str, *, is_first: bool) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    await _PROCESSES[name](settings, database_url, stop, is_first=is_first)


def run(name: str, settings: Settings, database_url: str, *, is_first: bool) -> int:
    """Be that process until a signal; returns the exit status."""
    if settings.demo:
        settings = demo.prepare(settings)
    observe.configure_logs(name, settings.log_level)
    collector.calm()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        try:
            runner.run(_run(name, settings, database_url, is_first=is_first))
        except KassaError as error:
            structlog.get_logger("kassa.process").error("cannot run", error=error.message)
            return 1
    return 0
