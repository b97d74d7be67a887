"""When a provider is asked what became of something: soon at first, and then ever more seldom."""

import zlib
from datetime import datetime, timedelta

_FIRST_SECONDS = (3, 5, 10, 20, 40, 80, 180, 300, 600, 1200, 1800, 3600, 7200, 14400, 28800)
NEEDS_REVIEW = timedelta(days=7)
"""After so long without an answer a person looks at it too; it stays unknown all the same."""
_LAST = timedelta(days=30)
_HALF_DAY, _DAY, _WEEK = timedelta(hours=12), timedelta(days=1), timedelta(days=7)
SILENCE = timedelta(seconds=30)
"""Longer than any call may take: what was sent before that and has no answer is asked about."""
FURTHEST = timedelta(days=14)
"""No question is planned further ahead than this: twice the longest pause, spread included."""
SHORTEST = timedelta(seconds=3)
"""Between two questions about the same payment, whoever asks."""
_SPREAD_PERMILLE = 200  # of the pause, to both sides: what began together does not stay together


def _slots() -> list[tuple[timedelta, timedelta]]:
    """(how long after the beginning, the pause before it) of each question."""
    slots: list[tuple[timedelta, timedelta]] = []
    after = timedelta(0)
    for seconds in _FIRST_SECONDS:
        pause = timedelta(seconds=seconds)
        after += pause
        slots.append((after, pause))
    for pause, until in ((_HALF_DAY, NEEDS_REVIEW), (_DAY, _LAST)):
        while after + pause <= until:
            after += pause
            slots.append((after, pause))
    return slots


SLOTS = _slots()


def next_question(since: datetime, now: datetime, key: str) -> datetime | None:
    """The next time on the schedule that began at `since`; None once that is through.

    `key` decides the spread of ±20 %, so that the same thing always gets the same times. Questions
    beside the schedule, because a client or a notification came, do not move it.
    """
    for number, (after, pause) in enumerate(SLOTS):
        at = since + after + _spread(pause, f"{key}/{number}")
        if at > now:
            return max(at, now + SHORTEST)
    return None


def next_question_ever(since: datetime, now: datetime, key: str) -> datetime:
    """Likewise for what nobody knows: once the schedule is through, once a week, for ever."""
    planned = next_question(since, now, key)
    if planned is not None:
        return planned
    begun = since + SLOTS[-1][0]
    number = max(0, (now - begun) // _WEEK)
    while (at := begun + (number + 1) * _WEEK + _spread(_WEEK, f"{key}/w{number}")) <= now:
        number += 1
    return max(at, now + SHORTEST)


_WATCHED_DAYS = (1, 3, 7, 14, 30)


def next_look(since: datetime, now: datetime, within: timedelta, key: str) -> datetime | None:
    """When to look again at what was done at `since`, and may come back `within` that time; None
    once it will not. The spread is as in `next_question`."""
    for days in _WATCHED_DAYS:
        pause = timedelta(days=days)
        at = since + pause + _spread(pause / 4, f"{key}/l{days}")
        if at > now and pause <= within:
            return at
    return None


def ask_soon(asked_at: datetime | None, now: datetime) -> datetime:
    """Something was heard, and the provider may know more by now: as soon as it may be asked."""
    return now if asked_at is None else max(now, asked_at + SHORTEST)


def _spread(pause: timedelta, key: str) -> timedelta:
    permille = zlib.crc32(key.encode()) % (2 * _SPREAD_PERMILLE + 1) - _SPREAD_PERMILLE
    return pause * permille // 1000
