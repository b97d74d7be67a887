"""The keys of this installation: made once, kept in files that only their owner can read."""

import ctypes
import resource
import secrets
import sys
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from kassa import private_files
from kassa.base.usecases.keyring import Keyring, KeyStore, Purpose
from kassa.key_stores import FileKeys, key_store

_KEY_BYTES = 32
_PR_SET_DUMPABLE = 4
_RSA_BITS = 2048  # what the wallet protocol's clients accept


def _kept(path: Path) -> bytes:
    if path.exists():
        return private_files.read(path)
    return private_files.write(path, secrets.token_bytes(_KEY_BYTES), replace=False)


def rsa_pem() -> bytes:
    """A fresh RSA private key as PKCS#8 PEM."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=_RSA_BITS)
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def ec_pem() -> bytes:
    """A fresh P-256 private key as PKCS#8 PEM."""
    return ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def public_pem(private: bytes) -> bytes:
    """The public half of a PEM private key."""
    # These keys are our own: proving again at every start that they are sound takes 0.1 s each.
    key = serialization.load_pem_private_key(private, None, unsafe_skip_rsa_key_validation=True)
    return key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def open_secrets(data_dir: Path, store: KeyStore | None = None) -> Keyring:
    """This installation's keys; what is missing among files is made. `store`: where else they are.

    Raises: InvalidRequest when a key cannot be had, or its file is open to others.
    """
    keep_no_core()
    if store is None or isinstance(store, FileKeys):
        files = store or FileKeys(data_dir / "secrets")
        for purpose in Purpose:
            if not files.has(purpose):
                private_files.write(
                    data_dir / "secrets" / f"{purpose}.1", fresh_key(purpose), replace=False
                )
        store = files
    return Keyring(store).open()


def lead_of(settings: Any) -> float:  # seconds, not money
    """How long before its use a new version has to be there, for every process to know it."""
    return key_store(settings).lead


def fresh_key(purpose: Purpose) -> bytes:
    """What a new version of that purpose's key is."""
    if purpose is Purpose.WALLET_ANSWERS:
        return rsa_pem()
    return secrets.token_bytes(_KEY_BYTES)


def keep_no_core() -> None:
    """This process leaves no core file, and nobody but root reads its memory: keys are in it."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        # A core that is piped to a program does not mind the limit.
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


def sandbox_secret(data_dir: Path) -> bytes:
    """What the sandbox provider signs its notifications with."""
    return _kept(data_dir / "secrets" / "sandbox")
