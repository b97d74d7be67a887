"""What nothing of the program uses is not there, whatever tests make of it.

vulture finds it; what it cannot see used is left out by rule, or stands below with who uses it.
"""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
import vulture

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src"
PACKAGES = ("kassa", "kassa_embedded", "kassa_simulator")

USED_ELSEWHERE = {
    # By libraries and the language.
    "intercept_service": "gRPC calls it",
    "max_network_retries": "an argument that Stripe's library gives",
    "request_with_retries_async": "Stripe's library calls it",
    "close_async": "Stripe's library calls it",
    "enable_telemetry": "Stripe's library reads it",
    "frac_prec": "babel reads it",
    "redirect_slashes": "starlette reads it",
    "row_factory": "sqlite3 reads it",
    "content_length": "aiohttp reads it",
    "keep_alive": "aiohttp reads it",
    "_top_xact": "asyncpg reads it",
    "table_name": "an argument of asyncpg's",
    "frame": "an argument of a signal's handler",
    # By a name in a text.
    "PaymentIntentCreateParams": "a type that is named in quotes",
    "SessionCreateParams": "a type that is named in quotes",
    "signs_addresses": "a connector that has it is an AddressSigner",
    "Many": "a type that is named in quotes",
    "One": "a type that is named in quotes",
    "PARTS": "modules that are imported for what they register",
    # Dataclasses that are shown or stored whole.
    "imported_at": "a line of a report in `kassa explain --json`",
    # Lists that tests compare others with, and the workers' rounds one by one.
    "ERRORS": "each face's table of words is compared with it",
    "UNCOVERED": "the schema is compared with it: why a table has no seal",
    "strays": "every posting that a test makes is held against FLOWS",
    "withdrawals_of": "the sandbox's books, compared with ours",
    "post_letters": "a simulated provider's letters without its clock",
    "deliver_webhooks": "one round of the courier",
    "look_again": "one round of the looker",
    "poll_payments": "one round of the poller",
    "pursue_modifications": "one round of the pursuer",
}
"""Names that vulture calls unused, by who uses them."""
EITHER_WAY = {
    "run_each": "of the means by which stores ask; not every one has its caller yet",
}
"""Used or not, for now."""

_DECORATED = ["@*.command", "@*.command()", "@*.callback"]
_SHAPE = re.compile(r"Struct$|Shape$")


@cache
def unused() -> list[tuple[Path, int, str]]:
    """Where, and what, by the rules below but without the list above."""
    scan = vulture.Vulture(ignore_decorators=_DECORATED)
    scan.scavenge([str(SOURCE / package) for package in PACKAGES])
    shown = _named_in_texts()
    return [
        (Path(item.filename), item.first_lineno, item.name)
        for item in scan.get_unused_code()
        if not re.fullmatch(r"__\w+__|_", item.name)
        and item.name not in shown
        and item.first_lineno not in _members_of_shapes(Path(item.filename))
    ]


def _named_in_texts() -> set[str]:
    """What pages show, the sets of statuses that statements ask for, and what stands behind a
    colon in the name of a place, as in "kassa.app:make"."""
    pages = [path.read_text() for path in SOURCE.glob("kassa*/**/*.html")]
    statements = [path.read_text() for path in SOURCE.glob("kassa/*/store/*.sql")]
    shown = {word for text in pages for word in re.findall(r"\.(\w+)", text)}
    asked = {word for text in statements for word in re.findall(r"\{\w+\.(\w+)\}", text)}
    texts = [path.read_text() for path in SOURCE.glob("kassa*/**/*.py")]
    placed = {word for text in texts for word in re.findall(r'"kassa[\w.]+:(\w+)"', text)}
    return shown | placed | {word.upper() for word in asked}


@cache
def _members_of_shapes(path: Path) -> set[int]:
    """The lines of what goes over a wire or is kept as a word: bodies, enumerations, protocols; and
    of the checks of a proof."""
    tree = ast.parse(path.read_text())
    classes = [node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    shapes: set[str] = {"StrEnum", "IntEnum", "Enum", "Protocol", "NamedTuple"}
    lines: set[int] = set()
    for node in classes:
        bases = {_last_name(base) for base in node.bases}
        if bases & shapes or any(_SHAPE.search(name) for name in bases):
            shapes.add(node.name)
            lines |= {
                line
                for part in node.body
                if isinstance(part, ast.Assign | ast.AnnAssign)
                for line in range(part.lineno, (part.end_lineno or part.lineno) + 1)
            }
        lines |= {
            part.lineno
            for part in node.body
            # Asked by `checks_of`: all that a class declares.
            if isinstance(part, ast.AnnAssign) and _last_name(part.annotation) == "Check"
        }
    return lines


def _last_name(node: ast.expr) -> str:
    return ast.unparse(node).partition("[")[0].rpartition(".")[2]


def _wrong() -> Iterator[str]:
    for path, line, name in unused():
        if name not in USED_ELSEWHERE and name not in EITHER_WAY:
            yield f"{path.relative_to(ROOT)}:{line}: nothing uses {name}"
    for name in sorted(USED_ELSEWHERE.keys() - {name for _, _, name in unused()}):
        yield f"{name} is used, or gone: take it from the list in {Path(__file__).name}"


def test_nothing_is_there_that_nothing_uses() -> None:
    wrong = list(_wrong())

    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("def f() -> int:\n    return 1\n", ["f"]),
        ("def f() -> int:\n    return 1\n\n\nA = f()\nprint(A)\n", []),
    ],
)
def test_dead_code_is_found(text: str, found: list[str], tmp_path: Path) -> None:
    (tmp_path / "module.py").write_text(text)
    scan = vulture.Vulture()
    scan.scavenge([str(tmp_path / "module.py")])

    assert [item.name for item in scan.get_unused_code()] == found
