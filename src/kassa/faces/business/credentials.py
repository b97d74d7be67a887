"""The API key in an Authorization header or in gRPC metadata."""

import base64
import binascii

from kassa.domain.errors import Unauthenticated

_LIMIT = 512  # characters; no key is that long, and nothing longer is worth decoding
_WANTED = "an API key is needed: Authorization: Bearer <key>, or Basic <base64 of the key>"


def secret_in(authorization: str | None) -> str:
    """The bare key. Whether it is a good one is not known here.

    Basic holds the base64 of the key alone, without RFC 7617's colon. For clients that insist on
    a user and a password, the password is the key, or the user where there is no password; and
    a value that is no base64 is taken for the key itself.
    Raises: Unauthenticated, in words that do not tell what was wrong.
    """
    scheme, _, credential = (authorization or "").strip().partition(" ")
    credential = credential.strip()
    match scheme.lower():
        case "bearer":
            secret = credential
        case "basic":
            secret = _in_basic(credential[:_LIMIT])
        case _:
            secret = ""
    if not (0 < len(credential) < _LIMIT and secret and secret.isascii() and secret.isprintable()):
        raise Unauthenticated(_WANTED)
    return secret


def _in_basic(credential: str) -> str:
    try:
        padded = credential + "=" * (-len(credential) % 4)
        text = base64.b64decode(padded, validate=True).decode("ascii")
    except (binascii.Error, ValueError):
        return credential
    user, _, password = text.partition(":")
    return password or user
