"""The command line: `kassa --help` tells it all, with examples."""

import sys
from collections.abc import Callable
from typing import Annotated

import typer

from kassa.base.domain.errors import KassaError
from kassa.cli import (
    auditing,
    businesses,
    comparing,
    connecting,
    credentials,
    eventing,
    explaining,
    exporting,
    keeping,
    modifying,
    pay_codes,
    payees,
    providing,
    proving,
    reconciling,
    routing,
    settling,
    simulating,
    staffing,
    tenants,
)
from kassa.cli.common import (
    Company,
    Config,
    DatabaseUrl,
    DataDir,
    fail,
    guarded,
    load_settings,
)

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="Kassa: a payment gateway. One command starts it: kassa serve --demo",
)
wallet_app = typer.Typer(no_args_is_help=True, help="Wallet users and their codes.")
app.add_typer(wallet_app, name="wallet")
credentials.add_to(app)
tenants.add_to(app)
pay_codes.add_to(wallet_app)
connecting.add_to(app)
modifying.add_to(app)
payees.add_to(app)
businesses.add_to(app)
explaining.add_to(app)
auditing.add_to(app)
eventing.add_to(app)
staffing.add_to(app)
exporting.add_to(app)
keeping.add_to(app)
proving.add_to(app)
providing.add_to(app)
reconciling.add_to(app)
comparing.add_to(app)
routing.add_to(app)
settling.add_to(app)
simulating.add_to(app)


def main(prepare: Callable[[], None] | None = None) -> None:
    """Run the command line; refusals are one sentence on standard error and status 2. `prepare`:
    called before a command, and not before its help."""
    try:
        app(standalone_mode=True, obj=prepare)
    except KassaError as error:
        fail(error.message)
    except KeyboardInterrupt:
        sys.exit(130)


@app.callback()
def before_any(context: typer.Context) -> None:
    if context.obj is not None:
        context.obj()


@app.command()
def serve(
    host: Annotated[str | None, typer.Option(help="[default: 127.0.0.1]")] = None,
    port: Annotated[int | None, typer.Option(help="REST and cashier.  [default: 8080]")] = None,
    grpc_port: Annotated[int | None, typer.Option(help="[default: 9090]")] = None,
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
    workers: Annotated[
        int | None, typer.Option(help="HTTP processes.  [default: one a core]")
    ] = None,
    demo: Annotated[
        bool | None,
        typer.Option("--demo", help="Make a demo company; allow notifications to loopback."),
    ] = None,
    config: Config = None,
) -> None:
    """Start everything: PostgreSQL, REST, gRPC, cashier and workers.

    \b
    Examples:  kassa serve --demo
               kassa serve --port 9000 --grpc-port 9001 --data-dir /srv/kassa
               KASSA_DATABASE_URL=postgresql://… kassa serve --workers 2
    """
    settings = load_settings(
        host=host,
        port=port,
        grpc_port=grpc_port,
        data_dir=data_dir,
        database_url=database_url,
        workers=workers,
        demo=demo,
        config=config,
    )
    from kassa.cli.serving import serve as run  # noqa: PLC0415

    sys.exit(guarded(lambda: run(settings, ("http", "grpc", "workers"))))


@app.command()
def work(data_dir: DataDir = None, database_url: DatabaseUrl = None, config: Config = None) -> None:
    """Run the workers alone: expiry, polling, notifications.

    Example:  KASSA_DATABASE_URL=postgresql://… kassa work
    """
    settings = load_settings(data_dir=data_dir, database_url=database_url, config=config)
    from kassa.cli.serving import serve as run  # noqa: PLC0415

    sys.exit(guarded(lambda: run(settings, ("workers",))))


@app.command()
def migrate(
    data_dir: DataDir = None, database_url: DatabaseUrl = None, config: Config = None
) -> None:
    """Bring the database's schema up to date. `serve` does it by itself.

    Example:  kassa migrate --database-url postgresql://…
    """
    settings = load_settings(data_dir=data_dir, database_url=database_url, config=config)
    from kassa.cli import operations  # noqa: PLC0415

    count = guarded(lambda: operations.migrate_database(settings))
    typer.echo(f"{count} migrations applied" if count else "nothing to do: the schema is current")


@app.command()
def demo(
    json: Annotated[bool, typer.Option("--json", help="As one JSON object.")] = False,
    data_dir: DataDir = None,
    config: Config = None,
) -> None:
    """Print the demo credentials, with fresh customer tokens.

    Example:  kassa demo --json
    """
    settings = load_settings(data_dir=data_dir, config=config)
    from kassa import demo as demo_company  # noqa: PLC0415

    if json:
        typer.echo(demo_company.shown_json(settings))
        return
    for name, value in demo_company.shown(settings).items():
        inner = value.items() if isinstance(value, dict) else [("", value)]
        for part, text in inner:
            typer.echo(f"{name + ('.' + part if part else ''):32} {text}")


