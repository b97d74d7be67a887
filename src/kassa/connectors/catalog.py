"""The connectors there are: every folder here that exports a KIND."""

import importlib
import pkgutil
from collections.abc import Mapping
from functools import cache

import kassa.connectors
from kassa.connectors.kind import Kind
from kassa.domain.errors import InvalidRequest


@cache
def kinds() -> Mapping[str, Kind]:
    """By name. A folder is a connector when its __init__ has a KIND; nothing else lists it."""
    found: dict[str, Kind] = {}
    for module in pkgutil.iter_modules(kassa.connectors.__path__, "kassa.connectors."):
        if not module.ispkg:
            continue
        kind = getattr(importlib.import_module(module.name), "KIND", None)
        if isinstance(kind, Kind):
            found[kind.name] = kind
    return dict(sorted(found.items()))


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
