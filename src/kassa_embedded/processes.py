"""What we ask the operating system about processes: children that die with us, who lives where."""

import contextlib
import ctypes
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

_PR_SET_PDEATHSIG = 1  # <linux/prctl.h>
ON_LINUX = sys.platform.startswith("linux")


def die_with_parent(death_signal: signal.Signals) -> Callable[[], None]:
    """Return a `preexec_fn` that has the kernel send `death_signal` when the parent is gone.

    It is safe beside other threads: all that takes a lock is done before the fork.
    The signal belongs to the *thread* that started the child, so start children from a thread
    that lives as long as they shall: the main one. Changing user forgets it; subprocess changes
    user before it calls this. Elsewhere than on Linux it does nothing.
    """
    parent = os.getpid()
    prctl = ctypes.CDLL(None, use_errno=True).prctl if ON_LINUX else None

    def ask_the_kernel() -> None:
        if prctl is None:
            return
        if prctl(_PR_SET_PDEATHSIG, int(death_signal), 0, 0, 0) != 0:
            os._exit(126)
        # The parent may have died between fork and prctl: then no signal will ever come.
        if os.getppid() != parent:
            os._exit(126)

    return ask_the_kernel


def can_see_processes() -> bool:
    """Whether `living_in` can be believed: there is a /proc to look into."""
    return Path("/proc/self/cwd").exists()


def living_in(directory: Path, program: str) -> list[int]:
    """Ids of the live processes of `program` that work in `directory`; zombies do not live.

    Sees the caller's own processes, and as root all of them.
    """
    found = []
    wanted = os.stat(directory)
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            # stat follows the link itself, so bind mounts and renamed parents do not fool it.
            where = os.stat(entry / "cwd")
            if (where.st_dev, where.st_ino) != (wanted.st_dev, wanted.st_ino):
                continue
            # "pid (program) state …"; the program's name may itself hold parentheses.
            before, _, after = (entry / "stat").read_text().rpartition(")")
        except OSError:
            continue  # gone meanwhile, or not ours to see
        if before.partition("(")[2] == program and after.split()[0] not in ("Z", "X"):
            found.append(int(entry.name))
    return found


def send(pid: int, wanted: signal.Signals) -> None:
    """Signal a process; one that is already gone is no error."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, wanted)
