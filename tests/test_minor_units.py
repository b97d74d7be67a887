"""Whole minor units say nothing without their currency: no function takes them from outside."""

import ast
from collections.abc import Iterator

from tests.test_tidy import ROOT, SOURCE, listed, trees

_NAMES = frozenset({"amount", "fee", "total"})
_WHOLE = frozenset({"int", "int | None"})

TAKE_MINOR_UNITS = {
    "payments/domain/older_rows.py money",  # of the rows of one payment, in its currency
    "reconciliation/domain/reported_payments.py is_complete",  # of the payment beside it
}
"""None is added; one that went is struck out."""


def test_amounts_cross_from_module_to_module_with_their_currency() -> None:
    found = set(_bare())

    wrong = found - TAKE_MINOR_UNITS
    assert not wrong, f"let it take Money, or the currency as well:{listed(wrong)}"
    assert not TAKE_MINOR_UNITS - found, (
        f"gone, so strike it out:{listed(TAKE_MINOR_UNITS - found)}"
    )


def _bare() -> Iterator[str]:
    for path, tree in trees().items():
        if not path.is_relative_to(SOURCE):
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and _takes(node):
                yield f"{path.relative_to(ROOT / 'src' / 'kassa')} {node.name}"


def _takes(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Whether somebody elsewhere may hand it an amount by its minor units alone."""
    taken = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
    if node.name.startswith("_") or any(one.arg == "currency" for one in taken):
        return False
    return any(
        (one.arg.endswith("minor") or one.arg in _NAMES)
        and one.annotation is not None
        and ast.unparse(one.annotation) in _WHOLE
        for one in taken
    )
