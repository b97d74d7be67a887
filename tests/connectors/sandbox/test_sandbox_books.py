"""The books under several writers, and their sums."""

import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from threading import Barrier

import pytest
from tests.connectors.sandbox.clock import Clock

from kassa.connectors.sandbox.books import LEASE, RETRY_PAUSES, Ask, KeyReused, SandboxBooks

AskFor = Callable[..., Ask]


@pytest.fixture
def ask_for(clock: Clock) -> AskFor:
    def build(key: str, amount: str = "299.99", currency: str = "CNY", card: str = "paid") -> Ask:
        return Ask(
            key=key,
            amount=amount,
            currency=currency,
            card=f"pm_sandbox_{card}",
            order_id="or_1",
            subject="Tea",
            return_url="",
            notify_url="http://pay.test/providers/sandbox",
            expires_at=clock.now + timedelta(minutes=15),
        )

    return build


def test_many_books_on_one_new_file_racing_on_one_key_make_one_charge(
    path: Path, clock: Clock, ask_for: AskFor
) -> None:
    all_at_once = Barrier(6)

    def race(_: int) -> str:
        books = SandboxBooks(path)
        all_at_once.wait()
        try:
            return books.charge(ask_for("at_1"), now=clock.now).reference
        finally:
            books.close()

    with ThreadPoolExecutor(6) as pool:
        references = set(pool.map(race, range(6)))

    books = SandboxBooks(path)
    assert len(references) == 1
    assert len(books.charges_of("at_1")) == 1
    assert str(books.total_captured("CNY")) == "299.99"
    assert len(books.latest(now=clock.now)) == 1
    books.close()


def test_two_books_seeing_a_charge_turn_take_its_money_once(
    path: Path, clock: Clock, ask_for: AskFor
) -> None:
    one, other = SandboxBooks(path), SandboxBooks(path)
    one.charge(ask_for("at_1", card="paid_later"), now=clock.now)
    clock.pass_by(10)

    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(lambda books: books.find("at_1", now=clock.now), (one, other)))

    assert found[0] == found[1]
    assert len(one.charges_of("at_1")) == 1
    assert len(other.take_due(now=clock.now, limit=10)) == 1
    one.close()
    other.close()


def test_totals_count_taken_money_only_and_each_currency_by_itself(
    books: SandboxBooks, clock: Clock, ask_for: AskFor
) -> None:
    books.charge(ask_for("at_1", "299.99"), now=clock.now)
    books.charge(ask_for("at_2", "0.01"), now=clock.now)
    books.charge(ask_for("at_3", "500", "JPY"), now=clock.now)
    books.charge(ask_for("at_4", "1.250", "KWD", card="paid_but_silent"), now=clock.now)
    books.charge(ask_for("at_5", "77.00", card="declined"), now=clock.now)
    books.charge(ask_for("at_6", "77.00", card="action_needed"), now=clock.now)
    books.charge(ask_for("at_7", "77.00", card="lost"), now=clock.now)
    with pytest.raises(KeyReused):
        books.charge(ask_for("at_1", "300.00"), now=clock.now)

    totals = {total.captured.currency: str(total.captured) for total in books.totals()}

    assert totals == {"CNY": "300.00", "JPY": "500", "KWD": "1.250"}
    assert str(books.total_captured("USD")) == "0.00"


def test_totals_may_grow_beyond_64_bits(books: SandboxBooks, clock: Clock, ask_for: AskFor) -> None:
    for number in range(3):
        books.charge(ask_for(f"at_{number}", "92233720368547758.07"), now=clock.now)

    assert str(books.total_captured("CNY")) == "276701161105643274.21"


def test_a_reference_says_nothing_about_the_key_that_an_outsider_could_compute(
    books: SandboxBooks, tmp_path: Path, clock: Clock, ask_for: AskFor
) -> None:
    elsewhere = SandboxBooks(tmp_path / "other.sqlite3")

    here = books.charge(ask_for("at_1"), now=clock.now).reference
    there = elsewhere.charge(ask_for("at_1"), now=clock.now).reference

    assert here != there
    elsewhere.close()


def test_a_leased_notification_is_nobody_elses_until_the_lease_ends(
    path: Path, clock: Clock, ask_for: AskFor
) -> None:
    one, other = SandboxBooks(path), SandboxBooks(path)
    one.charge(ask_for("at_1", card="paid_later"), now=clock.now)

    assert one.take_due(now=clock.now, limit=10) == []
    clock.pass_by(2)
    (taken,) = one.take_due(now=clock.now, limit=10)
    assert other.take_due(now=clock.now, limit=10) == []
    clock.now += LEASE
    (again,) = other.take_due(now=clock.now, limit=10)
    assert (again.id, again.body, again.tries) == (taken.id, taken.body, 2)
    one.not_arrived(taken, now=clock.now)
    assert one.take_due(now=clock.now, limit=10) == []
    other.arrived(again, now=clock.now)
    assert one.take_due(now=clock.pass_by(10**6), limit=10) == []
    one.close()
    other.close()


def test_failed_deliveries_pause_ever_longer_and_end(
    books: SandboxBooks, clock: Clock, ask_for: AskFor
) -> None:
    books.charge(ask_for("at_1", card="declined_later"), now=clock.now)
    clock.pass_by(2)

    for pause in RETRY_PAUSES:
        (news,) = books.take_due(now=clock.now, limit=10)
        books.not_arrived(news, now=clock.now)
        assert books.take_due(now=clock.now + pause - timedelta(seconds=1), limit=10) == []
        clock.now += pause
    (last,) = books.take_due(now=clock.now, limit=10)
    books.not_arrived(last, now=clock.now)

    assert list(RETRY_PAUSES) == sorted(RETRY_PAUSES)
    assert books.take_due(now=clock.now + timedelta(days=365), limit=10) == []


def test_books_of_another_version_are_refused_with_a_sentence(path: Path, clock: Clock) -> None:
    path.parent.mkdir()
    file = sqlite3.connect(path)
    file.execute("PRAGMA user_version = 99")
    file.close()

    with pytest.raises(RuntimeError, match="version 99"):
        SandboxBooks(path).find("at_1", now=clock.now)
