"""Where the installation's keys are kept: private files, the environment, or a program that asks
something outside. docs/keys.md is the interface."""

import base64
import binascii
import os
import shlex
import subprocess
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from kassa import private_files
from kassa.base.domain.errors import InvalidRequest
from kassa.base.domain.secret import Secret
from kassa.base.usecases.keyring import MOST_VERSIONS, KeyVersion, Purpose, Versions

_PEPPER = "pepper"
_FIRST_FILES: Mapping[Purpose, str] = {
    **dict.fromkeys(
        (
            Purpose.CREDENTIALS,
            Purpose.WALLET_CODES,
            Purpose.FINGERPRINTS,
            Purpose.CHAIN,
            Purpose.SEALS,
        ),
        _PEPPER,
    ),
    Purpose.PAGE_TOKENS: "page_token",
    Purpose.WALLET_ANSWERS: "wallet_signing_key.pem",
}
"""What the first version was kept in before each purpose had a key of its own. An installation of
then keeps it; nobody makes such a file any more."""
_OLDER_NAMES: Mapping[Purpose, str] = {Purpose.PROVIDER_SECRETS: "credentials_key"}
_RETIRED = ".retired"
_VARIABLE = "KASSA_KEY_"
_CHANGED = "keys_changed"
_DEADLINE_SECONDS = 10.0  # seconds, not money
_LONGEST_OUTPUT = 1 << 20
_LOOK_EVERY_SECONDS = 60  # what another machine did is not seen in files of this one
_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


def _number(text: str) -> int:
    """0 for what is no version."""
    good = text.isascii() and text.isdigit() and len(text) <= len(str(MOST_VERSIONS))
    number = int(text) if good else 0
    return number if number <= MOST_VERSIONS else 0


class FileKeys:
    """Files that only their owner can read, one for each version. A file's time says from when on
    it is used: one that was just made comes into use once every process has seen it."""

    lead = 2.0  # seconds, not money: processes look twice a second

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def mark(self) -> object:
        try:
            return self._directory.stat().st_mtime_ns
        except FileNotFoundError:
            return None

    def read(self) -> Versions:
        return {
            purpose: [self._version(number, path) for number, path in self._files(purpose).items()]
            for purpose in Purpose
        }

    def add(self, purpose: Purpose, content: bytes, *, after: float) -> int:  # seconds, not money
        number = max(self._files(purpose), default=0)
        while number < MOST_VERSIONS:
            number += 1
            path = self._directory / f"{purpose}.{number}"
            if path.with_name(path.name + _RETIRED).exists():
                continue  # what was made with it may still be in a backup
            kept = private_files.write(path, content, replace=False, at=time.time() + after)
            if kept == content:
                return number
        raise InvalidRequest(f"{purpose} has had as many versions as there can be")

    def retire(self, purpose: Purpose, number: int) -> None:
        path = self._files(purpose).get(number)
        if path is None:
            raise InvalidRequest(f"there is no version {number} of {purpose}")
        if path.name in _FIRST_FILES.values() and self._serves_others(purpose, path.name):
            (self._directory / f"{purpose}.{number}{_RETIRED}").touch(0o600)
        else:
            path.rename(self._directory / f"{purpose}.{number}{_RETIRED}")

    def has(self, purpose: Purpose) -> bool:
        return bool(self._files(purpose)) or bool(
            list(self._directory.glob(f"{purpose}.*{_RETIRED}"))
        )

    def _serves_others(self, purpose: Purpose, name: str) -> bool:
        others = [one for one, first in _FIRST_FILES.items() if first == name and one != purpose]
        return any(1 in self._files(one) for one in others)

    def _files(self, purpose: Purpose) -> dict[int, Path]:
        found: dict[int, Path] = {}
        first = self._directory / _FIRST_FILES.get(purpose, "-")
        retired = (self._directory / f"{purpose}.1{_RETIRED}").exists()
        if first.exists() and not retired:
            found[1] = first
        for stem in (_OLDER_NAMES.get(purpose), purpose):
            for path in self._directory.glob(f"{stem}.*") if stem else ():
                if number := _number(path.suffix.removeprefix(".")):
                    found.setdefault(number, path)
        return found

    def _version(self, number: int, path: Path) -> KeyVersion:
        content = private_files.read(path)
        if path.suffix != ".pem" and not content.startswith(b"-----") and len(content) < 16:
            raise InvalidRequest(f"{path} must hold 32 bytes")
        times = path.stat()
        return KeyVersion(
            number=number,
            secret=Secret(content),
            made_at=datetime.fromtimestamp(min(times.st_ctime, times.st_mtime), UTC),
            used_from=datetime.fromtimestamp(times.st_mtime, UTC),
        )


