"""Places for connections: who holds too many, and who goes first when they become few.

No server of ours has a measure for one address, nor knows whom to do without. So our own open files
are looked at: a connection is one that somebody calls on, one that has called before, or one that
has never sent a whole request.
"""

import asyncio
import os
import socket
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import structlog

from kassa.faces.peer import Network, Who, address_of, is_in, plain

AT_ONCE = 4096  # of one process; more wait in the kernel's queue
OF_ONE = 256  # connections of one address that serve nobody
OF_ONE_IN_GRPC = 128  # each of which carries a hundred calls

# seconds, not money
HEAD_SECONDS = 20.0  # for a request's head, and between two requests; longer than clients keep one
_LEAST_SECONDS = 0.5  # for a head, however few places are left
_GLANCE_SECONDS = 1.0
_HURRIED_SECONDS = 0.25  # between glances, when places are few
_ANSWERING_SECONDS = 2.0  # after which an answer has left, or nobody takes it

# Shares of all places, no money. From here on the time for a head becomes shorter, and from there
# also the time between two requests, down to next to nothing where none is left.
_FEW = 0.75
_FEWER = 0.90

_File = tuple[int, int]

_log = structlog.get_logger("kassa.connections")


class Busy(Counter[Who]):
    """The calls of each connection that has some; and when the others had their last."""

    def __init__(self) -> None:
        super().__init__()
        self.served: dict[Who, float] = {}  # seconds, not money

    def __delitem__(self, who: Any) -> None:
        super().__delitem__(who)
        self.served[who] = time.monotonic()


