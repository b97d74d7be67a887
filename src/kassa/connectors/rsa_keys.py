"""RSA keys as people paste them, PEM or the bare base64 that providers' key tools write, and what
is believed to be signed with them."""

import base64
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import lru_cache

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    load_der_private_key,
    load_der_public_key,
    load_pem_private_key,
    load_pem_public_key,
)

from kassa.connectors.earlier import Earlier

_MIN_KEY_BITS = 2048


# To prove that a private key is sound takes 30 ms, and the same keys come again and again.
@lru_cache(maxsize=256)
def read_private_key(text: str, what: str) -> RSAPrivateKey:
    """`what`: how the key is called where it goes wrong.

    Raises: ValueError, which never quotes the key.
    """
    try:
        if "-----BEGIN" in text:
            key = load_pem_private_key(text.encode(), password=None)
        else:
            key = load_der_private_key(_unarmored(text), password=None)
    except (ValueError, TypeError):
        raise ValueError(f"{what} cannot be read") from None
    if not isinstance(key, RSAPrivateKey) or key.key_size < _MIN_KEY_BITS:
        raise ValueError(f"{what} must be RSA of {_MIN_KEY_BITS} bits or more")
    return key


def read_public_key(text: str, what: str) -> RSAPublicKey:
    """The same of a public key.

    Raises: ValueError.
    """
    try:
        if "-----BEGIN" in text:
            key = load_pem_public_key(text.encode())
        else:
            key = load_der_public_key(_unarmored(text))
    except (ValueError, TypeError):
        raise ValueError(f"{what} cannot be read") from None
    if not isinstance(key, RSAPublicKey) or key.key_size < _MIN_KEY_BITS:
        raise ValueError(f"{what} must be RSA of {_MIN_KEY_BITS} bits or more")
    return key


class BelievedKeys:
    """A public key, and those that it replaced as long as `clock` says that they are believed."""

    def __init__(
        self, key: str, what: str, earlier: Sequence[Earlier], clock: Callable[[], datetime]
    ):
        """`what`: as in `read_public_key`. Raises: ValueError."""
        self._now = read_public_key(key, what)
        self._earlier = [(read_public_key(one.value, what), one.until) for one in earlier]
        self._clock = clock

    def made(self, signature: bytes, *texts: bytes) -> bool:
        """Whether it is RSASSA-PKCS1-v1_5 with SHA-256 of one of them over one of `texts`."""
        now = self._clock()
        keys = [self._now, *(key for key, until in self._earlier if now < until)]
        return any(_fits(key, signature, text) for key in keys for text in texts)


def _fits(key: RSAPublicKey, signature: bytes, text: bytes) -> bool:
    if len(signature) != (key.key_size + 7) // 8:
        return False
    try:
        key.verify(signature, text, PKCS1v15(), SHA256())
    except InvalidSignature:
        return False
    return True


def _unarmored(key: str) -> bytes:
    return base64.b64decode("".join(key.split()), validate=True)