class EnvironmentKeys:
    """KASSA_KEY_<PURPOSE>_<VERSION>, in base64. A new version is known after a restart."""

    lead = 0.0  # seconds, not money

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment

    def mark(self) -> object:
        return None

    def read(self) -> Versions:
        return {purpose: self._of(purpose) for purpose in Purpose}

    def _of(self, purpose: Purpose) -> Sequence[KeyVersion]:
        prefix = f"{_VARIABLE}{purpose.upper()}_"
        found = []
        for name, text in self._environment.items():
            if name.startswith(prefix) and (number := _number(name.removeprefix(prefix))):
                secret = Secret(_decoded(name, text))
                found.append(KeyVersion(number, secret, _LONG_AGO, _LONG_AGO))
        if not found:
            raise InvalidRequest(f"{prefix}1 is not set, and keys_from is environment")
        return found

    def add(self, purpose: Purpose, content: bytes, *, after: float) -> int:  # seconds, not money
        raise InvalidRequest(
            f"keys come from the environment: set {_VARIABLE}{purpose.upper()}_<version> to 32"
            " random bytes in base64, for every process, and start them again"
        )

    def retire(self, purpose: Purpose, number: int) -> None:
        raise InvalidRequest(
            f"keys come from the environment: remove {_VARIABLE}{purpose.upper()}_{number}"
        )


class CommandKeys:
    """A program of the operator's. `read` prints all versions as JSON, `add PURPOSE AFTER` is given
    a new one in base64 and prints its number, `retire PURPOSE VERSION` says nothing.

    It gets no setting of ours, has ten seconds, and what it says on standard error is shown to
    nobody: it may be a key.
    """

    lead = 120.0  # seconds, not money: other machines look once a minute

    def __init__(self, command: str, directory: Path, environment: Mapping[str, str]) -> None:
        self._command = shlex.split(command)
        self._changed = directory / _CHANGED
        self._environment = {
            name: value for name, value in environment.items() if not name.startswith("KASSA_")
        }

    def mark(self) -> object:
        try:
            here = self._changed.stat().st_mtime_ns
        except FileNotFoundError:
            here = 0
        return here, int(time.monotonic() / _LOOK_EVERY_SECONDS)

    def read(self) -> Versions:
        try:
            said = msgspec.json.decode(self._run(["read"]), type=dict[str, list[_Said]])
        except (msgspec.MsgspecError, ValueError):
            raise InvalidRequest("keys_command read: what it printed cannot be read") from None
        return {purpose: [one.version_of(purpose) for one in said.get(purpose, ())]
                for purpose in Purpose}  # fmt: skip

    def add(self, purpose: Purpose, content: bytes, *, after: float) -> int:  # seconds, not money
        said = self._run(["add", purpose, str(int(after))], base64.b64encode(content))
        number = _number(said.decode("ascii", "replace").strip())
        if not number:
            raise InvalidRequest("keys_command add: it must print the number of the version")
        private_files.write(self._changed, b"")
        return number

    def retire(self, purpose: Purpose, number: int) -> None:
        self._run(["retire", purpose, str(number)])
        private_files.write(self._changed, b"")

    def _run(self, words: Sequence[str], given: bytes = b"") -> bytes:
        try:
            done = subprocess.run(
                [*self._command, *words],
                input=given,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=self._environment,
                timeout=_DEADLINE_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise InvalidRequest(f"keys_command {words[0]}: no answer in ten seconds") from None
        except OSError as error:
            raise InvalidRequest(f"keys_command {words[0]}: {error.strerror}") from None
        if done.returncode or len(done.stdout) > _LONGEST_OUTPUT:
            raise InvalidRequest(f"keys_command {words[0]}: it ended with {done.returncode}")
        return done.stdout


class _Said(msgspec.Struct, frozen=True):
    version: int
    key: str
    made_at: datetime = _LONG_AGO
    used_from: datetime = _LONG_AGO

    def version_of(self, purpose: str) -> KeyVersion:
        if not 0 < self.version <= MOST_VERSIONS:
            raise InvalidRequest(f"keys_command read: {purpose} has a version {self.version}")
        secret = Secret(_decoded(purpose, self.key))
        return KeyVersion(self.version, secret, _aware(self.made_at), _aware(self.used_from))

    def __repr__(self) -> str:
        return "_Said(hidden)"


def _aware(at: datetime) -> datetime:
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _decoded(name: str, text: str) -> bytes:
    """Raises: InvalidRequest, which does not repeat it."""
    try:
        content = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        content = b""
    if len(content) < 16:
        raise InvalidRequest(f"{name} is no key in base64")
    return content


def key_store(settings: Any) -> FileKeys | EnvironmentKeys | CommandKeys:
    """The one that the settings name."""
    directory = settings.directory / "secrets"
    if settings.keys_from == "environment":
        return EnvironmentKeys(os.environ)
    if settings.keys_from == "command":
        return CommandKeys(settings.keys_command, directory, os.environ)
    return FileKeys(directory)
