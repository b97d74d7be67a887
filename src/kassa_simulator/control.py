"""The simulator's own JSON interface under /_simulator/: what a test or a script asks for."""

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any

from aiohttp import web

from kassa_simulator.faults import BadRule, read_rules, written
from kassa_simulator.files import BadWish, settlement_file
from kassa_simulator.frame import Merchant
from kassa_simulator.odd_rows import ODD, keep
from kassa_simulator.payouts import statement
from kassa_simulator.protocols import protocols
from kassa_simulator.server import Counter

_LONGEST_SECONDS = 3660 * 86_400
_MOST_TIMES = 100
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class BadControl(Exception):
    """What was asked of the simulator cannot be done; says why."""


def read_merchant(content: object) -> Merchant:
    """A merchant in a JSON object. Raises: BadControl."""
    if not isinstance(content, dict):
        raise BadControl("a merchant is an object")
    provider, name = content.get("provider"), content.get("name")
    credentials, notify_url = content.get("credentials"), content.get("notify_url", "")
    protocol = protocols().get(provider) if isinstance(provider, str) else None
    if protocol is None:
        raise BadControl(f"provider must be one of {', '.join(protocols())}")
    if not isinstance(name, str) or not name:
        raise BadControl("name must say what the account is called")
    if not isinstance(credentials, dict) or not all(
        isinstance(value, str) for value in credentials.values()
    ):
        raise BadControl("credentials must be an object of texts")
    missing = [each for each in protocol.credentials if not credentials.get(each)]
    if missing:
        raise BadControl(f"credentials of {provider} must have {', '.join(missing)}")
    if not isinstance(notify_url, str):
        raise BadControl("notify_url must be a text")
    return Merchant(
        provider=protocol.name,
        name=name,
        credentials={str(key): value for key, value in credentials.items()},
        notify_url=notify_url,
    )


class Control:
    """Handlers of the control interface."""

    def __init__(self, counter: Counter) -> None:
        self._counter = counter
        self._desk = counter.desk
        self._books = counter.books

    def routes(self) -> list[web.RouteDef]:
        add = [
            ("POST", "merchants", self.add_merchant),
            ("GET", "merchants", self.merchants),
            ("GET", "charges", self.charges),
            ("GET", "changes", self.changes),
            ("GET", "money", self.money),
            ("PUT", "faults", self.set_faults),
            ("GET", "faults", self.faults),
            ("GET", "clock", self.clock),
            ("POST", "clock", self.set_clock),
            ("POST", "act", self.act),
            ("GET", "letters", self.letters),
            ("POST", "letters/{id}/again", self.again),
            ("GET", "calls", self.calls),
            ("GET", "settlement-file", self.file),
            ("PUT", "reports", self.set_reports),
            ("GET", "payouts", self.payouts),
            ("POST", "payouts/return", self.return_payout),
            ("GET", "statement", self.statement),
        ]
        return [
            web.route(method, f"/_simulator/{path}", _guarded(handler))
            for method, path, handler in add
        ]

    async def add_merchant(self, request: web.Request) -> web.Response:
        merchant = read_merchant(await _json(request))
        with self._books.deed():
            self._desk.add_merchant(merchant)
        return _answer(_shown(merchant), status=201)

    async def merchants(self, request: web.Request) -> web.Response:
        return _answer([_shown(merchant) for merchant in self._desk.merchants()])

    async def charges(self, request: web.Request) -> web.Response:
        wanted = _chosen(request, "provider", "merchant", "key", "id", "status")
        return _answer([asdict(charge) for charge in self._desk.charges(wanted)])

    async def changes(self, request: web.Request) -> web.Response:
        wanted = _chosen(request, "provider", "merchant", "key", "kind")
        if charge := request.query.get("charge"):
            wanted["charge_id"] = charge
        return _answer([asdict(change) for change in self._desk.changes(wanted)])

    async def money(self, request: web.Request) -> web.Response:
        provider = request.query.get("provider", "")
        return _answer(self._desk.money(provider, request.query.get("merchant", "")))

    async def faults(self, request: web.Request) -> web.Response:
        return _answer(written(self._desk.rules))

    async def set_faults(self, request: web.Request) -> web.Response:
        rules = read_rules(await _json(request))
        with self._books.deed():
            self._desk.set_rules(rules)
        return _answer(written(rules))

    async def clock(self, request: web.Request) -> web.Response:
        return _answer({"now": self._books.clock.now()})

    async def set_clock(self, request: web.Request) -> web.Response:
        wanted = await _object(request)
        seconds = _whole(wanted, "advance_seconds", 0, _LONGEST_SECONDS)
        self._counter.advance(timedelta(seconds=seconds))
        return _answer({"now": self._books.clock.now()})

    async def act(self, request: web.Request) -> web.Response:
        wanted = await _object(request)
        provider, charge, action = (
            _text(wanted, name) for name in ("provider", "charge", "action")
        )
        if not self._counter.act(provider, charge, action):
            raise BadControl(f"{action} is nothing that can be done now with {charge}")
        found = self._books.charge(provider, charge)
        return _answer(asdict(found) if found else {})

    async def letters(self, request: web.Request) -> web.Response:
        return _answer(self._counter.letterbox.listed())

    async def again(self, request: web.Request) -> web.Response:
        wanted = await _object(request)
        times = _whole(wanted, "times", 1, _MOST_TIMES, usual=1)
        with self._books.deed():
            found = self._counter.letterbox.again(request.match_info["id"], times)
        if not found:
            raise BadControl("there is no such letter")
        self._counter.office.release(())
        return _answer({"times": times})

    async def calls(self, request: web.Request) -> web.Response:
        wanted = _chosen(request, "provider", "operation", "reference", "fault")
        return _answer(self._desk.calls(wanted))

    async def set_reports(self, request: web.Request) -> web.Response:
        wanted = await _object(request)
        provider, merchant, odd = (wanted.get(name) for name in ("provider", "merchant", "odd"))
        if not isinstance(odd, list) or not set(map(str, odd)) <= set(ODD):
            raise BadControl(f"odd must be a list of {', '.join(ODD)}")
        if self._books.merchant(str(provider), str(merchant)) is None:
            raise BadControl("there is no such merchant")
        with self._books.deed():
            keep(self._books, str(provider), str(merchant), odd)
        return _answer({"odd": odd})

    async def payouts(self, request: web.Request) -> web.Response:
        query = request.query
        found = self._counter.payouts(query.get("provider", ""), query.get("merchant", ""))
        return _answer([asdict(one) for one in found])

    async def return_payout(self, request: web.Request) -> web.Response:
        wanted = await _object(request)
        names = [_text(wanted, name) for name in ("provider", "merchant", "reference")]
        if not self._counter.return_payout(*names):
            raise BadControl(f"{names[2]} is no payout that can be sent back now")
        return _answer({"returned": names[2]})

    async def statement(self, request: web.Request) -> web.Response:
        query, day = request.query, _day(request.query.get("date", ""))
        found = self._counter.payouts(query.get("provider", ""), query.get("merchant", ""))
        body = statement(f"statement-{day:%Y-%m-%d}", found, day, day + timedelta(days=1))
        return web.Response(body=body, content_type="application/xml")

    async def file(self, request: web.Request) -> web.Response:
        query, day = request.query, _day(request.query.get("date", ""))
        answer = settlement_file(
            self._books,
            self._desk,
            provider=query.get("provider", ""),
            merchant=query.get("merchant", ""),
            day=day,
            faults=[fault for fault in query.get("faults", "").split(",") if fault],
        )
        return web.Response(body=answer.body, headers=answer.headers)


