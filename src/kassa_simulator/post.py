"""Posts letters to merchants, in order for each charge, many charges at a time."""

import asyncio
import contextlib
from collections.abc import Iterable

import aiohttp
import structlog

from kassa_simulator.books import SqliteBooks
from kassa_simulator.letters import Letterbox, Post
from kassa_simulator.protocols import protocols

_AT_ONCE = 16
_LONGEST_PAUSE_SECONDS = 0.2
_TIMEOUT = aiohttp.ClientTimeout(total=10)
_MOST_READ = 65_536
_SUCCESS = range(200, 300)

log = structlog.get_logger(__name__)


class PostOffice:
    """Posts what is due until it is closed."""

    def __init__(self, books: SqliteBooks, letterbox: Letterbox) -> None:
        self._books = books
        self._letterbox = letterbox
        self._kept_back: set[int] = set()
        self._busy: dict[tuple[str, str], asyncio.Task[None]] = {}
        self._on_way: set[int] = set()
        self._woken = asyncio.Event()
        self._is_closed = False
        self._session: aiohttp.ClientSession | None = None
        self._task: asyncio.Task[None] | None = None

    def keep_back(self, posts: Iterable[int]) -> None:
        """Do not post these before `release`: the answer they follow is not out yet."""
        self._kept_back.update(posts)

    def release(self, posts: Iterable[int]) -> None:
        self._kept_back.difference_update(posts)
        self._woken.set()

    def open(self) -> None:
        # As a provider does, it does not follow a redirect, nor use this machine's proxy.
        self._session = aiohttp.ClientSession(timeout=_TIMEOUT, auto_decompress=False)
        self._task = asyncio.create_task(self._run())

    async def close(self) -> None:
        self._is_closed = True
        tasks = [*self._busy.values(), *([self._task] if self._task else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._session is not None:
            await self._session.close()

    async def send(self, numbers: Iterable[int]) -> None:
        """Post these now and wait for them."""
        for post in self._letterbox.due_of(numbers):
            if post.number not in self._on_way:
                await self._send(post)

    async def send_all(self) -> None:
        """Post everything that is due by now, and wait until each copy had its try."""
        while True:
            self._start()
            if not self._busy:
                return
            await asyncio.wait(self._busy.values(), return_when=asyncio.FIRST_COMPLETED)

    async def _run(self) -> None:
        while not self._is_closed:
            self._woken.clear()
            try:
                self._start()
            except Exception:
                log.exception("posting letters")
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_LONGEST_PAUSE_SECONDS):
                    await self._woken.wait()

    def _start(self) -> None:
        """Begin with the first letter due of every charge that has none on its way."""
        for post in self._letterbox.due():
            line = (post.provider, post.told.charge_id or post.told.id)
            if len(self._busy) >= _AT_ONCE:
                return
            if line in self._busy or post.number in self._kept_back | self._on_way:
                continue
            self._busy[line] = asyncio.create_task(self._post(line, post))

    async def _post(self, line: tuple[str, str], post: Post) -> None:
        try:
            await self._send(post)
        except Exception:
            log.exception("posting a letter")
        finally:
            self._busy.pop(line, None)
            self._woken.set()

    async def _send(self, post: Post) -> None:
        self._on_way.add(post.number)
        try:
            try:
                heard, result = await self._exchange(post)
            except Exception:
                log.exception("writing a letter", provider=post.provider, event=post.told.event)
                heard, result = False, "not written"
            with self._books.deed():
                self._letterbox.tried(post, heard=heard, result=result)
        finally:
            self._on_way.discard(post.number)

    async def _exchange(self, post: Post) -> tuple[bool, str]:
        protocol = protocols()[post.provider]
        merchant = self._books.merchant(post.provider, post.merchant)
        if merchant is None or self._session is None:
            return False, "no such merchant"
        now = self._books.clock.for_signing()
        letter = protocol.write(merchant, post.told, now=now, forged=post.forged)
        try:
            async with self._session.post(
                letter.url, data=letter.body, headers=letter.headers, allow_redirects=False
            ) as answer:
                body = await answer.content.read(_MOST_READ)
                return protocol.heard(answer.status, body), str(answer.status)
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            return False, type(error).__name__
