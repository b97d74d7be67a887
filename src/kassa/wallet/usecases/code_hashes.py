"""How wallet codes and tokens are kept: keyed hashes, of which any version may be the one."""

from kassa.base.usecases import keyed
from kassa.base.usecases.core import Core
from kassa.base.usecases.keyring import Purpose


def hash_code(core: Core, code: str) -> bytes:
    """What a code is kept as from now on."""
    return keyed.make(core.secrets.of(Purpose.WALLET_CODES), _bytes(code), keyed.hmac_sha256)


def code_hashes(core: Core, code: str) -> list[bytes]:
    """All that it may be kept as; what it is kept as from now on stands first."""
    return keyed.every(core.secrets.of(Purpose.WALLET_CODES), _bytes(code), keyed.hmac_sha256)


def _bytes(code: str) -> bytes:
    return code.encode("utf-8", "surrogatepass")
