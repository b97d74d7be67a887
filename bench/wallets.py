"""Wallet users who pay. One user's balance is one row, and of all who change it at once one can:
payments of a single user would measure that."""

import asyncio

from bench.gateway import Gateway
from kassa import assembly
from kassa.base.domain.money import Money
from kassa.settings import Settings
from kassa.wallet.usecases import wallet_codes, wallet_users

_BALANCE = Money(1_000_000_000, "CNY")


def tokens(gateway: Gateway, count: int) -> list[str]:
    """An agreement's token of each of so many new users, good for any number of payments."""
    return asyncio.run(_add(gateway, count))


async def _add(gateway: Gateway, count: int) -> list[str]:
    company = gateway.demo["company_id"]
    settings = Settings(data_dir=str(gateway.data_dir), demo=True)
    made = [wallet_codes.new_token() for _ in range(count)]
    async with assembly.open_core(settings, gateway.database_urls["app_url"]) as core:
        for number, token in enumerate(made):
            user = f"wu_bench_{number}"
            await wallet_users.add_wallet_user(core, company, user, token)
            await wallet_users.top_up(core, company, user, _BALANCE)
    return made
