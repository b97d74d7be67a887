"""Fees, settlements and their payouts, by a person at the keyboard."""

from typing import Annotated

import typer

from kassa.cli.common import Company, Config, DatabaseUrl, DataDir, guarded, load_settings

fee_app = typer.Typer(no_args_is_help=True, help="Fees: what providers are expected to charge.")
settlement_app = typer.Typer(
    no_args_is_help=True, help="Settlements: what providers owe, and what they have paid out."
)

AsJson = Annotated[bool, typer.Option("--json", help="As JSON, amounts in minor units.")]
AnyCompany = Annotated[
    str | None, typer.Option(help="Its id, or ID:live.  [default: every company]")
]
Settlement = Annotated[str, typer.Argument(help="Its id, st_…, or its number.")]


def add_to(app: typer.Typer) -> None:
    """Register these commands."""
    app.command()(settle)
    app.add_typer(settlement_app, name="settlement")
    app.add_typer(fee_app, name="fee")


def settle(
    company: AnyCompany = None,
    until: Annotated[
        str | None, typer.Option(help="Only what moved before: 2026-11-22 or with a time.")
    ] = None,
    json: AsJson = False,
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
    config: Config = None,
) -> None:
    """Close the open settlements: gather what moved at each provider account.

    What comes to less than nothing is carried over to the next one. Running it again is harmless.

    \b
    Examples:  kassa settle
               kassa settle --company cmp_01k… --until 2026-11-22
    """
    settings = load_settings(data_dir=data_dir, database_url=database_url, config=config)
    from kassa.cli import statements  # noqa: PLC0415 - help needs none of it

    typer.echo(guarded(lambda: statements.settle(settings, company, until, as_json=json)))


@settlement_app.command("list")
def settlement_list(
    company: AnyCompany = None,
    status: Annotated[
        str | None, typer.Option(help="open, closed, paid, failed or carried")
    ] = None,
    limit: Annotated[int, typer.Option(help="At most so many.")] = 100,
    json: AsJson = False,
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
    config: Config = None,
) -> None:
    """Show settlements: the open ones, with what waits for them, then the newest first.

    \b
    Examples:  kassa settlement list
               kassa settlement list --status closed --json
    """
    settings = load_settings(data_dir=data_dir, database_url=database_url, config=config)
    from kassa.cli import statements  # noqa: PLC0415 - help needs none of it

    typer.echo(guarded(lambda: statements.list_all(settings, company, status, limit, as_json=json)))


@settlement_app.command("show")
def settlement_show(
    settlement: Settlement,
    json: AsJson = False,
    company: Company = "",
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
    config: Config = None,
) -> None:
    """Show one settlement: every movement in it, its sums, and its payouts.

    \b
    Examples:  kassa settlement show 12
               kassa settlement show st_01k… --json
    """
    settings = load_settings(data_dir=data_dir, database_url=database_url, config=config)
    from kassa.cli import statements  # noqa: PLC0415 - help needs none of it

    guarded(lambda: statements.show(settings, company, settlement, typer.echo, as_json=json))


@settlement_app.command("paid")
def settlement_paid(
    settlement: Settlement,
    payout: Annotated[str, typer.Option(help="What the provider calls the payout.")],
    at: Annotated[str | None, typer.Option(help="When it arrived.  [default: now]")] = None,
    company: Company = "",
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
    config: Config = None,
) -> None:
    """Record that its payout has arrived at the bank; one balanced posting.

    Said again with the same payout, it changes nothing.

    \b
    Examples:  kassa settlement paid 12 --payout po_20261122
               kassa settlement paid st_01k… --payout po_20261122 --at 2026-11-22T09:00:00Z
    """
    settings = load_settings(data_dir=data_dir, database_url=database_url, config=config)
    from kassa.cli import statements  # noqa: PLC0415 - help needs none of it

    typer.echo(guarded(lambda: statements.paid(settings, company, settlement, payout, at)))


