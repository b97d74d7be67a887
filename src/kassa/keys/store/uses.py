"""How many rows need which version of a key."""

from collections.abc import Mapping
from typing import NamedTuple

from kassa.base.store.connection import Connection
from kassa.base.store.queries import Queries, Rows


class Use(NamedTuple):
    version: int
    many: int


class Sql(Queries):
    credentials: Rows[Use]
    wallet_codes: Rows[Use]
    webhooks: Rows[Use]
    provider_secrets: Rows[Use]
    fingerprints: Rows[Use]
    personal_data: Rows[Use]


_COUNTS: Mapping[str, Rows[Use]] = {
    "credentials": Sql.credentials,
    "wallet_codes": Sql.wallet_codes,
    "webhooks": Sql.webhooks,
    "provider_secrets": Sql.provider_secrets,
    "fingerprints": Sql.fingerprints,
    "personal_data": Sql.personal_data,
}


async def uses(connection: Connection, purpose: str) -> dict[int, int] | None:
    """Version to rows; None where nothing stored says which it needs."""
    counting = _COUNTS.get(purpose)
    if counting is None:
        return None
    return {one.version: one.many for one in await counting.all(connection)}
