"""grpc.health.v1, which says what /readyz says."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager, suppress

import grpc.aio
import structlog
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

_INTERVAL_SECONDS = 1.0  # seconds, not money
_PATIENCE_SECONDS = 1.0  # seconds, not money: who is not heard from by then is not ready

_log = structlog.get_logger("kassa.grpc")
NAME: str = health.SERVICE_NAME


@asynccontextmanager
async def healthy(
    server: grpc.aio.Server, names: Iterable[str], ready: Callable[[], Awaitable[bool]]
) -> AsyncIterator[None]:
    """Serve health of the services of these names, and of "", which is all of them.

    It follows `ready` until the end, and NOT_SERVING is its last word.
    """
    state = health.aio.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(state, server)
    await _tell(state, ("", *names), is_ready=await _ask(ready))
    following = asyncio.create_task(_follow(state, ("", *names), ready))
    try:
        yield
    finally:
        following.cancel()
        with suppress(asyncio.CancelledError):
            await following
        await state.enter_graceful_shutdown()


async def _follow(
    state: health.aio.HealthServicer, names: Iterable[str], ready: Callable[[], Awaitable[bool]]
) -> None:
    while True:
        await asyncio.sleep(_INTERVAL_SECONDS)
        await _tell(state, names, is_ready=await _ask(ready))


async def _ask(ready: Callable[[], Awaitable[bool]]) -> bool:
    try:
        async with asyncio.timeout(_PATIENCE_SECONDS):
            return await ready()
    except TimeoutError:
        return False
    except Exception:  # noqa: BLE001 - our own bug: who cannot tell whether it is ready is not
        _log.exception("unexpected")
        return False


async def _tell(state: health.aio.HealthServicer, names: Iterable[str], *, is_ready: bool) -> None:
    response = health_pb2.HealthCheckResponse
    for name in names:
        await state.set(name, response.SERVING if is_ready else response.NOT_SERVING)
