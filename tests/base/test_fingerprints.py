"""Everything that a request asks for makes it another request, or is said not to, with a reason."""

from dataclasses import dataclass, field, fields, make_dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, cast

import msgspec
import pytest
from tests.fixed_keys import keyring

from kassa.base.domain.fingerprints import Fingerprint, Of
from kassa.base.domain.lifecycle import ModificationKind
from kassa.base.domain.money import Money
from kassa.base.usecases.keyring import Purpose
from kassa.checkout.usecases import request_payment
from kassa.checkout.usecases.request_payment import RequestedPayment
from kassa.identity.domain.principals import Company, Mode
from kassa.modifications.usecases import modify_payment
from kassa.modifications.usecases.modify_payment import ModifyPayment
from kassa.orders.domain.orders import Module
from kassa.orders.usecases import create_order
from kassa.orders.usecases.create_order import NewOrder
from kassa.payments.domain.payments import CaptureMethod, Method

SHOP = Company(
    id="c1",
    public_id="cmp",
    number=7,
    name="Shop",
    currency="CNY",
    business_id="b1",
    mode=Mode.TEST,
)
EIGHT = timezone(timedelta(hours=8))

LEAST: dict[type, dict[str, Any]] = {
    NewOrder: {
        "company": SHOP,
        "business_id": "b1",
        "actor": "a",
        "face": "orders",
        "amount": Money(10_000, "CNY"),
    },
    ModifyPayment: {
        "company_id": "c1",
        "payment_id": "py1",
        "kind": ModificationKind.REFUND,
        "actor": "a",
    },
    RequestedPayment: {
        "company": SHOP,
        "business_id": "b1",
        "actor": "a",
        "order_id": "o-1",
        "user_id": "u",
        "amount": Money(10_000, "CNY"),
        "method": Method.WALLET,
        "instrument": "i",
        "instrument_shown": "•",
        "payer_account": {"a": 1},
        "payee_account": {},
        "fingerprint_of": {"b": 2, "a": {"n": None}},
    },
}
# Another value for every field; the same names mean the same in all three.
OTHER: dict[str, Any] = {
    "company": Company(
        id="c2",
        public_id="cmp",
        number=8,
        name="Other",
        currency="CNY",
        business_id="b2",
        mode=Mode.TEST,
    ),
    "company_id": "c2",
    "business_id": "b2",
    "actor": "somebody",
    "face": "wallet",
    "amount": Money(1, "USD"),
    "order_id": "o-2",
    "payment_id": "py2",
    "kind": ModificationKind.VOID,
    "request_scope": "s",
    "request_id": "r-1",
    "customer_id": "cus",
    "customer_number": 12,
    "customer_name": "Ann",
    "customer_email": "a@b.c",
    "customer_phone": "123",
    "module": Module.GROOMING,
    "description": "d",
    "note": "n",
    "tags": {"b": "2", "a": "1"},
    "return_url": "https://s.example/r",
    "notify_url": "https://s.example/n",
    "notify_kind": "wallet",
    "payment_methods": "cc",
    "expires_at": datetime(2099, 1, 1, 8, tzinfo=EIGHT),
    "retry_allowed": False,
    "capture_method": CaptureMethod.MANUAL,
    "extra": {"z": [1, {"k": None}]},
    "payment_extra": {"client_id": "x"},
    "reason": "why",
    "is_last": False,
    "rest": True,
    "surplus_of": "at1",
    "user_id": "v",
    "method": Method.ALIPAY,
    "instrument": "j",
    "instrument_shown": "••",
    "payer_account": {"a": 2},
    "payer_name": "Ada",
    "payee_account": {"b": 1},
    "payee_number": "1",
    "auth_code": "28",
    "address": "192.0.2.1",
    "key": "client k-1",
    "fingerprint_of": {},
}
FORMS: list[Fingerprint[Any]] = [
    create_order._FINGERPRINT,
    modify_payment._FINGERPRINT,
    request_payment._FINGERPRINT,
]


class _Core:
    secrets = keyring({Purpose.FINGERPRINTS: {1: bytes(range(32))}})


