"""A provider is its own folders: nothing else knows it by name."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from tests.test_tidy import ROOT, at, listed, texts, trees

from kassa.connectors.catalog import kinds

OURS_TOO = frozenset({"wallet", "sandbox"})
"""Providers whose names are words of the house as well: the interface that Kassa serves, and the
cards that a test side is given."""

NAMES = sorted({kind.name for kind in kinds().values() if kind.addable} - OURS_TOO)

SEARCHED = (
    "src/kassa",
    "src/kassa_simulator",
    "src/kassa_embedded",
    "tests/connectors/contract",
    "tests/connectors/reports",
    "Makefile",
    "pyproject.toml",
)
PAPERS = {".md"}

ALLOWED = {
    ("src/kassa/payments/domain/payments.py", "alipay"): "the method that payers know by this name",
    ("src/kassa/cashier", "alipay"): "the same: its tile and its words",
    ("src/kassa/faces/gateway/accounts.py", "alipay"): "the same, as the gateway's document has it",
    ("src/kassa/faces/gateway/examples", "alipay"): "the same",
    ("src/kassa/faces/checkout/examples", "alipay"): "the document's orderString leads there",
    ("src/kassa/faces/wallet/examples", "alipay"): "a merchant's address in the document",
    ("src/kassa/faces/orders/pg/states.py", "alipay"): "the method, in the words of that interface",
    ("src/kassa/checkout/usecases/cashier_session.py", "alipay"): "the method, as a way to pay",
    (
        "src/kassa/checkout/usecases/open_payment.py",
        "alipay",
    ): "the method that checkout opens",
    ("src/kassa/payments/domain/restrictions.py", "alipay"): "the method, in merchants' words",
    ("src/kassa/faces/gateway/handlers.py", "alipay"): "the method whose codes payers show",
    ("src/kassa/cli/routing.py", "alipay"): "the method, as an example",
    ("src/kassa/cli/trying.py", "alipay"): "what the walk through the interfaces says it does",
    ("src/kassa/cli/trying.py", "stripe"): "the same",
    ("src/kassa_simulator/alone.py", "stripe"): "the account that it prints as an example",
    ("pyproject.toml", "stripe"): "its official client, which is an ordinary library",
    ("pyproject.toml", "razorpay"): "the same, for the tests",
    ("tests/connectors/reports/test_camt.py", "stripe"): "whom a bank says that a payout is from",
    ("tests/connectors/reports/test_size.py", "stripe"): "a format with a file of any length",
    ("tests/connectors/reports/test_size.py", "alipay"): "another",
}
"""Where a name stands and is not the provider's, or is an example; and why."""


def test_nothing_outside_its_folders_knows_a_provider_by_name() -> None:
    found = list(_named())
    wrong = [where for where, key in found if key is None]

    assert not wrong, f"let the provider's folder declare it:{listed(wrong)}"
    unused = set(ALLOWED) - {key for _, key in found}
    assert not unused, f"these name it no more: {unused}"


def _named() -> Iterator[tuple[str, tuple[str, str] | None]]:
    """Each line that names a provider, and what allows it."""
    for path, text in texts().items():
        where = str(path.relative_to(ROOT))
        if not where.startswith(SEARCHED) or path.suffix in PAPERS:
            continue
        prose = _prose(path)
        for number, line in enumerate(text.splitlines(), 1):
            code = line.partition("#")[0] if path.suffix == ".py" else line
            for name in NAMES if number not in prose else ():
                if re.search(name, code, re.IGNORECASE) and f"/{name}/" not in f"{where}/":
                    keys = [key for key in ALLOWED if where.startswith(key[0]) and key[1] == name]
                    yield at(path, number), keys[0] if keys else None


def _prose(path: Path) -> set[int]:
    """The lines of docstrings."""
    tree = trees().get(path)
    return {
        line
        for node in (ast.walk(tree) if tree else ())
        if isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
        for line in range(node.lineno, (node.end_lineno or node.lineno) + 1)
    }


def test_names_that_are_words_of_the_house_too_are_providers_all_the_same() -> None:
    assert set(kinds()) >= OURS_TOO
