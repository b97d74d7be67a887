"""The wallet's own keys: what its answers and news are signed with, and where clients find the
public halves."""

from functools import lru_cache

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from starlette.requests import Request
from starlette.responses import Response

from kassa.base.usecases.core import Core
from kassa.base.usecases.keyring import Purpose
from kassa.faces import edge
from kassa.faces.wallet import signature
from kassa.faces.wallet.contract import write_time

PATH = "/wallet/keys"
_REMEMBERED = {"Cache-Control": "max-age=60"}


def sign(core: Core, signed: signature.Signed) -> str:
    """The Signature header, by the version of our key that is in use."""
    version = core.secrets.of(Purpose.WALLET_ANSWERS).current
    key = signature.private_key(version.secret.reveal())
    return signature.sign(signed, key, str(version.number))


def public_keys(core: Core) -> dict[str, str]:
    """keyVersion to PEM, of every version that answers may be signed with; the one in use first."""
    every = core.secrets.of(Purpose.WALLET_ANSWERS).every
    return {str(one.number): _public_pem(one.secret.reveal()) for one in every}


@lru_cache(maxsize=8)
def _public_pem(private: bytes) -> str:
    public = signature.private_key(private).public_key()
    return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode("ascii")


async def published(request: Request) -> Response:
    """Every version, also one that comes into use only later. Public keys are nobody's secret."""
    core = edge.core_of(request)
    public = public_keys(core)
    keys = core.secrets.of(Purpose.WALLET_ANSWERS)
    written = [
        {
            "keyVersion": str(one.number),
            "algorithm": "RSA256",
            "publicKey": public[str(one.number)],
            "usedFrom": write_time(one.used_from),
            "inUse": one is keys.current,
        }
        for one in keys.every
    ]
    return edge.answer({"keys": written}, 200, _REMEMBERED)
