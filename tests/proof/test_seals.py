"""What this program wrote carries its seal; what does not gets no link, whoever put it there."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import asyncpg
import pytest
from structlog.testing import capture_logs
from tests.shop import Shop

from kassa.base.domain.errors import InvalidRequest
from kassa.proof.store.canon import array_text, event_digest, instant, jsonb_text, posting_digest
from kassa.proof.store.heads import HeadFile
from kassa.proof.usecases.chain import chain_history, follow_heads
from kassa.proof.usecases.verify import accept_heads, verify_books

pytestmark = pytest.mark.anyio


@pytest.fixture(autouse=True)
async def only_payments(shop: Shop) -> None:
    """Links and blocks are counted here: without those of the company's own row."""
    await shop.forget_records()


_SIGNS = ["a", "B", "0", " ", ",", '"', "\\", "{", "}", "\n", "\t", "\x01", "\x7f", "ü", "語", "😀"]
_SIGNS += ["null", "\u2028", "\x1f", "\xa0", "/", "\r", "\b", "\f", "\v", "'", "%", ":", "-"]


def text(random: Random) -> str:
    return "".join(random.choices(_SIGNS, k=random.randrange(6)))


def value(random: Random, depth: int = 0) -> Any:
    numbers = [0, -7, 2**70, 1.5, -0.0, 1e-9, 1e22, 12345.678, 3.0]
    kinds = random.randrange(4 if depth > 2 else 6)
    if kinds == 4:
        return [value(random, depth + 1) for _ in range(random.randrange(4))]
    if kinds == 5:
        return {text(random): value(random, depth + 1) for _ in range(random.randrange(5))}
    return [text(random), random.choice(numbers), random.choice([True, False]), None][kinds]


async def test_rows_are_written_out_here_exactly_as_the_database_writes_them(shop: Shop) -> None:
    random = Random(20)
    async with shop.core.db.connection() as connection:
        for _ in range(300):
            items = [random.choice([None, "", "null", "NULL", text(random)]) for _ in range(5)]
            assert array_text(items) == await connection.fetchval("select $1::text[]::text", items)
            said = [value(random)]
            assert jsonb_text(said) == await connection.fetchval("select $1::jsonb::text", said)
            at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(
                microseconds=random.randrange(-(10**15), 10**16)
            )
            told = await connection.fetchval(
                "select encode(timestamptz_send($1::timestamptz), 'hex')", at
            )
            assert instant(at) == told


async def test_what_the_program_wrote_is_digested_here_as_it_is_there(shop: Shop) -> None:
    """The seal is over what is sent, the link over what stands there."""
    await shop.submit(await shop.payment())
    rows = await shop.sql(
        "select company_id, payment_id, seq, event, from_status, to_status, actor, evidence::text,"
        " at, event_digest(company_id, payment_id, seq, event, from_status, to_status, actor,"
        " evidence, at) from payment_event"
    )
    import json  # noqa: PLC0415 - of this test alone

    for *row, digest in rows:
        row[7] = json.loads(row[7])
        assert event_digest(*row) == digest
    assert len(rows) == 3
    assert posting_digest is not None


async def chain_all(shop: Shop) -> int:
    links = 0
    while done := await chain_history(shop.core):
        links += done
    return links


_FORGED_POSTING = (
    "insert into posting (company_id, id, kind, currency, payment_id, at)"
    " values ('cmp_shop', 'po_forged', 'adjustment', 'CNY', '', now())",
    "insert into entry (company_id, posting_id, leg, account, currency, amount_minor)"
    " values ('cmp_shop', 'po_forged', 1, 'cash', 'CNY', 5),"
    " ('cmp_shop', 'po_forged', 2, 'suspense', 'CNY', -5)",
)
_FORGED_EVENT = (
    "insert into payment_event (company_id, payment_id, seq, event, from_status, to_status, actor,"
    " evidence, at, seal) select company_id, payment_id, 2, 'note', to_status, to_status, actor,"
    " evidence, at, seal from payment_event where payment_id = '{payment}'",
    "update payment set version = 2 where id = '{payment}'",
)


async def test_what_the_role_of_the_program_slips_in_without_its_key_gets_no_link(
    shop: Shop,
) -> None:
    payment = await shop.payment()
    async with shop.core.db.transaction() as connection:
        for statement in (*_FORGED_POSTING, *_FORGED_EVENT):
            await connection.execute(statement.format(payment=payment.id))
    before = await verify_books(shop.core)
    with capture_logs() as told:
        assert await chain_all(shop) == 1  # the genuine event, and nothing held it up
    after = await verify_books(shop.core)

    assert {one.object_id for one in before.violations} >= {"po_forged", f"{payment.id} event 2"}
    assert {one.object_id for one in after.violations} >= {"po_forged", f"{payment.id} event 2"}
    assert len([one for one in told if one["event"] == "history is not chained"]) == 2
    refused = await shop.sql("select kind, key from chain_refusal order by kind")
    assert [tuple(one) for one in refused] == [("event", payment.id), ("posting", "po_forged")]
    assert await shop.sql("select * from unchained") == []
    await shop.payment()
    assert await chain_all(shop) == 1