@app.command("try")
def try_face(
    face: Annotated[str, typer.Argument(help="business, orders, checkout, wallet or gateway")],
    data_dir: DataDir = None,
    config: Config = None,
) -> None:
    """Call one interface of the running demo and show both sides of the wire.

    Example:  kassa try orders
    """
    settings = load_settings(data_dir=data_dir, config=config)
    from kassa.cli import trying  # noqa: PLC0415

    sys.exit(guarded(lambda: trying.run(settings, face)))


@app.command()
def record(
    order_id: Annotated[str, typer.Argument(help="The order that was paid past us.")],
    method: Annotated[str, typer.Option(help="cash, check or bank_transfer")] = "cash",
    reference: Annotated[
        str, typer.Option(help="A check's number, or a transfer's reference; kept as evidence.")
    ] = "",
    by: Annotated[
        str, typer.Option(help="Who says that the money is there.  [default: who runs this]")
    ] = "",
    accept_short: Annotated[
        bool,
        typer.Option("--accept-short", help="Take what has come by transfer for the whole."),
    ] = False,
    company: Company = "",
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
    config: Config = None,
) -> None:
    """Record a payment in cash, by check or by bank transfer for an order that exists.

    A bank transfer is confirmed by the bank's statement: kassa reconcile. What was recorded by
    mistake is taken back by kassa refund. You say what has happened: an order that is restricted
    to other methods is recorded all the same, and you are told.

    \b
    Examples:  kassa record order_01kb… --method bank_transfer --reference "INV 17"
               kassa record order_01kb… --accept-short
    """
    settings = load_settings(data_dir=data_dir, database_url=database_url, config=config)
    from kassa.cli import recording  # noqa: PLC0415

    typer.echo(
        guarded(
            lambda: recording.record(
                settings,
                company,
                order_id,
                method,
                reference=reference,
                by=by,
                accept_short=accept_short,
            )
        )
    )


@app.command("webhook-secret")
def webhook_secret(
    company: Company = "",
    renew: Annotated[bool, typer.Option("--renew", help="Make a new one; print that.")] = False,
    hours: Annotated[
        int,
        typer.Option(
            min=0, max=720, help="How long news is signed with the old one as well; 0 if stolen."
        ),
    ] = 72,
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
    config: Config = None,
) -> None:
    """Print the secret with which a company verifies our notifications (Standard Webhooks).

    \b
    Examples:  kassa webhook-secret
               kassa webhook-secret --renew --hours 24
    """
    settings = load_settings(data_dir=data_dir, database_url=database_url, config=config)
    from kassa.cli import operations  # noqa: PLC0415

    secret, whose = guarded(
        lambda: operations.webhook_secret(settings, company, hours if renew else None)
    )
    typer.echo(secret)
    typer.echo(whose, err=True)


@wallet_app.command("add")
def wallet_add(
    user: Annotated[str, typer.Argument(help="The user's id, made by you.")],
    auth_code: Annotated[
        str, typer.Option(help="A token that merchants may charge the user with, again and again.")
    ] = "",
    company: Company = "",
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Add a wallet user.

    A token of your own making can be guessed as easily as you made it up: kassa wallet agree makes
    one that cannot.

    Example:  kassa wallet add wu_ann
    """
    from kassa.cli import operations  # noqa: PLC0415

    settings = load_settings(data_dir=data_dir, database_url=database_url)
    typer.echo(guarded(lambda: operations.add_wallet_user(settings, company, user, auth_code)))


@wallet_app.command("top-up")
def wallet_top_up(
    user: Annotated[str, typer.Argument()],
    amount: Annotated[str, typer.Argument(help="In major units: 100.00")],
    currency: Annotated[str, typer.Argument()] = "CNY",
    company: Company = "",
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Add money to a user's balance; one balanced posting.

    Example:  kassa wallet top-up wu_ann 100.00 CNY
    """
    from kassa.cli import operations  # noqa: PLC0415

    settings = load_settings(data_dir=data_dir, database_url=database_url)
    typer.echo(guarded(lambda: operations.top_up(settings, company, user, amount, currency)))


@wallet_app.command("show")
def wallet_show(
    user: Annotated[str, typer.Argument()],
    company: Company = "",
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Show a user's balances, what is reserved for merchants, and what was spent today (UTC).

    Example:  kassa wallet show wu_ann
    """
    from kassa.cli import operations  # noqa: PLC0415

    settings = load_settings(data_dir=data_dir, database_url=database_url)
    typer.echo(guarded(lambda: operations.show_wallet(settings, company, user)))


@wallet_app.command("status")
def wallet_status(
    user: Annotated[str, typer.Argument()],
    status: Annotated[str, typer.Argument(help="active, frozen or closed")],
    company: Company = "",
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Freeze, close or reopen a wallet user.

    Example:  kassa wallet status wu_ann frozen
    """
    from kassa.cli import operations  # noqa: PLC0415

    settings = load_settings(data_dir=data_dir, database_url=database_url)
    typer.echo(guarded(lambda: operations.set_wallet_status(settings, company, user, status)))
