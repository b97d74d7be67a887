"""Runs a simulator as a program of its own, until it is told to stop."""

import asyncio
import shlex
import signal
from pathlib import Path
from typing import Any

from kassa_simulator.control import BadControl, read_merchant
from kassa_simulator.faults import BadRule, read_rules
from kassa_simulator.protocols import protocols
from kassa_simulator.running import running


class BadStart(Exception):
    """It cannot begin like that; says why."""


def run(
    directory: Path, *, port: int, seed: int, merchants: Any, faults: Any, quiet: bool = False
) -> None:
    """Serve until interrupted. `merchants`, `faults`: as read from JSON, None for none. `quiet`:
    it does not say where it listens.

    Raises: BadStart; OSError when the port is taken.
    """
    if merchants is not None and not isinstance(merchants, list):
        raise BadStart("the accounts are a list of objects")
    try:
        accounts = [read_merchant(each) for each in merchants or []]
        if faults is not None:
            read_rules(faults)
        asyncio.run(_serve(directory, port, seed, accounts, faults, quiet))
    except (BadControl, BadRule, ValueError) as error:
        raise BadStart(str(error)) from None


async def _serve(
    directory: Path, port: int, seed: int, accounts: Any, faults: Any, quiet: bool
) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    async with running(directory, seed=seed, port=port, merchants=accounts) as simulator:
        if faults is not None:
            simulator.set_faults(faults)
        if not quiet:
            print(_welcome(simulator.url), flush=True)  # noqa: T201 - what the command says
        await stop.wait()


def _welcome(url: str) -> str:
    account = (
        '{"provider": "stripe", "name": "shop", "credentials": {"secret_key": "sk_test_shop",'
        ' "webhook_secret": "whsec_shop"}, "notify_url": "http://127.0.0.1:8080/hook"}'
    )
    lines = [
        "",
        "  Simulated providers",
        "",
        f"    what they hold   {url}/",
        *(f"    {name:16} {url}/{name}" for name in protocols()),
        "",
        "  Add an account from another terminal, with credentials that you make up:",
        "",
        f"    curl -d {shlex.quote(account)} {url}/_simulator/merchants",
        "",
        "  No money moves here. Ctrl-C stops it.",
        "",
    ]
    return "\n".join(lines)
