"""The keys of a client that signs: several versions at once, each with a state and a time."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from kassa.base.domain.errors import IllegalTransition, InvalidRequest

_MOST_VERSION = 10  # characters; it stands in a header of each request


def check_version(version: str) -> str:
    """`version`, which can stand in a signature's header.

    Raises: InvalidRequest.
    """
    if not (version.isascii() and version.isalnum() and len(version) <= _MOST_VERSION):
        raise InvalidRequest(
            f"a key's version is 1 to {_MOST_VERSION} letters or digits", field="key_version"
        )
    return version


class KeyState(StrEnum):
    PENDING = "pending"  # registered, and not believed yet
    ACTIVE = "active"
    RETIRING = "retiring"  # believed until its end, and not meant where no version is named
    REVOKED = "revoked"  # for good


_MOVES: Mapping[KeyState, frozenset[KeyState]] = {
    KeyState.PENDING: frozenset({KeyState.ACTIVE, KeyState.REVOKED}),
    KeyState.ACTIVE: frozenset({KeyState.RETIRING, KeyState.REVOKED}),
    KeyState.RETIRING: frozenset({KeyState.ACTIVE, KeyState.REVOKED}),
    KeyState.REVOKED: frozenset(),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientKey:
    """One version. `order`: the higher, the newer; a key from before there were states has 0."""

    version: str
    pem: str
    state: KeyState = KeyState.ACTIVE
    order: int = 0
    not_before: datetime | None = None
    not_after: datetime | None = None

    def is_believed(self, now: datetime) -> bool:
        return (
            self.state in (KeyState.ACTIVE, KeyState.RETIRING)
            and (self.not_before is None or now >= self.not_before)
            and (self.not_after is None or now < self.not_after)
        )

    def move(self, state: KeyState) -> None:
        """See that it may become that.

        Raises: IllegalTransition.
        """
        if state not in _MOVES[self.state]:
            raise IllegalTransition(
                f"version {self.version} is {self.state} and cannot become {state}"
            )


def read_keys(keys: Mapping[str, str], terms: Mapping[str, Any]) -> list[ClientKey]:
    """All versions of a client, the oldest first."""
    found = [_read(version, pem, terms.get(version, {})) for version, pem in keys.items()]
    return sorted(found, key=lambda one: one.order)


def _read(version: str, pem: str, said: Mapping[str, Any]) -> ClientKey:
    return ClientKey(
        version=version,
        pem=pem,
        state=KeyState(said.get("state", KeyState.ACTIVE)),
        order=int(said.get("order", 0)),
        not_before=_moment(said.get("not_before")),
        not_after=_moment(said.get("not_after")),
    )


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def terms_of(keys: list[ClientKey]) -> dict[str, Any]:
    """As they are kept."""
    return {
        one.version: {
            "state": one.state.value,
            "order": one.order,
            "not_before": one.not_before.isoformat() if one.not_before else None,
            "not_after": one.not_after.isoformat() if one.not_after else None,
        }
        for one in keys
    }


def believed(keys: Mapping[str, str], terms: Mapping[str, Any], now: datetime) -> dict[str, str]:
    """Version to PEM, of those that a signature may be by; the one that is meant where a request
    names none, the newest that is active, stands last."""
    if not terms:
        return dict(keys)
    good = [one for one in read_keys(keys, terms) if one.is_believed(now)]
    good.sort(key=lambda one: one.state is KeyState.ACTIVE)  # stable: the newest stays last
    return {one.version: one.pem for one in good}
