"""What is known outside the database decides whether a chain goes on."""

from pathlib import Path

import pytest
from structlog.testing import capture_logs
from tests.fixed_keys import keyring
from tests.proof.test_seals import chain_all, guards_off
from tests.shop import Shop

from kassa.proof.store.heads import HeadFile
from kassa.proof.usecases.chain import chain_history

pytestmark = pytest.mark.anyio


async def test_a_chain_whose_end_was_cut_off_does_not_go_on(shop: Shop) -> None:
    for _ in range(2):
        await shop.payment()
        await chain_all(shop)
    await guards_off(
        shop, "delete from chain_block where seq > 1", "delete from chain_link where seq > 1"
    )
    await shop.payment()

    with capture_logs() as told:
        assert await chain_history(shop.core) == 0

    assert "no longer has the block 2 that was its newest" in told[0]["why"]


async def test_a_block_that_another_key_sealed_is_not_built_upon(
    shop: Shop, tmp_path: Path
) -> None:
    """Somebody with the database goes on behind our newest block, and we are to follow."""
    await shop.payment()
    await chain_all(shop)
    secrets, heads = shop.core.secrets, shop.core.heads
    ours = (heads.read() or {})["cmp_shop"].sealed
    assert ours is not None
    shop.core.heads = HeadFile(tmp_path / "of the thief" / "heads.json")
    shop.core.heads.replace({"cmp_shop": ours})
    shop.core.secrets = keyring()  # guessed
    await shop.sql(
        "insert into unchained (company_id, kind, keys, numbers)"
        " values ('cmp_shop', 'event', array['py_gone'], array[1])"
    )
    assert await chain_all(shop) == 1  # of a row that is gone, which needs no seal
    shop.core.secrets, shop.core.heads = secrets, heads
    await shop.payment()

    with capture_logs() as told:
        assert await chain_history(shop.core) == 0

    assert "was edited in block 2" in told[0]["why"]


async def test_a_process_that_dies_between_its_commit_and_its_note_stops_no_chain(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    await shop.payment()
    await chain_all(shop)
    await shop.payment()

    def died(*_: object) -> None:
        raise RuntimeError("died here")

    with monkeypatch.context() as patched:
        patched.setattr(HeadFile, "settle", died)
        with pytest.raises(RuntimeError):
            await chain_history(shop.core)
    known = (shop.core.heads.read() or {})["cmp_shop"]
    await shop.payment()

    assert (known.sealed or (0,))[0] == 1
    assert (known.coming or (0,))[0] == 2  # so that it is ours however late we come back
    assert await chain_all(shop) == 1
    assert await shop.faults() == []


async def test_what_was_written_since_the_upgrade_is_not_taken_over_without_a_seal(
    shop: Shop,
) -> None:
    old = await shop.payment()
    await shop.sql("update schema_migration set applied_at = now() where number = 15")
    late = await shop.payment()
    await guards_off(shop, "update payment_event set seal = null")

    with capture_logs() as told:
        await chain_all(shop)

    links = await shop.sql("select key from chain_link where kind = 'event'")
    assert [one["key"] for one in links] == [old.id]
    assert [late.id in one["why"] for one in told] == [True]
