"""A seal is made with the row or with its change, and nobody gets a falsified one sealed."""

from pathlib import Path

import pytest
from tests.proof.test_seals import guards_off
from tests.shop import Shop

from kassa.identity.usecases.companies import close_company
from kassa.proof.usecases.chain import chain_history
from kassa.proof.usecases.old_rows import seal_old_rows

pytestmark = pytest.mark.anyio

ROWS = "all other rows are as this program left them"


async def unsealed(shop: Shop) -> list[str]:
    return [one for one in await shop.faults() if one.startswith(ROWS)]


@pytest.mark.parametrize("edit", ["name = 'Eve'", "name = 'Eve', seal = null"])
async def test_a_row_that_was_falsified_gets_no_genuine_seal_by_its_next_change(
    shop: Shop, edit: str
) -> None:
    await seal_old_rows(shop.core)
    assert await unsealed(shop) == []
    await guards_off(shop, f"update company set {edit}")

    await close_company(shop.core, shop.company.id)
    await close_company(shop.core, shop.company.id, closed=False)

    [fault] = await unsealed(shop)
    assert shop.company.id in fault


async def test_rows_without_a_seal_get_one_once_and_never_without_the_head_file(
    shop: Shop,
) -> None:
    await guards_off(shop, "update company set seal = null")
    await shop.payment()
    await chain_history(shop.core)
    heads, mark = shop.core.heads.path, shop.core.heads.path.with_name("rows_sealed")

    kept = _without(heads)
    assert await seal_old_rows(shop.core) == 0
    assert not mark.exists()
    heads.write_bytes(kept)
    assert await seal_old_rows(shop.core) >= 1
    await guards_off(shop, "update company set seal = null")

    assert await seal_old_rows(shop.core) == 0
    assert len(await unsealed(shop)) == 1


def _without(path: Path) -> bytes:
    content = path.read_bytes()
    path.unlink()
    return content
