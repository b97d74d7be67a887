"""The fault menu: which rules there are, and which of them play on a call or a letter."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from kassa_simulator.frame import Operation

ANY = "*"
LETTER = "letter"
"""The operation of the rules that play on letters."""

BEFORE = frozenset(
    "refuse reset_before timeout_before error_500 rate_limited not_found busy".split()
)
"""Nothing is done."""
AFTER = frozenset(
    "decline reset_after timeout_after garbage error_500_after slow duplicate_answer wrong_amount"
    " wrong_currency odd_entries".split()
)
"""The call has its effect; only the answer suffers (or, with `decline`, the payer)."""
ANSWER_CODECS: Mapping[str, str] = {"answer_in_gbk": "gbk", "answer_marked": "utf-8-sig"}
"""The whole truth, signed, in another charset."""
PICKY = "picky"
"""What the merchant said of its payer is refused, by the name of the field; nothing is done."""
OF_CALLS = BEFORE | AFTER | frozenset((PICKY, *ANSWER_CODECS))
CODECS: Mapping[str, str] = {
    "in_gbk": "gbk",
    "in_latin1": "latin-1",
    "in_utf16": "utf-16",
    "marked": "utf-8-sig",
}
"""The same of letters."""
OF_LETTERS = frozenset("duplicated reordered early late never forged foreign next_year".split())
OF_LETTERS |= frozenset(CODECS)

SECONDS: Mapping[str, float] = {
    "timeout_before": 60,
    "timeout_after": 60,
    "slow": 1,
    "rate_limited": 1,
    "late": 2 * 86_400,
    "reordered": 30,
}
"""How long each fault lasts where its rule does not say."""
_LONGEST_SECONDS = 366 * 86_400
_MOST_CALLS = 1_000_000


class BadRule(Exception):
    """A fault rule is not one; says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """Play `fault` on what `provider` and `operation` match ("*": every one of them).

    `share`: on what part of it, 0 to 1. `first`: only on the first so many calls of each
    reference, 0 for all. `seconds`: how long, or how late; 0 for what is usual for the fault.
    """

    provider: str
    operation: str
    fault: str
    share: float = 1
    first: int = 0
    seconds: float = 0

    @property
    def lasts(self) -> float:
        return self.seconds or SECONDS.get(self.fault, 0)


def read_rules(content: object) -> list[Rule]:
    """The rules in a JSON list. Raises: BadRule."""
    if not isinstance(content, list):
        raise BadRule("fault rules are a list of objects")
    return [_read_rule(item, number) for number, item in enumerate(content, 1)]


def written(rules: Sequence[Rule]) -> list[dict[str, Any]]:
    """As `read_rules` reads them."""
    return [asdict(rule) for rule in rules]


def _read_rule(item: object, number: int) -> Rule:
    if not isinstance(item, dict):
        raise BadRule(f"rule {number} is no object")
    known = set(Rule.__dataclass_fields__)
    if strange := sorted(set(map(str, item)) - known):
        raise BadRule(f"rule {number}: no such field: {strange[0][:40]}")
    fault = item.get("fault")
    if fault not in OF_CALLS | OF_LETTERS:
        names = ", ".join(sorted(OF_CALLS | OF_LETTERS))
        raise BadRule(f"rule {number}: fault must be one of {names}")
    rule = Rule(
        provider=_text(item, "provider", number),
        operation=_text(item, "operation", number),
        fault=str(fault),
        share=_number(item, "share", 1, 1, number),
        first=int(_number(item, "first", 0, _MOST_CALLS, number)),
        seconds=_number(item, "seconds", 0, _LONGEST_SECONDS, number),
    )
    allowed = {LETTER, ANY} if rule.fault in OF_LETTERS else {ANY, *Operation} - {Operation.PAGE}
    if rule.operation not in allowed:
        raise BadRule(
            f"rule {number}: operation of {rule.fault} must be one of {', '.join(sorted(allowed))}"
        )
    return rule


def _text(item: Mapping[str, Any], name: str, number: int) -> str:
    value = item.get(name, ANY)
    if not isinstance(value, str) or not value:
        raise BadRule(f"rule {number}: {name} must be a word or {ANY!r}")
    return value


def _number(item: Mapping[str, Any], name: str, usual: float, highest: float, number: int) -> float:
    value = item.get(name, usual)
    if value is None:
        return usual
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= highest:
        raise BadRule(f"rule {number}: {name} must be a number from 0 to {highest}")
    return value


def rule_of_call(
    rules: Sequence[Rule],
    chance: Callable[..., float],
    *,
    provider: str,
    operation: str,
    reference: str,
    nth: int,
) -> Rule | None:
    """The first rule that plays on the `nth` call (from 1) of that reference."""
    if operation == Operation.PAGE:
        return None
    for rule in rules:
        if rule.fault in OF_CALLS and _hits(rule, chance, provider, operation, reference, nth):
            return rule
    return None


def rules_of_letter(
    rules: Sequence[Rule],
    chance: Callable[..., float],
    *,
    provider: str,
    reference: str,
    nth: int,
) -> dict[str, Rule]:
    """By fault, every rule that plays on the `nth` letter (from 1) about that charge."""
    found: dict[str, Rule] = {}
    for rule in rules:
        if rule.fault in OF_LETTERS and _hits(rule, chance, provider, LETTER, reference, nth):
            found.setdefault(rule.fault, rule)
    return found


def _hits(
    rule: Rule,
    chance: Callable[..., float],
    provider: str,
    operation: str,
    reference: str,
    nth: int,
) -> bool:
    return (
        rule.provider in (ANY, provider)
        and rule.operation in (ANY, operation)
        and (not rule.first or nth <= rule.first)
        and chance("fault", rule.fault, provider, operation, reference, str(nth)) < rule.share
    )
