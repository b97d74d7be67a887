"""What the key commands do."""

import json
import sys

import typer

from kassa import installation
from kassa.base.domain.errors import InvalidRequest
from kassa.base.usecases.core import Core
from kassa.base.usecases.keyring import Purpose
from kassa.cli.running import with_core
from kassa.keys.usecases.key_versions import (
    KeyUse,
    list_keys,
    purposes,
    retire_key,
    rewrap_rows,
    rotate_key,
    rows_to_rewrap,
    until_used,
)
from kassa.settings import Settings

_HOUR = 3_600


def _purpose(named: str) -> Purpose:
    if named not in purposes():
        raise InvalidRequest(f"no key is for {named!r}; there are: {', '.join(purposes())}")
    return Purpose(named)


def list_all(settings: Settings, *, as_json: bool) -> str:
    found = with_core(settings, list_keys)
    if as_json:
        return json.dumps([_as_json(one) for one in found], indent=2)
    lines = ["purpose           version  state    made              rows"]
    for one in found:
        rows = "" if one.rows is None else f"{one.rows:,}"
        made = f"{one.made_at:%Y-%m-%d %H:%M}"
        lines.append(f"{one.purpose:<16}  {one.version:>7}  {one.state:<7}  {made}  {rows:>4}")
    return "\n".join(line.rstrip() for line in lines)


def _as_json(one: KeyUse) -> dict[str, object]:
    return {
        "purpose": one.purpose.value,
        "version": one.version,
        "state": one.state,
        "made_at": one.made_at.isoformat(),
        "used_from": one.used_from.isoformat(),
        "rows": one.rows,
    }


def rotate(settings: Settings, named: str, hours: int | None, rate: int) -> str:
    purpose = _purpose(named)
    lead = installation.lead_of(settings)

    async def work(core: Core) -> str:
        content = installation.fresh_key(purpose)
        after = lead if hours is None else max(hours * _HOUR, lead)
        number = await rotate_key(core, purpose, content, after=after)
        if hours:
            return f"version {number} of {purpose} is made, and used in {hours} hours"
        await until_used(core, purpose, number)
        done = await _rewrap(core, purpose, rate)
        return f"version {number} of {purpose} is in use; {done} rows sealed anew"

    return with_core(settings, work)


def rewrap(settings: Settings, named: str, rate: int) -> str:
    purpose = _purpose(named)

    async def work(core: Core) -> str:
        return f"{await _rewrap(core, purpose, rate)} rows sealed anew"

    return with_core(settings, work)


async def _rewrap(core: Core, purpose: Purpose, rate: int) -> int:
    waiting = await rows_to_rewrap(core, purpose)
    if not waiting or not sys.stderr.isatty():
        return await rewrap_rows(core, purpose, per_second=rate)
    with typer.progressbar(length=waiting, label="sealing anew", file=sys.stderr) as bar:
        return await rewrap_rows(core, purpose, per_second=rate, told=bar.update)


def retire(settings: Settings, named: str, version: int) -> str:
    purpose = _purpose(named)

    async def work(core: Core) -> str:
        await retire_key(core, purpose, version)
        return f"version {version} of {purpose} is retired"

    return with_core(settings, work)
