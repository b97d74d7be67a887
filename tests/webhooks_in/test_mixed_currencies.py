"""What would mix two currencies is given to a person, and not tried for ever."""

import pytest
from tests.shop import Shop
from tests.telling import Telling, kept, news, post, waiting

from kassa.base.domain.lifecycle import PaymentStatus
from kassa.base.domain.money import Money
from kassa.connectors.base import Captured
from kassa.reconciliation.usecases.breaks import list_breaks

pytestmark = pytest.mark.anyio


async def test_news_that_would_mix_currencies_is_a_persons_at_once(shop: Shop) -> None:
    provider = Telling()
    payment, key = await waiting(shop, provider)
    # As only somebody with the database in hand can make it.
    await shop.sql("update attempt set currency = 'JPY' where id = $1", key)

    taken = Captured(reference="r", amount=Money(10_000, "JPY"))
    await post(shop, provider.tell(news(key, taken)))

    assert (await shop.read(payment)).status is PaymentStatus.PROCESSING
    assert await kept(shop) == [("other_currency", False)]
    (item,) = await list_breaks(shop.core, shop.company.id)
    assert (item.problem, key in item.details) == ("unknown_news", True)
