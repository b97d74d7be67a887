"""Which provider account a payment takes, and which come next when that one cannot."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from kassa.base.domain.errors import NotFound, UnsupportedOperation
from kassa.base.domain.money import Money
from kassa.base.usecases.core import Core
from kassa.connectors.base import Capturer
from kassa.connectors.kind import Kind
from kassa.fees.domain.fees import FeeKind, FeeSchedule
from kassa.fees.usecases.fees import fee_schedules
from kassa.identity.domain.principals import Company
from kassa.identity.usecases.authenticate import company_by_id
from kassa.payments.domain.payments import OFFLINE, Method
from kassa.providers.domain.providers import ProviderAccount
from kassa.providers.usecases.provider_accounts import account_of, kind_of_account, refresh
from kassa.providers.usecases.provider_calls import Task, is_resting
from kassa.routing.domain.routing import By, Facts, Measures, decide
from kassa.routing.store import routes
from kassa.routing.usecases.route_rules import RuleSet, rules_of

NUMBER, TOKEN, REDIRECT = "number", "token", "redirect"
"""What the payer gives: a sandbox card number, a provider's token, or nothing but a click."""

ACCOUNT = "provider_account"
"""In a payment's extra: the account that must take it, because its payee is paid through that."""

_MEMORY = "success rates"
_RATES_FRESH_SECONDS = 10.0  # seconds, not money
_LATELY = timedelta(hours=1)
_ENOUGH = 20  # attempts; of fewer nothing can be said


@dataclass(frozen=True, slots=True, kw_only=True)
class RoutingRequest:
    """What a route depends on. `takes`: NUMBER, TOKEN or REDIRECT. `manual`: funds are to be
    reserved first. `account`: the one that must take it, where that is settled already (a payee's).
    `maker`: the connector whose own token is given, where the token shows it.
    `card_prefix`: up to eight first digits, where they are known. `key`: what decides a share by
    weight: the same key takes the same way. `any_currency`: where no account takes the currency,
    one that takes the method will do, to refuse it in its own words.
    """

    company_id: str
    method: Method
    amount: Money
    takes: str
    maker: str = ""
    manual: bool = False
    country: str = ""
    card_prefix: str = ""
    customer_id: str = ""
    account: str = ""
    key: str = ""
    any_currency: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """`accounts`: the first takes the payment; the others follow, in this order, when nothing was
    sent or the refusal was soft. `because`: why, a sentence for each step of the choice.
    `version`: of the rules that decided, 0 where there are none."""

    accounts: tuple[str, ...]
    because: tuple[str, ...]
    version: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """An account as a route sees it. `why_not`: "" when it can take the payment."""

    name: str
    connector: str
    why_not: str


async def look_at_all(core: Core, question: RoutingRequest) -> list[Look]:
    """Every account that the company may use, and why it cannot take this payment."""
    await refresh(core)
    asker = await _asker(core, question.company_id)
    accounts = [account_of(core, name) for name in core.connectors]
    mine = [account for account in accounts if account.serves(asker)]
    mine.sort(key=lambda one: (one.company_id == "", _age(one), one.name))
    return [
        Look(name=one.name, connector=one.connector, why_not=why_not(core, one, question, asker))
        for one in mine
    ]


async def _asker(core: Core, company_id: str) -> Company:
    """Raises: NotFound."""
    company = await company_by_id(core, company_id)
    if company is None:
        raise NotFound(f"no such company: {company_id!r}")
    return company


async def choose(core: Core, question: RoutingRequest) -> Route:
    """The way this payment takes.

    Raises: UnsupportedOperation when no account can take it.
    """
    await refresh(core)
    asker = await _asker(core, question.company_id)
    able = candidates(core, question, asker)
    if not able and question.any_currency:
        able = candidates(core, question, asker, any_currency=True)
    if not able:
        raise UnsupportedOperation(
            f"no provider account of this company takes {question.method} in"
            f" {question.amount.currency} here",
            reason="method_off",
        )
    rules = await rules_of(core, question.company_id)
    names = [account.name for account in able]
    measures = await _measures(core, question, rules, names)
    decision = decide(rules.rules, _facts(question), names, measures)
    if not decision.accounts:
        raise UnsupportedOperation("the routing rules leave no account", reason="method_off")
    return Route(
        accounts=tuple(decision.accounts),
        because=tuple(decision.because),
        version=rules.version,
    )


def _facts(question: RoutingRequest) -> Facts:
    return Facts(
        method=question.method.value,
        amount=question.amount,
        country=question.country,
        card_prefix=question.card_prefix,
        customer_id=question.customer_id,
        key=question.key,
    )


async def _measures(
    core: Core, question: RoutingRequest, rules: RuleSet, names: Sequence[str]
) -> Measures:
    """What the rules that are there need to know, and no more."""
    needed = {rule.by for rule in rules.rules}
    schedule = FeeSchedule()
    rates: Mapping[str, int] = {}
    if By.FEE in needed:
        async with core.db.connection() as connection:
            schedules = await fee_schedules(core, connection, [question.company_id])
        schedule = schedules[question.company_id]
    if By.SUCCESS in needed:
        rates = await _success_of(core, question.company_id)
    now = datetime.now(UTC)

    def fee(name: str) -> Money:
        return schedule.expected(
            FeeKind.PAYMENT,
            question.amount,
            connector=name,
            method=question.method.value,
            at=now,
        )

    resting = frozenset(name for name in names if is_resting(core, name, Task.CHARGE))
    return Measures(fee=fee, success=rates.get, resting=resting)


