"""Refunds, captures and voids by a person at the keyboard, and the disputes that wait for one."""

from typing import Annotated

import typer

from kassa.cli.common import Company, Config, DatabaseUrl, DataDir, guarded, load_settings

dispute_app = typer.Typer(no_args_is_help=True, help="Disputes: what a payer's bank took back.")

Payment = Annotated[str, typer.Argument(help="The payment's id, py_…")]
Amount = Annotated[str | None, typer.Option(help="In major units.  [default: all that is left]")]
RequestId = Annotated[
    str | None, typer.Option(help="Your own id of it: repeated, it is done once.")
]


def add_to(app: typer.Typer) -> None:
    """Register these commands."""
    app.command()(refund)
    app.command()(capture)
    app.command()(void)
    app.add_typer(dispute_app, name="dispute")


def refund(
    payment: Payment,
    amount: Amount = None,
    because: Annotated[str, typer.Option(help="Kept with the refund.")] = "",
    request_id: RequestId = None,
    unapplied: Annotated[
        bool,
        typer.Option(
            "--unapplied", help="What transfers brought and nobody owes: you have sent it back."
        ),
    ] = False,
    company: Company = "",
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
    config: Config = None,
) -> None:
    """Give captured money back to the payer, whole or in part.

    A bank gives nothing back by itself: your people send it, and the statement confirms it. With
    --unapplied that is all that transfers brought beside what is paid: too much, too late, or a
    part of what is still owed, which ends the payment.

    \b
    Examples:  kassa refund py_01k… --amount 12.50 --because "one item short"
               kassa refund py_01k… --request-id return-4711
               kassa refund py_01k… --unapplied --because "paid 50.00 too much"
    """
    settings = load_settings(data_dir=data_dir, database_url=database_url, config=config)
    wanted = ("refund", amount, because, request_id, True)
    from kassa.cli import changes  # noqa: PLC0415 - help needs none of it

    if unapplied:
        plain = amount is None and request_id is None
        typer.echo(
            guarded(lambda: changes.unapplied(settings, company, payment, because, plain=plain))
        )
        return
    typer.echo(guarded(lambda: changes.modify(settings, company, payment, *wanted)))


def capture(
    payment: Payment,
    amount: Amount = None,
    more_to_come: Annotated[
        bool, typer.Option("--more-to-come", help="Keep the rest reserved for another capture.")
    ] = False,
    request_id: RequestId = None,
    company: Company = "",
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
    config: Config = None,
) -> None:
    """Claim what was reserved, whole or in part; the rest is let go.

    Example:  kassa capture py_01k… --amount 80.00
    """
    settings = load_settings(data_dir=data_dir, database_url=database_url, config=config)
    wanted = ("capture", amount, "", request_id, not more_to_come)
    from kassa.cli import changes  # noqa: PLC0415 - help needs none of it

    typer.echo(guarded(lambda: changes.modify(settings, company, payment, *wanted)))


def void(
    payment: Payment,
    request_id: RequestId = None,
    company: Company = "",
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
    config: Config = None,
) -> None:
    """Let go of what was reserved and not captured.

    Example:  kassa void py_01k…
    """
    settings = load_settings(data_dir=data_dir, database_url=database_url, config=config)
    wanted = ("void", None, "", request_id, True)
    from kassa.cli import changes  # noqa: PLC0415 - help needs none of it

    typer.echo(guarded(lambda: changes.modify(settings, company, payment, *wanted)))


@dispute_app.command("list")
def disputes(
    every: Annotated[bool, typer.Option("--all", help="Also those that are decided.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="For machines.")] = False,
    company: Company = "",
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
    config: Config = None,
) -> None:
    """Show disputes, the nearest deadline first.

    Example:  kassa dispute list --all
    """
    settings = load_settings(data_dir=data_dir, database_url=database_url, config=config)
    from kassa.cli import changes  # noqa: PLC0415 - help needs none of it

    typer.echo(
        guarded(lambda: changes.disputes(settings, company, only_open=not every, as_json=as_json))
    )
