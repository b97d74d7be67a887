"""Settings: flags, then KASSA_* variables, then a TOML file; what it does not know it refuses."""

import os
import re
import tomllib
from collections.abc import Mapping
from difflib import get_close_matches
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec

from kassa.base.domain.errors import InvalidRequest
from kassa.base.domain.money import EXPONENT, LARGEST, LARGEST_SUM

_PREFIX = "KASSA_"
# The test suite's, keys that are kept in the environment, and who types a command.
_NOT_OURS = ("KASSA_TEST_", "KASSA_KEY_", "KASSA_STAFF")
_EVERYWHERE = ("0.0.0.0", "::")  # noqa: S104 - compared with, not bound to
_FILE = "CONFIG"  # KASSA_CONFIG names the TOML file
_WHOLE = re.compile(r"[+-]?[0-9]{1,19}")
_ACCOUNTS = "accounts"  # is no setting by that name: accounts are tables of their connectors
_ODD = re.compile(r"[@\s\\]")
_LONGEST_SHOWN = 40
_NAME_SERVER = re.compile(r"[0-9]{1,3}(\.[0-9]{1,3}){3}(:[0-9]{1,5})?|[0-9a-fA-F:]{2,39}")
_MOST_UNASKED = 6  # HTTP processes: with the others they have the private server's connections
_RANGES: Mapping[str, tuple[int, int]] = {
    "port": (1, 65535),
    "grpc_port": (1, 65535),
    "ops_port": (0, 65535),
    "simulator_port": (0, 65535),
    "workers": (0, 64),
    "database_connections": (1, 200),
    "order_lifetime_days": (1, 3650),
    "wallet_order_lifetime_hours": (1, 10 * 365 * 24),
    "amount_limit_minor": (1, LARGEST),
    "wallet_limit_minor": (1, LARGEST),
    "wallet_daily_limit_minor": (1, LARGEST_SUM),
    "wallet_code_seconds": (5, 3600),
    "wallet_wrong_codes": (1, 1000),
    "wallet_access_token_days": (1, 3650),
    "wallet_refresh_token_days": (1, 3650),
    "earlier_secret_hours": (0, 720),
    "webhook_log_days": (1, 3650),
    "personal_data_days": (0, 36_500),
    "wallet_authorization_days": (1, 365),
    "authorization_margin_minutes": (1, 7 * 24 * 60),
    "live_requests_per_second": (1, 1_000_000),
    "live_requests_burst": (1, 1_000_000),
    "test_requests_per_second": (0, 1_000_000),
    "test_requests_burst": (0, 1_000_000),
    "address_requests_per_second": (0, 1_000_000),
    "address_requests_burst": (0, 1_000_000),
    "company_calls": (0, 100_000),
    "process_calls": (0, 100_000),
    "late_milliseconds": (0, 600_000),
    "wrong_credentials": (0, 1_000_000),
}


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Every setting with its default. Durations are in the unit of their name.

    `database_url`: empty for the embedded PostgreSQL. `base_url`: how payers and providers reach
    us; empty for http://host:port. `workers`: HTTP processes; 0 for as many as there are cores.
    `live`: this installation may take real money, so live sides of companies are served; demo
    conveniences are refused.
    `simulator_port`: where the demo plays real providers; 0 for 8090, or another when that is
    taken. `ops_port`: metrics and the details of readiness, for operators; 0 for 9091, or another
    when that is taken. `trusted_proxies`: networks whose X-Forwarded-For is believed. Limits of 0
    are as usual, and in a demo as good as none. `accounts`: the installation's own accounts at
    providers, by connector, in the words of what it declares (`connectors.declared`).
    """

    host: str = "127.0.0.1"
    port: int = 8080
    grpc_port: int = 9090
    ops_host: str = "127.0.0.1"
    ops_port: int = 0
    grpc_reflection: bool = False
    simulator_port: int = 0
    data_dir: str = ".kassa"
    database_url: str = ""
    base_url: str = ""
    workers: int = 0
    trusted_proxies: tuple[str, ...] = ()
    name_servers: tuple[str, ...] = ()
    demo: bool = False
    live: bool = False
    postgres_bin: str = ""
    database_connections: int = 8
    database_standby_names: str = ""
    order_lifetime_days: int = 30
    wallet_order_lifetime_hours: int = 24
    amount_limit_minor: int = 10**12
    amount_limits: str = ""
    wallet_limit_minor: int = 100_000_000
    wallet_daily_limit_minor: int = 1_000_000_000
    wallet_code_seconds: int = 60
    wallet_wrong_codes: int = 5
    wallet_access_token_days: int = 180
    wallet_refresh_token_days: int = 365
    earlier_secret_hours: int = 72
    webhook_log_days: int = 90
    personal_data_days: int = 0
    wallet_authorization_days: int = 7
    authorization_margin_minutes: int = 60
    capture_at_deadline: bool = False
    live_requests_per_second: int = 100
    live_requests_burst: int = 200
    test_requests_per_second: int = 0
    test_requests_burst: int = 0
    address_requests_per_second: int = 0
    address_requests_burst: int = 0
    company_calls: int = 0
    process_calls: int = 0
    late_milliseconds: int = 0
    wrong_credentials: int = 0
    log_level: str = "info"
    keys_from: str = "files"
    keys_command: str = ""
    accounts: Mapping[str, Mapping[str, str]] = {}

    def __repr__(self) -> str:
        """Without the database's address, which holds a password, and what is said of accounts."""
        shown = msgspec.structs.asdict(self)
        shown["database_url"] = "hidden" if self.database_url else ""
        shown["accounts"] = sorted(self.accounts)
        return f"Settings({', '.join(f'{name}={value!r}' for name, value in shown.items())})"

    @property
    def url(self) -> str:
        host = "127.0.0.1" if self.host in _EVERYWHERE else self.host
        host = f"[{host}]" if ":" in host else host
        return self.base_url or f"http://{host}:{self.port}"

    @property
    def http_processes(self) -> int:
        """As many as are set, or as this machine has cores for us."""
        return self.workers or min(len(os.sched_getaffinity(0)), _MOST_UNASKED)

    @property
    def ops_url(self) -> str:
        """Where operators look; "" before a port is chosen."""
        host = f"[{self.ops_host}]" if ":" in self.ops_host else self.ops_host
        return f"http://{host}:{self.ops_port}" if self.ops_port else ""

    @property
    def limits_by_currency(self) -> dict[str, int]:
        """`amount_limits` read: most that one amount of each of these currencies may be."""
        pairs = (part.partition("=") for part in self.amount_limits.split(",") if part.strip())
        return {code.strip(): int(most) for code, _, most in pairs}

    @property
    def simulator_url(self) -> str:
        """Where the demo's providers are played; "" when they are not."""
        return f"http://127.0.0.1:{self.simulator_port}" if self.simulator_port else ""

    @property
    def directory(self) -> Path:
        return Path(os.path.abspath(self.data_dir))

    @property
    def demo_directory(self) -> Path:
        """Where the demo's credentials are kept."""
        return self.directory / "demo"


