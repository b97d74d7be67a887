"""What is known of a customer: shown to them, or erased, by a person at the keyboard."""

from typing import Annotated

import typer

from kassa.cli.common import Company, Config, DatabaseUrl, DataDir, guarded, load_settings

_erase = typer.Typer(no_args_is_help=True, help="Erase what is known of somebody.")

Customer = Annotated[
    str, typer.Argument(help="The customer's id, or the id of an order that is for them.")
]


def add_to(app: typer.Typer, export: typer.Typer) -> None:
    """Register these commands."""
    app.add_typer(_erase, name="erase")
    export.command("customer")(export_customer)


@_erase.command("customer")
def erase_customer(
    customer: Customer,
    company: Company = "",
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
    config: Config = None,
) -> None:
    """Destroy the keys of what a customer's orders say of them; print the certificate, as JSON.

    The orders, and the books, stay as they are and can still be proved. It cannot be undone.

    \b
    Examples:  kassa erase customer cus_41
               kassa erase customer order_01k… --company cmp_01k…:live
    """
    settings = load_settings(data_dir=data_dir, database_url=database_url, config=config)
    from kassa.cli import persons  # noqa: PLC0415 - help needs none of it

    said, whose = guarded(lambda: persons.erase(settings, company, customer))
    typer.echo(said)
    typer.echo(whose, err=True)


def export_customer(
    customer: Customer,
    company: Company = "",
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
    config: Config = None,
) -> None:
    """Print what a customer's orders and payments say of them, as JSON.

    Example:  kassa export customer cus_41
    """
    settings = load_settings(data_dir=data_dir, database_url=database_url, config=config)
    from kassa.cli import persons  # noqa: PLC0415 - help needs none of it

    said, whose = guarded(lambda: persons.export(settings, company, customer))
    typer.echo(said)
    typer.echo(whose, err=True)