def _guarded(handler: Handler) -> Handler:
    async def guarded(request: web.Request) -> web.StreamResponse:
        if not is_from_here(request):
            return _answer({"error": "that comes from another site"}, status=403)
        try:
            return await handler(request)
        except (BadControl, BadRule, BadWish) as error:
            return _answer({"error": str(error)}, status=400)

    return guarded


def is_from_here(request: web.Request) -> bool:
    """Whether a page of another site did not send this."""
    origin = request.headers.get("origin")
    return origin is None or origin == f"http://{request.host}"


def _shown(merchant: Merchant) -> dict[str, str]:
    return {
        "provider": merchant.provider,
        "name": merchant.name,
        "notify_url": merchant.notify_url,
    }


def _day(text: str) -> datetime:
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        raise BadControl("date must be a day, as 2026-01-31") from None


def _chosen(request: web.Request, *names: str) -> dict[str, str]:
    return {name: request.query[name] for name in names if name in request.query}


async def _json(request: web.Request) -> object:
    try:
        content: object = json.loads(await request.read() or b"{}")
    except ValueError:
        raise BadControl("that is no JSON") from None
    return content


async def _object(request: web.Request) -> Mapping[str, Any]:
    content = await _json(request)
    if not isinstance(content, dict):
        raise BadControl("that is no JSON object")
    return content


def _text(content: Mapping[str, Any], name: str) -> str:
    value = content.get(name)
    if not isinstance(value, str) or not value:
        raise BadControl(f"{name} must be a text")
    return value


def _whole(
    content: Mapping[str, Any], name: str, lowest: int, highest: int, usual: int | None = None
) -> int:
    value = content.get(name, usual)
    if type(value) is not int or not lowest <= value <= highest:
        raise BadControl(f"{name} must be a whole number from {lowest} to {highest}")
    return value


def _answer(content: object, status: int = 200) -> web.Response:
    text = json.dumps(content, ensure_ascii=False, default=_plain)
    return web.Response(text=text, status=status, content_type="application/json")


def _plain(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(type(value).__name__)
