"""Lay what a provider has on record beside the ledger: charge by charge, in its own figures.

Reports and notifications say what a provider wants to tell; this asks. Where it lists what it has,
charges that nobody here made are found too; where it does not, each charge of ours is asked about.
What differs is asked about again by whoever books such news, and is a person's work if it stays.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import structlog

from kassa.base.domain.errors import InvalidRequest, NotFound, ProviderUnavailable
from kassa.base.domain.money import Money
from kassa.base.usecases.core import Core
from kassa.base.usecases.ids import company_number_of, lowest_id
from kassa.connectors.base import (
    Captured,
    Connector,
    Done,
    FailedLater,
    InDoubt,
    KnownCharge,
    ModificationEvent,
    NotSent,
    Outcome,
    RefundSource,
)
from kassa.connectors.listing import ListedCharge, Lister, Listing
from kassa.payments.store import payments
from kassa.providers.usecases.provider_accounts import refresh, serves
from kassa.providers.usecases.provider_calls import Task, ask_provider
from kassa.reconciliation.domain.comparing import (
    Amounts,
    Difference,
    Figure,
    Theirs,
    differences,
    unheard,
)
from kassa.reconciliation.store import compared
from kassa.reconciliation.store.compared import LedgerFigures, MadeCharge

_log = structlog.get_logger("kassa.compare")
_PAGE = 500
_ASKED_AT_ONCE = 8
QUIET = timedelta(minutes=2)
"""What changed since may be on its way to either side."""
_MOST_PAGES = 100_000

Progress = Callable[[int], None]
"""How many charges were looked at so far."""


@dataclass(slots=True)
class Comparison:
    """`charges`: of the provider's, looked at; `foreign` of them have no reference of our kind: the
    shop's other orders at the same account. `waiting`: payments of which something is under way,
    which were left out. `odd`: what the provider said that cannot be read. `unanswered`: charges
    that it said nothing about when asked."""

    charges: int = 0
    foreign: int = 0
    waiting: int = 0
    unanswered: int = 0
    odd: list[str] = field(default_factory=list)
    found: list[Difference] = field(default_factory=list)


async def compare(
    core: Core,
    company_id: str,
    name: str,
    since: datetime,
    until: datetime,
    *,
    quiet: timedelta = QUIET,
    progress: Progress = lambda _: None,
) -> Comparison:
    """What the account has on record for that time, beside the ledger. Changes nothing.
    Payments that changed within `quiet` are left out.

    Raises: NotFound, InvalidRequest, ProviderUnavailable.
    """
    await refresh(core, now=True)
    account = core.accounts.get(name)
    if account is None or not await serves(core, account, company_id):
        raise NotFound(f"the company has no provider account {name!r}")
    if until <= since:
        raise InvalidRequest("the time to compare ends before it begins")
    work = _Work(core, company_id, name, quiet, is_shared=account.company_id != company_id)
    if isinstance(core.connectors[name], Lister):
        async for page in _listing(core, name, since, until):
            await work.take(page)
            progress(work.result.charges)
    await work.ask_about_the_rest(since, until, progress)
    return work.result


@dataclass(slots=True)
class _Work:
    """`is_shared`: the account serves several companies, so that a charge that is not this one's
    may be another's. `seen`: charges that were compared already. `busy`: payments left out.
    `told`: what was found so far."""

    core: Core
    company_id: str
    name: str
    quiet: timedelta
    is_shared: bool
    seen: set[str] = field(default_factory=set)
    busy: set[str] = field(default_factory=set)
    told: set[Difference] = field(default_factory=set)
    result: Comparison = field(default_factory=Comparison)

    async def take(self, page: Sequence[ListedCharge | str]) -> None:
        """One page of a listing."""
        charges = [one for one in page if isinstance(one, ListedCharge)]
        self.result.odd += [one for one in page if isinstance(one, str)]
        disputed = [one for one in charges if one.disputes and one.reference in self.seen]
        charges = [one for one in charges if one.reference not in self.seen]
        self.seen |= {one.reference for one in charges}
        self.result.charges += len(charges)
        owned, strange = await self._owned(charges)
        lost = [one for one in strange if company_number_of(one.key, "at") is not None]
        self.result.foreign += len(strange) - len(lost)
        if not self.is_shared:
            self.result.found += [difference for one in lost for difference in _all_of(one)]
        await self._compare(owned)
        await self._compare_disputes(disputed)

    async def _compare_disputes(self, charges: Sequence[ListedCharge]) -> None:
        """Of charges that another list has shown without them."""
        owned, _ = await self._owned(charges)
        for theirs in owned.values():
            theirs.unsaid |= {Figure.CAPTURED, Figure.REFUNDED}
        await self._compare(owned)

    async def _owned(
        self, charges: Sequence[ListedCharge]
    ) -> tuple[dict[str, Theirs], list[ListedCharge]]:
        """By attempt; and those that are no attempt's here."""
        async with self.core.db.connection(long=True) as connection:
            owners = await compared.owners(
                connection,
                self.company_id,
                self.name,
                [one.key for one in charges if one.key],
                [one.reference for one in charges],
            )
        by_key = {one.attempt_id: one for one in owners}
        by_reference = {one.reference: one for one in owners if one.reference}
        owned: dict[str, Theirs] = {}
        strange = []
        for one in charges:
            owner = by_key.get(one.key) or by_reference.get(one.reference)
            if owner is None:
                strange.append(one)
                continue
            self.seen.add(owner.attempt_id)
            _add(owned.setdefault(owner.attempt_id, Theirs(owner.payment_id)), one)
        return owned, strange

    async def ask_about_the_rest(
        self, since: datetime, until: datetime, progress: Progress
    ) -> None:
        """What we took and the listing did not show, charge by charge."""
        between = _payment_ids(since), _payment_ids(until)
        after = ""
        while True:
            async with self.core.db.connection(long=True) as connection:
                made = await compared.made(
                    connection, self.company_id, self.name, between, after, _PAGE
                )
            if not made:
                return
            after = made[-1].attempt_id
            rest = [one for one in made if one.attempt_id not in self.seen]
            for start in range(0, len(rest), _ASKED_AT_ONCE):
                some = rest[start : start + _ASKED_AT_ONCE]
                answers = await asyncio.gather(*(self._ask(one) for one in some))
                owned: dict[str, Theirs] = {}
                for one, answer in zip(some, answers, strict=True):
                    theirs = self._told(one, answer)
                    if isinstance(answer, FailedLater) and theirs is not None:
                        await self._add_refunds(one, theirs)
                    if theirs is not None:
                        owned[one.attempt_id] = theirs
                await self._compare(owned)
                progress(self.result.charges)

    async def _ask(self, one: MadeCharge) -> Outcome:
        known = KnownCharge(
            reference=one.reference,
            amount=Money(one.amount_minor, one.currency),
            asked_at=one.created_at,
        )

        async def ask(connector: Connector) -> Outcome:
            return await connector.query(one.attempt_id, known)

        return await ask_provider(self.core, self.name, Task.QUERY, ask)

    def _told(self, one: MadeCharge, answer: Outcome) -> Theirs | None:
        """What it comes to; None where the provider said nothing."""
        if isinstance(answer, NotSent | InDoubt):
            self.result.unanswered += 1
            return None
        self.result.charges += 1
        theirs = Theirs(one.payment_id, {one.reference}, unsaid={Figure.DISPUTED})
        match answer:
            case Captured(reference=reference, amount=amount, refunded=refunded):
                theirs.references = {reference}
                theirs.add(Figure.CAPTURED, amount.currency, amount.minor)
                theirs.add(Figure.REFUNDED, amount.currency, refunded.minor if refunded else None)
            case FailedLater():
                theirs.gone = Figure.DISPUTED
            case _:
                theirs.gone = Figure.CAPTURED
        return theirs

    async def _add_refunds(self, one: MadeCharge, theirs: Theirs) -> None:
        """A charge that its bank returned may have been refunded as well, and says only the one."""

        async def ask(connector: Connector) -> Sequence[ModificationEvent] | NotSent | InDoubt:
            if not isinstance(connector, RefundSource):
                return NotSent(reason="it lists no refunds")
            return await connector.refunds_of(one.attempt_id, KnownCharge(reference=one.reference))

        answer = await ask_provider(self.core, self.name, Task.QUERY, ask)
        if isinstance(answer, NotSent | InDoubt):
            return
        done = [refund.outcome.amount for refund in answer if isinstance(refund.outcome, Done)]
        back = sum(amount.minor for amount in done if amount.currency == one.currency)
        theirs.add(Figure.REFUNDED, one.currency, back)

    async def _compare(self, owned: Mapping[str, Theirs]) -> None:
        if not owned:
            return
        async with self.core.db.connection(long=True) as connection:
            rows = await compared.figures(
                connection, self.company_id, self.name, [*owned], datetime.now(UTC) - self.quiet
            )
            abroad = {one.payment_id for one in owned.values() if _is_disputed_abroad(one)}
            keys = [(self.company_id, payment_id) for payment_id in sorted(abroad)]
            disputes = await payments.disputes_of(connection, keys) if keys else []
            named = [one for theirs in owned.values() for one in theirs.disputes]
            known = (
                set(await compared.known_disputes(connection, self.company_id, self.name, named))
                if named
                else set()
            )
        self.busy |= {one.payment_id for one in rows if one.is_busy}
        self.result.waiting = len(self.busy)
        ours = _by_attempt(rows)
        for dispute in disputes:  # what is known of it, and is a person's work already
            amounts = ours.setdefault(dispute.attempt_id, {})
            for held in dispute.abroad:
                place = Figure.DISPUTED, held.currency
                amounts[place] = amounts.get(place, 0) + held.minor
        for attempt_id, theirs in owned.items():
            if theirs.payment_id in self.busy:
                continue
            found = [*differences(ours.get(attempt_id, {}), theirs)]
            found += unheard(theirs, known, found)
            self.result.found += [one for one in found if one not in self.told]
            self.told |= set(found)


