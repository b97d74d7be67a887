"""What `kassa provider` does: each opens the database, runs one use case, and tells."""

import json
import re
from collections.abc import Sequence
from datetime import timedelta

from kassa import installation
from kassa.base.domain.errors import InvalidRequest
from kassa.base.usecases.core import Core
from kassa.base.usecases.keyring import Purpose
from kassa.cli.running import heading, side_of, told, with_core, with_side
from kassa.connectors.catalog import kind_of
from kassa.identity.domain.principals import Company, Mode
from kassa.keys.usecases.key_versions import rotate_key, until_used
from kassa.providers.usecases.provider_accounts import (
    AccountView,
    NewAccount,
    disable_account,
    list_accounts,
    own_account,
    probe_account,
    put_account,
    rotate_keys,
)
from kassa.settings import Settings

_COUNTRY = re.compile(r"([A-Z]{2})?", re.ASCII)


def add(
    settings: Settings,
    company: str,
    connector: str,
    account: str,
    put: Sequence[str],
    *,
    live: bool,
    country: str,
) -> str:
    if not put:
        return fields_of(connector)
    if not _COUNTRY.fullmatch(country):
        raise InvalidRequest(f"--country must be two capitals such as IN, got {country!r}")
    mode = Mode.LIVE if live else Mode.TEST
    pairs = dict(_pair(one) for one in put)

    async def work(core: Core) -> str:
        side = await side_of(core, settings, company, mode)
        wanted = NewAccount(
            company_id=side.id,
            name=account,
            connector=connector,
            settings=pairs,
            live=live,
            country=country,
        )
        added = await put_account(core, wanted)
        view = next(
            one
            for one in await list_accounts(core, wanted.company_id)
            if one.account.name == added.name
        )
        return (
            f"{heading(side)}\n"
            f"{added.name} at {view.title} ({added.mode}) can {', '.join(view.can)}\n"
            f"its notifications go to {view.notify_url}" + _earlier_in(view)
        )

    return with_core(settings, work)


def renew(
    settings: Settings, company: str, account: str, put: Sequence[str], hours: int | None
) -> str:
    """`hours`: how long what was signed with the old one is believed; None: as the installation
    says."""
    pairs = dict(_pair(one) for one in put)

    async def work(core: Core, side: Company) -> str:
        known = await own_account(core, side.id, account)
        renewable = [one.name for one in kind_of(known.connector).fields if one.verifies]
        if not pairs or set(pairs) - set(renewable):
            raise InvalidRequest(
                f"name what the provider signs with: --set {' or '.join(renewable)}=…; other"
                " settings change by kassa provider add"
            )
        wanted = NewAccount(
            company_id=side.id,
            name=account,
            connector=known.connector,
            settings=pairs,
            live=side.is_live,
            overlap=None if hours is None else timedelta(hours=hours),
            status=known.status,
        )
        await put_account(core, wanted)
        views = await list_accounts(core, side.id)
        view = next(one for one in views if one.account.name == account)
        old = _earlier_in(view) or "\nwhat was signed with the old one is believed no more"
        return f"{', '.join(pairs)} renewed{old}"

    return told(settings, company, work)


def _earlier_in(view: AccountView) -> str:
    return "".join(
        f"\nwhat was signed with the old {name} is believed until {until:%Y-%m-%d %H:%M} UTC"
        for name, until in view.earlier
    )


def fields_of(connector: str) -> str:
    """The settings that an account of that connector has."""
    kind = kind_of(connector)
    lines = [f"{kind.title}: kassa provider add --connector {kind.name} --account NAME --set …"]
    for field in kind.fields:
        marks = [
            "required" if field.required else f"default {field.default or 'none'}",
            *(["sealed"] if field.secret else []),
        ]
        lines.append(f"  {field.name:20} {field.help} ({', '.join(marks)})")
    return "\n".join(lines)


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise InvalidRequest("--set needs NAME=VALUE, such as --set base_url=https://…")
    return name.strip(), value


def list_all(settings: Settings, company: str, *, as_json: bool) -> str:
    async def work(core: Core, side: Company) -> str:
        views = await list_accounts(core, side.id)
        if as_json:
            return json.dumps([_plain(view) for view in views], indent=2)
        return f"{heading(side)}\n{_table(views)}"

    return with_side(settings, company, work)


def _table(views: Sequence[AccountView]) -> str:
    if not views:
        return "no provider accounts; add one with kassa provider add"
    rows = [("ACCOUNT", "CONNECTOR", "MODE", "STATUS", "CAN", "FOREIGN", "NOTIFICATIONS")]
    rows += [
        (
            view.account.name,
            view.account.connector,
            view.account.mode,
            view.account.status,
            " ".join(view.can),
            str(sum(one.many for one in view.foreign)),
            view.notify_url,
        )
        for view in views
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )


def _plain(view: AccountView) -> dict[str, object]:
    account = view.account
    return {
        "account": account.name,
        "connector": account.connector,
        "company": account.company_id or None,
        "mode": account.mode,
        "status": account.status,
        "country": account.country or None,
        "settings": dict(account.settings),
        "sealed": list(view.set_secrets),
        "can": list(view.can),
        "notify_url": view.notify_url,
        "earlier": {name: until.isoformat() for name, until in view.earlier},
        "foreign": [
            {
                "why": one.why,
                "many": one.many,
                "last_event": one.event,
                "last_at": one.last_at.isoformat(),
            }
            for one in view.foreign
        ],
    }


def test(settings: Settings, company: str, account: str) -> str:
    async def work(core: Core, side: Company) -> str:
        if wrong := await probe_account(core, side.id, account):
            raise InvalidRequest(f"{account}: {wrong}")
        return "the provider accepts the credentials"

    return told(settings, company, work)


def switch(settings: Settings, company: str, account: str, *, active: bool) -> str:
    async def work(core: Core, side: Company) -> str:
        await disable_account(core, side.id, account, active=active)
        return "enabled" if active else "disabled"

    return told(settings, company, work)


def rotate(settings: Settings, company: str, *, fresh: bool) -> str:
    async def work(core: Core) -> str:
        made = ""
        if fresh:
            purpose = Purpose.PROVIDER_SECRETS
            content, lead = installation.fresh_key(purpose), installation.lead_of(settings)
            number = await rotate_key(core, purpose, content, after=lead)
            await until_used(core, purpose, number)
            made = f"key {number} made; "
        side = await side_of(core, settings, company) if company else None
        written = await rotate_keys(core, side.id if side else "")
        said = f"{made}{written} rows sealed anew" if written else f"{made}nothing was older"
        return f"{heading(side)}\n{said}" if side else said

    return with_core(settings, work)
