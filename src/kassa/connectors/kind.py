"""What a connector says of itself, so that nothing else needs to know it by name."""

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Protocol, cast
from urllib.parse import urlsplit

from kassa.connectors.base import Capturer, Closer, Connector, Probe, Refunder, Reporter
from kassa.connectors.http import ProviderHttp
from kassa.domain.errors import InvalidRequest
from kassa.domain.payments import Method

_LONGEST = 10_000  # characters of a value; keys are the longest


@dataclass(frozen=True, slots=True)
class Field:
    """One setting of an account. `help`: what it is and where the provider shows it.

    `test_prefix`, `live_prefix`: what the value begins with in that mode, where providers mark it.
    `ending`: of an address: what it ends with; added where somebody left it out.
    """

    name: str
    help: str
    secret: bool = False
    required: bool = True
    default: str = ""
    test_prefix: str = ""
    live_prefix: str = ""
    ending: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """What a connector gets from outside. `http`: its own client, which it closes.

    `base_url`: how payers and providers reach us.
    """

    http: ProviderHttp
    clock: Callable[[], datetime]
    base_url: str


class ConnectorClass(Protocol):
    """A connector's class: makes one for an account."""

    def from_settings(self, settings: Mapping[str, str], tools: Tools) -> Connector:
        """`settings`: every field of the kind, secrets among them.

        Raises: ValueError, in words that repeat no secret.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A connector at a glance. `connector`: "module:Class", loaded when it is first needed.

    `methods`: what payers can pay with. `currencies`: ISO 4217 codes; None for all. `only_in`:
    methods that are taken in these currencies alone.
    `takes`: what the payer gives us: "number" (sandbox cards only), "token" (made by the
    provider), "redirect" (the payer goes to the provider's page), "nothing" (recorded by staff).
    `token_prefix`: how its own tokens begin, where nobody else can read them and it reads no
    others. `addable`: whether companies can have accounts of it; False for the built-in ones.
    """

    name: str
    title: str
    connector: str
    fields: tuple[Field, ...]
    methods: frozenset[Method]
    currencies: frozenset[str] | None
    takes: frozenset[str]
    only_in: Mapping[Method, frozenset[str]] = field(default_factory=dict)
    token_prefix: str = ""
    addable: bool = True

    def takes_currency(self, method: Method, currency: str) -> bool:
        taken = self.only_in.get(method, self.currencies)
        return taken is None or currency in taken

    def load(self) -> ConnectorClass:
        module, _, name = self.connector.partition(":")
        return cast("ConnectorClass", getattr(importlib.import_module(module), name))

    def make(self, settings: Mapping[str, str], tools: Tools) -> Connector:
        """A connector for an account with these settings.

        Raises: InvalidRequest.
        """
        filled = {field.name: settings.get(field.name) or field.default for field in self.fields}
        try:
            return self.load().from_settings(filled, tools)
        except ValueError as error:
            raise InvalidRequest(f"{self.name}: {error}") from None

    def read(self, given: Mapping[str, str], *, live: bool) -> dict[str, str]:
        """The settings as somebody typed them, checked; "@path" stands for a file's content.

        Raises: InvalidRequest, which never repeats a secret.
        """
        fields = {field.name: field for field in self.fields}
        unknown = sorted(set(given) - set(fields))
        if unknown:
            raise InvalidRequest(
                f"{self.name} has no setting {unknown[0]!r}; it has {', '.join(fields)}"
            )
        read = {}
        for name, value in given.items():
            read[name] = _value(fields[name], value, live=live)
        missing = [name for name, one in fields.items() if one.required and not read.get(name)]
        if missing:
            described = fields[missing[0]].help
            raise InvalidRequest(f"{self.name} needs --set {missing[0]}=…: {described}")
        return read


def _value(field: Field, value: str, *, live: bool) -> str:
    if value.startswith("@"):
        path = Path(value[1:])
        try:
            value = path.read_text()
        except (OSError, ValueError):
            raise InvalidRequest(f"{field.name}: the file {path} cannot be read") from None
    value = value.strip()
    if len(value) > _LONGEST or "\0" in value:
        raise InvalidRequest(f"{field.name}: at most {_LONGEST} characters of text")
    wrong, right = (
        (field.test_prefix, field.live_prefix) if live else (field.live_prefix, field.test_prefix)
    )
    if wrong and value.startswith(wrong):
        mode, other = ("live", "test") if live else ("test", "live")
        raise InvalidRequest(
            f"{field.name} is a {other} credential and the account is {mode}; one in {mode} mode"
            f" begins with {right}"
        )
    if field.name.endswith("_url") and value:
        _check_url(field.name, value, live=live)
        value = value.rstrip("/")
        if not value.endswith(field.ending):
            value += field.ending
    return value


def _check_url(name: str, value: str, *, live: bool) -> None:
    try:
        parts = urlsplit(value)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and not parts.username
        _ = parts.port
    except ValueError:
        good = False
    if not good or any(sign.isspace() for sign in value):
        raise InvalidRequest(f"{name} must be an address like https://api.example.com")
    if live and parts.scheme != "https":
        raise InvalidRequest(f"{name} of a live account must begin with https://")


def operations(connector: object) -> frozenset[str]:
    """What a connector can do, as its class says: there is no list kept beside it."""
    found = {"charge", "query"}
    if isinstance(connector, Capturer):
        found |= {"capture", "void"}
    for protocol, word in ((Refunder, "refund"), (Closer, "close"), (Reporter, "report")):
        if isinstance(connector, protocol):
            found.add(word)
    if isinstance(connector, Probe):
        found.add("test")
    return frozenset(found)