async def _listing(
    core: Core, name: str, since: datetime, until: datetime
) -> AsyncIterator[list[ListedCharge | str]]:
    """Raises: ProviderUnavailable."""
    after = ""
    for _ in range(_MOST_PAGES):

        async def ask(connector: Connector, place: str = after) -> Listing | NotSent | InDoubt:
            if not isinstance(connector, Lister):
                return NotSent(reason="the account has another connector now")
            return await connector.list_charges(since, until, place)

        page = await ask_provider(core, name, Task.QUERY, ask)
        if not isinstance(page, Listing):
            raise ProviderUnavailable(f"{name} could not be asked for its charges: {page.reason}")
        yield [*page.charges, *page.odd]
        after = page.after
        if not after:
            return
    raise ProviderUnavailable(f"the list of {name} has no end")


def _payment_ids(moment: datetime) -> str:
    return lowest_id("py", int(moment.timestamp() * 1000))


def _add(theirs: Theirs, one: ListedCharge) -> None:
    theirs.references.add(one.reference)
    theirs.add(Figure.CAPTURED, one.captured.currency, one.captured.minor)
    for figure, said in ((Figure.REFUNDED, one.refunded), (Figure.DISPUTED, one.disputed)):
        currency = one.captured.currency if said is None else said.currency
        theirs.add(figure, currency, None if said is None else said.minor)
    for held in one.disputed_abroad:
        theirs.add(Figure.DISPUTED, held.currency, held.minor)
    theirs.disputes |= {dispute.reference: dispute.amount for dispute in one.disputes}


def _is_disputed_abroad(theirs: Theirs) -> bool:
    """Whether it is told in a currency that nothing of it was captured in."""
    own = {currency for figure, currency in theirs.amounts if figure is Figure.CAPTURED}
    return any(currency not in own for _, currency in theirs.amounts)


def _all_of(one: ListedCharge) -> Iterable[Difference]:
    theirs = Theirs("")
    _add(theirs, one)
    return differences({}, theirs)


def _by_attempt(rows: Sequence[LedgerFigures]) -> dict[str, Amounts]:
    ours: dict[str, Amounts] = {}
    for one in rows:
        amounts = ours.setdefault(one.attempt_id, {})
        for figure, minor in (
            (Figure.CAPTURED, one.captured_minor),
            (Figure.REFUNDED, one.refunded_minor),
            (Figure.DISPUTED, one.disputed_minor),
        ):
            if minor:
                amounts[figure, one.currency] = minor
    return ours
