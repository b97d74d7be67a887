"""The doors and chores of a Core, wired; the Core itself is made in `assembly`."""

from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager

import grpc
from grpc_reflection.v1alpha import reflection
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from kassa import criticality, installation, observe
from kassa.assembly import now, sandbox_books
from kassa.base.domain.errors import (
    KassaError,
    PermissionDenied,
    RateLimited,
    Unauthenticated,
)
from kassa.base.usecases.admission import pause_of
from kassa.base.usecases.core import Core
from kassa.base.usecases.ids import attempt_prefix
from kassa.cashier import agreeing, handover, pages
from kassa.connectors.http import Answered
from kassa.connectors.sandbox import bell
from kassa.connectors.sandbox import pages as sandbox_pages
from kassa.connectors.sandbox.cards import SCENARIOS
from kassa.faces import api_keys, edge, grpc_door, grpc_health, inbound, intake, peer
from kassa.faces.admin import handlers as admin
from kassa.faces.business import grpc as business_grpc
from kassa.faces.business import handlers as business
from kassa.faces.checkout import handlers as checkout
from kassa.faces.direct import Direct
from kassa.faces.gateway import handlers as gateway
from kassa.faces.orders import grpc as orders_grpc
from kassa.faces.orders import handlers as orders
from kassa.faces.reception import Reception
from kassa.faces.wallet import handlers as wallet
from kassa.operations.usecases.readiness import Readiness, backlogs, readiness
from kassa.settings import Settings
from kassa.workers.rounds import Chore, standard_chores

_GRPC_GRACE_SECONDS = 5.0  # seconds, not money
_GRPC_FACES = {
    "moego.business.payment.v1.PaymentService": "business",
    "kassa.orders.v1.PaymentService": "orders",
}
_BELL_SECONDS = 0.5  # seconds, not money


def http_app(core: Core, settings: Settings) -> ASGIApp:
    """REST, the cashier, the door for providers, and health."""
    routes = [
        *orders.routes,
        *business.routes,
        *checkout.routes,
        *gateway.routes,
        *wallet.routes,
        *admin.routes,
        *inbound.routes,
        *pages.routes,
        *agreeing.routes,
        *handover.routes,
        *_health(),
        *wallet.under_prefixes,
    ]
    of_sandbox = sandbox_pages.routes(sandbox_books(settings), clock=now, reader=_sandbox_reader)
    routes += [_guarded(core, route) for route in of_sandbox]
    handlers = {404: _nothing_here, 405: _nothing_here, KassaError: _refused}
    app = Starlette(routes=routes, exception_handlers=handlers)
    app.router.redirect_slashes = False  # it would lead to wherever Host says
    app.state.core = core
    app.state.test_cards = tuple(
        (one.spaced_number, one.name, one.happens, one.happens_zh) for one in SCENARIOS
    )
    received = Reception(intake.Intake(Direct(app)), core)
    watched = observe.Watch(received, https=settings.url.startswith("https://"))
    trusted = peer.networks_of(settings.trusted_proxies)
    behind = peer.Forwarded(watched, trusted) if trusted else watched
    networks = peer.let_in_clear(settings.live, trusted)
    return peer.Clear(behind, networks) if networks else behind


def _guarded(core: Core, route: Route) -> Route:
    """A route of pages that know nothing of limits, with them."""
    methods = sorted((route.methods or set()) - {"HEAD"})
    traits = criticality.of_route(methods, route.path)

    async def endpoint(request: Request) -> Response:
        try:
            core.admission.enter(traits)
            answer: Response = await route.endpoint(request)
        except RateLimited as error:
            pause = pause_of(error)
            said = f"{error.message.partition(';')[0]}; come back in {pause} s\n"
            status = edge.HTTP_STATUS[error.code]
            return Response(said, status, {"Retry-After": str(pause)}, media_type="text/plain")
        return answer

    return Route(route.path, endpoint, methods=methods)


async def _sandbox_reader(request: Request) -> str | None:
    """How the references of the caller begin in the sandbox's books; None for whoever has none."""
    try:
        company = (await api_keys.principal_of(request)).company
    except (Unauthenticated, PermissionDenied):
        edge.core_of(request).admission.unproved()
        return None
    return attempt_prefix(company.number) if company.sandbox else None


