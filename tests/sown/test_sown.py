"""The lists of sown bugs do not rot: each bug still has its place, and its test."""

import pytest
from tests.sown.lists import LISTS
from tests.sown.sowing import Mutation, faults

ALL = [mutation for mutations in LISTS.values() for mutation in mutations]


@pytest.mark.parametrize("mutation", ALL, ids=lambda one: one.name)
def test_a_sown_bug_still_has_its_place(mutation: Mutation) -> None:
    assert faults(mutation) == []


def test_the_lists_are_long_and_say_nothing_twice() -> None:
    assert len({one.name for one in ALL}) == len(ALL)
    assert min(map(len, LISTS.values())) >= 10
