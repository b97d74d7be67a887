"""A Core out of settings: what every process has, whether it serves, works or runs one command.

Light on purpose: a command needs no doors. They are in `kassa.app`.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import cache, partial
from typing import TYPE_CHECKING

import structlog

from kassa import installation
from kassa.base.domain.errors import InvalidRequest
from kassa.base.domain.rate_limits import Rate
from kassa.base.store.db import Database
from kassa.base.store.server import Demands
from kassa.base.store.vault import Vault
from kassa.base.usecases.admission import Admission, Limits
from kassa.base.usecases.core import AgreementWriter, Core, Policy, WebhookWriter
from kassa.base.usecases.ids import new_id
from kassa.base.usecases.keyring import Keyring, Purpose
from kassa.connectors.base import Connector
from kassa.connectors.catalog import kind_of
from kassa.connectors.egress import Egress
from kassa.connectors.http import ProviderHttp
from kassa.connectors.kind import Tools
from kassa.connectors.shelf import Shelf
from kassa.identity.domain.principals import Mode
from kassa.key_stores import key_store
from kassa.proof.store.heads import HeadFile
from kassa.proof.usecases.chain import seal_keys, seals_of
from kassa.providers.domain.providers import AccountStatus, ProviderAccount
from kassa.settings import Settings
from kassa.wallet.domain.agreements import AGREEMENT

if TYPE_CHECKING:
    from kassa.connectors.sandbox.books import SandboxBooks

SANDBOX = "sandbox"
SANDBOX_BOOKS = "sandbox/books.sqlite3"
HEADS = "proof/heads.json"
_log = structlog.get_logger("kassa.keys")
_KEYS_SECONDS = 0.4  # seconds, not money: pauses between looks for other versions
_LAST_WORK_SECONDS = 8.0  # seconds, not money: what is at a provider may still answer


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
        access_token_lifetime=timedelta(days=settings.wallet_access_token_days),
        refresh_token_lifetime=timedelta(days=settings.wallet_refresh_token_days),
        earlier_secrets=timedelta(hours=settings.earlier_secret_hours),
        deliveries_kept=timedelta(days=settings.webhook_log_days),
        personal_data_lifetime=timedelta(days=settings.personal_data_days),
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


def sandbox_books(settings: Settings) -> "SandboxBooks":
    from kassa.connectors.sandbox.books import SandboxBooks  # noqa: PLC0415 - few commands pay

    path = settings.directory / SANDBOX_BOOKS
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    return SandboxBooks(path)


def _tools(settings: Settings) -> Tools:
    return Tools(http=ProviderHttp(), clock=now, base_url=settings.url)


def _built_in(settings: Settings) -> tuple[Shelf, dict[str, ProviderAccount]]:
    """The installation's own accounts: the sandbox, for test sides that were given it, and what
    the settings name, for every company of its mode.

    Raises: InvalidRequest for an account whose keys cannot be used.
    """
    makers: dict[str, Callable[[], Connector]] = {SANDBOX: partial(_sandbox, settings)}
    accounts = {SANDBOX: _everybodys(SANDBOX, live=False)}
    for name, said in settings.accounts.items():
        kind = kind_of(name)
        if kind.installation is None:
            raise InvalidRequest(f"an installation has no account of its own at {kind.title}")
        read = kind.installation.read(said)
        live = kind.moves_money(read)
        makers[name] = partial(kind.make, read, _tools(settings), live=live)
        accounts[name] = _everybodys(name, live=live)
    return Shelf(makers), accounts


def _sandbox(settings: Settings) -> Connector:
    from kassa.connectors.sandbox.connector import SandboxConnector  # noqa: PLC0415

    return SandboxConnector(
        sandbox_books(settings),
        base_url=settings.url,
        secret=installation.sandbox_secret(settings.directory),
        clock=now,
    )


def _everybodys(name: str, *, live: bool) -> ProviderAccount:
    return ProviderAccount(
        company_id="",
        name=name,
        connector=name,
        mode=Mode.LIVE if live else Mode.TEST,
        status=AccountStatus.ACTIVE,
        only_given=name == SANDBOX,
    )


@cache
def _writers() -> Mapping[str, WebhookWriter]:
    # Here, since only workers write letters, and the interfaces' words take their time to import.
    from kassa.faces.orders.notify import StandardWriter  # noqa: PLC0415
    from kassa.faces.wallet import notify as wallet  # noqa: PLC0415

    return {
        "standard": StandardWriter(),
        "wallet": wallet.WalletNotifications(),
        wallet.REFUND_KIND: wallet.WalletRefundNotifications(),
    }


@cache
def _agreement_writers() -> Mapping[str, AgreementWriter]:
    from kassa.faces.wallet.notify_agreement import AgreementNotifications  # noqa: PLC0415

    return {AGREEMENT: AgreementNotifications()}


def _nobody(_: str, __: str) -> None:
    pass


def vault_keys(secrets: Keyring) -> tuple[dict[int, bytes], int]:
    """What personal data is sealed with: keys by version, and which is in use."""
    keys = secrets.of(Purpose.PERSONAL_DATA)
    return {one.number: one.secret.reveal() for one in keys.every}, keys.current.number


async def _mind_keys(secrets: Keyring) -> None:
    """See what versions of keys there are, until cancelled. A new one is used once every process
    has had the time to see it."""
    while True:
        await asyncio.sleep(_KEYS_SECONDS)
        try:
            if secrets.is_stale():
                await asyncio.to_thread(secrets.reread)
        except Exception:  # noqa: BLE001 - what was known stays known, and it is tried again
            _log.exception("keys cannot be read; those that are known are used")


@asynccontextmanager
async def open_core(
    settings: Settings,
    database_url: str,
    *,
    patience: float = 0,  # seconds, not money
    processes: int = 1,
    serves: bool = False,
    count: Callable[[str, str], None] = _nobody,
) -> AsyncIterator[Core]:
    """A Core on that database; sockets and pools are given back at the end.

    `patience`: seconds to wait for a database that is still starting. `processes`: how many of
    this kind serve beside each other, and share the limits. `serves`: whatever is needed some day
    is made now. `count`: told of whom is turned away.
    Raises: ProviderUnavailable; InvalidRequest for a provider account that cannot be used.
    """
    connectors, accounts = _built_in(settings)
    if serves:
        list(connectors.values())
    limits = limits_of(settings).share(processes)
    admission = Admission(limits, count=count)
    secrets = installation.open_secrets(settings.directory, key_store(settings))
    seals = seals_of(secrets)
    secrets.watchers.append(lambda: seals.renew(seal_keys(secrets)))
    vault = Vault(*vault_keys(secrets))
    secrets.watchers.append(lambda: vault.renew(*vault_keys(secrets)))
    database = Database(
        database_url,
        size=settings.database_connections,
        demands=demands_of(settings),
        seals=seals,
        vault=vault,
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
        writers=_writers,
        agreement_writers=_agreement_writers,
        new_id=new_id,
    )
    minding = [
        asyncio.create_task(admission.mind_the_time()),
        asyncio.create_task(_mind_keys(secrets)),
    ]
    try:
        yield core
    finally:
        for task in minding:
            task.cancel()
        if core.running:
            await asyncio.wait(core.running, timeout=_LAST_WORK_SECONDS)
        for connector in (*connectors.made, *core.retired):
            await connector.close()
        await core.egress.close()
        await core.db.close()
