"""The keys of this installation: made once, kept in files that only their owner can read."""

import secrets
import stat
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from kassa import private_files
from kassa.base.domain.errors import InvalidRequest
from kassa.base.usecases.core import Secrets

_KEY_BYTES = 32
_RSA_BITS = 2048  # what the wallet protocol's clients accept


def _kept(path: Path, make: "bytes | None" = None) -> bytes:
    if path.exists():
        if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise InvalidRequest(f"{path} can be read by others; make it private (chmod 600)")
        return path.read_bytes()
    content = make if make is not None else secrets.token_bytes(_KEY_BYTES)
    return private_files.write(path, content, replace=False)


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


def open_secrets(data_dir: Path) -> Secrets:
    """Read this installation's keys, making what is missing.

    Raises: InvalidRequest when a key file is open to others.
    """
    directory = data_dir / "secrets"
    wallet = directory / "wallet_signing_key.pem"
    private = _kept(wallet) if wallet.exists() else _kept(wallet, rsa_pem())
    return Secrets(
        pepper=_kept(directory / "pepper"),
        page_token=_kept(directory / "page_token"),
        wallet_private_key_pem=private,
        wallet_public_key_pem=public_pem(private),
        credential_keys=_credential_keys(directory),
    )


def _credential_keys(directory: Path) -> dict[int, bytes]:
    """Files credentials_key.1, .2, …: to rotate, the operator adds the next one."""
    first = directory / "credentials_key.1"
    found = {}
    for path in [first, *sorted(directory.glob("credentials_key.*"))]:
        number = path.suffix.removeprefix(".")
        if number.isascii() and number.isdigit():
            found[int(number)] = _kept(path)
    wrong = [number for number, key in found.items() if len(key) != _KEY_BYTES]
    if wrong:
        raise InvalidRequest(
            f"{directory / f'credentials_key.{wrong[0]}'} must hold {_KEY_BYTES} bytes"
        )
    return found


def add_credential_key(data_dir: Path) -> int:
    """Make the next key that wraps stored credentials; returns its number."""
    directory = data_dir / "secrets"
    number = max(_credential_keys(directory)) + 1
    private_files.write(
        directory / f"credentials_key.{number}", secrets.token_bytes(_KEY_BYTES), replace=False
    )
    return number


def sandbox_secret(data_dir: Path) -> bytes:
    """What the sandbox provider signs its notifications with."""
    return _kept(data_dir / "secrets" / "sandbox")


def read_public_key(path: str, kind: str) -> str:
    """The PEM public key in a file. `kind`: "RSA" (2048 bits or more) or "P-256".

    Raises: InvalidRequest.
    """
    if not path:
        raise InvalidRequest(f"--public-key is needed: a PEM file with a {kind} public key")
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise InvalidRequest(f"cannot read {path}: {error.strerror}") from None
    try:
        key = serialization.load_pem_public_key(content)
    except ValueError:
        raise InvalidRequest(f"{path} holds no PEM public key") from None
    good = (
        isinstance(key, rsa.RSAPublicKey) and key.key_size >= _RSA_BITS
        if kind == "RSA"
        else isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name == "secp256r1"
    )
    if not good:
        raise InvalidRequest(f"{path} does not hold a {kind} public key that can be used here")
    return content.decode("ascii", "replace")
