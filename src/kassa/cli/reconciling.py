"""`kassa reconcile` and `kassa breaks`: reports of providers and banks, and what does not agree."""

import sys
from typing import Annotated

import typer

from kassa.cli.common import Company, Config, DatabaseUrl, DataDir, guarded, load_settings

_breaks = typer.Typer(
    invoke_without_command=True, help="What does not agree: list, assign, resolve."
)

Columns = Annotated[
    list[str] | None,
    typer.Option(
        metavar="OURS=HEADER",
        help="Of csv: which column holds what; OURS==WORD is that word on every line.",
    ),
]
Words = Annotated[
    list[str] | None,
    typer.Option(metavar="WORD=KIND", help="Of csv: what a word in the kind column means."),
]
Id = Annotated[str, typer.Argument(help="The break's id, br_…")]


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    app.command()(reconcile)
    app.add_typer(_breaks, name="breaks")


def reconcile(
    file: Annotated[str, typer.Argument(help="The report, as the provider or the bank made it.")],
    kind: Annotated[
        str,
        typer.Option(
            "--format",
            help="camt.053, .052, .054, csv, or a provider's own: kassa connectors list.",
        ),
    ],
    account: Annotated[
        str,
        typer.Option(help="The provider account that reports; bank.  [default: as the format]"),
    ] = "",
    column: Columns = None,
    word: Words = None,
    currency: Annotated[str, typer.Option(help="Where the file names none.")] = "",
    delimiter: Annotated[str, typer.Option(help="Of csv.")] = ",",
    decimal: Annotated[str, typer.Option(help="The mark before the cents, . or ,")] = ".",
    encoding: Annotated[str, typer.Option(help="Of csv.")] = "utf-8",
    time_zone: Annotated[str, typer.Option(help="Of times that name none.")] = "UTC",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would happen, and change nothing.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="As one JSON object.")] = False,
    company: Company = "",
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
    config: Config = None,
) -> None:
    """Lay a report beside the books: what agrees is settled, what does not becomes a break.

    Exit 0 when nothing of it is open, 1 when there are breaks. The same file again changes
    nothing; one that was cut off goes on where it stopped.

    \b
    Examples:  kassa reconcile payouts.csv --format stripe
               kassa reconcile may.xml --format camt.053 --dry-run
               kassa reconcile bill.csv --format alipay --time-zone Asia/Shanghai
               kassa reconcile acme.csv --format csv --account acme --currency CNY
                 --column kind==payment --column amount=Amount --column our_reference="Order no"
               kassa reconcile umsatz.csv --format csv --account acme --currency EUR
                 --delimiter ";" --decimal , --column kind==payment --column amount=Betrag
    """
    settings = load_settings(data_dir=data_dir, database_url=database_url, config=config)
    from kassa.cli import reporting  # noqa: PLC0415 - help needs none of it

    declared = reporting.declare(
        kind,
        column or [],
        word or [],
        currency=currency,
        decimal=decimal,
        delimiter=delimiter,
        encoding=encoding,
        time_zone=time_zone,
    )
    sys.exit(
        guarded(
            lambda: reporting.reconcile(
                settings, company, file, declared, account, dry_run=dry_run, as_json=json
            )
        )
    )


@_breaks.callback()
def breaks(
    context: typer.Context,
    everything: Annotated[bool, typer.Option("--all", help="The resolved ones too.")] = False,
    problem: Annotated[str | None, typer.Option("--class", help="Only of this class.")] = None,
    owner: Annotated[str | None, typer.Option(help="Only those of this person.")] = None,
    json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
    company: Company = "",
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
    config: Config = None,
) -> None:
    """What does not agree between reports and the books, the oldest first.

    \b
    Examples:  kassa breaks
               kassa breaks --class amount --json
               kassa breaks assign br_01k… ann
               kassa breaks resolve br_01k… --because "the bank's charge, booked by hand"
    """
    if context.invoked_subcommand is not None:
        return
    settings = load_settings(data_dir=data_dir, database_url=database_url, config=config)
    from kassa.cli import reporting  # noqa: PLC0415

    text = guarded(
        lambda: reporting.list_all(
            settings, company, everything=everything, problem=problem, owner=owner, as_json=json
        )
    )
    typer.echo(text, nl=bool(text))


@_breaks.command()
def assign(
    item: Id,
    name: Annotated[str, typer.Argument(help="Who looks into it; empty for nobody.")],
    company: Company = "",
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
    config: Config = None,
) -> None:
    """Give a break to somebody.

    Example:  kassa breaks assign br_01k… ann
    """
    settings = load_settings(data_dir=data_dir, database_url=database_url, config=config)
    from kassa.cli import reporting  # noqa: PLC0415

    typer.echo(guarded(lambda: reporting.assign(settings, company, item, name)))


@_breaks.command()
def match(
    item: Id,
    order: Annotated[str, typer.Argument(help="The order, or payment, that the transfer is for.")],
    company: Company = "",
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
    config: Config = None,
) -> None:
    """Take the bank's line of a break for a transfer of that order, in whatever amount it is.

    As if the transfer's reference stood in it: what is owed is paid, more has to go back, less
    waits for the rest. Money that left is put to a refund that kassa refund has booked.

    Example:  kassa breaks match br_01k… order_01kb…
    """
    settings = load_settings(data_dir=data_dir, database_url=database_url, config=config)
    from kassa.cli import reporting  # noqa: PLC0415

    typer.echo(guarded(lambda: reporting.match(settings, company, item, order)))


@_breaks.command()
def resolve(
    item: Id,
    because: Annotated[str, typer.Option(help="Why it is right now.")],
    debit: Annotated[str, typer.Option(help="Book money to this account…")] = "",
    credit: Annotated[str, typer.Option(help="…from this one.")] = "",
    amount: Annotated[str, typer.Option(help="In major units: 1.00")] = "",
    currency: Annotated[str, typer.Option(help="[default: the break's]")] = "",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show the posting, and change nothing.")
    ] = False,
    company: Company = "",
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
    config: Config = None,
) -> None:
    """Close a break with words, and with a new posting where the books were wrong.

    Accounts: bank, cash, surplus, suspense, fee_income, fee_expense, provider:NAME and
    merchant:BUSINESS.

    \b
    Examples:  kassa breaks resolve br_01k… --because "their double entry, reversed next day"
               kassa breaks resolve br_01k… --because "a charge of May" --debit fee_expense
                 --credit provider:stripe --amount 12.00 --currency EUR --dry-run
    """
    settings = load_settings(data_dir=data_dir, database_url=database_url, config=config)
    from kassa.cli import reporting  # noqa: PLC0415

    told = guarded(
        lambda: reporting.resolve(
            settings,
            company,
            item,
            because,
            booked=(debit, credit, amount, currency),
            dry_run=dry_run,
        )
    )
    typer.echo(told)
