"""What the small commands do: each opens the database, runs one use case, and tells."""

import asyncio
import json
import os
import pwd
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from datetime import timedelta
from typing import Any, TypeVar

from kassa import assembly, demo
from kassa.base.domain.errors import InvalidRequest, KassaError
from kassa.base.domain.money import Money
from kassa.base.store.migrate import migrate
from kassa.base.usecases.bounds import named
from kassa.base.usecases.core import Core
from kassa.base.usecases.ids import new_id
from kassa.cli.serving import as_served, attach
from kassa.identity.domain.audit import Act, Acting
from kassa.identity.domain.principals import Company, Mode
from kassa.identity.usecases import audit, companies
from kassa.identity.usecases.credentials import MadeCredential, WantedCredential, make_credential
from kassa.payments.domain.payments import OFFLINE, Method, Payment
from kassa.payments.domain.restrictions import allows
from kassa.payments.usecases.find_payments import payments_of_order
from kassa.payments.usecases.record_payment import (
    Recording,
    accept_short_transfer,
    record_payment,
)
from kassa.settings import Settings
from kassa.wallet.usecases import wallet_users
from kassa.webhooks_out.usecases.signing import renew_secret, signing_secrets

Result = TypeVar("Result")


def with_core(settings: Settings, work: Callable[[Core], Awaitable[Result]]) -> Result:
    """Run `work` on the running database, or on the embedded one started for this command."""
    postgres, addresses = attach(settings)
    settings = as_served(settings, addresses)
    if settings.demo and settings.simulator_port:
        settings = demo.prepare(settings)

    async def run() -> Result:
        await migrate(addresses.owner_url, live=settings.live)
        async with assembly.open_core(settings, addresses.app_url) as core:
            audit.ACTING.set(Acting(f"os:{_system_user()}", address="local"))
            try:
                return await work(core)
            except KassaError as error:
                raise named(core, error) from None

    try:
        return asyncio.run(run())
    finally:
        if postgres is not None:
            postgres.stop()


def whoever_asks() -> str:
    """Who runs this command, as the books name them; to be asked while it runs."""
    acting = audit.ACTING.get()
    return f"operator:{acting.name}" if acting.kind == "os" else acting.who


def _system_user() -> str:
    """Whom the operating system runs this as; what the environment says counts for nothing."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # nobody's user id has a name here
        return str(os.getuid())


def migrate_database(settings: Settings) -> int:
    postgres, addresses = attach(settings)
    try:
        return asyncio.run(migrate(addresses.owner_url, live=settings.live))
    finally:
        if postgres is not None:
            postgres.stop()


def company_id_of(settings: Settings, company: str) -> str:
    """What --company says, or the demo company."""
    return company or str(demo.shown(settings)["company_id"])


Work = Callable[[Core, Company], Awaitable[Result]]


def with_side(settings: Settings, company: str, work: Work[Result]) -> Result:
    """Run `work` for the side that --company names: ID, ID:test or ID:live.

    Raises: NotFound.
    """
    name = company_id_of(settings, company)

    async def run(core: Core) -> Result:
        return await work(core, await companies.find_side(core, name))

    return with_core(settings, run)


def told(settings: Settings, company: str, work: Work[str]) -> str:
    """What `work` says to a person, below the line that says whose side it is of.

    Raises: NotFound.
    """

    async def run(core: Core, side: Company) -> str:
        return f"{heading(side)}\n{await work(core, side)}"

    return with_side(settings, company, run)


def heading(side: Company) -> str:
    """The line by which everything printed for a person says test or live; JSON and exports have
    `mode` instead."""
    return f"{side.mode} side of {side.public_id}"


async def modes_of(core: Core) -> dict[str, Mode]:
    """Of every side, by its id."""
    return {side.id: side.mode for side, _ in await companies.list_companies(core)}


OfMany = Callable[[Core, str | None, dict[str, Mode]], Awaitable[str]]


def told_of_many(settings: Settings, company: str | None, work: OfMany, *, as_json: bool) -> str:
    """What `work` says of the side that --company names, or with None of every side; it is given
    the mode of each, and says it beside each.

    Raises: NotFound.
    """

    async def run(core: Core) -> str:
        if not company:
            return await work(core, None, await modes_of(core))
        side = await companies.find_side(core, company)
        said = await work(core, side.id, {side.id: side.mode})
        return said if as_json else f"{heading(side)}\n{said}"

    return with_core(settings, run)


def record(
    settings: Settings,
    company: str,
    order_id: str,
    method: str,
    *,
    reference: str,
    by: str,
    accept_short: bool = False,
) -> str:
    """`by`: who says that the money is there, "" for whoever runs the command. `accept_short`: what
    came by transfer is taken for the whole."""
    word = method.lower().replace("-", "_").replace(" ", "_")
    if word not in set(OFFLINE):
        raise InvalidRequest(
            f"a payment is recorded as {', '.join(sorted(OFFLINE))}, not as {method!r}"
        )

    async def work(core: Core, side: Company) -> str:
        actor = f"operator:{by}" if by else whoever_asks()
        view = (await payments_of_order(core, side.id, order_id))[-1]
        if accept_short:
            key = side.id, view.payment.id
            return transferred(await accept_short_transfer(core, *key, actor=actor))
        payment = await record_payment(
            core,
            Recording(
                company_id=side.id,
                payment_id=view.payment.id,
                method=Method(word),
                actor=actor,
                reference=reference,
                by_staff=True,
            ),
        )
        said = f"{payment.id} {payment.status} {payment.amount} by {payment.method}"
        if not view.payment.is_paid and not allows(view.order.payment_methods, Method(word)):
            said += (
                f"\nnote: the order is to be paid by {view.order.payment_methods}, and not by"
                f" {word}; it is recorded, because you say that the money is there"
            )
        return said

    return told(settings, company, work)


def transferred(payment: Payment) -> str:
    """What transfers have made of a payment."""
    said = f"{payment.id} {payment.status}: captured {payment.captured} of {payment.amount}"
    if payment.unapplied_minor:
        said += f"; {payment.unapplied} came, {payment.missing} are missing"
    if payment.surplus_left.minor:
        said += f"; {payment.surplus_left} are to go back"
    return said


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
