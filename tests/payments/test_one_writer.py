"""One statement writes payments, and it writes all that has changed of them."""

import re
from dataclasses import fields
from datetime import timedelta
from enum import Enum
from pathlib import Path
from typing import Any

import pytest
from tests.payments.cases import NOW, a_payment

import kassa
from kassa.base.domain.copying import replace
from kassa.base.domain.lifecycle import PaymentStatus
from kassa.base.domain.money import Money
from kassa.base.usecases.core import Core
from kassa.orders.domain.orders import Module
from kassa.payments.domain.payments import CaptureMethod, Method, Payment
from kassa.payments.store.payments import Sql
from kassa.payments.store.rows import PAYMENT
from kassa.proof.store.cover import COVERS

pytestmark = pytest.mark.anyio

SOURCE = Path(kassa.__path__[0])
_OTHERS = {
    "method": Method.WALLET,
    "module": next(one for one in Module if one is not a_payment().module),
    "capture_method": CaptureMethod.MANUAL,
    "status": PaymentStatus.SETTLED,
    "extra": {"key": "value"},
    "number": 7,
    "request_id": "another",
}


def another(name: str, value: Any) -> Any:
    """What that member might be as well."""
    if name in _OTHERS:
        return _OTHERS[name]
    if value is None or name.endswith("_at"):
        return NOW + timedelta(days=1)
    if isinstance(value, Money):
        return Money(value.minor + 1, value.currency)
    if isinstance(value, bool):
        return not value
    assert not isinstance(value, Enum)
    return value + 1 if isinstance(value, int) else value + "x"


def test_one_statement_changes_payments() -> None:
    texts = {
        str(path.relative_to(SOURCE)): path.read_text()
        for path in (*SOURCE.rglob("*.py"), *SOURCE.rglob("*.sql"))
        if "migrations" not in path.parts
    }
    found = {
        name: len(re.findall(r"update\s+(?:only\s+)?payment\b", text, re.IGNORECASE))
        for name, text in texts.items()
    }

    assert {name: count for name, count in found.items() if count} == {
        "payments/store/payments.sql": 1
    }


@pytest.mark.parametrize("name", [one.name for one in fields(Payment)])
def test_what_differs_of_a_payment_is_told_with_all_its_columns(name: str) -> None:
    before = a_payment()
    after = replace(before, **{name: another(name, getattr(before, name))})

    told = PAYMENT.changed(before, after)

    assert {**PAYMENT.row(before), **told} == PAYMENT.row(after)
    unchanged = PAYMENT.changed(before, before)
    assert unchanged.keys() == PAYMENT.nullable


def test_every_sealed_column_of_a_payment_is_written() -> None:
    changed = re.search(r"update payment as t set (.+?)\n", Sql.write.text)
    assert changed is not None

    written = set(re.findall(r"(\w+) = ", changed[1]))

    assert written == {*COVERS["payment"].own("seal"), "seal"}


async def test_what_may_be_null_of_a_payment_is_known(core: Core) -> None:
    async with core.db.connection() as connection:
        rows = await connection.fetch(
            "select attname from pg_attribute where attrelid = 'payment'::regclass and attnum > 0"
            " and not attnotnull and not attisdropped and attname <> all($1)",
            ["seal", "birth"],
        )

    assert {row["attname"] for row in rows} <= PAYMENT.nullable
