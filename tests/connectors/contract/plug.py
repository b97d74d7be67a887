"""What the suite has to know of a connector to drive it: its account, its payers, its ways."""

import importlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from tests.simulator.letterbox import key_pair

from kassa.base.domain.money import Money
from kassa.connectors.catalog import kinds

_FOLDER = Path(__file__).parent.parent


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """One way to pay with it. `fields`: of the ChargeRequest that asks for it. `reserves`: it ends
    with reserved money, which is captured or let go afterwards. `declines`: the instrument that
    the provider refuses, where the payer gives us one. `one_address`: why nobody can pay after a
    decline, though a person at the simulator may. `by_form`: the payer gets to the
    page by a form that a page of ours posts."""

    name: str
    fields: Mapping[str, Any] = field(default_factory=dict)
    reserves: bool = False
    declines: str = ""
    one_address: str = ""
    by_form: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Modes:
    """How an account in test mode is told from one in live mode.

    `test_host`, `live_host`: addresses of the API as somebody types them; one `anywhere` says
    nothing of the mode: whoever speaks the protocol may be there. `marked`: of the settings that
    say their mode: test values, live values. `mistakable`: those of them whose live values look
    like old test ones, so that one is taken in test mode.
    """

    test_host: str
    live_host: str
    anywhere: bool = False
    marked: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = field(default_factory=dict)
    mistakable: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Plug:
    """A connector, and the account at the simulator that it is used with.

    `name`: of the connector, and of its protocol at the simulator. `credentials`: of the account
    there; `settings`: of the account here, without `base_url`, which is the simulator's address
    and `base_path`. `foreign`: the settings in which another account differs: what is signed for
    one is refused by the other. `judges_age`: the provider's notifications carry the time of
    their signing, and an old one is refused. `signs_in_headers`: else in the body.
    `claims_in_part`: a reservation can be captured for
    less. `sums`: verbs whose answers name a sum and not the amount asked for, with the reason.
    `never`: verbs that it has and always declines, with the reason. `cannot`: what its merchant or
    a bank cannot do to a charge without us (ACTS of test_beside_us.py), with the reason.
    `modes`: see there.
    """

    name: str
    amount: Money
    part: Money
    ways: tuple[Way, ...]
    credentials: Mapping[str, str] = field(repr=False)
    settings: Mapping[str, str] = field(repr=False)
    foreign: Mapping[str, str] = field(repr=False)
    base_path: str
    judges_age: bool
    modes: Modes
    signs_in_headers: bool = True
    claims_in_part: bool = True
    sums: Mapping[str, str] = field(default_factory=dict)
    never: Mapping[str, str] = field(default_factory=dict)
    cannot: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.name

    @property
    def secrets(self) -> frozenset[str]:
        """What may stand in no text: the settings that the kind marks, line by line."""
        marked = [one.name for one in kinds()[self.name].fields if one.secret]
        lines = [line for name in marked for line in self.settings.get(name, "").splitlines()]
        return frozenset(line for line in lines if len(line) > 6 and "-----" not in line)


@cache
def plugs() -> tuple[Plug, ...]:
    """Of every folder beside this one that has a `plug.py`."""
    return tuple(module.PLUG for module in beside("plug"))


def beside(name: str) -> tuple[Any, ...]:
    """The modules of that name in the folders of connectors."""
    found = sorted(path.parent.name for path in _FOLDER.glob(f"*/{name}.py"))
    return tuple(
        importlib.import_module(f"tests.connectors.{folder}.{name}")
        for folder in found
        if folder != "contract"
    )


def keys(owner: str) -> tuple[str, str]:
    """An RSA key pair made for this run: the private PEM and the public one."""
    pair = key_pair(owner)
    return pair.private_pem, pair.public_pem
