"""Whatever a command does to the books, they name whoever ran it, in one way."""

import re
from pathlib import Path

import kassa

_NAMED = re.compile(r"""["']operator:""")


def test_no_command_names_an_operator_of_its_own() -> None:
    source = Path(kassa.__file__).parent
    # What faces read in an actor is not theirs to name.
    named = {
        str(path.relative_to(source)): len(_NAMED.findall(path.read_text()))
        for path in source.rglob("*.py")
        if "faces" not in path.parts and _NAMED.search(path.read_text())
    }

    # whoever_asks itself, and `kassa record --by`.
    assert named == {"cli/running.py": 1, "cli/recording.py": 1}
