"""Refunds, and what goes wrong with any request after the charge; the guards of the money."""

import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tests.connectors.sandbox.clock import Changing, Clock, Request, Reserve
from tests.connectors.sandbox.hearing import news_in, refused, taken

from kassa.base.domain.money import Money
from kassa.connectors.base import (
    Captured,
    Declined,
    Done,
    InDoubt,
    ModificationEvent,
    Pending,
    Unknown,
)
from kassa.connectors.sandbox.books import ChangeAsk, KeyReused, SandboxBooks
from kassa.connectors.sandbox.cards import MESSAGES
from kassa.connectors.sandbox.connector import SandboxConnector
from kassa.connectors.sandbox.records import ChangeKind

pytestmark = pytest.mark.anyio


@pytest.fixture
def ledger(path: Path, books: SandboxBooks) -> Iterator[sqlite3.Connection]:
    """The file itself, to see what its tables refuse."""
    books.totals()
    file = sqlite3.connect(path, isolation_level=None)
    yield file
    file.close()


async def test_an_unknown_charge_or_somebody_elses_reference_is_refused(
    connector: SandboxConnector, request_for: Request, changing: Changing
) -> None:
    charge = await connector.charge(request_for("pm_sandbox_paid"))
    assert isinstance(charge, Captured)

    refused(await connector.refund(changing("mo_1", charge_key="at_9")), "charge_not_found")
    other = "sbx_" + "0" * 32
    refused(await connector.refund(changing("mo_2", charge_reference=other)), "charge_not_found")
    dollars = changing("mo_3", amount=Money(29999, "USD"))
    refused(await connector.refund(dollars), "currency_mismatch")
    named = changing("mo_4", charge_reference=charge.reference)
    assert isinstance(await connector.refund(named), Done)


async def test_refunds_go_up_to_what_was_taken_and_no_further(
    connector: SandboxConnector, books: SandboxBooks, clock: Clock, request_for: Request,
    changing: Changing,
) -> None:  # fmt: skip
    await connector.charge(request_for("pm_sandbox_paid"))

    part = await connector.refund(changing("mo_1", 10000))
    refused(await connector.refund(changing("mo_2", 20000)), "amount_too_large")
    rest = await connector.refund(changing("mo_3", 19999))
    refused(await connector.refund(changing("mo_4", 1)), "amount_too_large")

    assert isinstance(part, Done)
    assert (part.amount, part.fee) == (Money(10000, "CNY"), Money(0, "CNY"))
    assert isinstance(rest, Done)
    assert [str(one) for one in books.refunds_of("at_1")] == ["100.00", "199.99"]
    assert str(books.total_refunded("CNY")) == str(books.total_captured("CNY")) == "299.99"
    charge = await connector.query("at_1")
    assert isinstance(charge, Captured)
    assert charge.amount == Money(29999, "CNY")
    assert books.take_due(now=clock.now, limit=10) == []


async def test_only_what_was_captured_can_be_refunded(
    connector: SandboxConnector, books: SandboxBooks, changing: Changing,
    reserve: Reserve,
) -> None:  # fmt: skip
    await reserve()
    refused(await connector.refund(changing("mo_1", 1)), "not_captured")
    await connector.capture(changing("mo_2", 10000, is_last=False))

    refused(await connector.refund(changing("mo_3", 10001)), "amount_too_large")
    assert isinstance(await connector.refund(changing("mo_4", 10000)), Done)
    assert [str(one) for one in books.refunds_of("at_1")] == ["100.00"]


@pytest.mark.parametrize(
    "other",
    [{"amount": Money(9999, "CNY")}, {"amount": Money(10000, "USD")}, {"charge_key": "at_2"}],
    ids=["amount", "currency", "charge"],
)
async def test_a_key_that_asks_for_something_else_is_refused_and_the_first_stands(
    connector: SandboxConnector, books: SandboxBooks, request_for: Request, changing: Changing,
    other: dict[str, object],
) -> None:  # fmt: skip
    await connector.charge(request_for("pm_sandbox_paid"))
    await connector.charge(request_for("pm_sandbox_paid", key="at_2"))
    first = await connector.refund(changing("mo_1", 10000))

    assert isinstance(await connector.refund(changing("mo_1", 10000, **other)), InDoubt)
    assert isinstance(await connector.query_modification(changing("mo_1", 10000, **other)), InDoubt)
    assert isinstance(await connector.capture(changing("mo_1", 10000)), InDoubt)

    assert await connector.query_modification(changing("mo_1", 10000)) == first
    assert [str(one) for one in books.refunds_of("mo_1")] == ["100.00"]
    assert books.refunds_of("at_2") == ()


async def test_a_refund_that_cannot_be_read_is_declined_and_leaves_nothing(
    connector: SandboxConnector, request_for: Request, changing: Changing
) -> None:
    await connector.charge(request_for("pm_sandbox_paid"))

    refused(await connector.refund(changing("mo_1", 0)), "request_refused")
    refused(await connector.refund(changing("mo_2", notify_url="file:///x")), "request_refused")
    assert isinstance(await connector.query_modification(changing("mo_1", 0)), Unknown)


