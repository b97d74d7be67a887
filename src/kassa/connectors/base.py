"""The connector protocol, and every outcome a provider's answer can have."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import ClassVar, Protocol

from kassa.domain.money import Money


@dataclass(frozen=True, slots=True, kw_only=True)
class ChargeRequest:
    """What a provider is asked to collect.

    `key`: our reference, unique for ever; a repeat under it is harmless at the provider.
    `instrument`: what the payer gave (a sandbox card number, a provider's token); never stored.
    `return_url`: where the provider sends the payer's browser; it decides nothing.
    `notify_url`: where the provider posts its news.
    """

    key: str
    amount: Money
    order_id: str
    subject: str
    description: str
    instrument: str
    return_url: str
    notify_url: str
    expires_at: datetime
    now: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Captured:
    """The funds are ours. `amount` is what the provider says it took."""

    reference: str
    amount: Money
    fee: Money | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionNeeded:
    """The payer must go to `url`. `expires_at`: when that address stops working, if it does."""

    reference: str
    url: str
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """The provider has it and will decide later: wait for its notification, or query."""

    reference: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Declined:
    """Refused for good. `code`: our lower_snake reason; `message`: fit for a payer to read."""

    code: str
    message: str
    reference: str = ""
    provider_code: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class NotSent:
    """Not one byte of the request left this machine: nothing can exist at the provider."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class InDoubt:
    """We cannot tell whether the provider acted. Ask again; never send again."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Unknown:
    """Only from `query`: the provider knows nothing under that key, at least not yet."""

    reason: str


Outcome = Captured | ActionNeeded | Pending | Declined | NotSent | InDoubt | Unknown


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """A verified notification. `dedupe_key` is the same however often it is delivered.

    `key`: our reference, as in ChargeRequest.
    """

    dedupe_key: str
    key: str
    outcome: Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """Not a genuine notification for us: it has no effect. `reason` is for our log only."""

    reason: str


class Connector(Protocol):
    """One provider, translated. It returns values: it holds no database of ours, no clock, no
    retry loop, and raises only for bugs."""

    name: ClassVar[str]
    acknowledgement: ClassVar[tuple[str, bytes]]
    """Content type and body that tell this provider its notification arrived."""

    not_found_final_after: ClassVar[timedelta | None]
    """When "no such charge" is proof that none will appear, counted from our call; None: never."""

    async def charge(self, request: ChargeRequest) -> Outcome:
        """Collect the amount at once, under `request.key`."""
        ...

    async def query(self, key: str) -> Outcome:
        """What became of the charge sent under `key`? Moves nothing."""
        ...

    def parse_notification(self, headers: Mapping[str, str], body: bytes) -> News | Refused:
        """Verify over the raw bytes, then translate. `headers` has lower-case names."""
        ...

    async def close(self) -> None:
        """Give back sockets and files."""
        ...
