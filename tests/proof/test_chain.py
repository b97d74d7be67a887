"""The chain: everything that is committed gets its link, once, and its time can be told."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import asyncpg
import pytest
from tests.fixed_keys import keyring
from tests.shop import Shop

from kassa.proof.store.checks_rows import PAYMENTS_SEALED, ROWS_SEALED
from kassa.proof.store.heads import HeadFile
from kassa.proof.usecases.chain import chain_history, seals_of
from kassa.proof.usecases.verify import (
    Head,
    Violation,
    known_of,
    prove,
    verify_books,
)

pytestmark = pytest.mark.anyio


@pytest.fixture(autouse=True)
async def only_payments(shop: Shop) -> None:
    """Links and blocks are counted here: without those of the company's own row."""
    await shop.forget_records()


# Everything that happened and was chained, against everything that is linked.
UNLINKED = """
    select 'event', payment_id, seq from payment_event
    union all select 'posting', id, 0 from posting
    except all select kind, key, number from chain_link
"""


async def chain_all(shop: Shop, most: int = 1_000) -> int:
    links = 0
    while done := await chain_history(shop.core, most):
        links += done
    return links


async def forge(shop: Shop, *statements: str) -> None:
    """As somebody who owns the tables and minds no guards."""
    for statement in statements:
        await shop.sql(statement)


async def test_every_event_and_posting_gets_one_link(shop: Shop) -> None:
    for _ in range(5):
        await shop.submit(await shop.payment())

    links = await chain_all(shop, most=2)

    assert await shop.sql(UNLINKED) == []
    [counted] = await shop.sql("select count(*) as n, max(seq) as last from chain_link")
    assert counted["n"] == counted["last"] == links
    blocks = await shop.sql("select first_link, last_link from chain_block order by seq")
    assert len(blocks) > 3
    assert [one["first_link"] for one in blocks[1:]] == [
        one["last_link"] + 1 for one in blocks[:-1]
    ]
    assert await shop.sql("select * from unchained") == []
    assert await chain_history(shop.core) == 0


async def test_what_is_rolled_back_is_not_chained(shop: Shop) -> None:
    await chain_all(shop)
    connection: asyncpg.Connection[asyncpg.Record] = await asyncpg.connect(shop.owner_url)
    payment = await shop.payment()
    await chain_all(shop)
    transaction = connection.transaction()
    await transaction.start()
    await connection.execute(
        "insert into payment_event select company_id, payment_id, 2, 'note', to_status, to_status,"
        " actor, evidence, at from payment_event where payment_id = $1",
        payment.id,
    )

    assert await chain_history(shop.core) == 0  # not before it is committed
    await transaction.rollback()
    assert await chain_history(shop.core) == 0
    await connection.close()


async def test_sequencers_that_run_at_once_make_one_chain(shop: Shop) -> None:
    """The guard is `take_the_pen`: without it two of them take the same numbers, and fail.

    Reading the queue later than the rows it names was seen to fail here, too.
    """

    async def trade() -> None:
        for _ in range(5):
            await asyncio.gather(*(shop.payment() for _ in range(4)))

    trading = asyncio.gather(*(trade() for _ in range(3)))
    while not trading.done():
        await asyncio.gather(*(chain_history(shop.core, most=3) for _ in range(4)))
    await trading
    await chain_all(shop)

    assert await shop.sql(UNLINKED) == []
    assert await shop.faults() == []


async def test_each_company_has_a_chain_of_its_own(shop: Shop) -> None:
    other = await shop.other_company()
    await shop.forget_records()
    await shop.payment()
    await shop.payment(company=other)
    await shop.payment(company=other)
    await chain_all(shop)

    heads = {one.company_id: one for one in (await verify_books(shop.core)).heads}
    alone = await verify_books(shop.core, other.id)

    assert set(heads) == {shop.company.id, other.id}
    assert alone.heads == (heads[other.id],)
    assert alone.counts["links"] == alone.counts["events"] == 2
    assert alone.violations == ()


