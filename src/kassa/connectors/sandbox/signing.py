"""The `sandbox-signature` header: `t=<unix seconds>,v1=<hex HMAC-SHA256 of "t.body">`."""

import hmac
import re

HEADER = "sandbox-signature"
TOLERANCE_SECONDS = 300
_SHORTEST_SECRET = 16
_GRAMMAR = re.compile(r"t=([1-9][0-9]{0,11}),v1=([0-9a-f]{64})")


def require_secret(secret: bytes) -> bytes:
    """`secret` itself, or an error: a guessable key would let anyone report money.

    Raises: ValueError.
    """
    if len(secret) < _SHORTEST_SECRET:
        raise ValueError(f"the sandbox secret needs at least {_SHORTEST_SECRET} bytes")
    return secret


def sign(secret: bytes, body: bytes, *, at: int) -> str:
    """The header's value for `body` sent at unix second `at`."""
    return f"t={at},v1={_mac(secret, body, at)}"


def fault_in(header: str | None, *, secret: bytes, body: bytes, now: int) -> str:
    """Why `header` does not vouch for `body` at unix second `now`; empty when it does."""
    if header is None:
        return f"no {HEADER} header"
    parts = _GRAMMAR.fullmatch(header)
    if parts is None:
        return f"malformed {HEADER} header"
    at = int(parts[1])
    if not hmac.compare_digest(_mac(secret, body, at), parts[2]):
        return "wrong signature"
    if abs(now - at) > TOLERANCE_SECONDS:
        return "the signature is too old, or from the future"
    return ""


def _mac(secret: bytes, body: bytes, at: int) -> str:
    return hmac.new(require_secret(secret), b"%d.%s" % (at, body), "sha256").hexdigest()
