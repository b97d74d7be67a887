"""Provider accounts: add, list, test and disable them; and every process knows them all."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import structlog

from kassa.base.domain.errors import (
    InvalidRequest,
    KassaError,
    NotFound,
    ProviderUnavailable,
    UnsupportedOperation,
)
from kassa.base.store.connection import Connection
from kassa.base.usecases.core import Core
from kassa.connectors.base import (
    Connector,
    InDoubt,
    NotSent,
    Probe,
    Report,
    Reporter,
    Unknown,
)
from kassa.connectors.catalog import kind_of, kinds
from kassa.connectors.kind import Kind, Tools, operations
from kassa.identity.domain.audit import INSTALLATION, Act
from kassa.identity.domain.principals import Company, Mode
from kassa.identity.store import companies
from kassa.identity.usecases import audit
from kassa.identity.usecases.authenticate import company_by_id
from kassa.providers.domain.providers import AccountStatus, ProviderAccount, check_account_name
from kassa.providers.store import provider_accounts as store
from kassa.providers.store.provider_accounts import Stored
from kassa.providers.usecases.renewing import EARLIER, read_earlier, renewed, until_when
from kassa.providers.usecases.sealing import (
    newest_key,
    open_settings,
    renew_key,
    rewrap,
    seal_settings,
    unwrap,
)
from kassa.webhooks_in.store import provider_events
from kassa.webhooks_in.store.provider_events import ForeignCount

_log = structlog.get_logger("kassa.providers")
_FRESH_SECONDS = 1.0  # seconds, not money
_MEMORY = "provider accounts"


@dataclass(slots=True)
class _Known:
    """Which accounts of the store this process has connectors for, and how fresh that is."""

    version: int = -1
    looked_at: float = 0.0  # seconds, not money
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


def account_of(core: Core, name: str) -> ProviderAccount:
    """The account of that name; a connector that was put in by hand is for every test side."""
    known = core.accounts.get(name)
    if known is not None:
        return known
    return ProviderAccount(
        company_id="",
        name=name,
        connector=core.connectors[name].name,
        mode=Mode.TEST,
        status=AccountStatus.ACTIVE,
    )


def kind_of_account(account: ProviderAccount) -> Kind | None:
    """None for a connector outside the catalog."""
    return kinds().get(account.connector)


async def refresh(core: Core, *, now: bool = False) -> None:
    """Learn of accounts that were added, changed or disabled, by any process; within a second.

    `now`: look at once.
    """
    known: _Known = core.gatherers.setdefault(_MEMORY, _Known())
    async with known.lock:
        if not now and time.monotonic() - known.looked_at < _FRESH_SECONDS:
            return
        async with core.db.connection() as connection:
            version = await store.newest_version(connection)
            if version != known.version:
                stored = await store.all_accounts(connection)
                keys = await store.all_keys(connection) if stored else []
        if version != known.version:
            plain = {(key.company_id, key.version): key for key in keys}
            for one in stored:
                await _take_in(core, one, plain[one.account.company_id, one.key_version])
        known.version, known.looked_at = version, time.monotonic()


async def _take_in(core: Core, stored: Stored, key: Any) -> None:
    account = stored.account
    known = core.accounts.get(account.name)
    if known == account:
        return
    if account.mode is Mode.LIVE and not core.policy.live:
        return  # this installation moves no real money
    try:
        settings = {**account.settings, **_secrets_of(core, stored, key)}
        tools = replace(_tools(core), earlier=read_earlier(settings.pop(EARLIER, "")))
        kind_of(account.connector).check_mode(settings, live=account.mode is Mode.LIVE)
        connector = kind_of(account.connector).make(settings, tools, live=account.mode is Mode.LIVE)
    except KassaError as error:
        _log.error("provider account cannot be used", account=account.name, reason=error.message)
        return
    old = core.connectors.get(account.name)
    core.connectors[account.name] = connector
    core.accounts[account.name] = account
    if old is not None:
        core.retired.append(old)  # calls under way still use it; closed with the Core


def _secrets_of(core: Core, stored: Stored, key: Any) -> dict[str, str]:
    account = stored.account
    return open_settings(
        unwrap(core, key),
        stored.sealed,
        company_id=account.company_id,
        name=account.name,
        key_version=stored.key_version,
    )


def _tools(core: Core) -> Tools:
    return core.tools()


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class NewAccount:
    """`settings`: as typed; "@path" stands for a file's content. `live`: real money moves there,
    which only the live side of a company can have. `overlap`: how long what was signed with a
    renewed secret is believed; None: as long as the installation says."""

    company_id: str
    name: str
    connector: str
    settings: Mapping[str, str]
    live: bool = False
    country: str = ""
    overlap: timedelta | None = None
    status: AccountStatus = AccountStatus.ACTIVE


async def put_account(core: Core, wanted: NewAccount) -> ProviderAccount:
    """Add the account, or give the one of that name new settings and a new status.

    A setting that is not named keeps its value. Its secrets are sealed under the company's key.
    What the provider signs with is believed for a while after it was renewed.
    Raises: InvalidRequest, NotFound (no such company).
    """
    check_account_name(wanted.name)
    if wanted.name in core.accounts and not core.accounts[wanted.name].company_id:
        raise InvalidRequest(f"{wanted.name!r} is an account of this installation; choose another")
    kind = kind_of(wanted.connector)
    if not kind.addable:
        raise InvalidRequest(f"{kind.name} is built in and needs no account")
    secret = {field.name for field in kind.fields if field.secret}
    async with core.db.transaction() as connection:
        await _check_side(core, connection, wanted)
        known = await store.find_account(connection, wanted.name)
        before = await _settings_before(core, connection, known, wanted)
        earlier = before.pop(EARLIER, "")
        settings = kind.read({**before, **wanted.settings}, live=wanted.live)
        await kind.make(
            settings, _tools(core), live=wanted.live
        ).close()  # refused now rather than at a payment
        version, key = await newest_key(core, connection, wanted.company_id)
        account = ProviderAccount(
            company_id=wanted.company_id,
            name=wanted.name,
            connector=kind.name,
            mode=Mode.LIVE if wanted.live else Mode.TEST,
            status=wanted.status,
            settings={name: value for name, value in settings.items() if name not in secret},
            country=wanted.country or (known.account.country if known else ""),
        )
        hidden = {name: value for name, value in settings.items() if name in secret}
        overlap = core.policy.earlier_secrets if wanted.overlap is None else wanted.overlap
        now = datetime.now(UTC)
        if kept := renewed(kind, before, settings, earlier, now=now, until=now + overlap):
            hidden[EARLIER] = kept
        sealed = seal_settings(
            key, hidden, company_id=account.company_id, name=account.name, key_version=version
        )
        if not await store.put_account(connection, account, sealed=sealed, key_version=version):
            raise InvalidRequest(
                f"the account name {wanted.name!r} is taken; choose another: names are unique in"
                " the installation, and an account keeps its connector and mode"
            )
        changed = sorted(name for name in settings if settings[name] != before.get(name))
        await audit.note(
            core,
            connection,
            Act.ACCOUNT_CHANGED if known else Act.ACCOUNT_ADDED,
            account.company_id,
            account.name,
            before={"status": known.account.status} if known else {},
            after={
                "connector": kind.name,
                "mode": account.mode,
                "status": account.status,
                "settings_changed": changed,
            },
        )
    await refresh(core, now=True)
    return account


async def _check_side(core: Core, connection: Connection, wanted: NewAccount) -> None:
    company = await companies.find_company(connection, wanted.company_id)
    if company is None:
        raise NotFound(f"no such company: {wanted.company_id!r}")
    if wanted.live and not core.policy.live:
        raise InvalidRequest(
            "this installation moves no real money: a live account needs one with live = true"
        )
    if wanted.live is not company.is_live:
        raise InvalidRequest(
            f"{company.id} is a {company.mode} side: a live account is added with --live to the"
            " live side of a company, a test account to its test side"
        )


async def _settings_before(
    core: Core, connection: Connection, known: Stored | None, wanted: NewAccount
) -> dict[str, str]:
    if known is None or known.account.company_id != wanted.company_id:
        return {}
    keys = {key.version: key for key in await store.keys_of(connection, [wanted.company_id])}
    return {**known.account.settings, **_secrets_of(core, known, keys[known.key_version])}


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountView:
    """An account as it may be shown. `can`: its operations; `set_secrets`: which are filled in;
    `earlier`: of settings that were renewed, until when they are believed as they were;
    `foreign`: what its provider posted that is genuine and not ours, by reason."""

    account: ProviderAccount
    title: str
    can: tuple[str, ...]
    set_secrets: tuple[str, ...]
    notify_url: str
    foreign: tuple[ForeignCount, ...] = ()
    earlier: tuple[tuple[str, datetime], ...] = ()


async def stored_accounts(core: Core, company_id: str) -> dict[str, ProviderAccount]:
    """The company's own accounts by name, read without making a connector of any."""
    async with core.db.connection() as connection:
        stored = await store.all_accounts(connection)
    return {one.account.name: one.account for one in stored if one.account.company_id == company_id}


