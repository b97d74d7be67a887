"""Answers calls over HTTP: one transaction a call, and the faults that play on it."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

import structlog
from aiohttp import web

from kassa_simulator import wire
from kassa_simulator.books import SqliteBooks, micros
from kassa_simulator.desk import Desk
from kassa_simulator.faults import ANSWER_CODECS, BEFORE, PICKY, Rule, rule_of_call
from kassa_simulator.frame import (
    Answer,
    Call,
    IsPicky,
    KeepsTime,
    Operation,
    ProviderProtocol,
    SaysBusy,
)
from kassa_simulator.letters import Letterbox
from kassa_simulator.oddities import recoded, strewn
from kassa_simulator.payouts import Payout, PaysOut
from kassa_simulator.post import PostOffice
from kassa_simulator.protocols import protocols

_LONGEST_PATH = 300
_TOO_MANY, _CONFLICT, _SERVER_ERROR = 429, 409, 500

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Done:
    """What became of a call: the answer there would be, and the fault that plays on it."""

    answer: Answer
    rule: Rule | None
    early: tuple[int, ...]
    usual: tuple[int, ...]


class Counter:
    """Where calls arrive."""

    def __init__(
        self, books: SqliteBooks, desk: Desk, letterbox: Letterbox, office: PostOffice
    ) -> None:
        self.books = books
        self.desk = desk
        self.letterbox = letterbox
        self.office = office

    async def provider(self, request: web.Request) -> web.StreamResponse:
        """Every call to a provider."""
        call = await _call_of(request, self.books)
        protocol = protocols().get(call.path.split("/", 2)[1])
        if protocol is None:
            return web.json_response({"error": "no provider has that address"}, status=404)
        done = self._do(protocol, call)
        fault = done.rule.fault if done.rule else ""
        self.office.keep_back(done.early + done.usual)
        try:
            if done.early:
                await self.office.send(done.early)
            if fault in wire.ON_THE_WIRE and done.rule is not None:
                self.office.release(done.usual)  # a letter does not wait for an answer that hangs
                noise = self.books.chances.bytes(64, "noise", call.path)
                return await wire.play(request, done.rule, done.answer, noise)
            return await wire.send(request, done.answer)
        finally:
            self.office.release(done.early + done.usual)

    def _do(self, protocol: ProviderProtocol, call: Call) -> Done:
        operation = protocol.operation(call)
        reference = protocol.reference(call)
        self.letterbox.begin()
        with self.books.deed():
            nth = self.desk.nth_call(protocol.name, operation, reference)
            rule = rule_of_call(
                self.desk.rules,
                self.books.chance,
                provider=protocol.name,
                operation=operation,
                reference=reference,
                nth=nth,
            )
            fault = rule.fault if rule else ""
            answer = None if fault in BEFORE else self._answer(protocol, call, operation, fault)
            self.desk.add_call(
                provider=protocol.name,
                operation=operation,
                reference=reference,
                nth=nth,
                method=call.method,
                path=call.path[:_LONGEST_PATH],
                fault=fault,
                status=None if answer is None else answer.status,
                at=micros(call.now),
            )
        early, usual = tuple(self.letterbox.early), tuple(self.letterbox.usual)
        known = replace(call, books=self.books)
        return Done(_as_sent(protocol, known, fault, rule, answer), rule, early, usual)

    def _answer(
        self, protocol: ProviderProtocol, call: Call, operation: Operation, fault: str
    ) -> Answer:
        if fault == PICKY and isinstance(protocol, IsPicky):
            refused = protocol.picky(replace(call, books=self.books))
            if refused is not None:
                return refused
        self.books.connection.execute("SAVEPOINT answering")
        try:
            answer = protocol.answer(self.books, replace(call, decline=fault == "decline"))
            if fault == "decline" and operation is Operation.CHARGE:
                self._decline(protocol, call)
        except Exception:
            log.exception("a protocol failed", provider=protocol.name, path=call.path)
            self.books.connection.execute("ROLLBACK TO answering")
            self.letterbox.begin()
            answer = wire.error(_SERVER_ERROR)
        self.books.connection.execute("RELEASE answering")
        return answer

    def _decline(self, protocol: ProviderProtocol, call: Call) -> None:
        """The payer of a charge that still waits declines at once."""
        for provider, charge_id in list(self.books.touched):
            charge = self.books.charge(provider, charge_id)
            if charge is not None and "decline" in protocol.acts(charge):
                protocol.act(self.books, charge, "decline", now=call.now)

    def advance(self, by: timedelta) -> None:
        """Move the clock ahead; what is over by then ends."""
        with self.books.deed():
            self.desk.advance(by)
        self.catch_up()

    def catch_up(self) -> None:
        for protocol in protocols().values():
            if isinstance(protocol, KeepsTime):
                self.letterbox.begin()
                with self.books.deed():
                    protocol.catch_up(self.books, self.books.clock.now())
        self.office.release(())

    def payouts(self, provider: str, merchant: str) -> Sequence[Payout]:
        """None where the provider pays nothing out, or has no such merchant."""
        protocol, found = _paying_out().get(provider), self.books.merchant(provider, merchant)
        if found is None or protocol is None:
            return []
        self.letterbox.begin()
        with self.books.deed():
            made = protocol.payouts(self.books, found, self.books.clock.now())
        self.office.release(())
        return made

    def return_payout(self, provider: str, merchant: str, reference: str) -> bool:
        """The merchant's bank sends back what has arrived; False where that cannot be."""
        protocol, found = _paying_out().get(provider), self.books.merchant(provider, merchant)
        if found is None or protocol is None:
            return False
        self.letterbox.begin()
        with self.books.deed():
            now = self.books.clock.now()
            made = protocol.payouts(self.books, found, now)
            arrived = [one.reference for one in made if one.at <= now and not one.returned_at]
            returned = reference in arrived and protocol.return_payout(
                self.books, found, reference, now
            )
        self.office.release(())
        return returned

    def act(self, provider: str, charge_id: str, action: str) -> bool:
        """Do what a person at the provider's page does; False where that cannot be done now."""
        protocol = protocols().get(provider)
        self.letterbox.begin()
        with self.books.deed():
            charge = self.books.charge(provider, charge_id)
            if protocol is None or charge is None or action not in protocol.acts(charge):
                return False
            protocol.act(self.books, charge, action, now=self.books.clock.now())
        self.office.release(())
        return True