async def _nothing_here(request: Request, error: Exception) -> Response:
    status = getattr(error, "status_code", 404)
    said = {404: "not_found", 405: "method_not_allowed"}.get(status, "error")
    return JSONResponse(
        {"error": said, "message": f"{request.method} {request.url.path} is not served here"},
        status,
        headers=getattr(error, "headers", None),
    )


async def _refused(_: Request, error: Exception) -> Response:
    """What a page that knows no errors of ours would let through: its body did not arrive."""
    if not isinstance(error, KassaError):
        raise error
    pause = pause_of(error)
    return JSONResponse(
        {"error": error.code, "message": error.message},
        edge.HTTP_STATUS[error.code],
        headers=None if pause is None else {"Retry-After": str(pause)},
    )


def ops_app(core: Core) -> ASGIApp:
    """What operators alone may see: metrics, and readiness with what is wrong."""
    app = Starlette(routes=_ops(), exception_handlers={404: _nothing_here, 405: _nothing_here})
    app.state.core = core
    return app


async def _livez(_: Request) -> Response:
    return Response("ok\n", media_type="text/plain")


def _health() -> list[Route]:
    """For whoever can reach us: that we live, and whether to send us anything."""

    async def readyz(request: Request) -> Response:
        ready = (await _ready(request.app.state.core)).ready
        return JSONResponse({"ready": ready}, 200 if ready else 503)

    return [Route("/livez", _livez), Route("/readyz", readyz)]


def _ops() -> list[Route]:
    async def readyz(request: Request) -> Response:
        found = await _ready(request.app.state.core)
        status = 200 if found.ready else 503
        return JSONResponse({"ready": found.ready, "checks": found.checks}, status)

    async def metrics(request: Request) -> Response:
        found = await _counted(request.app.state.core)
        text = observe.metrics_text() + found.gauges().encode()
        return Response(text, media_type="text/plain; version=0.0.4; charset=utf-8")

    return [Route("/livez", _livez), Route("/readyz", readyz), Route("/metrics", metrics)]


async def _ready(core: Core) -> Readiness:
    try:
        return await readiness(core)
    except KassaError as error:
        return Readiness({"database": error.message}, None)


async def _counted(core: Core) -> Readiness:
    try:
        return await backlogs(core)
    except KassaError as error:
        return Readiness({"database": error.message}, None)


@asynccontextmanager
async def grpc_server(
    core: Core, settings: Settings, busy: Counter[peer.Who] | None = None
) -> AsyncIterator[grpc.aio.Server]:
    """Both gRPC faces, with health, and reflection where it is wanted; started by the caller, and
    stopped at the end as soon as nobody is served any more, or after a few seconds.

    `busy`: where the calls of each connection are counted.
    """
    trusted = peer.networks_of(settings.trusted_proxies)
    server = grpc_door.make_server(
        _GRPC_FACES,
        core.admission,
        trusted,
        busy=busy,
        in_clear=peer.let_in_clear(settings.live, trusted),
    )
    business_grpc.add_to(server, core)
    orders_grpc.add_to(server, core)
    if settings.grpc_reflection or settings.demo:
        names = (*_GRPC_FACES, grpc_health.NAME, reflection.SERVICE_NAME)
        reflection.enable_server_reflection(names, server)

    async def ready() -> bool:
        return (await _ready(core)).ready

    async with AsyncExitStack() as stack:
        stack.push_async_callback(server.stop, _GRPC_GRACE_SECONDS)
        await stack.enter_async_context(grpc_health.healthy(server, _GRPC_FACES, ready))
        yield server


def chores(settings: Settings) -> list[Chore]:
    """What the worker process does: the use cases time drives, and the sandbox's own news."""
    books = sandbox_books(settings)
    secret = installation.sandbox_secret(settings.directory)

    async def ring(core: Core) -> int:
        async def post(url: str, headers: Mapping[str, str], body: bytes) -> int:
            answer = await core.egress.post(url, headers=headers, body=body, allow_loopback=True)
            return answer.status if isinstance(answer, Answered) else 0

        if not books.exist():  # nobody has paid by a sandbox card yet
            return 0
        return await bell.ring(books, secret=secret, post=post, now=now())

    return [*standard_chores(), Chore("sandbox bell", _BELL_SECONDS, ring)]