async def serves(core: Core, account: ProviderAccount, company_id: str) -> bool:
    """Whether that side of a company may use the account; nobody's id may use none."""
    company = await company_by_id(core, company_id)
    return company is not None and account.serves(company)


async def require_serving(core: Core, name: str, company_id: str) -> None:
    """The last look before a charge, whichever road led to it.

    Raises: UnsupportedOperation when the account is not for that side of a company; NotFound
    where nobody has that id, and so no payment.
    """
    company = await company_by_id(core, company_id)
    if company is None:
        raise NotFound("no such payment")
    if name not in core.connectors or not account_of(core, name).serves(company):
        raise UnsupportedOperation(f"{name} cannot be paid with here", reason="method_off")


async def accounts_for(core: Core, company: Company) -> list[ProviderAccount]:
    """The accounts it may use: its own and those of the installation."""
    await refresh(core, now=True)
    return [account for account in core.accounts.values() if account.serves(company)]


async def list_accounts(core: Core, company_id: str) -> list[AccountView]:
    """The company's accounts, and those of the installation that it may use."""
    company = await company_by_id(core, company_id)
    mine = sorted(await accounts_for(core, company), key=lambda one: one.name) if company else []
    async with core.db.connection() as connection:
        # Without names, all accounts would be told of.
        names = [one.name for one in mine]
        counted = await provider_events.foreign_news(connection, names) if names else []
        earlier = await _earlier_of(core, connection, company_id)
    return [
        _view(core, one, [row for row in counted if row.account == one.name], earlier)
        for one in mine
    ]


