"""`kassa events`: what merchants were told, how it arrived, and telling it again."""

from typing import Annotated

import typer

from kassa.cli.common import Company, Config, DatabaseUrl, DataDir, guarded, load_settings

events_app = typer.Typer(
    no_args_is_help=True, help="What merchants are told: list, show, send again."
)

State = Annotated[str, typer.Option(help="waiting, delivered or dead.  [default: all]")]
Type = Annotated[str, typer.Option("--type", help="Such as payment.paid.  [default: all]")]
About = Annotated[
    str, typer.Option("--of", help="An order, payment, agreement or event, by its id.")
]
Since = Annotated[
    str | None, typer.Option("--since", "--from", help="A date or time.  [default: ever]")
]
Until = Annotated[str | None, typer.Option(help="Before this date or time.  [default: now]")]
Because = Annotated[str, typer.Option(help="Kept in the audit log.")]
AsJson = Annotated[bool, typer.Option("--json", help="As JSON.")]


def add_to(app: typer.Typer) -> None:
    """Register these commands."""
    app.add_typer(events_app, name="events")


@events_app.command("list")
def events_list(
    state: State = "",
    event_type: Type = "",
    about: About = "",
    since: Since = None,
    until: Until = None,
    limit: Annotated[int, typer.Option(help="At most so many lines.")] = 100,
    json: AsJson = False,
    company: Company = "",
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
    config: Config = None,
) -> None:
    """Show events, the newest first, and whether they arrived. A dead one is tried no more: kassa
    events resend.

    \b
    Examples:  kassa events list --state dead
               kassa events list --of order_xyz789
               kassa events list --type payment.refunded --since 2026-11-01 --json
    """
    settings = load_settings(data_dir=data_dir, database_url=database_url, config=config)
    from kassa.cli import events  # noqa: PLC0415 - help needs none of it

    asked = events.AskedEvents(state, event_type, about, since, until)
    typer.echo(guarded(lambda: events.show_list(settings, company, asked, limit, as_json=json)))


@events_app.command("show")
def events_show(
    event: Annotated[str, typer.Argument(help="Its id, ntf_…: the header webhook-id.")],
    json: AsJson = False,
    company: Company = "",
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
    config: Config = None,
) -> None:
    """Show what an event tells, and each try to deliver it: when, how long, what came back.

    Example:  kassa events show ntf_01k…
    """
    settings = load_settings(data_dir=data_dir, database_url=database_url, config=config)
    from kassa.cli import events  # noqa: PLC0415 - help needs none of it

    typer.echo(guarded(lambda: events.show_one(settings, company, event, as_json=json)))


@events_app.command("resend")
def events_resend(
    event: Annotated[list[str], typer.Argument(help="Their ids, ntf_…")],
    because: Because = "",
    company: Company = "",
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
    config: Config = None,
) -> None:
    """Send events again now, dead or delivered: the same bytes under the same id, and the whole
    schedule anew.

    Example:  kassa events resend ntf_01k… --because "the shop's server was down"
    """
    settings = load_settings(data_dir=data_dir, database_url=database_url, config=config)
    from kassa.cli import events  # noqa: PLC0415 - help needs none of it

    typer.echo(guarded(lambda: events.send_again(settings, company, event, because)))


@events_app.command("replay")
def events_replay(
    since: Annotated[str, typer.Option("--since", "--from", help="A date or time.")],
    until: Until = None,
    state: State = "",
    event_type: Type = "",
    about: About = "",
    because: Because = "",
    company: Company = "",
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
    config: Config = None,
) -> None:
    """Send all events of a time again, the oldest first, as resend does with single ones.

    \b
    Examples:  kassa events replay --since 2026-11-28 --state dead
               kassa events replay --since 2026-11-28T09:00 --until 2026-11-28T11:30
    """
    settings = load_settings(data_dir=data_dir, database_url=database_url, config=config)
    from kassa.cli import events  # noqa: PLC0415 - help needs none of it

    asked = events.AskedEvents(state, event_type, about, since, until)
    typer.echo(guarded(lambda: events.replay_all(settings, company, asked, because)))
