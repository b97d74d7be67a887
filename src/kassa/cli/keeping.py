"""The installation's keys, by a person at the keyboard."""

from typing import Annotated

import typer

from kassa.cli.common import Config, DatabaseUrl, DataDir, guarded, load_settings

keys_app = typer.Typer(
    no_args_is_help=True, help="The installation's keys: list, rotate, rewrap, retire."
)

Purpose = Annotated[str, typer.Argument(help="What the key is for: kassa keys list names them.")]
Rate = Annotated[int, typer.Option(min=1, help="Most rows that are sealed anew in a second.")]


def add_to(app: typer.Typer) -> None:
    """Register these commands."""
    app.add_typer(keys_app, name="keys")


@keys_app.command("list")
def keys_list(
    json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
    config: Config = None,
) -> None:
    """Show each key's purpose, versions, when they were made, and how many rows need them; no key.

    Example:  kassa keys list
    """
    settings = load_settings(data_dir=data_dir, database_url=database_url, config=config)
    from kassa.cli import keyholding  # noqa: PLC0415 - help needs none of it

    typer.echo(guarded(lambda: keyholding.list_all(settings, as_json=json)))


@keys_app.command("rotate")
def keys_rotate(
    purpose: Purpose,
    hours: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=8_760,
            help="Use it only then: clients have to fetch the wallet's new public key first."
            "  [default: as soon as every process knows it]",
        ),
    ] = None,
    rate: Rate = 2_000,
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
    config: Config = None,
) -> None:
    """Make a new version of a key while everything goes on, and seal with it what the old one did.

    \b
    Examples:  kassa keys rotate provider_secrets
               kassa keys rotate wallet_answers --hours 48
    """
    settings = load_settings(data_dir=data_dir, database_url=database_url, config=config)
    from kassa.cli import keyholding  # noqa: PLC0415 - help needs none of it

    typer.echo(guarded(lambda: keyholding.rotate(settings, purpose, hours, rate)))


@keys_app.command("rewrap")
def keys_rewrap(
    purpose: Purpose,
    rate: Rate = 2_000,
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
    config: Config = None,
) -> None:
    """Go on with sealing anew what an older version has sealed, where rotate was stopped.

    Example:  kassa keys rewrap webhooks
    """
    settings = load_settings(data_dir=data_dir, database_url=database_url, config=config)
    from kassa.cli import keyholding  # noqa: PLC0415 - help needs none of it

    typer.echo(guarded(lambda: keyholding.rewrap(settings, purpose, rate)))


@keys_app.command("retire")
def keys_retire(
    purpose: Purpose,
    version: Annotated[int, typer.Argument(min=1)],
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
    config: Config = None,
) -> None:
    """Let nobody read with that version any more; refused while a row needs it.

    A file stays beside the others as PURPOSE.VERSION.retired: a backup may need it. Move it to
    where the backups' keys are.

    Example:  kassa keys retire page_tokens 1
    """
    settings = load_settings(data_dir=data_dir, database_url=database_url, config=config)
    from kassa.cli import keyholding  # noqa: PLC0415 - help needs none of it

    typer.echo(guarded(lambda: keyholding.retire(settings, purpose, version)))
