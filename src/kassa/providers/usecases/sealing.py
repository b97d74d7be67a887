"""Secrets at rest: a data key per company, wrapped by the installation's key; AES-256-GCM both."""

import secrets
from collections.abc import Mapping

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from kassa.base.domain.errors import InvalidRequest
from kassa.base.store.connection import Connection
from kassa.base.usecases.core import Core
from kassa.providers.store import provider_accounts as store
from kassa.providers.store.provider_accounts import WrappedKey

_KEY_BYTES = 32
_NONCE_BYTES = 12


def _seal(key: bytes, plain: bytes, about: str) -> bytes:
    nonce = secrets.token_bytes(_NONCE_BYTES)
    return nonce + AESGCM(key).encrypt(nonce, plain, about.encode())


def _open(key: bytes, sealed: bytes, about: str) -> bytes:
    try:
        return AESGCM(key).decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], about.encode())
    except InvalidTag:
        raise InvalidRequest(
            "stored credentials cannot be opened: the key file of this installation is another,"
            " or the row was edited"
        ) from None


def _about_key(key: WrappedKey) -> str:
    return f"company_key|wrapped|{key.company_id}|{key.version}|{key.wrapped_by}"


def _about_account(company_id: str, name: str, key_version: int) -> str:
    return f"provider_account|sealed|{company_id}|{name}|{key_version}"


def unwrap(core: Core, key: WrappedKey) -> bytes:
    """The company's data key.

    Raises: InvalidRequest when the installation's key is missing or another.
    """
    wrapping = core.secrets.credential_keys.get(key.wrapped_by)
    if wrapping is None:
        raise InvalidRequest(
            f"stored credentials need key number {key.wrapped_by} of this installation, which is"
            " not among the files in its secrets folder"
        )
    return _open(wrapping, key.wrapped, _about_key(key))


def _wrap(core: Core, company_id: str, version: int, plain: bytes) -> WrappedKey:
    newest = max(core.secrets.credential_keys)
    empty = WrappedKey(company_id, version, newest, b"")
    wrapped = _seal(core.secrets.credential_keys[newest], plain, _about_key(empty))
    return WrappedKey(company_id, version, newest, wrapped)


async def newest_key(core: Core, connection: Connection, company_id: str) -> tuple[int, bytes]:
    """The company's newest data key and its version; made when it has none."""
    while True:
        known = await store.keys_of(connection, [company_id])
        if known:
            return known[-1].version, unwrap(core, known[-1])
        made = _wrap(core, company_id, 1, secrets.token_bytes(_KEY_BYTES))
        await store.add_key(connection, made)


async def renew_key(core: Core, connection: Connection, company_id: str) -> tuple[int, bytes]:
    """A fresh data key for what is sealed from now on."""
    version, _ = await newest_key(core, connection, company_id)
    plain = secrets.token_bytes(_KEY_BYTES)
    await store.add_key(connection, _wrap(core, company_id, version + 1, plain))
    return version + 1, plain


async def rewrap(core: Core, connection: Connection) -> int:
    """Wrap every data key by the installation's newest key; what they seal stays untouched.

    Returns how many were wrapped by an older one.
    """
    newest = max(core.secrets.credential_keys)
    old = [key for key in await store.all_keys(connection) if key.wrapped_by != newest]
    for key in old:
        plain = unwrap(core, key)
        await store.rewrap_key(connection, _wrap(core, key.company_id, key.version, plain))
    return len(old)


def seal_settings(
    key: bytes, settings: Mapping[str, str], *, company_id: str, name: str, key_version: int
) -> bytes:
    """The secret settings of an account, readable only as that row's, under that key."""
    plain = msgspec.json.encode(dict(settings))
    return _seal(key, plain, _about_account(company_id, name, key_version))


def open_settings(
    key: bytes, sealed: bytes, *, company_id: str, name: str, key_version: int
) -> dict[str, str]:
    """Raises: InvalidRequest."""
    plain = _open(key, sealed, _about_account(company_id, name, key_version))
    return msgspec.json.decode(plain, type=dict[str, str])
