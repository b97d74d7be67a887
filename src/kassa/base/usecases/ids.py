"""Ids: a prefix and 26 characters that grow with time; made here, never by a sequence."""

import hashlib
import os
import time

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's base 32, lower case


_PAIRS = [first + second for first in _ALPHABET for second in _ALPHABET]


def _moment(millisecond: int) -> str:
    """The lower 50 bits as 10 characters, two at a time."""
    return "".join([_PAIRS[millisecond >> bits & 1023] for bits in (40, 30, 20, 10, 0)])


# Every byte stands for one character: 256 is a multiple of 32, so all are equally likely.
_CHARACTER_OF_BYTE = bytes(ord(_ALPHABET[byte % 32]) for byte in range(256))
_POOL_BYTES = 8192  # asking the kernel once for many ids costs a tenth of asking for each


class _Source:
    """Random characters, and the time as text, each made once for many ids. One per process: a
    copy of ours begins anew, so no two share a pool."""

    def __init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        self._pool = ""
        self._used = 0
        self._millisecond = 0
        self._time = ""

    def random(self, length: int) -> str:
        """`length` characters of 5 random bits each."""
        if self._used + length > len(self._pool):
            self._pool = os.urandom(_POOL_BYTES).translate(_CHARACTER_OF_BYTE).decode()
            self._used = 0
        self._used += length
        return self._pool[self._used - length : self._used]

    def time(self) -> str:
        """48 bits of milliseconds as 10 characters."""
        millisecond = time.time_ns() // 1_000_000
        if millisecond != self._millisecond:
            self._millisecond, self._time = millisecond, _moment(millisecond)
        return self._time


_source = _Source()
os.register_at_fork(after_in_child=_source.begin)


def new_id(prefix: str) -> str:
    """`prefix`_ + 48 bits of milliseconds + 80 random bits: "py_01kb…"; sorts by time."""
    return f"{prefix}_{_source.time()}{_source.random(16)}"


def millisecond() -> int:
    """Now, as ids tell it."""
    return time.time_ns() // 1_000_000


def lowest_id(prefix: str, moment: int) -> str:
    """What sorts below every id of that prefix made at that millisecond or later, and above all
    that were made before."""
    return f"{prefix}_{_moment(moment)}"


def moment_of(name: str) -> int:
    """The millisecond at which an id was made; 0 where it is none of ours."""
    moment = 0
    for character in name.partition("_")[2][:10]:
        moment = moment * 32 + _ALPHABET.find(character)
    return max(moment, 0)


def new_session_token(company_number: int) -> str:
    """What opens the cashier: names the company, then 160 random bits behind the time."""
    return f"sess_{company_number:x}z{_source.time()}{_source.random(32)}"


def attempt_prefix(company_number: int) -> str:
    """How the ids of that company's attempts begin, under which providers know its charges."""
    return f"at{company_number}_"


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
    return f"{prefix}_{digest[:26].translate(_CHARACTER_OF_BYTE).decode()}"


def stable_number(*parts: str) -> int:
    """A 32-bit alias of the same parts; for show only, since two may share one."""
    digest = hashlib.sha256("\x1f".join(parts).encode()).digest()
    return int.from_bytes(digest[16:20], "big")
