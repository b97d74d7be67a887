"""Routing rules: facts of a payment in, an order of provider accounts and the reasons out."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from kassa.base.domain.money import Money


class By(StrEnum):
    """How a rule orders the accounts it names."""

    ORDER = "order"  # as they are written
    WEIGHT = "weight"  # each takes its share of the payments
    FEE = "fee"  # the lowest expected fee first
    SUCCESS = "success"  # the highest share of accepted attempts lately first


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What a rule may ask about a payment. `key`: the same key gets the same share."""

    method: str
    amount: Money
    country: str = ""
    card_prefix: str = ""
    customer_id: str = ""
    key: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """All that is given must hold; an empty set holds for everything.

    `at_least`, `below`: in the one currency that `currencies` names. `card_prefixes`: first digits.
    """

    methods: frozenset[str] = frozenset()
    currencies: frozenset[str] = frozenset()
    countries: frozenset[str] = frozenset()
    customers: frozenset[str] = frozenset()
    card_prefixes: frozenset[str] = frozenset()
    at_least: Money | None = None
    below: Money | None = None

    def failing(self, facts: Facts) -> str:
        """What does not hold, in a few words; "" when all does."""
        amount = facts.amount
        checks = (
            (self.methods, facts.method, "method"),
            (self.currencies, amount.currency, "currency"),
            (self.countries, facts.country, "country"),
            (self.customers, facts.customer_id, "customer"),
        )
        for wanted, have, what in checks:
            if wanted and have not in wanted:
                return f"{what} is {have or 'not known'}"
        if self.card_prefixes and not any(map(facts.card_prefix.startswith, self.card_prefixes)):
            return "the card begins otherwise" if facts.card_prefix else "no card number is known"
        if self.at_least is not None and amount.minor < self.at_least.minor:
            return f"amount is below {self.at_least}"
        if self.below is not None and amount.minor >= self.below.minor:
            return f"amount is not below {self.below}"
        return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """`use`: account names, with weights where `by` is WEIGHT. `then`: what follows when none of
    them can take it, in this order; "*" stands for every other account of the company."""

    name: str
    condition: Condition
    use: Mapping[str, int]
    by: By = By.ORDER
    then: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Measures:
    """What is known of accounts. `fee`: the expected one. `success`: accepted attempts in ten
    thousand, lately; None where there are too few to say. `resting`: accounts whose provider does
    not answer at the moment: they come last, whatever a rule says.
    """

    fee: Callable[[str], Money]
    success: Callable[[str], int | None]
    resting: frozenset[str] = frozenset()


@dataclass(slots=True)
class Decision:
    """`accounts` in the order in which they are to be tried; `because`: a sentence per step."""

    accounts: list[str] = field(default_factory=list)
    because: list[str] = field(default_factory=list)


def decide(
    rules: Sequence[Rule], facts: Facts, able: Sequence[str], measures: Measures
) -> Decision:
    """The first rule that fits and names an able account decides; without one, `able` as it is.

    `able`: the accounts that can take the payment at all, in the order of the house.
    """
    decision = Decision()
    for rule in rules:
        failing = rule.condition.failing(facts)
        if failing:
            decision.because.append(f"rule {rule.name!r} does not fit: {failing}")
            continue
        chosen = _ordered(rule, facts, able, measures, decision.because)
        if chosen:
            decision.accounts = chosen
            break
        decision.because.append(f"rule {rule.name!r} names no account that can take it")
    else:
        decision.accounts = list(able)
        if able:
            decision.because.append(f"no rule decides: {able[0]} is the first that can take it")
    _rest(decision, measures.resting)
    return decision


def _ordered(
    rule: Rule, facts: Facts, able: Sequence[str], measures: Measures, because: list[str]
) -> list[str]:
    named = [name for name in rule.use if name in able]
    if named:
        named, why = _BY[rule.by](rule, named, facts, measures)
        because.append(f"rule {rule.name!r} takes {named[0]}: {why}")
    after: list[str] = []
    for name in rule.then:
        after += able if name == "*" else [name] if name in able else []
    follow = [name for name in dict.fromkeys(after) if name not in named]
    if follow and not named:
        because.append(f"rule {rule.name!r} falls back on {follow[0]}")
    return named + follow


def _rest(decision: Decision, resting: frozenset[str]) -> None:
    tired = [name for name in decision.accounts if name in resting]
    if tired and len(tired) < len(decision.accounts):
        decision.accounts = [name for name in decision.accounts if name not in resting] + tired
        decision.because.append(f"{', '.join(tired)} does not answer at the moment and comes last")


_Ordered = tuple[list[str], str]


def _by_order(_: Rule, named: list[str], __: Facts, ___: Measures) -> _Ordered:
    return named, "the first that it names and that can take it"


def _by_weight(rule: Rule, named: list[str], facts: Facts, _: Measures) -> _Ordered:
    whole = sum(rule.use[name] for name in named)
    if whole == 0:
        return named, "no weights"
    digest = hashlib.blake2b(f"{rule.name}|{facts.key}".encode(), digest_size=8).digest()
    place = int.from_bytes(digest) % whole
    for name in named:
        place -= rule.use[name]
        if place < 0:
            break
    others = sorted(named, key=lambda one: (one != name, -rule.use[one]))
    return others, f"its share is {rule.use[name]} in {whole}"


def _by_fee(_: Rule, named: list[str], __: Facts, measures: Measures) -> _Ordered:
    ordered = sorted(named, key=lambda name: measures.fee(name).minor)
    return ordered, f"its expected fee, {measures.fee(ordered[0])}, is the lowest"


def _by_success(_: Rule, named: list[str], __: Facts, measures: Measures) -> _Ordered:
    def badness(name: str) -> int:
        rate = measures.success(name)
        return -10_000 if rate is None else -rate  # one that nobody has tried gets its chance

    ordered = sorted(named, key=badness)
    rate = measures.success(ordered[0])
    if rate is None:
        return ordered, "too few attempts lately to compare"
    return ordered, f"{rate // 100} of 100 attempts were accepted there lately"


_BY: Mapping[By, Callable[[Rule, list[str], Facts, Measures], _Ordered]] = {
    By.ORDER: _by_order,
    By.WEIGHT: _by_weight,
    By.FEE: _by_fee,
    By.SUCCESS: _by_success,
}
