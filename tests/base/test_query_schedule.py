"""The schedule of questions: soon at first, then ever more seldom, and an end."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

from kassa.base.domain.query_schedule import (
    NEEDS_REVIEW,
    SHORTEST,
    SLOTS,
    ask_soon,
    next_look,
    next_question,
)

NOW = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
DAY, HOUR, MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)
SECONDS = [timedelta(seconds=count) for count in (3, 5, 10, 20, 40, 80)]
FIRST = [
    *SECONDS,
    *(count * MINUTE for count in (3, 5, 10, 20, 30)),
    *(count * HOUR for count in (1, 2, 4, 8)),
]


def asked(key: str) -> list[datetime]:
    """When a poller asks that is always on time and never gets an answer."""
    times, now = [], NOW
    while (at := next_question(NOW, now, key)) is not None:
        times.append(at)
        now = at
    return times


def test_the_pauses_are_those_that_were_promised() -> None:
    pauses = [pause for _, pause in SLOTS]

    assert pauses[: len(FIRST)] == FIRST
    assert set(pauses[len(FIRST) :]) == {12 * HOUR, DAY}
    assert pauses == sorted(pauses)
    by_half_days = [after for after, pause in SLOTS if pause == 12 * HOUR]
    by_days = [after for after, pause in SLOTS if pause == DAY]
    assert 6 * DAY < by_half_days[-1] <= NEEDS_REVIEW == 7 * DAY < by_days[0] + DAY
    assert 29 * DAY < by_days[-1] <= 30 * DAY


def test_each_question_comes_within_a_fifth_of_its_pause() -> None:
    for number in range(50):
        times = asked(f"at7_{number}")

        assert len(times) == len(SLOTS)
        for at, (after, pause) in zip(times, SLOTS, strict=True):
            assert abs(at - NOW - after) <= max(pause / 5, SHORTEST - pause * 4 / 5)
        assert min(later - sooner for sooner, later in pairwise(times)) >= SHORTEST


def test_what_began_together_does_not_stay_together() -> None:
    hour = [asked(f"at7_{number}")[11] - NOW for number in range(200)]

    assert max(hour) - min(hour) > 20 * MINUTE
    assert asked("at7_1") == asked("at7_1")


def test_questions_beside_the_schedule_do_not_move_it() -> None:
    planned = asked("at7_1")

    between = planned[6] + MINUTE

    assert next_question(NOW, between, "at7_1") == planned[7]


def test_a_worker_that_was_away_asks_once_and_not_all_that_it_missed() -> None:
    back = NOW + 5 * HOUR

    at = next_question(NOW, back, "at7_1")

    assert at is not None
    assert at > back + HOUR


def test_nothing_is_asked_twice_within_three_seconds() -> None:
    for tenths in range(200):
        now = NOW + timedelta(seconds=1) * tenths / 10
        at = next_question(NOW, now, "at7_1")
        assert at is not None
        assert at - now >= SHORTEST

    assert ask_soon(None, NOW) == NOW
    assert ask_soon(NOW - DAY, NOW) == NOW
    assert ask_soon(NOW - SHORTEST / 3, NOW) == NOW + SHORTEST * 2 / 3


def test_after_thirty_days_nothing_is_asked() -> None:
    assert next_question(NOW, NOW + 30 * DAY, "at7_1") is None


def test_a_refund_is_looked_at_for_a_month_and_ever_more_seldom() -> None:
    begun, month = datetime(2026, 1, 1, tzinfo=UTC), timedelta(days=30)
    looks, now = [], begun
    while (at := next_look(begun, now, month, "re1_x")) is not None:
        looks.append((at - begun).days)
        now = at

    assert len(looks) == 5
    assert looks == sorted(set(looks))
    assert next_look(begun, begun, timedelta(hours=1), "re1_x") is None
