"""Rows in one exact writing, the same here as in the database, so that both can digest them.

Texts stand as PostgreSQL writes an array of them; times as whole microseconds; JSON as `jsonb`
writes it. Not a word of it may change without a new chain.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from hashlib import sha256
from json.encoder import encode_basestring
from typing import Any

import msgspec

from kassa.ledger.domain.ledger import Posting

_QUOTED = re.compile(r'[ \t\n\r\v\f"\\{},]')
_SINCE = datetime(2000, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def array_text(items: Sequence[str | None]) -> str:
    """As `array[…]::text`: quotes what needs it, and tells null from a word."""
    return "{" + _elements(items) + "}"


def _elements(items: Sequence[str | None]) -> str:
    said = [
        # Most are one word; and to see that costs a third of a search.
        item if item and len(item) != len("null") and item.isidentifier() else _element(item)
        for item in items
    ]
    return ",".join(said)


_repeated = lru_cache(maxsize=1_024)(_elements)
"""The same, of what is said again and again."""


def _element(item: str | None) -> str:
    if item is None:
        return "NULL"
    if not item or _QUOTED.search(item) or (len(item) == len("null") and item.lower() == "null"):
        return _quoted(item)
    return item


def _quoted(item: str) -> str:
    return '"' + item.replace("\\", "\\\\").replace('"', '\\"') + '"'


@lru_cache(maxsize=1_024)  # what a transaction writes is of one moment
def instant(at: datetime) -> str:
    """As `encode(timestamptz_send(at), 'hex')`."""
    micros = (at - _SINCE) // _MICROSECOND
    return f"{micros & 0xFFFF_FFFF_FFFF_FFFF:016x}"


def jsonb_text(value: Any) -> str:
    """As `value::jsonb::text`, for what `msgspec.json` would send.

    Members as `jsonb` keeps them: the shorter name first, equally long ones by their bytes.
    """
    kind = type(value)
    if kind is dict:
        members = [
            lead + _SIMPLE.get(type(one := value[name]), jsonb_text)(one)
            for name, lead in _ordered(tuple(value))
        ]
        return "{" + ", ".join(members) + "}"
    if kind in (list, tuple):
        return "[" + ", ".join([jsonb_text(one) for one in value]) + "]"
    if kind in _SIMPLE:
        return _SIMPLE[kind](value)
    if kind is float:
        said = format(Decimal(repr(value)), "f")  # as `numeric` writes it: without an exponent
        return "0.0" if said == "-0.0" else said
    if isinstance(value, str):
        return _string(str(value))
    return jsonb_text(dict(value) if isinstance(value, Mapping) else msgspec.to_builtins(value))


_string: Callable[[str], str] = encode_basestring
_WORDS = {None: "null", True: "true", False: "false"}
_SIMPLE: Mapping[type, Callable[[Any], str]] = {
    str: _string,
    int: str,
    bool: _WORDS.__getitem__,
    type(None): _WORDS.__getitem__,
}


@lru_cache(maxsize=1_024)
def _ordered(names: tuple[str, ...]) -> list[tuple[str, str]]:
    """The names of members in their order, each with what its value stands behind."""
    return [(name, f"{_string(name)}: ") for name in sorted(names, key=_name_order)]


def _name_order(name: str) -> tuple[int, bytes]:
    raw = name.encode()
    return len(raw), raw


def event_digest(
    company_id: str,
    payment_id: str,
    seq: int,
    event: str,
    from_status: str | None,
    to_status: str,
    actor: str,
    evidence: Mapping[str, Any],
    at: datetime,
) -> bytes:
    """As the database's function of that name, of a row that is to be written."""
    whose = _elements((company_id, payment_id))
    step = _repeated((event, from_status, to_status, actor))
    # Braces are always quoted, and a moment's digits never; so neither is looked through for it.
    told = f"{{event,{whose},{seq},{step},{_quoted(jsonb_text(evidence))},{instant(at)}}}"
    return sha256(told.encode()).digest()


def record_digest(
    company_id: str, home: str, key: str, version: int, digest: bytes, at: datetime
) -> bytes:
    """As the database's function of that name, of a row that is to be written."""
    said = ["record", company_id, home, key, str(version), digest.hex(), instant(at)]
    return sha256(array_text(said).encode()).digest()


def posting_digest(posting: Posting) -> bytes:
    """As the database's function of that name, with the entries of the posting."""
    entries = [
        array_text([str(leg), entry.account, posting.currency, str(entry.minor)])
        for leg, entry in enumerate(posting.entries, 1)
    ]
    said = array_text(
        [
            "posting",
            posting.company_id,
            posting.id,
            posting.kind,
            posting.currency,
            posting.payment_id,
            posting.cause,
            instant(posting.at),
            "".join(entries),
        ]
    )
    return sha256(said.encode()).digest()
