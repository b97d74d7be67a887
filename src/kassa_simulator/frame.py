"""What a protocol is to the simulator: the calls it answers and the letters it sends."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol, runtime_checkable


class Operation(StrEnum):
    """What a call wants; faults are chosen by it."""

    PREPARE = "prepare"  # an order, a session, a customer: nothing that takes money
    CHARGE = "charge"
    CAPTURE = "capture"
    VOID = "void"
    REFUND = "refund"
    CLOSE = "close"  # let nobody pay it any more
    QUERY = "query"  # asks about a charge, capture, void or refund; moves nothing
    REPORT = "report"  # settlement files and lists
    PAGE = "page"  # what a payer's browser opens: no fault is played on it
    OTHER = "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One HTTP request as it came in. `path`: raw, percent-encoded, as sent, without the query;
    it includes the provider's own prefix ("/stripe/v1/charges"). `headers`: lower-case names.

    `now`: the simulator's clock, UTC. `origin`: how the simulator is reached, "http://host:port".
    `decline`: the fault menu wants this charge declined. A protocol that decides at once declines;
    of the others the frame has the payer decline as soon as there is a charge to decline.
    `books`: set for `distort` and `not_found`, which read there the key that they sign with.
    """

    method: str
    path: str
    query: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    now: datetime
    origin: str
    decline: bool = False
    books: "Books | None" = field(default=None, repr=False, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class Merchant:
    """An account at a provider. `name`: unique within the provider. `credentials`: in the
    protocol's own words (secret_key, app_id, …). `notify_url`: where letters go, "" for nowhere;
    a protocol whose requests carry an address of their own uses that one.
    """

    provider: str
    name: str
    credentials: Mapping[str, str] = field(repr=False)
    notify_url: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """One payment at the provider. `key`: the merchant's own reference; `id`: the provider's.

    `status`: waiting (for the payer), authorized, captured, declined, closed, voided.
    `amount_minor`, `authorized_minor`, `captured_minor`, `refunded_minor`: whole minor units.
    `data`: whatever else the protocol must say again.
    """

    provider: str
    merchant: str
    id: str
    key: str
    amount_minor: int
    currency: str
    status: str
    authorized_minor: int = 0
    captured_minor: int = 0
    refunded_minor: int = 0
    created_at: datetime
    updated_at: datetime
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A capture, void or refund. `kind`: capture, void, refund. `status`: pending, done, failed."""

    provider: str
    merchant: str
    id: str
    key: str
    charge_id: str
    kind: str
    amount_minor: int
    status: str
    created_at: datetime
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """A notification, signed and ready to be posted."""

    url: str
    headers: Mapping[str, str]
    body: bytes


class Books(Protocol):
    """The simulator's books, as a protocol sees them; SQLite behind it. Every call is answered
    inside one transaction, which the frame opens and commits before any fault plays on the answer.
    """

    def new_id(self, prefix: str, *about: str) -> str:
        """An id that the same seed and the same `about` make again: never random, never a clock."""
        ...

    def digits(self, length: int, *about: str) -> str:
        """The same as decimal digits."""
        ...

    def chance(self, *about: str) -> float:  # a probability, not money
        """0 to 1, the same for the same seed and `about`."""
        ...

    def merchant(self, provider: str, name: str) -> Merchant | None: ...

    def merchant_with(self, provider: str, credential: str, value: str) -> Merchant | None:
        """The merchant whose `credentials[credential]` is `value`."""
        ...

    def add_charge(self, charge: Charge) -> None: ...

    def save_charge(self, charge: Charge) -> None: ...

    def charge(self, provider: str, charge_id: str) -> Charge | None: ...

    def charge_by_key(self, provider: str, merchant: str, key: str) -> Charge | None:
        """The newest of that key."""
        ...

    def charges(
        self,
        provider: str,
        merchant: str,
        *,
        since: datetime | None = None,
        limit: int = 100,
        holding: str = "",
    ) -> Sequence[Charge]:
        """Newest first. `holding`: a text that their data has somewhere."""
        ...

    def add_change(self, change: Change) -> None: ...

    def save_change(self, change: Change) -> None: ...

    def change(self, provider: str, change_id: str) -> Change | None: ...

    def change_by_key(self, provider: str, merchant: str, kind: str, key: str) -> Change | None: ...

    def changes_of(self, provider: str, charge_id: str) -> Sequence[Change]:
        """Oldest first."""
        ...

    def move(
        self, charge: Charge, kind: str, amount_minor: int, *, at: datetime, fee_minor: int = 0
    ) -> None:
        """Money has moved: `kind` is charge, refund or dispute. This is what the books add up."""
        ...

    def put(self, provider: str, kind: str, object_id: str, data: Mapping[str, Any]) -> None:
        """Keep an object of the protocol's own (an order, a session, a payout)."""
        ...

    def get(self, provider: str, kind: str, object_id: str) -> dict[str, Any] | None: ...

    def listed(self, provider: str, kind: str) -> Sequence[dict[str, Any]]:
        """All objects of a kind, oldest first."""
        ...

    def recall(self, provider: str, merchant: str, key: str) -> tuple[str, Answer] | None:
        """What was answered under an idempotency key: the request's fingerprint, the answer."""
        ...

    def remember(
        self, provider: str, merchant: str, key: str, fingerprint: str, answer: Answer
    ) -> None: ...

    def tell(
        self,
        merchant: Merchant,
        event: str,
        *,
        charge_id: str,
        data: Mapping[str, Any],
        url: str = "",
    ) -> None:
        """Queue a notification: `ProviderProtocol.write` makes the letter when it is sent, by the
        merchant's own address unless `url` is given. The fault menu may lose, repeat, delay,
        reorder or forge it."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A queued notification, to be written and signed. `id`: stable over repeats. `codec`: of the
    charset it is written in. `next_year`: by a version that nobody knows yet, where the provider
    names one.
    """

    id: str
    event: str
    charge_id: str
    data: Mapping[str, Any]
    at: datetime
    url: str
    codec: str = "utf-8"
    next_year: bool = False

    def written(self, text: str) -> bytes:
        """In its charset; what that has no sign for is a question mark."""
        return text.encode(self.codec, "replace")


class ProviderProtocol(Protocol):
    """One provider's wire protocol. It holds no state: everything is in the books."""

    name: str
    """Also its prefix: "stripe" answers everything under /stripe/."""

    credentials: Sequence[str]
    """The names a merchant's credentials must have."""

    def operation(self, call: Call) -> Operation:
        """What the call wants, judged by its address and body; never raises."""
        ...

    def reference(self, call: Call) -> str:
        """The merchant's reference that the call is about, "" where it says none: faults that
        play on the first call only count by it. Never raises."""
        ...

    def answer(self, books: Books, call: Call) -> Answer:
        """Do it and answer as the real provider would, also to what is wrong (bad credentials,
        unknown objects, bad JSON): never raises."""
        ...

    def distort(self, call: Call, answer: Answer, *, amount: bool) -> Answer:
        """The same answer, validly signed, with another amount (`amount`) or else another
        currency; unchanged where it holds none."""
        ...

    def not_found(self, call: Call) -> Answer:
        """How this provider says, validly signed where it signs, that it knows no such object."""
        ...

    def acts(self, charge: Charge) -> Sequence[str]:
        """What a person may do now: pay, decline, close, what a bank does in a dispute, …; at the
        provider's own pages capture, void, refund; and, days later, fail_refund, fail."""
        ...

    def act(self, books: Books, charge: Charge, action: str, *, now: datetime) -> Charge:
        """Do it as the payer (or the payer's bank) would; tells the merchant."""
        ...

    def write(self, merchant: Merchant, told: Told, *, now: datetime, forged: bool) -> Letter:
        """The letter, signed with the real secret, or, `forged`, with a wrong one."""
        ...

    def heard(self, status: int, body: bytes) -> bool:
        """Whether the merchant's answer means: received, stop sending."""
        ...


@runtime_checkable
class SignsAnswers(Protocol):
    """A protocol whose answers are signed."""

    def signed(self, call: Call, content: Any, codec: str) -> Answer:
        """The answer to `call` with other content, or in another charset, validly signed.
        `content`: all of an answer of its own, changed, with the signature that it had."""
        ...


@runtime_checkable
class IsPicky(Protocol):
    """A protocol whose requests carry words of the merchant's own that it can do without."""

    def picky(self, call: Call) -> Answer | None:
        """How it refuses them, by the name of the field; None where there are none."""
        ...


@runtime_checkable
class SaysBusy(Protocol):
    """A protocol that has words of its own for a request whose like has not ended yet."""

    def busy(self, call: Call) -> Answer: ...


@runtime_checkable
class KeepsTime(Protocol):
    """A protocol in whose books something ends by itself when its time is over."""

    def catch_up(self, books: Books, now: datetime) -> None:
        """End what is over by now, and tell of it. Called now and then, and when the clock is
        moved ahead; within a transaction."""
        ...
