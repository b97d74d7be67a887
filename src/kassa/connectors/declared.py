"""What a connector's KIND may declare beside the connector itself: report files of the provider's
own, an account of the whole installation, and the account that the demo has at the simulator."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from kassa.base.domain.errors import InvalidRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportFormat:
    """A settlement report file of the provider's own. `reader`: "module:function" with the
    signature of `reports.Reader`, loaded when it is first needed. `tells_fees`: a line's fee is
    all that the provider keeps of it."""

    reader: str
    tells_fees: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class InstallationSetting:
    """One setting of an installation's own account. `field`: of the KIND, which it stands for.
    `is_path`: it names the file in which the value is, as it does of every secret. `default` None:
    it is needed."""

    name: str
    field: str
    help: str
    is_path: bool = False
    default: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class InstallationAccount:
    """An account that every company of its mode may use: a table of the connector's name in the
    settings file, or variables KASSA_<CONNECTOR>_<SETTING>."""

    settings: tuple[InstallationSetting, ...]

    def filled(self, connector: str, said: Mapping[str, object]) -> dict[str, str]:
        """The account as it was said, with its defaults.

        Raises: InvalidRequest.
        """
        known = {one.name: one for one in self.settings}
        for name, value in said.items():
            if name not in known:
                raise InvalidRequest(
                    f"{connector} {name} is not a setting; there are {', '.join(known)}"
                )
            if not isinstance(value, str):
                raise InvalidRequest(f"{connector} {name} must be a text, got {value!r:.40}")
        filled = {name: str(said.get(name, one.default or "")) for name, one in known.items()}
        for name, one in known.items():
            if one.default is None and name not in said:
                raise InvalidRequest(f"{connector} {name} is needed: {one.help}")
            if one.is_path and filled[name] and not os.access(filled[name], os.R_OK):
                raise InvalidRequest(f"{connector} {name}: the file {filled[name]} cannot be read")
        return filled

    def read(self, filled: Mapping[str, str]) -> dict[str, str]:
        """The same in the words of the KIND's fields, with what the files hold.

        Raises: InvalidRequest.
        """
        read = {}
        for one in self.settings:
            value = filled[one.name]
            try:
                read[one.field] = Path(value).read_text() if one.is_path and value else value
            except (OSError, ValueError):
                raise InvalidRequest(f"{one.name}: the file {value} cannot be read") from None
        return read


@dataclass(frozen=True, slots=True)
class KeyPair:
    """PEM files of an RSA key pair of the demo's."""

    folder: Path
    name: str

    @property
    def private_path(self) -> Path:
        return self.folder / f"{self.name}_key.pem"

    @property
    def public_path(self) -> Path:
        return self.folder / f"{self.name}_public.pem"

    @property
    def is_there(self) -> bool:
        return self.private_path.exists()

    @property
    def private(self) -> str:
        return self.private_path.read_text()

    @property
    def public(self) -> str:
        return self.public_path.read_text()


@dataclass(frozen=True, slots=True, kw_only=True)
class Shared:
    """What both sides of the demo's account know. `simulator`: its address, "" where none runs."""

    texts: Mapping[str, str] = field(repr=False)
    keys: Mapping[str, KeyPair]
    simulator: str


def _nothing() -> Mapping[str, str]:
    return {}


def _texts(shared: Shared) -> Mapping[str, str]:
    return shared.texts


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoAccount:
    """The account that the demo has at the simulator, whose protocol has the connector's name.

    `account`: its name. `base_path`: what stands behind the simulator's address in `base_url`.
    `invent`: texts that both sides know, made up once and kept; `keys`: names of RSA key pairs,
    likewise. `settings`: of the account here, without `base_url`; `credentials`: of the one there.
    `turn`: the lower, the earlier it is registered; of accounts that can do the same the oldest is
    asked first. `is_installations`: it is the installation's, in the words of its
    InstallationAccount, and not the demo company's.
    """

    account: str
    base_path: str = ""
    invent: Callable[[], Mapping[str, str]] = _nothing
    keys: tuple[str, ...] = ()
    settings: Callable[[Shared], Mapping[str, str]] = _texts
    credentials: Callable[[Shared], Mapping[str, str]] = _texts
    is_installations: bool = False
    turn: int = 100