def load(flags: Mapping[str, Any], environment: Mapping[str, str] | None = None) -> Settings:
    """The settings in force. `flags`: what the command line named (None: not named).

    Raises: InvalidRequest with one sentence that names the setting, its value and where it stood.
    """
    environment = os.environ if environment is None else environment
    named = _from_environment(environment)
    told = named.pop(_FILE.lower(), None)
    path = flags.get("config") or told
    values: dict[str, Any] = _from_file(Path(path)) if path else {}
    accounts = _accounts_in(values)
    for connector, said in named.pop(_ACCOUNTS, {}).items():
        accounts[connector] = {**accounts.get(connector, {}), **said}
    values.update(named)
    values.update({k: v for k, v in flags.items() if v is not None and k != "config"})
    return _checked({**values, _ACCOUNTS: _filled(accounts)} if accounts else values)


def _installations() -> Mapping[str, Any]:
    """The kinds of connector of which the installation itself may have an account."""
    from kassa.connectors.catalog import kinds  # noqa: PLC0415 - few have such an account

    return {name: kind for name, kind in kinds().items() if kind.installation}


def _accounts_in(values: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Taken out of what a file says. Raises: InvalidRequest."""
    if _ACCOUNTS in values:
        raise InvalidRequest(f"{_ACCOUNTS} is not a setting: a connector's table has its own name")
    tables = [name for name, value in values.items() if isinstance(value, dict)]
    known = _installations() if tables else {}
    return {name: values.pop(name) for name in tables if name in known}


def _filled(accounts: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, str]]:
    """Raises: InvalidRequest."""
    kinds = _installations()
    return {name: kinds[name].installation.filled(name, said) for name, said in accounts.items()}


def _from_environment(environment: Mapping[str, str]) -> dict[str, Any]:
    fields = {field.name: field for field in msgspec.structs.fields(Settings)}
    found: dict[str, Any] = {}
    for variable, text in environment.items():
        if not variable.startswith(_PREFIX):
            continue
        name = variable.removeprefix(_PREFIX).lower()
        if variable.startswith(_NOT_OURS) and name not in fields:
            continue
        if name == _FILE.lower():
            found[name] = text
        elif name in fields and name != _ACCOUNTS:
            found[name] = _typed(variable, text, fields[name].type)
        elif connector := _connector_of(name):
            of_it = found.setdefault(_ACCOUNTS, {}).setdefault(connector, {})
            of_it[name.removeprefix(f"{connector}_")] = text
        else:
            raise InvalidRequest(
                f"{variable} is not a setting; most like it are {_most_like(variable, fields)}"
            )
    return found


def _connector_of(name: str) -> str:
    """Whose setting it is; "" when nobody's."""
    own = [connector for connector in _installations() if name.startswith(f"{connector}_")]
    return max(own, key=len, default="")


def _most_like(variable: str, fields: Mapping[str, Any]) -> str:
    known = [_PREFIX + name.upper() for name in fields if name != _ACCOUNTS]
    return ", ".join(get_close_matches(variable[:_LONGEST_SHOWN], known, n=3, cutoff=0))


def _typed(variable: str, text: str, kind: Any) -> Any:
    if kind is bool:
        known = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}
        if text.lower() not in known:
            raise InvalidRequest(f"{variable}={text!r} is not true or false")
        return known[text.lower()]
    if kind is int:
        if not _WHOLE.fullmatch(text):
            shown = text if len(text) <= _LONGEST_SHOWN else text[:_LONGEST_SHOWN] + "…"
            raise InvalidRequest(f"{variable}={shown!r} is not a whole number that can be used")
        return int(text)
    if kind == tuple[str, ...]:
        return tuple(part.strip() for part in text.split(",") if part.strip())
    return text


