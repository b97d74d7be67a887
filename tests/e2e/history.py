"""What clients asked for and what they were told, kept by the clients: the server may be killed."""

import asyncio
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from tests.e2e.crowd import Crowd
from tests.e2e.shop import PAID_CARD
from tests.e2e.wire import Call, Faces, fresh

SILENT_CARD = "4000000000000077"
_TROUBLE = (OSError, aiohttp.ClientError, TimeoutError)
_PAUSE = 0.1  # seconds, while nobody answers


@dataclass
class Wish:
    """One thing a client wants once. `answer` None: it was never told that it happened."""

    key: str
    call: Call
    is_paid: Callable[[Any], bool]
    answer: Any = None
    tries: int = 0

    @property
    def is_acknowledged(self) -> bool:
        return self.answer is not None


def _an_order(faces: Faces) -> Wish:
    key = fresh("order")
    return Wish(key, faces.create_order(order_id=key, key=key), lambda _: False)


def _a_wallet_payment(faces: Faces) -> Wish:
    key = fresh("request")
    call = faces.pay(key, paymentAuthCode=faces.demo.wallet_auth_code)
    return Wish(key, call, lambda said: "paymentTime" in said)


def _a_card_payment(faces: Faces) -> Wish:
    key = fresh("order")
    call = faces.request(key, "credit card", PAID_CARD)
    return Wish(key, call, lambda said: said["paymentResult"] is True)


def _a_card_payment_without_an_answer(faces: Faces) -> Wish:
    key = fresh("order")
    call = faces.request(key, "credit card", SILENT_CARD)
    return Wish(key, call, lambda said: said["paymentResult"] is True)


KINDS = (_an_order, _a_wallet_payment, _a_card_payment, _a_card_payment_without_an_answer)


@dataclass
class History:
    crowd: Crowd
    wishes: list[Wish] = field(default_factory=list)
    _kinds: Any = field(default_factory=lambda: itertools.cycle(KINDS))

    async def load(self, stop: asyncio.Event, clients: int = 12) -> None:
        """Clients that wish for one thing after another until `stop`, whatever happens."""
        await asyncio.gather(*(self._client(stop) for _ in range(clients)))

    async def _client(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            wish = next(self._kinds)(self.crowd.faces)
            self.wishes.append(wish)
            if not await self._try(wish):
                await self._somebody_answers(stop)

    async def _somebody_answers(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            try:
                if (await self.crowd.ask(Call("GET", "/readyz"))).status == 200:
                    return
            except _TROUBLE:
                await asyncio.sleep(_PAUSE)

    async def _try(self, wish: Wish) -> bool:
        wish.tries += 1
        try:
            reply = await self.crowd.ask(wish.call)
        except _TROUBLE:
            return False
        said = reply.json() if reply.status == 200 else None
        is_unknown = said and said.get("result", {}).get("resultStatus") == "U"
        assert reply.status in (200, 409, 503), (reply.status, reply.body)
        if said and not is_unknown:
            wish.answer = said
        return wish.is_acknowledged

    async def insist(self) -> None:
        """Ask again for all that was not acknowledged, with the same keys, until it is."""
        async with asyncio.timeout(60):
            while left := [wish for wish in self.wishes if not wish.is_acknowledged]:
                told = await asyncio.gather(*(self._try(wish) for wish in left[:32]))
                if not all(told):
                    await asyncio.sleep(_PAUSE)

    @property
    def acknowledged(self) -> list[Wish]:
        return [wish for wish in self.wishes if wish.is_acknowledged]

    @property
    def keys(self) -> list[str]:
        return [wish.key for wish in self.wishes]
