"""What `kassa serve` prints: addresses, credentials, and one command to paste per interface."""

import os
import shlex
import shutil
import sys
from pathlib import Path

from kassa.settings import Settings

_FACES = ("orders", "business", "checkout", "wallet", "gateway")


def show(settings: Settings) -> None:
    """Print where everything is. Its commands work from any directory, in any terminal."""
    listens = f"{settings.host}:{settings.port}"
    behind = f"   (listening on {listens})" if settings.base_url else ""
    knows = "reflection, health" if settings.grpc_reflection or settings.demo else "health"
    lines = [
        "",
        "  Kassa",
        "",
        f"    REST, cashier   {settings.url}{behind}",
        f"    gRPC            {settings.host}:{settings.grpc_port}   ({knows})",
        f"    health          {settings.url}/readyz",
    ]
    if settings.ops_url:
        lines.append(f"    operators       {settings.ops_url}/readyz   {settings.ops_url}/metrics")
    if settings.demo and settings.simulator_url:
        lines.append(f"    simulator       {settings.simulator_url}/   (plays {_played()})")
    if settings.demo:
        lines += _demo_lines(settings)
    lines += ["", "  Ctrl-C stops everything.", ""]
    print("\n".join(lines), flush=True)


def _played() -> str:
    from kassa.connectors.catalog import kinds  # noqa: PLC0415 - the supervisor needs none of it

    return ", ".join(kind.title for kind in kinds().values() if kind.demo)


def _demo_lines(settings: Settings) -> list[str]:
    # Nothing else stands on a command's line, so that a triple click takes just the command.
    where = ("--data-dir", str(settings.directory))
    return [
        "",
        f"  The demo's credentials are kept in {settings.demo_directory}; to see them:",
        "",
        f"    {_command('demo', '--json', *where)}",
        "",
        "  Try the five interfaces from another terminal:",
        "",
        *(f"    {_command('try', face, *where)}" for face in _FACES),
    ]


def _command(*arguments: str) -> str:
    return shlex.join([*_tool(), *arguments])


def _tool() -> list[str]:
    """How this installation's `kassa` is called from anywhere."""
    beside = Path(sys.executable).with_name("kassa")
    for found in (sys.argv[0], beside, shutil.which("kassa")):
        if found and Path(found).name == "kassa" and Path(found).is_file():
            return [os.path.abspath(found)]
    return [sys.executable, "-m", "kassa.cli"]
