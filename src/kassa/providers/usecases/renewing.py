"""Secrets that providers sign with, after a new one took their place: kept for a while, sealed with
the others."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime

from kassa.connectors.earlier import Earlier, EarlierOnes
from kassa.connectors.kind import Kind

EARLIER = "earlier secrets"
"""Under what they are sealed; no setting is called so, for it has a space in it."""

_MOST = 4  # of one setting: renewed more often than that, the oldest is believed no more


def read_earlier(text: str) -> EarlierOnes:
    """By setting, the newest first. `text`: as `renewed` has written it, or ""."""
    return {
        name: [Earlier(value, datetime.fromisoformat(until)) for value, until in kept]
        for name, kept in json.loads(text or "{}").items()
    }


def renewed(
    kind: Kind,
    before: Mapping[str, str],
    settings: Mapping[str, str],
    text: str,
    *,
    now: datetime,
    until: datetime,
) -> str:
    """What is to be kept beside the new settings; "" for nothing. `text`: what was kept before.

    What comes to be believed again as the newest is no earlier one any more; and with no overlap
    nothing earlier is believed at all: the secret may have been stolen.
    """
    known = read_earlier(text)
    kept: dict[str, list[tuple[str, str]]] = {}
    for name in [one.name for one in kind.fields if one.verifies]:
        value, was = settings.get(name, ""), before.get(name, "")
        changed = bool(was) and value != was
        ones = [*([Earlier(was, until)] if changed else []), *known.get(name, ())]
        if changed and until <= now:
            continue
        seen = {value, ""}
        for one in ones:
            if one.until > now and one.value not in seen:
                seen.add(one.value)
                kept.setdefault(name, []).append((one.value, one.until.isoformat()))
    short = {name: ones[:_MOST] for name, ones in kept.items()}
    return json.dumps(short) if short else ""


def until_when(text: str, now: datetime | None = None) -> list[tuple[str, datetime]]:
    """Of each setting that is believed as it was, until when at the latest."""
    moment = now or datetime.now(UTC)
    found = {name: max(one.until for one in ones) for name, ones in read_earlier(text).items()}
    return sorted((name, until) for name, until in found.items() if until > moment)
