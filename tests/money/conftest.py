"""The shop, for these tests."""

from tests.usecases.shop import shop

__all__ = ["shop"]