class Share:
    """Knows which connections to a port serve somebody, and closes others: idle ones of an address
    that holds more than `most`, and when places are few, who has sent no whole request for longest.

    `busy`: the calls of each now; whoever serves them keeps it true. `places`: for all connections.
    `spared`: networks of proxies, whose connections are everybody's. A connection that is closed
    while it serves nobody is what HTTP allows at any time.

    gRPC lets nobody keep a place free for who has not connected yet: when all are taken it closes
    what comes, until some have been closed here.
    """

    def __init__(
        self,
        port: int,
        *,
        spared: Sequence[Network] = (),
        most: int = OF_ONE,
        places: int = AT_ONCE,
    ):
        self.busy = Busy()
        self._port = port
        self._places = places
        self._spared = spared
        self._most = most
        self._seen: dict[Who, float] = {}  # seconds, not money: when first, of who never called
        self._given_up: dict[Who, float] = {}  # seconds, not money
        self._sockets: dict[_File, Who | None] = {}  # whose they are, if they are to our port
        self._share = 0.0  # of the places that is taken, no money
        self._minding: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._minding = asyncio.create_task(self._mind())

    async def stop(self) -> None:
        if self._minding is not None:
            self._minding.cancel()

    def give_up(self, who: Who) -> None:
        """Of no use any more: it is closed as soon as its answer has had time to leave."""
        self._given_up[who] = time.monotonic()

    async def _mind(self) -> None:
        look_from = min(self._most, self._places // 2)
        while True:
            await asyncio.sleep(_HURRIED_SECONDS if self._share > _FEW else _GLANCE_SECONDS)
            many = len(self.busy.served) > self._places
            if self._given_up or many or len(_open_files()) > look_from:
                closed = await asyncio.to_thread(self.close_surplus)
                if closed:
                    _log.warning("connections closed", number=closed)

    def close_surplus(self) -> int:
        """Close what was given up and whose end the server left open, what each address holds
        beyond its share, and when places are few those that wait for longest; how many."""
        now = time.monotonic()
        held = self._held()
        self._forget(held, now)
        doomed = self._given_up_by(now) & held.keys()
        doomed |= self._beyond_their_share(held)
        self._share = (len(held) - len(doomed)) / self._places  # no money
        doomed |= self._waiting_too_long(held, now)
        # Asked once more: who has called meanwhile stays.
        return sum(_close(who, held[who]) for who in doomed if who not in self.busy)

    def _held(self) -> dict[Who, int]:
        """The connections to our port, and the open file of each. To ask a socket whose it is
        takes three calls of the system, so it is asked once."""
        found: dict[Who, int] = {}
        sockets: dict[_File, Who | None] = {}
        for number in _open_files():
            with suppress(OSError):
                told = os.fstat(number)
                file = told.st_dev, told.st_ino
                who = self._sockets[file] if file in self._sockets else self._client_of(number)
                sockets[file] = who
                if who is not None:
                    found[who] = number
        self._sockets = sockets
        return found

    def _client_of(self, number: int) -> Who | None:
        """Whose connection to our port the open file is, if it is one."""
        with suppress(OSError), _socket_of(number) as one:
            ours = one.getsockname()
            if isinstance(ours, tuple) and ours[1] == self._port:
                return _who(one)
        return None

    def _forget(self, held: dict[Who, int], now: float) -> None:
        """Whose connection is gone. Who called since we looked may have come since."""
        for who, at in list(self.busy.served.items()):
            if who not in held and at < now:
                self.busy.served.pop(who, None)
        self._seen = {
            who: self._seen.get(who, now)
            for who in held
            if who not in self.busy.served and who not in self.busy
        }

    def _given_up_by(self, now: float) -> set[Who]:
        answered = now - _ANSWERING_SECONDS
        given_up = {who for who, at in list(self._given_up.items()) if at < answered}
        for who in given_up:
            del self._given_up[who]
        return given_up

    def _beyond_their_share(self, held: dict[Who, int]) -> set[Who]:
        of_one: dict[str, list[Who]] = {}
        for who in held:
            of_one.setdefault(address_of({"client": who}), []).append(who)
        doomed: set[Who] = set()
        for all_of_them in of_one.values():
            surplus = len(all_of_them) - self._most
            if surplus > 0 and not is_in(all_of_them[0][0], self._spared):
                idle = [who for who in all_of_them if who not in self.busy]
                # Who has never sent a whole request goes before who has.
                idle.sort(key=lambda who: who in self.busy.served)
                doomed.update(idle[:surplus])
        return doomed

    def _waiting_too_long(self, held: dict[Who, int], now: float) -> set[Who]:
        """The fewer places are left, the less time there is to use one. Who sends a request at once
        is always in time."""
        late = self._late(held, self._seen, now, self._share, _FEW)
        left = self._share - len(late) / self._places  # no money
        # Who has called before goes only where that is not enough.
        return late | self._late(held, self.busy.served, now, left, _FEWER)

    def _late(
        self,
        held: dict[Who, int],
        since: dict[Who, float],
        now: float,
        share: float,
        few: float,
    ) -> set[Who]:
        if share <= few:
            return set()
        latest = now - _allowed(share, few)
        late = [who for who, at in list(since.items()) if at <= latest and who in held]
        return {who for who in late if who not in self.busy and not is_in(who[0], self._spared)}


def _allowed(share: float, few: float) -> float:  # no money
    """Seconds that a connection may wait, when so many places are taken; all there are up to
    `few`."""
    left = min(1.0, (1 - share) / (1 - few))  # no money
    return max(_LEAST_SECONDS, HEAD_SECONDS * left)


def _close(who: Who, number: int) -> bool:
    """End the connection, if the open file is still that one; whoever owns it sees its end."""
    with suppress(OSError), _socket_of(number) as one:
        if _who(one) == who:
            one.shutdown(socket.SHUT_RDWR)
            return True
    return False


def _who(one: socket.socket) -> Who:
    """Raises: OSError when nobody is at its other end any more."""
    host, port = one.getpeername()[:2]
    return plain(host), port


def _socket_of(number: int) -> socket.socket:
    """The same socket once more, so that it cannot become another one meanwhile.

    Raises: OSError when it is none, or gone.
    """
    again = os.dup(number)
    try:
        return socket.socket(fileno=again)
    except OSError:
        os.close(again)
        raise


def _open_files() -> list[int]:
    """Of this process; none where the system does not tell."""
    with suppress(OSError):
        return [int(name) for name in os.listdir("/dev/fd")]
    return []
