"""What orders say of people is sealed as it is written, told to whom it is for, and can be erased
without a hole in the books."""

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from tests.fixed_keys import rotated
from tests.shop import Shop

from kassa.assembly import vault_keys
from kassa.base.store.seals import seals_of
from kassa.base.store.vault import Vault
from kassa.base.usecases.keyring import Purpose
from kassa.identity.domain.audit import AuditQuery
from kassa.identity.usecases.audit import list_audit
from kassa.keys.usecases.key_versions import list_keys, rewrap_rows
from kassa.orders.domain.orders import Order
from kassa.orders.usecases.people import (
    conceal_old,
    customer_named,
    erase_customer,
    export_customer,
    forget_people,
)
from kassa.payments.usecases.find_payments import get_summary, payments_of_order
from kassa.proof.store.cover import digest_sql

pytestmark = pytest.mark.anyio

WHO = {
    "customer_name": "Ada Canary-Name",
    "customer_email": "canary@mail.example",
    "customer_phone": "+4479110canary",
    "note": "ring twice, canary note",
}


async def made(shop: Shop, **changes: Any) -> tuple[Order, str]:
    created = await shop.create(**{**WHO, **changes})
    return created.order, created.payment.id


async def read(shop: Shop, order_id: str) -> Order:
    return (await payments_of_order(shop.core, shop.company.id, order_id))[-1].order


def said(order: Order) -> tuple[str, ...]:
    customer = order.customer
    return customer.name, customer.email, customer.phone, order.note


NOTHING, ALL = ("", "", "", ""), tuple(WHO.values())


async def everything(shop: Shop) -> str:
    tables = await shop.sql(
        "select table_name from information_schema.tables"
        " where table_schema = 'public' and table_type = 'BASE TABLE'"
    )
    rows = [await shop.sql(f"select t::text as said from {one[0]} t") for one in tables]
    return "\n".join(row["said"] for some in rows for row in some)


async def test_nobody_reads_in_the_database_who_an_order_is_for(shop: Shop) -> None:
    order, payment_id = await made(shop, customer_id="c-1")

    kept = await everything(shop)

    assert "anary" not in kept
    assert said(order) == said(await read(shop, order.id)) == ALL
    assert (await get_summary(shop.core, shop.company.id, payment_id)).customer_name == ALL[0]
    assert "anary" not in repr(replace(order, customer=order.customer).personal)
    assert await shop.faults() == []


async def test_an_order_that_names_nobody_has_no_key(shop: Shop) -> None:
    order = (await shop.create()).order
    [row] = await shop.sql(f"select personal, personal_key from orders where id = '{order.id}'")
    assert tuple(row) == ("", "")
    assert said(await read(shop, order.id)) == NOTHING


async def test_what_is_sealed_opens_in_its_own_row_alone(shop: Shop) -> None:
    first, _ = await made(shop)
    other, _ = await made(shop, customer_name="Bob")

    await shop.sql(
        "/* by hand */ update orders o set personal = f.personal, personal_key = f.personal_key"
        f" from orders f where o.id = '{other.id}' and f.id = '{first.id}'"
    )

    assert said(await read(shop, other.id)) == NOTHING
    [fault] = await shop.faults()
    assert other.id in fault


async def as_of_before(shop: Shop, order_id: str, *, genuine: bool = True) -> None:
    """The row as a release before this one has written it."""
    values = ", ".join(f"{name} = '{value}'" for name, value in WHO.items())
    await shop.sql(
        f"/* by hand */ update orders set {values}, personal = '', personal_key = ''"
        f" where id = '{order_id}'"
    )
    digest = digest_sql("orders", "birth", 1)
    [row] = await shop.sql(f"select {digest} as said from orders t where id = '{order_id}'")
    async with shop.core.db.connection() as connection:
        seal = seals_of(connection).of("orders.birth", row["said"] if genuine else b"other")
    await shop.sql(
        f"/* by hand */ update orders set birth = '\\x{seal.hex()}' where id = '{order_id}'"
    )


