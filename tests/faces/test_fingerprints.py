"""A member of a request that says something else makes it another request, in every interface."""

import json
from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from dataclasses import fields
from datetime import UTC, datetime
from typing import Any, cast, get_args

import msgspec
import pytest
from tests.base.test_fingerprints import SHOP, fingerprint
from tests.faces.orders.samples import PRINCIPAL
from tests.fixed_keys import keyring

from kassa.base.domain.money import Money, payable
from kassa.faces import edge
from kassa.faces.gateway import contract as gateway
from kassa.faces.gateway.handlers import _content
from kassa.faces.orders import contract as orders
from kassa.faces.orders.pg import orders as pg
from kassa.faces.wallet import reading
from kassa.faces.wallet.handlers import _auth_marks, _new_order
from kassa.identity.domain.principals import WalletClient
from kassa.orders.usecases.answer_once import Turn
from kassa.payments.domain.payments import Method

NOW = datetime(2026, 11, 22, 2, 20, tzinfo=UTC)
Body = dict[str, Any]


class _Core:
    secrets = keyring()


def asked_of_orders(body: Body) -> str:
    wanted = edge.convert(edge.parse_json(json.dumps(body).encode()), orders.CreateOrder)
    return fingerprint(orders.read_create(wanted, PRINCIPAL, request_id="r", now=NOW))


def asked_of_pg(body: Body) -> str:
    wanted = edge.convert(edge.parse_json(json.dumps(body).encode()), pg.PgCreateOrder)
    turn = Turn("r", NOW)
    return fingerprint(pg.read_create(wanted, PRINCIPAL, turn, allow_loopback=False))


def asked_of_gateway(body: Body) -> str:
    wanted = edge.convert(edge.parse_json(json.dumps(body).encode()), gateway.PaymentRequest)
    method = Method(wanted.paymentMethod.lower().replace(" ", "_"))
    amount = payable(Money.from_major(wanted.amount, "CNY"))
    return json.dumps(_content(wanted, amount, method), sort_keys=True)


ORDERS: Mapping[str, tuple[Any, Any]] = {
    "customer_name": ("Ann", "Bob"),
    "customer_email": ("a@shop.example", "b@shop.example"),
    "customer_phone": ("+91 12345", "+91 12346"),
    "order_amount": (10, 11),
    "order_id": (None, "order_1"),
    "order_currency": (None, "USD"),
    "customer_details.customer_id": (None, 12),
    "order_meta.return_url": (None, "https://shop.example/r"),
    "order_meta.notify_url": (None, "https://shop.example/n"),
    "order_meta.payment_methods": (None, "upi"),
    "order_expiry_time": (None, "2026-11-23T00:00:00Z"),
    "order_note": (None, "gift"),
    "order_tags.name": (None, "a"),
    "order_tags.age": (None, "b"),
    "module": (None, "grooming"),
    "capture_method": (None, "manual"),
    "business_id": (None, "biz_station"),
}
"""Each member, as it is at first and otherwise."""
SAID_TWICE = {
    "customer_details.org_id",
    "customer_details.customer_name",
    "customer_details.customer_email",
    "customer_details.customer_phone",
}
"""Refused where it is not what the request says elsewhere."""

PG: Mapping[str, tuple[Any, Any]] = {
    "order_amount": (10, 11),
    "order_currency": ("INR", "USD"),
    "customer_details.customer_id": ("c_1", "c_2"),
    "customer_details.customer_phone": ("1234567890", "1234567891"),
    "customer_details.customer_email": (None, "a@shop.example"),
    "customer_details.customer_name": (None, "Ann"),
    "customer_details.customer_bank_account_number": (None, "12345678"),
    "customer_details.customer_bank_ifsc": (None, "IFSC1"),
    "customer_details.customer_bank_code": (None, 3003),
    "customer_details.customer_uid": (None, "u1"),
    "order_id": (None, "order_1"),
    "order_meta.return_url": (None, "https://shop.example/r"),
    "order_meta.notify_url": (None, "https://shop.example/n"),
    "order_meta.payment_methods": (None, "upi"),
    "order_expiry_time": (None, "2026-11-23T00:00:00Z"),
    "order_note": (None, "gift"),
    "order_tags": (None, {"a": "b"}),
    "capture_method": (None, "manual"),
    "business_id": (None, "biz_station"),
}
NEVER_SPLIT = {"order_splits"}
"""An order that is to be split is refused."""

