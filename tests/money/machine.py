"""Random sequences of every money verb through random interfaces, against a simple model."""

import itertools
import random
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any, ClassVar

from hypothesis import note
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule
from tests.faces.wallet.calls import CANCEL, PAY, RESERVE
from tests.money.asking import Asking
from tests.money.model import Model, Paying, Purse
from tests.money.watch import Allowed, Watch
from tests.money.world import DAILY_LIMIT, WALLET_LIMIT, World
from tests.shop import CARDS

from kassa.base.domain.errors import KassaError
from kassa.base.domain.money import Money
from kassa.connectors.sandbox.cards import SandboxState
from kassa.modifications.usecases.cancel_payment import cancel_payment
from kassa.modifications.usecases.pursue_modifications import pursue_modifications
from kassa.modifications.usecases.release_authorizations import release_authorizations
from kassa.modifications.usecases.return_overpayments import return_overpayments
from kassa.orders.usecases.expire_orders import expire_orders
from kassa.payments.domain.payments import CaptureMethod, Method
from kassa.payments.usecases.poll_payments import poll_payments
from kassa.payments.usecases.record_payment import Recording, record_payment
from kassa.proof.usecases.chain import chain_history
from kassa.proof.usecases.verify import verify_books
from kassa.settlement.usecases.settlements import close_settlements
from kassa.wallet.usecases.wallet_users import add_wallet_user, top_up

WORKERS: dict[str, Callable[[Any], Any]] = {
    "poll": poll_payments,
    "pursue": pursue_modifications,
    "surplus": return_overpayments,
    "expire": expire_orders,
    "deadlines": release_authorizations,
    "chain": chain_history,
}
FAILS = {"declined", "insufficient_funds", "expired_card", "incorrect_cvc"}
WAITS = {"paid_later", "declined_later", "paid_but_silent", "lost"}
PAUSES = [timedelta(seconds=s) for s in (2, 4, 7, 61, 3_700, 50_000, 86_400, 601_200)]

WEIGHTS = {
    "create": 3,
    "wallet_pay": 2,
    "pay_by_card": 10,
    "pay_from_wallet": 3,
    "record_cash": 1,
    "top_up": 1,
    "capture": 5,
    "void": 2,
    "refund": 8,
    "ask_again": 2,
    "cancel": 1,
    "time_passes": 5,
    "decide": 5,
    "deliver": 8,
    "lose_news": 1,
    "work": 8,
    "run_out": 1,
    "somebody_asks": 2,
    "settle": 1,
}
"""How often each verb is tried, in proportion."""
CAPTURES = ["whole", "part", "part", "all", "over", "none"]
REFUNDS = ["whole", "part", "part", "part", "all", "over", "negative", "none"]
# The stories that open doors to others are told more often.
STORIES = [
    *sorted(CARDS.keys() - {"declined", "insufficient_funds", "expired_card", "slow"}),
    *["action_needed"] * 5,
    *["paid_later", "lost", "paid_but_silent", "disputed", "dispute_won", "paid"],
]
_numbers = itertools.count(1)


