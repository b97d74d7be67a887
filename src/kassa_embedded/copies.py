"""A child that goes on in a copy of this process, with everything that it has imported.

It starts in the time of a fork, and its memory is ours until one of the two writes there.
"""

import atexit
import contextlib
import ctypes
import gc
import os
import signal
import sys
import traceback
from collections.abc import Callable, Mapping
from typing import NoReturn

from kassa_embedded.processes import ON_LINUX, die_with_parent

_PR_SET_NAME = 15  # <linux/prctl.h>
_OURS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD)
_FIRST_OF_OURS = 3  # file descriptors below are the standard streams


class Copy:
    """As much of `subprocess.Popen` as a supervisor needs.

    Make it in the main thread, when there is no other: of the threads only the caller's goes on.
    """

    def __init__(self, name: str, work: Callable[[], int], env: Mapping[str, str]) -> None:
        """`name`: by which the system's tools tell it from us. `work` returns the exit status."""
        ask_the_kernel = die_with_parent(signal.SIGTERM)
        prctl = ctypes.CDLL(None).prctl if ON_LINUX else None
        for stream in (sys.stdout, sys.stderr):
            stream.flush()  # or each copy would write what is kept, too
        gc.freeze()  # a collection writes on every object that it looks at
        # What is sent to the child before it has handlers of its own waits until it has.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, _OURS)
        try:
            self.pid = os.fork()
            if self.pid == 0:
                _forget_our_signals()
                signal.pthread_sigmask(signal.SIG_SETMASK, before)
                os.setsid()  # Ctrl-C reaches us alone, and we end them in order
                ask_the_kernel()
                if prctl is not None:
                    prctl(_PR_SET_NAME, f"kassa {name}".encode(), 0, 0, 0)
                _run(work, env)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        self._status: int | None = None

    def poll(self) -> int | None:
        """The exit status, -N for one that signal N ended; None while it runs."""
        return self._look(os.WNOHANG)

    def wait(self) -> int:
        while (status := self._look(0)) is None:
            pass
        return status

    def _look(self, how: int) -> int | None:
        if self._status is None:
            pid, status = os.waitpid(self.pid, how)
            if pid == self.pid:
                self._status = os.waitstatus_to_exitcode(status)
        return self._status


def _forget_our_signals() -> None:
    signal.set_wakeup_fd(-1)
    for number in _OURS:
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)


def _run(work: Callable[[], int], env: Mapping[str, str]) -> NoReturn:
    """Never returns: what stands above us on the stack is the supervisor's, and its files and
    locks, which are closed here, are not to be closed again."""
    status = 1
    try:
        atexit._clear()  # noqa: SLF001 - as multiprocessing does: the supervisor's are not for us
        os.closerange(_FIRST_OF_OURS, os.sysconf("SC_OPEN_MAX"))
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        os.close(nothing)
        given = dict(env)  # which may be ours itself
        os.environ.clear()
        os.environ.update(given)
        status = work()
    except SystemExit as ended:
        status = ended.code if isinstance(ended.code, int) else 1
    except BaseException:  # noqa: BLE001 - nobody above would tell it
        traceback.print_exc()
    finally:
        with contextlib.suppress(Exception):
            atexit._run_exitfuncs()  # noqa: SLF001
            for stream in (sys.stdout, sys.stderr):
                stream.flush()
        os._exit(status)
