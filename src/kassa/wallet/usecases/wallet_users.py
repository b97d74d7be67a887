"""Wallet users as their operator sees them: made, frozen, topped up, and what they have."""

from datetime import UTC, datetime

from kassa.base.domain.errors import AmountTooLarge, InvalidRequest, NotFound
from kassa.base.domain.lifecycle import WalletUserStatus
from kassa.base.domain.money import LARGEST_SUM, Money, payable
from kassa.base.usecases.bounds import within
from kassa.base.usecases.core import Core
from kassa.identity.domain.audit import Act
from kassa.identity.usecases import audit
from kassa.ledger.domain import ledger
from kassa.ledger.domain.ledger import Posting, PostingKind, balance_changes, wallet_account
from kassa.payments.store import payments
from kassa.wallet.store import wallets
from kassa.wallet.store.wallets import WalletBalance
from kassa.wallet.usecases.wallet_codes import NewCode, make_agreement


async def add_wallet_user(core: Core, company_id: str, user_id: str, token: str = "") -> None:
    """Make the user, unless known. `token`: an agreement with which merchants may charge them.

    Raises: InvalidRequest.
    """
    async with core.db.transaction() as connection:
        await wallets.add_user(connection, company_id, user_id)
        await audit.note(core, connection, Act.WALLET_USER_ADDED, company_id, user_id)
    if token:
        await make_agreement(core, NewCode(company_id=company_id, user_id=user_id), token=token)


async def set_wallet_user_status(core: Core, company_id: str, user_id: str, status: str) -> None:
    """`status`: active, frozen or closed.

    Raises: NotFound, InvalidRequest.
    """
    if status not in [*WalletUserStatus]:
        raise InvalidRequest(f"a wallet user is active, frozen or closed, not {status!r}")
    async with core.db.transaction() as connection:
        if not await wallets.set_user_status(connection, company_id, user_id, status):
            raise NotFound(f"no such wallet user: {user_id!r}")
        said = {"status": status}
        await audit.note(core, connection, Act.WALLET_USER_CHANGED, company_id, user_id, after=said)


async def top_up(core: Core, company_id: str, user_id: str, amount: Money) -> int:
    """Add `amount` to the user's balance, as one posting; returns the new balance, minor units.

    Raises: NotFound, InvalidRequest.
    """
    payable(within(core, amount))
    account = wallet_account(user_id)
    async with core.db.transaction() as connection:
        if not await wallets.users(connection, [(company_id, user_id)]):
            raise NotFound(f"no such wallet user: {user_id!r}")
        key = (company_id, account, amount.currency)
        held = (await wallets.lock_balances(connection, [key])).get(key, 0)
        if held + amount.minor > LARGEST_SUM:
            raise AmountTooLarge(
                f"the balance would be {Money(held, amount.currency) + amount}, and no balance is"
                f" more than {Money(LARGEST_SUM, amount.currency)}",
                reason="amount_out_of_range",
            )
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
        said = {"amount": str(amount), "posting": posting.id}
        await audit.note(core, connection, Act.WALLET_TOPPED_UP, company_id, user_id, after=said)
        return (await wallets.lock_balances(connection, [key]))[key]


async def balance_of(core: Core, company_id: str, user_id: str, currency: str) -> int:
    """The user's balance in minor units."""
    key = (company_id, wallet_account(user_id), currency)
    async with core.db.transaction() as connection:
        return (await wallets.lock_balances(connection, [key])).get(key, 0)


async def holdings_of(core: Core, company_id: str, user_id: str) -> list[WalletBalance]:
    """What the user has, by currency.

    Raises: NotFound.
    """
    async with core.db.connection() as connection:
        if not await wallets.users(connection, [(company_id, user_id)]):
            raise NotFound(f"no such wallet user: {user_id!r}")
        return await wallets.holdings(connection, company_id, user_id, wallet_account(user_id))
