"""A charge that its bank returned was kept as a lost dispute: what the upgrade makes of it."""

import json
from importlib.resources import files

import pytest
from tests.late import cny, paid
from tests.shop import Shop
from tests.telling import Telling

from kassa.base.domain.lifecycle import DisputeKind, DisputeStage, DisputeStatus
from kassa.cli.telling import as_json, as_text
from kassa.connectors.base import DisputeEvent
from kassa.disputes.usecases.disputes import disputes_of, take_dispute_news
from kassa.payments.domain.payments import Payment
from kassa.payments.store.payments import attempts_of
from kassa.payments.usecases.explain import explain
from kassa.proof.store.cover import digest_sql
from kassa.proof.usecases.chain import seals_of

pytestmark = pytest.mark.anyio
_MIGRATION = files("kassa.base.store.migrations") / "0045_charges_returned.sql"


async def as_it_was_kept(shop: Shop) -> Payment:
    """As the release before wrote it, row and seal; then the upgrade's migration."""
    payment = await paid(shop, Telling())
    async with shop.core.db.connection() as connection:
        [attempt] = await attempts_of(connection, [(payment.company_id, payment.id)])
    lost = DisputeEvent(
        dedupe_key="n-1",
        key=attempt.id,
        reference=f"{attempt.provider_reference}/failed_later",
        stage=DisputeStage.CHARGEBACK,
        status=DisputeStatus.LOST,
        amount=cny(10_000),
        fee=None,
        reason="charge_failed",
        respond_by=None,
    )
    await take_dispute_news(shop.core, attempt, lost, actor="provider:scripted")
    await shop.sql("alter table dispute drop column kind")
    [(content,)] = await shop.sql(f"select {digest_sql('dispute', 'seal', 2)} from dispute t")
    seal = bytes([2]) + seals_of(shop.core.secrets).of("dispute.seal", content)
    # Behind the program's back: `Shop.sql` seals what a statement of its own changes.
    await shop.sql(f"with nothing as (select) update dispute set seal = '\\x{seal.hex()}'")
    await shop.connections[0].execute(_MIGRATION.read_text())
    return payment


async def test_what_was_kept_as_a_lost_dispute_is_a_return_after_the_upgrade(shop: Shop) -> None:
    payment = await as_it_was_kept(shop)

    assert await shop.faults() == []
    [found] = await disputes_of(shop.core, shop.company.id, payment.id)
    assert (found.kind, found.taken) == (DisputeKind.RETURN, cny(10_000))
    assert found.named_there == payment.provider_reference
    story = await explain(shop.core, shop.company.id, payment.id)
    text = as_text(story)
    assert "charge returned by the payer's bank" in text
    assert "failed_later" not in text
    assert "chargeback" not in text
    [told] = json.loads(as_json(story, "test"))["disputes"]
    assert (told["kind"], told["provider_reference"]) == ("return", payment.provider_reference)
    assert "stage" not in told


async def test_it_can_be_told_of_a_moment_before_it(shop: Shop) -> None:
    payment = await as_it_was_kept(shop)
    captured = payment.captured_at
    assert captured is not None

    story = await explain(shop.core, shop.company.id, payment.id, captured)

    assert (story.disputes, story.payment.disputed_minor) == ((), 0)


async def test_a_row_that_is_made_another_kind_by_hand_is_found(shop: Shop) -> None:
    await as_it_was_kept(shop)

    await shop.sql("with nothing as (select) update dispute set kind = 'dispute'")

    assert any("all other rows" in fault for fault in await shop.faults())
