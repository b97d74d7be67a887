"""A receiver's own wish counts within bounds; one that is overloaded is left in peace a while."""

from datetime import UTC, datetime, timedelta

import pytest

from kassa.webhooks_out.usecases.pauses import asked_pause, pause_before

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
SCHEDULE = [timedelta(0), timedelta(seconds=5), timedelta(minutes=5)]


def seconds(tries: int, status: int | None, retry_after: str = "") -> int:
    pause = pause_before(SCHEDULE, tries, 0.5, status=status, retry_after=retry_after, now=NOW)
    assert pause is not None
    return round(pause.total_seconds())


@pytest.mark.parametrize(
    "tries, status, wished, expected",
    [
        (1, 500, "", 5),
        (1, 429, "", 60),
        (1, None, "", 60),
        (2, 429, "", 300),
        (1, 503, "8", 8),
        (1, 503, "3600", 10),
        (1, 429, "20", 60),
        (1, 429, "3600", 60),
        (2, 503, "400", 400),
        (2, 503, "86400", 600),
        (2, 503, "1", 300),
        (2, 503, "Mon, 30 Nov 2026 12:07:00 GMT", 420),
        (2, 503, "soon", 300),
    ],
)
def test_the_wait_is_the_steps_or_what_was_asked_for_up_to_twice_that(
    tries: int, status: int | None, wished: str, expected: int
) -> None:
    assert seconds(tries, status, wished) == expected


def test_after_the_last_step_there_is_no_other() -> None:
    assert pause_before(SCHEDULE, 3, 0.5, status=429, retry_after="5", now=NOW) is None


@pytest.mark.parametrize(
    "odd", ["", "-5", "1e9", "٣", "9" * 40, "Mon, 99 Foo", "\x00", "Mon, 01 Jan 0001 00:00:00"]
)
def test_an_odd_wish_is_none_and_no_error(odd: str) -> None:
    assert asked_pause(odd, NOW) in (None, timedelta(0))
