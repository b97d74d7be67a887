"""The shop, for these tests."""

from collections.abc import AsyncIterator

import pytest
from tests.usecases.shop import Shop, shop
from tests.usecases.sums import untrue_sums

__all__ = ["shop"]


@pytest.fixture
async def sound_in_the_end(shop: Shop) -> AsyncIterator[None]:
    """Whatever the test did, the books are sound after it, and the business face tells the sums
    that the settlements come to."""
    yield
    assert await shop.faults() == []
    assert await untrue_sums(shop) == []


@pytest.fixture
async def told_truly(shop: Shop) -> AsyncIterator[None]:
    """Whatever the test did, the business face tells the sums that the settlements come to."""
    yield
    assert await untrue_sums(shop) == []
