"""The installation's keys by purpose and version: listed, renewed while serving, retired."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from kassa.base.domain.errors import InvalidRequest
from kassa.base.store.connection import Connection
from kassa.base.usecases.core import Core
from kassa.base.usecases.keyring import Purpose
from kassa.identity.domain.audit import INSTALLATION, Act
from kassa.identity.usecases import audit
from kassa.keys.store.uses import uses
from kassa.orders.usecases.people import rewrap_people
from kassa.providers.usecases.sealing import rewrap
from kassa.webhooks_out.usecases.signing import rewrap_secrets

_BATCH = 200

FOR_EVER: Mapping[Purpose, str] = {
    Purpose.CHAIN: "blocks of history are sealed with it, and never sealed anew",
    Purpose.SEALS: "rows are sealed with it, and never sealed anew",
    Purpose.FINGERPRINTS: "what earlier requests said is told from a repeat by it",
}
"""Of these no version is retired: what was made with it is to be read as long as the books are."""

_REWRAPS: Mapping[Purpose, Callable[[Core, Connection, int], Awaitable[int]]] = {
    Purpose.WEBHOOKS: rewrap_secrets,
    Purpose.PROVIDER_SECRETS: rewrap,
    Purpose.PERSONAL_DATA: rewrap_people,
}
"""What is sealed with a key is sealed anew with a newer one, a batch at a time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyUse:
    """`state`: coming, in use, older. `rows`: that need it; None where that is not counted."""

    purpose: Purpose
    version: int
    state: str
    made_at: datetime
    used_from: datetime
    rows: int | None


async def list_keys(core: Core) -> list[KeyUse]:
    """Every version there is; never a key."""
    found = []
    async with core.db.connection(long=True) as connection:
        for purpose in Purpose:
            keys, rows = core.secrets.of(purpose), await uses(connection, purpose)
            for one in sorted(keys.every, key=lambda version: version.number):
                newer = one.number > keys.current.number
                found.append(
                    KeyUse(
                        purpose=purpose,
                        version=one.number,
                        state="in use" if one is keys.current else "coming" if newer else "older",
                        made_at=one.made_at,
                        used_from=one.used_from,
                        rows=None if rows is None else rows.get(one.number, 0),
                    )
                )
    return found


async def rotate_key(
    core: Core,
    purpose: Purpose,
    content: bytes,
    *,
    after: float,  # seconds, not money
) -> int:
    """Add a version, which is used from `after` on; returns its number.

    `content`: the key. `after`: long enough for every process, or whoever verifies, to know it.
    Raises: InvalidRequest.
    """
    async with core.db.transaction() as connection:
        number = await asyncio.to_thread(core.secrets.store.add, purpose, content, after=after)
        said = {"version": number}
        await audit.note(core, connection, Act.KEYS_ROTATED, INSTALLATION, purpose, after=said)
    await asyncio.to_thread(core.secrets.reread)
    return number


async def until_used(core: Core, purpose: Purpose, number: int) -> None:
    """Wait for that version to be in use here, and so everywhere."""
    [due] = [one.used_from for one in core.secrets.of(purpose).every if one.number == number]
    await asyncio.sleep(max((due - datetime.now(UTC)).total_seconds(), 0))
    await asyncio.to_thread(core.secrets.reread)


async def rewrap_rows(
    core: Core,
    purpose: Purpose,
    *,
    per_second: int,
    told: Callable[[int], object] = lambda _: None,
) -> int:
    """Seal anew, with the version in use, what others have sealed; returns how many rows.

    A batch at a time, each committed: what was done stays done, and whoever was stopped goes on
    where they were. Serving goes on meanwhile: every version is read.
    Raises: InvalidRequest where a row cannot be opened.
    """
    work = _REWRAPS.get(purpose)
    if work is None:
        return 0
    done, begun = 0, time.monotonic()
    while True:
        async with core.db.transaction(long=True) as connection:
            batch = await work(core, connection, min(_BATCH, per_second))
        if not batch:
            break
        done += batch
        told(batch)
        ahead = done / per_second - (time.monotonic() - begun)  # seconds, not money
        if ahead > 0:
            await asyncio.sleep(ahead)
    if done:
        said = {"rows": done}
        await audit.note_alone(core, Act.KEYS_SEALED_ANEW, INSTALLATION, purpose, after=said)
    return done


async def rows_to_rewrap(core: Core, purpose: Purpose) -> int:
    """How many rows `rewrap_rows` would seal anew."""
    if purpose not in _REWRAPS:
        return 0
    async with core.db.connection(long=True) as connection:
        rows = await uses(connection, purpose) or {}
    return sum(rows.values()) - rows.get(core.secrets.of(purpose).current.number, 0)


async def retire_key(core: Core, purpose: Purpose, number: int) -> None:
    """Nobody reads that version from now on.

    Raises: InvalidRequest for one that is in use, that something needs, or that is not there.
    """
    keys = core.secrets.of(purpose)
    if keys.get(number) is None:
        raise InvalidRequest(f"there is no version {number} of {purpose}")
    if number >= keys.current.number:
        raise InvalidRequest(f"version {number} of {purpose} is in use, or is to be")
    if why := FOR_EVER.get(purpose):
        raise InvalidRequest(f"no version of {purpose} is retired: {why}")
    async with core.db.connection(long=True) as connection:
        rows = (await uses(connection, purpose) or {}).get(number, 0)
    if rows:
        raise InvalidRequest(f"{rows} rows need version {number} of {purpose}")
    async with core.db.transaction() as connection:
        said = {"version": number}
        await audit.note(core, connection, Act.KEYS_RETIRED, INSTALLATION, purpose, after=said)
        await asyncio.to_thread(core.secrets.store.retire, purpose, number)
    await asyncio.to_thread(core.secrets.reread)


def purposes() -> Sequence[str]:
    return [one.value for one in Purpose]
