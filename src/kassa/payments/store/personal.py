"""What an order says of a person: concealed as it is written, revealed as it is read.

Nothing above the store knows of it; what was erased reads as empty.
"""

from collections.abc import Sequence
from typing import Any

import msgspec

from kassa.base.domain.copying import replace
from kassa.base.store.connection import Connection
from kassa.base.store.vault import Vault, vault_of
from kassa.orders.domain.orders import Order
from kassa.payments.domain.summaries import Summary

COLUMNS = ("customer_name", "customer_email", "customer_phone", "note")
"""Empty from now on; what they would say is sealed in `personal`, in this order."""

_decode = msgspec.json.Decoder(list[str]).decode


def about(company_id: str, order_id: str) -> str:
    return f"orders|personal|{company_id}|{order_id}"


def conceal(vault: Vault, rows: Sequence[dict[str, Any]]) -> Sequence[dict[str, Any]]:
    """Rows of orders as they are stored."""
    for row in rows:
        known = [row[name] for name in COLUMNS]
        if any(known):
            said = msgspec.json.encode(known)
            place = about(row["company_id"], row["id"])
            row["personal"], row["personal_key"] = vault.conceal(row["company_id"], place, said)
            row.update(dict.fromkeys(COLUMNS, ""))
    return rows


def told(vault: Vault, company_id: str, order_id: str, sealed: str, key: str) -> list[str]:
    """What was concealed, in the order of the columns; nothing where it was erased."""
    plain = vault.reveal(company_id, about(company_id, order_id), sealed, key) if key else None
    return [""] * len(COLUMNS) if plain is None else _decode(plain)


def reveal(connection: Connection, order: Order) -> Order:
    """An order as it was asked for. One that is older than this says it openly."""
    if not order.personal:
        return order
    vault = vault_of(connection)
    name, email, phone, note = told(
        vault, order.company_id, order.id, order.personal, order.personal_key
    )
    customer = replace(order.customer, name=name, email=email, phone=phone)
    return replace(order, customer=customer, note=note, personal="", personal_key="")


def reveal_in(connection: Connection, row: Any) -> Any:
    """A row that has an order in it."""
    return row._replace(order=reveal(connection, row.order)) if row.order.personal else row


def reveal_summary(connection: Connection, one: Summary) -> Summary:
    if not one.personal:
        return one
    vault = vault_of(connection)
    name, *_ = told(vault, one.company_id, one.order_id, one.personal, one.personal_key)
    return one._replace(customer_name=name, personal="", personal_key="")
