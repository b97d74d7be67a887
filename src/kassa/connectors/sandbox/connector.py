"""The border between the core and the sandbox provider: calls to its books, and its news."""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import ClassVar, TypeVar

from kassa.connectors.base import (
    NOTHING_KNOWN,
    ActionNeeded,
    AnyNews,
    Authorized,
    ChargeRequest,
    Declined,
    InDoubt,
    KnownCharge,
    ModificationOutcome,
    ModificationRequest,
    Outcome,
    Pending,
    Refused,
    Unknown,
)
from kassa.connectors.sandbox import signing
from kassa.connectors.sandbox.books import (
    Ask,
    BadRequest,
    ChangeAsk,
    KeyReused,
    SandboxBooks,
    SandboxCharge,
)
from kassa.connectors.sandbox.cards import (
    RETURNED_CHARGE,
    SLOW_ANSWER,
    CardAnswer,
    SandboxState,
)
from kassa.connectors.sandbox.records import ChangeKind
from kassa.connectors.sandbox.translation import (
    captured,
    change_told,
    declined,
    failed_later,
    money,
    read_news,
)
from kassa.payments.domain.disputes import BY_STAGE, DisputeOrder

_LARGEST_NOTIFICATION = 65_536
_LONGEST_QUEUE = timedelta(seconds=20)
_SILENCE = InDoubt(reason="the sandbox did not answer")

_T = TypeVar("_T")


