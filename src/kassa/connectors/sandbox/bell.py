"""Rings at the caller's door: posts the provider's signed news until it is received."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime

from kassa.connectors.sandbox import signing
from kassa.connectors.sandbox.books import Notification, SandboxBooks

Post = Callable[[str, Mapping[str, str], bytes], Awaitable[int]]
"""Address, headers, body in; HTTP status out. Should give up well within `books.LEASE`."""

_AT_ONCE = 8


async def ring(books: SandboxBooks, *, secret: bytes, post: Post, now: datetime) -> int:
    """Post what is due at `now`, at most a handful; how many arrived.

    Two processes may ring at once: each notification is leased to one of them. One that dies in
    between leaves its notifications to be sent again, so a receiver may see the same news twice.
    """
    signing.require_secret(secret)
    due = await asyncio.to_thread(books.take_due, now=now, limit=_AT_ONCE)
    arrived = await asyncio.gather(
        *(_deliver(books, one, secret=secret, post=post, now=now) for one in due)
    )
    return sum(arrived)


async def _deliver(
    books: SandboxBooks, notification: Notification, *, secret: bytes, post: Post, now: datetime
) -> bool:
    headers = {
        "content-type": "application/json",
        signing.HEADER: signing.sign(secret, notification.body, at=int(now.timestamp())),
    }
    try:
        status = await post(notification.url, headers, notification.body)
    except Exception:  # noqa: BLE001 - whatever broke on the way, nobody has confirmed it
        status = 0
    if 200 <= status < 300:
        await asyncio.to_thread(books.arrived, notification, now=now)
        return True
    await asyncio.to_thread(books.not_arrived, notification, now=now)
    return False
