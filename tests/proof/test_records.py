"""What has no events has records: a row that is gone, or is what it was before, is missed."""

import asyncio
from contextlib import suppress

import asyncpg
import pytest
from structlog.testing import capture_logs
from tests.shop import Shop

from kassa.identity.domain.principals import Company
from kassa.identity.store import credentials
from kassa.identity.store.credentials import NewCredential
from kassa.identity.usecases.companies import put_api_key
from kassa.proof.store.checks_rows import ROWS_RECORDED
from kassa.proof.usecases.chain import chain_history
from kassa.proof.usecases.old_rows import seal_old_rows
from kassa.proof.usecases.verify import accept_heads, verify_books
from kassa.wallet.store import wallets
from kassa.wallet.usecases.wallet_codes import NewCode, make_pay_code

pytestmark = pytest.mark.anyio


async def as_the_owner(shop: Shop, *statements: str) -> None:
    """Who owns the tables minds no triggers."""
    connection: asyncpg.Connection[asyncpg.Record] = await asyncpg.connect(shop.owner_url)
    try:
        async with connection.transaction():
            guarded = ("row_record", "wallet_user")
            for table in guarded:
                await connection.execute(f"alter table {table} disable trigger user")
            for statement in statements:
                await connection.execute(statement)
            for table in guarded:
                await connection.execute(f"alter table {table} enable trigger user")
    finally:
        await connection.close()


async def wrong(shop: Shop) -> dict[str, str]:
    """What does not agree with its records: the row, and in which words."""
    found = (await verify_books(shop.core)).violations
    return {one.object_id: one.found for one in found if one.check == ROWS_RECORDED[0]}


async def freeze(shop: Shop, user: str, status: str = "frozen") -> None:
    async with shop.core.db.transaction() as connection:
        assert await wallets.set_user_status(connection, shop.company.id, user, status)


async def versions(shop: Shop, home: str) -> list[int]:
    rows = await shop.sql(
        f"select version from row_record where home = '{home}' order by company_id, key, version"
    )
    return [row["version"] for row in rows]


async def test_every_writing_adds_a_record_and_one_that_changes_nothing_adds_none(
    shop: Shop,
) -> None:
    user = await shop.user(0)
    await freeze(shop, user)
    await freeze(shop, user)
    await freeze(shop, user, "active")
    await chain_history(shop.core)
    await seal_old_rows(shop.core)

    assert await versions(shop, "wallet_user") == [1, 2, 3]
    assert await shop.sql("select from unchained") == []
    assert await shop.faults() == []


async def test_what_is_rolled_back_leaves_no_record(shop: Shop) -> None:
    user = await shop.user(0)
    with suppress(ZeroDivisionError):
        async with shop.core.db.transaction() as connection:
            await wallets.set_user_status(connection, shop.company.id, user, "frozen")
            raise ZeroDivisionError
    assert await versions(shop, "wallet_user") == [1]


async def test_a_row_that_was_set_back_is_not_made_genuine_by_the_next_change(shop: Shop) -> None:
    user = await shop.user(0)
    await as_the_owner(shop, "create table aside as select * from wallet_user")
    await freeze(shop, user)
    await chain_history(shop.core)
    await seal_old_rows(shop.core)
    await as_the_owner(
        shop, "update wallet_user t set status = o.status, seal = o.seal from aside o"
    )
    name = f"wallet_user {{{shop.company.id},{user}}}"
    assert "set back" in (await wrong(shop))[name]

    await freeze(shop, user, "closed")

    assert name in await wrong(shop)


async def test_a_row_that_was_deleted_is_missed_even_when_the_program_makes_it_again(
    shop: Shop,
) -> None:
    user = await shop.user(0)
    await freeze(shop, user)
    await chain_history(shop.core)
    await seal_old_rows(shop.core)
    await as_the_owner(shop, "delete from wallet_code", "delete from wallet_user")
    name = f"wallet_user {{{shop.company.id},{user}}}"
    assert "is gone" in (await wrong(shop))[name]

    async with shop.core.db.transaction() as connection:
        await wallets.add_user(connection, shop.company.id, user)

    assert name in await wrong(shop)


async def test_the_same_new_credential_put_by_many_at_once_has_its_records_in_order(
    shop: Shop,
) -> None:
    async def put(secret: str) -> None:
        async with shop.core.db.transaction() as connection:
            await credentials.put(
                connection,
                NewCredential(
                    lookup="key:new",
                    company=shop.company,
                    kind="api_key",
                    name="new",
                    secret_hash=secret.encode(),
                ),
            )

    await asyncio.gather(*(put(f"secret {nth}") for nth in range(6)))
    await chain_history(shop.core)
    await seal_old_rows(shop.core)

    assert await versions(shop, "credential") == [1, 2, 3, 4, 5, 6]
    assert await shop.faults() == []


async def test_a_row_that_was_slipped_in_is_not_made_genuine_by_the_next_change(
    shop: Shop,
) -> None:
    await seal_old_rows(shop.core)
    await as_the_owner(
        shop,
        "insert into credential (lookup, company_id, business_id, kind, name)"
        f" values ('key:eve', '{shop.company.id}', 'biz_shop', 'api_key', 'eve')",
    )
    assert await wrong(shop) == {"credential {key:eve}": "has no record"}

    async with shop.core.db.transaction() as connection:
        assert await credentials.set_status(connection, "key:eve", "disabled")

    assert await wrong(shop) == {"credential {key:eve}": "has no record"}
    assert await versions(shop, "credential") == []


async def test_a_wallet_code_has_one_record_and_spending_it_adds_none(shop: Shop) -> None:
    user = await shop.user(20_000)  # and their agreement
    made = await make_pay_code(shop.core, NewCode(company_id=shop.company.id, user_id=user))
    assert (await shop.wallet(await shop.payment(), made.text)).is_paid

    assert await versions(shop, "wallet_code") == [1, 1]


async def test_rows_from_before_the_records_are_recorded_once_as_they_are(shop: Shop) -> None:
    await put_api_key(shop.core, shop.company, "sk_test_shop_secret")
    await shop.user(0)
    await as_the_owner(
        shop,
        "delete from row_record",
        "delete from unchained where kind = 'record'",
        "update wallet_user set status = 'closed'",  # not by the program
    )
    assert await wrong(shop) == {}

    with capture_logs() as told:
        await seal_old_rows(shop.core)
        await seal_old_rows(shop.core)

    assert [one["rows"] for one in told if "before the records" in one["event"]] == [6]
    assert await versions(shop, "company") == await versions(shop, "credential") == [1]
    [(name, words)] = (await wrong(shop)).items()
    assert name.startswith("wallet_user")
    assert words == "has no record"


async def test_after_another_database_was_accepted_rows_without_records_get_theirs(
    shop: Shop,
) -> None:
    await shop.payment()
    await chain_history(shop.core)
    await seal_old_rows(shop.core)
    other: Company = await shop.other_company()
    await as_the_owner(
        shop,
        f"delete from row_record where company_id = '{other.id}'",
        f"delete from unchained where company_id = '{other.id}'",
    )
    assert set((await wrong(shop)).values()) == {"has no record"}

    await accept_heads(shop.core)
    await seal_old_rows(shop.core)

    assert await shop.faults() == []


async def test_the_role_of_the_program_cannot_change_a_record(shop: Shop) -> None:
    for statement in ("delete from row_record", "update row_record set version = 9"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            async with shop.core.db.connection() as connection:
                await connection.execute(statement)
    with pytest.raises(asyncpg.PostgresError, match="append-only"):
        await shop.sql("delete from row_record")
