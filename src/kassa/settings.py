"""Settings: flags, then KASSA_* variables, then a TOML file; what it does not know it refuses."""

import os
import tomllib
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec

from kassa.domain.errors import InvalidRequest

_PREFIX = "KASSA_"
_NOT_OURS = ("KASSA_TEST_", "KASSA_CHILD_")  # the test suite's, and what we tell our own children
_EVERYWHERE = ("0.0.0.0", "::")  # noqa: S104 - compared with, not bound to
_FILE = "CONFIG"  # KASSA_CONFIG names the TOML file


class Alipay(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One account of the Alipay open platform. Paths are PEM files."""

    app_id: str
    private_key_path: str
    public_key_path: str
    gateway: str = "https://openapi-sandbox.dl.alipaydev.com/gateway.do"
    seller_id: str = ""


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Every setting with its default. Durations are in the unit of their name.

    `database_url`: empty for the embedded PostgreSQL. `base_url`: how payers and providers reach
    us; empty for http://host:port. `workers`: HTTP processes. `live`: real money, so demo
    conveniences and the sandbox provider are refused.
    """

    host: str = "127.0.0.1"
    port: int = 8080
    grpc_port: int = 9090
    data_dir: str = ".kassa"
    database_url: str = ""
    base_url: str = ""
    workers: int = 1
    demo: bool = False
    live: bool = False
    postgres_bin: str = ""
    database_connections: int = 8
    order_lifetime_days: int = 30
    wallet_order_lifetime_hours: int = 24
    wallet_limit_minor: int = 100_000_000
    log_level: str = "info"
    alipay: Alipay | None = None

    @property
    def url(self) -> str:
        host = "127.0.0.1" if self.host in _EVERYWHERE else self.host
        host = f"[{host}]" if ":" in host else host
        return self.base_url or f"http://{host}:{self.port}"

    @property
    def directory(self) -> Path:
        return Path(os.path.abspath(self.data_dir))


def load(flags: Mapping[str, Any], environment: Mapping[str, str] | None = None) -> Settings:
    """The settings in force. `flags`: what the command line named (None: not named).

    Raises: InvalidRequest with one sentence that names the setting, its value and where it stood.
    """
    environment = os.environ if environment is None else environment
    named = _from_environment(environment)
    path = flags.get("config") or named.pop(_FILE.lower(), None)
    values: dict[str, Any] = _from_file(Path(path)) if path else {}
    values.update(named)
    values.update({k: v for k, v in flags.items() if v is not None and k != "config"})
    return _checked(values)


def _from_environment(environment: Mapping[str, str]) -> dict[str, Any]:
    fields = {field.name: field for field in msgspec.structs.fields(Settings)}
    found: dict[str, Any] = {}
    for variable, text in environment.items():
        if not variable.startswith(_PREFIX) or variable.startswith(_NOT_OURS):
            continue
        name = variable.removeprefix(_PREFIX).lower()
        if name == _FILE.lower():
            found[name] = text
        elif name.startswith("alipay_"):
            found.setdefault("alipay", {})[name.removeprefix("alipay_")] = text
        elif name in fields and name != "alipay":
            found[name] = _typed(variable, text, fields[name].type)
        else:
            raise InvalidRequest(
                f"{variable} is not a setting; known are {', '.join(_variables(fields))}"
            )
    return found


def _variables(fields: Mapping[str, Any]) -> list[str]:
    return sorted(_PREFIX + name.upper() for name in fields if name != "alipay")


def _typed(variable: str, text: str, kind: Any) -> Any:
    if kind is bool:
        known = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}
        if text.lower() not in known:
            raise InvalidRequest(f"{variable}={text!r} is not true or false")
        return known[text.lower()]
    if kind is int:
        try:
            number = Decimal(text)
        except InvalidOperation:
            number = Decimal("NaN")
        if not number.is_finite() or number != number.to_integral_value():
            raise InvalidRequest(f"{variable}={text!r} is not a whole number")
        return int(number)
    return text


def _from_file(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            return tomllib.load(file)
    except OSError as error:
        raise InvalidRequest(f"cannot read the settings file {path}: {error.strerror}") from None
    except tomllib.TOMLDecodeError as error:
        raise InvalidRequest(f"the settings file {path} is not valid TOML: {error}") from None


def _checked(values: Mapping[str, Any]) -> Settings:
    try:
        settings = msgspec.convert(dict(values), Settings, strict=True)
    except msgspec.ValidationError as error:
        raise InvalidRequest(f"settings: {error}") from None
    for name in ("port", "grpc_port"):
        if not 0 < getattr(settings, name) < 65536:
            raise InvalidRequest(f"{name} must be 1 to 65535, got {getattr(settings, name)}")
    if settings.port == settings.grpc_port:
        raise InvalidRequest(f"port and grpc_port are both {settings.port}; choose two")
    for name, most in (("workers", 64), ("database_connections", 200)):
        if not 1 <= getattr(settings, name) <= most:
            raise InvalidRequest(f"{name} must be 1 to {most}, got {getattr(settings, name)}")
    for name in ("order_lifetime_days", "wallet_order_lifetime_hours", "wallet_limit_minor"):
        if getattr(settings, name) < 1:
            raise InvalidRequest(f"{name} must be 1 or more, got {getattr(settings, name)}")
    if settings.log_level not in ("debug", "info", "warning", "error"):
        raise InvalidRequest(
            f"log_level must be debug, info, warning or error, got {settings.log_level!r}"
        )
    _check_urls(settings)
    if settings.live and settings.demo:
        raise InvalidRequest("live and demo exclude each other: the demo's credentials are public")
    return settings


def _check_urls(settings: Settings) -> None:
    if settings.base_url:
        parts = urlsplit(settings.base_url)
        if parts.scheme not in ("http", "https") or not parts.netloc or parts.path.strip("/"):
            raise InvalidRequest(
                f"base_url must be like https://pay.example.org, got {settings.base_url!r}"
            )
        if settings.base_url.endswith("/"):
            raise InvalidRequest("base_url must not end with a slash")
    if settings.database_url and urlsplit(settings.database_url).scheme not in (
        "postgres",
        "postgresql",
    ):
        raise InvalidRequest("database_url must begin with postgresql://")
