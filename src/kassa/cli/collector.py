"""Python's garbage collector, for processes that make much and keep little of it."""

import gc


def calm() -> None:
    """What was imported stays for good, and what is made goes by itself when it is done with: look
    seldom for what does not."""
    gc.freeze()
    gc.enable()
    gc.set_threshold(50_000, 20, 20)
