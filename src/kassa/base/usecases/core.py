"""Core: all that a verb may touch; `kassa.assembly` builds it, nothing else does."""

import asyncio
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Protocol

from kassa.base.domain.secret import Secret
from kassa.base.store.db import Database
from kassa.base.usecases.admission import Admission
from kassa.base.usecases.keyring import Keyring
from kassa.connectors.base import Connector
from kassa.connectors.egress import Egress
from kassa.connectors.kind import Tools
from kassa.proof.store.heads import HeadFile
from kassa.providers.domain.providers import ProviderAccount

if TYPE_CHECKING:  # for the writers alone, and most commands write no letters
    from kassa.identity.domain.principals import Company
    from kassa.orders.domain.orders import Order
    from kassa.payments.domain.changes import News, WebhookEvent
    from kassa.wallet.domain.agreements import Agreement


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """The settings that rules read.

    `base_url`: where payers and providers reach us, without a trailing slash.
    `amount_limit_minor`: most that one amount may be, in minor units of any currency that
    `amount_limits` does not name.
    `wallet_limit_minor`: most that one wallet payment may move, in minor units of any currency;
    `wallet_daily_limit_minor`: most that one user may spend in a day (UTC) of a currency.
    `wallet_code_lifetime`: how long a pay code is good; `wallet_wrong_codes`: how many wrong ones
    may be tried for a user before there are pauses.
    `access_token_lifetime`, `refresh_token_lifetime`: of an agreement's tokens.
    `wallet_authorization_lifetime`: how long our own wallet holds reserved funds.
    `authorization_margin`: how long before its end a reservation is acted upon: voided, or
    captured where `capture_at_deadline`.
    `deliveries_kept`: how long the tries of notifications are.
    `personal_data_lifetime`: how long what ended orders say of people is kept; 0 until somebody
    erases it.
    `earlier_secrets`: how long what a provider signed with a renewed secret is believed.
    """

    base_url: str
    live: bool = False
    allow_loopback: bool = False
    order_lifetime: timedelta = timedelta(days=30)
    wallet_order_lifetime: timedelta = timedelta(hours=24)
    query_interval: timedelta = timedelta(seconds=3)
    amount_limit_minor: int = 10**12
    amount_limits: Mapping[str, int] = field(default_factory=dict)
    wallet_limit_minor: int = 100_000_000
    wallet_daily_limit_minor: int = 1_000_000_000
    wallet_code_lifetime: timedelta = timedelta(seconds=60)
    wallet_wrong_codes: int = 5
    access_token_lifetime: timedelta = timedelta(days=180)
    refresh_token_lifetime: timedelta = timedelta(days=365)
    wallet_authorization_lifetime: timedelta = timedelta(days=7)
    authorization_margin: timedelta = timedelta(hours=1)
    capture_at_deadline: bool = False
    earlier_secrets: timedelta = timedelta(hours=72)
    deliveries_kept: timedelta = timedelta(days=90)
    personal_data_lifetime: timedelta = timedelta(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookRequest:
    """A notification ready to be posted: exact bytes and headers."""

    headers: Mapping[str, str]
    body: bytes


class Postage(Protocol):
    """How often news is sent, and how its arrival is known."""

    @property
    def schedule(self) -> Sequence[timedelta]:
        """Pause before the first, second, … delivery; after the last the news is a dead letter."""
        ...

    def arrived(self, status: int, body: bytes) -> bool:
        """Whether the receiver's answer means: received, stop sending."""
        ...


class WebhookWriter(Postage, Protocol):
    """A face's words for news of payments: what it tells, and how it is signed."""

    def content(self, news: "News", order: "Order") -> bytes:
        """What the letter tells, written once, when it happened; every delivery tells this."""
        ...

    def recipient(self, news: "News") -> str:
        """Whom of the company it is addressed to, by the name that the face has for them."""
        ...

    def sign(
        self, core: "Core", event: "WebhookEvent", company: "Company", secrets: Sequence[Secret]
    ) -> WebhookRequest:
        """The event's content as it is posted now: a later delivery is signed afresh.

        `secrets`: what the company verifies with, the newest first.
        """
        ...


class AgreementWriter(Postage, Protocol):
    """A face's words for news of agreements."""

    def write(
        self, core: "Core", announcement: "WebhookEvent", agreement: "Agreement"
    ) -> WebhookRequest:
        """How it stands now."""
        ...


@dataclass(slots=True, kw_only=True)
class Core:
    """`new_id`: a prefix in, a unique time-ordered id out.

    `writers`, `agreement_writers`: by notification kind; made when they are first asked for.
    `connectors`, `accounts`: by the provider account's name; kept fresh by
    `provider_accounts.refresh`. `tools`: what a new connector is given.
    """

    db: Database
    admission: Admission
    heads: HeadFile
    connectors: MutableMapping[str, Connector]
    accounts: dict[str, ProviderAccount] = field(default_factory=dict)
    tools: Callable[[], Tools]
    egress: Egress
    policy: Policy
    secrets: Keyring
    writers: Callable[[], Mapping[str, WebhookWriter]]
    agreement_writers: Callable[[], Mapping[str, AgreementWriter]]
    new_id: Callable[[str], str]
    gatherers: dict[Any, Any] = field(default_factory=dict)
    """The batch queues of `batched` verbs, one per verb, and what verbs remember for a second."""
    retired: list[Connector] = field(default_factory=list)
    """Connectors whose account got other settings; calls under way still use them."""
    running: set["asyncio.Task[Any]"] = field(default_factory=set)
    """Work that goes on although its caller may be gone; awaited before the Core is closed."""