async def test_the_slow_refund_is_answered_after_three_seconds(
    connector: SandboxConnector, clock: Clock, request_for: Request, changing: Changing
) -> None:
    await connector.charge(request_for("pm_sandbox_refund_slow"))
    assert clock.slept == []

    assert isinstance(await connector.refund(changing("mo_1")), Done)
    assert clock.slept == [3]


@pytest.mark.parametrize(
    ("card", "verb", "capture"),
    [
        ("refund_lost_answer", "refund", True),
        ("capture_lost_answer", "capture", False),
        ("capture_lost_answer", "void", False),
    ],
)
async def test_when_the_answer_is_lost_only_a_query_tells_that_it_was_done(
    connector: SandboxConnector, books: SandboxBooks, clock: Clock, request_for: Request,
    changing: Changing, card: str, verb: str, capture: bool,
) -> None:  # fmt: skip
    await connector.charge(request_for(f"pm_sandbox_{card}", capture=capture))

    for _ in range(2):
        assert isinstance(await getattr(connector, verb)(changing("mo_1")), InDoubt)

    outcome = await connector.query_modification(changing("mo_1"))
    assert isinstance(outcome, Done)
    assert outcome.amount == Money(29999, "CNY")
    moved = {
        "refund": books.refunds_of("mo_1"),
        "capture": books.charges_of("mo_1"),
        "void": books.charges_of("at_1"),
    }
    assert len(moved[verb]) == (0 if verb == "void" else 1)
    assert books.take_due(now=clock.pass_by(3600), limit=10) == []


@pytest.mark.parametrize(
    ("card", "verb", "capture"),
    [
        ("refund_never_arrived", "refund", True),
        ("capture_never_arrived", "capture", False),
        ("capture_never_arrived", "void", False),
    ],
)
async def test_a_request_that_never_arrived_is_unknown_and_a_repeat_is_done_once(
    connector: SandboxConnector, books: SandboxBooks, request_for: Request, changing: Changing,
    card: str, verb: str, capture: bool,
) -> None:  # fmt: skip
    await connector.charge(request_for(f"pm_sandbox_{card}", capture=capture))
    before = taken(books)

    assert isinstance(await getattr(connector, verb)(changing("mo_1")), InDoubt)
    assert isinstance(await connector.query_modification(changing("mo_1")), Unknown)
    assert (taken(books), books.refunds_of("at_1")) == (before, ())

    first = await getattr(connector, verb)(changing("mo_1"))
    again = await getattr(connector, verb)(changing("mo_1"))

    assert isinstance(first, Done)
    assert first == again == await connector.query_modification(changing("mo_1"))
    assert len(books.refunds_of("at_1")) == (1 if verb == "refund" else 0)
    assert len(books.charges_of("at_1")) == (0 if verb == "void" else 1)


@pytest.mark.parametrize("card", ["refund_pending", "refund_refused_later"])
async def test_a_pending_refund_is_decided_after_two_seconds_and_told(
    connector: SandboxConnector, books: SandboxBooks, clock: Clock, secret: bytes,
    request_for: Request, changing: Changing, card: str,
) -> None:  # fmt: skip
    await connector.charge(request_for(f"pm_sandbox_{card}"))

    assert isinstance(await connector.refund(changing("mo_1", 20000)), Pending)
    # The guard of the money: what is pending cannot be given back a second time meanwhile.
    refused(await connector.refund(changing("mo_2", 10000)), "amount_too_large")
    clock.pass_by(1)
    assert isinstance(await connector.query_modification(changing("mo_1", 20000)), Pending)
    assert books.refunds_of("at_1") == ()

    clock.pass_by(1)
    outcome = await connector.query_modification(changing("mo_1", 20000))
    (told,) = news_in(books, connector, secret, clock)

    assert isinstance(told, ModificationEvent)
    assert (told.key, told.outcome) == ("mo_1", outcome)
    if card == "refund_pending":
        assert isinstance(outcome, Done)
        assert (outcome.amount, outcome.fee) == (Money(20000, "CNY"), Money(0, "CNY"))
        assert [str(one) for one in books.refunds_of("at_1")] == ["200.00"]
    else:
        refused(outcome, "refund_refused")
        assert books.refunds_of("at_1") == ()
        assert isinstance(await connector.refund(changing("mo_3", 29999)), Pending)


async def test_a_refused_refund_says_so_and_gives_nothing_back(
    connector: SandboxConnector, books: SandboxBooks, request_for: Request, changing: Changing
) -> None:
    await connector.charge(request_for("pm_sandbox_refund_refused"))

    outcome = await connector.refund(changing("mo_1"))

    refused(outcome, "refund_refused")
    assert isinstance(outcome, Declined)
    assert outcome.message == MESSAGES["refund_refused"]
    assert outcome == await connector.query_modification(changing("mo_1"))
    assert books.refunds_of("at_1") == ()


