"""The secrets that notifications are signed with: random for each company, sealed, renewed."""

import hashlib
import hmac
import secrets
from collections.abc import Sequence
from datetime import timedelta

from kassa.base.domain.errors import InvalidRequest, NotFound
from kassa.base.domain.secret import Secret
from kassa.base.store.connection import Connection
from kassa.base.store.envelope import seal, unseal
from kassa.base.usecases.core import Core
from kassa.base.usecases.keyring import Purpose
from kassa.identity.domain.audit import Act
from kassa.identity.usecases import audit
from kassa.identity.usecases.authenticate import forget, remembered
from kassa.webhooks_out.store import webhook_secrets as store
from kassa.webhooks_out.store.webhook_secrets import SealedSecret

_BYTES = 32


def _about(company_id: str, version: int, wrapped_by: int) -> str:
    return f"webhook_secret|sealed|{company_id}|{version}|{wrapped_by}"


def _memory(company_id: str) -> str:
    return f"webhook secrets:{company_id}"


def _opened(core: Core, one: SealedSecret) -> Secret:
    key = core.secrets.of(Purpose.WEBHOOKS).get(one.wrapped_by)
    about = _about(one.company_id, one.version, one.wrapped_by)
    plain = unseal(key.reveal(), one.sealed, about) if key else None
    if plain is None:
        raise InvalidRequest(
            f"the webhook secret of {one.company_id} needs version {one.wrapped_by} of the key for"
            " webhooks, which this installation has not, or the row was edited"
        )
    return Secret(plain)


def _sealed(core: Core, company_id: str, version: int, plain: bytes) -> tuple[bytes, int]:
    newest = core.secrets.of(Purpose.WEBHOOKS).current
    about = _about(company_id, version, newest.number)
    return seal(newest.secret.reveal(), plain, about), newest.number


async def signing_secrets(core: Core, company_id: str) -> Sequence[Secret]:
    """What news is signed with now, the newest first; made when there is none.

    Raises: NotFound; InvalidRequest where a key of the installation is missing.
    """

    async def look() -> Sequence[Secret]:
        async with core.db.connection() as connection:
            known = await store.of_company(connection, company_id)
        if not known:
            async with core.db.transaction() as connection:
                first = await _first(core, connection, company_id)
                await store.add(connection, company_id, 1, *first)
                known = await store.of_company(connection, company_id)
        return [_opened(core, one) for one in known]

    return await remembered(core, _memory(company_id), look) or ()


async def _first(core: Core, connection: Connection, company_id: str) -> tuple[bytes, int]:
    """A company from before secrets were stored keeps the one that its receivers verify with."""
    derived = await store.is_derived(connection, company_id)
    if derived is None:
        raise NotFound(f"no such company: {company_id!r}")
    plain = secrets.token_bytes(_BYTES)
    if derived:
        pepper = core.secrets.of(Purpose.CREDENTIALS).get(1)
        if pepper is None:
            raise InvalidRequest("the first pepper, which this secret was made of, is retired")
        plain = hmac.digest(pepper.reveal(), b"webhook:" + company_id.encode(), hashlib.sha256)
    return _sealed(core, company_id, 1, plain)


async def renew_secret(core: Core, company_id: str, overlap: timedelta) -> Secret:
    """A new one. News is signed with the old one as well until `overlap` is over.

    Raises: NotFound, InvalidRequest.
    """
    await signing_secrets(core, company_id)
    async with core.db.transaction() as connection:
        plain = secrets.token_bytes(_BYTES)
        version = await store.newest_version(connection, company_id) + 1
        sealed, wrapped_by = _sealed(core, company_id, version, plain)
        if not await store.add(connection, company_id, version, sealed, wrapped_by):
            raise InvalidRequest("somebody else has just made a new secret; look at that one")
        await store.end_older(connection, company_id, version, overlap)
        said = {"version": version, "old_for_seconds": int(overlap.total_seconds())}
        await audit.note(core, connection, Act.SECRET_RENEWED, company_id, after=said)
    forget(core, _memory(company_id))
    return Secret(plain)


async def rewrap_secrets(core: Core, connection: Connection, limit: int) -> int:
    """Seal up to so many anew, by the newest key of the installation; returns how many it was."""
    newest = core.secrets.of(Purpose.WEBHOOKS).current
    old = await store.wrapped_by_others(connection, newest.number, limit)
    for one in old:
        plain = _opened(core, one).reveal()
        await store.rewrap(connection, one, *_sealed(core, one.company_id, one.version, plain))
    return len(old)
