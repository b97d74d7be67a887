"""Customers' tokens, as far as the library for them goes. Imported when the first one is read:
it takes its time, and few commands ever see a token."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from joserfc import jws, jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey

from kassa.identity.domain.token_terms import TokenTerms

_ALGORITHM = "ES256"
_LEEWAY_SECONDS = 60


@lru_cache(1024)
def _claims(issuer: str, audience: str) -> jwt.JWTClaimsRegistry:
    """What a token has to say by a key with these terms."""
    said: dict[str, Any] = {"iss": {"essential": True, "value": issuer}} if issuer else {}
    return jwt.JWTClaimsRegistry(
        leeway=_LEEWAY_SECONDS,
        sub={"essential": True},
        exp={"essential": True},
        aud={"essential": True, "value": audience},
        **said,
    )


def key_id_of(token: str) -> str:
    """Which key it says that it was signed with; nothing is proven yet.

    Raises: ValueError.
    """
    try:
        return str(jws.extract_compact(token.encode("ascii")).headers().get("kid", ""))
    except JoseError as error:
        raise ValueError from error


def claims_of(token: str, public_key: str, terms: TokenTerms) -> Mapping[str, Any]:
    """What it claims, once it is proven to be signed with the key, in time, and as its terms want.

    Raises: ValueError.
    """
    try:
        claims = jwt.decode(token, ECKey.import_key(public_key), algorithms=[_ALGORITHM]).claims
        _claims(terms.issuer, terms.audience).validate(claims)
    except JoseError as error:
        raise ValueError from error
    terms.check_lifetime(claims)
    return claims
