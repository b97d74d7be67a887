"""The demo's accounts at simulated providers: the same secrets on both sides, and one address."""

import asyncio
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import structlog

from kassa import installation, private_files
from kassa.base.domain.errors import InvalidRequest
from kassa.base.usecases.core import Core
from kassa.connectors.catalog import kinds
from kassa.connectors.declared import DemoAccount, KeyPair, Shared
from kassa.connectors.http import Answered
from kassa.connectors.kind import Kind
from kassa.providers.usecases.provider_accounts import NewAccount, put_account, stored_accounts
from kassa.settings import Settings

_log = structlog.get_logger("kassa.demo")
_TEXTS = "provider_keys.json"
_LOOPBACK = "http://127.0.0.1:"
_PATIENCE_SECONDS = 60.0  # seconds, not money: the simulator starts while we do
_GLANCE_SECONDS = 0.5  # seconds, not money


def _accounts() -> Iterator[tuple[Kind, DemoAccount]]:
    """In the order in which they are registered."""
    declared = [(kind, kind.demo) for kind in kinds().values() if kind.demo is not None]
    yield from sorted(declared, key=lambda one: one[1].turn)


def number_of_accounts() -> int:
    return sum(1 for _ in _accounts())


def prepare(settings: Settings) -> Settings:
    """With the demo's accounts that are the installation's, unless the settings name some."""
    accounts = dict(settings.accounts)
    for kind, demo in _accounts():
        if demo.is_installations and kind.installation and kind.name not in accounts:
            said = demo.settings(_shared(settings, demo, {}))
            accounts[kind.name] = kind.installation.filled(kind.name, said)
    return msgspec.structs.replace(settings, accounts=accounts)


async def register(core: Core, settings: Settings, company_id: str) -> None:
    """Give the demo company its accounts; safe to repeat.

    One that somebody has pointed at a real provider meanwhile is left as it is.
    """
    where = settings.simulator_url
    if not where:
        return
    texts, new = _texts(settings)
    stored = await stored_accounts(core, company_id)
    for kind, demo in _accounts():
        if demo.is_installations:
            continue
        known = stored.get(demo.account)
        there = known.settings.get("base_url", "") if known else _LOOPBACK
        wanted = f"{where}{demo.base_path}"
        is_new = kind.name in new or not all(pair.is_there for pair in _pairs(settings, demo))
        if not there.startswith(_LOOPBACK) or (there == wanted and not is_new):
            continue
        said = demo.settings(_shared(settings, demo, texts.get(kind.name, {})))
        account = NewAccount(
            company_id=company_id,
            name=demo.account,
            connector=kind.name,
            settings={**said, "base_url": wanted},
        )
        try:
            await put_account(core, account)
        except InvalidRequest as error:
            _log.warning(
                "the demo goes without an account", account=demo.account, reason=error.message
            )


async def introduce(core: Core, settings: Settings) -> None:
    """Tell the simulator of the demo's accounts, as soon as it listens."""
    where = settings.simulator_url
    until = time.monotonic() + _PATIENCE_SECONDS
    for merchant in _merchants(settings) if where else ():
        body = msgspec.json.encode(merchant)
        headers = {"Content-Type": "application/json"}
        while time.monotonic() < until:
            answer = await core.egress.post(
                f"{where}/_simulator/merchants", headers=headers, body=body, allow_loopback=True
            )
            if isinstance(answer, Answered) and answer.status < 300:
                break
            await asyncio.sleep(_GLANCE_SECONDS)
        else:
            _log.warning("the simulator does not listen", address=where)
            return


def _merchants(settings: Settings) -> list[dict[str, Any]]:
    """The simulator's side of what both share."""
    texts, _ = _texts(settings)
    return [
        {
            "provider": kind.name,
            "name": demo.account,
            "credentials": demo.credentials(_shared(settings, demo, texts.get(kind.name, {}))),
            "notify_url": f"{settings.url}/providers/{demo.account}",
        }
        for kind, demo in _accounts()
    ]


def _pairs(settings: Settings, demo: DemoAccount) -> list[KeyPair]:
    return [KeyPair(settings.demo_directory, name) for name in demo.keys]


def _shared(settings: Settings, demo: DemoAccount, texts: dict[str, str]) -> Shared:
    keys = {pair.name: pair for pair in _pairs(settings, demo)}
    for pair in keys.values():
        if not pair.is_there:
            private_files.write(pair.private_path, installation.rsa_pem(), replace=False)
        if not pair.public_path.exists():
            public = installation.public_pem(pair.private_path.read_bytes())
            private_files.write(pair.public_path, public, replace=False)
    return Shared(texts=texts, keys=keys, simulator=settings.simulator_url)


def _texts(settings: Settings) -> tuple[dict[str, dict[str, str]], set[str]]:
    """The credentials that are texts and no key files, by connector; and whose are new."""
    path: Path = settings.demo_directory / _TEXTS
    known: dict[str, dict[str, str]] = {}
    if path.exists():
        known = msgspec.json.decode(path.read_bytes())
    new = {kind.name: dict(demo.invent()) for kind, demo in _accounts() if kind.name not in known}
    new = {name: texts for name, texts in new.items() if texts}
    if new:
        known.update(new)
        private_files.write(path, json.dumps(known).encode())
    return known, set(new)