_GUARDED = ("payment_event", "posting", "entry", "chain_link", "chain_block")


async def guards_off(shop: Shop, *statements: str) -> None:
    """As the owner of the tables, who minds no triggers."""
    connection: asyncpg.Connection[asyncpg.Record] = await asyncpg.connect(shop.owner_url)
    try:
        for table in _GUARDED:
            await connection.execute(f"alter table {table} disable trigger user")
        for statement in statements:
            await connection.execute(statement)
        for table in _GUARDED:
            await connection.execute(f"alter table {table} enable trigger user")
    finally:
        await connection.close()


_REQUEUE = (
    "insert into unchained (company_id, kind, keys, numbers) select company_id, 'event',"
    " array_agg(payment_id), array_agg(seq) from payment_event group by company_id"
)
_NO_CHAIN = ("delete from chain_link", "delete from chain_block", _REQUEUE)


async def test_a_history_that_was_sealed_is_never_sealed_again_from_the_start(shop: Shop) -> None:
    other = await shop.other_company()
    await shop.forget_records()
    payment = await shop.payment()
    await shop.payment(company=other)
    await chain_all(shop)
    await guards_off(
        shop,
        f"update payment_event set actor = 'operator:eve' where payment_id = '{payment.id}'",
        "delete from chain_link where company_id = 'cmp_shop'",
        "delete from chain_block where company_id = 'cmp_shop'",
        _REQUEUE.replace("group by", "where company_id = 'cmp_shop' group by"),
    )
    await shop.payment(company=other)

    with capture_logs() as told:
        assert await chain_history(shop.core) == 1  # the other company goes on
        assert await chain_history(shop.core) == 0
    assert ["the chain of cmp_shop is gone" in one["why"] for one in told] == [True]
    found = {(one.check, one.object_id) for one in (await verify_books(shop.core)).violations}
    assert found == {
        ("the chain is whole", "block 1"),
        ("what waits for the chain is ours", f"{payment.id} event 1"),
    }


async def test_an_idle_chain_that_is_cut_off_is_noticed_without_new_history(shop: Shop) -> None:
    await shop.payment()
    await chain_all(shop)
    await guards_off(shop, "delete from chain_link", "delete from chain_block")

    with capture_logs() as told:
        await follow_heads(shop.core)

    assert ["the chain of cmp_shop is gone" in one["why"] for one in told] == [True]


async def test_a_lost_head_file_stops_the_chain_until_somebody_accepts_it(shop: Shop) -> None:
    await shop.payment()
    await chain_all(shop)
    shop.core.heads.path.unlink()
    await shop.payment()

    with capture_logs() as told:
        assert await chain_history(shop.core) == 0
    [found] = (await verify_books(shop.core)).violations
    assert "kassa verify --accept-head" in told[0]["why"]
    assert (found.check, found.object_id) == ("the chain is whole", "the head file")
    assert "kassa verify --accept-head" in found.todo

    [accepted] = await accept_heads(shop.core)
    assert accepted.seq == 1
    assert await shop.faults() == []
    assert await chain_all(shop) == 2  # and that they were accepted
    assert await shop.faults() == []


async def test_an_older_head_file_stops_the_chain_until_somebody_accepts_it(shop: Shop) -> None:
    await shop.payment()
    await chain_all(shop)
    old = shop.core.heads.path.read_bytes()
    await shop.payment()
    await chain_all(shop)
    shop.core.heads.path.write_bytes(old)
    # As if it had been sealed long ago, which the key alone can say.
    await _date_blocks_back(shop)
    await shop.payment()

    with capture_logs() as told:
        assert await chain_history(shop.core) == 0
    found = (await verify_books(shop.core)).violations
    assert "goes on behind block 1" in told[0]["why"]
    assert [one.object_id for one in found] == ["the head file"]
    assert "is older than the chain" in found[0].found
    await accept_heads(shop.core)
    assert await chain_all(shop) == 2
    assert await shop.faults() == []


