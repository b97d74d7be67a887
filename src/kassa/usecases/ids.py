"""Ids: a prefix and 26 characters that grow with time; made here, never by a sequence."""

import hashlib
import os
import time

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's base 32, lower case


def _base32(number: int, length: int) -> str:
    characters = []
    for _ in range(length):
        number, digit = divmod(number, 32)
        characters.append(_ALPHABET[digit])
    return "".join(reversed(characters))


def new_id(prefix: str) -> str:
    """`prefix`_ + 48 bits of milliseconds + 80 random bits: "py_01kb…"; sorts by time."""
    milliseconds = time.time_ns() // 1_000_000
    random = int.from_bytes(os.urandom(10), "big")
    return f"{prefix}_{_base32(milliseconds, 10)}{_base32(random, 16)}"


def new_session_token(company_number: int) -> str:
    """What opens the cashier: names the company, then 160 random bits behind the time."""
    milliseconds = time.time_ns() // 1_000_000
    random = int.from_bytes(os.urandom(20), "big")
    return f"sess_{company_number:x}z{_base32(milliseconds, 10)}{_base32(random, 32)}"


def company_number_of(token: str, prefix: str) -> int | None:
    """The company number in a session token ("sess_") or an attempt id ("at"); None if not one."""
    head, mark, _ = token.removeprefix(prefix).partition("z" if prefix == "sess_" else "_")
    if not token.startswith(prefix) or not mark or not head.isascii() or len(head) > 8:
        return None
    try:
        return int(head, 16 if prefix == "sess_" else 10)
    except ValueError:
        return None


def stable_id(prefix: str, *parts: str) -> str:
    """The same parts, the same id: for things that have no row of their own (customers)."""
    digest = hashlib.sha256("\x1f".join(parts).encode()).digest()
    return f"{prefix}_{_base32(int.from_bytes(digest[:16], 'big'), 26)}"


def stable_number(*parts: str) -> int:
    """A 32-bit alias of the same parts; for show only, since two may share one."""
    digest = hashlib.sha256("\x1f".join(parts).encode()).digest()
    return int.from_bytes(digest[16:20], "big")
