"""Registered payees, by a person at the keyboard."""

import json as json_module
from typing import TYPE_CHECKING, Annotated

import typer

from kassa.cli.common import Company, Config, DatabaseUrl, DataDir, guarded, load_settings

if TYPE_CHECKING:
    from kassa.base.usecases.core import Core
    from kassa.identity.domain.principals import Company as Side
    from kassa.providers.domain.payees import Payee

payee_app = typer.Typer(
    no_args_is_help=True, help="Payees: the accounts that payments may be directed to."
)


_CLOSED = (
    "note: this is the first one. From now on a payment request that names any other payee is"
    " refused; kassa company show says so too"
)


def add_to(app: typer.Typer) -> None:
    """Register these commands."""
    app.add_typer(payee_app, name="payee")


@payee_app.command("add")
def payee_add(
    account_number: Annotated[str, typer.Argument(help="As printed. Shown by its end.")],
    account_type: Annotated[str, typer.Option("--type", help="bank_account, merchant, …")] = (
        "bank_account"
    ),
    name: Annotated[str, typer.Option(help="The account's holder.")] = "",
    bank: Annotated[str, typer.Option(help="The bank's name.")] = "",
    through: Annotated[
        str, typer.Option(help="The provider account that pays it out.  [default: any]")
    ] = "",
    company: Company = "",
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
    config: Config = None,
) -> None:
    """Register a payee. From the first one on, a request may name registered payees only.

    Of its number, a keyed hash is kept, and of a long one the last four characters. The whole is
    kept with each payment that asks for a bank transfer to it: the payer has to be told it.

    \b
    Examples:  kassa payee add 6222021234567890 --name "Lantern Tea House"
               kassa payee add DE89370400440532013000 --through stripe-eu
    """
    settings = load_settings(data_dir=data_dir, database_url=database_url, config=config)
    from kassa.cli.running import told  # noqa: PLC0415
    from kassa.providers.usecases.payees import (  # noqa: PLC0415
        NewPayee,
        register_payee,
        requires_payees,
    )

    async def work(core: "Core", side: "Side") -> str:
        wanted = NewPayee(
            company_id=side.id,
            account_type=account_type,
            account_number=account_number,
            account_name=name,
            bank_name=bank,
            provider_account=through,
        )
        was_required = await requires_payees(core, side.id)
        payee = await register_payee(core, wanted)
        said = f"{payee.id} {payee.account_shown}"
        return said if was_required else f"{said}\n{_CLOSED}"

    typer.echo(guarded(lambda: told(settings, company, work)))


@payee_app.command("list")
def payee_list(
    json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
    company: Company = "",
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
    config: Config = None,
) -> None:
    """Show the registered payees; their numbers are masked.

    Example:  kassa payee list
    """
    settings = load_settings(data_dir=data_dir, database_url=database_url, config=config)
    from kassa.cli.running import heading, with_side  # noqa: PLC0415
    from kassa.providers.usecases.payees import list_payees  # noqa: PLC0415

    async def work(core: "Core", side: "Side") -> str:
        found = [_plain(payee) for payee in await list_payees(core, side.id)]
        if json:
            return json_module.dumps([{"mode": side.mode, **one} for one in found], indent=2)
        lines = ["  ".join(str(value) for value in one.values() if value) for one in found]
        none = "no payees are registered: every payment goes to the company"
        return "\n".join([heading(side), *(lines or [none])])

    typer.echo(guarded(lambda: with_side(settings, company, work)))


def _plain(payee: "Payee") -> dict[str, str | None]:
    return {
        "id": payee.id,
        "account_type": payee.account_type,
        "account": payee.account_shown,
        "name": payee.account_name,
        "bank": payee.bank_name,
        "through": payee.provider_account or None,
        "status": "active" if payee.is_active else "disabled",
    }


@payee_app.command("disable")
def payee_disable(
    payee: Annotated[str, typer.Argument(help="Its id, payee_…")],
    company: Company = "",
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
    config: Config = None,
) -> None:
    """Let no further payment be directed to a payee.

    Example:  kassa payee disable payee_01kb…
    """
    settings = load_settings(data_dir=data_dir, database_url=database_url, config=config)
    from kassa.cli.running import told  # noqa: PLC0415
    from kassa.providers.usecases.payees import switch_payee  # noqa: PLC0415

    async def work(core: "Core", side: "Side") -> str:
        await switch_payee(core, side.id, payee, active=False)
        return "disabled"

    typer.echo(guarded(lambda: told(settings, company, work)))
