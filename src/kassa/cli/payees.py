"""Registered payees, by a person at the keyboard."""

import json as json_module
from typing import Annotated

import typer

from kassa.cli.common import Company, Config, DatabaseUrl, DataDir, guarded, load_settings

payee_app = typer.Typer(
    no_args_is_help=True, help="Payees: the accounts that payments may be directed to."
)


def add_to(app: typer.Typer) -> None:
    """Register these commands."""
    app.add_typer(payee_app, name="payee")


@payee_app.command("add")
def payee_add(
    account_number: Annotated[str, typer.Argument(help="As printed; kept as a keyed hash only.")],
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

    \b
    Examples:  kassa payee add 6222021234567890 --name "Lantern Tea House"
               kassa payee add DE89370400440532013000 --through stripe-eu
    """
    settings = load_settings(data_dir=data_dir, database_url=database_url, config=config)
    from kassa.cli.operations import company_id_of, with_core  # noqa: PLC0415
    from kassa.usecases.payees import NewPayee, register_payee  # noqa: PLC0415

    wanted = NewPayee(
        company_id=guarded(lambda: company_id_of(settings, company)),
        account_type=account_type,
        account_number=account_number,
        account_name=name,
        bank_name=bank,
        provider_account=through,
    )
    payee = guarded(lambda: with_core(settings, lambda core: register_payee(core, wanted)))
    typer.echo(f"{payee.id} {payee.account_shown}")


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
    from kassa.cli.operations import company_id_of, with_core  # noqa: PLC0415
    from kassa.usecases.payees import list_payees  # noqa: PLC0415

    company_id = guarded(lambda: company_id_of(settings, company))
    payees = guarded(lambda: with_core(settings, lambda core: list_payees(core, company_id)))
    plain = [
        {
            "id": payee.id,
            "account_type": payee.account_type,
            "account": payee.account_shown,
            "name": payee.account_name,
            "bank": payee.bank_name,
            "through": payee.provider_account or None,
            "status": "active" if payee.is_active else "disabled",
        }
        for payee in payees
    ]
    if json:
        typer.echo(json_module.dumps(plain, indent=2))
        return
    for one in plain or [{"": "no payees are registered: every payment goes to the company"}]:
        typer.echo("  ".join(str(value) for value in one.values() if value))


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
    from kassa.cli.operations import company_id_of, with_core  # noqa: PLC0415
    from kassa.usecases.payees import switch_payee  # noqa: PLC0415

    company_id = guarded(lambda: company_id_of(settings, company))
    guarded(
        lambda: with_core(
            settings, lambda core: switch_payee(core, company_id, payee, active=False)
        )
    )
    typer.echo("disabled")
