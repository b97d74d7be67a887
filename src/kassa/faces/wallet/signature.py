"""Signatures of the wallet family: RSASSA-PKCS1-v1_5 with SHA-256 over one exact text.

Pure: bytes, texts and keys in; a header out, or a refusal.
Source: seed 003's documentation family; the README says which dialects are understood.
"""

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from urllib.parse import quote, unquote_to_bytes, urlsplit

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key

_ALGORITHMS = frozenset({"rsa256", "sha256withrsa"})
_MEMBERS = frozenset({"algorithm", "keyVersion", "signature"})
_MAX_HEADER = 4096  # characters; an RSA-8192 signature with every byte percent-encoded is shorter
_MAX_TIME = 64
_MIN_KEY_BITS = 2048
_EPOCH_MS = re.compile(r"[0-9]{13}", re.ASCII)
_MOMENT = re.compile(
    r"(?P<date>\d{4}-\d{2}-\d{2})T(?P<clock>\d{2}:\d{2}:\d{2})(?:\.(?P<fraction>\d{1,9}))?"
    r"(?P<zone>Z|[+-]\d{2}:?\d{2})",
    re.ASCII,
)


class SignatureRefused(Exception):
    """Not a signature by a key of that client over this text. The words carry no secret."""


@dataclass(frozen=True, slots=True)
class Signed:
    """What a signature covers. `target`: path and query exactly as they travel; `time`: the raw
    header value; `body`: the bytes on the wire. An answer is covered by the method and target of
    the request it answers."""

    method: str
    target: str
    client_id: str
    time: str
    body: bytes

    @property
    def content(self) -> bytes:
        # Headers and request targets are latin-1 on the wire; this gives back their bytes.
        head = f"{self.method} {self.target}\n{self.client_id}.{self.time}."
        return head.encode("latin-1", "replace") + self.body


def target_of(raw_path: bytes, query: bytes) -> str:
    """The path and query to sign for a request as it arrived, absolute-form targets included."""
    path = raw_path.decode("latin-1").partition("?")[0]
    if not path.startswith("/"):
        path = "/" + path.partition("://")[2].partition("/")[2]
    return path + ("?" + query.decode("latin-1") if query else "")


def target_of_url(url: str) -> str:
    """The path and query that a POST to `url` sends."""
    parts = urlsplit(url)
    return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")


def sign(signed: Signed, key: RSAPrivateKey, key_version: str) -> str:
    """The Signature header: in the order, and without the blanks, that every known client reads."""
    value = base64.b64encode(key.sign(signed.content, PKCS1v15(), SHA256())).decode("ascii")
    return f"algorithm=RSA256,keyVersion={key_version},signature={quote(value, safe='')}"


def verify(signed: Signed, header: str, keys: Mapping[str, str]) -> None:
    """Accept `header` as made over `signed` by one of `keys` (version to PEM, newest last).

    Without a keyVersion it is the newest. Raises: SignatureRefused.
    """
    if not 0 < len(signed.time) <= _MAX_TIME:
        raise SignatureRefused("Request-Time is missing, empty or too long")
    version, value = _read_header(header)
    if version is None:
        version = next(reversed(list(keys)), "")
    if version not in keys:
        raise SignatureRefused("there is no key of that keyVersion for this Client-Id")
    key = public_key(signed.client_id, version, keys[version])
    if len(value) != (key.key_size + 7) // 8:
        raise SignatureRefused("the signature has not the length of the key")
    try:
        key.verify(value, signed.content, PKCS1v15(), SHA256())
    except InvalidSignature:
        raise SignatureRefused(
            "the signature is not one of the method, the path with its query, Client-Id,"
            " Request-Time and the body exactly as they arrived"
        ) from None


def _read_header(header: str) -> tuple[str | None, bytes]:
    """keyVersion (None when absent) and the signature's bytes."""
    if len(header) > _MAX_HEADER:
        raise SignatureRefused("the Signature header is too long")
    members: dict[str, str] = {}
    for item in header.split(","):
        name, equals, text = item.strip(" \t").partition("=")
        if not equals or name not in _MEMBERS or name in members:
            raise SignatureRefused(
                "the Signature header must be algorithm=RSA256,keyVersion=<n>,signature=<value>,"
                " each member once"
            )
        members[name] = text
    if members.get("algorithm", "").lower() not in _ALGORITHMS:
        raise SignatureRefused("the algorithm must be RSA256")
    return members.get("keyVersion"), _read_value(members.get("signature", ""))


def _read_value(text: str) -> bytes:
    """Base64 in any dialect of the family: percent-encoded or raw, both alphabets, padded or not.

    A raw "+" stays a plus: unquote_plus would break clients that do not percent-encode.
    """
    try:
        plain = unquote_to_bytes(text.encode("ascii")).translate(bytes.maketrans(b"-_", b"+/"))
        bare = plain.rstrip(b"=")
        if bare and len(plain) - len(bare) <= 2:
            return base64.b64decode(bare + b"=" * (-len(bare) % 4), validate=True)
    except (UnicodeEncodeError, binascii.Error):
        pass
    raise SignatureRefused("the signature is not percent-encoded base64")


@lru_cache(maxsize=4096)
def public_key(client_id: str, version: str, pem: str) -> RSAPublicKey:
    """The parsed key; parsing costs more than verifying. `client_id` keeps clients apart.

    Raises: SignatureRefused for what is not an RSA key of at least 2048 bits.
    """
    try:
        key = load_pem_public_key(pem.encode())
    except (ValueError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, RSAPublicKey) or key.key_size < _MIN_KEY_BITS:
        raise SignatureRefused(f"the key registered as version {version} cannot be used")
    return key


@lru_cache(maxsize=8)
def private_key(pem: bytes) -> RSAPrivateKey:
    """Our own key, parsed once. Raises: ValueError when it is not an RSA key."""
    key = load_pem_private_key(pem, password=None)
    if not isinstance(key, RSAPrivateKey):
        raise ValueError("the wallet's private key must be an RSA key")
    return key


def parse_moment(text: str) -> datetime | None:
    """ISO 8601 with a zone (Z, +hh:mm, +hhmm) and up to nine fraction digits, or None."""
    found = _MOMENT.fullmatch(text)
    if found is None:
        return None
    zone = found["zone"].replace("Z", "+00:00")
    fraction = (found["fraction"] or "0")[:6].ljust(6, "0")
    try:
        moment = datetime.fromisoformat(f"{found['date']}T{found['clock']}.{fraction}{zone}")
        return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def parse_time(text: str) -> datetime | None:
    """A Request-Time in any format clients of the family send (epoch milliseconds too), or None."""
    if _EPOCH_MS.fullmatch(text):
        return datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=int(text))
    return parse_moment(text)


def is_fresh(time: str, now: datetime, tolerance: timedelta | None) -> bool:
    """Whether `time` is within `tolerance` of `now`; what cannot be read is not held against it."""
    sent = parse_time(time)
    return tolerance is None or sent is None or abs(now - sent) <= tolerance
