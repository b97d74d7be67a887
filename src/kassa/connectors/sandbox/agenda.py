"""What happens on its own as time passes: whoever writes in the books first catches up with it."""

import sqlite3
from collections.abc import Callable, Mapping

from kassa.connectors.sandbox import changes, charging, disputes
from kassa.connectors.sandbox.cards import SandboxState

_DUE = """
SELECT 'charge' AS what, key, turns_at AS at FROM charges WHERE turns_at <= :now
UNION ALL SELECT 'reservation', key, releases_at FROM charges WHERE releases_at <= :now
UNION ALL SELECT 'change', key, turns_at FROM changes WHERE turns_at <= :now
UNION ALL SELECT 'dispute', key, turns_at FROM disputes WHERE turns_at <= :now
ORDER BY at
"""


def catch_up(books: sqlite3.Connection, now: int) -> None:
    """Let everything happen that was due by `now`, each thing at its own time."""
    while due := books.execute(_DUE, {"now": now}).fetchall():
        for row in due:  # each of them ends what was due, or puts it off
            _DEEDS[row["what"]](books, row["key"], row["at"])


def _decide_charge(books: sqlite3.Connection, key: str, at: int) -> None:
    row = charging.charge_row(books, key)
    charging.turn(books, key, SandboxState(row["turns_to"]), reason=row["reason"], at=at)


_DEEDS: Mapping[str, Callable[[sqlite3.Connection, str, int], None]] = {
    "charge": _decide_charge,
    "reservation": charging.run_out,
    "change": changes.decide_change,
    "dispute": disputes.move_on,
}
