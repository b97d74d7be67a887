"""Versions of a wallet client's public key: added, begun, retired, revoked."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from kassa.base.domain.errors import InvalidRequest, NotFound
from kassa.base.usecases.core import Core
from kassa.identity.domain.audit import Act
from kassa.identity.domain.client_keys import (
    ClientKey,
    KeyState,
    check_version,
    read_keys,
    terms_of,
)
from kassa.identity.domain.principals import Company
from kassa.identity.store import credentials
from kassa.identity.store.credentials import Credential
from kassa.identity.usecases import audit

Change = Callable[[list[ClientKey]], list[ClientKey]]
LONGEST_OVERLAP = timedelta(days=30)
_MOST = 20  # versions; they are read with each request


async def add_client_key(
    core: Core,
    lookup: str,
    public_key: str,
    version: str,
    *,
    overlap: timedelta | None,
    pending: bool = False,
    company: Company | None = None,
) -> list[ClientKey]:
    """Another version of the client's key, believed from now on, or with `pending` once it is made
    active. `overlap`: how long the ones of before are believed still; None: as before.

    Raises: NotFound, InvalidRequest.
    """
    if overlap is not None and not timedelta(0) <= overlap <= LONGEST_OVERLAP:
        raise InvalidRequest(
            f"two keys are good at once for 0 to {LONGEST_OVERLAP.days} days", field="overlap"
        )
    from kassa.identity.usecases.public_keys import check_rsa  # noqa: PLC0415 - see there

    pem, version = check_rsa(public_key), check_version(version)
    now = datetime.now(UTC)

    def change(keys: list[ClientKey]) -> list[ClientKey]:
        if any(one.version == version for one in keys):
            raise InvalidRequest(
                f"there is a version {version} already", field="key_version", reason="key_known"
            )
        if len(keys) >= _MOST:
            raise InvalidRequest(f"a client has at most {_MOST} versions", field="key_version")
        order = max((one.order for one in keys), default=0) + 1
        state = KeyState.PENDING if pending else KeyState.ACTIVE
        if overlap is not None and not pending:
            keys = [_retired(one, now + overlap) for one in keys]
        return [*keys, ClientKey(version=version, pem=pem, state=state, order=order)]

    return await _changed(core, lookup, company, change, version)


def _retired(key: ClientKey, until: datetime) -> ClientKey:
    if key.state is not KeyState.ACTIVE:
        return key
    ends = min(until, key.not_after) if key.not_after else until
    return replace(key, state=KeyState.RETIRING, not_after=ends)


async def set_client_key(
    core: Core,
    lookup: str,
    version: str,
    state: KeyState,
    *,
    until: datetime | None = None,
    company: Company | None = None,
) -> list[ClientKey]:
    """Begin to believe a version, let it run out (`until`), or revoke it for good; everywhere
    within a second.

    Raises: NotFound, IllegalTransition.
    """

    def change(keys: list[ClientKey]) -> list[ClientKey]:
        key = next((one for one in keys if one.version == version), None)
        if key is None:
            raise NotFound(f"no such version of the client's key: {version[:20]!r}")
        key.move(state)
        ends = until if state is KeyState.RETIRING else key.not_after
        if state is KeyState.ACTIVE:
            ends = None
        order = key.order
        if state is KeyState.ACTIVE and key.state is KeyState.PENDING:
            order = max(one.order for one in keys) + 1  # it begins now
        new = replace(key, state=state, not_after=ends, order=order)
        return [new if one is key else one for one in keys]

    return await _changed(core, lookup, company, change, version)


async def _changed(
    core: Core,
    lookup: str,
    company: Company | None,
    change: Change,
    version: str,
) -> list[ClientKey]:
    """What `change` makes of the client's keys; nobody else changes them meanwhile."""
    unknown = NotFound(f"no such wallet client: {lookup[:200]!r}", reason="credential_unknown")
    if not lookup.isprintable():
        raise unknown
    async with core.db.transaction() as connection:
        await credentials.lock(connection, lookup)
        found = await credentials.find(connection, lookup)
        if found is None or not _is_its(found, company):
            raise unknown
        before = read_keys(found.public_keys, found.key_terms)
        after = change(before)
        keys = {one.version: one.pem for one in after}
        await credentials.set_keys(connection, lookup, keys, terms_of(after))
        await audit.note(
            core,
            connection,
            Act.CREDENTIAL_CHANGED,
            found.company_id,
            lookup,
            before={"key": version, "states": _states(before)},
            after={"key": version, "states": _states(after)},
        )
    return sorted(after, key=lambda one: one.order)


def _is_its(found: Credential, company: Company | None) -> bool:
    return found.kind == "wallet_client" and (company is None or found.company_id == company.id)


def _states(keys: list[ClientKey]) -> dict[str, str]:
    return {one.version: one.state.value for one in keys}
