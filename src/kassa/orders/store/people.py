"""What orders say of people: sealed where it is still open, wrapped anew, shown, erased."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import msgspec

from kassa.base.domain.lifecycle import OrderStatus
from kassa.base.store.connection import Connection, Row
from kassa.base.store.queries import Command, Queries, Rows, Value, affected
from kassa.base.store.vault import vault_of
from kassa.orders.domain.orders import Order
from kassa.payments.store.personal import COLUMNS, about
from kassa.payments.store.rows import WHOLE_ORDER, WORDS
from kassa.proof.store.resealing import reborn


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentOfPerson:
    """A payment as its customer is told of it. `instrument`: masked."""

    id: str
    order_id: str
    status: str
    amount_minor: int
    currency: str
    method: str
    payer: str
    subject: str
    description: str
    instrument: str
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class _Key:
    company_id: str
    id: str
    personal_key: str = field(repr=False)


class Sql(
    Queries, readers=[WHOLE_ORDER], words={**WORDS, "active": f"'{OrderStatus.ACTIVE.value}'"}
):
    openly: Rows[Row]
    conceal: Command
    customer_of: Value[str]
    erase: Command
    erase_ended: Command
    keys: Rows[_Key]
    rewrap: Command
    of_customer: Rows[Order]
    payments_of: Rows[PaymentOfPerson]


async def conceal_some(
    connection: Connection, limit: int, *, company_id: str = "", customer_id: str = ""
) -> int:
    """Seal what up to so many orders say openly; returns how many. In the caller's transaction.

    A row whose seal is genuine gets one over what it is then; another stays the finding it was.
    """
    rows = await Sql.openly.all(connection, limit, company_id, customer_id)
    if not rows:
        return 0
    vault, concealed = vault_of(connection), []
    for row in rows:
        said = msgspec.json.encode([row[name] for name in COLUMNS])
        place = about(row["company_id"], row["id"])
        concealed.append(vault.conceal(row["company_id"], place, said))
    companies, ids = [row["company_id"] for row in rows], [row["id"] for row in rows]
    async with reborn(connection, "orders", companies, ids):
        sealed, keys = [one for one, _ in concealed], [one for _, one in concealed]
        await Sql.conceal.run(connection, companies, ids, sealed, keys)
    return len(rows)


async def customer_of(connection: Connection, company_id: str, order_id: str) -> str | None:
    return await Sql.customer_of.first(connection, company_id, order_id)


async def erase(connection: Connection, company_id: str, customer_id: str) -> int:
    """Destroy the keys of a customer's orders; returns how many there were."""
    return affected(await Sql.erase.run(connection, company_id, customer_id))


async def erase_ended(connection: Connection, older_than: timedelta, limit: int) -> int:
    return affected(await Sql.erase_ended.run(connection, older_than, limit))


async def rewrap(connection: Connection, limit: int) -> int:
    """Wrap up to so many keys by the version in use; returns how many others had wrapped."""
    vault = vault_of(connection)
    rows = await Sql.keys.all(connection, str(vault.current), limit)
    known = [
        (one, vault.rewrap(one.company_id, about(one.company_id, one.id), one.personal_key))
        for one in rows
    ]
    done = [(one.company_id, one.id, key) for one, key in known if key is not None]
    if done:
        await Sql.rewrap.run(connection, *map(list, zip(*done, strict=True)))
    return len(done)


async def of_customer(
    connection: Connection, company_id: str, customer_id: str, limit: int
) -> Sequence[Order]:
    return await Sql.of_customer.all(connection, company_id, customer_id, limit)


async def payments_of(
    connection: Connection, company_id: str, order_ids: Sequence[str]
) -> Sequence[PaymentOfPerson]:
    return await Sql.payments_of.all(connection, company_id, list(order_ids))