async def test_one_company_is_verified_without_the_others(shop: Shop) -> None:
    other = await shop.other_company()
    await shop.forget_records()
    theirs = await shop.payment(company=other)
    await forge(shop, f"update payment set status = 'processing' where id = '{theirs.id}'")

    assert (await verify_books(shop.core, shop.company.id)).violations == ()
    found = (await verify_books(shop.core, other.id)).violations
    assert {one.object_id for one in found} == {theirs.id}


async def test_an_edit_is_told_with_the_time_between_two_blocks(shop: Shop) -> None:
    payment = await shop.payment()
    await chain_all(shop)
    await shop.payment()
    await chain_all(shop)
    before = await newest(shop)
    await forge(
        shop,
        "alter table payment_event disable trigger user",
        f"update payment_event set actor = 'eve' where payment_id = '{payment.id}'",
        "alter table payment_event enable trigger user",
    )
    await shop.payment()
    await chain_all(shop)
    after = await newest(shop)
    await shop.payment()
    await chain_all(shop)

    [found] = (await verify_books(shop.core)).violations

    assert found.object_id == f"{payment.id} event 1"
    assert found.since == before
    assert found.found.startswith("differs from link 1 of ")
    assert found.found.endswith(f"; written after {shown(before)} and before {shown(after)}")


async def newest(shop: Shop) -> datetime:
    [row] = await shop.sql("select max(at) as at from chain_block")
    found: datetime = row["at"]
    return found


def shown(at: datetime) -> str:
    """As the database writes it, in the time zone of the server, which is UTC."""
    text = at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f").rstrip("0").rstrip(".")
    return text + "+00"


async def test_without_the_key_nobody_makes_a_chain_that_fits(shop: Shop, tmp_path: Path) -> None:
    """A superuser does all that the sequencer does, with another key."""
    payment = await shop.payment()
    await chain_all(shop)
    await forge(
        shop,
        *(f"alter table {t} disable trigger user" for t in ("payment_event", "chain_link")),
        "alter table chain_block disable trigger user",
        f"update payment_event set actor = 'eve' where payment_id = '{payment.id}'",
        "delete from chain_link",
        "delete from chain_block",
        "insert into unchained (company_id, kind, keys, numbers) select company_id, 'event',"
        " array_agg(payment_id), array_agg(seq) from payment_event group by company_id",
        *(f"alter table {t} enable trigger user" for t in ("chain_link", "chain_block")),
    )
    secrets, heads = shop.core.secrets, shop.core.heads
    shop.core.secrets = keyring()  # guessed
    shop.core.heads = HeadFile(tmp_path / "of the thief" / "heads.json")
    await reseal(shop)
    assert await chain_all(shop) == 1
    # Beside rows that the real key sealed.
    assert {one.check for one in await faults(shop)} <= {PAYMENTS_SEALED[0], ROWS_SEALED[0]}
    shop.core.secrets, shop.core.heads = secrets, heads

    assert [(one.check, one.found.partition(";")[0]) for one in await faults(shop)] == [
        ("the chain is whole", "was edited, or the block before it"),
        ("the chain is whole", "was the newest block, and is gone"),
    ]


async def reseal(shop: Shop) -> None:
    """As the program would, with the key that it has now."""
    [row] = await shop.sql(
        "select event_digest(company_id, payment_id, seq, event, from_status, to_status, actor,"
        " evidence, at) as digest from payment_event"
    )
    seal = seals_of(shop.core.secrets).of("payment_event", row["digest"])
    await forge(
        shop,
        "alter table payment_event disable trigger user",
        f"update payment_event set seal = '\\x{seal.hex()}'",
        "alter table payment_event enable trigger user",
    )


async def faults(shop: Shop) -> tuple[Violation, ...] | list[Violation]:
    return list((await verify_books(shop.core)).violations)


