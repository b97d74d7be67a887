"""Who calls with an API key: the Authorization header that two faces read alike."""

import base64
import binascii

from starlette.requests import Request

from kassa.base.domain.errors import Unauthenticated
from kassa.faces import edge
from kassa.identity.domain.principals import Principal
from kassa.identity.usecases.authenticate import authenticate_api_key

_LIMIT = 512  # characters; no key is that long, and nothing longer is worth decoding
_WANTED = "an API key is needed: Authorization: Bearer <key>, or Basic <base64 of the key>"


async def principal_of(request: Request) -> Principal:
    """The caller, by the one Authorization header of the request.

    Raises: Unauthenticated.
    """
    sent = request.headers.getlist("authorization")
    if len(sent) != 1:
        raise Unauthenticated(_WANTED)
    return await authenticate_api_key(edge.core_of(request), secret_in(sent[0]))


def secret_in(authorization: str | None) -> str:
    """The bare key. Whether it is a good one is not known here.

    Basic holds the base64 of the key alone, without RFC 7617's colon. For clients that insist on
    a user and a password, the password is the key, or the user where there is no password; and
    a value that is no base64 is taken for the key itself.
    Raises: Unauthenticated, in words that do not tell what was wrong.
    Source: seed 000's platform; RFC 7617; RFC 6750.
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
