"""What a customer's token has to say, by the key that signed it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kassa.base.domain.errors import InvalidRequest

AUDIENCE = "kassa"
_LONGEST_WORD = 255
_LEAST_SECONDS, _MOST_SECONDS = 60, 90 * 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenTerms:
    """`issuer`: its `iss`; "" where any will do. `audience`: its `aud`. `longest_seconds`: from its
    `iat`, which is needed then, to its `exp`; None where it is not judged."""

    issuer: str = ""
    audience: str = AUDIENCE
    longest_seconds: int | None = None

    def check_lifetime(self, claims: Mapping[str, Any]) -> None:
        """Raises: ValueError."""
        if self.longest_seconds is None:
            return
        begins, ends = claims.get("iat"), claims.get("exp")
        for moment in (begins, ends):
            if isinstance(moment, bool) or not isinstance(
                moment, int | float
            ):  # seconds, not money
                raise ValueError("a token says when it was issued, and when it ends")
        if not 0 <= ends - begins <= self.longest_seconds:  # type: ignore[operator]
            raise ValueError("a token is good for longer than its key allows")


def read_terms(said: Mapping[str, Any]) -> TokenTerms:
    """As they are kept; what is absent is as usual."""
    if not said:
        return USUAL
    return TokenTerms(
        issuer=str(said.get("issuer", "")),
        audience=str(said.get("audience", AUDIENCE)),
        longest_seconds=said.get("longest_seconds"),
    )


USUAL = TokenTerms()


def kept(terms: TokenTerms) -> dict[str, Any]:
    """To be kept.

    Raises: InvalidRequest.
    """
    for name, text in (("issuer", terms.issuer), ("audience", terms.audience)):
        if len(text) > _LONGEST_WORD or not text.isprintable():
            raise InvalidRequest(
                f"{name}: at most {_LONGEST_WORD} printable characters", field=name
            )
    if not terms.audience:
        raise InvalidRequest("a token names its audience", field="audience")
    longest = terms.longest_seconds
    if longest is not None and not _LEAST_SECONDS <= longest <= _MOST_SECONDS:
        raise InvalidRequest(
            f"a token is good for {_LEAST_SECONDS} to {_MOST_SECONDS} seconds at most",
            field="longest_seconds",
        )
    if terms == USUAL:
        return {}
    said = {"issuer": terms.issuer, "audience": terms.audience, "longest_seconds": longest}
    return {name: value for name, value in said.items() if value not in ("", None)}
