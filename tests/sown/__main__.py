"""`python -m tests.sown [WORD…]` sows the bugs whose name, or list, has one of the words, or all of
them, one after the other, and says which were noticed. `--list` only says which there are."""

import sys
import tempfile
import time
from pathlib import Path

from tests.sown.lists import LISTS
from tests.sown.sowing import Field


def main(words: list[str]) -> int:
    only_told = "--list" in words
    words = [word for word in words if word != "--list"]
    chosen = [
        mutation
        for part, mutations in LISTS.items()
        for mutation in mutations
        if not words or part in words or any(word in mutation.name for word in words)
    ]
    if only_told:
        for mutation in chosen:
            print(f"{mutation.name}: {mutation.test}")
        return 0
    survivors = 0
    with tempfile.TemporaryDirectory(prefix="kassa-sown-") as folder:
        field = Field(Path(folder))
        for mutation in chosen:
            began = time.monotonic()
            noticed = field.notices(mutation)
            survivors += not noticed
            verdict = "noticed " if noticed else "SURVIVED"
            print(f"{verdict}  {mutation.name}  ({time.monotonic() - began:.0f} s)", flush=True)
    print(f"{len(chosen)} sown, {survivors} survived")
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
