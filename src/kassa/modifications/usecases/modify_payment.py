"""Capture, void and refund: reserve, call, and commit what was learned."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from kassa.base.domain.errors import (
    IdempotencyMismatch,
    KassaError,
    UnsupportedOperation,
)
from kassa.base.domain.fingerprints import Fingerprint, Of
from kassa.base.domain.lifecycle import ModificationKind, ModificationStatus
from kassa.base.domain.money import LARGEST, Money
from kassa.base.domain.query_schedule import SILENCE, ask_soon
from kassa.base.usecases.batch import to_the_end
from kassa.base.usecases.core import Core
from kassa.connectors.base import (
    Capturer,
    Connector,
    Declined,
    Done,
    InDoubt,
    ModificationOutcome,
    ModificationRequest,
    ModificationSource,
    NotSent,
    Pending,
    Refunder,
    Unknown,
)
from kassa.modifications.domain import captures, refunds
from kassa.modifications.store import modifications
from kassa.modifications.usecases.asked_by_people import asked_by_people
from kassa.modifications.usecases.late_failures import watch
from kassa.modifications.usecases.unfit import refuse_unfit
from kassa.payments.domain import facts
from kassa.payments.domain.aggregate import PaymentAggregate
from kassa.payments.domain.evolution_of_charges import MISMATCH
from kassa.payments.domain.modifications import Modification
from kassa.payments.domain.payments import Attempt, Payment
from kassa.payments.usecases.change_payment import PaymentChange, WalletBalances, change_payment
from kassa.providers.domain.providers import INTERNAL
from kassa.providers.usecases.event_data import write_outcome
from kassa.providers.usecases.provider_accounts import refresh
from kassa.providers.usecases.provider_calls import Task, ask_provider
from kassa.providers.usecases.recovery import heard
from kassa.webhooks_in.store.provider_events import ProviderEventKey

_K, _M = ModificationKind, ModificationStatus
_TOMORROW = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModifyPayment:
    """`amount` None: all that is left. `request_id` within `request_scope`: the caller's own id;
    the same one with the same content is the same modification, for ever.

    `surplus_of`: the attempt whose money nobody owed, when that is to go back.
    `is_last`: of a capture: what remains reserved is let go. `rest`: of a void: also what remains
    after a part was captured.
    """

    company_id: str
    payment_id: str
    kind: ModificationKind
    amount: Money | None = None
    actor: str
    face: str = ""
    request_scope: str = ""
    request_id: str | None = None
    reason: str = ""
    is_last: bool = True
    rest: bool = False
    surplus_of: str | None = None
    notify_url: str = ""
    extra: dict[str, Any] = field(default_factory=dict)

    @property
    def fingerprint(self) -> str:
        """What was asked, to know a repeat from a contradiction."""
        return hashlib.sha256(msgspec.json.encode(_FINGERPRINT.content(self))).hexdigest()


_FINGERPRINT = Fingerprint(
    ModifyPayment,
    "payment_id",
    Of("kind", lambda kind: kind.value),
    Of("amount", lambda amount: (amount.minor, amount.currency) if amount else None),
    "reason",
    "is_last",
    "surplus_of",
    left_out={
        "company_id": "an earlier request is looked for within the company",
        "actor": "whoever repeats it for the merchant repeats it",
        "face": "the scope is a face's own",
        "request_scope": "an earlier request is found by it",
        "request_id": "an earlier request is found by it",
        "rest": "each verb of a face has one",
        "extra": "a face compares what it keeps there",
        "notify_url": "where it is told is not what is asked",
    },
)


@dataclass(frozen=True, slots=True)
class ModifiedPayment:
    """`replayed`: an earlier request of the same id had asked for it."""

    payment: Payment
    modification: Modification
    replayed: bool


async def modify_payment(core: Core, wanted: ModifyPayment) -> ModifiedPayment:
    """Do it, or say how far it is: what a provider has not answered is `processing`.

    From a wallet balance or over the counter it is done in one transaction. At a provider:
    reserve and commit, call, commit the answer; the worker goes on with what stays open.
    Raises: NotFound, IdempotencyMismatch, IllegalTransition, AmountTooLarge,
    UnsupportedOperation, InvalidRequest.
    """
    await refuse_unfit(core, wanted)
    if (old := await _asked_before(core, wanted)) is not None:
        return old
    await refresh(core)
    try:
        started = await _start(core, wanted)
    except KassaError:
        raise
    except Exception:
        # The same request id, on another payment, at the same moment: the index has let one in.
        if (old := await _asked_before(core, wanted)) is not None:
            return old
        raise
    modification = started.modification
    if started.replayed or _is_ours(modification) or not modification.is_open:
        return ModifiedPayment(started.payment, modification, started.replayed)
    case = await to_the_end(core, send_modification(core, modification, started.attempt))
    return ModifiedPayment(case.payment, case.modifications[modification.id], replayed=False)


@dataclass(frozen=True, slots=True)
class _Started(ModifiedPayment):
    attempt: Attempt


async def _asked_before(core: Core, wanted: ModifyPayment) -> ModifiedPayment | None:
    if wanted.request_id is None:
        return None
    async with core.db.connection() as connection:
        old = await modifications.by_request(
            connection, wanted.company_id, wanted.request_scope, wanted.request_id
        )
    if old is None:
        return None
    _refuse_other_content(old, wanted)
    look = PaymentChange(
        company_id=wanted.company_id, payment_id=old.payment_id, decide=lambda case, purse: None
    )
    case = await change_payment(core, look)
    return ModifiedPayment(case.payment, case.modifications[old.id], replayed=True)


def _refuse_other_content(old: Modification, wanted: ModifyPayment) -> None:
    if old.fingerprint != wanted.fingerprint:
        raise IdempotencyMismatch(
            f"{wanted.request_id!r} was used for another {old.kind} before; use a new id",
            field="request_id",
        )


async def _start(core: Core, wanted: ModifyPayment) -> _Started:
    started: list[tuple[Modification, bool]] = []

    def decide(case: PaymentAggregate, _: WalletBalances | None) -> None:
        started.clear()
        for old in case.modifications.values():
            same = (old.request_scope, old.request_id) == (wanted.request_scope, wanted.request_id)
            if wanted.request_id is not None and same:
                _refuse_other_content(old, wanted)
                started.append((old, True))
                return
        modification = _ask(core, case, wanted)
        if _is_ours(modification):
            _do_it_here(case, modification, wanted.actor)
        else:
            sent = modification.become(_M.PROCESSING)
            case.put_modification(replace(sent, next_query_at=case.now + SILENCE))
        started.append((case.modifications[modification.id], False))

    key = wanted.company_id, wanted.payment_id
    deed = asked_by_people(wanted.kind, *key, wanted.reason, started)
    change = PaymentChange(company_id=key[0], payment_id=key[1], decide=decide, deed=deed)
    case = await change_payment(core, change)
    modification, replayed = started[0]
    attempt = case.attempts[modification.attempt_id]
    return _Started(case.payment, modification, replayed, attempt)


def _ask(core: Core, case: PaymentAggregate, wanted: ModifyPayment) -> Modification:
    """Reserve what is asked for, if the provider can do it at all."""
    said = captures.Request(
        actor=wanted.actor,
        reason=wanted.reason,
        face=wanted.face,
        request_scope=wanted.request_scope,
        request_id=wanted.request_id,
        fingerprint=wanted.fingerprint,
        notify_url=wanted.notify_url,
        extra=wanted.extra,
    )
    if wanted.surplus_of is not None:
        _require(core, case.attempts[wanted.surplus_of], wanted.kind)
        return refunds.ask_overpayment_return(case, wanted.surplus_of, said)
    if case.holder is not None:
        _require(core, case.holder, wanted.kind)
    if wanted.kind is _K.REFUND:
        return refunds.ask_refund(case, wanted.amount, said)
    if wanted.kind is _K.VOID:
        return captures.ask_void(case, said, rest=wanted.rest)
    connector = core.connectors.get(case.holder.connector) if case.holder else None
    in_parts = connector.captures_in_parts if isinstance(connector, Capturer) else True
    return captures.ask_capture(
        case, wanted.amount, said, is_last=wanted.is_last, in_parts=in_parts
    )


def _require(core: Core, attempt: Attempt, kind: ModificationKind) -> None:
    """What a provider can do is what its class can do."""
    if attempt.connector in INTERNAL:
        return
    needed = Refunder if kind is _K.REFUND else Capturer
    connector = core.connectors.get(attempt.connector)
    if not isinstance(connector, needed):
        raise UnsupportedOperation(
            f"{attempt.connector} cannot {kind} here: settle it with the payer in another way",
            reason="provider_cannot",
        )


def _is_ours(modification: Modification) -> bool:
    """Our own wallet, or the counter: nobody is to be called."""
    return modification.connector in INTERNAL


def _do_it_here(case: PaymentAggregate, modification: Modification, actor: str) -> None:
    """From our own books: nobody is to be asked."""
    done = Done(reference=modification.id, amount=modification.amount)
    take_outcome(case, modification, done, actor=actor, how="ledger")


async def send_modification(
    core: Core, modification: Modification, attempt: Attempt
) -> PaymentAggregate:
    """Call the provider under the modification's own key, and commit what it says."""
    request, kind = request_of(core, modification, attempt), modification.kind

    async def send(connector: Connector) -> ModificationOutcome:
        if kind is _K.REFUND and isinstance(connector, Refunder):
            return await connector.refund(request)
        if kind is _K.CAPTURE and isinstance(connector, Capturer):
            return await connector.capture(request)
        if kind is _K.VOID and isinstance(connector, Capturer):
            return await connector.void(request)
        return Declined(code="provider_cannot", message="The provider cannot do that.")

    task = Task.REFUND if kind is _K.REFUND else Task.MODIFY
    outcome = await ask_provider(core, modification.connector, task, send)
    return await take_modification_news(
        core, modification, outcome, actor=f"provider:{modification.connector}", how="call"
    )