async def _earlier_of(
    core: Core, connection: Connection, company_id: str
) -> dict[str, list[tuple[str, datetime]]]:
    """By the company's account, until when renewed settings are believed as they were; of one that
    cannot be opened, which `refresh` complains about, nothing."""
    keys = {key.version: key for key in await store.keys_of(connection, [company_id])}
    found = {}
    for one in await store.all_accounts(connection):
        if one.account.company_id == company_id:
            with suppress(InvalidRequest):
                opened = _secrets_of(core, one, keys[one.key_version])
                found[one.account.name] = until_when(opened.get(EARLIER, ""))
    return found


def _view(
    core: Core,
    account: ProviderAccount,
    foreign: Sequence[ForeignCount],
    earlier: Mapping[str, Sequence[tuple[str, datetime]]],
) -> AccountView:
    kind = kind_of_account(account)
    connector: Connector | None = core.connectors.get(account.name)
    return AccountView(
        account=account,
        title=kind.title if kind else account.connector,
        can=tuple(sorted(operations(connector))) if connector else (),
        set_secrets=tuple(one.name for one in kind.fields if one.secret) if kind else (),
        notify_url=f"{core.policy.base_url}/providers/{account.name}",
        # Of one that all companies share, nobody's count is anybody's business.
        foreign=tuple(foreign) if account.company_id else (),
        earlier=tuple(earlier.get(account.name, ())),
    )


