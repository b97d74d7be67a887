"""How anything gets into the books: rows, references that nobody can guess, news to be sent."""

import hmac
import json
import sqlite3
from typing import Any


def post(books: sqlite3.Connection, name: str, url: str, news: dict[str, str], at: int) -> None:
    """Queue `news` under its `name`, if the caller gave an address for it."""
    if not url:
        return
    body = json.dumps({"id": name, **news}, ensure_ascii=False, separators=(",", ":")).encode()
    insert(books, "notifications", {"id": name, "url": url, "body": body, "due_at": at})


def insert(books: sqlite3.Connection, table: str, line: dict[str, Any]) -> None:
    """Add one row."""
    books.execute(
        f"INSERT INTO {table} ({', '.join(line)}) VALUES ({', '.join('?' * len(line))})",
        tuple(line.values()),
    )


def keyed(books: sqlite3.Connection, purpose: str, text: str) -> str:
    """32 hex digits that only these books can derive from `text`."""
    (salt,) = books.execute("SELECT salt FROM house").fetchone()
    return hmac.new(salt, f"{purpose}:{text}".encode(), "sha256").hexdigest()[:32]
