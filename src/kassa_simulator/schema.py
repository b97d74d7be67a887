"""The simulator's tables, and how its file is opened."""

import sqlite3
from pathlib import Path

_VERSION = 1
_BUSY_SECONDS = 10

_TABLES = """
CREATE TABLE house (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE merchants (
  provider    TEXT NOT NULL,
  name        TEXT NOT NULL,
  credentials TEXT NOT NULL,
  notify_url  TEXT NOT NULL,
  PRIMARY KEY (provider, name)
);
CREATE TABLE credentials (
  provider TEXT NOT NULL,
  name     TEXT NOT NULL,
  value    TEXT NOT NULL,
  merchant TEXT NOT NULL
);
CREATE INDEX credentials_by_value ON credentials (provider, name, value);
CREATE TABLE charges (
  number           INTEGER PRIMARY KEY,
  provider         TEXT NOT NULL,
  merchant         TEXT NOT NULL,
  id               TEXT NOT NULL,
  key              TEXT NOT NULL,
  amount_minor     INTEGER NOT NULL,
  currency         TEXT NOT NULL,
  status           TEXT NOT NULL CHECK (status IN
                   ('waiting', 'authorized', 'captured', 'declined', 'closed', 'voided')),
  authorized_minor INTEGER NOT NULL,
  captured_minor   INTEGER NOT NULL,
  refunded_minor   INTEGER NOT NULL,
  created_at       INTEGER NOT NULL,
  updated_at       INTEGER NOT NULL,
  data             TEXT NOT NULL,
  UNIQUE (provider, id)
);
CREATE INDEX charges_by_key ON charges (provider, merchant, key);
CREATE TABLE changes (
  number       INTEGER PRIMARY KEY,
  provider     TEXT NOT NULL,
  merchant     TEXT NOT NULL,
  id           TEXT NOT NULL,
  key          TEXT NOT NULL,
  charge_id    TEXT NOT NULL,
  kind         TEXT NOT NULL CHECK (kind IN ('capture', 'void', 'refund')),
  amount_minor INTEGER NOT NULL,
  status       TEXT NOT NULL CHECK (status IN ('pending', 'done', 'failed')),
  created_at   INTEGER NOT NULL,
  data         TEXT NOT NULL,
  UNIQUE (provider, id)
);
CREATE INDEX changes_by_key ON changes (provider, merchant, kind, key);
CREATE INDEX changes_by_charge ON changes (provider, charge_id);
-- Money moved, a row each time. Not unique on purpose: were a charge ever taken twice, the second
-- taking has to show here and not vanish.
CREATE TABLE movements (
  number       INTEGER PRIMARY KEY,
  provider     TEXT NOT NULL,
  merchant     TEXT NOT NULL,
  charge_id    TEXT NOT NULL,
  key          TEXT NOT NULL,
  kind         TEXT NOT NULL CHECK (kind IN ('charge', 'refund', 'dispute')),
  amount_minor INTEGER NOT NULL,
  fee_minor    INTEGER NOT NULL,
  currency     TEXT NOT NULL,
  at           INTEGER NOT NULL
);
CREATE INDEX movements_by_time ON movements (provider, merchant, at);
CREATE TRIGGER movements_keep_update BEFORE UPDATE ON movements
  BEGIN SELECT RAISE(ABORT, 'movements is only ever added to'); END;
CREATE TRIGGER movements_keep_delete BEFORE DELETE ON movements
  BEGIN SELECT RAISE(ABORT, 'movements is only ever added to'); END;
CREATE TABLE objects (
  number   INTEGER PRIMARY KEY,
  provider TEXT NOT NULL,
  kind     TEXT NOT NULL,
  id       TEXT NOT NULL,
  data     TEXT NOT NULL,
  UNIQUE (provider, kind, id)
);
CREATE TABLE answers (
  provider    TEXT NOT NULL,
  merchant    TEXT NOT NULL,
  key         TEXT NOT NULL,
  fingerprint TEXT NOT NULL,
  status      INTEGER NOT NULL,
  headers     TEXT NOT NULL,
  body        BLOB NOT NULL,
  PRIMARY KEY (provider, merchant, key)
);
CREATE TABLE calls (
  number    INTEGER PRIMARY KEY,
  provider  TEXT NOT NULL,
  operation TEXT NOT NULL,
  reference TEXT NOT NULL,
  nth       INTEGER NOT NULL,
  method    TEXT NOT NULL,
  path      TEXT NOT NULL,
  fault     TEXT NOT NULL,
  status    INTEGER,  -- of the answer the protocol gave; empty where it was not asked
  at        INTEGER NOT NULL
);
CREATE INDEX calls_by_reference ON calls (provider, operation, reference, nth);
CREATE TABLE letters (
  number    INTEGER PRIMARY KEY,
  id        TEXT NOT NULL UNIQUE,
  provider  TEXT NOT NULL,
  merchant  TEXT NOT NULL,
  event     TEXT NOT NULL,
  charge_id TEXT NOT NULL,
  data      TEXT NOT NULL,
  url       TEXT NOT NULL,
  faults    TEXT NOT NULL,
  at        INTEGER NOT NULL
);
CREATE INDEX letters_by_charge ON letters (provider, charge_id);
-- Each copy of a letter that is to be posted.
CREATE TABLE posts (
  number  INTEGER PRIMARY KEY,
  letter  INTEGER NOT NULL,
  forged  INTEGER NOT NULL,
  held    INTEGER NOT NULL,  -- 1: waits until a later letter overtakes it
  due_at  INTEGER,  -- empty once it was heard, or has been given up
  tries   INTEGER NOT NULL DEFAULT 0,
  heard   INTEGER NOT NULL DEFAULT 0,
  result  TEXT NOT NULL DEFAULT ''
);
CREATE INDEX posts_due ON posts (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX posts_by_letter ON posts (letter);
"""


def open_file(path: Path, seed: int) -> sqlite3.Connection:
    """Connect to the books at `path`, making them when there are none.

    Raises: ValueError when they were made with another seed or by a later version.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        path.touch(mode=0o600)  # the merchants' secrets are in it
    connection = sqlite3.connect(
        path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False
    )
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        _prepare(connection, seed)
    except BaseException:
        connection.close()
        raise
    connection.row_factory = sqlite3.Row
    return connection


def _prepare(connection: sqlite3.Connection, seed: int) -> None:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version not in (0, _VERSION):
        raise ValueError(f"the simulator's books are of version {version}, not {_VERSION}")
    if version == 0:
        connection.executescript(f"BEGIN IMMEDIATE; {_TABLES}")
        connection.execute("INSERT INTO house VALUES ('seed', ?)", (str(seed),))
        connection.execute(f"PRAGMA user_version = {_VERSION}")
        connection.execute("COMMIT")
        return
    (kept,) = connection.execute("SELECT value FROM house WHERE name = 'seed'").fetchone()
    if kept != str(seed):
        raise ValueError(f"the simulator's books were made with seed {kept}, not {seed}")
