"""Seals: what shows that this program wrote a row, and nobody who merely has the database."""

import hashlib
from collections.abc import Sequence

from kassa.base.store.connection import Connection

SIZE = 16  # bytes of a seal
_KEY_BYTES = 64  # most that the hash takes


class Seals:
    """Makes seals, and tells whether one is genuine, under one installation's keys: the first makes
    what is new, each of them may have made what is there."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        self.renew(keys)

    def renew(self, keys: Sequence[bytes]) -> None:
        """These keys from now on."""
        begun: dict[str, hashlib.blake2b] = {}  # by home
        self._begun, self._key = begun, keys[0][:_KEY_BYTES]
        self._older = [Seals([key]) for key in keys[1:]]

    def of(self, home: str, digest: bytes) -> bytes:
        """The seal of a row whose content has that digest; `home`: its table."""
        known = self._begun
        begun = known.get(home)
        if begun is None:
            begun = known[home] = hashlib.blake2b(
                key=self._key, digest_size=SIZE, person=home.encode()[:16]
            )
        seal = begun.copy()
        seal.update(digest)
        return seal.digest()

    def fits(self, home: str, digest: bytes, seal: bytes | None) -> bool:
        # No secret is compared: whoever can read one side can read the other.
        if seal is None:
            return False
        return self.of(home, digest) == seal or any(
            older.fits(home, digest, seal) for older in self._older
        )

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
