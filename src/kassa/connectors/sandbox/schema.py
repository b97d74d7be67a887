"""The provider's tables, and how its file is opened: by several processes at once, durably."""

import fcntl
import os
import secrets
import sqlite3
from pathlib import Path

_VERSION = 2
_BUSY_SECONDS = 10

_CHARGES = """
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
  state       TEXT NOT NULL CHECK (state IN
              ('authorized', 'captured', 'voided', 'declined', 'action_needed', 'pending', 'lost')),
  reason      TEXT NOT NULL,
  return_url  TEXT NOT NULL,
  notify_url  TEXT NOT NULL,
  created_at  INTEGER NOT NULL,
  changed_at  INTEGER NOT NULL,
  expires_at  INTEGER NOT NULL,
  turns_at    INTEGER,
  turns_to    TEXT,
  tells       INTEGER NOT NULL,
  captures    INTEGER NOT NULL DEFAULT 1,  -- 0: it only reserves
  releases_at INTEGER,  -- until when something is reserved; empty when nothing is
  captured_units  INTEGER NOT NULL DEFAULT 0 CHECK (captured_units >= 0),
  released_units  INTEGER NOT NULL DEFAULT 0 CHECK (released_units >= 0),
  refunded_units  INTEGER NOT NULL DEFAULT 0 CHECK (refunded_units >= 0),
  refunding_units INTEGER NOT NULL DEFAULT 0 CHECK (refunding_units >= 0),  -- pending
  disputed_units  INTEGER NOT NULL DEFAULT 0 CHECK (disputed_units >= 0),
  CHECK ((fee_units IS NOT NULL) = (state = 'captured')),
  CHECK ((turns_at IS NULL) = (turns_to IS NULL)),
  CHECK ((captured_units > 0) = (state = 'captured')),
  CHECK (captured_units + released_units <= units),
  CHECK (refunded_units + refunding_units <= captured_units),
  CHECK (disputed_units <= captured_units)
);
CREATE INDEX charges_that_turn ON charges (turns_at) WHERE turns_at IS NOT NULL;
CREATE INDEX charges_that_release ON charges (releases_at) WHERE releases_at IS NOT NULL;
"""

_TAKINGS = """
-- Money taken, a row each time. Not unique by key on purpose: were a charge ever taken twice,
-- the second taking has to show here and not vanish.
CREATE TABLE takings (
  number    INTEGER PRIMARY KEY,
  key       TEXT NOT NULL,  -- of the charge
  claim     TEXT NOT NULL,  -- of the capture that took it, or of the charge itself
  reference TEXT NOT NULL,
  units     INTEGER NOT NULL,
  fee_units INTEGER NOT NULL,
  currency  TEXT NOT NULL,
  exponent  INTEGER NOT NULL,
  taken_at  INTEGER NOT NULL
);
CREATE INDEX takings_of_a_key ON takings (key);
"""

