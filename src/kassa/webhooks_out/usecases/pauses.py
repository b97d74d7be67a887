"""When a letter is tried again."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

_JITTER = 0.2  # seconds, not money: a share of the pause
_TOO_MANY = 429
_LEAST = timedelta(seconds=60)  # for a receiver that has too much to do, or says nothing
_SECONDS = re.compile(r"[0-9]{1,9}", re.ASCII)


def pause_before(
    schedule: Sequence[timedelta],
    tries: int,
    spread: float,  # jitter, not money
    *,
    status: int | None,
    retry_after: str = "",
    now: datetime | None = None,
) -> timedelta | None:
    """The wait before the next try; None when the schedule has none left.

    The schedule's step ±20 %. A receiver that has too much to do (429), or gave no answer, has a
    minute at least; and as long as its `Retry-After` asks for, up to twice the step, or that
    minute where it is longer. `status` None: no answer.
    """
    if tries >= len(schedule):
        return None
    step = schedule[tries] * (1 - _JITTER + 2 * _JITTER * spread)
    least = max(step, _LEAST) if status in (None, _TOO_MANY) else step
    wished = asked_pause(retry_after, now or datetime.now(UTC))
    return least if wished is None else min(max(least, wished), max(least, 2 * schedule[tries]))


def asked_pause(retry_after: str, now: datetime) -> timedelta | None:
    """What the header says, in seconds or as a date; None for what is neither."""
    text = retry_after.strip()
    if _SECONDS.fullmatch(text):
        return timedelta(seconds=int(text))
    try:
        at = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    try:
        return max(at - now, timedelta(0))
    except OverflowError:
        return None
