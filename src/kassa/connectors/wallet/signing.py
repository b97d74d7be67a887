"""Signatures of the wallet family, as its merchant makes and checks them.

RSASSA-PKCS1-v1_5 with SHA-256 over one exact text; an answer is signed over the method and the
target of the request that it answers, a notification over those of its own address.
"""

import base64
import binascii
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from urllib.parse import quote, unquote_to_bytes

from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256

from kassa.connectors.earlier import Earlier
from kassa.connectors.rsa_keys import BelievedKeys, read_private_key

_MAX_HEADER = 4096  # characters; an RSA-8192 signature with every byte percent-encoded is shorter
_MAX_TIME = 64
_ALGORITHMS = frozenset({"rsa256", "sha256withrsa"})
_MEMBERS = frozenset({"algorithm", "keyVersion", "signature"})


def signed_text(target: str, client_id: str, time: str, body: bytes) -> bytes:
    """What a signature covers. `target`: path and query as they travel; `time`: the header as it
    stands; `body`: the bytes on the wire."""
    # Headers and targets are latin-1 on the wire; this gives back their bytes.
    return f"POST {target}\n{client_id}.{time}.".encode("latin-1", "replace") + body


class WalletSigner:
    """The merchant's private key: PEM, or bare base64."""

    def __init__(self, private_key: str, key_version: str):
        """Raises: ValueError, which never quotes the key."""
        self._key = read_private_key(private_key, "private_key")
        if not key_version.isalnum() or not key_version.isascii():
            raise ValueError("key_version must be a number, as the wallet shows it")
        self._version = key_version

    def header(self, text: bytes) -> str:
        """The Signature header, in the order and without the blanks that every wallet reads."""
        value = base64.b64encode(self._key.sign(text, PKCS1v15(), SHA256())).decode("ascii")
        return f"algorithm=RSA256,keyVersion={self._version},signature={quote(value, safe='')}"


class WalletVerifier:
    """The wallet's public key: PEM, or bare base64; and those that were replaced, as long as
    `clock` says that they are believed."""

    def __init__(
        self,
        public_key: str,
        earlier: Sequence[Earlier] = (),
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ):
        """Raises: ValueError."""
        self._keys = BelievedKeys(public_key, "wallet_public_key", earlier, clock)

    def accepts(self, header: str, time: str, text: bytes) -> bool:
        """Whether the Signature header was made over `text` by the wallet; never raises."""
        value = _signature_in(header)
        if value is None or not 0 < len(time) <= _MAX_TIME:
            return False
        return self._keys.made(value, text)


def _signature_in(header: str) -> bytes | None:
    """The signature's bytes. keyVersion is not judged: one key is known, and it must fit."""
    if len(header) > _MAX_HEADER:
        return None
    members: dict[str, str] = {}
    for item in header.split(","):
        name, equals, text = item.strip(" \t").partition("=")
        if not equals or name not in _MEMBERS or name in members:
            return None
        members[name] = text
    if members.get("algorithm", "").lower() not in _ALGORITHMS:
        return None
    return _decoded(members.get("signature", ""))


def _decoded(text: str) -> bytes | None:
    """Base64 in any dialect of the family: percent-encoded or raw, both alphabets, padded or not.

    A raw "+" stays a plus.
    """
    try:
        plain = unquote_to_bytes(text.encode("ascii")).translate(bytes.maketrans(b"-_", b"+/"))
        bare = plain.rstrip(b"=")
        if bare and len(plain) - len(bare) <= 2:
            return base64.b64decode(bare + b"=" * (-len(bare) % 4), validate=True)
    except (UnicodeEncodeError, binascii.Error):
        pass
    return None
