"""`kassa connectors`: what is listed, and a new one written into a copy of the tree."""

import os
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
    "tests/connectors",
    "tests/simulator",
    "pyproject.toml",
)
MINUTES = 5 * 60


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


def run(checkout: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": f"{checkout / 'src'}{os.pathsep}{checkout}"}
    return subprocess.run(
        [sys.executable, "-m", *arguments],
        cwd=checkout,
        env=environment,
        capture_output=True,
        text=True,
        timeout=MINUTES,
        check=False,
    )


def new(checkout: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return run(checkout, "kassa.cli", "connectors", "new", *arguments)


def test_the_connectors_are_listed_with_what_they_can_do(checkout: Path) -> None:
    listed = run(checkout, "kassa.cli", "connectors", "list")

    assert listed.returncode == 0
    for kind in kinds().values():
        assert f"\n{kind.name}: {kind.title}" in f"\n{listed.stdout}"
    assert "can: charge, close, query, refund, report, test\n" in listed.stdout


@pytest.mark.parametrize("name", ["adyen", "gulf_pay", "z9"])
def test_a_new_connector_passes_the_checks_of_the_house(checkout: Path, name: str) -> None:
    made = new(checkout, name, "--title", "New Pay")
    folders = [f"src/kassa/connectors/{name}", f"tests/connectors/{name}"]

    assert made.returncode == 0, made.stderr
    assert f"{folders[0]}/connector.py" in made.stdout.splitlines()
    for check in (["ruff", "check"], ["ruff", "format", "--check"]):
        checked = run(checkout, *check, *folders)
        assert checked.returncode == 0, checked.stdout
    tested = run(checkout, "pytest", "-q", "-p", "no:cacheprovider", folders[1])
    assert tested.returncode == 0, tested.stdout
    listed = run(checkout, "kassa.cli", "connectors", "list")
    assert f"{name}: New Pay\n  can: charge, query\n" in listed.stdout


def test_a_new_connector_has_its_types_right_and_its_place_in_the_contract_suite(
    checkout: Path,
) -> None:
    name = "typed_pay"
    assert new(checkout, name).returncode == 0

    typed = run(checkout, "mypy", f"src/kassa/connectors/{name}")
    assert typed.returncode == 0, typed.stdout
    suite = "tests/connectors/contract"
    collected = run(checkout, "pytest", "-q", "--collect-only", suite, "-k", name)
    assert collected.returncode == 0, collected.stdout
    assert f"[asyncio-{name}-page-reset_after]" in collected.stdout


@pytest.mark.parametrize("name", ["stripe", "sandbox", "reports", "base", "contract", "simulator"])
def test_a_name_that_is_there_is_refused(checkout: Path, name: str) -> None:
    refused = new(checkout, name)

    assert refused.returncode == 2
    assert refused.stderr == f"kassa: {name!r} is taken: choose another name\n"


@pytest.mark.parametrize("name", ["", "Stripe", "a", "9pay", "pay-pal", "../up", "class", "x" * 21])
def test_a_name_that_is_none_is_refused(checkout: Path, name: str) -> None:
    refused = new(checkout, name)

    assert refused.returncode == 2
    assert refused.stderr.startswith(f"kassa: {name!r} cannot be the name of a connector: ")
    assert refused.stderr.count("\n") == 1


@pytest.mark.parametrize("title", ['"', "$name", "x" * 21, "a\\b", "line\nbreak"])
def test_a_title_that_would_break_the_source_is_refused(checkout: Path, title: str) -> None:
    refused = new(checkout, "titled", "--title", title)

    assert refused.returncode == 2
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