def _from_file(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            return tomllib.load(file)
    except OSError as error:
        raise InvalidRequest(f"cannot read the settings file {path}: {error.strerror}") from None
    except ValueError as error:  # also a name or a text that is not UTF-8
        raise InvalidRequest(f"the settings file {path} is not valid TOML: {error}") from None


def _checked(values: Mapping[str, Any]) -> Settings:
    try:
        settings = msgspec.convert(dict(values), Settings, strict=True)
    except msgspec.ValidationError as error:
        raise InvalidRequest(f"settings: {error}") from None
    for name, (least, most) in _RANGES.items():
        if not least <= getattr(settings, name) <= most:
            raise InvalidRequest(f"{name} must be {least} to {most}, got {getattr(settings, name)}")
    if settings.port == settings.grpc_port:
        raise InvalidRequest(f"port and grpc_port are both {settings.port}; choose two")
    if settings.ops_port in (settings.port, settings.grpc_port):
        raise InvalidRequest(f"ops_port is {settings.ops_port}, which payers reach; choose another")
    for name in ("host", "ops_host", "data_dir"):
        if not getattr(settings, name):
            raise InvalidRequest(f"{name} must not be empty")
    if settings.log_level not in ("debug", "info", "warning", "error"):
        raise InvalidRequest(
            f"log_level must be debug, info, warning or error, got {settings.log_level!r}"
        )
    _check_keys(settings)
    if settings.authorization_margin_minutes >= settings.wallet_authorization_days * 24 * 60:
        raise InvalidRequest(
            f"authorization_margin_minutes ({settings.authorization_margin_minutes}) must be less"
            f" than wallet_authorization_days ({settings.wallet_authorization_days}): funds would"
            " be let go as soon as they are reserved"
        )
    _check_limits(settings.amount_limits)
    _check_urls(settings)
    _check_proxies(settings)
    _check_accounts(settings)
    if settings.live and settings.demo:
        raise InvalidRequest("live and demo exclude each other: the demo's credentials are public")
    return settings


def _check_keys(settings: Settings) -> None:
    if settings.keys_from not in ("files", "environment", "command"):
        raise InvalidRequest(
            f"keys_from must be files, environment or command, got {settings.keys_from!r}"
        )
    if (settings.keys_from == "command") != bool(settings.keys_command):
        raise InvalidRequest("keys_command is for keys_from = command, which needs it")


def _check_limits(text: str) -> None:
    for part in filter(None, (part.strip() for part in text.split(","))):
        code, _, most = part.partition("=")
        known = code.strip() in EXPONENT and _WHOLE.fullmatch(most.strip()) is not None
        if not known or not 1 <= int(most) <= LARGEST:
            raise InvalidRequest(
                f"amount_limits must be like KRW=100000000000000,CNY=500000, each at most {LARGEST}"
                f" in the currency's smallest units; got {part[:_LONGEST_SHOWN]!r}"
            )


def _check_urls(settings: Settings) -> None:
    if settings.base_url and not _is_origin(settings.base_url):
        # One with a user name may hold a password, and is not shown.
        shown = "an address with a user name" if "@" in settings.base_url else settings.base_url
        raise InvalidRequest(f"base_url must be like https://pay.example.org, got {shown!r}")
    if settings.database_url and not _is_postgres(settings.database_url):
        raise InvalidRequest("database_url must begin with postgresql://, and be an address")


def _check_proxies(settings: Settings) -> None:
    for text in settings.name_servers:
        if not _NAME_SERVER.fullmatch(text):
            raise InvalidRequest(f"name_servers must be addresses such as 10.0.0.53, got {text!r}")
    for text in settings.trusted_proxies:
        try:
            ip_network(text)
        except ValueError as error:
            raise InvalidRequest(
                f"trusted_proxies must be networks such as 10.0.0.0/8: {error}"
            ) from None


def check_transport(settings: Settings) -> None:
    """What serves live sides is reached by HTTPS, and listens in the clear on this machine alone or
    for the proxies that are named.

    Raises: InvalidRequest.
    """
    if not settings.live:
        return
    if not settings.base_url.startswith("https://"):
        raise InvalidRequest(
            "live needs a base_url with https, such as https://pay.example.org: payers and"
            f" providers would reach {settings.url} in the clear"
        )
    if not _is_loopback(settings.host) and not settings.trusted_proxies:
        raise InvalidRequest(
            f"live listens on {settings.host} in the clear: bind it to a loopback address, or name"
            " the proxies in front of it, which speak TLS, in trusted_proxies"
        )


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _is_origin(url: str) -> bool:
    """Whether `url` is a scheme, a host and perhaps a port, with nothing after them."""
    try:
        parts = urlsplit(url)
        port = parts.port or 80
    except ValueError:
        return False
    bare = f"{parts.scheme}://{parts.netloc}" == url and bool(parts.hostname)
    return bare and port > 0 and parts.scheme in ("http", "https") and not _ODD.search(parts.netloc)


def _is_postgres(url: str) -> bool:
    try:
        return urlsplit(url).scheme in ("postgres", "postgresql")
    except ValueError:
        return False


def _check_accounts(settings: Settings) -> None:
    """An account that moves real money is for live sides alone."""
    kinds = _installations() if settings.accounts and not settings.live else {}
    for connector, kind in kinds.items():
        said = settings.accounts.get(connector, {})
        fields = {field.name: field for field in kind.fields}
        for one in kind.installation.settings if said else ():
            if fields[one.field].is_production(said[one.name]):
                raise InvalidRequest(
                    f"{connector} {one.name} {said[one.name]} moves real money: set live = true,"
                    f" or name the sandbox's {one.name}"
                )