@settlement_app.command("failed")
def settlement_failed(
    settlement: Settlement,
    company: Company = "",
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
    config: Config = None,
) -> None:
    """Record that its payout did not arrive, or that the bank sent it back.

    \b
    Example:  kassa settlement failed 12
    """
    settings = load_settings(data_dir=data_dir, database_url=database_url, config=config)
    from kassa.cli import statements  # noqa: PLC0415 - help needs none of it

    typer.echo(guarded(lambda: statements.failed(settings, company, settlement)))


@fee_app.command("add")
def fee_add(
    kind: Annotated[str, typer.Option(help="payment, refund or dispute")],
    currency: Annotated[str, typer.Option(help="ISO 4217: CNY")],
    percent: Annotated[str, typer.Option(help="At most 4 decimals: 2.9")] = "0",
    fixed: Annotated[str, typer.Option(help="For each one, in major units: 0.30")] = "0",
    connector: Annotated[str, typer.Option(help="A provider.  [default: any]")] = "",
    method: Annotated[str, typer.Option(help="credit_card, …  [default: any]")] = "",
    begins: Annotated[
        str | None, typer.Option("--from", help="Its first moment.  [default: now]")
    ] = None,
    until: Annotated[str | None, typer.Option(help="It ends before.  [default: open]")] = None,
    company: Company = "",
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
    config: Config = None,
) -> None:
    """Add a rule of what is expected to be charged, until a provider's own figure is known.

    The rule that names a provider and a method counts before one for any; of equals, the one that
    began last. A new price is a new rule.

    \b
    Examples:  kassa fee add --kind payment --currency CNY --percent 2.9 --fixed 0.30
               kassa fee add --kind dispute --currency USD --fixed 15 --connector sandbox
    """
    settings = load_settings(data_dir=data_dir, database_url=database_url, config=config)
    from kassa.cli import statements  # noqa: PLC0415 - help needs none of it

    said = {
        "kind": kind,
        "connector": connector,
        "method": method,
        "currency": currency,
        "percent": percent,
        "fixed": fixed,
    }
    typer.echo(guarded(lambda: statements.add_rule(settings, company, said, begins, until)))


@fee_app.command("list")
def fee_list(
    json: AsJson = False,
    company: Company = "",
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
    config: Config = None,
) -> None:
    """Show a company's rules, past ones too.

    \b
    Example:  kassa fee list --json
    """
    settings = load_settings(data_dir=data_dir, database_url=database_url, config=config)
    from kassa.cli import statements  # noqa: PLC0415 - help needs none of it

    typer.echo(guarded(lambda: statements.rules(settings, company, as_json=json)))


@fee_app.command("end")
def fee_end(
    rule: Annotated[str, typer.Argument(help="Its id, fee_…")],
    at: Annotated[str | None, typer.Option(help="It counts until before.  [default: now]")] = None,
    company: Company = "",
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
    config: Config = None,
) -> None:
    """End a rule. What was booked by it stays booked.

    \b
    Example:  kassa fee end fee_01k… --at 2026-12-31
    """
    settings = load_settings(data_dir=data_dir, database_url=database_url, config=config)
    from kassa.cli import statements  # noqa: PLC0415 - help needs none of it

    typer.echo(guarded(lambda: statements.end_rule(settings, company, rule, at)))


@fee_app.command("variance")
def fee_variance(
    company: AnyCompany = None,
    worst: Annotated[int, typer.Option(help="So many payments of each currency.")] = 10,
    json: AsJson = False,
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
    config: Config = None,
) -> None:
    """Show how far the booked fees are from the rules, and the payments that are furthest off.

    \b
    Examples:  kassa fee variance
               kassa fee variance --company cmp_01k… --worst 50 --json
    """
    settings = load_settings(data_dir=data_dir, database_url=database_url, config=config)
    from kassa.cli import statements  # noqa: PLC0415 - help needs none of it

    typer.echo(guarded(lambda: statements.variance(settings, company, worst, as_json=json)))
