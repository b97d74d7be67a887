"""No answer of a face speaks Python: its types and constants are nothing to who asks."""

import ast
import importlib
import pkgutil
import re
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

import kassa
from kassa import faces
from kassa.base.domain import errors
from kassa.base.domain.errors import InvalidRequest
from kassa.faces import edge

PYTHON = re.compile(
    r"\b(None|True|False|list|str|dict|int|float|bool|tuple|bytes|Decimal|datetime|NoneType)\b"
)
# Words of these are English too, and what operators read at the command line is not a face's.
ENGLISH = re.compile(r"\b(list|bytes)\b")
HOME = Path(kassa.__file__).parent
RAISED = {*(kind.__name__ for kind in errors.ERRORS.values()), "KassaError", "wrong", "_wrong"}


def shapes() -> list[type[msgspec.Struct]]:
    """Every struct that a face reads a request into, or writes."""
    found = {}
    for module in pkgutil.walk_packages(faces.__path__, "kassa.faces."):
        for one in vars(importlib.import_module(module.name)).values():
            if isinstance(one, type) and issubclass(one, msgspec.Struct):
                found[f"{one.__module__}.{one.__qualname__}"] = one
    return list(found.values())


def said_in_errors(path: Path) -> Iterator[tuple[int, str]]:
    """The texts that the file's errors are raised with."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.Call):
            continue
        name = node.func.id if isinstance(node.func, ast.Name) else ""
        if name in RAISED:
            for part in [one for value in node.args for one in ast.walk(value)]:
                if isinstance(part, ast.Constant) and isinstance(part.value, str):
                    yield part.lineno, part.value


@pytest.mark.parametrize("floor", ["faces", "usecases", "domain"])
def test_no_error_is_worded_in_python(floor: str) -> None:
    paths = sorted(one for one in HOME.rglob("*.py") if floor in one.relative_to(HOME).parts)
    assert paths
    found = [
        f"{path.relative_to(HOME)}:{line}: {text}"
        for path in paths
        for line, text in said_in_errors(path)
        if PYTHON.search(ENGLISH.sub("", text))
    ]

    assert found == []


WRONG: list[Any] = [None, True, 7, Decimal("1.5"), "x" * 2000, "", [], [None], {}, {"a": {"b": 1}}]


@pytest.mark.parametrize("shape", shapes(), ids=lambda shape: shape.__qualname__)
def test_a_request_of_the_wrong_shape_is_refused_in_the_words_of_json(
    shape: type[msgspec.Struct],
) -> None:
    names = [field.encode_name for field in msgspec.structs.fields(shape)]
    requests = [*WRONG, *({name: value} for name in names for value in WRONG)]
    requests += [dict.fromkeys(names, value) for value in WRONG]
    own = re.compile("|".join(rf"\b{re.escape(name)}\b" for name in names) or "$")

    said = [own.sub("", text) for text in refusals(requests, shape)]

    assert [text for text in said if PYTHON.search(text) or shape.__name__ in text] == []


def refusals(requests: list[Any], shape: type[msgspec.Struct]) -> Iterator[str]:
    for request in requests:
        try:
            edge.convert(request, shape)
        except InvalidRequest as error:
            yield error.message


def test_a_member_that_is_missing_is_named_with_its_way() -> None:
    class Inner(msgspec.Struct):
        name: str

    class Outer(msgspec.Struct):
        inner: Inner

    with pytest.raises(InvalidRequest) as caught:
        edge.convert({"inner": {}}, Outer)

    assert (caught.value.field, caught.value.reason) == ("inner.name", edge.MISSING)
    assert caught.value.message == "inner.name: it is required"
