"""The house rules that a machine can check. A rule without a check is not kept."""

import ast
import re
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest
from tests import patterns

from kassa.base.store.statuses import NOUNS

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src" / "kassa"
# Programs beside it, which it starts.
BESIDE = (ROOT / "src" / "kassa_simulator", ROOT / "src" / "kassa_embedded")

MAX_FILE_LINES = 500
MAX_FUNCTION_LINES = 70
MAX_LINE_LENGTH = 100

# Made by tools or at run time, and not ours to keep tidy.
NOT_OURS = {
    ".git",
    ".venv",
    ".kassa",
    "__pycache__",
    ".hypothesis",
    ".mutants",
    "moego",
    "kassa_protos",
    "build",
    "dist",
}
CODE = {".py", ".sql", ".proto", ".html", ".css", ".js"}
NARROW = {".py", ".sql", ".proto"}

FLOORS = ("domain", "store", "usecases")
"""Of each room, from the ground up."""
# Where amounts pass through. Elsewhere a float is a duration.
NEAR_MONEY = (*FLOORS, "faces", "connectors")
# On a line, or above a block of lines, whose numbers are durations.
DURATION = "# seconds, not money"

# Where what the type checker does not see would move money.
TYPED = FLOORS
# Functions that still take names which nobody checks. None is added; one that went is struck out.
TAKE_ANY_NAME = {
    "base/domain/copying.py replace",  # for a checker it is that of dataclasses
    "base/store/wire.py __init__",  # what the driver hands to a connection it makes
}

# What starts by itself: the command, what its child processes name in their arguments, and what
# draws the papers' pictures and tables.
ENTRY_POINTS = {
    "kassa",
    "kassa.cli",
    "kassa.cli.__main__",
    "kassa.diagrams",
    "kassa.provider_table",
}

# Pieced together, so that this file does not say what it forbids.
FORBIDDEN = (
    "pypi" + ".org",
    "pythonhosted" + ".org",
    "npmjs" + ".org",
    "npmjs" + ".com",
    "golang" + ".org",
    "crates" + ".io",
    "/wo" + "rk/",
)


@dataclass(frozen=True)
class Module:
    path: Path
    name: str
    lines: list[str]
    tree: ast.Module


@cache
def texts() -> dict[Path, str]:
    """Every text file of the tree that is ours."""
    found = {}
    for path in _walk(ROOT):
        try:
            found[path] = path.read_text()
        except UnicodeDecodeError:
            continue  # a picture
    return found


def _walk(directory: Path) -> Iterator[Path]:
    for entry in sorted(directory.iterdir()):
        if entry.name in NOT_OURS or entry.name.endswith(("_cache", ".egg-info")):
            continue
        if entry.is_dir() and not entry.is_symlink():
            yield from _walk(entry)
        elif entry.is_file():
            yield entry


@cache
def trees() -> dict[Path, ast.Module]:
    """Every Python file of the tree, parsed."""
    return {path: ast.parse(text) for path, text in texts().items() if path.suffix == ".py"}


@cache
def modules() -> list[Module]:
    """The modules of the packages."""
    found = []
    for path, tree in trees().items():
        if any(path.is_relative_to(package) for package in (SOURCE, *BESIDE)):
            parts = path.relative_to(SOURCE.parent).with_suffix("").parts
            name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
            found.append(Module(path, name, texts()[path].splitlines(), tree))
    return found


def _on(floors: Iterable[str], path: Path) -> bool:
    """Whether it is on one of these floors of a room, or in a folder of that name beside them."""
    if not path.is_relative_to(SOURCE):
        return False
    return not set(path.relative_to(SOURCE).parts[:2]).isdisjoint(floors)


def at(path: Path, line: int = 0) -> str:
    where = str(path.relative_to(ROOT))
    return f"{where}:{line}" if line else where


def listed(wrong: Iterable[str]) -> str:
    return "".join(f"\n  {line}" for line in sorted(wrong))


