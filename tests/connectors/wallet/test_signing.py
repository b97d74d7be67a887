"""The merchant's side of the wallet family's signatures."""

from urllib.parse import unquote

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from tests.connectors.wallet.conftest import Keys
from tests.faces.wallet.vectors import KEYS, REQUEST, VECTORS, Vector

from kassa.connectors.wallet.signing import WalletSigner, WalletVerifier, signed_text
from kassa.faces.wallet import signature
from kassa.faces.wallet.signature import Signed

POSTED = [vector for vector in VECTORS if vector.signed.method == "POST"]
VALUE = REQUEST.header.rpartition("=")[2]
BASE64 = unquote(VALUE)
MERCHANT = WalletVerifier(KEYS["merchant"])


def text_of(signed: Signed) -> bytes:
    return signed_text(signed.target, signed.client_id, signed.time, signed.body)


@pytest.mark.parametrize("vector", POSTED, ids=lambda vector: vector.name)
def test_signatures_made_by_others_are_accepted(vector: Vector) -> None:
    verifier = WalletVerifier(KEYS[vector.key])

    assert verifier.accepts(vector.header, vector.signed.time, text_of(vector.signed))


@pytest.mark.parametrize(
    "header",
    [
        f"algorithm=RSA256, keyVersion=1, signature={BASE64}",
        f"algorithm=RSA256,keyVersion=7,signature={VALUE}",
        f"signature={VALUE},algorithm=sha256withrsa",
        "algorithm=RSA256,signature=" + VALUE.replace("%2B", "%2b").replace("%2F", "%2f"),
        "algorithm=RSA256,signature=" + BASE64.replace("+", "-").replace("/", "_").rstrip("="),
    ],
)
def test_every_dialect_of_the_header_is_read(header: str) -> None:
    assert MERCHANT.accepts(header, REQUEST.signed.time, text_of(REQUEST.signed))


@pytest.mark.parametrize(
    "header",
    [
        "",
        VALUE,
        f"signature={VALUE}",
        f"algorithm=ECC224,signature={VALUE}",
        f"algorithm=RSA256,signature={VALUE},signature={VALUE}",
        f"algorithm=RSA256,signature={VALUE},more=1",
        f"algorithm=RSA256,signature={VALUE[:-9]}",
        "algorithm=RSA256,signature=",
        "algorithm=RSA256,signature=%%%",
        "algorithm=RSA256,signature=é",
        "algorithm=RSA256,signature=" + "A" * 5000,
    ],
)
def test_what_is_no_signature_is_refused(header: str) -> None:
    assert not MERCHANT.accepts(header, REQUEST.signed.time, text_of(REQUEST.signed))


@pytest.mark.parametrize(
    "text",
    [
        text_of(REQUEST.signed) + b"\n",
        text_of(REQUEST.signed).replace(b"\n", b"\r\n", 1),
        text_of(REQUEST.signed).replace(b"POST /", b"POST https://wallet.example/", 1),
        text_of(REQUEST.signed).replace(b'":"', b'": "'),
        text_of(REQUEST.signed).replace(b"2000", b"2001"),
        text_of(REQUEST.signed).replace(b"5X0", b"5X1"),
    ],
)
def test_another_text_is_refused(text: bytes) -> None:
    assert text != text_of(REQUEST.signed)
    assert not MERCHANT.accepts(REQUEST.header, REQUEST.signed.time, text)


def test_another_key_and_a_missing_time_are_refused() -> None:
    text = text_of(REQUEST.signed)

    assert not WalletVerifier(KEYS["wallet"]).accepts(REQUEST.header, REQUEST.signed.time, text)
    assert not MERCHANT.accepts(REQUEST.header, "", text)


def test_a_wallet_can_verify_what_we_sign(ours: Keys) -> None:
    body = '{"orderDescription":"Té ☕ 测试"}'.encode()
    signed = Signed("POST", "/api/v1/payments/pay?x=%2F", "5X", "2026-11-22T02:00:00+00:00", body)

    header = WalletSigner(ours.private_pem, "3").header(text_of(signed))

    assert header.startswith("algorithm=RSA256,keyVersion=3,signature=")
    assert header.count("=") == 3
    signature.verify(signed, header, {"3": ours.public_pem})


def test_keys_may_be_bare_base64(ours: Keys) -> None:
    private = "".join(ours.private_pem.splitlines()[1:-1])
    public = "\n".join(ours.public_pem.splitlines()[1:-1])

    header = WalletSigner(private, "1").header(b"text")

    assert WalletVerifier(public).accepts(header, "now", b"text")


def _private(key: "rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey") -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


@pytest.mark.parametrize(
    "key",
    [
        "",
        "no key",
        "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----",
        _private(ec.generate_private_key(ec.SECP256R1())),
        _private(rsa.generate_private_key(65537, 1024)),
    ],
    ids=["empty", "words", "noise", "elliptic", "short"],
)
def test_a_private_key_that_cannot_be_used_is_refused_and_never_shown(key: str) -> None:
    with pytest.raises(ValueError, match="private_key") as refused:
        WalletSigner(key, "1")
    assert not key or key not in str(refused.value)


def test_a_public_key_that_cannot_be_used_is_refused() -> None:
    short = rsa.generate_private_key(65537, 1024).public_key()
    pem = short.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()

    for key in ("", "no key", pem):
        with pytest.raises(ValueError, match="wallet_public_key"):
            WalletVerifier(key)


def test_a_key_version_cannot_smuggle_a_member_in(ours: Keys) -> None:
    with pytest.raises(ValueError, match="key_version"):
        WalletSigner(ours.private_pem, "1,signature=x")
