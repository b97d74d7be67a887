"""Random accidents at every provider that the simulator plays; its books are the oracle."""

import os
import random
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any, ClassVar

from hypothesis import note
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule
from tests.connectors.contract.plug import Plug, Way, plugs
from tests.oracle import figures, lost
from tests.oracle.figures import Figures
from tests.oracle.reports import SETTLED_AFTER, Reports
from tests.oracle.world import Letter, World

from kassa.base.domain.errors import KassaError
from kassa.base.domain.lifecycle import UNDECIDED, ModificationKind
from kassa.base.domain.money import Money
from kassa.connectors.base import (
    ActionNeeded,
    Authorized,
    Captured,
    ChargeEvent,
    ModificationEvent,
    Pending,
)
from kassa.modifications.usecases.modify_payment import ModifyPayment, modify_payment
from kassa.payments.domain.payments import Payment
from kassa.payments.usecases.find_payments import get_payment
from kassa.payments.usecases.sync_payment import sync_payment

WEIGHTS = {
    "pay": 5,
    "pay again": 1,
    "payer": 6,
    "capture": 4,
    "void": 1,
    "refund": 6,
    "accident": 9,
    "deliver": 8,
    "repeat": 3,
    "lose": 2,
    "ask": 3,
    "work": 4,
    "time": 4,
    "fault": 3,
    "settle": 1,
    "report": 5,
}
"""How often each verb is tried, in proportion."""
PAYERS = ("pay", "decline", "close")
PAUSES = tuple(timedelta(seconds=one) for one in (1, 5, 61))
LONG = (*PAUSES, *(timedelta(seconds=one) for one in (3_700, 86_400, 3 * 86_400, 8 * 86_400)))
FAULTS: dict[str, tuple[str, ...]] = {
    "letter": ("foreign", "marked", "duplicated"),
    "*": ("odd_entries", "answer_marked", "rate_limited"),
    "charge": ("reset_after", "error_500_after", "decline"),
    "capture": ("reset_after", "error_500_after", "reset_before"),
    "void": ("reset_after", "error_500_after", "reset_before"),
    "refund": ("reset_after", "error_500_after", "reset_before"),
    "query": ("error_500", "reset_before"),
}
REPORTED = float(os.environ.get("KASSA_TEST_REPORTED", "0.4"))  # a share, not money
"""The part of the examples whose reports are imported."""
ROUNDS = 6
"""After so many rounds of letters and questions, nobody learns anything new."""


