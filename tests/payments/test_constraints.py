"""What the database itself refuses, whoever asks, by hand, without any of our code between."""

import itertools
import random
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest
from tests.shop import Scripted, Shop

from kassa.connectors.base import InDoubt
from kassa.payments.domain.payments import Payment

pytestmark = pytest.mark.anyio
HISTORY = ("posting", "entry", "payment_event")


@pytest.fixture
async def by_hand(database_url: str) -> AsyncIterator[Any]:
    """A connection as the role that serves requests."""
    connection = await asyncpg.connect(database_url)
    yield connection
    await connection.close()


async def refusal(
    connection: "asyncpg.Connection[asyncpg.Record]", statement: str, *values: Any
) -> str:
    """The name of the constraint that refused it, or of the error."""

    async def attempt() -> None:
        async with connection.transaction():
            await connection.execute(statement, *values)
            await connection.execute("set constraints all immediate")

    with pytest.raises(asyncpg.PostgresError) as caught:
        await attempt()
    return str(getattr(caught.value, "constraint_name", None) or type(caught.value).__name__)


@pytest.fixture
async def paid(shop: Shop) -> Payment:
    return await shop.submit(await shop.payment())


async def test_history_can_be_added_to_and_not_edited(
    shop: Shop, paid: Payment, by_hand: Any
) -> None:
    await shop.sql("select 1")
    [owner] = shop.connections
    edits = ("update {} set company_id = company_id", "delete from {}", "truncate {} cascade")

    for table in HISTORY:
        before = await by_hand.fetch(f"select * from {table}")
        for connection in (by_hand, owner):
            for edit in edits:
                said = await refusal(connection, edit.format(table))
                assert said == "InsufficientPrivilegeError", edit
        assert before
        assert await by_hand.fetch(f"select * from {table}") == before


DELETABLE = {
    "orders_answer": "an HTTP answer, kept for a while for whoever asks the same again",
    "wallet_guess": "how often wrong wallet codes were tried; forgotten by itself when it is quiet",
    "delivery": "how a try of a letter went, kept for a while; what was told stays",
    "orders_termination": "a chore, done once the order has ended; the timeline tells of it",
}
"""All that the application may delete: none of it is books, history, or money on its way."""


async def test_the_role_that_serves_requests_can_neither_delete_books_nor_change_the_schema(
    shop: Shop, paid: Payment, by_hand: Any
) -> None:
    tables = await shop.sql("select tablename from pg_tables where schemaname = 'public'")
    names = {row[0] for row in tables}
    attempts = [f"delete from {name}" for name in sorted(names - set(DELETABLE))]
    attempts += [f"truncate {name} cascade" for name in sorted(names)]
    attempts += [
        "alter table entry disable trigger all",
        "drop table entry",
        "create table mine (id int)",
        "set session_replication_role = replica",
        "drop trigger entry_append_only on entry",
    ]

    said = {statement: await refusal(by_hand, statement) for statement in attempts}

    assert set(said.values()) == {"InsufficientPrivilegeError"}, said
    granted = await shop.sql(
        "select distinct table_name from information_schema.role_table_grants"
        " where grantee in ('kassa_app', 'PUBLIC') and privilege_type = 'DELETE'"
        " and table_schema = 'public'"
    )
    assert {row[0] for row in granted} == set(DELETABLE)
    pointing = await shop.sql(
        "select conrelid::regclass::text from pg_constraint"
        " where contype = 'f' and confrelid::regclass::text = any($1)",
        list(DELETABLE),
    )
    assert pointing == []  # so nothing is lost with them


POSTING = (
    "insert into posting (company_id, id, kind, currency, payment_id, at)"
    " values ('cmp_shop', $1, 'capture', 'CNY', '', now())"
)
ENTRY = (
    "insert into entry (company_id, posting_id, leg, account, currency, amount_minor)"
    " values ('cmp_shop', $1, $2, $3, $4, $5)"
)


async def post(
    connection: "asyncpg.Connection[asyncpg.Record]", name: str, legs: list[tuple[str, int]]
) -> None:
    async with connection.transaction():
        await connection.execute(POSTING, name)
        for leg, (currency, minor) in enumerate(legs, 1):
            await connection.execute(ENTRY, name, leg, f"account {leg}", currency, minor)


async def test_no_posting_that_does_not_sum_to_zero_is_ever_committed(
    shop: Shop, by_hand: Any
) -> None:
    luck = random.Random(20261122)
    refused = 0

    for number in range(200):
        legs = [("CNY", luck.choice([-3, -2, -1, 1, 2, 3])) for _ in range(luck.randrange(5))]
        sound = len(legs) >= 2 and sum(minor for _, minor in legs) == 0
        if sound:
            await post(by_hand, f"po_{number}", legs)
            continue
        refused += 1
        with pytest.raises(asyncpg.CheckViolationError, match="does not sum to zero"):
            await post(by_hand, f"po_{number}", legs)

    assert 100 < refused < 200
    stored = await by_hand.fetch("select sum(amount_minor) from entry group by posting_id")
    assert [row[0] for row in stored] == [0] * (200 - refused)


