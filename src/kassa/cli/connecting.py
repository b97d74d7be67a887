"""`kassa connectors`: which there are, and the beginnings of a new one."""

import keyword
import re
from pathlib import Path
from string import Template
from typing import Annotated

import typer

import kassa
from kassa.cli.common import fail

connectors_app = typer.Typer(
    no_args_is_help=True, help="Connectors to providers: list them, begin a new one."
)

_NAME = re.compile(r"[a-z][a-z0-9_]{1,19}", re.ASCII)
_TEMPLATES = Path(__file__).parent / "new_connector"
_LONGEST_TITLE = 20  # so that the longest line of the skeleton is not too long
_TAKEN = frozenset({"contract", "connector", "connectors", "kassa", "simulator"})
_FILES = {
    "__init__.py.txt": "src/kassa/connectors/{name}/__init__.py",
    "connector.py.txt": "src/kassa/connectors/{name}/connector.py",
    "demo.py.txt": "src/kassa/connectors/{name}/demo.py",
    "words.py.txt": "src/kassa/connectors/{name}/words.py",
    "README.md.txt": "src/kassa/connectors/{name}/README.md",
    "sim_init.py.txt": "src/kassa_simulator/{name}/__init__.py",
    "protocol.py.txt": "src/kassa_simulator/{name}/protocol.py",
    "plug.py.txt": "tests/connectors/{name}/plug.py",
    "test_words.py.txt": "tests/connectors/{name}/test_words.py",
}
"""Each template, and where in a source checkout it is written."""


def add_to(app: typer.Typer) -> None:
    """Register these commands."""
    app.add_typer(connectors_app, name="connectors")


@connectors_app.command("list")
def connectors_list() -> None:
    """What each connector is, what it can do and which settings an account of it has.

    \b
    Examples:  kassa connectors list
    """
    from kassa.connectors.catalog import kinds  # noqa: PLC0415 - help needs none of it
    from kassa.connectors.kind import operations  # noqa: PLC0415

    for kind in kinds().values():
        built_in = "" if kind.addable else ", built in"
        typer.echo(f"{kind.name}: {kind.title}{built_in}")
        typer.echo(f"  can: {', '.join(sorted(operations(kind.load())))}")
        typer.echo(f"  pays by: {', '.join(sorted(kind.methods))}")
        currencies = "all" if kind.currencies is None else ", ".join(sorted(kind.currencies))
        typer.echo(f"  currencies: {currencies}")
        if kind.reports:
            typer.echo(f"  report files: {', '.join(kind.reports)}")
        if kind.fields:
            settings = [one.name if one.required else f"[{one.name}]" for one in kind.fields]
            typer.echo(f"  settings: {' '.join(settings)}")


@connectors_app.command("new")
def connectors_new(
    name: Annotated[str, typer.Argument(help="Small letters, digits and _, such as paypal.")],
    title: Annotated[str, typer.Option(help="As people write it.  [default: the name]")] = "",
) -> None:
    """Write the skeleton of a new connector into a source checkout: its folder, its tests, and
    its side of the simulator.

    It passes the contract suite against a made-up API; docs/connectors.md tells how to go on.

    \b
    Examples:  kassa connectors new paypal
               kassa connectors new paypal --title PayPal
    """
    checkout = _checkout()
    _check_name(name, checkout)
    shown = title or name.replace("_", " ").title()
    plain = shown.isprintable() and not any(sign in shown for sign in '"\\$')
    if not plain or len(shown) > _LONGEST_TITLE:
        fail(f"a title is plain text of at most {_LONGEST_TITLE} characters, no quotes, \\ or $")
    camel = "".join(part.capitalize() for part in name.split("_"))
    words = {
        "name": name,
        "title": shown,
        "class_name": f"{camel}Connector",
        "protocol_class": camel,
    }
    for template, where in _FILES.items():
        text = Template((_TEMPLATES / template).read_text())
        path = checkout / where.format(name=name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(_sorted(text.substitute(words), name))
        typer.echo(path.relative_to(checkout))
    typer.echo(f"Try it: python -m pytest tests/connectors/{name}")
    typer.echo(f"It is done when this passes: python -m pytest tests/connectors -k {name}")


def _sorted(text: str, name: str) -> str:
    """With the import of the new connector's own module in its place among the others."""
    own = f"from kassa.connectors.{name}."
    lines = text.splitlines(keepends=True)
    places = [place for place, line in enumerate(lines) if line.startswith(own)]
    if not places:
        return text
    line = lines.pop(places[0])
    others = [place for place, line in enumerate(lines) if line.startswith("from kassa.")]
    after = (place for place in others if lines[place].split()[1] > own.split()[1])
    lines.insert(next(after, others[-1] + 1), line)
    return "".join(lines)


def _checkout() -> Path:
    root = Path(kassa.__file__).resolve().parents[2]
    if not (root / "tests" / "connectors" / "contract").is_dir():
        fail("a connector is written in a source checkout of Kassa, and this one is installed")
    return root


def _check_name(name: str, checkout: Path) -> None:
    if not _NAME.fullmatch(name) or keyword.iskeyword(name) or name.endswith("_"):
        fail(
            f"{name!r} cannot be the name of a connector: 2 to 20 small letters, digits and _,"
            " beginning with a letter, such as paypal"
        )
    folders = (
        checkout / "src" / "kassa" / "connectors",
        checkout / "src" / "kassa_simulator",
        checkout / "tests" / "connectors",
    )
    places = [folder / name for folder in folders] + [folder / f"{name}.py" for folder in folders]
    if name in _TAKEN or any(place.exists() for place in places):
        fail(f"{name!r} is taken: choose another name")