class OracleMachine(RuleBasedStateMachine):
    """`tally` counts what really happened, over all examples."""

    world: ClassVar[World]
    tally: ClassVar[Counter[str]]
    differed: ClassVar[list[str]]

    @initialize(luck=st.binary(min_size=8, max_size=8))
    def open(self, luck: bytes) -> None:
        self.luck, self.steps, self.is_late, self.is_missing = luck, 0, False, False
        self.tally["examples"] += 1
        self.plug: Plug = random.Random(luck).choice(plugs())  # integers would be small mostly
        self.story: list[str] = []
        self.payments: dict[str, tuple[Payment, Way]] = {}
        self.reports = Reports(self.world)
        self.reads_reports = random.Random(f"{luck.hex()} reports").random() < REPORTED
        self.world.errors.clear()
        self.world.run(self.world.begin(self.plug))
        self._play("pay")

    @rule(dice=st.binary(min_size=8, max_size=8))
    def anything(self, dice: bytes) -> None:
        """A few verbs by dice: Hypothesis itself would try some often and others hardly ever.

        `note` tells which they were, so that a failing example can be read.
        """
        for _ in range(4):
            luck = random.Random(f"{self.luck.hex()} {self.steps} {dice.hex()}")
            self._play(luck.choices(list(WEIGHTS), WEIGHTS.values())[0], luck)

    def teardown(self) -> None:
        if not hasattr(self, "luck"):
            return
        if self.reads_reports:
            self.world.simulator.advance(SETTLED_AFTER)
        self._play("settle")
        if self.reads_reports:
            self.world.simulator.advance(SETTLED_AFTER)  # also what settling has moved
            untold = self.world.run(self.reports.compare())
            self.tally.update(one for one in untold if not one.startswith("untold"))
            self.differed.extend(f"{self.plug.name} {one}" for one in untold if "untold" in one)
            self.tally["reports compared"] += 1
        violations = self.world.prove()
        assert not violations, (violations, self.story)

    def _play(self, verb: str, luck: random.Random | None = None) -> None:
        self.luck_now = luck or random.Random(f"{self.luck.hex()} {verb}")
        self.told = ""
        self.story.append(verb)
        verbs: dict[str, Callable[[], Any]] = {
            "pay": self.pay,
            "pay again": self.pay_again,
            "payer": self.payer,
            "capture": lambda: self.modify(ModificationKind.CAPTURE),
            "void": lambda: self.modify(ModificationKind.VOID),
            "refund": lambda: self.modify(ModificationKind.REFUND),
            "accident": self.accident,
            "deliver": self.deliver,
            "repeat": self.repeat,
            "lose": self.lose,
            "ask": self.ask,
            "work": self.work,
            "time": self.time,
            "fault": self.fault,
            "settle": self.settle,
            "report": self.report,
        }
        self.world.run(self._step(verb, verbs[verb]))

    async def _step(self, verb: str, play: Callable[[], Any]) -> None:
        if verb == "settle":
            note(f"{self.plug.name}: settle")
        try:
            await play()
        except KassaError as error:
            self.did(f"{verb} refused: {error.reason or error.code}")
        if self.told:
            self.story[-1] = self.told.removesuffix("; ")
            note(f"{self.plug.name}: {self.told}")
        self.steps += 1
        self.tally["steps"] += 1
        await self.world.post()
        if self.told:
            await self._watch()

    def did(self, what: str) -> None:
        self.tally[what] += 1
        self.told += f"{what}; "

    # What is done by us, and by payers.

    async def pay(self) -> None:
        if self.is_late or len(self.payments) >= 4:
            return  # to the simulator, an order of ours would have ended before it began
        way = self.luck_now.choice(self.plug.ways)
        self._paid(await self.world.pay(way), way)
        self.did(f"pay by {self.plug.name} {way.name}")

    def _paid(self, payment: Payment, way: Way) -> None:
        self.payments[payment.id] = payment, way

    async def pay_again(self) -> None:
        """A payer whose payment was declined or left tries again, perhaps with what is refused."""
        payment, way = self._any()
        if self.is_late or payment is None or way is None:
            return
        good = way.fields.get("instrument", "")
        instrument = self.luck_now.choice([good, way.declines or good])
        await self.world.submit(await self._now(payment), way, instrument)
        self.did("pay again")

    async def payer(self) -> None:
        """At the provider's page."""
        payment, _ = self._any()
        if payment is None:
            return
        now = await self._now(payment)
        if now.redirect_url and self.luck_now.random() < 0.9:
            await self.world.open_page(now.redirect_url)
        keys = {one.key for one in await figures.charges(self.world) if one.payment == payment.id}
        found = [one for one in self.world.charges() if one.key in keys]
        can = [(one, act) for one in found for act in self.world.acts(one) if act in PAYERS]
        if not can:
            return
        charge, act = self.luck_now.choice([one for one in can if one[1] == "pay"] * 3 + can)
        self.world.act(charge, act)
        self.did(f"payer: {act}")

    async def modify(self, kind: ModificationKind) -> None:
        payment, way = self._any(lambda _, way: way.reserves is (kind != ModificationKind.REFUND))
        if payment is None or way is None:
            return
        whole, part = self.plug.amount, self.plug.part
        if kind is ModificationKind.CAPTURE and not self.plug.claims_in_part:
            part = whole
        amount = self.luck_now.choice([None, whole, part, part, Money(1, whole.currency)])
        wanted = ModifyPayment(
            company_id=payment.company_id,
            payment_id=payment.id,
            kind=kind,
            amount=None if kind is ModificationKind.VOID else amount,
            actor="oracle",
        )
        made = await modify_payment(self.world.core, wanted)
        self.did(f"{kind} {made.modification.status}")

    # What happens at the provider, beside us.

    async def accident(self) -> None:
        can = [
            (charge, act)
            for charge in self.world.charges()
            for act in self.world.acts(charge)
            if act not in PAYERS
        ]
        if not can:
            return
        charge, act = self.luck_now.choice(can)
        self.world.simulator.advance(timedelta(seconds=self.luck_now.choice([2, 5])))
        self.world.act(charge, act)
        self.did(f"{self.plug.name} {act}")

    async def time(self) -> None:
        if self.steps > 12 and self.luck_now.random() < 0.3:
            self.is_late = True
        await self.world.later(self.luck_now.choice(LONG if self.is_late else PAUSES))
        self.did("time passes")

    async def fault(self) -> None:
        operation = self.luck_now.choice(list(FAULTS))
        fault = self.luck_now.choice([*FAULTS[operation], ""])
        rule = {"provider": self.plug.name, "operation": operation, "fault": fault}
        self.world.simulator.set_faults([rule] if fault else [])
        self.reports.is_odd = fault == "odd_entries"
        self.did(f"fault {fault} on {operation}" if fault else "faults end")

    # Letters.

    async def deliver(self) -> None:
        bag = self.world.bag
        for _ in range(self.luck_now.choice([1, 2, 5])):
            if bag:
                await self._deliver(bag.pop(self.luck_now.randrange(len(bag))))
                self.did("delivered")

    async def repeat(self) -> None:
        """One that comes, and comes again later."""
        if self.world.bag:
            await self._deliver(self.luck_now.choice(self.world.bag))
            self.did("delivered, and comes again")

    async def _deliver(self, letter: Letter) -> None:
        await self.world.deliver(letter)

    async def lose(self) -> None:
        """One never comes; of those only, whose news a question finds out, or a list."""
        if not self.world.bag:
            return
        letter = self.luck_now.choice(self.world.bag)
        if await self._is_found_anyway(letter):
            self.world.bag.remove(letter)
            self.did("lost")
        elif lost.is_listed(self.world, self.world.told_by(letter)):
            self.world.bag.remove(letter)
            self.is_missing = True
            self.did("lost, and listed")

    async def _is_found_anyway(self, letter: Letter) -> bool:
        match self.world.told_by(letter):
            case ModificationEvent(key=key) if key:
                return True
            case ChargeEvent(outcome=Captured(refunded=back)) if back and back.minor:
                return False
            case ChargeEvent(
                key=key, outcome=Captured() | Authorized() | Pending() | ActionNeeded()
            ):
                return await self._is_asked(key)
        return False

    async def _is_asked(self, key: str) -> bool:
        found = [one for one in await figures.charges(self.world) if one.key == key]
        return bool(found) and found[0].status in UNDECIDED

    # Questions, and workers.

    async def ask(self) -> None:
        payment, _ = self._any()
        if payment is not None:
            await sync_payment(self.world.core, payment.company_id, payment.id, actor="oracle")
            self.did("asked")

    async def work(self) -> None:
        await self.world.work(self.luck_now)
        self.did("workers")

    async def settle(self) -> None:
        """Everything is delivered or asked about; then both books say the same."""
        self.world.simulator.set_faults([])
        self.reports.is_odd = False
        bag = self.world.bag
        for _ in range(ROUNDS):
            await self.world.post()
            letters, bag[:] = [*bag, *bag[:2]], []
            for letter in self.luck_now.sample(letters, len(letters)):
                await self._deliver(letter)
            await self.world.all_due()
            await self.world.work(self.luck_now)
            await self.world.post()
            if not bag and not await self._differing():
                break
        if self.is_missing:
            unlike = await lost.unlike(self.world, await self._differing())
            assert not unlike, (self.plug.name, unlike, self.story)
            await lost.looks(self.world)
        await self._compare()
        self.did("settled")

    async def report(self) -> None:
        """Days later."""
        if self.reads_reports and self.steps > 12:
            self.is_late = True
            for what in await self.reports.import_some(self.luck_now):
                self.did(what)

    # The oracle.

    async def _differing(self) -> dict[str, tuple[Figures, Figures]]:
        """By the charge: the simulator's figures, and ours."""
        there, here = figures.theirs(self.world), await figures.ours(self.world)
        empty: Figures = Counter()
        every = there.keys() | here.keys()
        pairs = {key: (there.get(key, empty), here.get(key, empty)) for key in every}
        return {key: pair for key, pair in pairs.items() if pair[0] != pair[1]}

    async def _compare(self) -> None:
        """What differs is somebody's work, and the work names the payment."""
        differing = await self._differing()
        known = {one.key: one for one in await figures.charges(self.world)}
        if not differing:
            there = figures.total(self.world)
            assert there == figures.added((await figures.ours(self.world)).values()), there
            said = await self.world.compared()
            assert [*said.found, *said.odd] == [], (self.plug.name, said, self.story)
        work = await figures.work(self.world)
        for key, (there, here) in differing.items():
            if not here and figures.comes_to_nothing(there):
                self.did("was over before anybody heard of it")
                continue
            found = work.get(known[key].payment, []) if key in known else []
            story = f"there {dict(there)}, here {dict(here)}, work {work}; {self.story}"
            if not found:
                letters = "\n".join(await figures.kept_letters(self.world))
                raise AssertionError(f"{self.plug.name} {key}: {story}\n{letters}")
            self.did(f"differs, and is work: {found[0].partition(':')[0]}")
            self.differed.append(f"{self.plug.name} {key}: {story}")
        assert not self.world.errors, self.world.errors

    async def _watch(self) -> None:
        """At no time is more booked than there ever was."""
        there = figures.theirs(self.world, ever=True)
        for key, here in (await figures.ours(self.world)).items():
            most = there.get(key, Counter())
            more = {name: minor for name, minor in here.items() if minor > most[name]}
            assert not more, (self.plug.name, key, more, most)

    def _any(
        self, good: Callable[[Payment, Way], bool] = lambda payment, way: True
    ) -> tuple[Payment, Way] | tuple[None, None]:
        """Mostly one that the verb fits, sometimes any."""
        every = list(self.payments.values())
        fitting = [one for one in every if good(*one)]
        pool = fitting if fitting and self.luck_now.random() < 0.9 else every
        return self.luck_now.choice(pool) if pool else (None, None)

    async def _now(self, payment: Payment) -> Payment:
        found = await get_payment(self.world.core, payment.company_id, payment.id)
        return found.payment
