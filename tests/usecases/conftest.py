"""The shop, for these tests."""

from collections.abc import AsyncIterator

import pytest
from tests.usecases.shop import Shop, shop

__all__ = ["shop"]


@pytest.fixture
async def sound_in_the_end(shop: Shop) -> AsyncIterator[None]:
    """Whatever the test did, the books are sound after it."""
    yield
    assert await shop.faults() == []
