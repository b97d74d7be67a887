"""Fees: a company's schedule, the provider's own figures, and how far the two are apart."""

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from kassa.base.domain.errors import InvalidRequest, NotFound
from kassa.base.domain.money import Money
from kassa.base.store.connection import Connection
from kassa.base.usecases.bounds import within
from kassa.base.usecases.core import Core
from kassa.fees.domain.fees import FeeKind, FeeRule, FeeSchedule, rate_of_percent
from kassa.fees.store import fees
from kassa.fees.store.fees import Deviation, Variance
from kassa.identity.domain.audit import Act
from kassa.identity.store import companies
from kassa.identity.usecases import audit
from kassa.modifications.store import modifications
from kassa.payments.domain.payments import Method
from kassa.payments.store import payments

_FRESH_SECONDS = 5.0  # seconds, not money: a new rule counts everywhere after that
_MOST_WORST = 100


@dataclass(slots=True)
class _Remembered:
    read_at: dict[str, float] = field(default_factory=dict)  # seconds, not money
    schedules: dict[str, FeeSchedule] = field(default_factory=dict)


async def fee_schedules(
    core: Core, connection: Connection, companies: Iterable[str]
) -> Mapping[str, FeeSchedule]:
    """Each company's rules, at most a few seconds old."""
    known: _Remembered = core.gatherers.setdefault(fee_schedules, _Remembered())
    now = time.monotonic()
    stale = [c for c in companies if now - known.read_at.get(c, -_FRESH_SECONDS) >= _FRESH_SECONDS]
    if stale:
        rules: dict[str, list[FeeRule]] = {company: [] for company in stale}
        for rule in await modifications.fee_rules(connection, stale):
            rules[rule.company_id].append(rule)
        for company in stale:
            known.schedules[company] = FeeSchedule(tuple(rules[company]))
            known.read_at[company] = now
    return known.schedules


def forget_schedules(core: Core) -> None:
    """Read the rules anew at the next change: this process has just changed them."""
    core.gatherers.pop(fee_schedules, None)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewFeeRule:
    """`percent` and `fixed` as a person writes them: "2.9" and "0.30", in major units.

    Empty `connector` or `method`: any. Without `valid_from` it counts from now on.
    """

    company_id: str
    kind: str
    connector: str = ""
    method: str = ""
    currency: str
    percent: str = "0"
    fixed: str = "0"
    valid_from: datetime | None = None
    valid_until: datetime | None = None


async def add_fee_rule(core: Core, wanted: NewFeeRule) -> FeeRule:
    """Keep the rule. It is for what is charged from now on: what is booked stays booked.

    Of rules that are equally exact the one that began last counts, so that a new price is a new
    rule. Raises: InvalidRequest, NotFound.
    """
    rate, fixed = rate_of_percent(wanted.percent), Money.from_major(wanted.fixed, wanted.currency)
    kinds, methods = [kind.value for kind in FeeKind], [method.value for method in Method]
    if wanted.kind not in kinds:
        raise InvalidRequest(f"a fee is one of {', '.join(kinds)}, not {wanted.kind[:40]!r}")
    if wanted.method not in ("", *methods):
        raise InvalidRequest(f"a method is one of {', '.join(methods)}, not {wanted.method[:40]!r}")
    if not wanted.connector.isprintable() or len(wanted.connector) > 40:
        raise InvalidRequest("a connector is a provider's name, such as sandbox")
    if wanted.connector and wanted.connector not in (*core.connectors, *methods):
        known = ", ".join(sorted(core.connectors))
        raise InvalidRequest(f"no connector is called {wanted.connector!r}; there are {known}")
    within(core, fixed, field="fixed")
    if fixed.minor < 0:
        raise InvalidRequest(f"the fixed part is not negative, got {wanted.fixed}")
    async with core.db.transaction() as connection:
        printable = wanted.company_id.isprintable()
        if not printable or await companies.find_company(connection, wanted.company_id) is None:
            raise NotFound(f"no such company: {wanted.company_id!r}")
        valid_from = wanted.valid_from or await payments.clock(connection)
        if wanted.valid_until is not None and wanted.valid_until <= valid_from:
            raise InvalidRequest("a rule ends after it begins")
        rule = FeeRule(
            id=core.new_id("fee"),
            company_id=wanted.company_id,
            kind=FeeKind(wanted.kind),
            connector=wanted.connector,
            method=wanted.method,
            currency=wanted.currency,
            rate_ppm=rate,
            fixed_minor=fixed.minor,
            valid_from=valid_from,
            valid_until=wanted.valid_until,
        )
        await fees.add_rule(connection, rule)
        said = {
            "kind": rule.kind,
            "connector": rule.connector,
            "method": rule.method,
            "currency": rule.currency,
            "rate_ppm": rule.rate_ppm,
            "fixed_minor": rule.fixed_minor,
        }
        await audit.note(core, connection, Act.FEE_ADDED, rule.company_id, rule.id, after=said)
    forget_schedules(core)
    return rule


async def list_fee_rules(core: Core, company_id: str) -> list[FeeRule]:
    """All of them, past ones too."""
    if not company_id.isprintable():
        return []
    async with core.db.connection() as connection:
        return await fees.rules(connection, company_id)


async def end_fee_rule(
    core: Core, company_id: str, rule_id: str, at: datetime | None = None
) -> FeeRule:
    """Let the rule count until before `at` (now). What it was used for stays booked.

    Raises: NotFound, InvalidRequest.
    """
    if not (company_id + rule_id).isprintable():
        raise NotFound("no such fee rule")
    async with core.db.transaction() as connection:
        rule = await fees.lock_rule(connection, company_id, rule_id)
        if rule is None:
            raise NotFound(f"no such fee rule: {rule_id!r}; kassa fee list shows them")
        until = at or await payments.clock(connection)
        if until <= rule.valid_from:
            raise InvalidRequest(f"the rule begins at {rule.valid_from}: it ends after that")
        if rule.valid_until is not None and until > rule.valid_until:
            raise InvalidRequest(f"the rule ends at {rule.valid_until} already; add a new one")
        await fees.end_rule(connection, company_id, rule_id, until)
        said = {"valid_until": until.isoformat()}
        await audit.note(core, connection, Act.FEE_ENDED, company_id, rule_id, after=said)
    forget_schedules(core)
    return replace(rule, valid_until=until)


@dataclass(frozen=True, slots=True)
class VarianceReport:
    """`worst`: the payments that are furthest off in each currency."""

    rows: list[Variance]
    worst: list[Deviation]


async def fee_variance(
    core: Core, company_id: str | None = None, *, worst: int = 10
) -> VarianceReport:
    """How far the booked fees are from the schedule. Surplus is left out: no merchant bears it.

    Raises: InvalidRequest.
    """
    if not 0 <= worst <= _MOST_WORST:
        raise InvalidRequest(f"worst must be 0 to {_MOST_WORST}, got {worst}")
    if not (company_id or "").isprintable():
        return VarianceReport([], [])
    async with core.db.connection(long=True) as connection:
        rows = await fees.variances(connection, company_id)
        return VarianceReport(rows, await fees.deviations(connection, company_id, worst))