def request_of(core: Core, modification: Modification, attempt: Attempt) -> ModificationRequest:
    """What a provider is asked under this modification."""
    return ModificationRequest(
        key=modification.id,
        charge_key=attempt.id,
        charge_reference=attempt.provider_reference,
        amount=modification.amount,
        charge_amount=attempt.amount,
        reason=modification.reason,
        reference=modification.provider_reference if modification.is_made_there else "",
        notify_url=f"{core.policy.base_url}/providers/{modification.connector}",
        now=datetime.now(UTC),
        is_last=modification.is_last,
    )


async def take_modification_news(
    core: Core,
    modification: Modification,
    outcome: ModificationOutcome,
    *,
    actor: str,
    how: str,
    news: ProviderEventKey | None = None,
) -> PaymentAggregate:
    """Commit what a provider said of a modification, whoever asked or told. Twice is harmless."""

    def decide(case: PaymentAggregate, _: WalletBalances | None) -> None:
        first, current = len(case.events), case.modifications[modification.id]
        if how == "query":
            current = replace(current, query_count=current.query_count + 1, last_query_at=case.now)
            case.put_modification(current)
        take_outcome(case, current, outcome, actor=actor, how=how)
        if how == "query":
            case.decided_by_answer(first, about=current, outcome=write_outcome(outcome))
        watch(core, case, case.modifications[modification.id])
        current = case.modifications[modification.id]
        if how == "notification" and current.is_open:  # a client waits: the provider may know now
            soon = ask_soon(current.last_query_at, case.now)
            case.put_modification(replace(current, next_query_at=soon))

    change = PaymentChange(
        company_id=modification.company_id,
        payment_id=modification.payment_id,
        decide=decide,
        news=news,
        about=modification.id,
    )
    return await change_payment(core, change)


