"""`kassa simulate`: the payment providers, played on this machine."""

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from kassa.cli.common import fail

_MERCHANTS = "A JSON file: a list of accounts, as POST /_simulator/merchants takes one."
_FAULTS = "A JSON file: a list of fault rules, as PUT /_simulator/faults takes them."


def add_to(app: typer.Typer) -> None:
    app.command("simulate")(simulate)


def simulate(
    port: Annotated[int, typer.Option(help="Where it listens, on loopback.")] = 8090,
    data_dir: Annotated[str, typer.Option(help="Where its books are kept.")] = ".kassa/simulator",
    seed: Annotated[int, typer.Option(help="The same seed gives the same ids and faults.")] = 1,
    merchants: Annotated[str, typer.Option(help=_MERCHANTS)] = "",
    faults: Annotated[str, typer.Option(help=_FAULTS)] = "",
    quiet: Annotated[bool, typer.Option("--quiet", help="Do not say where it listens.")] = False,
) -> None:
    """Play Stripe, Razorpay, Cashfree, Alipay and a wallet, with faults on demand.

    It moves no money and needs no account anywhere. Ctrl-C stops it; its books stay.

    \b
    Examples:  kassa simulate
               kassa simulate --port 8090 --seed 7 --data-dir /tmp/providers
               kassa simulate --merchants accounts.json --faults faults.json
    """
    accounts, rules = _read(merchants), _read(faults)
    from kassa_simulator.alone import BadStart, run  # noqa: PLC0415 - aiohttp takes its time

    try:
        run(Path(data_dir), port=port, seed=seed, merchants=accounts, faults=rules, quiet=quiet)
    except BadStart as error:
        fail(str(error))
    except OSError as error:
        fail(f"cannot listen at port {port} or use {data_dir}: {error.strerror or error}")
    except KeyboardInterrupt:
        sys.exit(0)


def _read(path: str) -> Any:
    """What the JSON file says, None without one."""
    if not path:
        return None
    try:
        return json.loads(Path(path).read_text())
    except OSError as error:
        return fail(f"cannot read {path}: {error.strerror}")
    except ValueError:
        return fail(f"{path} is no JSON")
