"""Look up captures, voids and refunds."""

from kassa.base.domain.errors import NotFound
from kassa.base.usecases.core import Core
from kassa.modifications.store import modifications
from kassa.payments.domain.modifications import Modification


async def find_modification(
    core: Core,
    company_id: str,
    *,
    modification_id: str = "",
    scope: str = "",
    request_id: str = "",
) -> Modification:
    """By its id, or by the caller's own id of it.

    Raises: NotFound.
    """
    if not (modification_id or request_id).isprintable():
        raise NotFound("no such refund, capture or void")
    async with core.db.connection() as connection:
        if modification_id:
            found = await modifications.by_id(connection, company_id, modification_id)
        else:
            found = await modifications.by_request(connection, company_id, scope, request_id)
    if found is None:
        raise NotFound("no such refund, capture or void")
    return found


async def modifications_of(
    core: Core, company_id: str, payment_ids: list[str]
) -> list[Modification]:
    """All captures, voids and refunds of these payments, oldest first."""
    async with core.db.connection() as connection:
        return await modifications.of_payments(connection, company_id, payment_ids)
