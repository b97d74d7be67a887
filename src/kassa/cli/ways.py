"""What `kassa route` does: read a file of rules, show them, explain a choice."""

import json
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kassa.base.domain.errors import InvalidRequest, UnsupportedOperation
from kassa.base.domain.money import Money, payable
from kassa.base.usecases.core import Core
from kassa.cli.running import heading, told, whoever_asks, with_side
from kassa.identity.domain.principals import Company
from kassa.payments.domain.payments import Method
from kassa.routing.usecases.route_rules import history_of, set_rules
from kassa.routing.usecases.routing import (
    NUMBER,
    REDIRECT,
    TOKEN,
    Look,
    Route,
    RoutingRequest,
    choose,
    look_at_all,
)
from kassa.settings import Settings

_NO_RULES = "no rules: a payment takes the first account that can take it (kassa route --help)"


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedWays:
    """A payment as the command line describes it."""

    method: str
    amount: str
    currency: str
    takes: str
    country: str
    card_prefix: str
    customer: str
    order: str
    manual: bool


def put(settings: Settings, company: str, path: str) -> str:
    rules = _rules_in(Path(path))

    async def work(core: Core, side: Company) -> str:
        version = await set_rules(core, side.id, rules, actor=whoever_asks())
        return f"version {version} of the rules is in force: {len(rules)} rules"

    return told(settings, company, work)


def _rules_in(path: Path) -> Any:
    """The list of rules: the file's own, or the one under `rules`."""
    try:
        text = path.read_text()
        read = json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
    except OSError as error:
        raise InvalidRequest(f"cannot read {path}: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise InvalidRequest(f"{path} is neither TOML nor, as .json, JSON: {error}") from None
    rules = read.get("rules") if isinstance(read, dict) else read
    if not isinstance(rules, list):
        raise InvalidRequest(f"{path} must have a list of rules: [[rules]] in TOML")
    return rules


def show(settings: Settings, company: str, *, history: bool, as_json: bool) -> str:
    async def work(core: Core, side: Company) -> str:
        versions = await history_of(core, side.id)
        plain = [
            {
                "mode": side.mode,
                "version": number,
                "actor": actor,
                "at": at.isoformat(),
                "rules": rules,
            }
            for number, rules, actor, at in (versions if history else versions[:1])
        ]
        if as_json:
            return json.dumps(plain, indent=2)
        return f"{heading(side)}\n" + ("\n\n".join(map(_told, plain)) or _NO_RULES)

    return with_side(settings, company, work)


def _told(version: dict[str, Any]) -> str:
    lines = [f"version {version['version']}, {version['at'][:19]}Z, by {version['actor']}"]
    for rule in version["rules"]:
        when = rule.get("when") or {}
        condition = ", ".join(f"{name} {value}" for name, value in when.items()) or "always"
        then = f", then {', '.join(rule['then'])}" if rule.get("then") else ""
        use = rule["use"]
        named = (
            ", ".join(f"{name} {weight}" for name, weight in use.items())
            if isinstance(use, dict)
            else ", ".join(use)
        )
        lines.append(f"  {rule['name']}: {condition}: {named} by {rule.get('by', 'order')}{then}")
    return "\n".join(lines)


def explain(settings: Settings, company: str, asked: AskedWays, *, as_json: bool) -> str:
    async def work(core: Core, side: Company) -> str:
        question = _question(side, asked)
        looks = await look_at_all(core, question)
        try:
            route = await choose(core, question)
        except UnsupportedOperation as error:
            route = Route(accounts=(), because=(error.message,))
        if as_json:
            return _as_json(side, route, looks)
        return f"{heading(side)}\n{_as_text(question, route, looks)}"

    return with_side(settings, company, work)


def _question(side: Company, asked: AskedWays) -> RoutingRequest:
    methods = [method.value for method in Method]
    if asked.method not in methods:
        raise InvalidRequest(f"--method must be one of {', '.join(methods)}")
    takes = asked.takes or (TOKEN if asked.method == Method.CREDIT_CARD else REDIRECT)
    if takes not in (NUMBER, TOKEN, REDIRECT):
        raise InvalidRequest(f"--by must be {TOKEN}, {REDIRECT} or {NUMBER}, got {takes!r}")
    return RoutingRequest(
        company_id=side.id,
        method=Method(asked.method),
        amount=payable(Money.from_major(asked.amount, asked.currency or side.currency)),
        takes=takes,
        manual=asked.manual,
        country=asked.country,
        card_prefix=asked.card_prefix[:8],
        customer_id=asked.customer,
        key=asked.order,
    )


def _as_json(side: Company, route: Route, looks: list[Look]) -> str:
    plain = {
        "mode": side.mode,
        "accounts": list(route.accounts),
        "because": list(route.because),
        "rules_version": route.version,
        "looked_at": [
            {"account": look.name, "connector": look.connector, "why_not": look.why_not or None}
            for look in looks
        ],
    }
    return json.dumps(plain, indent=2)


def _as_text(question: RoutingRequest, route: Route, looks: list[Look]) -> str:
    lines = [f"{question.amount} by {question.method} ({question.takes}):"]
    lines += [
        f"  {look.name} ({look.connector}): {look.why_not or 'can take it'}" for look in looks
    ]
    lines += [f"  - {reason}" for reason in route.because]
    if route.accounts:
        first, *after = route.accounts
        follow = f"; if nothing was sent or it refuses softly: {', '.join(after)}" if after else ""
        lines.append(f"it goes to {first}{follow}")
    else:
        lines.append("it goes nowhere")
    return "\n".join(lines)
