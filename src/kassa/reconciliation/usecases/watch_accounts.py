"""Again and again, what providers have on record beside the ledger; what stays is somebody's work.

News may be lost on its way, or be none: a button pressed in a provider's own pages. What differs
is asked about first, by the road that books such news; what still differs at the next look becomes
a break.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import structlog

from kassa.base.domain.errors import KassaError
from kassa.base.domain.lifecycle import AttemptStatus
from kassa.base.domain.money import Money
from kassa.base.usecases.core import Core
from kassa.connectors.listing import Lister
from kassa.payments.domain.aggregate import PaymentAggregate
from kassa.payments.usecases.change_payment import PaymentChange, WalletBalances, change_payment
from kassa.providers.usecases.provider_accounts import refresh
from kassa.reconciliation.domain.comparing import Difference
from kassa.reconciliation.store.reconciliation import BreakRow, insert_breaks
from kassa.reconciliation.usecases.compare import QUIET, compare

_log = structlog.get_logger("kassa.compare")
_WINDOW = timedelta(days=3)
_AHEAD = timedelta(hours=1)  # a provider's clock may be
_MEMORY = "differences"
_MOST = 1_000  # of one account at one look; the next look has the rest

Seen = set[tuple[str, Difference]]


async def watch_accounts(
    core: Core,
    quiet: timedelta = QUIET,
    *,
    back: timedelta = _WINDOW,
    ahead: timedelta = _AHEAD,
) -> int:
    """Every account of a company whose provider lists what it has; how many breaks are new.
    What was made since `back` is looked at, and what a clock that is `ahead` says."""
    await refresh(core, now=True)
    seen: Seen = core.gatherers.setdefault(_MEMORY, set())
    opened = 0
    now = datetime.now(UTC)
    for account in list(core.accounts.values()):
        if not account.company_id or not isinstance(core.connectors.get(account.name), Lister):
            continue
        try:
            since, until = now - back, now + ahead
            found = await compare(core, account.company_id, account.name, since, until, quiet=quiet)
            stays = [one for one in found.found if (account.name, one) in seen]
            news = {one.payment_id for one in found.found if (account.name, one) not in seen}
            seen -= {one for one in seen if one[0] == account.name}
            seen |= {(account.name, one) for one in found.found}
            opened += await _open(core, account.company_id, account.name, stays[:_MOST])
            for payment_id in sorted(news - {""})[:_MOST]:
                await _look_again(core, account.company_id, account.name, payment_id)
        except KassaError as error:
            _log.warning("not compared", account=account.name, reason=error.message)
        except Exception:  # noqa: BLE001 - one account's trouble is not the others'
            _log.exception("accounts could not be compared", account=account.name)
    return opened


async def _look_again(core: Core, company_id: str, name: str, payment_id: str) -> None:
    """Have its charges at the account asked about at once."""

    def decide(case: PaymentAggregate, _: WalletBalances | None) -> None:
        for one in case.attempts.values():
            if one.connector == name and one.status is AttemptStatus.SUCCEEDED:
                case.put_attempt(replace(one, next_query_at=case.now))

    try:
        await change_payment(
            core, PaymentChange(company_id=company_id, payment_id=payment_id, decide=decide)
        )
    except KassaError as error:  # somebody else has it just now; the next look sees it again
        _log.info("not asked about again", payment=payment_id, reason=error.message)


async def _open(core: Core, company_id: str, name: str, stays: Sequence[Difference]) -> int:
    if not stays:
        return 0
    async with core.db.transaction(long=True) as connection:
        return len(
            await insert_breaks(connection, company_id, [_break(core, name, one) for one in stays])
        )


def _break(core: Core, name: str, one: Difference) -> BreakRow:
    ours, theirs = Money(one.ours, one.currency), Money(one.theirs, one.currency)
    whose = one.payment_id or "no payment of ours"
    return BreakRow(
        id=core.new_id("br"),
        problem=one.problem,
        connector=name,
        details=f"{name} has {theirs} {one.figure} of {one.reference} ({whose}), the ledger {ours}:"
        " find out there what was moved",
        payment_id=one.payment_id,
        # Another figure is another difference, also where the first was closed.
        cause=f"{one.reference} {one.figure} {one.theirs}"[:200],
        currency=one.currency,
        expected_minor=one.ours,
        found_minor=one.theirs,
    )
