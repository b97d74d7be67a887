"""The one road to another state: lock, decide in pure code, save; many payments at a time."""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

import structlog

from kassa.base.domain.errors import InProgress, KassaError, NotFound
from kassa.base.store.connection import Connection
from kassa.base.usecases.batch import Contended, batched
from kassa.base.usecases.core import Core
from kassa.fees.domain.fees import FeeSchedule
from kassa.fees.usecases.fees import fee_schedules
from kassa.identity.domain.audit import Deed
from kassa.identity.domain.principals import WalletUser
from kassa.identity.usecases import audit
from kassa.ledger.domain.ledger import PostingKind, balance_changes, wallet_account, wallet_spending
from kassa.payments.domain.aggregate import PaymentAggregate
from kassa.payments.domain.disputes import BookedByHand, Dispute
from kassa.payments.domain.modifications import Modification
from kassa.payments.store import payments
from kassa.payments.store.payments import LockedPayment
from kassa.payments.usecases.tell import write_news
from kassa.reconciliation.store.breaks import booked_by_hand, end_work
from kassa.reconciliation.store.reconciliation import BreakRow, insert_breaks
from kassa.wallet.domain.wallet_codes import WalletCode
from kassa.wallet.store import wallet_codes, wallets
from kassa.webhooks_in.store import provider_events
from kassa.webhooks_in.store.provider_events import ProviderEventKey

_log = structlog.get_logger("kassa.payments")


@dataclass(slots=True)
class WalletBalances:
    """A wallet user's money in one currency, locked. `user` None: there is no such user.

    `spent_today_minor`: paid or reserved since midnight UTC. `code`: the pay code of the change
    that is being decided, locked; None where it pays by an agreement.
    """

    user: WalletUser | None
    balance_minor: int
    spent_today_minor: int = 0
    code: WalletCode | None = None


