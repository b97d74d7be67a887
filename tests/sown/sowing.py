"""Bugs sown on purpose: each takes a guard away, and a test must fail for it."""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
_SECONDS = 180
_COPIED = ("src", "tests", "protos", "bench", "pyproject.toml", "docs", "README.md", "Makefile")


@dataclass(frozen=True)
class Edit:
    """`file`: under src/kassa. `text` stands in it once."""

    file: str
    text: str
    instead: str


@dataclass(frozen=True)
class Mutation:
    """`test`: what must fail, as pytest names it."""

    name: str
    test: str
    edits: tuple[Edit, ...]


def one(name: str, test: str, *edits: tuple[str, str, str]) -> Mutation:
    return Mutation(name, test, tuple(Edit(*edit) for edit in edits))


def faults(mutation: Mutation, root: Path = ROOT) -> list[str]:
    """What keeps it from being sown: edits whose text does not stand in its file exactly once, or
    that leave no Python; and a test that there is not."""
    wrong = []
    sown: dict[str, str] = {}
    for edit in mutation.edits:
        text = sown.get(edit.file) or (root / "src/kassa" / edit.file).read_text()
        if (found := text.count(edit.text)) != 1:
            wrong.append(f"{mutation.name}: {found} times in {edit.file}: {edit.text!r}")
        sown[edit.file] = text.replace(edit.text, edit.instead)
    for file, text in sown.items():
        if file.endswith(".py"):
            try:
                compile(text, file, "exec", dont_inherit=True)
            except SyntaxError as error:
                wrong.append(f"{mutation.name}: {file} is no Python any more: {error}")
    file, *_, test = mutation.test.split("::")
    name = test.partition("[")[0]
    if not (root / file).exists() or f"def {name}(" not in (root / file).read_text():
        wrong.append(f"{mutation.name}: there is no {mutation.test}")
    return wrong


class Field:
    """A copy of the tree, in which one bug after another is sown and taken out again."""

    def __init__(self, tree: Path):
        self._tree = tree
        tree.chmod(0o755)
        for name in _COPIED:
            # With what was compiled: its sources keep their times.
            if (ROOT / name).is_dir():
                shutil.copytree(
                    ROOT / name, tree / name, ignore=shutil.ignore_patterns("*.egg-info")
                )
            elif (ROOT / name).exists():
                shutil.copy2(ROOT / name, tree / name)

    def notices(self, mutation: Mutation) -> bool:
        """Whether its test fails; raises when that could not run."""
        paths = [self._tree / "src/kassa" / edit.file for edit in mutation.edits]
        kept = {path: path.read_text() for path in paths}
        try:
            for path, edit in zip(paths, mutation.edits, strict=True):
                path.write_text(path.read_text().replace(edit.text, edit.instead))
            return self._fails(mutation.test)
        finally:
            for path, text in kept.items():
                path.write_text(text)

    def _fails(self, test: str) -> bool:
        try:
            done = subprocess.run(
                [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", test],
                cwd=self._tree,
                env={**os.environ, "PYTHONPATH": str(self._tree / "src")},
                capture_output=True,
                text=True,
                timeout=_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return True  # what has no end does not pass
        assert done.returncode in (0, 1), done.stdout + done.stderr
        # Neither skipped, nor ended before the test was asked.
        assert " passed" in done.stdout or " failed" in done.stdout, done.stdout
        return done.returncode == 1
