"""Python's garbage collector, for processes that make much and keep little of it."""

import gc

REPORTS = 400_000
"""Objects that an import makes before it is looked for what does not go by itself: it has some
hundred thousand at once, of two batches, that all do."""


def calm(among: int = 50_000) -> None:
    """What was imported stays for good, and what is made goes by itself when it is done with: look
    seldom for what does not."""
    gc.freeze()
    gc.enable()
    gc.set_threshold(among, 20, 20)
