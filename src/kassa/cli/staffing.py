"""`kassa staff`: people who act for companies, their roles, and how they are let in."""

from typing import Annotated

import typer

from kassa.cli.common import Company, Config, DatabaseUrl, DataDir, guarded, load_settings

staff_app = typer.Typer(
    no_args_is_help=True, help="Staff: add, give roles, disable; sign in, and end sessions."
)

Login = Annotated[str, typer.Argument(help="What they are called, also in the audit: ann")]
ROLES = "viewer, support, finance, developer or admin"


def add_to(app: typer.Typer) -> None:
    """Register these commands."""
    app.add_typer(staff_app, name="staff")


@staff_app.command("add")
def staff_add(
    login: Login,
    role: Annotated[str, typer.Option(help=ROLES)] = "viewer",
    company: Company = "",
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
    config: Config = None,
) -> None:
    """Add somebody, and print an invitation: good once, for three days, for kassa staff accept.

    Example:  kassa staff add ann --role finance --company cmp_01kb…
    """
    settings = load_settings(data_dir=data_dir, database_url=database_url, config=config)
    from kassa.cli import staff_members  # noqa: PLC0415 - help needs none of it

    typer.echo(guarded(lambda: staff_members.add(settings, company, login, role)))


@staff_app.command("invite")
def staff_invite(
    login: Login,
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
    config: Config = None,
) -> None:
    """Invite somebody anew who has lost password or codes; their sessions and codes end.

    Example:  kassa staff invite ann
    """
    settings = load_settings(data_dir=data_dir, database_url=database_url, config=config)
    from kassa.cli import staff_members  # noqa: PLC0415

    typer.echo(guarded(lambda: staff_members.invite(settings, login)))


@staff_app.command("accept")
def staff_accept(
    data_dir: DataDir = None, database_url: DatabaseUrl = None, config: Config = None
) -> None:
    """Take an invitation: asks for it, for a password, and for a code of your app.

    Where the input is no terminal these are its three lines.

    Example:  kassa staff accept
    """
    settings = load_settings(data_dir=data_dir, database_url=database_url, config=config)
    from kassa.cli import staff_members  # noqa: PLC0415

    guarded(lambda: staff_members.enrol(settings))


@staff_app.command("list")
def staff_list(
    json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
    company: Annotated[
        str | None, typer.Option(help="Only with a role there.  [default: all]")
    ] = None,
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
    config: Config = None,
) -> None:
    """Show the staff and their roles.

    Example:  kassa staff list --company cmp_01kb…
    """
    settings = load_settings(data_dir=data_dir, database_url=database_url, config=config)
    from kassa.cli import staff_members  # noqa: PLC0415

    typer.echo(guarded(lambda: staff_members.list_all(settings, company, as_json=json)))


@staff_app.command("show")
def staff_show(
    login: Login,
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
    config: Config = None,
) -> None:
    """Show one of the staff: roles, sessions, recovery codes that are left.

    Example:  kassa staff show ann
    """
    settings = load_settings(data_dir=data_dir, database_url=database_url, config=config)
    from kassa.cli import staff_members  # noqa: PLC0415

    typer.echo(guarded(lambda: staff_members.show(settings, login)))


@staff_app.command("role")
def staff_role(
    login: Login,
    role: Annotated[str, typer.Argument(help=f"{ROLES}; none takes it away")],
    business: Annotated[str, typer.Option(help="Of that business alone.")] = "",
    company: Company = "",
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
    config: Config = None,
) -> None:
    """Say what somebody may do at one side of a company; within a second.

    \b
    Examples:  kassa staff role ann finance --company cmp_01kb…:live
               kassa staff role ann none
    """
    settings = load_settings(data_dir=data_dir, database_url=database_url, config=config)
    from kassa.cli import staff_members  # noqa: PLC0415

    typer.echo(guarded(lambda: staff_members.role(settings, company, login, role, business)))


@staff_app.command("disable")
def staff_disable(
    login: Login,
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
    config: Config = None,
) -> None:
    """Let somebody in no longer, and end their sessions, within a second.

    Example:  kassa staff disable ann
    """
    settings = load_settings(data_dir=data_dir, database_url=database_url, config=config)
    from kassa.cli import staff_members  # noqa: PLC0415

    typer.echo(guarded(lambda: staff_members.switch(settings, login, active=False)))


@staff_app.command("enable")
def staff_enable(
    login: Login,
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
    config: Config = None,
) -> None:
    """Let somebody in again who was disabled.

    Example:  kassa staff enable ann
    """
    settings = load_settings(data_dir=data_dir, database_url=database_url, config=config)
    from kassa.cli import staff_members  # noqa: PLC0415

    typer.echo(guarded(lambda: staff_members.switch(settings, login, active=True)))


@staff_app.command("sign-in")
def staff_sign_in(
    login: Login,
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
    config: Config = None,
) -> None:
    """Sign in, and print what KASSA_STAFF has to be for commands to act under your name.

    Asks for the password and for a code of your app, or a recovery code; where the input is no
    terminal these are its two lines. The session ends by itself after a quarter of an hour without
    a command, and after twelve hours.

    \b
    Examples:  export KASSA_STAFF="$(kassa staff sign-in ann)"
               kassa refund py_01k…
    """
    settings = load_settings(data_dir=data_dir, database_url=database_url, config=config)
    from kassa.cli import staff_members  # noqa: PLC0415

    typer.echo(guarded(lambda: staff_members.sign_in(settings, login)))


@staff_app.command("sign-out")
def staff_sign_out(
    data_dir: DataDir = None, database_url: DatabaseUrl = None, config: Config = None
) -> None:
    """End the session that KASSA_STAFF names.

    Example:  kassa staff sign-out
    """
    settings = load_settings(data_dir=data_dir, database_url=database_url, config=config)
    from kassa.cli import staff_members  # noqa: PLC0415

    typer.echo(guarded(lambda: staff_members.sign_out(settings)))


@staff_app.command("end-sessions")
def staff_end_sessions(
    login: Login,
    session: Annotated[str, typer.Argument(help="Its id, ss_…  [default: all]")] = "",
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
    config: Config = None,
) -> None:
    """End somebody's sessions, within a second.

    \b
    Examples:  kassa staff end-sessions ann
               kassa staff end-sessions ann ss_01kb…
    """
    settings = load_settings(data_dir=data_dir, database_url=database_url, config=config)
    from kassa.cli import staff_members  # noqa: PLC0415

    typer.echo(guarded(lambda: staff_members.end(settings, login, session)))