async def test_where_a_capture_is_refused_a_void_still_lets_go(
    connector: SandboxConnector, books: SandboxBooks, changing: Changing,
    reserve: Reserve,
) -> None:  # fmt: skip
    await reserve("pm_sandbox_capture_refused")

    refused(await connector.capture(changing("mo_1")), "capture_refused")
    assert isinstance(await connector.void(changing("mo_2")), Done)
    assert taken(books) == []


async def test_books_that_do_not_answer_leave_us_in_doubt(
    connector: SandboxConnector, path: Path, changing: Changing
) -> None:
    path.parent.mkdir()
    path.write_bytes(b"this is no database" * 100)

    for verb in (connector.capture, connector.void, connector.refund, connector.query_modification):
        assert isinstance(await verb(changing("mo_1")), InDoubt)


def _asked(key: str, minor: int, kind: ChangeKind) -> ChangeAsk:
    return ChangeAsk(
        kind=kind,
        key=key,
        charge_key="at_1",
        reference="",
        amount=f"{minor // 100}.{minor % 100:02}",
        currency="CNY",
        notify_url="",
        is_last=False,
    )


@pytest.mark.parametrize("kind", [ChangeKind.CAPTURE, ChangeKind.REFUND])
async def test_many_at_once_move_no_more_than_there_is_and_each_key_once(
    connector: SandboxConnector, path: Path, clock: Clock, request_for: Request, kind: ChangeKind
) -> None:
    await connector.charge(request_for("pm_sandbox_paid", capture=kind is ChangeKind.REFUND))

    def race(number: int) -> None:
        books = SandboxBooks(path)
        # Every key comes from two sides; together they ask for far more than there is.
        books.change(_asked(f"mo_{number % 20}", 1700 + number % 20, kind), now=clock.now)
        books.close()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(race, range(40)))

    books = SandboxBooks(path)
    moves = [
        books.charges_of(f"mo_{number}")
        if kind is ChangeKind.CAPTURE
        else books.refunds_of(f"mo_{number}")
        for number in range(20)
    ]
    assert max(len(one) for one in moves) == 1
    moved = sum(one.units for each in moves for one in each)
    assert 29999 - 1720 < moved <= 29999
    charge = books.find("at_1", now=clock.now)
    assert charge is not None
    assert (charge.captured if kind is ChangeKind.CAPTURE else charge.refunded).units == moved
    books.close()


async def test_a_capture_and_a_void_at_once_have_one_winner(
    path: Path, clock: Clock, books: SandboxBooks, connector: SandboxConnector,
    request_for: Request,
) -> None:  # fmt: skip
    for number in range(10):
        await connector.charge(request_for("pm_sandbox_paid", key=f"at_{number}", capture=False))

        def race(kind: ChangeKind, number: int = number) -> bool:
            own = SandboxBooks(path)
            asked = ChangeAsk(
                kind=kind, key=f"{kind}_{number}", charge_key=f"at_{number}", reference="",
                amount="299.99", currency="CNY", notify_url="",
            )  # fmt: skip
            change = own.change(asked, now=clock.now)
            own.close()
            return change is not None and change.state == "done"

        with ThreadPoolExecutor(2) as pool:
            won = dict(
                zip(ChangeKind, pool.map(race, (ChangeKind.CAPTURE, ChangeKind.VOID)), strict=False)
            )

        assert sorted(won.values()) == [False, True]
        assert len(books.charges_of(f"at_{number}")) == (1 if won[ChangeKind.CAPTURE] else 0)


@pytest.mark.parametrize(
    "too_much",
    [
        "refunded_units = captured_units + 1",
        "refunding_units = captured_units, refunded_units = 1",
        "captured_units = units + 1",
        "released_units = 1",
        "disputed_units = captured_units + 1",
        "refunded_units = -1",
    ],
)
async def test_beneath_the_rules_the_table_itself_refuses_too_much(
    connector: SandboxConnector, request_for: Request, ledger: sqlite3.Connection, too_much: str
) -> None:
    await connector.charge(request_for("pm_sandbox_paid"))

    with pytest.raises(sqlite3.IntegrityError, match="CHECK"):
        ledger.execute(f"UPDATE charges SET {too_much}")


async def test_movements_are_only_ever_added(
    connector: SandboxConnector, clock: Clock, request_for: Request, changing: Changing,
    ledger: sqlite3.Connection,
) -> None:  # fmt: skip
    await connector.charge(request_for("pm_sandbox_disputed"))
    await connector.refund(changing("mo_1"))
    clock.pass_by(2)
    await connector.query("at_1")

    for table in ("takings", "givings", "withdrawals"):
        assert ledger.execute(f"SELECT count(*) FROM {table}").fetchone() == (1,)
        for deed in (f"DELETE FROM {table}", f"UPDATE {table} SET units = 1"):
            with pytest.raises(sqlite3.IntegrityError, match="only ever added"):
                ledger.execute(deed)


def test_a_change_under_a_used_key_raises(books: SandboxBooks, clock: Clock) -> None:
    books.change(_asked("mo_1", 100, ChangeKind.REFUND), now=clock.now)

    with pytest.raises(KeyReused, match=r"refund of 1\.00 CNY of at_1"):
        books.change(_asked("mo_1", 101, ChangeKind.REFUND), now=clock.now)
