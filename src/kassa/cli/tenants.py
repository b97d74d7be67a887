"""`kassa company`: companies and their two sides, test and live."""

from typing import Annotated

import typer

from kassa.cli.common import (
    Company,
    Config,
    DatabaseUrl,
    DataDir,
    Live,
    Sandbox,
    guarded,
    load_settings,
    mode_of,
)

company_app = typer.Typer(
    no_args_is_help=True, help="Companies: add, give another side, show, list, close, open."
)


def add_to(app: typer.Typer) -> None:
    """Register these commands."""
    app.add_typer(company_app, name="company")


@company_app.command("add")
def company_add(
    name: Annotated[str, typer.Argument(help="As payers read it on the cashier page.")],
    currency: Annotated[str, typer.Option(help="Where a request names none.")] = "USD",
    company: Annotated[str, typer.Option(help="Its id.  [default: made]")] = "",
    live: Live = False,
    sandbox: Sandbox = False,
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
    config: Config = None,
) -> None:
    """Make a company with an API key and an orders client; shown once, as JSON.

    It begins with its test side, or with --live with its live side; kassa company side adds the
    other one.

    \b
    Examples:  kassa company add "Lantern Tea House" --currency CNY --sandbox
               kassa company add "Lantern Tea House" --currency CNY --live
    """
    settings = load_settings(data_dir=data_dir, database_url=database_url, config=config)
    from kassa.cli import operations  # noqa: PLC0415

    mode = mode_of(live=live)
    typer.echo(
        guarded(
            lambda: operations.add_company(
                settings, company, name, currency, mode=mode, sandbox=sandbox
            )
        )
    )


@company_app.command("side")
def company_side(
    company: Annotated[str, typer.Argument(help="Its id.")],
    live: Live = False,
    sandbox: Sandbox = False,
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
    config: Config = None,
) -> None:
    """Give a company its other side, with an API key and an orders client; shown once, as JSON.

    The two sides share the company's name and nothing else: no order, credential, account or
    balance of one is known on the other. Real money moves on the live side alone.

    \b
    Examples:  kassa company side cmp_01kb… --live
               kassa company side cmp_01kb… --test --sandbox
    """
    settings = load_settings(data_dir=data_dir, database_url=database_url, config=config)
    from kassa.cli import operations  # noqa: PLC0415

    mode = mode_of(live=live)
    typer.echo(guarded(lambda: operations.add_side(settings, company, mode=mode, sandbox=sandbox)))


@company_app.command("show")
def company_show(
    company: Company = "",
    json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
    config: Config = None,
) -> None:
    """Show one side of a company, and whether its payments may go to registered payees only.

    Example:  kassa company show --company cmp_01kb…:live
    """
    settings = load_settings(data_dir=data_dir, database_url=database_url, config=config)
    from kassa.cli import operations  # noqa: PLC0415

    typer.echo(guarded(lambda: operations.show_company(settings, company, as_json=json)))


@company_app.command("list")
def company_list(
    json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
    config: Config = None,
) -> None:
    """Show every side of every company. SIDE is what --company names.

    Example:  kassa company list
    """
    settings = load_settings(data_dir=data_dir, database_url=database_url, config=config)
    from kassa.cli import operations  # noqa: PLC0415

    typer.echo(guarded(lambda: operations.list_companies(settings, as_json=json)))


@company_app.command("sandbox")
def company_sandbox(
    company: Annotated[str, typer.Argument(help="The id of its test side.")],
    on: Annotated[bool, typer.Option("--on/--off", help="Give it, or take it away.")] = True,
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
    config: Config = None,
) -> None:
    """Let a test side pay with the built-in sandbox's cards, or no longer, within a second.

    \b
    Examples:  kassa company sandbox cmp_01kb…
               kassa company sandbox cmp_01kb… --off
    """
    settings = load_settings(data_dir=data_dir, database_url=database_url, config=config)
    from kassa.cli import operations  # noqa: PLC0415

    typer.echo(guarded(lambda: operations.give_sandbox(settings, company, given=on)))


@company_app.command("close")
def company_close(
    company: Annotated[str, typer.Argument(help="Its id, or ID:live.")],
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
    config: Config = None,
) -> None:
    """Close one side of a company to all its clients, within a second.

    Example:  kassa company close cmp_01kb…
    """
    settings = load_settings(data_dir=data_dir, database_url=database_url, config=config)
    from kassa.cli import operations  # noqa: PLC0415

    typer.echo(guarded(lambda: operations.set_company(settings, company, closed=True)))


@company_app.command("open")
def company_open(
    company: Annotated[str, typer.Argument(help="Its id, or ID:live.")],
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
    config: Config = None,
) -> None:
    """Open the closed side of a company again.

    Example:  kassa company open cmp_01kb…
    """
    settings = load_settings(data_dir=data_dir, database_url=database_url, config=config)
    from kassa.cli import operations  # noqa: PLC0415

    typer.echo(guarded(lambda: operations.set_company(settings, company, closed=False)))
