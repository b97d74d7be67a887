"""Secrets at rest: a data key per company, wrapped by the installation's key; AES-256-GCM both."""

from collections.abc import Mapping

import msgspec

from kassa.base.domain.errors import InvalidRequest
from kassa.base.store.connection import Connection
from kassa.base.store.envelope import new_key, seal, unseal
from kassa.base.usecases.core import Core
from kassa.base.usecases.keyring import Purpose
from kassa.providers.store import provider_accounts as store
from kassa.providers.store.provider_accounts import WrappedKey


def _open(key: bytes, sealed: bytes, about: str) -> bytes:
    plain = unseal(key, sealed, about)
    if plain is None:
        raise InvalidRequest(
            "stored credentials cannot be opened: the key file of this installation is another,"
            " or the row was edited"
        )
    return plain


def _about_key(key: WrappedKey) -> str:
    return f"company_key|wrapped|{key.company_id}|{key.version}|{key.wrapped_by}"


def _about_account(company_id: str, name: str, key_version: int) -> str:
    return f"provider_account|sealed|{company_id}|{name}|{key_version}"


def unwrap(core: Core, key: WrappedKey) -> bytes:
    """The company's data key.

    Raises: InvalidRequest when the installation's key is missing or another.
    """
    wrapping = core.secrets.of(Purpose.PROVIDER_SECRETS).get(key.wrapped_by)
    if wrapping is None:
        raise InvalidRequest(
            f"stored credentials need key number {key.wrapped_by} of this installation, which is"
            " not among the files in its secrets folder"
        )
    return _open(wrapping.reveal(), key.wrapped, _about_key(key))


def _wrap(core: Core, company_id: str, version: int, plain: bytes) -> WrappedKey:
    newest = core.secrets.of(Purpose.PROVIDER_SECRETS).current
    empty = WrappedKey(company_id, version, newest.number, b"")
    wrapped = seal(newest.secret.reveal(), plain, _about_key(empty))
    return WrappedKey(company_id, version, newest.number, wrapped)


async def newest_key(core: Core, connection: Connection, company_id: str) -> tuple[int, bytes]:
    """The company's newest data key and its version; made when it has none."""
    while True:
        known = await store.keys_of(connection, [company_id])
        if known:
            return known[-1].version, unwrap(core, known[-1])
        made = _wrap(core, company_id, 1, new_key())
        await store.add_key(connection, made)


async def renew_key(core: Core, connection: Connection, company_id: str) -> tuple[int, bytes]:
    """A fresh data key for what is sealed from now on."""
    version, _ = await newest_key(core, connection, company_id)
    plain = new_key()
    await store.add_key(connection, _wrap(core, company_id, version + 1, plain))
    return version + 1, plain


async def rewrap(core: Core, connection: Connection, limit: int | None = None) -> int:
    """Wrap data keys, up to so many, by the installation's newest key; what they seal stays
    untouched.

    Returns how many were wrapped by another one.
    """
    newest = core.secrets.of(Purpose.PROVIDER_SECRETS).current.number
    old = [key for key in await store.all_keys(connection) if key.wrapped_by != newest]
    for key in old[:limit]:
        plain = unwrap(core, key)
        await store.rewrap_key(connection, _wrap(core, key.company_id, key.version, plain))
    return len(old[:limit])


def seal_settings(
    key: bytes, settings: Mapping[str, str], *, company_id: str, name: str, key_version: int
) -> bytes:
    """The secret settings of an account, readable only as that row's, under that key."""
    plain = msgspec.json.encode(dict(settings))
    return seal(key, plain, _about_account(company_id, name, key_version))


def open_settings(
    key: bytes, sealed: bytes, *, company_id: str, name: str, key_version: int
) -> dict[str, str]:
    """Raises: InvalidRequest."""
    plain = _open(key, sealed, _about_account(company_id, name, key_version))
    return msgspec.json.decode(plain, type=dict[str, str])
