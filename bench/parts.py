"""The parts of one run, in the order in which they are measured."""

import sys
import time
from collections.abc import Callable
from statistics import median

import msgspec

from bench import calls, limit, load, wallets
from bench.gateway import Gateway
from bench.load import Call, Load, Select, Timed
from bench.provider import ANSWERS_AFTER_SECONDS, Provider

CONNECTIONS = 64
_AT_PROVIDER = 256  # callers whose payments wait for a provider's answer for most of their time
_WARM_UP_SECONDS = 0.5
_PAYS_PER_S = 2000  # made in advance; a part that uses them up ends early
_CREATES = 50_000
_PAYERS = 1_000
_SELECTING = 10  # connections of a process: as many as one of the gateway's has
_HALF = 0.5
_OK, _SUCCESS, _PAID = b'"order_id":"', b'"resultStatus":"S"', b'"paymentResult":true'


class Round(msgspec.Struct, kw_only=True):
    """`cpu_us`: CPU time per request, by process, the load generator's included."""

    timed: Timed
    cpu_us: dict[str, int]


class Part(msgspec.Struct, kw_only=True):
    """One thing measured, once or several times; the median speaks for it. `beside`: what else is
    to be said of it."""

    key: str
    title: str
    concurrency: int
    rounds: list[Round]
    beside: str = ""

    @property
    def median(self) -> Round:
        ordered = sorted(self.rounds, key=lambda one: one.timed.per_s)
        return ordered[(len(ordered) - 1) // 2]

    @property
    def per_s(self) -> float:
        return round(median(one.timed.per_s for one in self.rounds), 1)

    @property
    def spread(self) -> tuple[float, float]:
        """The slowest round and the fastest, per second."""
        rates = [one.timed.per_s for one in self.rounds]
        return min(rates), max(rates)

    @property
    def errors(self) -> int:
        return sum(sum(one.timed.errors.values()) for one in self.rounds)


class Bench:
    """Runs the parts and tells on standard error how it goes. `alone`: a gateway with one HTTP
    process, beside the one that starts as many as it will."""

    def __init__(self, gateway: Gateway, alone: Gateway, seconds: float):
        self._gateway = gateway
        self._alone = alone
        self._seconds = seconds
        self.parts: dict[str, Part] = {}

    def run(self, rounds: int) -> list[Part]:
        """All parts of a round after each other, so that drift of the machine hits all alike."""
        gateway, alone = self._gateway, self._alone
        limit.prepare(gateway)
        creates = {one: calls.create_orders(one, _CREATES) for one in (gateway, alone)}
        for one, requests in creates.items():
            load.run(self._http(requests[:2000], _OK, seconds=min(2.0, self._seconds), of=one))
        ids, tokens = calls.payment_ids(gateway), wallets.tokens(gateway, _PAYERS)
        with Provider(gateway) as provider:
            for _ in range(rounds):
                self._measure("create", "POST /v1/orders:create", self._http(creates[gateway], _OK))
                self._limits()
                self._note(
                    "create_alone",
                    "the same, one HTTP process",
                    CONNECTIONS,
                    lambda: load.run(self._http(creates[alone], _OK, of=alone)),
                    gateway=alone,
                )
                self._wallet(tokens)
                self._card(provider)
                self._reads(ids)
        counted = provider.counted
        self.parts["card"].beside = (
            f"{counted.delivered:,} of {counted.charged:,} notifications of the provider of the"
            f" card payments were delivered, {counted.refused:,} refused."
        )
        self._waiting(creates[gateway], rounds)
        return list(self.parts.values())

    def _limits(self) -> None:
        self._limit("limit", "limit: BEGIN, 3 INSERTs, COMMIT", in_one_statement=False)
        self._limit("limit_one_statement", "limit: all in one statement", in_one_statement=True)

    def _wallet(self, tokens: list[str]) -> None:
        gateway, count = self._gateway, int(_PAYS_PER_S * (self._seconds + _WARM_UP_SECONDS))
        self._measure(
            "pay_signed",
            f"wallet pay from {_PAYERS:,} balances, RSA",
            self._http(calls.signed_pays(gateway, count, tokens), _SUCCESS, once=True),
        )
        self._measure(
            "pay_unsigned",
            "the same movement of money, without RSA",
            self._http(calls.unsigned_pays(gateway, count, tokens), _PAID, once=True),
        )

    def _card(self, provider: Provider) -> None:
        gateway, count = self._gateway, int(_PAYS_PER_S * (self._seconds + _WARM_UP_SECONDS))
        payments = calls.card_payments(gateway, count)
        after = round(ANSWERS_AFTER_SECONDS * 1000)
        self._note(
            "card",
            f"gateway card payment, at a provider that answers in {after} ms",
            _AT_PROVIDER,
            lambda: load.run(self._http(payments, _PAID, once=True, callers=_AT_PROVIDER)),
            provider.cpu_us,
        )

    def _waiting(self, creates: list[bytes], rounds: int) -> None:
        """How long an answer takes when nothing is overrun: of one caller, and of many at half of
        the rate that was reached, whether or not they have their answers."""
        half = self.parts["create"].per_s * _HALF
        for _ in range(rounds):
            self._note(
                "create_one",
                "create, one caller alone",
                1,
                lambda: load.run(self._http(creates, _OK, callers=1)),
            )
            self._note(
                "create_half",
                f"create, {half:,.0f} due each second",
                CONNECTIONS,
                lambda: load.run(self._http(creates, _OK, rate=half)),
            )

    def _reads(self, ids: list[str]) -> None:
        """One payment, and what its row costs the driver alone, in turns; and lists."""
        gateway = self._gateway
        names = list(gateway.processes().values())
        self._select("select_rest", ids, names.count("http"))
        self._measure(
            "get_rest",
            "GetPayment, REST",
            self._http(calls.get_payments(gateway, ids), b'"orderId":"'),
        )
        self._select("select_grpc", ids, names.count("grpc"))
        self._measure(
            "get_grpc", "GetPayment, gRPC", self._grpc("GetPayment", calls.grpc_get_payments(ids))
        )
        self._measure(
            "list_rest",
            "ListPayments of 20, REST",
            self._http(calls.list_payments(gateway), b'"payments":['),
        )
        self._measure(
            "list_grpc",
            "ListPayments of 20, gRPC",
            self._grpc("ListPayments", calls.grpc_list_payments(gateway)),
        )

    def _http(
        self,
        requests: list[bytes],
        expect: bytes,
        *,
        once: bool = False,
        seconds: float | None = None,
        callers: int = CONNECTIONS,
        rate: float = 0.0,
        of: Gateway | None = None,
    ) -> Load:
        return Load(
            host="127.0.0.1",
            port=(of or self._gateway).port,
            connections=callers,
            seconds=self._seconds if seconds is None else seconds,
            warm_up_seconds=_WARM_UP_SECONDS,
            requests=requests,
            expect=expect,
            once=once,
            rate=rate,
        )

    def _grpc(self, method: str, messages: list[bytes]) -> Load:
        return Load(
            host="127.0.0.1",
            port=self._gateway.grpc_port,
            connections=CONNECTIONS,
            seconds=self._seconds,
            warm_up_seconds=_WARM_UP_SECONDS,
            requests=messages,
            expect=b"py_",
            call=Call(calls.SERVICE + method, calls.grpc_metadata(self._gateway)),
        )

    def _measure(self, key: str, title: str, wanted: Load) -> None:
        self._note(key, title, CONNECTIONS, lambda: load.run(wanted))

    def _select(self, key: str, ids: list[str], processes: int) -> None:
        gateway = self._gateway
        wanted = Select(
            url=gateway.database_urls["app_url"],
            company=gateway.demo["company_id"],
            ids=ids,
            connections=_SELECTING,
            seconds=self._seconds,
            warm_up_seconds=_WARM_UP_SECONDS,
        )
        title = f"limit: SELECT of its row, {processes} process{'es' if processes > 1 else ''}"
        self._note(key, title, _SELECTING * processes, lambda: load.select(wanted, processes))

    def _limit(self, key: str, title: str, *, in_one_statement: bool) -> None:
        self._note(
            key,
            title,
            limit.CLIENTS,
            lambda: limit.measure(self._gateway, self._seconds, in_one_statement=in_one_statement),
        )

    def _note(
        self,
        key: str,
        title: str,
        concurrency: int,
        work: Callable[[], Timed],
        of_provider: Callable[[], int] = lambda: 0,
        gateway: Gateway | None = None,
    ) -> None:
        measured = gateway or self._gateway
        before, provider_before = measured.cpu_us(), of_provider()
        timed = work()
        time.sleep(0.2)  # so that what it left to do does not weigh on the next part
        after = measured.cpu_us()
        used = {name: after[name] - before.get(name, 0) for name in after}
        used["load generator"] = timed.load_cpu_us
        used["provider"] = of_provider() - provider_before
        sent = max(timed.sent, 1)
        each = {name: us // sent for name, us in used.items() if us // sent > 0}
        part = self.parts.setdefault(
            key, Part(key=key, title=title, concurrency=concurrency, rounds=[])
        )
        part.rounds.append(Round(timed=timed, cpu_us=each))
        cpu = ", ".join(f"{name} {us}" for name, us in each.items())
        print(
            f"  {title:55} {timed.per_s:9.1f}/s  p50 {timed.p50_us / 1000:7.1f} ms"
            f"  p99 {timed.p99_us / 1000:7.1f} ms  CPU µs: {cpu}"
            + (f"  ERRORS {timed.errors}" if timed.errors else ""),
            file=sys.stderr,
            flush=True,
        )