@pytest.mark.parametrize("leg", [-1, 0, 3])
async def test_no_leg_is_added_to_what_has_been_balanced_already(
    shop: Shop, by_hand: Any, leg: int
) -> None:
    """Not even in the transaction that made it, by whoever has it looked at before COMMIT."""
    transaction = by_hand.transaction()
    await transaction.start()
    await by_hand.execute(POSTING, "early")
    for number, minor in ((1, 5), (2, -5)):
        await by_hand.execute(ENTRY, "early", number, "account", "CNY", minor)
    await by_hand.execute("set constraints all immediate")

    with pytest.raises(asyncpg.CheckViolationError, match="does not sum to zero"):
        await by_hand.execute(ENTRY, "early", leg, "account", "CNY", 1)
    await transaction.rollback()


@pytest.mark.parametrize("legs", [{}, {1: 5}, {2: 5, 3: -5}, {3: 5, 4: -5}])
async def test_a_posting_has_its_first_two_legs(
    shop: Shop, by_hand: Any, legs: dict[int, int]
) -> None:
    """Else another entry could take their places later, and nobody would look again."""
    transaction = by_hand.transaction()
    await transaction.start()
    await by_hand.execute(POSTING, "odd")
    for leg, minor in legs.items():
        await by_hand.execute(ENTRY, "odd", leg, "account", "CNY", minor)

    with pytest.raises(asyncpg.CheckViolationError, match="does not sum to zero"):
        await transaction.commit()


async def test_currencies_do_not_balance_each_other_and_no_leg_is_added_later(
    shop: Shop, by_hand: Any
) -> None:
    with pytest.raises(asyncpg.CheckViolationError, match="does not sum to zero"):
        await post(by_hand, "mixed", [("CNY", 5), ("USD", -5)])
    await post(by_hand, "sound", [("CNY", 5), ("CNY", -5)])

    with pytest.raises(asyncpg.CheckViolationError, match="does not sum to zero"):
        await by_hand.execute(ENTRY, "sound", 3, "account 3", "CNY", 1)
    assert await refusal(by_hand, ENTRY, "sound", 3, "a", "CNY", 0) == "entry_amount_minor_check"
    assert await refusal(by_hand, ENTRY, "nobody", 1, "a", "CNY", 1) == (
        "entry_company_id_posting_id_fkey"
    )


async def test_no_payment_takes_or_gives_back_more_than_its_bounds(
    paid: Payment, by_hand: Any
) -> None:
    bounds, funds = "payment_bounds", "payment_funds"
    wrong = {
        "captured_minor = 10001, authorized_minor = 10001": bounds,
        "captured_minor = 10000, authorized_minor = 9999": bounds,
        "refunded_minor = 10001": bounds,
        "refunded_minor = 6000, refund_reserved_minor = 4001": bounds,
        "refunded_minor = -1": bounds,
        "refund_reserved_minor = -1": bounds,
        "authorized_minor = -1": bounds,
        "surplus_minor = -1": bounds,
        "released_minor = 1": bounds,
        "disputed_minor = 10001": bounds,
        "double_paid_minor = 1": bounds,
        "surplus_returned_minor = 1": bounds,
        "settled_minor = 10001": bounds,
        "amount_minor = 0": "payment_amount_minor_check",
        "captured_minor = 0": funds,
        "status = 'processing'": "payment_captured_at",
        "status = 'processing', captured_at = null": funds,
        "captured_at = null": "payment_captured_at",
        "status = 'failed', captured_at = null, captured_minor = 0": "payment_failure",
        "status = 'lost', captured_at = null, captured_minor = 0, authorized_minor = 0": (
            "payment_status_check"
        ),
        "currency = 'yuan'": "payment_currency_check",
        "version = 0": "payment_version_check",
        "refunded_minor = 9223372036854775807, refund_reserved_minor = 1": (
            "NumericValueOutOfRangeError"
        ),
    }

    said = {change: await refusal(by_hand, f"update payment set {change}") for change in wrong}

    # Some break two rules; whichever is judged first refuses it.
    assert {change: name for change, name in said.items() if name != wrong[change]} == {}
    await by_hand.execute("update payment set refunded_minor = 6000, refund_reserved_minor = 4000")


async def copy_payment(
    connection: "asyncpg.Connection[asyncpg.Record]", payment: Payment, new_id: str, **changes: Any
) -> None:
    """Another payment of the same order, by hand."""
    row = dict(await connection.fetchrow("select * from payment where id = $1", payment.id))
    row |= {"id": new_id, **changes}
    row["extra"] = "{}"
    names = ", ".join(row)
    places = ", ".join(f"${place}" for place in range(1, len(row) + 1))
    await connection.execute(f"insert into payment ({names}) values ({places})", *row.values())