async def own_account(core: Core, company_id: str, name: str) -> ProviderAccount:
    """Raises: NotFound."""
    await refresh(core, now=True)
    account = core.accounts.get(name)
    if account is None or account.company_id != company_id:
        raise NotFound(f"the company has no provider account {name!r}")
    return account


async def disable_account(core: Core, company_id: str, name: str, *, active: bool = False) -> None:
    """Let it take no new payments, or again. What it has is followed to its end all the same.

    Raises: NotFound.
    """
    status = AccountStatus.ACTIVE if active else AccountStatus.DISABLED
    async with core.db.transaction() as connection:
        if not await store.set_status(connection, company_id, name, status):
            raise NotFound(f"the company has no provider account {name!r}")
        act = Act.ACCOUNT_ENABLED if active else Act.ACCOUNT_DISABLED
        await audit.note(core, connection, act, company_id, name)
    await refresh(core, now=True)


async def probe_account(core: Core, company_id: str, name: str) -> str:
    """ "" when the provider accepts the credentials, else what is wrong. Moves no money.

    Raises: NotFound, InvalidRequest where the connector has no harmless call for it.
    """
    await own_account(core, company_id, name)
    connector = core.connectors[name]
    if not isinstance(connector, Probe):
        raise InvalidRequest(f"{connector.name} has no call that would only test the credentials")
    return await connector.probe()


async def fetch_report(core: Core, company_id: str, name: str, day: date) -> Report:
    """The provider's settlement report of that day, in its own time zone.

    Raises: NotFound (no such account, or no report of that day yet), InvalidRequest where the
    connector fetches none, ProviderUnavailable.
    """
    await refresh(core, now=True)
    account = core.accounts.get(name)
    if account is None or not await serves(core, account, company_id):
        raise NotFound(f"the company has no provider account {name!r}")
    connector = core.connectors[name]
    if not isinstance(connector, Reporter):
        raise InvalidRequest(f"{connector.name} has no report that could be fetched")
    report = await connector.report(day)
    match report:
        case Report():
            return report
        case Unknown(reason=reason):
            raise NotFound(f"{name} has no report of {day}: {reason}")
        case NotSent(reason=reason) | InDoubt(reason=reason):
            raise ProviderUnavailable(f"the report of {name} could not be fetched: {reason}")


async def rotate_keys(core: Core, company_id: str = "") -> int:
    """Wrap all data keys by the installation's newest key; with `company_id`, also seal that
    company's accounts under a fresh data key. Returns how many rows were written."""
    async with core.db.transaction() as connection:
        written = await rewrap(core, connection)
        rewrapped = {"data_keys_wrapped": written}
        whose = company_id or INSTALLATION
        await audit.note(core, connection, Act.KEYS_ROTATED, whose, after=rewrapped)
        if not company_id:
            return written
        mine = [
            one
            for one in await store.all_accounts(connection)
            if one.account.company_id == company_id
        ]
        keys = {key.version: key for key in await store.keys_of(connection, [company_id])}
        version, fresh = await renew_key(core, connection, company_id)
        for one in mine:
            hidden = _secrets_of(core, one, keys[one.key_version])
            name = one.account.name
            sealed = seal_settings(
                fresh, hidden, company_id=company_id, name=name, key_version=version
            )
            await store.put_account(connection, one.account, sealed=sealed, key_version=version)
    return written + len(mine)
