"""The command that proves the books, and its options."""

import sys
from typing import Annotated

import typer

from kassa.cli.common import Config, DatabaseUrl, DataDir, guarded, load_settings


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command()(verify)


def verify(
    company: Annotated[str, typer.Option(help="Its id, or ID:live.  [default: all]")] = "",
    head: Annotated[
        list[str] | None,
        typer.Option(
            metavar="COMPANY:BLOCK:HASH",
            help="A head of the chain, as an earlier run printed it: it must still be there.",
        ),
    ] = None,
    accept_head: Annotated[
        bool,
        typer.Option(
            "--accept-head",
            help="After a restore: let the chain as it is now be what this machine's head file"
            " knows, then prove the books.",
        ),
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="As one JSON object.")] = False,
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
    config: Config = None,
) -> None:
    """Prove the books. Exit 0 with counts, or 1 with each counter-example.

    The newest block of each chain is kept in proof/heads.json of the data directory, and must
    still be there: so whoever cuts the newest part of history off in the database, chain and
    all, is found. Keep the heads it prints somewhere else, too, for the day when somebody had
    the data directory as well.

    \b
    Examples:  kassa verify --data-dir .kassa
               kassa verify --company cmp_001 --json
               kassa verify --head cmp_001:42:9f86d0818…
               kassa verify --accept-head
    """
    settings = load_settings(data_dir=data_dir, database_url=database_url, config=config)
    from kassa.cli import proofs  # noqa: PLC0415 - help needs none of it

    told = guarded(
        lambda: proofs.verify(settings, company, head or [], accept_head=accept_head, as_json=json)
    )
    sys.exit(told)