Decide = Callable[[PaymentAggregate, WalletBalances | None], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentChange:
    """What somebody wants to happen to a payment.

    `decide` gets the locked case and moves it; it may run again on fresher rows, so it touches
    nothing else. `wallet_user`: whose balance it will need, and `wallet_code` the hash of the pay
    code, spent in the same commit where `decide` says so. `news`: the notification that tells of
    it; one that has been applied is not applied again, and it is marked in the same commit with
    `about`, the attempt or modification it speaks of. `deed`: what of it, when it is done, is
    written down as somebody's act with a privilege; it raises where that may not be done.
    """

    company_id: str
    payment_id: str
    decide: Decide
    wallet_user: str | None = None
    wallet_code: bytes | None = field(default=None, repr=False)
    news: ProviderEventKey | None = None
    about: str = ""
    deed: Callable[[PaymentAggregate], Deed | None] | None = None

    @property
    def key(self) -> tuple[str, str]:
        return self.company_id, self.payment_id

    @property
    def code_key(self) -> tuple[str, bytes] | None:
        return None if self.wallet_code is None else (self.company_id, self.wallet_code)


async def change_payments(
    core: Core, changes: Sequence[PaymentChange]
) -> list[PaymentAggregate | Exception]:
    """Take each payment through its change; one transaction for the whole list.

    A change that is refused yields its error in its place, changes nothing, and spoils no other;
    so does one whose order or balance somebody else holds, as Contended: nobody waits for it.
    Changes of one order are applied one after another.
    Raises: ProviderUnavailable, AmbiguousCommit, InProgress for all of them.
    """
    results: dict[int, PaymentAggregate | Exception] = {}
    left = await _round(core, changes, list(range(len(changes))), results)
    while left:
        left = await _later_round(core, changes, left, results)
    return [results[index] for index in range(len(changes))]


async def _later_round(
    core: Core,
    changes: Sequence[PaymentChange],
    wanted: list[int],
    results: dict[int, PaymentAggregate | Exception],
) -> list[int]:
    """A round after one that is committed, and so must not be run again: it never raises."""
    try:
        return await _round(core, changes, wanted, results)
    except InProgress:
        results.update((index, Contended()) for index in wanted)
        return []
    except Exception as error:  # noqa: BLE001 - it is handed to whom it belongs to
        if len(wanted) == 1 or isinstance(error, KassaError):
            results.update(dict.fromkeys(wanted, error))
            return []
    middle = len(wanted) // 2
    left = await _later_round(core, changes, wanted[:middle], results)
    return left + await _later_round(core, changes, wanted[middle:], results)


async def _round(
    core: Core,
    changes: Sequence[PaymentChange],
    wanted: list[int],
    results: dict[int, PaymentAggregate | Exception],
) -> list[int]:
    """Decide for the first change of each order; returns the indexes that must wait."""
    async with core.db.transaction(hot=True) as connection:
        keys = sorted({changes[index].key for index in wanted})
        found = await payments.lock_and_read(connection, keys)
        wanted = _obtained(changes, wanted, found, results)
        if not wanted:
            return []
        return await decide_and_save(
            core, connection, changes, wanted, found, results, save=payments.save
        )


Save = Callable[[Connection, Sequence[PaymentAggregate], set[str]], Awaitable[None]]


async def decide_and_save(
    core: Core,
    connection: Connection,
    changes: Sequence[PaymentChange],
    wanted: Sequence[int],
    found: Mapping[tuple[str, str], LockedPayment],
    results: dict[int, PaymentAggregate | Exception],
    *,
    save: Save,
) -> list[int]:
    """Decide for the first of the `wanted` changes of each order, of payments that are `found` and
    locked; returns the indexes that must wait for a transaction after this one.

    `save`: writes the cases down; it is told what of them are rows already.
    """
    later: list[int] = []
    keys = sorted({changes[index].key for index in wanted})
    beside = await _beside(core, connection, keys, found)
    codes = await _codes(connection, [changes[index] for index in wanted])
    purses, elsewhere = await _purses(connection, [changes[index] for index in wanted], found)
    applied, being_applied = await provider_events.applied(connection, _told(changes, wanted))
    done: dict[int, PaymentAggregate] = {}
    busy: set[tuple[str, str]] = set()
    for index in wanted:
        change = changes[index]
        locked = found[change.key]
        order = locked.order
        if (order.company_id, order.id) in busy:
            later.append(index)
            continue
        purse_key = (change.company_id, change.wallet_user, locked.payment.amount.currency)
        is_code_held = change.code_key is None or change.code_key in codes
        if purse_key in elsewhere or change.news in being_applied or not is_code_held:
            results[index] = Contended()
            continue
        busy.add((order.company_id, order.id))
        case = _case_of(core, locked, beside)
        if change.news in applied:
            results[index] = case
            continue
        outcome = _decide(change, case, purses.get(purse_key), codes)
        results[index] = outcome
        if isinstance(outcome, PaymentAggregate):
            done[index] = outcome
    await _leave_out(connection, done, set(purses), results)
    known = {one for locked in found.values() for one in locked.attempts} | beside.ids
    await write_news(core, connection, done.values())
    await _save(connection, changes, done, known, save)
    await audit.write(core, connection, _deeds(changes, done))
    if spent := [code for code in codes.values() if code.used_for]:
        await wallet_codes.save_used(connection, spent)
    return later


def _deeds(changes: Sequence[PaymentChange], done: Mapping[int, PaymentAggregate]) -> list[Deed]:
    told = [(changes[index].deed, case) for index, case in done.items()]
    deeds = [tell(case) for tell, case in told if tell is not None]
    return [deed for deed in deeds if deed is not None]


def _obtained(
    changes: Sequence[PaymentChange],
    wanted: Sequence[int],
    found: Mapping[tuple[str, str], LockedPayment],
    results: dict[int, PaymentAggregate | Exception],
) -> list[int]:
    """Those whose order is locked for us. Of an order all changes wait, or none."""
    obtained = []
    for index in wanted:
        key = changes[index].key
        if key not in found:
            results[index] = NotFound("no such payment")
        elif not found[key].is_held:
            results[index] = Contended()
        else:
            obtained.append(index)
    return obtained


async def _leave_out(
    connection: Connection,
    done: dict[int, PaymentAggregate],
    owned: Collection[tuple[str, str | None, str]],
    results: dict[int, PaymentAggregate | Exception],
) -> None:
    """Money that goes back into a wallet moves a balance that nobody asked for beforehand; whose
    balance somebody else holds, that change is left out."""
    ours = {(company, wallet_account(user or ""), currency) for company, user, currency in owned}
    moved = {index: set(balance_changes(case.postings)) for index, case in done.items()}
    more = sorted({key for keys in moved.values() for key in keys} - ours)
    if not more:
        return
    _, elsewhere = await wallets.try_lock_balances(connection, more)
    for index, keys in moved.items():
        if keys & elsewhere:
            results[index] = Contended()
            del done[index]


async def _save(
    connection: Connection,
    changes: Sequence[PaymentChange],
    done: Mapping[int, PaymentAggregate],
    known: set[str],
    save: Save,
) -> None:
    fresh: list[tuple[ProviderEventKey, str, str]] = []
    for index, case in done.items():
        change = changes[index]
        if change.news is not None:
            fresh.append((change.news, change.about, case.payment.status))
            case.told_by(change.news.dedupe_key)
    await save_cases(connection, list(done.values()), known, save)
    postings = [posting for case in done.values() for posting in case.postings]
    await provider_events.mark_applied(connection, fresh)
    moved, spent = balance_changes(postings), wallet_spending(postings)
    await wallets.change_balances(connection, moved, spent)


async def read_cases(
    core: Core, connection: Connection, company_id: str, payment_ids: Sequence[str]
) -> dict[str, PaymentAggregate]:
    """These payments with all that belongs to them, for who holds their locks already and saves
    them in the same transaction."""
    keys = [(company_id, one) for one in payment_ids]
    found = await payments.lock_and_read(connection, keys) if keys else {}
    beside = await _beside(core, connection, keys, found)
    return {one: _case_of(core, locked, beside) for (_, one), locked in found.items()}


def _case_of(core: Core, locked: LockedPayment, beside: "_Beside") -> PaymentAggregate:
    case = PaymentAggregate(
        locked.payment,
        locked.at,
        core.new_id,
        locked.order,
        dict(locked.attempts),
        order_paid=locked.elsewhere,
        company_closed=locked.closed,
    )
    beside.put_into(case)
    return case


async def save_cases(
    connection: Connection,
    cases: Sequence[PaymentAggregate],
    known: set[str],
    save: Save = payments.save,
) -> None:
    """Write all that became of these payments, with the work that it makes or ends. `known`: as in
    `payments.save`."""
    await save(connection, cases, known)
    await _open_breaks(connection, cases)
    for case in cases:
        if case.work_done:
            await end_work(
                connection,
                case.payment.company_id,
                case.payment.id,
                sorted(case.work_done),
                actor=case.events[-1].actor,
            )


async def _open_breaks(connection: Connection, cases: Sequence[PaymentAggregate]) -> None:
    """What of this is work for a person becomes theirs in the same commit."""
    found: dict[str, list[BreakRow]] = {}
    for case in cases:
        for item in case.work:
            row = BreakRow(
                id=case.new_id("br"),
                problem=item.problem,
                connector=item.connector,
                details=item.words[:500],
                payment_id=case.payment.id,
                cause=item.cause,
                currency=(item.amount or case.payment.amount).currency,
                expected_minor=0 if item.amount else None,
                found_minor=item.amount.minor if item.amount else None,
            )
            found.setdefault(case.payment.company_id, []).append(row)
    for company_id, rows in sorted(found.items()):
        await insert_breaks(connection, company_id, rows)


def _told(changes: Sequence[PaymentChange], wanted: Sequence[int]) -> list[ProviderEventKey]:
    found = [changes[index].news for index in wanted]
    return [key for key in found if key is not None]


@dataclass(slots=True)
class _Beside:
    """What else belongs to the payments of a batch; most have none of it."""

    modifications: list[Modification]
    disputes: list[Dispute]
    by_hand: Mapping[str, BookedByHand]
    fees: Mapping[str, FeeSchedule]

    @property
    def ids(self) -> set[str]:
        return {item.id for item in self.modifications} | {item.id for item in self.disputes}

    def put_into(self, case: PaymentAggregate) -> None:
        key = case.payment.company_id, case.payment.id
        case.modifications = {
            item.id: item
            for item in self.modifications
            if (item.company_id, item.payment_id) == key
        }
        case.disputes = {
            item.id: item for item in self.disputes if (item.company_id, item.payment_id) == key
        }
        if self.by_hand:
            case.by_hand = self.by_hand
        case.fees = self.fees[case.payment.company_id]


async def _beside(
    core: Core,
    connection: Connection,
    keys: Sequence[tuple[str, str]],
    found: Mapping[tuple[str, str], LockedPayment],
) -> _Beside:
    modified = [key for key in keys if key in found and found[key].payment.modifications]
    disputed = [key for key in keys if key in found and found[key].payment.disputes]
    disputes = await payments.disputes_of(connection, disputed) if disputed else []
    abroad = [one for one in disputes if one.abroad]
    return _Beside(
        await payments.modifications_of(connection, modified) if modified else [],
        disputes,
        await booked_by_hand(connection, abroad) if abroad else {},
        await fee_schedules(core, connection, {company for company, _ in keys}),
    )


def _decide(
    change: PaymentChange,
    case: PaymentAggregate,
    purse: WalletBalances | None,
    codes: Mapping["CodeKey", WalletCode],
) -> PaymentAggregate | KassaError:
    if purse is not None:
        purse.code = codes.get(change.code_key) if change.code_key else None
    try:
        change.decide(case, purse)
        if change.deed is not None:
            change.deed(case)  # says no where whoever asks may not do that
    except KassaError as error:
        return error
    if purse is not None:
        account = wallet_account(change.wallet_user or "")
        for posting in case.postings:
            moved = sum(e.minor for e in posting.entries if e.account == account)
            purse.balance_minor -= moved
            if posting.kind in (PostingKind.CAPTURE, PostingKind.AUTHORIZE):
                purse.spent_today_minor += moved
    return case


CodeKey = tuple[str, bytes]
PurseKey = tuple[str, str | None, str]


async def _codes(
    connection: Connection, changes: Sequence[PaymentChange]
) -> dict[CodeKey, WalletCode]:
    """The pay codes of the batch that are locked for us, so that each is spent once."""
    asked = {change.code_key for change in changes if change.code_key is not None}
    return await wallet_codes.try_lock(connection, sorted(asked)) if asked else {}


async def _purses(
    connection: Connection,
    changes: Sequence[PaymentChange],
    found: Mapping[tuple[str, str], LockedPayment],
) -> tuple[dict[PurseKey, WalletBalances], set[PurseKey]]:
    """The balances that are locked for us, and those that somebody else has."""
    wanted: set[tuple[str, str, str]] = set()
    for change in changes:
        if change.wallet_user is not None and change.key in found:
            currency = found[change.key].payment.amount.currency
            wanted.add((change.company_id, change.wallet_user, currency))
    if not wanted:
        return {}, set()
    people = await wallets.users(connection, sorted({(c, user) for c, user, _ in wanted}))
    locks = sorted((c, wallet_account(user), currency) for c, user, currency in wanted)
    balances, elsewhere = await wallets.try_lock_balances(connection, locks)
    spent = await wallets.spent_today(connection, locks)
    purses: dict[PurseKey, WalletBalances] = {}
    for c, user, currency in wanted:
        key = c, wallet_account(user), currency
        if key not in elsewhere:
            purse = WalletBalances(people.get((c, user)), balances.get(key, 0), spent.get(key, 0))
            purses[c, user, currency] = purse
    return purses, {
        (c, user, y) for c, user, y in wanted if (c, wallet_account(user), y) in elsewhere
    }


_change = batched(change_payments, key=lambda change: change.key)


async def change_payment(core: Core, change: PaymentChange) -> PaymentAggregate:
    """Take one payment through its change, and log its steps under the caller's request.

    Raises: NotFound, what `decide` raises, InProgress, ProviderUnavailable, AmbiguousCommit.
    """
    case = await _change(core, change)
    if case.events:
        _log.info("payment moved", payment=case.payment.id, **how_it_moved(case))
    return case


def how_it_moved(case: PaymentAggregate) -> dict[str, str | int]:
    """For the log: all that happened to it in this change."""
    if not case.events:
        return {}
    last = case.events[-1]
    return {
        "company": last.company_id,
        "events": " ".join(event.event for event in case.events),
        "status": last.to_status,
        "version": last.seq,
        "actor": last.actor,
    }
