"""A column joins a seal: rows that were sealed without it stay sound, and safe."""

from dataclasses import replace
from typing import Any

import pytest
from tests.shop import Shop

from kassa.base.store.seals import SIZE, Seals
from kassa.proof.store.checks_rows import ROWS_RECORDED, ROWS_SEALED
from kassa.proof.store.cover import (
    COVERS,
    digest_sql,
    is_genuine,
    seal_for,
    seal_of,
    sealed_digest_sql,
)
from kassa.proof.store.covering import Joined
from kassa.proof.usecases.old_rows import seal_old_rows
from kassa.proof.usecases.verify import verify_books
from kassa.wallet.store import wallets

pytestmark = pytest.mark.anyio

SECOND = replace(
    COVERS["wallet_user"], joined=(Joined(part="seal", was={"nickname": "'' || t.id"}),)
)
THIRD = replace(SECOND, joined=(*SECOND.joined, Joined(part="seal", was={"seen_at": "null"})))


@pytest.fixture
async def old(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Users whose rows were sealed before their table got another column."""
    users = [await shop.user(0) for _ in range(3)]
    await seal_old_rows(shop.core)
    await shop.sql("alter table wallet_user add column nickname text not null default ''")
    await forge(shop, "update wallet_user set nickname = id")  # as the migration would
    monkeypatch.setitem(COVERS, "wallet_user", SECOND)
    return users


async def forge(shop: Shop, statement: str) -> None:
    """Behind the program's back: `Shop.sql` seals what a statement of its own changes."""
    await shop.sql(f"with nothing as (select) {statement}")


async def wrong(shop: Shop) -> list[str]:
    """Rows that do not have the seal they should have; their records tell of them in any case."""
    found = (await verify_books(shop.core)).violations
    assert {one.check for one in found} <= {ROWS_SEALED[0], ROWS_RECORDED[0]}
    return [one.object_id for one in found if one.check == ROWS_SEALED[0]]


async def version(shop: Shop, user: str) -> int:
    [(seal,)] = await shop.sql("select seal from wallet_user where id = $1", user)
    return 1 if len(seal) == SIZE else int(seal[0])


async def write(shop: Shop, user: str) -> None:
    """As the program does."""
    async with shop.core.db.transaction() as connection:
        assert await wallets.set_user_status(connection, shop.company.id, user, "frozen")


async def test_old_rows_stay_sound_and_get_the_new_version_when_they_are_written(
    shop: Shop, old: list[str]
) -> None:
    assert await wrong(shop) == []
    assert await version(shop, old[0]) == 1

    await write(shop, old[0])

    assert [await version(shop, user) for user in old] == [2, 1, 1]
    assert await wrong(shop) == []


async def test_an_old_row_that_was_falsified_in_an_old_column_is_found(
    shop: Shop, old: list[str]
) -> None:
    await forge(shop, f"update wallet_user set status = 'closed' where id = '{old[1]}'")
    assert await wrong(shop) == [old[1]]


async def test_an_old_row_that_was_falsified_in_the_new_column_is_found_and_not_healed(
    shop: Shop, old: list[str]
) -> None:
    """No seal covers it there, so it must be what it was when it came."""
    await forge(shop, f"update wallet_user set nickname = 'eve' where id = '{old[1]}'")
    assert await wrong(shop) == [old[1]]

    await write(shop, old[1])

    assert await wrong(shop) == [old[1]]


async def test_a_row_of_the_new_version_is_sealed_in_the_new_column(
    shop: Shop, old: list[str]
) -> None:
    await write(shop, old[0])
    await forge(shop, f"update wallet_user set nickname = 'eve' where id = '{old[0]}'")
    assert await wrong(shop) == [old[0]]


@pytest.mark.parametrize(
    "seal",
    [
        "substr(seal, 2)",  # as if it were of the first version
        "'\\x01'::bytea || substr(seal, 2)",
        "'\\x03'::bytea || substr(seal, 2)",  # of one that there is not
        "'\\x00'::bytea || seal",
        "''::bytea",
    ],
)
async def test_nobody_gives_a_seal_another_version(shop: Shop, old: list[str], seal: str) -> None:
    await write(shop, old[0])
    await forge(shop, f"update wallet_user set seal = {seal} where id = '{old[0]}'")
    assert await wrong(shop) == [old[0]]


async def test_versions_follow_each_other(
    shop: Shop, old: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    await write(shop, old[1])
    await shop.sql("alter table wallet_user add column seen_at timestamptz")
    monkeypatch.setitem(COVERS, "wallet_user", THIRD)
    await write(shop, old[2])
    assert [await version(shop, user) for user in old] == [1, 2, 3]
    assert await wrong(shop) == []

    await forge(shop, "update wallet_user set seen_at = now()")

    assert sorted(await wrong(shop)) == sorted(old)


async def test_a_row_that_is_sealed_as_it_is_sent_has_the_new_version(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its digest is as the database takes it, for this version and the one before."""
    seals, part = Seals([b"key"]), "birth"
    first = COVERS["route_rules"]
    row = {"company_id": "cmp_shop", "version": 7, "rules": [], "actor": "x", "why": "'"}
    before = seal_of(seals, "route_rules", part, row)
    second = replace(first, joined=(Joined(part=part, was={"why": "''"}),))
    monkeypatch.setitem(COVERS, "route_rules", second)
    seal = seal_of(seals, "route_rules", part, row)

    async def digests(why: str, seal: bytes | None) -> tuple[Any, Any]:
        [found] = await shop.sql(
            f"select {digest_sql('route_rules', part)},"
            f" {sealed_digest_sql('route_rules', part)} from (select 'cmp_shop' as company_id,"
            " 7 as version, '[]'::jsonb as rules, 'x' as actor, $1::text as why,"
            " $2::bytea as birth) t",
            why,
            seal,
        )
        return found[0], found[1]

    made, said = await digests("'", seal)
    assert made == said
    assert (len(seal), seal[0]) == (SIZE + 1, 2)
    assert seal == seal_for(seals, "route_rules", part, made)
    assert is_genuine(seals, "route_rules", part, said, seal)
    _, old = await digests("", before)
    assert is_genuine(seals, "route_rules", part, old, before)
    assert (await digests("'", before))[1] is None
    assert not is_genuine(seals, "route_rules", part, None, before)