async def _success_of(core: Core, company_id: str) -> Mapping[str, int]:
    """Accepted attempts in ten thousand within the last hour, by account; a few seconds old."""
    known: dict[str, tuple[float, Mapping[str, int]]] = core.gatherers.setdefault(_MEMORY, {})
    read_at, rates = known.get(company_id, (-_RATES_FRESH_SECONDS, {}))
    if time.monotonic() - read_at < _RATES_FRESH_SECONDS:
        return rates
    async with core.db.connection() as connection:
        counts = await routes.lately(connection, company_id, _LATELY)
    rates = {
        name: 10_000 * accepted // tried
        for name, (accepted, tried) in counts.items()
        if tried >= _ENOUGH
    }
    known[company_id] = (time.monotonic(), rates)
    return rates


def candidates(
    core: Core, question: RoutingRequest, asker: Company, *, any_currency: bool = False
) -> list[ProviderAccount]:
    """The accounts that can take it at all: the company's own first, oldest first."""
    able = [
        account
        for account in (account_of(core, name) for name in core.connectors)
        if why_not(core, account, question, asker, any_currency=any_currency) == ""
    ]
    return sorted(able, key=lambda one: (one.company_id == "", _age(one), one.name))


def _age(account: ProviderAccount) -> str:
    return account.created_at.isoformat() if account.created_at else ""


def why_not(
    core: Core,
    account: ProviderAccount,
    question: RoutingRequest,
    asker: Company,
    *,
    any_currency: bool = False,
) -> str:
    """Why the account cannot take it, in a few words; "" when it can. `asker`: whose payment."""
    kind = kind_of_account(account)
    if not account.serves(asker):
        return "is not for this company"
    if question.account and account.name != question.account:
        return "is not the one that was asked for"
    if not account.is_active:
        return "is disabled"
    if kind is None:
        return "" if question.account == account.name else "has no kind"
    if (said := _unfit(kind, question, any_currency)) != "":
        return said
    if question.manual and not isinstance(core.connectors[account.name], Capturer):
        return "cannot reserve funds first and claim them later"
    return ""


def _unfit(kind: Kind, question: RoutingRequest, any_currency: bool) -> str:
    if question.method not in kind.methods:
        return f"does not take {question.method}"
    if question.takes not in kind.takes:
        return f"does not take a payment by {question.takes}"
    if question.takes == TOKEN and question.maker != (kind.name if kind.token_prefix else ""):
        return f"does not take tokens of {question.maker or 'others'}"
    known = kind.takes_currency(question.method, question.amount.currency)
    if not known and not any_currency:
        return f"does not take {question.method} in {question.amount.currency}"
    return ""


async def why_impossible(core: Core, question: RoutingRequest) -> str:
    """Why no account can take such a payment, in the words of `look_at_all`; "" where one can.

    `question.takes` "": whatever the payer may give there. Our own wallet, and what comes over the
    counter or to the bank, needs no account.
    """
    method, currency = question.method, question.amount.currency
    if method is Method.WALLET or method in OFFLINE:
        return ""
    await refresh(core)
    asker = await _asker(core, question.company_id)
    reasons = []
    for account in (account_of(core, name) for name in core.connectors):
        if not account.serves(asker):
            continue
        said = [why_not(core, account, one, asker) for one in _likely(question, account)]
        if "" in said:
            return ""
        reasons.append(f"{account.name} {said[0]}")
    nobody = f"no provider account of this company takes {method} in {currency}"
    return f"{nobody}: {'; '.join(sorted(reasons))}" if reasons else nobody


def _likely(question: RoutingRequest, account: ProviderAccount) -> list[RoutingRequest]:
    """The question as it would be asked of that account, for each thing that a payer may give."""
    kind = kind_of_account(account)
    if question.takes or kind is None:
        return [question]
    maker = kind.name if kind.token_prefix else ""
    return [replace(question, takes=takes, maker=maker) for takes in sorted(kind.takes)]


async def ways_to_pay(
    core: Core, company_id: str, amount: Money, *, manual: bool
) -> dict[Method, frozenset[str]]:
    """Each method that some account can take now, with what the payer may give for it."""
    await refresh(core)
    asker = await _asker(core, company_id)
    found: dict[Method, set[str]] = {}
    for name in list(core.connectors):
        account = account_of(core, name)
        kind = kind_of_account(account)
        for method in kind.methods if kind else ():
            for takes in kind.takes if kind else ():
                question = RoutingRequest(
                    company_id=company_id,
                    method=method,
                    amount=amount,
                    takes=takes,
                    manual=manual,
                )
                if why_not(core, account, question, asker) == "":
                    found.setdefault(method, set()).add(takes)
    return {method: frozenset(takes) for method, takes in found.items()}
