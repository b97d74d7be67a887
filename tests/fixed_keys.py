"""Keys that a test has in its hand, instead of an installation's."""

from collections.abc import Mapping
from datetime import UTC, datetime

from kassa.base.domain.secret import Secret
from kassa.base.usecases.keyring import Keyring, KeyVersion, Purpose, Versions

LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)


class FixedKeys:
    """A store of given keys: by purpose, by version."""

    def __init__(self, keys: Mapping[Purpose, Mapping[int, bytes]]) -> None:
        self.keys = {purpose: dict(versions) for purpose, versions in keys.items()}
        self.changes = 0

    def mark(self) -> object:
        return self.changes

    def read(self) -> Versions:
        return {
            purpose: [KeyVersion(one, Secret(key), LONG_AGO, LONG_AGO) for one, key in all_.items()]
            for purpose, all_ in self.keys.items()
        }

    def add(self, purpose: Purpose, content: bytes, *, after: float) -> int:  # seconds, not money
        number = max(self.keys[purpose]) + 1
        self.keys[purpose][number] = content
        self.changes += 1
        return number

    def retire(self, purpose: Purpose, number: int) -> None:
        del self.keys[purpose][number]
        self.changes += 1


def keyring(given: Mapping[Purpose, Mapping[int, bytes]] | None = None) -> Keyring:
    """What is not given is some key."""
    some = {purpose: {1: purpose.encode().ljust(32, b"-")} for purpose in Purpose}
    return Keyring(FixedKeys({**some, **(given or {})})).open()


def rotated(secrets: Keyring, purpose: Purpose, *, older: bool = True) -> Keyring:
    """These keys, with a newer version of one. `older`: whether the others are still there."""
    versions = {
        name: {one.number: one.secret.reveal() for one in secrets.of(name).every}
        for name in Purpose
    }
    newest = max(versions[purpose])
    kept = versions[purpose] if older else {}
    versions[purpose] = {**kept, newest + 1: bytes(range(newest, newest + 32))}
    return keyring(versions)
