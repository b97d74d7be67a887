"""Public keys that somebody registers: read, and refused where they are known to be weak.

Imported when the first one is: few commands ever see one, and the library takes its time.
"""

from functools import cache
from math import gcd, isqrt, prod

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from kassa.base.domain.errors import InvalidRequest

_LONGEST = 16 * 1024  # characters; an RSA key of 16384 bits has some 3,000
_RSA_BITS, _MOST_RSA_BITS = 2048, 16_384
_EXPONENT = 65_537
_FERMAT_STEPS = 100  # primes so close are found at once; those of chance, never
_SIEVE = 10_000
_MOST_MARKED = 167


def _primes_below(end: int) -> list[int]:
    is_prime = bytearray([1]) * end
    is_prime[:2] = b"\0\0"
    for one in range(2, isqrt(end) + 1):
        if is_prime[one]:
            is_prime[one * one :: one] = bytes(len(range(one * one, end, one)))
    return [one for one in range(end) if is_prime[one]]


@cache
def _product() -> int:
    """Of all small primes: what has a divisor in common with it has a small factor."""
    return prod(_primes_below(_SIEVE))


@cache
def _powers() -> dict[int, set[int]]:
    """By primes, what 65537 comes to: the keys of a broken library are such powers modulo each of
    them (CVE-2017-15361)."""
    marked = [prime for prime in _primes_below(_SIEVE) if 2 < prime <= _MOST_MARKED]
    return {one: {pow(_EXPONENT, power, one) for power in range(one)} for one in marked}


def check_rsa(pem: str) -> str:
    """`pem`, which holds an RSA public key that can be relied on.

    Raises: InvalidRequest, saying what is wrong with it.
    """
    key = _read(pem, "RSA")
    if not isinstance(key, rsa.RSAPublicKey):
        raise _unusable("RSA", "it is of another kind")
    numbers = key.public_numbers()
    modulus = numbers.n
    if not _RSA_BITS <= key.key_size <= _MOST_RSA_BITS:
        raise _unusable(
            "RSA", f"it has {key.key_size} bits, and {_RSA_BITS} to {_MOST_RSA_BITS} are needed"
        )
    if numbers.e != _EXPONENT:
        raise _unusable("RSA", f"its exponent is {str(numbers.e)[:20]}, and {_EXPONENT} is needed")
    if gcd(modulus, _product()) != 1:
        raise _unusable("RSA", "it has a small factor")
    if _has_close_primes(modulus):
        raise _unusable("RSA", "its two primes are so close that they can be found")
    if all(modulus % prime in powers for prime, powers in _powers().items()):
        raise _unusable("RSA", "it was made by a library whose keys can be broken (ROCA)")
    return pem


def check_p256(pem: str) -> str:
    """`pem`, which holds a P-256 public key.

    Raises: InvalidRequest.
    """
    key = _read(pem, "P-256")
    if not isinstance(key, ec.EllipticCurvePublicKey) or key.curve.name != "secp256r1":
        raise _unusable("P-256", "it is of another kind")
    return pem


def _read(pem: str, kind: str) -> object:
    if len(pem) > _LONGEST:
        raise _unusable(kind, "it is too long")
    try:
        return load_pem_public_key(pem.encode("ascii", "replace"))
    except (ValueError, UnsupportedAlgorithm):
        raise _unusable(kind, "it is no PEM public key") from None


def _has_close_primes(modulus: int) -> bool:
    """By Fermat's way: n = a² - b² with a close to the root."""
    root = isqrt(modulus)
    root += root * root < modulus
    for step in range(_FERMAT_STEPS):
        rest = (root + step) ** 2 - modulus
        if isqrt(rest) ** 2 == rest:
            return True
    return False


def _unusable(kind: str, why: str) -> InvalidRequest:
    return InvalidRequest(
        f"this is not an {kind} public key that can be used here: {why}"
        if kind == "RSA"
        else f"this is not a {kind} public key that can be used here: {why}",
        field="public_key",
        reason="key_refused",
    )