class SandboxConnector:
    """Calls the books in a thread of its own, where a real provider would be called over HTTP.

    `base_url`: where the provider's pages are served, without `/sandbox`.
    `secret`: signs the provider's notifications; at least 16 bytes.
    """

    name: ClassVar[str] = "sandbox"
    acknowledgement: ClassVar[tuple[str, bytes]] = ("application/json", b'{"received":true}')
    # Kept true by `_LONGEST_QUEUE`, after which a call that waited is not made any more, and by
    # the time SQLite waits for a lock.
    not_found_final_after: ClassVar[timedelta | None] = timedelta(seconds=60)
    captures_in_parts: ClassVar[bool] = True
    dispute_order: ClassVar[DisputeOrder] = BY_STAGE

    def __init__(
        self,
        books: SandboxBooks,
        *,
        base_url: str,
        secret: bytes,
        clock: Callable[[], datetime],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._books = books
        self._base_url = base_url.rstrip("/")
        self._secret = signing.require_secret(secret)
        self._clock = clock
        self._sleep = sleep
        # Its own thread, so that books waiting for a lock hold up nobody else's work.
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="sandbox")

    async def charge(self, request: ChargeRequest) -> Outcome:
        """Collect the amount at once, or only reserve it, under `request.key`."""
        ask = Ask(
            key=request.key,
            amount=f"{request.amount.major:f}",
            currency=request.amount.currency,
            card=request.instrument,
            order_id=request.order_id,
            subject=request.subject,
            return_url=request.return_url,
            notify_url=request.notify_url,
            expires_at=request.expires_at,
            capture=request.capture,
        )
        charge = await self._ask(lambda: self._books.charge(ask, now=request.now))
        if isinstance(charge, Declined | InDoubt):
            return charge
        return await self._heard(charge.answer) or self._told(charge)

    async def query(self, key: str, known: KnownCharge = NOTHING_KNOWN) -> Outcome:
        """What became of the charge sent under `key`? Moves nothing."""
        now = self._clock()
        charge = await self._call(lambda: self._books.find(key, now=now))
        if isinstance(charge, InDoubt):
            return charge
        if charge is None:
            return Unknown(reason="the sandbox has no charge under this reference")
        return self._told(charge)

    async def capture(self, request: ModificationRequest) -> ModificationOutcome:
        """Claim `request.amount` of what is reserved."""
        return await self._change(ChangeKind.CAPTURE, request)

    async def void(self, request: ModificationRequest) -> ModificationOutcome:
        """Let go of all that is reserved and not claimed."""
        return await self._change(ChangeKind.VOID, request)

    async def refund(self, request: ModificationRequest) -> ModificationOutcome:
        """Give back `request.amount`."""
        return await self._change(ChangeKind.REFUND, request)

    async def query_modification(self, request: ModificationRequest) -> ModificationOutcome:
        """What became of the modification sent under `request.key`? Moves nothing."""
        now = self._clock()
        change = await self._call(lambda: self._books.find_change(request.key, now=now))
        if isinstance(change, InDoubt):
            return change
        if change is None:
            return Unknown(reason="the sandbox has no modification under this reference")
        if (change.charge_key, money(change.amount)) != (request.charge_key, request.amount):
            return InDoubt(reason="the sandbox did something else under this reference")
        return change_told(change)

    async def _change(self, kind: ChangeKind, request: ModificationRequest) -> ModificationOutcome:
        ask = ChangeAsk(
            kind=kind,
            key=request.key,
            charge_key=request.charge_key,
            reference=request.charge_reference,
            amount=f"{request.amount.major:f}",
            currency=request.amount.currency,
            notify_url=request.notify_url,
            is_last=request.is_last,
        )
        change = await self._ask(lambda: self._books.change(ask, now=request.now))
        if change is None:
            return _SILENCE
        if isinstance(change, Declined | InDoubt):
            return change
        return await self._heard(change.answer) or change_told(change)

    def parse_notification(
        self,
        headers: Mapping[str, str],
        body: bytes,
        *,
        target: str = "",
        received_at: datetime | None = None,
    ) -> AnyNews | Refused:
        """Verify over the raw bytes, then translate. `headers` has lower-case names."""
        if len(body) > _LARGEST_NOTIFICATION:
            return Refused(reason="the notification is too large")
        fault = signing.fault_in(
            headers.get(signing.HEADER),
            secret=self._secret,
            body=body,
            now=int(self._clock().timestamp()),
        )
        return Refused(reason=fault) if fault else read_news(body)

    async def close(self) -> None:
        """Give back the thread and the file."""
        self._thread.shutdown(wait=False, cancel_futures=True)
        self._books.close()

    async def _ask(self, work: Callable[[], _T]) -> _T | Declined | InDoubt:
        """A call that may move something: it is made in time, or not at all."""
        called_at = self._clock()

        def in_time() -> _T | InDoubt:
            if self._clock() - called_at > _LONGEST_QUEUE:
                return InDoubt(reason="the call waited too long for its turn and was not made")
            return work()

        try:
            return await self._call(in_time)
        except BadRequest as error:
            return Declined(code="request_refused", message=f"The sandbox refused: {error}.")
        except KeyReused as error:
            # The first request stands, so this is no refusal: what it came to, a query tells.
            return InDoubt(reason=f"this reference was used before: {error}")

    async def _call(self, work: Callable[[], _T]) -> _T | InDoubt:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, work)
        except sqlite3.Error as error:
            return InDoubt(reason=f"the sandbox books did not answer: {error}")

    async def _heard(self, answer: CardAnswer) -> InDoubt | None:
        """None once the answer has arrived."""
        if answer is CardAnswer.NEVER:
            return _SILENCE
        if answer is CardAnswer.SLOW:
            await self._sleep(SLOW_ANSWER.total_seconds())
        return None

    def _told(self, charge: SandboxCharge) -> Outcome:
        match charge.state:
            case SandboxState.AUTHORIZED:
                return Authorized(
                    reference=charge.reference,
                    amount=money(charge.amount),
                    expires_at=charge.reserved_until,
                )
            case SandboxState.CAPTURED | SandboxState.RETURNED:
                if charge.reason == RETURNED_CHARGE:
                    return failed_later(charge.reference, charge.reason, charge.message)
                return captured(
                    charge.reference,
                    str(charge.captured),
                    str(charge.fee or ""),
                    charge.amount.currency,
                )
            case SandboxState.DECLINED | SandboxState.VOIDED:
                return declined(charge.reference, charge.reason, charge.message)
            case SandboxState.ACTION_NEEDED:
                return ActionNeeded(
                    reference=charge.reference,
                    url=f"{self._base_url}/sandbox/challenge/{charge.reference}",
                    expires_at=charge.expires_at,
                )
            case SandboxState.PENDING:
                return Pending(reference=charge.reference)
            case SandboxState.LOST:
                return _SILENCE
