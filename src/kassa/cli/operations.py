"""What the small commands do: each opens the database, runs one use case, and tells."""

import asyncio
import json
from dataclasses import asdict
from datetime import timedelta
from typing import Any

from kassa.base.domain.errors import InvalidRequest
from kassa.base.domain.money import Money
from kassa.base.store.migrate import migrate
from kassa.base.usecases.core import Core
from kassa.base.usecases.ids import new_id
from kassa.cli.running import (
    heading,
    told,
    with_core,
    with_side,
)
from kassa.cli.serving import attach
from kassa.identity.domain.audit import Act
from kassa.identity.domain.principals import Company, Mode
from kassa.identity.usecases import audit, companies
from kassa.identity.usecases.credentials import MadeCredential, WantedCredential, make_credential
from kassa.providers.usecases.payees import requires_payees
from kassa.settings import Settings
from kassa.wallet.usecases import wallet_users
from kassa.webhooks_out.usecases.signing import renew_secret, signing_secrets

PAYEES_REQUIRED = "required: a payment request may name registered payees only (kassa payee list)"
PAYEES_FREE = "not required: whatever payee a request names, the company is paid"


def migrate_database(settings: Settings) -> int:
    postgres, addresses = attach(settings)
    try:
        return asyncio.run(migrate(addresses.owner_url, live=settings.live))
    finally:
        if postgres is not None:
            postgres.stop()


def add_company(
    settings: Settings, company: str, name: str, currency: str, *, mode: Mode, sandbox: bool
) -> str:
    """The new company, or its other side, with its first credentials, as JSON."""

    async def work(core: Core) -> str:
        wanted = companies.NewCompany(
            id=company or new_id("cmp"),
            business_id=new_id("biz"),
            name=name,
            currency=currency,
            mode=mode,
            sandbox=sandbox,
        )
        made = await companies.add_company(core, wanted)
        if made.name != name or made.currency != currency:
            raise InvalidRequest(f"there is another company of the id {made.public_id!r}")
        return await _introduce(core, made)

    return with_core(settings, work)


async def _introduce(core: Core, made: Company) -> str:
    shown: dict[str, Any] = {
        "company_id": made.public_id,
        "side": made.id,
        "mode": made.mode,
        "sandbox": made.sandbox,
        "business_id": made.business_id,
        "org_id": made.number,
    }
    for kind in ("api_key", "orders_client"):
        shown |= told_once(await make_credential(core, made, WantedCredential(kind=kind)))
    return json.dumps(shown, indent=2)


def told_once(made: MadeCredential) -> dict[str, Any]:
    """A new credential, by the names that its holder's program has for it."""
    match made.kind:
        case "api_key":
            return {"api_key": made.secret}
        case "orders_client":
            return {"orders": {"client_id": made.name, "client_secret": made.secret}}
        case "wallet_client":
            return {"wallet": {"client_id": made.name, "key_version": made.key_version}}
        case _:
            return {"jwt": {"kid": made.name, "alg": "ES256", "aud": "kassa"}}


def add_side(settings: Settings, company: str, *, mode: Mode, sandbox: bool) -> str:
    """The other side of a company that there is, with its first credentials, as JSON."""

    async def work(core: Core) -> str:
        return await _introduce(core, await companies.add_side(core, company, mode, sandbox))

    return with_core(settings, work)


def show_company(settings: Settings, company: str, *, as_json: bool) -> str:
    """One side of a company: what it is, and to whom its payments may go."""

    async def work(core: Core, side: Company) -> str:
        listed = await companies.list_companies(core)
        status = next(status for one, status in listed if one.id == side.id)
        required = await requires_payees(core, side.id)
        if as_json:
            plain = {**asdict(side), "status": status, "payees_required": required}
            return json.dumps(plain, indent=2)
        lines = {
            "side": side.id,
            "name": side.name,
            "currency": side.currency,
            "business": side.business_id,
            "org_id": side.number,
            "status": status,
            "sandbox": "given" if side.sandbox else "-",
            "payees": PAYEES_REQUIRED if required else PAYEES_FREE,
        }
        return "\n".join([heading(side), *(f"{name:10}{said}" for name, said in lines.items())])

    return with_side(settings, company, work)


def list_companies(settings: Settings, *, as_json: bool) -> str:
    """Every side of every company: what it is called, and what it may do."""
    found = with_core(settings, companies.list_companies)
    if as_json:
        plain = [{**asdict(company), "status": status} for company, status in found]
        return json.dumps(plain, indent=2)
    if not found:
        return "no companies; add one with kassa company add"
    rows = [("SIDE", "MODE", "SANDBOX", "STATUS", "COMPANY", "NAME")]
    rows += [
        (
            company.id,
            company.mode.value,
            "given" if company.sandbox else "-",
            status,
            company.public_id,
            company.name,
        )
        for company, status in found
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )


def give_sandbox(settings: Settings, company: str, *, given: bool) -> str:
    async def work(core: Core, side: Company) -> str:
        await companies.give_sandbox(core, side.id, given=given)
        return "the sandbox is given" if given else "the sandbox is taken away"

    return told(settings, company, work)


def set_company(settings: Settings, company: str, *, closed: bool) -> str:
    async def work(core: Core, side: Company) -> str:
        await companies.close_company(core, side.id, closed=closed)
        return "closed" if closed else "open"

    return told(settings, company, work)


def webhook_secret(settings: Settings, company: str, renewed: int | None) -> tuple[str, str]:
    """The secret, alone so that a script can take it, and whose it is. `renewed`: make a new one,
    and sign with the old one as well for so many hours."""

    async def work(core: Core, side: Company) -> tuple[str, str]:
        from kassa.faces.orders import notify  # noqa: PLC0415 - other commands need no interface

        if renewed is None:
            await audit.note_alone(core, Act.SECRET_SHOWN, side.id)
            secret = (await signing_secrets(core, side.id))[0]
        else:
            secret = await renew_secret(core, side.id, timedelta(hours=renewed))
        return notify.write_secret(secret), heading(side)

    return with_side(settings, company, work)


def add_wallet_user(settings: Settings, company: str, user: str, auth_code: str) -> str:
    async def work(core: Core, side: Company) -> str:
        await wallet_users.add_wallet_user(core, side.id, user, auth_code)
        return f"{user} is ready"

    return told(settings, company, work)


def top_up(settings: Settings, company: str, user: str, amount: str, currency: str) -> str:
    async def work(core: Core, side: Company) -> str:
        money = Money.from_major(amount, currency)
        balance = await wallet_users.top_up(core, side.id, user, money)
        return f"{user} has {Money(balance, currency)}"

    return told(settings, company, work)


def show_wallet(settings: Settings, company: str, user: str) -> str:
    async def work(core: Core, side: Company) -> str:
        found = await wallet_users.holdings_of(core, side.id, user)
        lines = [
            f"{user} has {Money(one.balance_minor, one.currency)},"
            f" besides {Money(one.held_minor, one.currency)} reserved;"
            f" spent today {Money(one.spent_today_minor, one.currency)}"
            for one in found
        ]
        return "\n".join(lines) or f"{user} has no balance yet"

    return told(settings, company, work)


def set_wallet_status(settings: Settings, company: str, user: str, status: str) -> str:
    async def work(core: Core, side: Company) -> str:
        await wallet_users.set_wallet_user_status(core, side.id, user, status)
        return f"{user} is {status}"

    return told(settings, company, work)
