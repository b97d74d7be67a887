"""Keys that merchants register: good ones are taken, and each known weakness is refused by name."""

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicNumbers
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from kassa import installation
from kassa.base.domain.errors import InvalidRequest
from kassa.identity.usecases.public_keys import check_p256, check_rsa

BITS = 1 << 2047
SMALL_PRIMES = [n for n in range(2, 168) if all(n % m for m in range(2, n))]


def pem_of(modulus: int, exponent: int = 65_537) -> str:
    key = RSAPublicNumbers(exponent, modulus).public_key()
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def made(private: bytes) -> str:
    return installation.public_pem(private).decode()


def next_prime(after: int) -> int:
    """Probably: by Fermat's test, which is enough here."""
    candidate = after | 1
    while pow(2, candidate - 1, candidate) != 1:
        candidate += 2
    return candidate


def test_good_keys_are_taken_as_they_are() -> None:
    rsa_key, ec_key = made(installation.rsa_pem()), made(installation.ec_pem())

    assert check_rsa(rsa_key) == rsa_key
    assert check_p256(ec_key) == ec_key


def test_a_key_of_the_wrong_kind_or_none_at_all_is_refused() -> None:
    rsa_key, ec_key = made(installation.rsa_pem()), made(installation.ec_pem())
    for check, wrong in (
        (check_rsa, ec_key),
        (check_p256, rsa_key),
        (check_rsa, "no key"),
        (check_p256, ""),
        (check_rsa, "é" * 10),
        (check_rsa, rsa_key * 100),
    ):
        with pytest.raises(InvalidRequest, match="can be used here"):
            check(wrong)


def test_a_short_key_is_refused() -> None:
    short = rsa.generate_private_key(65_537, 1024).public_key()
    pem = short.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()

    with pytest.raises(InvalidRequest, match="1024 bits"):
        check_rsa(pem)


@pytest.mark.parametrize("exponent", [3, 17, 65_539])
def test_an_exponent_that_is_not_the_usual_one_is_refused(exponent: int) -> None:
    modulus = rsa.generate_private_key(65_537, 2048).public_key().public_numbers().n

    with pytest.raises(InvalidRequest, match="exponent"):
        check_rsa(pem_of(modulus, exponent))


def test_a_small_factor_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="small factor"):
        check_rsa(pem_of(9_973 * (BITS // 9_973 | 1) + 9_973 * 2))


def test_primes_that_are_too_close_are_refused() -> None:
    first = next_prime((3 << 1022) + 12_345)

    with pytest.raises(InvalidRequest, match="so close"):
        check_rsa(pem_of(first * next_prime(first + 2)))


def test_keys_of_the_library_with_the_mark_are_refused() -> None:
    """Its primes are k·M + 65537^a mod M, so that the modulus is a power of 65537 modulo M."""
    product = 1
    for prime in SMALL_PRIMES:
        product *= prime
    modulus = pow(65_537, 1_234, product)
    modulus += product * ((BITS + BITS // 3) // product)
    while any(modulus % prime == 0 for prime in range(169, 10_000)):
        modulus += product

    with pytest.raises(InvalidRequest, match="ROCA"):
        check_rsa(pem_of(modulus))
