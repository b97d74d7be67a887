"""A provider may name what it tells of by an order of its own making, beside its charge."""

from datetime import UTC, datetime

import pytest
from tests.shop import Shop
from tests.telling import Telling, kept, news, post, waiting

from kassa.base.domain.lifecycle import DisputeStage, DisputeStatus
from kassa.base.domain.money import Money
from kassa.connectors.base import Captured, DisputeEvent
from kassa.identity.domain.principals import Mode
from kassa.providers.domain.providers import AccountStatus, ProviderAccount

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("sound_in_the_end")]


async def test_a_dispute_of_an_order_that_the_provider_made_is_found_by_its_charge(
    shop: Shop,
) -> None:
    provider = Telling()
    payment, key = await waiting(shop, provider)
    shop.core.accounts["scripted"] = ProviderAccount(
        company_id=shop.company.id,
        name="scripted",
        connector="scripted",
        mode=Mode.TEST,
        status=AccountStatus.ACTIVE,
    )
    taken = Captured(reference="charge 5", amount=payment.amount)
    await post(shop, provider.tell(news(key, taken)))
    dispute = DisputeEvent(
        dedupe_key="d",
        key="order_of_a_link",
        charge_reference="charge 5",
        reference="433475258",
        stage=DisputeStage.CHARGEBACK,
        status=DisputeStatus.LOST,
        amount=Money(10_000, "CNY"),
        fee=None,
        reason="",
        respond_by=None,
        told_at=datetime(2026, 11, 1, tzinfo=UTC),
    )

    got = await post(shop, provider.tell(dispute))

    assert got.outcome == "applied"
    assert (await shop.read(payment)).disputed_minor == 10_000
    assert {applied for _, applied in await kept(shop)} == {True}
