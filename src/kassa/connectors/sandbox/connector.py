"""The border between the core and the sandbox provider: its words and money become ours."""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import ClassVar, TypeVar

import msgspec

from kassa.connectors.base import (
    ActionNeeded,
    Captured,
    ChargeRequest,
    Declined,
    InDoubt,
    News,
    Outcome,
    Pending,
    Refused,
    Unknown,
)
from kassa.connectors.sandbox import signing
from kassa.connectors.sandbox.books import Ask, BadRequest, Charge, KeyReused, SandboxBooks
from kassa.connectors.sandbox.cards import SLOW_ANSWER, Answer, State
from kassa.domain.errors import InvalidRequest
from kassa.domain.money import Money

OUR_CODE: Mapping[str, str] = {
    "card_declined": "card_declined",
    "insufficient_funds": "insufficient_funds",
    "expired_card": "expired_card",
    "incorrect_cvc": "incorrect_cvc",
    "invalid_card_number": "invalid_card_number",
    "not_a_sandbox_card": "card_not_supported",
    "authentication_refused": "payer_refused",
    "authentication_expired": "payer_too_late",
    "never_arrived": "not_received",
}
"""The provider's reasons for a decline, in our words."""

_LARGEST_NOTIFICATION = 65_536
_LONGEST_QUEUE = timedelta(seconds=20)

_T = TypeVar("_T")


class _Wire(msgspec.Struct, forbid_unknown_fields=True):
    """A notification as the provider writes it; amounts are decimal text."""

    id: str
    type: str
    key: str
    reference: str
    state: str
    amount: str
    currency: str
    fee: str
    reason: str
    message: str


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
        """Collect the amount at once, under `request.key`."""
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
        )
        called_at = self._clock()

        def book() -> Charge | None:
            if self._clock() - called_at > _LONGEST_QUEUE:
                return None
            return self._books.charge(ask, now=request.now)

        try:
            charge = await self._call(book)
        except BadRequest as error:
            return Declined(code="request_refused", message=f"The sandbox refused: {error}.")
        except KeyReused as error:
            # The first charge stands, so this is no decline: what it came to, a query tells.
            return InDoubt(reason=f"this reference was used before: {error}")
        except sqlite3.Error as error:
            return InDoubt(reason=f"the sandbox books did not answer: {error}")
        if charge is None:
            return InDoubt(reason="the call waited too long for its turn and was not made")
        if charge.answer is Answer.NEVER:
            return InDoubt(reason="the sandbox did not answer")
        if charge.answer is Answer.SLOW:
            await self._sleep(SLOW_ANSWER.total_seconds())
        return self._outcome(charge)

    async def query(self, key: str) -> Outcome:
        """What became of the charge sent under `key`? Moves nothing."""
        now = self._clock()
        try:
            charge = await self._call(lambda: self._books.find(key, now=now))
        except sqlite3.Error as error:
            return InDoubt(reason=f"the sandbox books did not answer: {error}")
        if charge is None:
            return Unknown(reason="the sandbox has no charge under this reference")
        return self._outcome(charge)

    def parse_notification(self, headers: Mapping[str, str], body: bytes) -> News | Refused:
        """Verify over the raw bytes, then translate. `headers` has lower-case names."""
        if len(body) > _LARGEST_NOTIFICATION:
            return Refused(reason="the notification is too large")
        fault = signing.fault_in(
            headers.get(signing.HEADER),
            secret=self._secret,
            body=body,
            now=int(self._clock().timestamp()),
        )
        if fault:
            return Refused(reason=fault)
        try:
            wire = msgspec.json.decode(body, type=_Wire)
            outcome = _outcome_in(wire)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, InvalidRequest) as error:
            return Refused(reason=f"signed, but not a notification: {error}")
        return News(dedupe_key=wire.id, key=wire.key, outcome=outcome)

    async def close(self) -> None:
        """Give back the thread and the file."""
        self._thread.shutdown(wait=False, cancel_futures=True)
        self._books.close()

    async def _call(self, work: Callable[[], _T]) -> _T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    def _outcome(self, charge: Charge) -> Outcome:
        currency = charge.amount.currency
        match charge.state:
            case State.CAPTURED:
                return _captured(
                    charge.reference, str(charge.amount), str(charge.fee or ""), currency
                )
            case State.DECLINED:
                return _declined(charge.reference, charge.reason, charge.message)
            case State.ACTION_NEEDED:
                return ActionNeeded(
                    reference=charge.reference,
                    url=f"{self._base_url}/sandbox/challenge/{charge.reference}",
                    expires_at=charge.expires_at,
                )
            case State.PENDING:
                return Pending(reference=charge.reference)
            case State.LOST:
                return InDoubt(reason="the sandbox did not answer")


def _outcome_in(wire: _Wire) -> Outcome:
    """Raises: InvalidRequest when the amount cannot be money of ours."""
    if wire.type != f"charge.{wire.state}":
        return InDoubt(reason=f"a notification of type {wire.type!r} says {wire.state!r}")
    if wire.state == State.CAPTURED:
        return _captured(wire.reference, wire.amount, wire.fee, wire.currency)
    if wire.state == State.DECLINED:
        return _declined(wire.reference, wire.reason, wire.message)
    return InDoubt(reason=f"a notification says {wire.state!r}, which we do not know")


def _captured(reference: str, amount: str, fee: str, currency: str) -> Captured:
    return Captured(
        reference=reference,
        amount=Money.from_major(amount, currency),
        fee=Money.from_major(fee, currency) if fee else None,
    )


def _declined(reference: str, reason: str, message: str) -> Declined:
    return Declined(
        code=OUR_CODE.get(reason, "declined"),
        message=message,
        reference=reference,
        provider_code=reason,
    )
