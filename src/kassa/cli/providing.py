"""Provider accounts, by a person at the keyboard."""

from typing import Annotated

import typer

from kassa.cli.common import Company, Config, DatabaseUrl, DataDir, guarded, load_settings

provider_app = typer.Typer(
    no_args_is_help=True, help="Provider accounts: add, list, test, disable, renew their keys."
)

AsJson = Annotated[bool, typer.Option("--json", help="As JSON.")]
Account = Annotated[str, typer.Argument(help="The account's name.")]


def add_to(app: typer.Typer) -> None:
    """Register these commands."""
    app.add_typer(provider_app, name="provider")


@provider_app.command("add")
def provider_add(
    connector: Annotated[str, typer.Option(help="The provider: kassa connectors list names them.")],
    account: Annotated[
        str, typer.Option(help="Its name: small letters, digits, - and _; nobody else's.")
    ],
    company: Company = "",
    put: Annotated[
        list[str] | None,
        typer.Option("--set", help="NAME=VALUE; VALUE @file takes the file's content."),
    ] = None,
    live: Annotated[
        bool, typer.Option("--live", help="Real money moves there; of the company's live side.")
    ] = False,
    country: Annotated[str, typer.Option(help="Of the account's business, such as IN.")] = "",
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
    config: Config = None,
) -> None:
    """Add an account at a provider, or give the one of that name new settings.

    Secrets are sealed before they are stored. What is not named keeps its value. A value on the
    command line can be seen by others on this machine: @file avoids that. Without any --set, the
    settings of the connector are listed.

    \b
    Examples:  kassa provider add --connector stripe --account cards
               kassa provider add --connector stripe --account cards --set secret_key=@key.txt
               kassa provider add --company cmp_01k… --connector stripe --account eu --set …
    """
    settings = load_settings(data_dir=data_dir, database_url=database_url, config=config)
    from kassa.cli import accounts  # noqa: PLC0415 - help needs none of it

    typer.echo(
        guarded(
            lambda: accounts.add(
                settings, company, connector, account, put or [], live=live, country=country
            )
        )
    )


@provider_app.command("renew")
def provider_renew(
    account: Account,
    put: Annotated[
        list[str] | None,
        typer.Option("--set", help="NAME=VALUE; VALUE @file takes the file's content."),
    ] = None,
    hours: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=720,
            help="How long the old one is believed; 0 where it was stolen."
            "  [default: earlier_secret_hours]",
        ),
    ] = None,
    company: Company = "",
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
    config: Config = None,
) -> None:
    """Give an account the secret or key that its provider signs with from now on.

    What the provider posts again is still signed with the old one, so that is believed for a while
    as well; this says until when.

    \b
    Examples:  kassa provider renew cards --set webhook_secret=@secret.txt
               kassa provider renew cards --set webhook_secret=@secret.txt --hours 0
    """
    settings = load_settings(data_dir=data_dir, database_url=database_url, config=config)
    from kassa.cli import accounts  # noqa: PLC0415 - help needs none of it

    typer.echo(guarded(lambda: accounts.renew(settings, company, account, put or [], hours)))


@provider_app.command("list")
def provider_list(
    company: Company = "",
    json: AsJson = False,
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
    config: Config = None,
) -> None:
    """Show the accounts a company can be paid through, what each can do, and where news goes.

    \b
    Examples:  kassa provider list
               kassa provider list --company cmp_01k… --json
    """
    settings = load_settings(data_dir=data_dir, database_url=database_url, config=config)
    from kassa.cli import accounts  # noqa: PLC0415 - help needs none of it

    typer.echo(guarded(lambda: accounts.list_all(settings, company, as_json=json)))


@provider_app.command("test")
def provider_test(
    account: Account,
    company: Company = "",
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
    config: Config = None,
) -> None:
    """Ask the provider whether the account's credentials are right; moves no money.

    Example:  kassa provider test cards
    """
    settings = load_settings(data_dir=data_dir, database_url=database_url, config=config)
    from kassa.cli import accounts  # noqa: PLC0415 - help needs none of it

    typer.echo(guarded(lambda: accounts.test(settings, company, account)))


@provider_app.command("report")
def provider_report(
    account: Account,
    day: Annotated[str, typer.Option("--date", help="Such as 2026-11-21, in the provider's zone.")],
    save: Annotated[str, typer.Option(help="Where to write it.  [default: as it is called]")] = "",
    reconcile: Annotated[
        bool, typer.Option("--reconcile", help="Lay it beside the books at once.")
    ] = False,
    company: Company = "",
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
    config: Config = None,
) -> None:
    """Fetch the provider's settlement report of a day, and reconcile it if asked to.

    \b
    Examples:  kassa provider report alipay --date 2026-11-21
               kassa provider report cards --date 2026-11-21 --reconcile
    """
    settings = load_settings(data_dir=data_dir, database_url=database_url, config=config)
    from kassa.cli import fetching  # noqa: PLC0415 - help needs none of it

    raise typer.Exit(
        guarded(lambda: fetching.report(settings, company, account, day, save, reconcile=reconcile))
    )


@provider_app.command("disable")
def provider_disable(
    account: Account,
    company: Company = "",
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
    config: Config = None,
) -> None:
    """Let an account take no new payments, within a second; what it has is followed to its end.

    Example:  kassa provider disable cards
    """
    settings = load_settings(data_dir=data_dir, database_url=database_url, config=config)
    from kassa.cli import accounts  # noqa: PLC0415 - help needs none of it

    typer.echo(guarded(lambda: accounts.switch(settings, company, account, active=False)))


@provider_app.command("enable")
def provider_enable(
    account: Account,
    company: Company = "",
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
    config: Config = None,
) -> None:
    """Let a disabled account take payments again.

    Example:  kassa provider enable cards
    """
    settings = load_settings(data_dir=data_dir, database_url=database_url, config=config)
    from kassa.cli import accounts  # noqa: PLC0415 - help needs none of it

    typer.echo(guarded(lambda: accounts.switch(settings, company, account, active=True)))


@provider_app.command("rotate-keys")
def provider_rotate_keys(
    company: Annotated[
        str, typer.Option(help="Also give this company a fresh key for what it has stored.")
    ] = "",
    fresh: Annotated[
        bool, typer.Option("--new-key", help="First make a new key file for the installation.")
    ] = False,
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
    config: Config = None,
) -> None:
    """Renew the keys that stored credentials are sealed with.

    With --new-key as kassa keys rotate provider_secrets does.

    \b
    Examples:  kassa provider rotate-keys
               kassa provider rotate-keys --new-key
               kassa provider rotate-keys --company cmp_01k…
    """
    settings = load_settings(data_dir=data_dir, database_url=database_url, config=config)
    from kassa.cli import accounts  # noqa: PLC0415 - help needs none of it

    typer.echo(guarded(lambda: accounts.rotate(settings, company, fresh=fresh)))
