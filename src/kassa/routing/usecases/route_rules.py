"""Routing rules as people write them: read, checked, kept version by version."""

import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import msgspec

from kassa.base.domain.errors import InvalidRequest
from kassa.base.domain.money import EXPONENT, Money
from kassa.base.usecases.core import Core
from kassa.identity.domain.audit import Act
from kassa.identity.usecases import audit
from kassa.identity.usecases.authenticate import company_by_id
from kassa.payments.domain.payments import Method
from kassa.providers.usecases.provider_accounts import accounts_for
from kassa.routing.domain.routing import By, Condition, Rule
from kassa.routing.store import routes

_FRESH_SECONDS = 1.0  # seconds, not money
_MOST_RULES = 100
_PREFIX = re.compile(r"[0-9]{1,8}", re.ASCII)
_COUNTRY = re.compile(r"[A-Z]{2}", re.ASCII)
_MEMORY = "route rules"


class _When(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    method: list[str] = []
    currency: list[str] = []
    country: list[str] = []
    customer: list[str] = []
    card_prefix: list[str] = []
    amount_at_least: str | None = None
    amount_below: str | None = None


class _Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    use: list[str] | dict[str, int]
    when: _When = _When()
    by: str = "order"
    then: list[str] = []


@dataclass(frozen=True, slots=True)
class RuleSet:
    """Rules in the order in which they are asked. `version` 0: nobody has set any."""

    version: int
    rules: tuple[Rule, ...]


def read_rules(written: Any, *, known: Sequence[str]) -> tuple[Rule, ...]:
    """`written`: a list of rules, as JSON or TOML gives it. `known`: the accounts there are.

    Raises: InvalidRequest, which names the rule and the member.
    """
    if not isinstance(written, list) or len(written) > _MOST_RULES:
        raise InvalidRequest(f"rules must be a list of at most {_MOST_RULES} rules")
    rules = []
    for number, one in enumerate(written, 1):
        try:
            rules.append(_read(msgspec.convert(one, _Rule), known))
        except msgspec.ValidationError as error:
            raise InvalidRequest(f"rule {number}: {error}") from None
        except InvalidRequest as error:
            raise InvalidRequest(f"rule {number}: {error.message}") from None
    names = [rule.name for rule in rules]
    if len(set(names)) != len(names):
        raise InvalidRequest("two rules have the same name; each needs its own")
    return tuple(rules)


def _read(one: _Rule, known: Sequence[str]) -> Rule:
    if not one.name or len(one.name) > 100 or not one.name.isprintable():
        raise InvalidRequest("a rule needs a name of at most 100 characters")
    if one.by not in list(By):
        raise InvalidRequest(f"by must be one of {', '.join(By)}, got {one.by!r}")
    use = one.use if isinstance(one.use, dict) else dict.fromkeys(one.use, 1)
    if not use and not one.then:
        raise InvalidRequest("use names no account")
    for name in (*use, *one.then):
        if name not in known and name != "*":
            raise InvalidRequest(
                f"there is no account {name!r} for this company; there are {', '.join(known)}"
            )
    if "*" in use:
        raise InvalidRequest('"*" may stand in then only')
    if any(not 0 <= weight <= 1_000_000 for weight in use.values()):
        raise InvalidRequest("a weight is a whole number from 0 to 1000000")
    if one.by == By.WEIGHT and not any(use.values()):
        raise InvalidRequest("one of the weights must be more than 0")
    return Rule(
        name=one.name,
        condition=_condition(one.when),
        use=use,
        by=By(one.by),
        then=tuple(one.then),
    )


def _condition(when: _When) -> Condition:
    _require(when.method, [method.value for method in Method], "method")
    _require(when.currency, EXPONENT, "currency")
    for country in when.country:
        if not _COUNTRY.fullmatch(country):
            raise InvalidRequest(f"country: two capitals such as DE, got {country!r}")
    for prefix in when.card_prefix:
        if not _PREFIX.fullmatch(prefix):
            raise InvalidRequest(f"card_prefix: one to eight digits, got {prefix!r}")
    amounts = [when.amount_at_least, when.amount_below]
    if any(amounts) and len(when.currency) != 1:
        raise InvalidRequest("an amount needs exactly one currency beside it")
    least, below = (
        Money.from_major(text, when.currency[0]) if text is not None else None for text in amounts
    )
    return Condition(
        methods=frozenset(when.method),
        currencies=frozenset(when.currency),
        countries=frozenset(when.country),
        customers=frozenset(when.customer),
        card_prefixes=frozenset(when.card_prefix),
        at_least=least,
        below=below,
    )


def _require(words: Sequence[str], known: Any, what: str) -> None:
    for word in words:
        if word not in known:
            raise InvalidRequest(f"{what}: {word!r} is not known")


@dataclass(slots=True)
class _Remembered:
    sets: dict[str, RuleSet] = field(default_factory=dict)
    read_at: dict[str, float] = field(default_factory=dict)  # seconds, not money


async def rules_of(core: Core, company_id: str) -> RuleSet:
    """The rules in force, at most a second old."""
    known: _Remembered = core.gatherers.setdefault(_MEMORY, _Remembered())
    now = time.monotonic()
    if now - known.read_at.get(company_id, -_FRESH_SECONDS) < _FRESH_SECONDS:
        return known.sets[company_id]
    async with core.db.connection() as connection:
        version, written = await routes.newest_rules(connection, company_id)
    # An account that is gone by now is no longer able: its name may stay in the rules.
    names = [name for one in written for name in (*one["use"], *one.get("then", ()))]
    known.sets[company_id] = RuleSet(version, read_rules(written, known=names))
    known.read_at[company_id] = now
    return known.sets[company_id]


async def set_rules(core: Core, company_id: str, written: Any, *, actor: str) -> int:
    """Put these rules in force, everywhere within a second; returns their version.

    Raises: InvalidRequest.
    """
    company = await company_by_id(core, company_id)
    able = [one.name for one in await accounts_for(core, company)] if company else []
    read_rules(written, known=sorted(able))
    async with core.db.transaction() as connection:
        version = await routes.add_rules(connection, company_id, written, actor=actor)
        said = {"version": version, "rules": len(written)}
        await audit.note(core, connection, Act.ROUTES_SET, company_id, str(version), after=said)
    core.gatherers.pop(_MEMORY, None)
    return version


async def history_of(
    core: Core, company_id: str
) -> Sequence[tuple[int, list[Mapping[str, Any]], str, datetime]]:
    """Every version of the rules, the newest first: number, rules, who, when."""
    async with core.db.connection() as connection:
        return await routes.all_rules(connection, company_id)
