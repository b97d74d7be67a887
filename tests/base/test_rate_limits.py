"""Token buckets, growing pauses, places, and the order in which work is given up."""

import pytest

from kassa.base.domain.rate_limits import (
    SHED_FROM,
    Buckets,
    Criticality,
    Pauses,
    Places,
    Rate,
    Turnover,
    is_shed,
)


def taken(buckets: Buckets, key: str, times: int, now: float) -> list[float]:
    return [buckets.take(key, now).wait for _ in range(times)]


def test_a_burst_goes_through_and_then_the_rate_holds() -> None:
    buckets = Buckets(Rate(10, 3), 100)

    assert taken(buckets, "a", 4, 100.0) == [0, 0, 0, pytest.approx(0.1)]
    assert taken(buckets, "a", 2, 100.1) == [0, pytest.approx(0.1)]
    assert taken(buckets, "a", 4, 200.0)[:3] == [0, 0, 0]


@pytest.mark.parametrize("rate", [Rate(1 / 6, 10), Rate(3, 7), Rate(100, 200), Rate(20_000, 9)])
def test_in_the_long_run_the_rate_is_exact(rate: Rate) -> None:
    buckets, let_in, now = Buckets(rate, 100), 0, 1000.0
    seconds = 50 / rate.per_second

    for _ in range(1000):
        now += seconds / 1000
        let_in += not buckets.take("a", now).wait

    assert let_in == pytest.approx(rate.burst + 50, abs=1)


def test_who_comes_back_when_told_is_let_in() -> None:
    buckets, now = Buckets(Rate(3, 2), 100), 5_000_000.0
    for _ in range(500):
        wait = buckets.take("a", now).wait
        if wait:
            now += wait
            assert buckets.take("a", now).wait == 0


def test_a_bucket_says_how_it_stands() -> None:
    buckets = Buckets(Rate(2, 4), 100)

    levels = [buckets.take("a", 10.0) for _ in range(5)]

    assert [level.left for level in levels] == [3, 2, 1, 0, 0]
    assert [level.full_in for level in levels] == [0.5, 1.0, 1.5, 2.0, 2.0]
    assert Rate(2, 4).window == 2


def test_one_key_does_not_pay_for_another() -> None:
    buckets = Buckets(Rate(1, 1), 100)
    taken(buckets, "a", 10, 1.0)

    assert buckets.take("b", 1.0).wait == 0


def test_the_memory_is_bounded_and_keeps_who_is_refused() -> None:
    buckets = Buckets(Rate(1, 1), 10)
    for number in range(1000):
        buckets.take("greedy", 1.0)
        buckets.take(f"other {number}", 1.0)

    assert len(buckets) == 10
    assert buckets.take("greedy", 1.0).wait > 0


def test_shares_add_up_to_the_whole() -> None:
    assert Rate(100, 200).share(4) == Rate(25, 50)
    assert Rate(1, 1).share(3).burst == 1


def test_pauses_double_after_what_is_free_and_are_forgiven() -> None:
    pauses = Pauses(free=2, longest=8, forgiven_after=60, most=100)
    now, waits = 100.0, []
    for _ in range(7):
        pauses.failed("a", now)
        waits.append(pauses.wait("a", now))
        now += waits[-1]

    assert waits == [0, 1, 2, 4, 8, 8, 8]
    assert pauses.wait("a", now) == 0
    assert pauses.wait("b", now) == 0
    pauses.failed("a", now + 61)
    assert pauses.wait("a", now + 61) == 0


def test_who_errs_now_and_then_never_pauses_and_who_pauses_is_not_forgiven_by_the_second() -> None:
    pauses = Pauses(free=3, longest=8, forgiven_after=60, most=100)
    for number in range(100):
        pauses.failed("slow", number * 1.01)
        assert pauses.wait("slow", number * 1.01) == 0

    for _ in range(4):
        pauses.failed("fast", 100.0)
    assert pauses.wait("fast", 100.0) == 2
    pauses.failed("fast", 102.0)
    assert pauses.wait("fast", 102.0) == 4


def test_the_memory_of_pauses_is_bounded() -> None:
    pauses = Pauses(free=1, longest=8, forgiven_after=60, most=10)
    for number in range(1000):
        pauses.failed(f"{number}", 1.0)

    assert len(pauses) == 10


def test_places_are_taken_and_given_back_and_nobody_is_remembered() -> None:
    places = Places(2)

    assert [places.enter("a", 1.0) for _ in range(3)] == [True, True, False]
    assert places.enter("b", 1.0)
    for key in ("a", "a", "b", "never"):
        places.leave(key, 1.0, 2.0)
    assert len(places) == 0
    assert places.enter("a", 3.0)


def full(places: int, *, calls_take: float) -> Turnover:
    """All taken at 100, after some calls that took so long."""
    turnover = Turnover(places)
    for _ in range(40):
        turnover.enter(0.0)
        turnover.leave(0.0, calls_take)
    for _ in range(places):
        turnover.enter(100.0)
    return turnover


def test_who_finds_no_place_is_told_when_one_is_likely_free_and_not_all_the_same() -> None:
    turnover = full(4, calls_take=2.0)

    waits = [turnover.wait(100.0) for _ in range(8)]

    assert waits == pytest.approx([0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 3.5, 4.0])
    assert turnover.wait(104.0) == pytest.approx(1.5, abs=0.51)  # of whom were told before


def test_calls_that_do_not_end_make_the_wait_longer() -> None:
    quick, stuck = full(4, calls_take=0.01), full(4, calls_take=0.01)

    assert quick.wait(100.0) < 0.01
    assert stuck.wait(120.0) == pytest.approx(5.0)
    assert [stuck.wait(120.0) for _ in range(99)][-1] == 60


def test_places_that_were_given_back_leave_nothing_behind() -> None:
    turnover = full(3, calls_take=1.0)
    for _ in range(3):
        turnover.leave(100.0, 101.0)

    assert len(turnover) == 0
    assert turnover.wait(10_000.0) < 1


def test_what_matters_least_is_given_up_first() -> None:
    order = [
        Criticality.LIST,
        Criticality.QUESTION,
        Criticality.ORDINARY,
        Criticality.MONEY,
        Criticality.NOTIFICATION,
    ]
    given_up = [
        [kind for kind in order if is_shed(kind, busy, test=False)]
        for busy in (0.84, 0.85, 0.90, 0.95, 1.0, 1.5, 2.0)
    ]

    assert given_up == [[], order[:1], order[:2], order[:3], order[:3], order[:4], order]
    assert sorted(SHED_FROM.values()) == list(SHED_FROM.values())


def test_the_test_side_goes_before_all_and_notifications_and_probes_stay() -> None:
    gone = {kind for kind in Criticality if is_shed(kind, 0.8, test=True)}

    assert gone == set(Criticality) - {Criticality.NOTIFICATION, Criticality.PROBE}
    assert not any(is_shed(kind, 0.79, test=True) for kind in Criticality)
    assert not is_shed(Criticality.PROBE, 100, test=True)