async def test_orders_from_before_are_sealed_while_all_serves(shop: Shop) -> None:
    old, _ = await made(shop)
    new, _ = await made(shop)
    await as_of_before(shop, old.id)
    assert said(await read(shop, old.id)) == ALL  # also as long as it is open

    assert await conceal_old(shop.core) == 1
    assert await conceal_old(shop.core) == 0

    assert said(await read(shop, old.id)) == said(await read(shop, new.id)) == ALL
    assert "anary" not in await everything(shop)
    assert await shop.faults() == []


async def test_a_row_that_was_falsified_before_stays_a_finding(shop: Shop) -> None:
    old, _ = await made(shop)
    await as_of_before(shop, old.id, genuine=False)

    assert await conceal_old(shop.core) == 1

    assert "anary" not in await everything(shop)
    [fault] = await shop.faults()
    assert old.id in fault


async def test_who_is_erased_is_nobodys_to_read_and_the_books_are_whole(shop: Shop) -> None:
    order, payment_id = await made(shop, customer_id="c-1")
    older, _ = await made(shop, customer_id="c-1")
    other, _ = await made(shop, customer_id="c-2")
    await as_of_before(shop, older.id)

    named = await customer_named(shop.core, shop.company.id, order.id)
    certificate = await erase_customer(shop.core, shop.company.id, named)

    assert (named, certificate.orders) == ("c-1", 2)
    assert said(await read(shop, order.id)) == said(await read(shop, older.id)) == NOTHING
    assert (await get_summary(shop.core, shop.company.id, payment_id)).customer_name == ""
    assert said(await read(shop, other.id)) == ALL
    [row] = await list_audit(shop.core, AuditQuery(what="customer"))
    assert (row.object, row.after["orders"]) == ("c-1", 2)
    assert (await erase_customer(shop.core, shop.company.id, "c-1")).orders == 0
    assert await shop.faults() == []


async def test_a_customer_is_given_everything_that_is_known(shop: Shop) -> None:
    order, payment_id = await made(
        shop, customer_id="c-1", tags={"size": "42"}, description="shoes"
    )
    await made(shop, customer_id="c-2", customer_name="Bob")

    known = json.loads(
        json.dumps(await export_customer(shop.core, shop.company.id, "c-1"), default=str)
    )

    [told] = known["orders"]
    assert {told["name"], told["email"], told["phone"], told["note"]} == set(ALL)
    assert (told["id"], told["tags"], told["description"]) == (order.id, {"size": "42"}, "shoes")
    assert [one["id"] for one in known["payments"]] == [payment_id]
    assert "Bob" not in json.dumps(known)


async def test_keys_of_people_are_wrapped_anew_by_a_newer_version(shop: Shop) -> None:
    order, _ = await made(shop)
    shop.core.secrets = rotated(shop.core.secrets, Purpose.PERSONAL_DATA)
    vault = Vault(*vault_keys(shop.core.secrets))
    async with shop.core.db.connection(long=True) as long, shop.core.db.connection() as quick:
        long.vault, quick.vault = vault, vault
    shop.core.db._vault = vault  # type: ignore[attr-defined]

    assert await rewrap_rows(shop.core, Purpose.PERSONAL_DATA, per_second=1_000) == 1

    every = await list_keys(shop.core)
    uses = {one.version: one.rows for one in every if one.purpose is Purpose.PERSONAL_DATA}
    assert uses == {1: 0, 2: 1}
    assert said(await read(shop, order.id)) == ALL
    assert await shop.faults() == []


async def test_nothing_is_kept_longer_than_the_setting_says(shop: Shop) -> None:
    order, _ = await made(shop)
    ended, _ = await made(shop)
    await shop.sql(
        f"update orders set status = 'canceled', updated_at = now() - interval '31 days'"
        f" where id = '{ended.id}'"
    )
    assert await forget_people(shop.core) == 0  # until somebody erases it
    shop.core.policy = replace(shop.core.policy, personal_data_lifetime=timedelta(days=30))

    assert await forget_people(shop.core) == 1

    assert said(await read(shop, ended.id)) == NOTHING
    assert said(await read(shop, order.id)) == ALL
