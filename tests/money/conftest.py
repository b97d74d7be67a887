"""The shop, for these tests."""

from tests.shop import shop

__all__ = ["shop"]