class MoneyMachine(Asking, RuleBasedStateMachine):
    """`tally` counts what really happened, over all examples."""

    world: ClassVar[World]
    tally: ClassVar[Counter[str]]

    @initialize(luck=st.integers(0, 2**32))
    def open(self, luck: int) -> None:
        self.luck, self.steps = luck, 0
        self.tenant = self.world.tenant()
        self.shop, self.core = self.tenant.shop, self.world.core
        self.company = self.tenant.company
        self.model = Model()
        self.watch = Watch(self.world, self.tenant, self.model, self.tally)
        self.bag: list[bytes] = []
        self.asked: list[tuple[Paying, str, int | None, str, str]] = []
        for balance in (30_000, 90_000):
            user = f"wu_{next(_numbers)}"
            self.world.run(add_wallet_user(self.core, self.company.id, user, user))
            self.world.run(top_up(self.core, self.company.id, user, Money(balance, "CNY")))
            self.model.purses[user] = Purse(balance)
        self.tally["examples"] += 1
        for manual in (False, True, False):
            self._create(10_000, manual)

    def did(self, verb: str, allowed: Allowed | None = None) -> None:
        self.tally[verb] += 1
        self.tally["steps"] += 1
        self.steps += 1
        self.watch.look(allowed or Allowed())

    def roll(self, choice: int) -> int:
        """Hypothesis likes small numbers, and likes them again: this spreads them."""
        return random.Random(f"{self.luck} {self.steps} {choice}").randrange(2**30)

    def pick(self, choice: int, good: Callable[[Paying], Any]) -> Paying:
        """Mostly one that the verb fits, sometimes any."""
        choice = self.roll(choice)
        every = list(self.model.payments.values())
        fitting = [paying for paying in every if good(paying)]
        pool = fitting if fitting and choice % 5 else every
        return pool[choice // 5 % len(pool)]

    def user(self, choice: int) -> str:
        return list(self.model.purses)[self.roll(choice) % len(self.model.purses)]

    @rule(dice=st.integers(0, 2**32))
    def anything(self, dice: int) -> None:
        """A few verbs by dice: Hypothesis itself would try some often and others hardly ever.

        `note` tells which they were, so that a failing example can be read.
        """
        for _ in range(4):
            luck = random.Random(f"{self.luck} {self.steps} {dice}")
            lacking = {
                "deliver": not self.bag,
                "lose_news": not self.bag,
                "ask_again": not self.asked,
                "decide": not self._at_bank(),
            }
            weights = [0 if lacking.get(name) else WEIGHTS[name] for name in WEIGHTS]
            self._do(luck.choices(list(WEIGHTS), weights)[0], luck)

    def _do(self, name: str, luck: random.Random) -> None:
        choice, coin, more = luck.randrange(2**30), luck.random() < 0.5, luck.randrange(2**30)
        minor = luck.choice((10_000, 15_001, luck.randint(1, 20_000), luck.randint(1, 300)))
        faces = ["use case", "orders", "wallet", "gateway"]
        verbs: dict[str, Callable[[], None]] = {
            "create": lambda: self.create(minor, coin, choice % 3 == 0),
            "wallet_pay": lambda: self.wallet_pay(minor, coin, choice),
            "pay_by_card": lambda: self.pay_by_card(choice, choice % 4 == 0),
            "pay_from_wallet": lambda: self.pay_from_wallet(choice, more),
            "record_cash": lambda: self.record_cash(choice),
            "top_up": lambda: self.top_up(minor, choice),
            "capture": lambda: self.capture(
                choice, luck.choice(CAPTURES), coin, luck.choice(faces[:3])
            ),
            "void": lambda: self.void(choice, luck.choice(faces[:3])),
            "refund": lambda: self.refund(choice, luck.choice(REFUNDS), luck.choice(faces)),
            "ask_again": lambda: self.ask_again(choice, coin),
            "cancel": lambda: self.cancel(choice, coin),
            "time_passes": lambda: self.time_passes(luck.choice(PAUSES)),
            "decide": lambda: self.decide(choice, more % 4 > 0),
            "deliver": lambda: self.deliver(choice, coin),
            "lose_news": lambda: self.lose_news(choice),
            "work": lambda: self.work(luck.choice(sorted(WORKERS))),
            "run_out": lambda: self.run_out(choice),
            "somebody_asks": lambda: self.somebody_asks(choice),
            "settle": self.settle,
        }
        note(f"{name} {choice} {coin} {more} {minor}")
        verbs[name]()

    # Making payments ---------------------------------------------------------------------------

    def create(self, minor: int, manual: bool, over_http: bool) -> None:
        word = "manual" if manual else "automatic"
        if over_http:
            members = {
                "customer_name": "Alice",
                "customer_email": "alice@example.com",
                "customer_phone": "9999999999",
                "order_amount": minor / 100,
                "capture_method": word,
            }
            answer = self.world.run(
                self.world.post("/v1/orders:create", self.tenant.orders, members)
            )
            assert answer.status == 200, answer.body
            order_id = answer.json()["order_id"]
            found = "select id from payment where order_id = $1"
            payment_id = self.world.run(self.world.owner.fetchval(found, order_id))
            self.model.payments[payment_id] = Paying(payment_id, order_id, minor, manual)
        else:
            self._create(minor, manual)
        self.did(f"create {word} by {'orders' if over_http else 'use case'}")

    def _create(self, minor: int, manual: bool) -> None:
        method = CaptureMethod.MANUAL if manual else CaptureMethod.AUTOMATIC
        made = self.world.run(self.shop.payment(amount=Money(minor, "CNY"), capture_method=method))
        self.model.payments[made.id] = Paying(made.id, made.order_id, minor, manual)

    def wallet_pay(self, minor: int, manual: bool, choice: int) -> None:
        """A wallet client charges a user's code; its refusal is for ever."""
        user, request = self.user(choice), f"W-{next(_numbers)}"
        members = {
            "productCode": RESERVE if manual else "51051000101000000011",
            "paymentRequestId": request,
            "paymentAmount": {"currency": "CNY", "value": str(minor)},
            "order": {"orderDescription": "tea"},
            "paymentAuthCode": user,
        }
        answer = self.world.run(self.tenant.wallet.ask(PAY, members))
        found = "select id, order_id from payment where company_id = $1 and id <> all($2)"
        known = list(self.model.payments)
        rows = self.world.run(self.world.owner.fetch(found, self.company.id, known))
        ((payment_id, order_id),) = rows
        paying = Paying(payment_id, order_id, minor, manual, retry=False)
        good = self._affords(user, minor)
        self.model.payments[payment_id] = paying
        self.did("wallet pay", Allowed(charge=paying))
        assert (paying.holder is not None) == good
        assert (answer["result"]["resultStatus"] == "S") == good, answer

    def _affords(self, user: str, minor: int) -> bool:
        purse = self.model.purses[user]
        enough = minor <= purse.balance and purse.spent + minor <= DAILY_LIMIT
        return enough and minor <= WALLET_LIMIT

    def pay_by_card(self, choice: int, gateway: bool) -> None:
        story = STORIES[self.roll(choice) % len(STORIES)]
        paying = self.pick(choice, lambda one: one.can_be_paid)
        before, may = paying.status, paying.can_be_paid
        tries = len(paying.charges)
        try:
            if gateway:
                self._by_gateway(paying, CARDS[story])
            else:
                payment = self._payment(paying)
                self.world.run(self.shop.submit(payment, story))
        except KassaError:
            assert not may
        made = self._made_attempt(paying) > tries
        # A client of the gateway that asked before is told of what it asked for before.
        assert made == may or (gateway and not made), (before, story)
        if made:
            last = self.world.run(self.shop.attempts(self._payment(paying)))[-1]
            self.watch.stories[last["id"]] = story
        self.did("pay by card", Allowed(charge=paying if made else None))
        if made:
            done = "authorized" if paying.manual else "captured"
            meant = "failed" if story in FAILS else "processing" if story in WAITS else done
            assert paying.status == ("requires_action" if story == "action_needed" else meant)
            self.tally[f"card {story}"] += 1

    def _by_gateway(self, paying: Paying, card: str) -> None:
        members = {
            "userId": "user_1",
            "orderId": paying.order_id,
            "amount": paying.amount / 100,
            "paymentMethod": "credit card",
            "payerAccount": {"accountType": "card", "accountNumber": card},
            "payeeAccount": {
                "accountType": "business",
                "accountNumber": self.company.business_id,
            },
        }
        self.world.run(self.world.post("/gateway/payment-requests", self.tenant.key, members))
        self.tally["gateway request"] += 1

    def _payment(self, paying: Paying) -> Any:
        """Its row, as use cases want it."""
        return _Named(self.company.id, paying.id)

    def _made_attempt(self, paying: Paying) -> int:
        count = "select count(*) from attempt where payment_id = $1"
        return int(self.world.run(self.world.owner.fetchval(count, paying.id)))

    def pay_from_wallet(self, choice: int, who: int) -> None:
        paying, user = self.pick(choice, lambda one: one.can_be_paid), self.user(who)
        may = paying.can_be_paid
        good = may and self._affords(user, paying.amount)
        status = paying.status
        try:
            self.world.run(self.shop.wallet(self._payment(paying), user))
        except KassaError:
            assert not may
        self.did("pay from wallet", Allowed(charge=paying if may else None))
        if may:
            taken = "authorized" if paying.manual else "captured"
            assert paying.status == (taken if good else "failed"), status
            self.tally[f"wallet {'takes' if good else 'refuses'}"] += 1

    def record_cash(self, choice: int) -> None:
        paying = self.pick(choice, lambda one: one.can_be_paid and not one.manual)
        may = paying.can_be_paid and not paying.manual
        wanted = Recording(
            company_id=self.company.id, payment_id=paying.id, method=Method.CASH, actor="till"
        )
        try:
            self.world.run(record_payment(self.core, wanted))
        except KassaError:
            assert not may
        self.did("record cash", Allowed(charge=paying if may else None))
        self.tally["cash taken"] += may

    def top_up(self, minor: int, choice: int) -> None:
        user = self.user(choice)
        self.world.run(top_up(self.core, self.company.id, user, Money(minor, "CNY")))
        self.model.purses[user].balance += minor
        self.did("top up")

    # What is asked of payments afterwards ------------------------------------------------------

    def capture(self, choice: int, share: str, last: bool, face: str) -> None:
        paying = self.pick(choice, lambda one: one.can_be_claimed)
        held = paying.held
        minor = _amount(share, held, self.roll(choice))
        good = paying.can_be_captured and (minor is None or 0 < minor <= held)
        change = (paying, "capture", held if minor is None else minor) if good else None
        self._modify(paying, "capture", minor, face, last=last)
        self.did(f"capture by {face}", Allowed(change=change, last=last))
        self.tally[f"capture {share} {'let' if good else 'refused'}"] += 1

    def void(self, choice: int, face: str) -> None:
        paying = self.pick(choice, lambda one: one.can_be_claimed)
        good = paying.can_be_claimed
        change = (paying, "void", paying.held) if good else None
        self._modify(paying, "void", None, face)
        self.did(f"void by {face}", Allowed(change=change))

    def refund(self, choice: int, share: str, face: str) -> None:
        paying = self.pick(choice, lambda one: one.refundable)
        minor = _amount(share, paying.refundable, self.roll(choice))
        if face in ("orders", "wallet") and minor is None:
            minor = paying.refundable
        good = paying.refundable > 0 and (minor is None or 0 < minor <= paying.refundable)
        change = (paying, "refund", paying.refundable if minor is None else minor)
        request = self._modify(paying, "refund", minor, face)
        self.did(f"refund by {face}", Allowed(change=change if good else None))
        self.tally[f"refund {share} {'let' if good else 'refused'}"] += 1
        if good:
            self.asked.append((paying, "refund", minor, face, request))

    def ask_again(self, choice: int, same: bool) -> None:
        """The same request id: with the same content it is the same refund, else refused."""
        paying, kind, minor, face, request = self.asked[self.roll(choice) % len(self.asked)]
        other = 1 if minor is None else minor + 1
        said = self._modify(paying, kind, minor if same else other, face, request=request)
        self.did("ask again" if same else "ask again for another amount")
        assert said == request

    def _modify(
        self,
        paying: Paying,
        kind: str,
        minor: int | None,
        face: str,
        *,
        last: bool = True,
        request: str = "",
    ) -> str:
        """Ask, whatever is answered; the request's id."""
        request = request or f"{kind}_{next(_numbers)}"
        # A face asks the provider first, when the outcome is not known: then it would learn.
        if face == "wallet" and paying.status in ("processing", "requires_action"):
            face = "use case"
        if face == "use case":
            self._by_use_case(paying, kind, minor, last, request)
        elif face == "wallet":
            self._by_wallet(paying, kind, minor, last, request)
        else:
            self._by_http(paying, kind, minor, last, request, face)
        return request

    def cancel(self, choice: int, over_wallet: bool) -> None:
        paying = self.pick(choice, lambda one: one.status in ("created", "authorized"))
        had_holder = paying.status == "captured" and not paying.surplus
        try:
            if over_wallet:
                members = {"paymentId": paying.id}
                self.world.run(self.tenant.wallet.ask(CANCEL, members))
            else:
                self.world.run(
                    cancel_payment(self.core, self.company.id, paying.id, actor="machine")
                )
        except KassaError:
            pass
        self.did("cancel", Allowed(cancel=paying))
        assert not had_holder or paying.status == "captured"

    # The provider and the time -----------------------------------------------------------------

    def time_passes(self, pause: timedelta) -> None:
        self._later(pause)
        self.collect_news()
        self.did("time passes")

    def _later(self, pause: timedelta) -> None:
        self.world.run(self.world.later(self.company.id, pause))

    def decide(self, choice: int, approve: bool) -> None:
        """The payer on the provider's own page; perhaps long after they left ours."""
        waiting = self._at_bank()
        reference = waiting[self.roll(choice) % len(waiting)]
        self.world.books.decide(reference, approve=approve, now=self.world.provider.time())
        self.collect_news()
        self.did("payer decides")

    def _at_bank(self) -> list[str]:
        """The charges whose payers have the bank's page open, by the provider's references."""
        with self.world.books._using() as books:
            rows = books.execute(
                "SELECT reference FROM charges WHERE state = ? ORDER BY number",
                (SandboxState.ACTION_NEEDED,),
            )
            return [reference for (reference,) in rows]

    def collect_news(self) -> None:
        """What the provider posts comes into a bag first: late, twice, in any order, or never."""
        now = self.world.provider.time()
        for one in self.world.books.take_due(now=now, limit=100):
            self.bag.append(one.body)
            self.world.books.arrived(one, now=now)
            self.tally["news"] += 1

    def deliver(self, choice: int, again: bool) -> None:
        at = self.roll(choice) % len(self.bag)
        body = self.bag[at] if again else self.bag.pop(at)
        self.world.run(self.world.deliver(body))
        self.did("news is delivered")

    def lose_news(self, choice: int) -> None:
        self.bag.pop(choice % len(self.bag))
        self.tally["news is lost"] += 1

    # The workers -------------------------------------------------------------------------------

    def work(self, name: str) -> None:
        self.world.run(WORKERS[name](self.core))
        self.did(f"worker {name}", Allowed(workers=True))

    def run_out(self, choice: int) -> None:
        """The order's time is over."""
        paying = self.pick(choice, lambda one: one.order == "active")
        payment = _Named(self.company.id, paying.id, paying.order_id)
        self.world.run(self.shop.expire(payment))  # type: ignore[arg-type]
        paying.overdue = True
        self.did("an order runs out")

    def somebody_asks(self, choice: int) -> None:
        paying = self.pick(choice, lambda one: one.in_doubt)
        self.world.run(self.shop.sync(self._payment(paying)))
        self.did("somebody asks")

    def settle(self) -> None:
        self.world.run(close_settlements(self.core, self.company.id))
        self.did("settle")

    def teardown(self) -> None:
        """In the end nothing is open, the provider agrees to the last unit, the proofs hold."""
        if not hasattr(self, "watch"):
            return
        every = ("poll", "pursue", "surplus", "pursue", "deadlines", "chain")
        for names in (*[every] * 4, *[("deadlines", "pursue")] * 3):
            self._later(timedelta(hours=13))
            for name in names:
                self.world.run(WORKERS[name](self.core))
            self.watch.look(Allowed(workers=True))
        stuck = [
            change
            for paying in self.model.payments.values()
            for change in paying.changes.values()
            if change.state == "open"
        ]
        assert stuck == []
        lapsed = [one for one in self.model.payments.values() if one.lapsed and one.held]
        assert not lapsed, lapsed
        proof = self.world.run(verify_books(self.core, self.company.id))
        assert proof.violations == (), proof.violations
        self.world.run(self.world.forget(self.company.id))


class _Named:
    """As much of a payment as use cases look at to find it."""

    def __init__(self, company_id: str, payment_id: str, order_id: str = ""):
        self.company_id, self.id, self.order_id = company_id, payment_id, order_id


def _amount(share: str, most: int, choice: int) -> int | None:
    """A part of `most`, all of it, more, or nothing at all; None says no amount."""
    return {
        "whole": None,
        "part": 1 + choice % max(1, most),
        "all": most,
        "over": most + 1 + choice % 9_000,
        "negative": -1 - choice % 9_000,
        "none": 0,
    }[share]
