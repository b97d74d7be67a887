"""The provider's tables, and how its file is opened: by several processes at once, durably."""

import fcntl
import os
import secrets
import sqlite3
from pathlib import Path

_VERSION = 1
_BUSY_SECONDS = 10

_TABLES = """
CREATE TABLE house (
  salt BLOB NOT NULL  -- makes references and form tokens that nobody can guess
);
CREATE TABLE charges (
  number      INTEGER PRIMARY KEY,
  key         TEXT NOT NULL UNIQUE,
  reference   TEXT NOT NULL UNIQUE,
  order_id    TEXT NOT NULL,
  subject     TEXT NOT NULL,
  units       INTEGER NOT NULL CHECK (units > 0),
  currency    TEXT NOT NULL,
  exponent    INTEGER NOT NULL,
  fee_units   INTEGER,
  card        TEXT NOT NULL,
  scenario    TEXT NOT NULL,
  answer      TEXT NOT NULL,
  state       TEXT NOT NULL
              CHECK (state IN ('captured', 'declined', 'action_needed', 'pending', 'lost')),
  reason      TEXT NOT NULL,
  return_url  TEXT NOT NULL,
  notify_url  TEXT NOT NULL,
  created_at  INTEGER NOT NULL,
  changed_at  INTEGER NOT NULL,
  expires_at  INTEGER NOT NULL,
  turns_at    INTEGER,
  turns_to    TEXT,
  tells       INTEGER NOT NULL,
  CHECK ((fee_units IS NOT NULL) = (state = 'captured')),
  CHECK ((turns_at IS NULL) = (turns_to IS NULL))
);
CREATE INDEX charges_that_turn ON charges (turns_at) WHERE turns_at IS NOT NULL;
-- Money taken, a row each time. Not unique by key on purpose: were a charge ever taken twice,
-- the second taking has to show here and not vanish.
CREATE TABLE takings (
  number    INTEGER PRIMARY KEY,
  key       TEXT NOT NULL,
  units     INTEGER NOT NULL,
  currency  TEXT NOT NULL,
  exponent  INTEGER NOT NULL,
  taken_at  INTEGER NOT NULL
);
CREATE INDEX takings_of_a_key ON takings (key);
CREATE TABLE notifications (
  id            TEXT PRIMARY KEY,
  url           TEXT NOT NULL,
  body          BLOB NOT NULL,
  due_at        INTEGER,  -- empty once it has arrived, or has been given up
  leased_until  INTEGER NOT NULL DEFAULT 0,
  tries         INTEGER NOT NULL DEFAULT 0,
  delivered_at  INTEGER
);
CREATE INDEX notifications_due ON notifications (due_at) WHERE due_at IS NOT NULL;
"""


def open_books(path: Path) -> sqlite3.Connection:
    """Connect to the books at `path`, making them when there are none.

    Raises: RuntimeError when another version of Kassa made them.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    gate = os.open(path.with_name(path.name + ".lock"), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        # SQLite does not wait while a file changes to WAL, so only one process at a time may try.
        fcntl.flock(gate, fcntl.LOCK_EX)
        if not path.exists():  # never open it beside SQLite: closing it would drop its locks
            path.touch(mode=0o600)
        connection = sqlite3.connect(
            path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False
        )
        try:
            _prepare(connection)
        except BaseException:
            connection.close()
            raise
    finally:
        os.close(gate)
    connection.row_factory = sqlite3.Row
    return connection


def _prepare(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version == 0:
        connection.executescript(f"BEGIN IMMEDIATE; {_TABLES}")
        connection.execute("INSERT INTO house (salt) VALUES (?)", (secrets.token_bytes(32),))
        connection.execute(f"PRAGMA user_version = {_VERSION}")
        connection.execute("COMMIT")
    elif version != _VERSION:
        raise RuntimeError(f"the sandbox books are of version {version}, not {_VERSION}")
