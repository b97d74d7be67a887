"""`kassa connectors`: what is listed, and a new one written into a copy of the tree."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from kassa.connectors.catalog import kinds

ROOT = Path(__file__).parent.parent.parent
COPIED = (
    "src/kassa",
    "src/kassa_simulator",
    "src/kassa_embedded",
    "src/kassa_protos",
    "src/moego",
    "tests",
    "pyproject.toml",
)
BLANKS = {
    "connector.py": "src/kassa/connectors/acme",
    "words.py": "src/kassa/connectors/acme",
    "protocol.py": "src/kassa_simulator/acme",
    "plug.py": "tests/connectors/acme",
    "test_words.py": "tests/connectors/acme",
}
"""What somebody writes who knows Acme, and where it goes."""
TAKEN = ("stripe", "sandbox", "reports", "base", "contract", "simulator", "wire")
NO_NAMES = ("", "Stripe", "a", "9pay", "pay-pal", "../up", "class", "x" * 21)
NO_TITLES = ('"', "$name", "x" * 21, "a\\b", "line\nbreak")
Refused = dict[tuple[str, ...], tuple[int, str]]
MINUTES = 5 * 60
QUIETLY = ("-p", "no:cacheprovider", "-p", "no:xdist")


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """As much of a source checkout as a connector needs."""
    copy = tmp_path_factory.mktemp("checkout")
    for name in COPIED:
        place = copy / name
        place.parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, place, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, place)
    yield copy
    shutil.rmtree(copy)


@pytest.fixture
def known_types(checkout: Path) -> None:
    """What `make check` has found out about the other modules, where it has run."""
    found = ROOT / ".mypy_cache"
    if found.is_dir():
        shutil.copytree(found, checkout / ".mypy_cache", dirs_exist_ok=True)


def environment(checkout: Path, beside: Path | None = None) -> dict[str, str]:
    paths = [checkout / "src", checkout, *([beside] if beside else [])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, paths))}


def run(
    checkout: Path, *arguments: str, beside: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """`beside`: where another package is installed."""
    return subprocess.run(
        [sys.executable, "-m", *arguments],
        cwd=checkout,
        env=environment(checkout, beside),
        capture_output=True,
        text=True,
        timeout=MINUTES,
        check=False,
    )


def new(checkout: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return run(checkout, "kassa.cli", "connectors", "new", *arguments)


@pytest.fixture(scope="module")
def refused(checkout: Path) -> Refused:
    """What each of these ends with, and says; typed one after the other into one process, for its
    start takes longer than all of them."""
    typed = [(name,) for name in (*TAKEN, *NO_NAMES)]
    typed += [("titled", "--title", title) for title in NO_TITLES]
    program = f"typed = {[['kassa', 'connectors', 'new', *one] for one in typed]}\n{_EACH}"
    told = subprocess.run(
        [sys.executable, "-c", program],
        cwd=checkout,
        env=environment(checkout),
        capture_output=True,
        text=True,
        timeout=MINUTES,
        check=True,
    )
    return {one: tuple(said) for one, said in zip(typed, json.loads(told.stdout), strict=True)}


_EACH = """
import contextlib, io, json, sys
from kassa.cli import main
told = []
for sys.argv in typed:
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):
            main()
    except SystemExit as ended:
        told.append([ended.code, said.getvalue()])
json.dump(told, sys.stdout)
"""


def test_the_connectors_are_listed_with_what_they_can_do(checkout: Path) -> None:
    listed = run(checkout, "kassa.cli", "connectors", "list")

    assert listed.returncode == 0
    for kind in kinds().values():
        assert f"\n{kind.name}: {kind.title}" in f"\n{listed.stdout}"
    assert "can: charge, close, query, refund, report, test\n" in listed.stdout


def test_new_connectors_pass_the_checks_of_the_house(checkout: Path) -> None:
    folders = []
    for name in ("adyen", "gulf_pay", "z9"):  # before, among and after the house's own modules
        made = new(checkout, name, "--title", "New Pay of 20 Signs.")
        assert made.returncode == 0, made.stderr
        assert f"src/kassa/connectors/{name}/connector.py" in made.stdout.splitlines()
        folders += [
            f"src/kassa/connectors/{name}",
            f"src/kassa_simulator/{name}",
            f"tests/connectors/{name}",
        ]

    for check in (["ruff", "check"], ["ruff", "format", "--check"]):
        checked = run(checkout, *check, *folders)
        assert checked.returncode == 0, checked.stdout
    tested = run(checkout, "pytest", "-q", *QUIETLY, *folders[2::3])
    assert tested.returncode == 0, tested.stdout
    listed = run(checkout, "kassa.cli", "connectors", "list")
    assert "gulf_pay: New Pay of 20 Signs.\n  can: charge, query\n" in listed.stdout


@pytest.mark.usefixtures("known_types")
def test_a_new_connector_has_its_types_right_and_passes_the_contract_suite_as_it_is(
    checkout: Path,
) -> None:
    name = "typed_pay"
    assert new(checkout, name).returncode == 0

    typed = run(checkout, "mypy", f"src/kassa/connectors/{name}", f"src/kassa_simulator/{name}")
    assert typed.returncode == 0, typed.stdout
    tested = run(checkout, "pytest", "-q", *QUIETLY, "tests/connectors/contract", "-k", name)
    assert tested.returncode == 0, tested.stdout
    assert passed(tested.stdout) > 50


def test_who_fills_the_blanks_is_done_when_the_suite_passes_and_touches_nothing_else(
    checkout: Path,
) -> None:
    """The generator's own last line says what has to pass."""
    before = contents(checkout)
    made = new(checkout, "acme", "--title", "Acme")
    assert made.returncode == 0, made.stderr
    for name, folder in BLANKS.items():
        assert (checkout / folder / name).exists(), f"the generator makes no {folder}/{name}"
        shutil.copy(ROOT / "tests" / "cli" / "acme" / name, checkout / folder / name)
    promise = made.stdout.splitlines()[-1].partition("It is done when this passes: python -m ")[2]

    done = run(checkout, *promise.split(), "-q", *QUIETLY)

    assert done.returncode == 0, done.stdout
    assert passed(done.stdout) > 110
    listed = run(checkout, "kassa.cli", "connectors", "list")
    assert "acme: Acme\n  can: charge, query, refund\n" in listed.stdout
    after = contents(checkout)
    assert {path for path in before if after.get(path) != before[path]} == set()
    folders = {str(path.parent) for path in set(after) - set(before)}
    assert folders == set(BLANKS.values())


