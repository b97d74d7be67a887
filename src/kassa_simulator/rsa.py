"""RSA with SHA-256 and PKCS #1 v1.5 padding, by which Alipay and the wallets sign."""

import hashlib
from functools import lru_cache

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key

_KEYS_KEPT = 256


def signature(private_key_pem: str, content: bytes) -> bytes:
    """The same bytes for the same key and content. Raises: ValueError when it is no RSA key."""
    return _private_key(private_key_pem).sign(content, PKCS1v15(), SHA256())


def genuine(public_key_pem: str, content: bytes, signed: bytes) -> bool:
    """Whether `signed` is that key's signature of `content`; False also for what is no key."""
    try:
        _public_key(public_key_pem).verify(signed, content, PKCS1v15(), SHA256())
    except (InvalidSignature, ValueError):
        return False
    return True


def forgery(content: bytes) -> bytes:
    """As long as a signature, and always the same for the same content, but nobody's."""
    blocks = (hashlib.sha256(bytes([place]) + content).digest() for place in range(8))
    return b"".join(blocks)


@lru_cache(maxsize=_KEYS_KEPT)
def _private_key(pem: str) -> RSAPrivateKey:
    key = load_pem_private_key(pem.encode(), password=None)
    if not isinstance(key, RSAPrivateKey):
        raise ValueError("not an RSA private key")
    return key


@lru_cache(maxsize=_KEYS_KEPT)
def _public_key(pem: str) -> RSAPublicKey:
    key = load_pem_public_key(pem.encode())
    if not isinstance(key, RSAPublicKey):
        raise ValueError("not an RSA public key")
    return key
