"""The only place that wires: settings in, a Core, its doors and its chores out."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta

import grpc
from grpc_reflection.v1alpha import reflection
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from kassa import criticality, installation, observe
from kassa.base.domain.errors import (
    InvalidRequest,
    KassaError,
    PermissionDenied,
    RateLimited,
    Unauthenticated,
)
from kassa.base.domain.rate_limits import Rate
from kassa.base.store.db import Database
from kassa.base.store.server import Demands
from kassa.base.usecases.admission import Admission, Limits, pause_of
from kassa.base.usecases.core import Core, Policy
from kassa.base.usecases.ids import attempt_prefix, new_id
from kassa.cashier import handover, pages
from kassa.connectors.base import Connector
from kassa.connectors.catalog import kind_of
from kassa.connectors.egress import Egress
from kassa.connectors.http import Answered, ProviderHttp
from kassa.connectors.kind import Tools
from kassa.connectors.sandbox import bell
from kassa.connectors.sandbox import pages as sandbox_pages
from kassa.connectors.sandbox.books import SandboxBooks
from kassa.connectors.sandbox.cards import SCENARIOS
from kassa.connectors.sandbox.connector import SandboxConnector
from kassa.faces import api_keys, edge, grpc_door, grpc_health, inbound, intake, peer
from kassa.faces.business import grpc as business_grpc
from kassa.faces.business import handlers as business
from kassa.faces.checkout import handlers as checkout
from kassa.faces.gateway import handlers as gateway
from kassa.faces.orders import grpc as orders_grpc
from kassa.faces.orders import handlers as orders
from kassa.faces.orders.notify import StandardWriter
from kassa.faces.reception import Reception
from kassa.faces.wallet import handlers as wallet
from kassa.faces.wallet.notify import REFUND_KIND, WalletNotifications, WalletRefundNotifications
from kassa.identity.domain.principals import Mode
from kassa.operations.usecases.readiness import Readiness, backlogs, readiness
from kassa.proof.store.heads import HeadFile
from kassa.proof.usecases.chain import seals_of
from kassa.providers.domain.providers import AccountStatus, ProviderAccount
from kassa.settings import Settings
from kassa.workers.rounds import Chore, standard_chores

SANDBOX = "sandbox"
SANDBOX_BOOKS = "sandbox/books.sqlite3"
HEADS = "proof/heads.json"
_LAST_WORK_SECONDS = 8.0  # seconds, not money: what is at a provider may still answer
_GRPC_GRACE_SECONDS = 5.0  # seconds, not money
_GRPC_FACES = {
    "moego.business.payment.v1.PaymentService": "business",
    "kassa.orders.v1.PaymentService": "orders",
}
_BELL_SECONDS = 0.5  # seconds, not money


def now() -> datetime:
    return datetime.now(UTC)


def policy_of(settings: Settings) -> Policy:
    return Policy(
        base_url=settings.url,
        live=settings.live,
        allow_loopback=settings.demo,
        order_lifetime=timedelta(days=settings.order_lifetime_days),
        wallet_order_lifetime=timedelta(hours=settings.wallet_order_lifetime_hours),
        amount_limit_minor=settings.amount_limit_minor,
        amount_limits=settings.limits_by_currency,
        wallet_limit_minor=settings.wallet_limit_minor,
        wallet_daily_limit_minor=settings.wallet_daily_limit_minor,
        wallet_code_lifetime=timedelta(seconds=settings.wallet_code_seconds),
        wallet_wrong_codes=settings.wallet_wrong_codes,
        earlier_secrets=timedelta(hours=settings.earlier_secret_hours),
        wallet_authorization_lifetime=timedelta(days=settings.wallet_authorization_days),
        authorization_margin=timedelta(minutes=settings.authorization_margin_minutes),
        capture_at_deadline=settings.capture_at_deadline,
    )


def limits_of(settings: Settings) -> Limits:
    """What is 0 in the settings is as usual, or, in a demo, as good as no limit."""
    demo = settings.demo

    def or_else(said: int, usual: int, in_demo: int) -> int:
        return said or (in_demo if demo else usual)

    return Limits(
        live=Rate(settings.live_requests_per_second, settings.live_requests_burst),
        test=Rate(
            or_else(settings.test_requests_per_second, 25, 20_000),
            or_else(settings.test_requests_burst, 50, 40_000),
        ),
        address=Rate(
            or_else(settings.address_requests_per_second, 20, 20_000),
            or_else(settings.address_requests_burst, 200, 40_000),
        ),
        company_calls=or_else(settings.company_calls, 20, 2_000),
        process_calls=or_else(settings.process_calls, 200, 4_000),
        late=or_else(settings.late_milliseconds, 500, 10_000) / 1000,
        wrong_credentials=or_else(settings.wrong_credentials, 50, 100),
    )


def demands_of(settings: Settings) -> Demands | None:
    """What the database server has to be like before real money is taken on it."""
    return Demands(settings.database_standby_names) if settings.live else None


def sandbox_books(settings: Settings) -> SandboxBooks:
    path = settings.directory / SANDBOX_BOOKS
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    return SandboxBooks(path)


def _tools(settings: Settings) -> Tools:
    return Tools(http=ProviderHttp(), clock=now, base_url=settings.url)


def _built_in(settings: Settings) -> tuple[dict[str, Connector], dict[str, ProviderAccount]]:
    """The installation's own accounts: the sandbox, for test sides that were given it, and what
    the settings name, for every company of its mode.

    Raises: InvalidRequest for an account whose keys cannot be used.
    """
    connectors: dict[str, Connector] = {
        SANDBOX: SandboxConnector(
            sandbox_books(settings),
            base_url=settings.url,
            secret=installation.sandbox_secret(settings.directory),
            clock=now,
        )
    }
    accounts = {SANDBOX: _everybodys(SANDBOX, live=False)}
    for name, said in settings.accounts.items():
        kind = kind_of(name)
        if kind.installation is None:
            raise InvalidRequest(f"an installation has no account of its own at {kind.title}")
        read = kind.installation.read(said)
        live = kind.moves_money(read)
        connectors[name] = kind.make(read, _tools(settings), live=live)
        accounts[name] = _everybodys(name, live=live)
    return connectors, accounts


def _everybodys(name: str, *, live: bool) -> ProviderAccount:
    return ProviderAccount(
        company_id="",
        name=name,
        connector=name,
        mode=Mode.LIVE if live else Mode.TEST,
        status=AccountStatus.ACTIVE,
        only_given=name == SANDBOX,
    )


@asynccontextmanager
async def open_core(
    settings: Settings,
    database_url: str,
    *,
    patience: float = 0,  # seconds, not money
    processes: int = 1,
) -> AsyncIterator[Core]:
    """A Core on that database; sockets and pools are given back at the end.

    `patience`: seconds to wait for a database that is still starting. `processes`: how many of
    this kind serve beside each other, and share the limits.
    Raises: ProviderUnavailable.
    """
    connectors, accounts = _built_in(settings)
    limits = limits_of(settings).share(processes)
    admission = Admission(limits, count=observe.count_turned_away)
    secrets = installation.open_secrets(settings.directory)
    database = Database(
        database_url,
        size=settings.database_connections,
        demands=demands_of(settings),
        seals=seals_of(secrets),
    )
    core = Core(
        admission=admission,
        db=await database.open(patience),
        heads=HeadFile(settings.directory / HEADS),
        connectors=connectors,
        accounts=accounts,
        tools=lambda: _tools(settings),
        egress=Egress(name_servers=settings.name_servers),
        policy=policy_of(settings),
        secrets=secrets,
        writers={
            "standard": StandardWriter(),
            "wallet": WalletNotifications(),
            REFUND_KIND: WalletRefundNotifications(),
        },
        new_id=new_id,
    )
    minding = asyncio.create_task(admission.mind_the_time())
    try:
        yield core
    finally:
        minding.cancel()
        if core.running:
            await asyncio.wait(core.running, timeout=_LAST_WORK_SECONDS)
        for connector in (*core.connectors.values(), *core.retired):
            await connector.close()
        await core.egress.close()
        await core.db.close()


def http_app(core: Core, settings: Settings) -> ASGIApp:
    """REST, the cashier, the door for providers, and health."""
    routes = [
        *orders.routes,
        *business.routes,
        *checkout.routes,
        *gateway.routes,
        *wallet.routes,
        *inbound.routes,
        *pages.routes,
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
    received = Reception(intake.Intake(app), core)
    watched = observe.Watch(received, https=settings.url.startswith("https://"))
    trusted = peer.networks_of(settings.trusted_proxies)
    return peer.Forwarded(watched, trusted) if trusted else watched


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
    server = grpc_door.make_server(_GRPC_FACES, core.admission, trusted, busy=busy)
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
