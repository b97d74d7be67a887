"""Turns: a provider account is asked so many questions at once and a second, and no more."""

from kassa.providers.usecases.fair_queue import FairQueue


def test_an_account_is_asked_only_so_many_a_second() -> None:
    now = [0.0]  # seconds, not money
    turns = FairQueue(clock=lambda: now[0])

    taken = 0
    for _ in range(100):
        if turns.room(["a"]):
            turns.take("a")
            turns.give_back("a")
            taken += 1
    assert taken == 40
    assert turns.room(["a", "b"]) == {"b": 16}
    now[0] += 0.5
    assert turns.room(["a"]) == {"a": 10}
    for _ in range(5):
        turns.take("a")
    now[0] += 60
    assert turns.room(["a"]) == {"a": 11}
