"""Nothing waits without an end: no statement, no socket, no process, no queue.

What waits for something without saying how long stands in `ALLOWED`, with the reason.
"""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from tests.test_tidy import BESIDE, SOURCE, Module, at, listed, modules, texts

# Where connections to PostgreSQL are opened, each with its deadlines, and who may ask for one.
WIRE = "base/store/wire.py"
MAY_CONNECT = {WIRE, "base/store/db.py", "base/store/migrate.py", "cli/serving.py"}
# Begin and commit are theirs: everything else goes through Database.transaction.
MAY_COMMIT = {WIRE, "base/store/db.py", "base/store/migrate.py"}

# "path function: call" and why it may.
ALLOWED = {
    "cli/connections.py listen: asyncio.wait": "a server serves until it is told to stop",
    "cli/connections.py listen: stop.wait": "a server serves until it is told to stop",
    "cli/process.py serve_grpc: stop.wait": "a server serves until it is told to stop",
    "kassa_embedded/supervisor.py kill: self._process.wait": "the process has been killed",
    "kassa_embedded/supervisor.py wait: self._inbox.recv": "the socket does not block",
    "kassa_simulator/alone.py _serve: stop.wait": "a server serves until it is told to stop",
    "kassa_simulator/post.py send_all: asyncio.wait": "every letter has a deadline",
    "base/store/db.py _ended: asyncio.wait": "a COMMIT has none, and nobody waits for this one",
    "webhooks_out/usecases/deliver.py finish: asyncio.wait": "every letter has a deadline",
    "providers/usecases/fair_queue.py finish: asyncio.wait": "every question has a deadline",
    "reconciliation/usecases/reconcile.py _batches: asyncio.wait": "statements have deadlines",
    "reconciliation/usecases/report_pipeline.py _ended: asyncio.wait": "its statements do",
    "reconciliation/usecases/report_pipeline.py _done: asyncio.wait": "its statements do",
}


@dataclass(frozen=True)
class Found:
    """A node, and where it stands. `bounded`: within asyncio.timeout or wait_for."""

    path: str
    function: str
    node: ast.AST
    bounded: bool = False
    awaited: bool = False

    def __str__(self) -> str:
        return f"{self.path} {self.function}: {ast.unparse(self.node)[:60]}"


@cache
def code() -> list[Found]:
    """Every node of every module."""
    return [
        found for module in modules() for found in _within(Found(_path_of(module), "", module.tree))
    ]


def _path_of(module: Module) -> str:
    """Within the gateway's package; of the programs beside it with the package's own name."""
    is_ours = module.path.is_relative_to(SOURCE)
    return str(module.path.relative_to(SOURCE if is_ours else SOURCE.parent))


def _within(place: Found) -> Iterator[Found]:
    node = place.node
    bounded = place.bounded or _bounds(node)
    function = place.function
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        function, bounded = node.name, False
    for child in ast.iter_child_nodes(node):
        inside = Found(place.path, function, child, bounded, isinstance(node, ast.Await))
        yield inside
        yield from _within(inside)


def _bounds(node: ast.AST) -> bool:
    if isinstance(node, ast.AsyncWith):
        return any(ast.unparse(one).startswith("asyncio.timeout(") for one in node.items)
    wait_for = isinstance(node, ast.Call) and called(node) == "asyncio.wait_for"
    return wait_for and len(node.args) > 1  # type: ignore[attr-defined]


def calls() -> Iterator[tuple[Found, ast.Call]]:
    for found in code():
        if isinstance(found.node, ast.Call):
            yield found, found.node


def called(node: ast.Call) -> str:
    return ast.unparse(node.func)


def names(node: ast.Call, keyword: str) -> bool:
    return any(one.arg in (keyword, None) for one in node.keywords)


NEEDS_TIMEOUT = re.compile(
    r"(asyncio\.wait|subprocess\.(run|call|check_call|check_output)|(\w+\.)*urlopen"
    r"|(aiohttp\.)?ClientSession|socket\.create_connection)"
)
NO_ARGUMENTS_NO_END = re.compile(r".*\.(wait|communicate|join|acquire)")
NEVER_BY_ITSELF = re.compile(r"asyncio\.open_(unix_)?connection|.*\.(recv|accept)")


def _waits(node: ast.Call, *, awaited: bool) -> bool:
    name = called(node)
    if NEEDS_TIMEOUT.fullmatch(name):
        return not names(node, "timeout")
    if NO_ARGUMENTS_NO_END.fullmatch(name) or (awaited and name.endswith(".get")):
        return not node.args and not names(node, "timeout")
    return bool(NEVER_BY_ITSELF.fullmatch(name))


def test_whatever_waits_says_how_long() -> None:
    found = {
        f"{one.path} {one.function}: {called(node)}"
        for one, node in calls()
        if not one.bounded and _waits(node, awaited=one.awaited)
    }

    assert not found - set(ALLOWED), listed(found - set(ALLOWED))
    assert not set(ALLOWED) - found, "these wait no more:" + listed(set(ALLOWED) - found)


def test_connections_to_the_database_are_opened_with_their_deadlines() -> None:
    opens = re.compile(r"asyncpg\.(.*\.)?(connect|create_pool|Connection|Pool)")
    wrong = [
        str(one)
        for one, node in calls()
        if (opens.fullmatch(called(node)) and one.path != WIRE)
        or (called(node) in ("wire.connect", "Wire") and one.path not in MAY_CONNECT)
    ]

    assert not wrong, f"Database does that:{listed(wrong)}"


def test_no_statement_is_without_its_deadline() -> None:
    wrong = [
        str(one)
        for one, node in calls()
        for keyword in node.keywords
        if keyword.arg in ("timeout", "command_timeout") and ast.unparse(keyword.value) == "None"
    ]

    assert not wrong, listed(wrong)


def test_only_the_database_begins_and_commits() -> None:
    ends = re.compile(r"\s*(begin|commit|start|end|prepare transaction)\b.*", re.IGNORECASE)
    wrong = []
    for one, node in calls():
        name = called(node)
        sqlite = one.path.startswith(("kassa_simulator/", "connectors/sandbox/"))  # on this disk
        if sqlite or one.path in MAY_COMMIT:
            continue
        said = node.args[0].value if node.args and isinstance(node.args[0], ast.Constant) else ""
        by_hand = name.endswith((".execute", ".fetch", ".fetchval")) and ends.fullmatch(str(said))
        if by_hand or name.endswith("connection.transaction"):
            wrong.append(str(one))

    assert not wrong, f"Database.transaction does that:{listed(wrong)}"


def test_nothing_turns_durable_commits_off() -> None:
    sets = re.compile(r"\bset\b[^;]{0,40}\bsynchronous_commit\b", re.IGNORECASE)
    words = SOURCE / "base" / "store" / "server.py"  # says how to turn it on
    wrong = [
        at(path, number)
        for path, text in texts().items()
        if any(path.is_relative_to(package) for package in (SOURCE, *BESIDE))
        and path.suffix in {".py", ".sql"}
        and path != words
        for number, line in enumerate(text.splitlines(), 1)
        if sets.search(line)
    ]

    assert not wrong, listed(wrong)