async def test_a_second_success_of_one_order_is_refused_unless_it_is_surplus(
    paid: Payment, by_hand: Any
) -> None:
    for status in ("captured", "settled", "authorized"):
        captured: dict[str, Any] = {}
        if status == "authorized":
            ends = {"authorization_expires_at": paid.expires_at}
            captured = {"captured_minor": 0, "captured_at": None, **ends}
        with pytest.raises(asyncpg.UniqueViolationError, match="payment_one_success"):
            await copy_payment(by_hand, paid, f"py_{status}", status=status, **captured)

    await copy_payment(by_hand, paid, "py_surplus", surplus=True, surplus_minor=10_000)


async def test_a_second_open_attempt_is_refused(shop: Shop, by_hand: Any) -> None:
    payment = await shop.play(await shop.payment(), Scripted(InDoubt(reason="no answer")))
    add = (
        "insert into attempt select (jsonb_populate_record(a, jsonb_build_object("
        "'id', $1::text, 'number', $2::int, 'status', $3::text))).* from attempt a"
        " where payment_id = $4 limit 1"
    )

    for status in ("dispatched", "in_doubt"):
        said = await refusal(by_hand, add, f"at_{status}", 2, status, payment.id)
        assert said == "attempt_one_open"
    assert await refusal(by_hand, add, "at_same", 1, "declined", payment.id) == "attempt_order"

    await by_hand.execute(add, "at_over", 2, "abandoned", payment.id)


async def test_a_request_id_and_an_order_id_are_taken_for_ever(shop: Shop, by_hand: Any) -> None:
    made = await shop.create(request_scope="s", request_id="r-1", order_id="order-1")
    await shop.expire(made.payment, by="10 years")
    again = (
        "insert into orders select (jsonb_populate_record(o, jsonb_build_object("
        "'id', $1::text, 'request_id', $2::text, 'session_token', $3::text))).* from orders o"
    )

    assert await refusal(by_hand, again, "order-2", "r-1", "t") == "orders_request"
    assert await refusal(by_hand, again, "order-1", "r-2", "t") == "orders_pkey"
    token = made.order.session_token
    assert await refusal(by_hand, again, "order-2", "r-2", token) == "orders_session"


async def test_no_row_of_one_company_can_hang_on_anothers(
    shop: Shop, paid: Payment, by_hand: Any
) -> None:
    other = await shop.other_company()
    user = await shop.user(0)
    foreign = {
        "payment": "payment_company_id_order_id_fkey",
        "attempt": "attempt_company_id_payment_id_fkey",
        "payment_event": "payment_event_company_id_payment_id_fkey",
    }

    for table, constraint in foreign.items():
        move = (
            f"insert into {table} select (jsonb_populate_record(t,"
            f" jsonb_build_object('company_id', '{other.id}'))).* from {table} t"
        )
        assert await refusal(by_hand, move) == constraint
    code = (
        f"insert into wallet_code (company_id, code_hash, user_id)"
        f" values ('{other.id}', 'x', '{user}')"
    )
    assert await refusal(by_hand, code) == "wallet_code_company_id_user_id_fkey"
    letter = (
        "insert into announcement (company_id, id, payment_id, version, kind, url, event_type,"
        f" next_at, created_at)"
        f" values ('{other.id}', 'n', '{paid.id}', 1, '', '', '', now(), now())"
    )
    assert await refusal(by_hand, letter) == "announcement_company_id_payment_id_fkey"


async def test_every_key_begins_with_the_company(shop: Shop) -> None:
    keys = await shop.sql(
        "select c.conrelid::regclass::text as name, (select attname from pg_attribute"
        " where attrelid = c.conrelid and attnum = c.conkey[1]) as first"
        " from pg_constraint c where c.contype = 'p'"
        " and c.connamespace = 'public'::regnamespace"
    )

    first = {row["name"]: row["first"] for row in keys}
    # Looked up before anybody knows which company is asking.
    no_tenants = {"company", "credential", "schema_migration"}
    no_tenants |= {"foreign_news"}  # counts what is nobody's here
    no_tenants |= {"staff", "staff_role", "staff_code", "staff_session"}  # people, of several
    assert {name for name, column in first.items() if column != "company_id"} == no_tenants


async def test_a_letter_waits_exactly_while_it_has_a_time(shop: Shop, by_hand: Any) -> None:
    await shop.submit(await shop.payment(notify_url="https://shop.example/n"))

    for change in ("next_at = null", "state = 'dead'", "state = 'delivered'"):
        assert await refusal(by_hand, f"update announcement set {change}") == "announcement_check"


async def test_what_the_application_writes_passes_in_any_currency(shop: Shop) -> None:
    for currency, minor in itertools.product(("CLP", "KWD", "CLF"), (1, 10**12)):
        made = await shop.payment(amount=type(shop.wanted().amount)(minor, currency))
        assert (await shop.play(made, Scripted())).captured.minor == minor

    assert await shop.faults() == []
