"""Keys made for this run, and vectors signed by keys whose private halves nobody has here."""

from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from kassa.connectors.alipay.rsa2 import Signer, Verifier

VECTORS = Path(__file__).parent / "vectors"


@dataclass(frozen=True)
class KeyPair:
    private_pem: str
    public_pem: str

    @property
    def signer(self) -> Signer:
        return Signer(self.private_pem)

    @property
    def verifier(self) -> Verifier:
        return Verifier(self.public_pem)


def key_pair() -> KeyPair:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return KeyPair(private.decode(), public.decode())


@pytest.fixture(scope="session")
def ours() -> KeyPair:
    """The application's key pair."""
    return key_pair()


@pytest.fixture(scope="session")
def alipays() -> KeyPair:
    """The key pair of whoever plays Alipay."""
    return key_pair()


@pytest.fixture(scope="session")
def merchant_verifier() -> Verifier:
    """Proves what the vectors' merchant signed."""
    return Verifier((VECTORS / "merchant_public.pem").read_text())


@pytest.fixture(scope="session")
def alipay_public_pem() -> str:
    """Proves what the vectors' Alipay signed."""
    return (VECTORS / "alipay_public.pem").read_text()