def test_no_file_is_too_long() -> None:
    sizes = {path: text.count("\n") for path, text in texts().items() if path.suffix in CODE}

    wrong = [f"{at(path)}: {size} lines" for path, size in sizes.items() if size > MAX_FILE_LINES]
    assert not wrong, listed(wrong)


def test_no_line_is_too_long() -> None:
    wrong = [
        at(path, number)
        for path, text in texts().items()
        if path.suffix in NARROW
        for number, line in enumerate(text.splitlines(), 1)
        if len(line) > MAX_LINE_LENGTH
    ]

    assert not wrong, listed(wrong)


def test_no_function_is_too_long() -> None:
    wrong = []
    for path, tree in trees().items():
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                length = (node.end_lineno or node.lineno) - node.lineno + 1
                if length > MAX_FUNCTION_LINES:
                    wrong.append(f"{at(path, node.lineno)} {node.name}: {length} lines")

    assert not wrong, listed(wrong)


def test_nothing_is_left_to_do_without_an_issue_that_says_what() -> None:
    unfinished = re.compile(r"\b(TO" r"DO|FIX" r"ME)\b(?!\(#\d+\))")

    wrong = [
        at(path, number)
        for path, text in texts().items()
        if path.suffix in CODE
        for number, line in enumerate(text.splitlines(), 1)
        if unfinished.search(line)
    ]

    assert not wrong, listed(wrong)


def test_no_float_comes_near_money() -> None:
    wrong = []
    for module in modules():
        if not _on(NEAR_MONEY, module.path):
            continue
        durations = _duration_lines(module.lines)
        wrong += [
            at(module.path, line)
            for line in _lines_with_floats(module.tree)
            if line not in durations
        ]

    assert not wrong, f"say {DURATION!r} there, if that is what they are:{listed(wrong)}"


def _lines_with_floats(tree: ast.Module) -> Iterator[int]:
    for node in ast.walk(tree):
        match node:
            case ast.Constant(value=float() | complex()):
                yield node.lineno
            case ast.Call(func=ast.Name(id="float" | "round")):
                yield node.lineno


def _duration_lines(lines: list[str]) -> set[int]:
    """The numbers of the lines marked, and of those between a mark of its own and a blank line."""
    marked, in_block = set(), False
    for number, line in enumerate(lines, 1):
        in_block = (in_block and bool(line.strip())) or line.strip().startswith(DURATION)
        if in_block or DURATION in line:
            marked.add(number)
    return marked


def test_a_connection_is_typed_wherever_it_goes() -> None:
    wrong = [
        at(path, argument.lineno)
        for path, tree in trees().items()
        for function in _functions(tree)
        for argument in _arguments(function)
        if argument.arg in ("connection", "lane")
        and (argument.annotation is None or _is_untyped(argument.annotation))
    ]

    assert not wrong, f"say Connection, of base/store/connection.py:{listed(wrong)}"


def test_no_rule_takes_a_name_that_no_checker_knows() -> None:
    found = {
        f"{module.path.relative_to(SOURCE)} {function.name}"
        for module in modules()
        if _on(TYPED, module.path)
        for function in _functions(module.tree)
        if function.args.kwarg is not None
        and (function.args.kwarg.annotation is None or _is_untyped(function.args.kwarg.annotation))
    }

    assert not found - TAKE_ANY_NAME, f"name what it takes:{listed(found - TAKE_ANY_NAME)}"
    assert not TAKE_ANY_NAME - found, f"gone, so strike it out:{listed(TAKE_ANY_NAME - found)}"


