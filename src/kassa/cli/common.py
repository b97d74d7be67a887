"""What every command shares: its options, its settings, and how it fails."""

import sys
from typing import Annotated, Any

import typer

DataDir = Annotated[str | None, typer.Option(help="Where everything is kept.  [default: .kassa]")]
DatabaseUrl = Annotated[
    str | None, typer.Option(help="PostgreSQL 15 or newer; without it a private one is started.")
]
Config = Annotated[str | None, typer.Option(help="A TOML file with settings.")]
Company = Annotated[
    str,
    typer.Option(
        help="Its id, or ID:live for its live side.  [default: the demo company, or the only one]"
    ),
]

Live = Annotated[bool, typer.Option("--live/--test", help="Real money, or none.  [default: none]")]
Sandbox = Annotated[
    bool, typer.Option("--sandbox", help="Let it pay with the built-in sandbox's cards.")
]


def mode_of(*, live: bool) -> Any:
    from kassa.identity.domain.principals import Mode  # noqa: PLC0415 - --help needs none

    return Mode.LIVE if live else Mode.TEST


def printable(line: str) -> str:
    """Without what moves a terminal's cursor: others have written some of these words."""
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in line)


def fail(sentence: str, status: int = 2) -> None:
    """Say why in one sentence and exit."""
    typer.echo(f"kassa: {sentence}", err=True)
    sys.exit(status)


def load_settings(**flags: Any) -> Any:
    from kassa import settings  # noqa: PLC0415 - `kassa --help` needs none of it

    return settings.load(flags)


def guarded(work: Any) -> Any:
    """Run `work`; what the embedded PostgreSQL or the network cannot do is told in a sentence."""
    from kassa_embedded.place import EmbeddedPostgresError  # noqa: PLC0415

    try:
        return work()
    except EmbeddedPostgresError as error:
        fail(str(error))
    except OSError as error:
        fail(f"cannot reach or use {error.filename or 'the database'}: {error.strerror or error}")
