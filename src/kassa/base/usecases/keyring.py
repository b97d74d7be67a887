"""The installation's keys: one root key for each purpose, each in versions, renewed while serving.

The newest version that is in use makes what is new; every version there is reads what is old.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Protocol

from kassa.base.domain.errors import InvalidRequest
from kassa.base.domain.secret import Secret

MOST_VERSIONS = 65_535  # a version is two bytes beside what was made with it


class Purpose(StrEnum):
    """What a root key is for. No key serves two purposes; keys from before there were purposes
    still serve as the first versions of several."""

    CREDENTIALS = "credentials"
    """Hashes API keys' and clients' secrets."""
    WEBHOOKS = "webhooks"
    """Seals the secrets that notifications to merchants are signed with."""
    WALLET_CODES = "wallet_codes"
    """Hashes pay codes and tokens, and makes those of agreements."""
    FINGERPRINTS = "fingerprints"
    """Hashes what a request said, where the bare hash could be guessed."""
    PAGE_TOKENS = "page_tokens"
    """Seals page tokens and the cashier's forms."""
    PROVIDER_SECRETS = "provider_secrets"
    """Wraps the companies' data keys, which seal accounts at providers."""
    PERSONAL_DATA = "personal_data"
    """Wraps the keys of what is known about people."""
    CHAIN = "chain"
    """Seals the blocks of history."""
    SEALS = "seals"
    """Seals rows."""
    WALLET_ANSWERS = "wallet_answers"
    """Signs the wallet's answers and news: an RSA key, whose public half clients have."""


@dataclass(frozen=True, slots=True)
class KeyVersion:
    """`used_from`: before it, what it made is read, and nothing is made with it: every process, or
    whoever verifies with its public half, has to know it first."""

    number: int
    secret: Secret
    made_at: datetime
    used_from: datetime


class Keys:
    """The versions of one purpose, as they are at a moment."""

    __slots__ = ("_known", "current", "every")

    def __init__(self, purpose: str, versions: Iterable[KeyVersion], now: datetime) -> None:
        known = sorted(versions, key=lambda one: one.number)
        if not known:
            raise InvalidRequest(f"this installation has no key for {purpose}")
        due = [one for one in known if one.used_from <= now]
        self.current = due[-1] if due else known[0]
        # The one in use first: nearly everything fits it.
        others = [one for one in reversed(known) if one is not self.current]
        self.every: Sequence[KeyVersion] = (self.current, *others)
        self._known = {one.number: one for one in known}

    def get(self, number: int) -> Secret | None:
        found = self._known.get(number)
        return found.secret if found else None


Versions = Mapping[Purpose, Sequence[KeyVersion]]


class KeyStore(Protocol):
    """Where keys are kept: files, the environment, or a program that asks something outside."""

    def mark(self) -> object:
        """Changes when there may be other versions. Asked often: it costs next to nothing."""
        ...

    def read(self) -> Versions:
        """All there is. Raises: InvalidRequest."""
        ...

    def add(self, purpose: Purpose, content: bytes, *, after: float) -> int:  # seconds, not money
        """Keep a new version, in use from so many seconds on. Raises: InvalidRequest."""
        ...

    def retire(self, purpose: Purpose, number: int) -> None:
        """Nobody reads it from now on. Raises: InvalidRequest."""
        ...


@dataclass(slots=True, repr=False)
class Keyring:
    """The keys in hand; `look_again` is called all the time, so that a new version is known to
    every process within a second, and the others are asked for nothing.

    `watchers`: called when there is something else to know.
    """

    store: KeyStore
    watchers: list[Callable[[], None]] = field(default_factory=list)
    _known: dict[Purpose, Keys] = field(default_factory=dict)
    _mark: object = None
    _due: datetime | None = None

    def __repr__(self) -> str:
        return "Keyring(hidden)"

    def open(self) -> "Keyring":
        """Raises: InvalidRequest."""
        self._mark = self.store.mark()
        self._take(self.store.read())
        return self

    def of(self, purpose: Purpose) -> Keys:
        return self._known[purpose]

    def current(self, purpose: Purpose) -> Secret:
        return self._known[purpose].current.secret

    def is_stale(self) -> bool:
        """Whether there may be something new; the costly half, `reread`, is then to be called."""
        return self.store.mark() != self._mark or (
            self._due is not None and datetime.now(UTC) >= self._due
        )

    def reread(self) -> None:
        """Raises: InvalidRequest; what was known stays known then."""
        mark = self.store.mark()  # first: what comes meanwhile is looked for again
        self._take(self.store.read())
        self._mark = mark

    def _take(self, versions: Versions) -> None:
        now = datetime.now(UTC)
        self._known = {
            purpose: Keys(purpose, versions.get(purpose, ()), now) for purpose in Purpose
        }
        coming = [one.used_from for some in versions.values() for one in some]
        self._due = min((at for at in coming if at > now), default=None)
        for told in self.watchers:
            told()
