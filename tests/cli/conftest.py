"""Commands typed in this process, for these tests."""

from tests.cli.prompt import kassa

__all__ = ["kassa"]
