"""What a connector says of itself, so that nothing else needs to know it by name."""

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from ipaddress import ip_address
from pathlib import Path
from typing import Protocol, cast
from urllib.parse import urlsplit

from kassa.base.domain.errors import InvalidRequest
from kassa.connectors.addresses import may_call
from kassa.connectors.base import Capturer, Closer, Connector, Probe, Refunder, Reporter
from kassa.connectors.declared import DemoAccount, InstallationAccount, ReportFormat
from kassa.connectors.earlier import EarlierOnes, Signers
from kassa.connectors.http import ProviderHttp
from kassa.payments.domain.payments import Method

_LONGEST = 10_000  # characters of a value; keys are the longest


@dataclass(frozen=True, slots=True)
class Field:
    """One setting of an account. `help`: what it is and where the provider shows it.

    `test_prefix`, `live_prefix`: what the value begins with in that mode, where providers mark it;
    `is_marked`: they always do, so that a value without is refused too.
    `test_hosts`, `live_hosts`: of an address: where the provider moves no money, and where it does;
    names below these count as well, and one that serves both stands in both. A test account is
    never at a host that is live only; where live hosts are known, a live account is nowhere else.
    `live_default`: what stands for a value that nobody gave in live mode, where that differs.
    `ending`: of an address: what it ends with; added where somebody left it out.
    `verifies`: what the provider signs is proven by it; once it is renewed, what it was before is
    believed for a while.
    """

    name: str
    help: str
    secret: bool = False
    required: bool = True
    default: str = ""
    test_prefix: tuple[str, ...] = ()
    live_prefix: tuple[str, ...] = ()
    is_marked: bool = False
    test_hosts: frozenset[str] = frozenset()
    live_hosts: frozenset[str] = frozenset()
    live_default: str = ""
    ending: str = ""
    verifies: bool = False

    def value_in(self, settings: Mapping[str, str], *, live: bool) -> str:
        """The setting, or what stands for it in that mode."""
        default = self.live_default if live and self.live_default else self.default
        return settings.get(self.name) or default

    def is_production(self, address: str) -> bool:
        """Whether the provider moves real money there, and nothing else."""
        host = _host_of(address)
        return _is_below(host, self.live_hosts) and not _is_below(host, self.test_hosts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """What a connector gets from outside. `http`: its own client, which it closes.

    `base_url`: how payers and providers reach us. `live`: real money moves at this account.
    `earlier`: what was renewed, by setting.
    """

    http: ProviderHttp
    clock: Callable[[], datetime]
    base_url: str
    live: bool = False
    earlier: EarlierOnes = field(default_factory=dict)

    def signers(self, settings: Mapping[str, str], name: str) -> Signers:
        """A setting that verifies, with what it was before."""
        return Signers(settings[name], tuple(self.earlier.get(name, ())))


class ConnectorClass(Protocol):
    """A connector's class: makes one for an account."""

    def from_settings(self, settings: Mapping[str, str], tools: Tools) -> Connector:
        """`settings`: every field of the kind, secrets among them.

        Raises: ValueError, in words that repeat no secret.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """All that anybody else knows of a provider. `connector`: "module:Class", loaded when it is
    first needed.

    `methods`: what payers can pay with. `currencies`: ISO 4217 codes; None for all. `only_in`:
    methods that are taken in these currencies alone.
    `takes`: what the payer gives us: "number" (sandbox cards only), "token" (made by the
    provider), "redirect" (the payer goes to the provider's page), "nothing" (recorded by staff).
    `token_prefix`: how its own tokens begin, where nobody else can read them and it reads no
    others. `addable`: whether companies can have accounts of it; False for the built-in ones.
    `reports`: report files of its own, by the name of the format. `installation`, `demo`: accounts
    that it may have beside those of companies.
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
    reports: Mapping[str, ReportFormat] = field(default_factory=dict)
    installation: InstallationAccount | None = None
    demo: DemoAccount | None = None

    def __post_init__(self) -> None:
        """Raises: ValueError for an account of the installation that is not one of this kind, or
        would have a secret in the settings, which are shown and handed on."""
        fields = {one.name: one for one in self.fields}
        for said in self.installation.settings if self.installation else ():
            if said.field not in fields:
                raise ValueError(f"{self.name} has no setting {said.field!r}")
            if fields[said.field].secret and not said.is_path:
                raise ValueError(f"{self.name} {said.name} must name the secret's file")

    def takes_currency(self, method: Method, currency: str) -> bool:
        taken = self.only_in.get(method, self.currencies)
        return taken is None or currency in taken

    def load(self) -> ConnectorClass:
        module, _, name = self.connector.partition(":")
        return cast("ConnectorClass", getattr(importlib.import_module(module), name))

    def check_mode(self, settings: Mapping[str, str], *, live: bool) -> None:
        """Refuse what belongs to the other mode: a key that says so, a production address for a
        test account, and an address that cannot be the provider's for a live one.

        Raises: InvalidRequest, which never repeats a secret.
        """
        for one in self.fields:
            value = one.value_in(settings, live=live)
            if not value:
                continue
            _check_marks(one, value, live=live)
            if one.name.endswith("_url"):
                _check_host(one, value, live=live)

    def moves_money(self, settings: Mapping[str, str]) -> bool:
        """Whether an address among these settings is where the provider moves real money."""
        return any(one.is_production(settings.get(one.name, "")) for one in self.fields)

    def make(self, settings: Mapping[str, str], tools: Tools, *, live: bool = False) -> Connector:
        """A connector for an account with these settings.

        Raises: InvalidRequest.
        """
        filled = {field.name: field.value_in(settings, live=live) for field in self.fields}
        try:
            return self.load().from_settings(filled, replace(tools, live=live))
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
        self.check_mode(read, live=live)
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
    if field.name.endswith("_url") and value:
        _check_url(field.name, value, live=live)
        value = value.rstrip("/")
        if not value.endswith(field.ending):
            value += field.ending
    return value


def _check_marks(field: Field, value: str, *, live: bool) -> None:
    wrong, right = (
        (field.test_prefix, field.live_prefix) if live else (field.live_prefix, field.test_prefix)
    )
    mode, other = ("live", "test") if live else ("test", "live")
    if value.startswith(wrong):
        hint = f"; one in {mode} mode begins with {' or '.join(right)}" if right else ""
        raise InvalidRequest(
            f"{field.name} is a {other} credential and the account is {mode}{hint}"
        )
    if field.is_marked and not value.startswith(right):
        raise InvalidRequest(f"{field.name} of a {mode} account begins with {' or '.join(right)}")


def _check_host(field: Field, value: str, *, live: bool) -> None:
    if not live:
        if field.is_production(value):
            raise InvalidRequest(
                f"{field.name} is where the provider moves real money, and the account is test"
            )
        return
    host = _host_of(value)
    is_test = _is_below(host, field.test_hosts)
    if not _is_below(host, field.live_hosts) and (is_test or field.live_hosts):
        places = " or ".join(sorted(field.live_hosts)) or "the provider's live address"
        raise InvalidRequest(f"{field.name} of a live account must be at {places}, not at {host}")
    if _is_inside(host):
        raise InvalidRequest(f"{field.name} of a live account cannot be at {host}")


def _host_of(address: str) -> str:
    """In small letters, without the dot that may end it; "" where there is none."""
    try:
        return (urlsplit(address).hostname or "").rstrip(".")
    except ValueError:
        return ""


def _is_below(host: str, names: frozenset[str]) -> bool:
    return any(host == name or host.endswith(f".{name}") for name in names)


def _is_inside(host: str) -> bool:
    """Whether it is this machine's or this network's: nobody moves real money for us there."""
    try:
        return not may_call(str(ip_address(host)), allow_loopback=False)
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


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
