"""`kassa audit`: what was done with a privilege, and by whom."""

from typing import Annotated

import typer

from kassa.cli.common import Config, DatabaseUrl, DataDir, guarded, load_settings


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command()(audit)


def audit(
    who: Annotated[str, typer.Option(help="os:alice, staff:ann, or a kind: staff")] = "",
    what: Annotated[str, typer.Option(help="An act, or its subject: credential")] = "",
    object_id: Annotated[str, typer.Option("--object", help="What it was done to, by its id.")] = (
        ""
    ),
    since: Annotated[
        str | None, typer.Option("--from", help="A date or time.  [default: ever]")
    ] = None,
    until: Annotated[str | None, typer.Option(help="Before this date or time.")] = None,
    limit: Annotated[int, typer.Option(help="At most so many lines; an export has all.")] = 100,
    json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
    export: Annotated[str, typer.Option(help="All of them, oldest first: csv or jsonl")] = "",
    output: Annotated[
        str, typer.Option(help="The file of an export.  [default: standard output]")
    ] = "",
    force: Annotated[bool, typer.Option("--force", help="Overwrite the file.")] = False,
    company: Annotated[
        str | None,
        typer.Option(help="Its id, or ID:live.  [default: all, and the installation's own]"),
    ] = None,
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
    config: Config = None,
) -> None:
    """Show what people did with a privilege, the newest first. None of it can be changed or taken
    away: kassa verify finds a row that was.

    \b
    Examples:  kassa audit --who os:alice --from 2026-11-01
               kassa audit --what credential --json
               kassa audit --object py_01k…
               kassa audit --export csv --output audit.csv
    """
    settings = load_settings(data_dir=data_dir, database_url=database_url, config=config)
    from kassa.cli import audits  # noqa: PLC0415 - help needs none of it

    asked = audits.AskedAudit(
        company=company, who=who, what=what, object=object_id, since=since, until=until
    )
    if export:
        guarded(lambda: audits.export(settings, asked, export, output, force=force))
        return
    typer.echo(guarded(lambda: audits.show(settings, asked, limit, as_json=json)))
