"""Passwords, hashed beside the loop: few at a time, since each takes memory and a processor."""

import asyncio

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from kassa.base.usecases.core import Core

_AT_ONCE = 2
_HASHER = PasswordHasher(time_cost=3, memory_cost=65_536, parallelism=1)  # Argon2id, 64 MiB
_NOBODYS = (
    "$argon2id$v=19$m=65536,t=3,p=1$9PTUTO2LjHSYzVn7aJ4VoQ"
    "$QxAkpqtKBGw1LH2aBdYijUEcK0wGMWC4L09Vfc9uiJw"
)
"""Of no password: what is compared for who is not there takes as long."""


def turn(core: Core) -> asyncio.Semaphore:
    """To be held while a password is hashed or compared, and what else must not be done by many at
    once: so nobody tries more of them than are counted."""
    found: asyncio.Semaphore = core.gatherers.setdefault("passwords", asyncio.Semaphore(_AT_ONCE))
    return found


async def hash_password(password: str) -> str:
    return await asyncio.to_thread(_HASHER.hash, _plain(password))


async def is_password(kept: str, password: str) -> bool:
    """`kept` "": of nobody, which takes as long and is never right."""
    right = await asyncio.to_thread(_verified, kept or _NOBODYS, password)
    return right and bool(kept)


def is_weaker(kept: str) -> bool:
    """Whether it was hashed with less than is usual now."""
    return _HASHER.check_needs_rehash(kept)


def _verified(kept: str, password: str) -> bool:
    try:
        return _HASHER.verify(kept, _plain(password))
    except (VerificationError, InvalidHashError):
        return False


def _plain(password: str) -> bytes:
    return password.encode("utf-8", "surrogatepass")