async def test_a_tail_that_was_cut_off_is_found_by_a_head_kept_elsewhere(shop: Shop) -> None:
    await shop.payment()
    await chain_all(shop)
    [early] = (await verify_books(shop.core)).heads
    late = await shop.payment()
    await chain_all(shop)
    [noted] = (await verify_books(shop.core)).heads
    everything = ("payment_event", "chain_link", "chain_block")
    await forge(
        shop,
        *(f"alter table {table} disable trigger user" for table in everything),
        f"delete from payment_event where payment_id = '{late.id}'",
        f"delete from payment where id = '{late.id}'",
        f"delete from orders where id = '{late.order_id}'",
        "delete from chain_link where seq > 1",
        "delete from chain_block where seq > 1",
    )

    shop.core.heads.replace({early.company_id: (early.seq, early.hash)})  # they had that file, too
    unaware = await verify_books(shop.core)
    aware = await verify_books(shop.core, heads=[early, noted])
    wrong = await verify_books(shop.core, heads=[Head(early.company_id, early.seq, "0" * 64)])

    assert unaware.violations == ()  # nothing that is left says so
    [gone] = aware.violations
    assert (gone.object_id, gone.found) == ("block 2", "was noted elsewhere, and is gone")
    assert "has another hash than the one that was noted" in wrong.violations[0].found


async def test_what_waits_for_its_link_is_no_violation_and_what_does_not_wait_is(
    shop: Shop,
) -> None:
    await shop.payment()
    assert await shop.faults() == []
    connection: asyncpg.Connection[asyncpg.Record] = await asyncpg.connect(shop.owner_url)
    async with connection.transaction():
        await connection.execute("delete from unchained")
        found = (await prove([connection], known_of(shop.core))).violations
    await connection.close()

    assert [one.found for one in found] == ["was added and has no link in the chain"]


async def test_history_from_before_the_chain_is_chained_as_it_is_found(shop: Shop) -> None:
    """The migration queues it; a database without links is the same to it."""
    for _ in range(3):
        await shop.submit(await shop.payment())
    await chain_all(shop)
    script = migration().partition("-- What was there before")[2].partition("do $$")[0]
    await forge(
        shop,
        *(f"alter table {table} disable trigger user" for table in ("chain_link", "chain_block")),
        "delete from chain_link",
        "delete from chain_block",
        *script.partition("\n")[2].split(";")[:2],
    )
    shop.core.heads.path.unlink()  # it came later
    assert await shop.faults() == []

    await chain_all(shop)

    assert await shop.sql(UNLINKED) == []
    assert await shop.faults() == []


def migration() -> str:
    from importlib.resources import files  # noqa: PLC0415 - of this helper alone

    script = files("kassa.base.store").joinpath("migrations", "0003_the_chain.sql")
    return script.read_text(encoding="utf-8")


async def test_a_row_that_vanished_before_it_was_chained_does_not_stop_the_chain(
    shop: Shop,
) -> None:
    payment = await shop.payment()
    await forge(
        shop,
        "alter table payment_event disable trigger user",
        f"delete from payment_event where payment_id = '{payment.id}'",
        "alter table payment_event enable trigger user",
    )

    assert await chain_all(shop) == 1
    assert any("is gone" in one.found for one in await faults(shop))


async def test_the_role_that_serves_requests_cannot_touch_the_chain(shop: Shop) -> None:
    await shop.payment()
    await chain_all(shop)
    await shop.payment()
    statements = [
        f"{verb} {table}{rest}"
        for table in ("chain_link", "chain_block", "unchained")
        for verb, rest in (("delete from", ""), ("update", " set company_id = 'x'"))
    ]
    statements.append(
        "insert into unchained (company_id, kind, keys, numbers) values ('', '', '{}', '{}')"
    )

    async with shop.core.db.connection() as connection:
        for statement in statements:
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(statement)
