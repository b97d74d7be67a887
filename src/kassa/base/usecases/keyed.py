"""Keyed hashes that say under which version of the key they were made.

One of the first version is the bare hash, as all were before there were versions; a later one
begins with two bytes, its version.
"""

import hashlib
import hmac
from collections.abc import Callable

from kassa.base.usecases.keyring import Keys, KeyVersion

SIZE = 32
_MARK_BYTES = 2
_BLAKE_KEY_BYTES = 64

Mac = Callable[[bytes, bytes], bytes]
"""A key and a message in, `SIZE` bytes out."""


def hmac_sha256(key: bytes, message: bytes) -> bytes:
    return hmac.digest(key, message, "sha256")


def blake2b(key: bytes, message: bytes) -> bytes:
    return hashlib.blake2b(message, key=key[:_BLAKE_KEY_BYTES], digest_size=SIZE).digest()


def _made(version: KeyVersion, message: bytes, mac: Mac) -> bytes:
    mark = b"" if version.number == 1 else version.number.to_bytes(_MARK_BYTES, "big")
    return mark + mac(version.secret.reveal(), message)


def make(keys: Keys, message: bytes, mac: Mac) -> bytes:
    """What is kept of `message` from now on."""
    return _made(keys.current, message, mac)


def every(keys: Keys, message: bytes, mac: Mac) -> list[bytes]:
    """All that may have been kept of it; what is kept from now on stands first."""
    return [_made(one, message, mac) for one in keys.every]


def version_of(kept: bytes) -> int:
    """0 for what is no such hash."""
    if len(kept) == SIZE:
        return 1
    marked = len(kept) == SIZE + _MARK_BYTES
    return int.from_bytes(kept[:_MARK_BYTES], "big") if marked else 0


def fits(keys: Keys, message: bytes, kept: bytes, mac: Mac) -> bool:
    """Whether `kept` was made of `message`, under whichever version it says. In constant time, and
    as slow where there is no such version."""
    known = keys.get(version_of(kept))
    secret = known or keys.current.secret
    right = hmac.compare_digest(kept[-SIZE:], mac(secret.reveal(), message))
    return right and known is not None