def take_outcome(
    case: PaymentAggregate,
    modification: Modification,
    outcome: ModificationOutcome,
    *,
    actor: str,
    how: str,
) -> None:
    """What a provider's answer means: done, refused, or to be asked again."""
    if modification.status is _M.SUCCEEDED:
        _done_before(case, modification, outcome, actor, how)
        return
    match outcome:
        case Done(amount=amount, fee=fee) if amount != modification.amount or _is_absurd(fee):
            if modification.failure_code != MISMATCH:
                differs = facts.ModificationAmountDiffers(
                    modification=modification.id, provider_says=str(amount)
                )
                case.record(differs, actor=actor, by=how)
            _ask_later(case, case.modifications[modification.id])
        case Done():
            _done(case, modification, outcome, actor, how)
        case Declined() if modification.is_open:
            refunds.refused(
                case,
                modification,
                code=outcome.code,
                message=outcome.message,
                actor=actor,
                by=how,
                provider_code=outcome.provider_code,
            )
            if outcome.code in captures.DONE_ELSEWHERE:
                attempt = case.attempts[modification.attempt_id]
                case.put_attempt(replace(attempt, next_query_at=case.now))
        case Declined():
            return
        case NotSent() if how == "query":  # the question was not sent: that tells nothing
            _ask_later(case, modification)
        case NotSent() | Unknown():
            # Nothing is there under our key, so the same request may be sent again.
            again = (
                modification.become(_M.REQUESTED)
                if modification.status is _M.PROCESSING
                else modification
            )
            _ask_later(case, again)
        case Pending(reference=reference):
            known = reference or modification.provider_reference
            _ask_later(case, replace(modification, provider_reference=known))
        case InDoubt():
            _ask_later(case, modification)


