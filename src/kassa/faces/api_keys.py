"""Who calls with an API key: the Authorization header that two faces read alike."""

import base64
import binascii

from starlette.requests import Request

from kassa.domain.errors import Unauthenticated
from kassa.domain.principals import Principal
from kassa.faces import edge
from kassa.usecases.authenticate import authenticate_api_key

_LIMIT = 1024  # characters of a header worth decoding
_WANTED = "a valid API key is needed: Authorization: Basic <base64 of the key>, or Bearer <the key>"


async def principal_of(request: Request) -> Principal:
    """The caller, by the one Authorization header of the request.

    Raises: Unauthenticated.
    """
    sent = request.headers.getlist("authorization")
    if len(sent) != 1:
        raise Unauthenticated(_WANTED)
    return await authenticate_api_key(edge.core_of(request), secret_in(sent[0]))


def secret_in(authorization: str) -> str:
    """The bare key in `Basic <base64 of the key>` or `Bearer <key>`.

    The key stands alone in Basic, without RFC 7617's colon; a colon with nothing behind it is
    accepted, because that is how `curl --user KEY:` sends a key.
    Raises: Unauthenticated, in words that do not tell what was wrong.
    Source: seed 000's platform; RFC 7617; RFC 6750.
    """
    scheme, _, credential = authorization.strip().partition(" ")
    credential = credential.strip()
    if len(credential) > _LIMIT or not credential.isascii():
        raise Unauthenticated(_WANTED)
    match scheme.lower():
        case "bearer":
            secret = credential
        case "basic":
            secret = _decoded(credential).removesuffix(":")
        case _:
            secret = ""
    if not secret.isascii() or not secret.isprintable() or not secret:
        raise Unauthenticated(_WANTED)
    return secret


def _decoded(credential: str) -> str:
    try:
        return base64.b64decode(credential, validate=True).decode("ascii")
    except (binascii.Error, UnicodeDecodeError, ValueError):
        raise Unauthenticated(_WANTED) from None
