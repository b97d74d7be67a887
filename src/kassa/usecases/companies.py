"""Tenants, their credentials, and wallet users with what they own: what an operator does."""

from dataclasses import dataclass
from datetime import UTC, datetime

from kassa.domain import ledger
from kassa.domain.errors import InvalidRequest, NotFound
from kassa.domain.ledger import Posting, PostingKind, balance_changes, wallet_account
from kassa.domain.money import EXPONENT, Money, payable
from kassa.domain.principals import Company
from kassa.store import companies, payments, wallets
from kassa.usecases.authenticate import hash_secret
from kassa.usecases.core import Core


@dataclass(frozen=True, slots=True, kw_only=True)
class NewCompany:
    """`currency`: the default where a request names none."""

    id: str
    business_id: str
    name: str
    currency: str


async def add_company(core: Core, wanted: NewCompany) -> Company:
    """Make the company, or return the one of that id.

    Raises: InvalidRequest.
    """
    if wanted.currency not in EXPONENT:
        raise InvalidRequest(f"unknown currency {wanted.currency!r}")
    async with core.db.transaction() as connection:
        known = await companies.find_company(connection, wanted.id)
        if known is not None:
            return known
        company = Company(
            id=wanted.id,
            number=await companies.next_company_number(connection),
            name=wanted.name,
            currency=wanted.currency,
            business_id=wanted.business_id,
        )
        await companies.add_company(connection, company)
        return company


async def get_company(core: Core, company_id: str) -> Company:
    """Raises: NotFound."""
    async with core.db.connection() as connection:
        company = await companies.find_company(connection, company_id)
    if company is None:
        raise NotFound(f"no such company: {company_id!r}")
    return company


async def close_company(core: Core, company_id: str, *, closed: bool = True) -> None:
    """Close a company to all its clients, or open it again.

    Raises: NotFound.
    """
    async with core.db.connection() as connection:
        status = "closed" if closed else "active"
        if not await companies.set_company_status(connection, company_id, status):
            raise NotFound(f"no such company: {company_id!r}")


async def put_api_key(core: Core, company: Company, secret: str) -> None:
    """Register an API key "sk_<id>_<secret>". Only its keyed hash is stored."""
    name = "_".join(secret.split("_", 2)[:2])
    await _put(core, f"key:{name}", company, "api_key", name, secret)


async def put_orders_client(core: Core, company: Company, client_id: str, secret: str) -> None:
    await _put(core, f"client:{client_id}", company, "orders_client", client_id, secret)


async def _put(
    core: Core, lookup: str, company: Company, kind: str, name: str, secret: str
) -> None:
    async with core.db.connection() as connection:
        await companies.put_credential(
            connection,
            lookup=lookup,
            company=company,
            kind=kind,
            name=name,
            secret_hash=hash_secret(core, secret),
        )


async def put_wallet_client(
    core: Core, company: Company, client_id: str, keys: dict[str, str]
) -> None:
    """`keys`: key version to PEM public key, newest last."""
    async with core.db.connection() as connection:
        await companies.put_credential(
            connection,
            lookup=f"wallet:{client_id}",
            company=company,
            kind="wallet_client",
            name=client_id,
            public_keys=keys,
        )


async def put_jwt_key(core: Core, company: Company, key_id: str, public_pem: str) -> None:
    """Register the P-256 public key that signs the company's customer tokens."""
    async with core.db.connection() as connection:
        await companies.put_credential(
            connection,
            lookup=f"jwt:{key_id}",
            company=company,
            kind="jwt_key",
            name=key_id,
            public_keys={key_id: public_pem},
        )


async def set_credential_active(core: Core, lookup: str, *, active: bool) -> None:
    """`lookup`: its public half: "key:…", "client:…", "wallet:…" or "jwt:…".

    Raises: NotFound.
    """
    async with core.db.connection() as connection:
        status = "active" if active else "disabled"
        if not await companies.set_credential_status(connection, lookup, status):
            raise NotFound(f"no such credential: {lookup!r}")


async def add_wallet_user(core: Core, company_id: str, user_id: str, auth_code: str) -> None:
    """Make the user (unless known) and give them a code with which they can be charged."""
    async with core.db.transaction() as connection:
        await wallets.add_user(connection, company_id, user_id)
        code = hash_secret(core, auth_code)
        await wallets.add_code(connection, company_id, code, user_id)


async def set_wallet_user_status(core: Core, company_id: str, user_id: str, status: str) -> None:
    """`status`: active, frozen or closed.

    Raises: NotFound, InvalidRequest.
    """
    if status not in ("active", "frozen", "closed"):
        raise InvalidRequest(f"a wallet user is active, frozen or closed, not {status!r}")
    async with core.db.connection() as connection:
        if not await wallets.set_user_status(connection, company_id, user_id, status):
            raise NotFound(f"no such wallet user: {user_id!r}")


async def top_up(core: Core, company_id: str, user_id: str, amount: Money) -> int:
    """Add `amount` to the user's balance, as one posting; returns the new balance, minor units.

    Raises: NotFound, InvalidRequest.
    """
    payable(amount)
    account = wallet_account(user_id)
    async with core.db.transaction() as connection:
        if not await wallets.users(connection, [(company_id, user_id)]):
            raise NotFound(f"no such wallet user: {user_id!r}")
        key = (company_id, account, amount.currency)
        held = (await wallets.lock_balances(connection, [key])).get(key, 0)
        _ = Money(held, amount.currency) + amount  # refused there when no balance can be so large
        posting = Posting(
            company_id=company_id,
            id=core.new_id("po"),
            kind=PostingKind.TOP_UP,
            currency=amount.currency,
            entries=ledger.move(ledger.FUNDING_ACCOUNT, account, amount),
            payment_id="",
            at=datetime.now(UTC),
        )
        await payments.insert_postings(connection, [posting])
        await wallets.change_balances(connection, balance_changes([posting]))
        return (await wallets.lock_balances(connection, [key]))[key]


async def balance_of(core: Core, company_id: str, user_id: str, currency: str) -> int:
    """The user's balance in minor units."""
    key = (company_id, wallet_account(user_id), currency)
    async with core.db.transaction() as connection:
        return (await wallets.lock_balances(connection, [key])).get(key, 0)


@dataclass(frozen=True, slots=True)
class Holding:
    """A wallet user's money in one currency, minor units; `held_minor` is reserved for merchants.

    `spent_today_minor`: paid or reserved since midnight UTC, which the daily limit counts.
    """

    currency: str
    balance_minor: int
    held_minor: int
    spent_today_minor: int


async def holdings_of(core: Core, company_id: str, user_id: str) -> list[Holding]:
    """What the user has, by currency.

    Raises: NotFound.
    """
    async with core.db.connection() as connection:
        if not await wallets.users(connection, [(company_id, user_id)]):
            raise NotFound(f"no such wallet user: {user_id!r}")
        rows = await wallets.holdings(connection, company_id, user_id, wallet_account(user_id))
    return [Holding(*row) for row in rows]