def _paying_out() -> dict[str, PaysOut]:
    return {name: one for name, one in protocols().items() if isinstance(one, PaysOut)}


def _as_sent(
    protocol: ProviderProtocol, call: Call, fault: str, rule: Rule | None, answer: Answer | None
) -> Answer:
    match fault, answer:
        case "not_found", _:
            return protocol.not_found(call)
        case "rate_limited", _:
            seconds = max(1, int(rule.lasts)) if rule else 1
            return wire.error(_TOO_MANY, {"retry-after": str(seconds)})
        case "busy", _:
            return protocol.busy(call) if isinstance(protocol, SaysBusy) else wire.error(_CONFLICT)
        case (("error_500" | "error_500_after"), _):
            return wire.error(_SERVER_ERROR)
        case _, None:
            return wire.error(_SERVER_ERROR)  # not sent: the connection ends before
        case (("wrong_amount" | "wrong_currency"), Answer()):
            return protocol.distort(call, answer, amount=fault == "wrong_amount")
        case "odd_entries", Answer():
            return strewn(protocol, call, answer)
        case _, Answer() if fault in ANSWER_CODECS:
            return recoded(protocol, call, answer, ANSWER_CODECS[fault])
        case _, Answer():
            return answer
    raise AssertionError(fault)


def _target_in(target: str) -> str:
    """The path and query of a request's target, which may be a whole address: some clients write
    it so, also where no proxy is between."""
    if not target.startswith(("http://", "https://")):
        return target
    behind = target.partition("://")[2]
    slash = behind.find("/")
    return behind[slash:] if slash >= 0 else "/"


async def _call_of(request: web.Request, books: SqliteBooks) -> Call:
    path, _, query = _target_in(request.raw_path).partition("?")
    headers: dict[str, str] = {}
    for cased, value in request.headers.items():
        name = cased.lower()
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    try:
        body = await request.read()
    except asyncio.IncompleteReadError:
        body = b""
    return Call(
        method=request.method,
        path=path,
        query=query,
        headers=headers,
        body=body,
        now=books.clock.now(),
        origin=f"http://{request.host}",
    )
