"""Every failure has a code of its own, and a word in each interface."""

from collections.abc import Iterator

from kassa import app
from kassa.base.domain.errors import ERRORS, KassaError
from kassa.faces import edge


def kinds(kind: type[KassaError] = KassaError) -> Iterator[type[KassaError]]:
    for one in kind.__subclasses__():
        if one.__module__.startswith("kassa."):
            yield one
            yield from kinds(one)


def test_every_class_with_a_code_stands_in_the_list_that_interfaces_are_held_to() -> None:
    assert app  # which brings in all of them
    coded = {one.code: one for one in kinds() if "code" in vars(one)}

    assert {*coded} == {*ERRORS}
    assert all(ERRORS[code] is one for code, one in coded.items())


def test_every_code_has_an_http_status() -> None:
    assert set(edge.HTTP_STATUS) == {*ERRORS, KassaError.code}
