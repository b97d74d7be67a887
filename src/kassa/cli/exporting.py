"""`kassa export`: the books for an accountant, as CSV or Parquet."""

import sys
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Annotated

import typer

from kassa.cli import people
from kassa.cli.common import Company, Config, DatabaseUrl, DataDir, guarded, load_settings

if TYPE_CHECKING:
    from kassa.base.usecases.core import Core
    from kassa.identity.domain.principals import Company as Side
    from kassa.ledger.usecases.export import Export

_app = typer.Typer(no_args_is_help=True, help="The books for an accountant: CSV or Parquet.")

From = Annotated[str | None, typer.Option("--from", help="A date or time.  [default: ever]")]
Until = Annotated[str | None, typer.Option(help="Before this date or time.  [default: now]")]
Format = Annotated[str, typer.Option("--format", help="csv or parquet")]
Output = Annotated[str, typer.Option(help="The file to write.  [default: standard output]")]
Force = Annotated[bool, typer.Option("--force", help="Overwrite the file.")]
Bom = Annotated[bool, typer.Option("--bom", help="Begin a CSV with the mark of UTF-8.")]


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    app.add_typer(_app, name="export")
    people.add_to(app, _app)


@_app.command("trial-balance")
def trial_balance(
    start: From = None,
    until: Until = None,
    kind: Format = "csv",
    output: Output = "",
    force: Force = False,
    bom: Bom = False,
    company: Company = "",
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
    config: Config = None,
) -> None:
    """Per account and currency: opening, debits, credits, closing. Exit 1 if they do not balance.

    \b
    Examples:  kassa export trial-balance
               kassa export trial-balance --from 2026-11-01 --until 2026-12-01 --output nov.csv
    """
    settings = load_settings(data_dir=data_dir, database_url=database_url, config=config)
    from kassa.cli import saving  # noqa: PLC0415 - help needs none of it
    from kassa.ledger.usecases import export  # noqa: PLC0415

    span = saving.span_of(start, until)
    target = saving.Target(kind, output, force=force, bom=bom)

    def opened(core: "Core", side: "Side") -> "AbstractAsyncContextManager[Export]":
        return export.export_trial_balance(core, side.id, span)

    sys.exit(guarded(lambda: saving.save(settings, company, opened, target)))


@_app.command()
def journal(
    start: From = None,
    until: Until = None,
    kind: Format = "csv",
    output: Output = "",
    force: Force = False,
    bom: Bom = False,
    company: Company = "",
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
    config: Config = None,
) -> None:
    """Every posting of the ledger, a row per entry, in the order of booking.

    As in every export, the last column says in each row whether it is of the test or the live side.

    \b
    Examples:  kassa export journal --output journal.csv
               kassa export journal --from 2026-11-01 --format parquet --output nov.parquet
    """
    settings = load_settings(data_dir=data_dir, database_url=database_url, config=config)
    from kassa.cli import saving  # noqa: PLC0415
    from kassa.ledger.usecases import export  # noqa: PLC0415

    span = saving.span_of(start, until)
    target = saving.Target(kind, output, force=force, bom=bom)

    def opened(core: "Core", side: "Side") -> "AbstractAsyncContextManager[Export]":
        return export.export_journal(core, side.id, span)

    sys.exit(guarded(lambda: saving.save(settings, company, opened, target)))


@_app.command()
def settlement(
    name: Annotated[str, typer.Argument(help="Its id, its number or its payout's reference.")],
    kind: Format = "csv",
    output: Output = "",
    force: Force = False,
    bom: Bom = False,
    company: Company = "",
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
    config: Config = None,
) -> None:
    """A settlement's figures and the movements in it. Exit 1 if the two do not agree.

    Example:  kassa export settlement 12 --output settlement-12.csv
    """
    settings = load_settings(data_dir=data_dir, database_url=database_url, config=config)
    from kassa.cli import saving  # noqa: PLC0415
    from kassa.ledger.usecases import export  # noqa: PLC0415

    target = saving.Target(kind, output, force=force, bom=bom)

    def opened(core: "Core", side: "Side") -> "AbstractAsyncContextManager[Export]":
        return export.export_settlement(core, side.id, name)

    sys.exit(guarded(lambda: saving.save(settings, company, opened, target)))