GATEWAY: Mapping[str, tuple[Any, Any]] = {
    "userId": ("u1", "u2"),
    "orderId": ("o1", "o2"),
    "amount": (10, 11),
    "paymentMethod": ("CASH", "CHECK"),
    "payeeAccount.accountType": ("BANK", "SHOP"),
    "payeeAccount.accountNumber": ("111122223333", "111122224444"),
    "payeeAccount.accountName": (None, "Ann"),
    "payeeAccount.bankName": (None, "Bank"),
    "payerAccount.accountType": ("BANK", "CARD"),
    "payerAccount.accountNumber": ("555566667777", "555566668888"),
    "payerAccount.accountName": (None, "Bob"),
    "payerAccount.bankName": (None, "Other"),
    "module": (None, "GROOMING"),
    "businessId": (None, "biz_station"),
}

DOORS: list[tuple[type, Mapping[str, tuple[Any, Any]], set[str], Callable[[Body], str]]] = [
    (orders.CreateOrder, ORDERS, SAID_TWICE, asked_of_orders),
    (pg.PgCreateOrder, PG, NEVER_SPLIT, asked_of_pg),
    (gateway.PaymentRequest, GATEWAY, set(), asked_of_gateway),
]


def members(kind: Any, before: str = "") -> Iterator[str]:
    """The dotted names of a request's members."""
    for one in msgspec.structs.fields(kind):
        inner = next(
            (t for t in (one.type, *get_args(one.type)) if hasattr(t, "__struct_fields__")), None
        )
        if inner is None:
            yield before + one.encode_name
        else:
            yield from members(inner, f"{before}{one.encode_name}.")


def put(body: Body, name: str, value: Any) -> None:
    *parents, last = name.split(".")
    for parent in parents:
        body = body.setdefault(parent, {})
    body[last] = value


@pytest.mark.parametrize(
    ("kind", "said", "beside", "asked"), DOORS, ids=lambda one: getattr(one, "__module__", "")
)
def test_every_member_of_a_request_counts(
    kind: type,
    said: Mapping[str, tuple[Any, Any]],
    beside: set[str],
    asked: Callable[[Body], str],
) -> None:
    assert set(members(kind)) == {*said, *beside}, "say how each member counts"
    body: Body = {}
    for name, (first, _) in said.items():
        if first is not None:
            put(body, name, first)
    plain = asked(body)
    for name, (_, otherwise) in said.items():
        changed = deepcopy(body)
        put(changed, name, otherwise)
        assert asked(changed) != plain, name


WALLET_CLIENT = WalletClient(
    company=SHOP, business_id="b1", client_id="cl", status="active", keys={}, address=""
)
PAY: dict[str, tuple[Any, Any]] = {
    "product_code": ("1", "2"),
    "amount": (Money(100, "CNY"), Money(101, "CNY")),
    "order": ({"a": 1}, {"a": 2}),
    "description": ("a", "b"),
    "buyer_id": ("a", "b"),
    "expires_at": (None, NOW),
    "notify_url": ("", "https://shop.example/n"),
    "return_url": ("", "https://shop.example/r"),
    "auth_code": ("28", "29"),
    "reserves": (False, True),
}
PAY_ELSEWHERE = {
    "request_id": "an earlier request is found by it",
    "is_evaluation": "nothing is made then",
}


def test_everything_that_a_wallet_is_asked_for_counts() -> None:
    first = {name: pair[0] for name, pair in PAY.items()}
    first |= {"request_id": "r", "is_evaluation": False}

    def asked(**changes: Any) -> str:
        wanted = reading.Pay(**{**first, **changes})
        core = cast("Any", _Core)
        mark = _auth_marks(core, wanted.auth_code)[0]
        return fingerprint(_new_order(core, WALLET_CLIENT, wanted, mark))

    assert {one.name for one in fields(reading.Pay)} == {*PAY, *PAY_ELSEWHERE}
    for name, (_, otherwise) in PAY.items():
        assert asked(**{name: otherwise}) != asked(), name
