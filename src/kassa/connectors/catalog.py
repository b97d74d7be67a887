"""The connectors there are: every folder here that exports a KIND, and every KIND that an installed
package names as an entry point of the group `kassa.connectors`."""

import importlib
import pkgutil
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import structlog

import kassa.connectors
from kassa.base.domain.errors import InvalidRequest
from kassa.connectors.kind import Kind

GROUP = "kassa.connectors"
_READERS = "kassa.connectors.reports"  # the one folder that is no connector, and takes its time

_log = structlog.get_logger("kassa.connectors")


@cache
def kinds() -> Mapping[str, Kind]:
    """By name. Nothing else lists them.

    One of another package that cannot be used, or has a name that is taken, is told in the log,
    and holds up no other.
    """
    from importlib.metadata import entry_points  # noqa: PLC0415 - it brings the library of mail

    found = {kind.name: kind for kind in _own()}
    for point in entry_points(group=GROUP):
        kind = _loaded(point)
        if kind is None:
            continue
        if kind.name in found:
            _log.error("connector has a name that is taken", connector=kind.name, at=point.value)
            continue
        found[kind.name] = kind
    return dict(sorted(found.items()))


def _own() -> Iterator[Kind]:
    for module in pkgutil.iter_modules(kassa.connectors.__path__, "kassa.connectors."):
        if module.ispkg and module.name != _READERS:
            kind = getattr(importlib.import_module(module.name), "KIND", None)
            if isinstance(kind, Kind):
                yield kind


def _loaded(point: Any) -> Kind | None:
    try:
        kind = point.load()
    except Exception as error:  # noqa: BLE001 - what another package does when it is imported
        _log.error("connector cannot be loaded", at=point.value, error=repr(error))
        return None
    if not isinstance(kind, Kind):
        _log.error("connector is no KIND", at=point.value)
        return None
    return kind


def maker_of(token: str) -> str:
    """The connector whose own token it is; "" for one that its look does not give away."""
    for kind in kinds().values():
        if kind.token_prefix and token.startswith(kind.token_prefix):
            return kind.name
    return ""


def kind_of(name: str) -> Kind:
    """Raises: InvalidRequest."""
    try:
        return kinds()[name]
    except KeyError:
        known = ", ".join(kind.name for kind in kinds().values() if kind.addable)
        raise InvalidRequest(f"there is no connector {name!r}; there are {known}") from None