def _done_before(
    case: PaymentAggregate,
    modification: Modification,
    outcome: ModificationOutcome,
    actor: str,
    how: str,
) -> None:
    """What is done may come back: a refund to an account that is closed by now. The answer to our
    own call is older than whatever told us that it was done."""
    if modification.kind is not _K.REFUND or how == "call":
        return
    if isinstance(outcome, Declined):
        refunds.came_back(
            case,
            modification,
            code=outcome.code,
            message=outcome.message,
            reference=outcome.reference,
            provider_code=outcome.provider_code,
            actor=actor,
            by=how,
        )


def _is_absurd(fee: Money | None) -> bool:
    return fee is not None and abs(fee.minor) > LARGEST


def _done(
    case: PaymentAggregate, modification: Modification, outcome: Done, actor: str, by: str
) -> None:
    fee = case.own_fee(outcome.fee, modification)
    done: dict[ModificationKind, Callable[[], None]] = {
        _K.CAPTURE: lambda: captures.captured(
            case, modification, reference=outcome.reference, fee=fee, actor=actor, by=by
        ),
        _K.VOID: lambda: captures.voided(
            case, modification, reference=outcome.reference, actor=actor, by=by
        ),
        _K.REFUND: lambda: refunds.refunded(
            case, modification, reference=outcome.reference, fee=fee, actor=actor, by=by
        ),
    }
    done[modification.kind]()


def _ask_later(case: PaymentAggregate, modification: Modification) -> None:
    if modification.is_open:
        if modification.status is _M.PROCESSING and modification.undecided_since is None:
            modification = replace(modification, undecided_since=case.now)
        next_query_at = modification.next_query(case.now)
        case.put_modification(replace(modification, next_query_at=next_query_at))


async def sync_modification(core: Core, modification: Modification, *, actor: str) -> Modification:
    """Send it if nothing of it is at the provider, ask what became of it if something may be.

    At most once per `policy.query_interval`, however often this is called.
    """
    await refresh(core)
    if not modification.is_asked_about or modification.connector not in core.connectors:
        return modification
    claimed: list[tuple[Modification, Attempt]] = []

    def decide(case: PaymentAggregate, _: WalletBalances | None) -> None:
        claimed.clear()
        current = case.modifications[modification.id]
        asked = current.last_query_at
        if not current.is_asked_about or (
            asked is not None and case.now - asked < core.policy.query_interval
        ):
            return
        send = current.status is _M.REQUESTED
        status = _M.PROCESSING if send else current.status
        planned = current.next_query(case.now)
        later = max(planned, case.now + SILENCE)
        if not current.is_open:  # should nobody answer: tomorrow
            later = case.now + _TOMORROW
        claimed_now = replace(current.become(status), last_query_at=case.now)
        case.put_modification(replace(claimed_now, next_query_at=later))
        claimed.append((current, case.attempts[current.attempt_id]))

    change = PaymentChange(
        company_id=modification.company_id, payment_id=modification.payment_id, decide=decide
    )
    case = await change_payment(core, change)
    for current, attempt in claimed:
        if current.status is _M.REQUESTED:
            case = await to_the_end(core, send_modification(core, current, attempt))
            continue
        if not isinstance(core.connectors[current.connector], ModificationSource):
            continue
        outcome = await ask_about_change(core, current, attempt)
        case = await take_modification_news(core, current, outcome, actor=actor, how="query")
        await heard(core, current.connector, outcome)
    return case.modifications[modification.id]


async def ask_about_change(
    core: Core, modification: Modification, attempt: Attempt
) -> ModificationOutcome:
    """What its provider, a ModificationSource, says became of it; nothing is committed."""
    request = request_of(core, modification, attempt)

    async def ask(connector: Connector) -> ModificationOutcome:
        assert isinstance(connector, ModificationSource)
        return await connector.query_modification(request)

    return await ask_provider(core, modification.connector, Task.QUERY, ask)
