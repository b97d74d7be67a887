"""Commands typed in this process, for these tests."""

from tests.cli.prompt import kassa

__all__ = ["kassa"]

collect_ignore = ["acme"]  # a provider's files, for a copy of the tree