_AFTERWARDS = """
-- Captures, voids and refunds: what was asked under each caller's key, and what came of it.
CREATE TABLE changes (
  number      INTEGER PRIMARY KEY,
  key         TEXT NOT NULL UNIQUE,
  reference   TEXT NOT NULL UNIQUE,
  kind        TEXT NOT NULL CHECK (kind IN ('capture', 'void', 'refund')),
  charge_key  TEXT NOT NULL,
  units       INTEGER NOT NULL CHECK (units > 0),  -- as asked
  moved_units INTEGER NOT NULL CHECK (moved_units >= 0),
  fee_units   INTEGER NOT NULL,
  currency    TEXT NOT NULL,
  exponent    INTEGER NOT NULL,
  answer      TEXT NOT NULL,
  state       TEXT NOT NULL CHECK (state IN ('done', 'pending', 'refused')),
  reason      TEXT NOT NULL,
  notify_url  TEXT NOT NULL,
  created_at  INTEGER NOT NULL,
  turns_at    INTEGER,
  turns_to    TEXT,
  CHECK ((turns_at IS NULL) = (turns_to IS NULL))
);
CREATE INDEX changes_that_turn ON changes (turns_at) WHERE turns_at IS NOT NULL;
-- Requests that were lost on their way, so that a repeat of each arrives.
CREATE TABLE lost_requests (
  key     TEXT PRIMARY KEY,
  lost_at INTEGER NOT NULL
);
-- Money given back, a row each time; not unique by key, for the same reason as takings.
CREATE TABLE givings (
  number     INTEGER PRIMARY KEY,
  key        TEXT NOT NULL,  -- of the charge
  refund     TEXT NOT NULL,  -- key of the refund
  reference  TEXT NOT NULL,
  units      INTEGER NOT NULL,
  fee_units  INTEGER NOT NULL,
  currency   TEXT NOT NULL,
  exponent   INTEGER NOT NULL,
  given_at   INTEGER NOT NULL
);
CREATE INDEX givings_of_a_key ON givings (key);
CREATE TABLE disputes (
  number     INTEGER PRIMARY KEY,
  reference  TEXT NOT NULL UNIQUE,
  key        TEXT NOT NULL UNIQUE,  -- of the charge
  units      INTEGER NOT NULL,
  fee_units  INTEGER NOT NULL,
  currency   TEXT NOT NULL,
  exponent   INTEGER NOT NULL,
  state      TEXT NOT NULL
             CHECK (state IN ('coming', 'needs_response', 'under_review', 'won', 'lost')),
  reason     TEXT NOT NULL,
  taken_at   INTEGER NOT NULL,
  steps      INTEGER NOT NULL DEFAULT 0,  -- how much of its story has happened
  turns_at   INTEGER,
  opened_at  INTEGER,
  respond_by INTEGER
);
CREATE INDEX disputes_that_turn ON disputes (turns_at) WHERE turns_at IS NOT NULL;
-- Money that disputes took away, a row each time; what they returned is less than zero.
CREATE TABLE withdrawals (
  number    INTEGER PRIMARY KEY,
  key       TEXT NOT NULL,  -- of the charge
  reference TEXT NOT NULL,  -- of the dispute
  units     INTEGER NOT NULL CHECK (units <> 0),
  fee_units INTEGER NOT NULL,
  currency  TEXT NOT NULL,
  exponent  INTEGER NOT NULL,
  moved_at  INTEGER NOT NULL
);
CREATE INDEX withdrawals_of_a_key ON withdrawals (key);
""" + "".join(
    f"CREATE TRIGGER {table}_keep_{deed} BEFORE {deed} ON {table}"
    f" BEGIN SELECT RAISE(ABORT, '{table} is only ever added to'); END;\n"
    for table in ("takings", "givings", "withdrawals")
    for deed in ("update", "delete")
)

_FIRST = f"""
CREATE TABLE house (
  salt BLOB NOT NULL  -- makes references and form tokens that nobody can guess
);
{_CHARGES}
{_TAKINGS}
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
{_AFTERWARDS}
"""

# Version 1 knew charges that were taken whole and at once, and nothing after that.
_KEPT = (
    "number, key, reference, order_id, subject, units, currency, exponent, fee_units, card,"
    " scenario, answer, state, reason, return_url, notify_url, created_at, changed_at, expires_at,"
    " turns_at, turns_to, tells"
)
_FROM_1 = f"""
DROP INDEX charges_that_turn;
DROP INDEX takings_of_a_key;
ALTER TABLE charges RENAME TO charges_1;
ALTER TABLE takings RENAME TO takings_1;
{_CHARGES}
{_TAKINGS}
INSERT INTO charges ({_KEPT}, captured_units)
SELECT {_KEPT}, iif(state = 'captured', units, 0) FROM charges_1;
-- Were a charge taken twice, its fee belongs to the first time.
INSERT INTO takings
  (number, key, claim, reference, units, fee_units, currency, exponent, taken_at)
SELECT one.number, one.key, one.key, charge.reference, one.units,
  iif(one.number = (SELECT min(number) FROM takings_1 WHERE key = one.key), charge.fee_units, 0),
  one.currency, one.exponent, one.taken_at
FROM takings_1 AS one JOIN charges_1 AS charge ON charge.key = one.key;
DROP TABLE charges_1;
DROP TABLE takings_1;
{_AFTERWARDS}
"""


def open_books(path: Path) -> sqlite3.Connection:
    """Connect to the books at `path`, making them when there are none.

    Books that an older version of Kassa made are brought up to date, in one transaction.
    Raises: RuntimeError when a later version of Kassa made them.
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
    match version:
        case 0:
            connection.executescript(f"BEGIN IMMEDIATE; {_FIRST}")
            connection.execute("INSERT INTO house (salt) VALUES (?)", (secrets.token_bytes(32),))
        case 1:
            connection.executescript(f"BEGIN IMMEDIATE; {_FROM_1}")
        case 2:
            return
        case _:
            raise RuntimeError(f"the sandbox books are of version {version}, not {_VERSION}")
    connection.execute(f"PRAGMA user_version = {_VERSION}")
    connection.execute("COMMIT")
