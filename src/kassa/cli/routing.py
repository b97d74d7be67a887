"""Routing rules, by a person at the keyboard."""

from typing import Annotated

import typer

from kassa.cli.common import Company, Config, DatabaseUrl, DataDir, guarded, load_settings


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command()(route)


def route(
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Explain which way a payment would take; send nothing."),
    ] = False,
    put: Annotated[
        str | None, typer.Option("--set", help="Put the rules of this TOML or JSON file in force.")
    ] = None,
    history: Annotated[bool, typer.Option("--history", help="Show every version.")] = False,
    method: Annotated[str, typer.Option(help="credit_card, alipay, upi, …")] = "credit_card",
    amount: Annotated[str, typer.Option(help="In major units.")] = "10.00",
    currency: Annotated[str, typer.Option(help="[default: the company's]")] = "",
    by: Annotated[str, typer.Option(help="What the payer gives: token, redirect or number.")] = "",
    country: Annotated[str, typer.Option(help="Where the payer is, such as IN.")] = "",
    card_prefix: Annotated[str, typer.Option(help="First digits, at most eight.")] = "",
    customer: Annotated[str, typer.Option(help="The merchant's id of the payer.")] = "",
    order: Annotated[str, typer.Option(help="Decides a share by weight.")] = "",
    manual: Annotated[bool, typer.Option("--manual", help="Reserve first, capture later.")] = False,
    json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
    company: Company = "",
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
    config: Config = None,
) -> None:
    """Show the routing rules, change them, or explain the way a payment would take.

    The first rule that fits decides. Its accounts are ordered by order, weight, fee (the lowest
    expected one) or success (most accepted lately); then those of `then`; "*" is all others.

    \b
    [[rules]]
    name = "small ones by weight"
    when = { method = ["credit_card"], currency = ["EUR"], amount_below = "50.00" }
    use = { stripe-eu = 70, cards-2 = 30 }
    by = "weight"
    then = ["*"]

    \b
    Examples:  kassa route
               kassa route --set rules.toml
               kassa route --dry-run --amount 49.90 --currency EUR --by token
    """
    settings = load_settings(data_dir=data_dir, database_url=database_url, config=config)
    from kassa.cli import ways  # noqa: PLC0415 - help needs none of it

    asked = ways.AskedWays(
        method=method,
        amount=amount,
        currency=currency,
        takes=by,
        country=country,
        card_prefix=card_prefix,
        customer=customer,
        order=order,
        manual=manual,
    )

    def work() -> str:
        if put is not None:
            return ways.put(settings, company, put)
        if dry_run:
            return ways.explain(settings, company, asked, as_json=json)
        return ways.show(settings, company, history=history, as_json=json)

    typer.echo(guarded(work))
