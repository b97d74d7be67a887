"""Ids that are made in copies of one process."""

import subprocess
import sys

_COPIES = """\
import os
from kassa.base.usecases.ids import new_id
new_id("before")  # the pool of random characters is filled
for _ in range(2):
    pid = os.fork()
    if not pid:
        print(*[new_id("py")[-16:] for _ in range(50)], flush=True)
        os._exit(0)
    os.waitpid(pid, 0)
print(*[new_id("py")[-16:] for _ in range(50)])
"""


def test_two_copies_of_a_process_make_different_ids() -> None:
    said = subprocess.run(
        [sys.executable, "-c", _COPIES], capture_output=True, text=True, check=True
    )

    made = said.stdout.split()
    assert len(made) == len(set(made)) == 150
