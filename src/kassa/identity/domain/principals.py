"""Who is asking: the outcome of authentication, and what it may reach."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from kassa.identity.domain.permissions import NOTHING, Permission


class Mode(StrEnum):
    """Whether real money moves. It belongs to a side of a company, and to all that hangs on it."""

    TEST = "test"
    LIVE = "live"


@dataclass(frozen=True, slots=True, kw_only=True)
class Company:
    """A tenant: one side of a company, test or live. The two sides share nothing but their names.

    `id`: the key of all its rows. `public_id`: how callers name the company; both sides have the
    same. `number`: a 32-bit alias of `id` (seed 001's org_id). `sandbox`: whether it was given the
    built-in sandbox, which only a test side can have.
    """

    id: str
    public_id: str
    number: int
    name: str
    currency: str
    business_id: str
    mode: Mode
    sandbox: bool = False

    @property
    def is_live(self) -> bool:
        return self.mode is Mode.LIVE


@dataclass(frozen=True, slots=True)
class Business:
    """A place or brand of a company. `name`: as payers read it."""

    id: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """`credential`: the public id of what proved it, and `permissions` what that may do. `name`: a
    customer's username.

    Of a customer also what the merchant's token says beside: `customer_id`, the merchant's id for
    them where that is not the username; `email`, verified; `orders`, ids of theirs.
    """

    company: Company
    business_id: str
    kind: str
    credential: str
    name: str = ""
    roles: frozenset[str] = frozenset()
    customer_id: str = ""
    email: str = ""
    orders: frozenset[str] = frozenset()
    permissions: frozenset[Permission] = NOTHING

    @property
    def actor(self) -> str:
        """How the timeline names it."""
        return f"{self.kind}:{self.name or self.credential}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientSettings:
    """How a wallet client wants to be spoken to.

    `path_prefix`: what stands before /v1 in the paths that it signs; "" for nothing.
    `says_accepted`: an order that waits for its payer is answered A, as newer members of the
    family do, and not S. `time_tolerance_seconds`: how far its Request-Time may be from our clock;
    None: it is not judged.
    """

    path_prefix: str = ""
    says_accepted: bool = False
    time_tolerance_seconds: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WalletClient:
    """A merchant of the wallet face. `keys`: key version to PEM public key, newest last.

    `address`: where this request of theirs came from.
    """

    company: Company
    business_id: str
    client_id: str
    status: str
    keys: dict[str, str]
    settings: ClientSettings = field(default_factory=ClientSettings)
    address: str = ""
    permissions: frozenset[Permission] = NOTHING

    @property
    def actor(self) -> str:
        return f"wallet_client:{self.client_id}"


@dataclass(frozen=True, slots=True, kw_only=True)
class WalletUser:
    """A person with balances in the wallet. `status`: active, frozen or closed."""

    company_id: str
    id: str
    status: str
    created_at: datetime
