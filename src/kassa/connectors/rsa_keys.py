"""RSA keys as people paste them: PEM, or the bare base64 that providers' key tools write."""

import base64
from functools import lru_cache

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.serialization import (
    load_der_private_key,
    load_der_public_key,
    load_pem_private_key,
    load_pem_public_key,
)

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


def _unarmored(key: str) -> bytes:
    return base64.b64decode("".join(key.split()), validate=True)
