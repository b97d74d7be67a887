"""How facts are kept: as JSON objects, by kind and version, and read again."""

from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, fields
from datetime import datetime
from enum import StrEnum
from typing import Any, get_args, get_type_hints

from kassa.base.domain.money import Money
from kassa.payments.domain.fact import Fact
from kassa.payments.domain.facts import KINDS

_BY_KIND = {cls.kind: cls for cls in KINDS}


def written(fact: Fact) -> dict[str, Any]:
    """As it is kept: JSON, with money as "12.34 CNY"."""
    said: dict[str, Any] = {"kind": fact.kind, "v": fact.version}
    for name, default, plain in _writers(type(fact)):
        value = getattr(fact, name)
        if value != default:
            said[name] = plain(value) if plain is not None else value
    return said


def read(said: Mapping[str, Any]) -> Fact | None:
    """What was kept; None for what no kind of this release is. Raises: nothing for what `written`
    has made; a damaged member raises ValueError, KeyError or TypeError."""
    cls = _BY_KIND.get(said.get("kind", ""))
    if cls is None or said.get("v") != cls.version:
        return None
    readers = _readers(cls)
    return cls(**{name: readers[name](said[name]) for name in readers if name in said})


_Plain = Callable[[Any], Any] | None
_WRITERS: dict[type[Fact], list[tuple[str, Any, _Plain]]] = {}
_READERS: dict[type[Fact], dict[str, Callable[[Any], Any]]] = {}


def _kept(cls: type[Fact]) -> list["Field[Any]"]:
    return [one for one in fields(cls) if one.metadata.get("kept", True)]


def _writers(cls: type[Fact]) -> list[tuple[str, Any, _Plain]]:
    found = _WRITERS.get(cls)
    if found is None:
        hints = get_type_hints(cls)
        found = _WRITERS[cls] = [
            (one.name, one.default if one.default is not MISSING else ..., _plain(hints[one.name]))
            for one in _kept(cls)
        ]
    return found


def _readers(cls: type[Fact]) -> dict[str, Callable[[Any], Any]]:
    found = _READERS.get(cls)
    if found is None:
        hints = get_type_hints(cls)
        found = _READERS[cls] = {one.name: _reader(hints[one.name]) for one in _kept(cls)}
    return found


def _core(hint: Any) -> Any:
    """The type beside None."""
    others = [one for one in get_args(hint) if one is not type(None)]
    return others[0] if type(None) in get_args(hint) else hint


def _plain(hint: Any) -> _Plain:
    core = _core(hint)
    if core is Money:
        return str
    if core is datetime:
        return datetime.isoformat
    if get_args(core):
        return list
    return str if issubclass(core, StrEnum) else None


def _reader(hint: Any) -> Callable[[Any], Any]:
    core = _core(hint)
    if core is Money:
        return Money.parse
    if core is datetime:
        return datetime.fromisoformat
    if get_args(core):
        return tuple
    return core if issubclass(core, StrEnum) else _as_it_is


def _as_it_is(value: Any) -> Any:
    return value