KIND_OF_A_PACKAGE = """
from kassa.connectors.kind import Kind
from kassa.payments.domain.payments import Method

KIND = Kind(
    name="elsewhere",
    title="Elsewhere",
    connector="pay_elsewhere:Connector",
    fields=(),
    methods=frozenset({Method.CREDIT_CARD}),
    currencies=frozenset({"USD"}),
    takes=frozenset({"redirect"}),
)


class Connector:
    async def charge(self, request): ...


class Played:
    name = "elsewhere"


PROTOCOL = Played()
"""


def test_a_connector_of_an_installed_package_is_listed_and_played(
    checkout: Path, tmp_path: Path
) -> None:
    (tmp_path / "pay_elsewhere.py").write_text(KIND_OF_A_PACKAGE)
    about = tmp_path / "pay_elsewhere-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: pay-elsewhere\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text(
        "[kassa.connectors]\nelsewhere = pay_elsewhere:KIND\nbroken = pay_nowhere:KIND\n"
        "[kassa.simulator]\nelsewhere = pay_elsewhere:PROTOCOL\n"
    )
    listed = run(checkout, "kassa.cli", "connectors", "list", beside=tmp_path)
    asked = "from kassa_simulator.protocols import protocols; print(*protocols())"
    played = run(checkout, "timeit", "-n1", "-r1", asked, beside=tmp_path)

    assert listed.returncode == 0, listed.stderr
    assert "elsewhere: Elsewhere\n  can: charge, query\n" in listed.stdout
    assert "stripe: Stripe\n" in listed.stdout
    assert "pay_nowhere:KIND" in listed.stdout + listed.stderr
    assert "elsewhere" in played.stdout.split()


def contents(checkout: Path) -> dict[Path, bytes]:
    return {
        path.relative_to(checkout): path.read_bytes()
        for path in checkout.rglob("*")
        if path.is_file() and not re.search(r"__pycache__|_cache/|\.hypothesis/", str(path))
    }


def passed(told: str) -> int:
    found = re.search(r"(\d+) passed", told)
    return int(found[1]) if found else 0


@pytest.mark.parametrize("name", TAKEN)
def test_a_name_that_is_there_is_refused(refused: Refused, name: str) -> None:
    assert refused[name,] == (2, f"kassa: {name!r} is taken: choose another name\n")


@pytest.mark.parametrize("name", NO_NAMES)
def test_a_name_that_is_none_is_refused(refused: Refused, name: str) -> None:
    status, said = refused[name,]

    assert status == 2
    assert said.startswith(f"kassa: {name!r} cannot be the name of a connector: ")
    assert said.count("\n") == 1


@pytest.mark.parametrize("title", NO_TITLES)
def test_a_title_that_would_break_the_source_is_refused(
    checkout: Path, refused: Refused, title: str
) -> None:
    assert refused["titled", "--title", title][0] == 2
    assert not (checkout / "src" / "kassa" / "connectors" / "titled").exists()


def test_where_kassa_is_only_installed_it_says_so(checkout: Path) -> None:
    tests, aside = checkout / "tests", checkout / "aside"
    tests.rename(aside)
    try:
        refused = new(checkout, "another")
    finally:
        aside.rename(tests)

    assert refused.returncode == 2
    assert "source checkout" in refused.stderr
    assert not (checkout / "src" / "kassa" / "connectors" / "another").exists()