def _functions(tree: ast.Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def _arguments(function: ast.FunctionDef | ast.AsyncFunctionDef) -> list[ast.arg]:
    return [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]


def _is_untyped(annotation: ast.expr) -> bool:
    return ast.unparse(annotation) in ("Any", "object")


def test_no_pattern_can_be_made_to_run_for_long_by_what_it_reads() -> None:
    wrong = [
        f"{at(module.path, line)}: {complaint}"
        for module in modules()
        for line, pattern, flags in patterns.in_source(module.tree)
        if (complaint := patterns.complaint(pattern, flags))
    ]

    assert not wrong, f"bound the repeats, or make them possessive:{listed(wrong)}"


@pytest.mark.parametrize(
    ("pattern", "sound"),
    [
        (r"[a-z]{1,64}", True),
        (r"key_\w++", True),
        (r"(?>(?:\.[a-z]{1,9}+){0,99})", True),
        (r"(?:\.[a-z]{1,9}+){0,99}+", False),
        (r"\d+", False),
        (r".*?end", False),
        (r"a{2,}", False),
        (r"\w++@", False),
        (r"(?=\w++)a", False),
        (r"(?:[a-z]{1,9}){1,9}", False),
        (r"a{1,99}a{1,99}b", False),
    ],
)
def test_a_pattern_is_sound_when_its_work_is_bounded(pattern: str, sound: bool) -> None:
    assert (patterns.complaint(pattern) == "") is sound


def test_every_module_is_used_by_something() -> None:
    names = {module.name for module in modules()}
    used = set(ENTRY_POINTS)
    for module in modules():
        used |= {name for name in _named_in(module) & names if name != module.name}
    # A package is used when something inside it is.
    used |= {parent for name in used for parent in _parents(name)}

    assert not names - used, listed(names - used)


def _named_in(module: Module) -> set[str]:
    """What a module imports, and what it names in a string, as "kassa.app:make" for a server."""
    found = set()
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                inside = module.name.split(".")
                if module.path.name != "__init__.py":
                    inside = inside[:-1]
                inside = inside[: len(inside) - node.level + 1]
                base = ".".join([*inside, *([node.module] if node.module else [])])
            found |= {base} | {f"{base}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            found.add(node.value.partition(":")[0])
    return found


def _parents(name: str) -> Iterator[str]:
    while "." in name:
        name = name.rpartition(".")[0]
        yield name


# Where nouns change by the tables of base/domain/lifecycle.py, and where the past is told again.
# What facts make of them is looked up in the tables by payments/domain/aggregate.py.
CHANGES_STATUS = {
    "payments/domain/evolution_of_changes.py",
    "payments/domain/evolution_of_charges.py",
    "payments/domain/state.py",
    "payments/domain/modifications.py",
    "orders/domain/orders.py",
    "payments/domain/payments.py",
    "settlement/domain/settlements.py",
    "payments/domain/replay.py",
    "payments/usecases/explain.py",
}


def test_a_status_is_set_only_where_a_table_is_asked() -> None:
    wrong = [
        at(module.path, line)
        for module in modules()
        if _on(NEAR_MONEY, module.path)
        and str(module.path.relative_to(SOURCE)) not in CHANGES_STATUS
        for line in _lines_that_replace_a_status(module.tree)
    ]

    assert not wrong, f"say `become`, which asks the table:{listed(wrong)}"


def test_a_status_that_is_replaced_by_hand_is_found() -> None:
    tree = ast.parse("a = replace(order, status=PAID)\nb = order.become(PAID)\nc = Order(status=1)")

    assert [*_lines_that_replace_a_status(tree)] == [1]


def _lines_that_replace_a_status(tree: ast.Module) -> Iterator[int]:
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Name(id="replace"), keywords=given):
                if any(one.arg == "status" for one in given):
                    yield node.lineno


# A kind of modification is a kind of posting too, and those are SQL's own.
_STATUS_IN_SQL = re.compile(
    "'({})'".format(
        "|".join(
            sorted({word for noun, kind in NOUNS.items() if noun[-5:] != "_kind" for word in kind})
        )
    )
)


def test_no_statement_spells_a_status_itself() -> None:
    wrong = [
        f"{at(path, line)}: {word}"
        for path, text in texts().items()
        if _on(("store",), path) and "migrations" not in path.parts
        for line, word in _statuses_in_sql(path.suffix, text)
    ]

    assert not wrong, f"base/store/statuses.py has them as text:{listed(wrong)}"


@pytest.mark.parametrize(
    ("suffix", "text", "found"),
    [
        (".py", "A = \"select 1 where status in ('paid', 'gone')\"", [(1, "paid")]),
        (".py", 'A = f"""where {x}\n and status = \'in_doubt\'"""', [(1, "in_doubt")]),
        (".sql", "select 1\nwhere status <> 'won'", [(2, "won")]),
        (".py", "A = f\"status = {one(PAID)}\"; B = 'paid'; C = \"kind = 'capture'\"", []),
        (".py", '"""A docstring of what is \'paid\'."""', []),
    ],
)
def test_a_status_in_a_statement_is_found(
    suffix: str, text: str, found: list[tuple[int, str]]
) -> None:
    assert [*_statuses_in_sql(suffix, text)] == found


def _statuses_in_sql(suffix: str, text: str) -> Iterator[tuple[int, str]]:
    if suffix == ".sql":
        for number, line in enumerate(text.splitlines(), 1):
            yield from ((number, word) for word in _STATUS_IN_SQL.findall(line))
    elif suffix == ".py":
        tree = ast.parse(text)
        prose = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                words = [] if id(node) in prose else _STATUS_IN_SQL.findall(node.value)
                yield from ((node.lineno, word) for word in words)


@pytest.mark.parametrize(
    "paper",
    ["ARCHITECTURE.md", "README.md"]
    + [f"docs/{name}.md" for name in ("states", "ledger", "requests", "security")],
)
def test_every_path_a_paper_names_exists(paper: str) -> None:
    assert (ROOT / paper).is_file(), f"{paper} is not written yet"
    text = (ROOT / paper).read_text()

    named = {name for name in re.findall(r"`([^`\s]+)`", text) if _looks_like_a_path(name)}
    named |= {
        link.partition("#")[0]
        for link in re.findall(r"\]\(([^)\s]+)\)", text)
        if not re.match(r"[a-z]+:|#", link)
    }

    bases = (ROOT, ROOT / "src", SOURCE, (ROOT / paper).parent)
    missing = [name for name in named if not any((base / name).exists() for base in bases)]
    assert not missing, listed(missing)


def _looks_like_a_path(name: str) -> bool:
    if name.startswith(("/", ".kassa", ".venv")) or not re.fullmatch(r"[\w.\-/]+", name):
        return False  # an address on the wire, made at run time, or a pattern
    suffixes = r"\.(py|md|sql|toml|proto|json|lock|csv|html|css|js|png|svg)"
    return "/" in name and bool(re.search(rf"(/|{suffixes})$", name))


def test_a_room_has_its_floors_and_stands_in_the_lists_of_each() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    named = {
        name
        for contract in contracts["contracts"]
        if contract["name"].startswith("Between rooms")
        for layer in contract["layers"]
        for name in layer.split(" | ")
    }
    rooms = {path.parent for floor in FLOORS for path in SOURCE.glob(f"*/{floor}/")}
    there = {
        f"kassa.{room.name}.{floor}"
        for room in rooms
        for floor in FLOORS
        if (room / floor / "__init__.py").exists()
    }
    beside = [
        at(path)
        for room in rooms
        for path in room.iterdir()
        if path.name not in {*FLOORS, "__init__.py", "README.md", "__pycache__"}
    ]

    assert named == there
    assert not beside, f"what stands in a room stands on one of its floors:{listed(beside)}"


def test_every_face_has_its_contract_in_one_folder() -> None:
    faces = [path for path in (SOURCE / "faces").iterdir() if path.is_dir()]
    faces = [path for path in faces if path.name != "__pycache__"]

    missing = [
        at(face / part)
        for face in sorted(faces)
        for part in ("README.md", "contract.py", "handlers.py", "examples")
        if not (face / part).exists()
    ]

    assert not missing, listed(missing)


def test_nothing_names_the_machine_or_the_mirror_it_was_made_on() -> None:
    wrong = [
        f"{at(path)}: {word}"
        for path, text in texts().items()
        for word in FORBIDDEN
        if word in text
    ]

    assert not wrong, listed(wrong)
