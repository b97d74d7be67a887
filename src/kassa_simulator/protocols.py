"""The providers that the simulator plays: every folder here that exports a PROTOCOL, and every
PROTOCOL that an installed package names as an entry point of the group `kassa.simulator`."""

import importlib
import pkgutil
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from importlib.metadata import entry_points
from typing import Protocol, cast, runtime_checkable

import structlog

import kassa_simulator
from kassa_simulator.frame import Books, ProviderProtocol
from kassa_simulator.lines import Line

GROUP = "kassa.simulator"

_log = structlog.get_logger(__name__)


@runtime_checkable
class WritesFiles(Protocol):
    """A protocol that has settlement files to download."""

    def settlement_file(self, books: Books, lines: Sequence[Line], odd: Sequence[str]) -> bytes:
        """What the provider writes of those lines. `odd`: how rows of it are spoiled."""
        ...


@cache
def protocols() -> Mapping[str, ProviderProtocol]:
    """Each by its name, which is also its prefix. Nothing else lists them."""
    found = {protocol.name: protocol for protocol in _own()}
    for point in entry_points(group=GROUP):
        try:
            protocol = cast("ProviderProtocol", point.load())
            found.setdefault(protocol.name, protocol)
        except Exception as error:  # noqa: BLE001 - what another package does when it is imported
            _log.error("protocol cannot be loaded", at=point.value, error=repr(error))
    return dict(sorted(found.items()))


def _own() -> Iterator[ProviderProtocol]:
    for module in pkgutil.iter_modules(kassa_simulator.__path__, f"{kassa_simulator.__name__}."):
        if module.ispkg:
            protocol = getattr(importlib.import_module(module.name), "PROTOCOL", None)
            if protocol is not None:
                yield cast("ProviderProtocol", protocol)
