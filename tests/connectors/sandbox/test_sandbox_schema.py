"""Books that an older Kassa made, opened by this one."""

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.connectors.sandbox.clock import START, Clock

from kassa.connectors.sandbox.books import ChangeAsk, SandboxBooks
from kassa.connectors.sandbox.cards import SandboxState
from kassa.connectors.sandbox.records import ChangeKind, ChangeState

DUMP = Path(__file__).with_name("books_1.dump")


@pytest.fixture
def old(path: Path) -> Path:
    """A file of version 1: two charges paid, one declined, three still open."""
    path.parent.mkdir()
    with sqlite3.connect(path) as file:
        file.executescript(DUMP.read_text(encoding="utf-8"))
    file.close()
    return path


def test_old_books_keep_what_they_knew_and_go_on(
    old: Path, books: SandboxBooks, clock: Clock
) -> None:
    with sqlite3.connect(old) as file:
        references = dict(file.execute("SELECT key, reference FROM charges").fetchall())
    file.close()

    paid = books.find("at_1", now=clock.now)
    clock.pass_by(3600)
    states = {one.key: one.state for one in books.latest(now=clock.now)}

    assert paid is not None
    assert (str(paid.captured), str(paid.fee), paid.reserved.units) == ("299.99", "9.00", 0)
    assert states == {
        "at_1": SandboxState.CAPTURED,
        "at_2": SandboxState.DECLINED,
        "at_3": SandboxState.CAPTURED,
        "at_4": SandboxState.DECLINED,
        "at_5": SandboxState.DECLINED,
        "at_6": SandboxState.CAPTURED,
    }
    assert {one.key: one.reference for one in books.latest(now=clock.now)} == references
    assert str(books.total_captured("CNY")) == "899.97"
    assert len(books.take_due(now=clock.now, limit=10)) == 2
    lines = list(books.report(START, datetime(2026, 1, 2, tzinfo=UTC)))
    assert [(one["our_reference"], one["fee"]) for one in lines] == [
        ("at_1", "9.00"),
        ("at_6", "9.00"),
        ("at_3", "9.00"),
    ]
    assert [one["provider_reference"] for one in lines] == [
        references[one] for one in ("at_1", "at_6", "at_3")
    ]


def test_what_was_paid_in_old_books_can_be_refunded(
    old: Path, books: SandboxBooks, clock: Clock
) -> None:
    ask = ChangeAsk(
        kind=ChangeKind.REFUND, key="mo_1", charge_key="at_1", reference="", amount="299.99",
        currency="CNY", notify_url="",
    )  # fmt: skip

    change = books.change(ask, now=clock.now)

    assert old.exists()
    assert change is not None
    assert change.state is ChangeState.DONE
    assert [str(one) for one in books.refunds_of("at_1")] == ["299.99"]


def test_many_who_open_old_books_at_once_bring_them_up_to_date_once(
    old: Path, clock: Clock
) -> None:
    def read(_: int) -> str:
        books = SandboxBooks(old)
        try:
            books.find("at_1", now=clock.now)
            return str(books.total_captured("CNY"))
        finally:
            books.close()

    with ThreadPoolExecutor(6) as pool:
        assert set(pool.map(read, range(6))) == {"599.98"}


def test_old_books_have_the_same_tables_afterwards_as_new_ones(
    old: Path, tmp_path: Path, clock: Clock
) -> None:
    def shape(path: Path) -> set[tuple[str, str, str]]:
        books = SandboxBooks(path)
        books.find("at_1", now=clock.now)
        books.close()
        with sqlite3.connect(path) as file:
            found = set(file.execute("SELECT type, name, coalesce(sql, '') FROM sqlite_schema"))
            found.add(("version", "", str(file.execute("PRAGMA user_version").fetchone())))
        file.close()
        return found

    assert shape(old) == shape(tmp_path / "new.sqlite3")


def test_books_that_cannot_be_brought_up_to_date_stay_as_they_were(
    old: Path, books: SandboxBooks, clock: Clock
) -> None:
    with sqlite3.connect(old) as file:
        file.execute("CREATE TABLE givings (number INTEGER)")
    file.close()

    for _ in range(2):
        with pytest.raises(sqlite3.Error, match="givings"):
            books.find("at_1", now=clock.now)

    with sqlite3.connect(old) as file:
        assert file.execute("PRAGMA user_version").fetchone() == (1,)
        assert file.execute("SELECT count(*) FROM charges").fetchone() == (6,)
        assert file.execute("SELECT count(*) FROM takings").fetchone() == (2,)
    file.close()
