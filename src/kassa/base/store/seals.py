"""Seals: what shows that this program wrote a row, and nobody who merely has the database."""

import hashlib

from kassa.base.store.connection import Connection

SIZE = 16  # bytes of a seal
_KEY_BYTES = 64  # most that the hash takes


class Seals:
    """Makes seals, and tells whether one is genuine, under one installation's key."""

    def __init__(self, key: bytes) -> None:
        self._key = key[:_KEY_BYTES]
        self._begun: dict[str, hashlib.blake2b] = {}  # by home

    def of(self, home: str, digest: bytes) -> bytes:
        """The seal of a row whose content has that digest; `home`: its table."""
        begun = self._begun.get(home)
        if begun is None:
            begun = self._begun[home] = hashlib.blake2b(
                key=self._key, digest_size=SIZE, person=home.encode()[:16]
            )
        seal = begun.copy()
        seal.update(digest)
        return seal.digest()

    def fits(self, home: str, digest: bytes, seal: bytes | None) -> bool:
        # No secret is compared: whoever can read one side can read the other.
        return seal is not None and self.of(home, digest) == seal

    def __repr__(self) -> str:
        return "Seals(hidden)"


def as_json(seal: bytes) -> str:
    """As a `bytea` is read out of JSON."""
    return "\\x" + seal.hex()


def seals_of(connection: Connection) -> Seals:
    """What the rows that this connection writes are sealed with."""
    if connection.seals is None:
        raise RuntimeError("this connection was opened without the installation's key")
    return connection.seals
