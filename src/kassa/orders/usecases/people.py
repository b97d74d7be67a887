"""What is known of people: sealed if it is older than that, shown to them, erased, kept no longer
than wanted."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from kassa.base.domain.errors import NotFound
from kassa.base.store.connection import Connection
from kassa.base.usecases.core import Core
from kassa.identity.domain.audit import Act
from kassa.identity.usecases import audit
from kassa.orders.domain.orders import Order
from kassa.orders.store import people

_BATCH = 500
_MOST = 100_000
ERASED = ("name", "email", "phone", "note")
"""What of an order is nobody's to read once its customer is erased."""


async def conceal_old(core: Core) -> int:
    """Seal what orders from before say openly, a batch at a time; returns how many it was."""
    async with core.db.transaction(long=True) as connection:
        return await people.conceal_some(connection, _BATCH)


async def forget_people(core: Core) -> int:
    """Erase what was kept as long as the setting says, a batch at a time."""
    if not core.policy.personal_data_lifetime:
        return 0
    async with core.db.transaction(long=True) as connection:
        return await people.erase_ended(connection, core.policy.personal_data_lifetime, _BATCH)


async def rewrap_people(core: Core, connection: Connection, limit: int) -> int:
    """Wrap up to so many orders' keys by the installation's newest."""
    return await people.rewrap(connection, limit)


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """That a customer was erased. It is kept as the row of the audit of that act, sealed and
    chained with the books."""

    company_id: str
    customer_id: str
    orders: int
    members: tuple[str, ...]
    at: datetime


async def customer_named(core: Core, company_id: str, name: str) -> str:
    """The customer of that id, or of the order of that id.

    Raises: NotFound.
    """
    async with core.db.connection(long=True) as connection:
        if await people.of_customer(connection, company_id, name, 1):
            return name
        found = await people.customer_of(connection, company_id, name)
    if found is None:
        raise NotFound(f"no order is for {name!r}, and none is called so")
    return found


async def erase_customer(core: Core, company_id: str, customer_id: str) -> Certificate:
    """Destroy the keys of what their orders say of them. The orders, and the books, stay; twice is
    harmless."""
    async with core.db.transaction(long=True) as connection:
        while await people.conceal_some(
            connection, _BATCH, company_id=company_id, customer_id=customer_id
        ):
            pass
        many = await people.erase(connection, company_id, customer_id)
        said = {"orders": many, "members": ERASED}
        await audit.note(core, connection, Act.CUSTOMER_ERASED, company_id, customer_id, after=said)
    return Certificate(
        company_id=company_id,
        customer_id=customer_id,
        orders=many,
        members=ERASED,
        at=datetime.now(UTC),
    )


async def export_customer(core: Core, company_id: str, customer_id: str) -> Mapping[str, Any]:
    """Everything that is known of a customer, to be written as JSON."""
    async with core.db.transaction(long=True) as connection:
        await audit.note(core, connection, Act.CUSTOMER_EXPORTED, company_id, customer_id)
        orders = await people.of_customer(connection, company_id, customer_id, _MOST)
        names = [order.id for order in orders]
        payments = await people.payments_of(connection, company_id, names)
    return {
        "customer_id": customer_id,
        "orders": [_order(one) for one in orders],
        "payments": [
            {name: getattr(one, name) for name in one.__dataclass_fields__} for one in payments
        ],
    }


def _order(order: Order) -> dict[str, Any]:
    customer = order.customer
    return {
        "id": order.id,
        "status": order.status,
        "amount_minor": order.amount.minor,
        "currency": order.amount.currency,
        "created_at": order.created_at,
        "name": customer.name,
        "email": customer.email,
        "phone": customer.phone,
        "note": order.note,
        "description": order.description,
        "tags": order.tags,
        "return_url": order.return_url,
        "shown": order.extra,
    }