def fingerprint(request: Any) -> str:
    """As it is kept."""
    if isinstance(request, NewOrder):
        return create_order._fingerprint(request)
    if isinstance(request, ModifyPayment):
        return request.fingerprint
    return request_payment._content(cast("Any", _Core), request).fingerprint


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.kind.__name__)
def test_every_field_of_a_request_counts_or_is_left_out_for_a_reason(
    form: Fingerprint[Any],
) -> None:
    least = LEAST[form.kind]
    plain = fingerprint(form.kind(**least))
    for one in fields(form.kind):
        assert one.name in OTHER, f"give {one.name} another value here, to see whether it counts"
        changed = fingerprint(form.kind(**{**least, one.name: OTHER[one.name]}))
        assert (changed == plain) is (one.name in form.left_out), one.name

    assert all(form.left_out.values())
    assert not form.undecided, "decide: `later` where it counts, `left_out` where it does not"


FULL = [name for name in OTHER if name not in ("company", "business_id", "actor", "face", "amount")]


@pytest.mark.parametrize(
    ("kind", "more", "kept"),
    [
        (NewOrder, [], "f1d9e56a1473e59abc0642228d89828e9261091c666ff7baf613f56289c97827"),
        (NewOrder, FULL, "97b68c1798f909f20b48974e716117d90db4955d51e858c0616b679bd931a6af"),
        (ModifyPayment, [], "69df0bfa092a76bd9202277c58826faa2e9740f46b55c697b8b61319820dd4ec"),
        (
            ModifyPayment,
            ["face", "request_scope", "request_id", "reason", "is_last", "rest", "surplus_of"],
            "0c5cb5ee31debc7e4574226556ca16a113d004c2c819a35ca111370265539278",
        ),
        (RequestedPayment, [], "051c7b31e9680dd9b3b5e9d5ede3f7e878fc56cee89bd2297addb15567fc84f8"),
    ],
)
def test_a_request_is_known_by_the_fingerprint_that_an_older_release_kept(
    kind: type, more: list[str], kept: str
) -> None:
    """Made by the functions of releases 0.1 to 0.3 from the same values, and never made anew."""
    has = {one.name for one in fields(kind)}
    given = {name: OTHER[name] for name in more if name in has}
    if kind is NewOrder and more:
        given["order_id"] = "o-1"
    if kind is ModifyPayment and more:
        given["amount"] = Money(500, "CNY")

    assert fingerprint(kind(**LEAST[kind], **given)) == kept


@dataclass(frozen=True, kw_only=True)
class Ask:
    key: str
    amount: int
    tags: dict[str, str] = field(default_factory=dict)


def form_of(kind: type, **how: Any) -> Fingerprint[Any]:
    return Fingerprint(kind, "amount", Of("tags", sorted), left_out={"key": "found by it"}, **how)


def test_a_field_that_nobody_decided_on_counts_and_is_named() -> None:
    more = make_dataclass("More", [("colour", str, "")], bases=(Ask,), frozen=True, kw_only=True)
    old, new = form_of(Ask), form_of(more)

    assert (old.undecided, new.undecided) == ((), ("colour",))
    before = old.content(Ask(key="k", amount=1))
    assert new.content(more(key="k", amount=1)) == before
    assert new.content(more(key="k", amount=1, colour="red")) == (*before, ("colour", "red"))
    assert form_of(more, later=["colour"]).undecided == ()


def test_a_form_that_names_what_is_not_there_or_has_no_default_cannot_be_made() -> None:
    needed = make_dataclass("Needed", [("colour", str)], bases=(Ask,), frozen=True, kw_only=True)

    with pytest.raises(TypeError, match="Ask has no"):
        form_of(Ask, later=["colour"])
    with pytest.raises(TypeError, match="colour joins a fingerprint and has no default"):
        form_of(needed)


def test_what_is_hashed_can_be_written_whatever_the_fields_hold() -> None:
    whole = NewOrder(**LEAST[NewOrder] | {name: OTHER[name] for name in ("extra", "expires_at")})

    text = msgspec.json.encode(create_order._FINGERPRINT.content(whole), order="sorted")

    assert b"2099-01-01T00:00:00Z" in text
    assert datetime(2099, 1, 1, tzinfo=UTC) == OTHER["expires_at"]