async def _date_blocks_back(shop: Shop) -> None:
    from dataclasses import replace  # noqa: PLC0415 - of this helper alone

    from kassa.proof.store import chain  # noqa: PLC0415
    from kassa.proof.usecases.chain import block_hash, chain_keys  # noqa: PLC0415

    key = chain_keys(shop.core.secrets)[0]
    async with shop.core.db.connection() as connection:
        first, second = await chain.blocks_from(connection, "cmp_shop", 1, 2)
    second = replace(second, at=second.at - timedelta(hours=1))
    await guards_off(
        shop,
        f"update chain_block set at = '{second.at}',"
        f" hash = '\\x{block_hash(key, first.hash, second).hex()}' where seq = 2",
    )


async def test_a_database_restored_from_a_backup_is_told_and_accepted_on_demand(
    shop: Shop,
) -> None:
    await shop.payment()
    await chain_all(shop)
    late = await shop.payment()
    await chain_all(shop)
    await guards_off(
        shop,
        f"delete from payment_event where payment_id = '{late.id}'",
        f"delete from payment where id = '{late.id}'",
        f"delete from orders where id = '{late.order_id}'",
        "delete from chain_link where seq > 1",
        "delete from chain_block where seq > 1",
    )

    [found] = (await verify_books(shop.core)).violations
    assert (found.check, found.object_id) == ("the chain is whole", "block 2")
    assert "was the newest block, and is gone" in found.found
    await accept_heads(shop.core)
    assert await shop.faults() == []


async def test_heads_of_a_chain_that_is_broken_are_not_accepted(shop: Shop) -> None:
    await shop.payment()
    await chain_all(shop)
    await guards_off(shop, "update chain_block set hash = sha256(hash)")

    with pytest.raises(InvalidRequest, match="the chain is not whole"):
        await accept_heads(shop.core)


async def test_a_process_that_dies_before_or_after_its_commit_stops_no_chain(shop: Shop) -> None:
    await shop.payment()
    await chain_all(shop)
    heads = shop.core.heads
    heads.announce({"cmp_shop": (2, "00" * 32)})  # and then the commit did not happen
    await shop.payment()
    assert await chain_all(shop) == 1
    known = (heads.read() or {})["cmp_shop"]
    heads.replace({"cmp_shop": (1, "ff" * 32)})  # never to be found
    heads.announce({"cmp_shop": known.sealed or (0, "")})  # it happened, and the note did not
    await shop.payment()
    assert await chain_all(shop) == 1
    assert await shop.faults() == []


async def test_another_machine_may_seal_beside_this_one(shop: Shop, tmp_path: Path) -> None:
    ours = shop.core.heads
    theirs = HeadFile(tmp_path / "other machine" / "heads.json")
    for turn in range(6):
        await shop.payment()
        shop.core.heads = (ours, theirs)[turn % 2] if turn else ours
        if turn == 0:
            assert await chain_all(shop) == 1
            theirs.replace({"cmp_shop": (ours.read() or {})["cmp_shop"].sealed or (0, "")})
            continue
        assert await chain_all(shop) == 1
        await follow_heads(shop.core)
    assert await shop.faults() == []


async def test_processes_that_write_the_head_file_at_once_lose_nothing(tmp_path: Path) -> None:
    heads = HeadFile(tmp_path / "proof" / "heads.json")

    def write(company: int) -> None:
        for seq in range(1, 11):
            heads.announce({f"cmp_{company}": (seq, str(seq))})
            heads.settle({f"cmp_{company}": (seq, str(seq))})

    await asyncio.gather(*(asyncio.to_thread(write, company) for company in range(4)))
    known = heads.read() or {}
    assert {name: one.sealed for name, one in known.items()} == {
        f"cmp_{company}": (10, "10") for company in range(4)
    }
    assert all(one.coming is None for one in known.values())
    assert heads.path.stat().st_mode & 0o777 == 0o600


async def test_a_database_from_before_the_seals_is_taken_over_once(shop: Shop) -> None:
    """Its blocks are older than the upgrade, what waits for them has no seals."""
    old = await shop.payment()
    await chain_all(shop)
    await shop.payment()
    shop.core.heads.path.unlink()
    await guards_off(
        shop,
        "update payment_event set seal = null",
        "update schema_migration set applied_at = now() where number = 15",
    )

    assert await chain_all(shop) == 1
    assert await shop.faults() == []
    await guards_off(
        shop,
        "insert into payment_event (company_id, payment_id, seq, event, from_status, to_status,"
        " actor, evidence, at) select company_id, payment_id, 2, 'note', to_status, to_status,"
        f" actor, evidence, at from payment_event where payment_id = '{old.id}'",
        f"update payment set version = 2 where id = '{old.id}'",
        "insert into unchained (company_id, kind, keys, numbers) values ('cmp_shop', 'event',"
        f" array['{old.id}'], array[2])",
    )
    assert await chain_all(shop) == 0
    assert "the timeline is chained" in {one.partition(":")[0] for one in await shop.faults()}
