"""RSA2, Alipay's name for RSASSA-PKCS1-v1_5 with SHA-256, and the texts it is computed over."""

import base64
import binascii
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from urllib.parse import urlencode

from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256

from kassa.connectors.earlier import Earlier
from kassa.connectors.rsa_keys import BelievedKeys, read_private_key


class AlipaySigner:
    """Our application's private key: PEM, or the bare base64 that Alipay's key tool writes."""

    def __init__(self, private_key: str):
        """Raises: ValueError, which never quotes the key."""
        self._key = read_private_key(private_key, "the Alipay private key")

    def sign(self, text: str) -> str:
        """The signature as standard base64. Takes about a millisecond."""
        return base64.b64encode(self._key.sign(text.encode(), PKCS1v15(), SHA256())).decode()


class AlipayVerifier:
    """Alipay's public key (not the application's own), as PEM or bare base64; and those that were
    replaced, as long as `clock` says that they are believed."""

    def __init__(
        self,
        public_key: str,
        earlier: Sequence[Earlier] = (),
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ):
        """Raises: ValueError."""
        self._keys = BelievedKeys(public_key, "the Alipay public key", earlier, clock)

    def accepts(self, signature: str, *texts: bytes) -> bool:
        """Whether `signature` (base64) was made over one of `texts`; never raises."""
        try:
            raw = base64.b64decode(signature.encode("ascii"), validate=True)
        except (binascii.Error, UnicodeEncodeError):
            return False
        return self._keys.made(raw, *texts)


def request_text(parameters: Mapping[str, str]) -> str:
    """What a request's signature covers: all but `sign` and empty values; `sign_type` stays."""
    return _joined({name: value for name, value in parameters.items() if name != "sign" and value})


def signed_query(parameters: Mapping[str, str], signature: str) -> str:
    """The parameters and their signature, ready to follow the gateway's address."""
    sent = {name: parameters[name] for name in sorted(parameters) if parameters[name]}
    return urlencode({**sent, "sign": signature})


def notification_texts(fields: Mapping[str, bytes]) -> tuple[bytes, bytes]:
    """What a notification's signature may cover: without `sign` and, unlike in a request,
    without `sign_type`. Alipay's papers disagree about empty values, so with and without them.

    `fields`: percent-decoded, and in the charset that Alipay signed them in.
    """
    covered = [name for name in sorted(fields) if name not in ("sign", "sign_type")]
    pairs = [(fields[name], name.encode() + b"=" + fields[name]) for name in covered]
    return b"&".join(pair for _, pair in pairs), b"&".join(pair for value, pair in pairs if value)


def _joined(parameters: Mapping[str, str]) -> str:
    return "&".join(f"{name}={parameters[name]}" for name in sorted(parameters))
