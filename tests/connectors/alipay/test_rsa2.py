"""Signatures as Alipay makes and checks them, over vectors and against OpenSSL."""

import base64
import shutil
import subprocess
from pathlib import Path
from urllib.parse import parse_qsl

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from tests.connectors.alipay.conftest import VECTORS, KeyPair

from kassa.connectors.alipay.rsa2 import (
    AlipaySigner,
    AlipayVerifier,
    notification_texts,
    request_text,
    signed_query,
)


def vector(name: str) -> str:
    return (VECTORS / name).read_text()


@pytest.mark.parametrize("name", ["page_pay", "wap_pay"])
def test_an_order_is_signed_and_written_as_in_the_vectors(
    name: str, merchant_verifier: AlipayVerifier
) -> None:
    query = vector(f"{name}.query")
    parameters = dict(parse_qsl(query))

    text = request_text(parameters)
    signature = parameters.pop("sign")

    assert text == vector(f"{name}.signed_text")
    assert merchant_verifier.accepts(signature, text.encode())
    assert signed_query(parameters, signature) == query


def test_a_notification_is_verified_as_in_the_vectors(alipay_public_pem: str) -> None:
    fields = dict(parse_qsl(vector("notification.form")))

    texts = notification_texts({name: value.encode() for name, value in fields.items()})

    assert texts[0].decode() == vector("notification.signed_text")
    assert fields["sign"] == vector("notification.sign")
    assert AlipayVerifier(alipay_public_pem).accepts(fields["sign"], *texts)


def test_requests_cover_sign_type_and_notifications_do_not() -> None:
    fields = {"b": "2", "a": "1", "empty": "", "sign_type": "RSA2", "sign": "x"}
    posted = {name: value.encode() for name, value in fields.items()}

    assert request_text(fields) == "a=1&b=2&sign_type=RSA2"
    assert notification_texts(posted) == (b"a=1&b=2&empty=", b"a=1&b=2")


def test_values_are_signed_as_they_are_and_sent_encoded() -> None:
    parameters = {"subject": "测试 a+b&c=d/é", "note": ""}

    assert request_text(parameters) == "subject=测试 a+b&c=d/é"
    assert signed_query(parameters, "a+/=") == (
        "subject=%E6%B5%8B%E8%AF%95+a%2Bb%26c%3Dd%2F%C3%A9&sign=a%2B%2F%3D"
    )


@pytest.mark.skipif(shutil.which("openssl") is None, reason="the openssl command is not here")
def test_openssl_makes_the_same_signature(ours: KeyPair, tmp_path: Path) -> None:
    text = vector("page_pay.signed_text") + "测试"
    key = tmp_path / "key.pem"
    key.write_text(ours.private_pem)

    made = subprocess.run(
        ["openssl", "dgst", "-sha256", "-sign", str(key)],
        input=text.encode(),
        capture_output=True,
        check=True,
    ).stdout

    assert ours.signer.sign(text) == base64.b64encode(made).decode()


def test_what_we_sign_is_accepted_and_nothing_else_is(ours: KeyPair, alipays: KeyPair) -> None:
    signature = ours.signer.sign("a=1")

    assert len(signature) == 344
    assert ours.verifier.accepts(signature, b"a=1")
    assert ours.verifier.accepts(signature, b"a=2", b"a=1")
    assert not ours.verifier.accepts(signature, b"a=2")
    assert not ours.verifier.accepts(signature, b"a=1\n")
    assert not ours.verifier.accepts(signature)
    assert not alipays.verifier.accepts(signature, b"a=1")


@pytest.mark.parametrize(
    "signature", ["", "=", "!!!!", "é", "AAAA", "A" * 344, " " * 344, "\ud800", "A" * 100_000]
)
def test_a_hostile_signature_is_refused_quietly(signature: str, ours: KeyPair) -> None:
    assert not ours.verifier.accepts(signature, b"a=1")


def test_a_signature_with_anything_added_is_refused(ours: KeyPair) -> None:
    signature = ours.signer.sign("a=1")

    for spoiled in (f"{signature}\n", f" {signature}", f"{signature}=", signature[:-1]):
        assert not ours.verifier.accepts(spoiled, b"a=1")


def test_bare_base64_keys_are_read_too(ours: KeyPair) -> None:
    bare_private = "".join(ours.private_pem.splitlines()[1:-1])
    bare_public = "\n".join(ours.public_pem.splitlines()[1:-1])

    assert AlipayVerifier(bare_public).accepts(AlipaySigner(bare_private).sign("a=1"), b"a=1")


def test_the_older_private_key_format_is_read_too(ours: KeyPair) -> None:
    key = serialization.load_pem_private_key(ours.private_pem.encode(), None)
    older = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    ).decode()

    assert AlipaySigner(older).sign("a=1") == ours.signer.sign("a=1")
    assert AlipaySigner("".join(older.splitlines()[1:-1])).sign("a=1") == ours.signer.sign("a=1")


def pems(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> tuple[str, str]:
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return private.decode(), public.decode()


def test_weak_and_foreign_keys_are_refused() -> None:
    for key in (rsa.generate_private_key(65537, 1024), ec.generate_private_key(ec.SECP256R1())):
        private, public = pems(key)
        with pytest.raises(ValueError, match="must be RSA of 2048 bits"):
            AlipaySigner(private)
        with pytest.raises(ValueError, match="must be RSA of 2048 bits"):
            AlipayVerifier(public)


@pytest.mark.parametrize("key", ["", "hidden words", "-----BEGIN PRIVATE KEY-----\nhidden", "é"])
def test_an_unreadable_key_is_refused_without_being_quoted(key: str) -> None:
    for kind in (AlipaySigner, AlipayVerifier):
        with pytest.raises(ValueError, match="cannot be read") as refusal:
            kind(key)
        assert "hidden" not in str(refusal.value)
        assert refusal.value.__cause__ is None
