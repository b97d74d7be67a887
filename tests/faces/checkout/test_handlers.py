"""The checkout face as a customer's app meets it, on a real database."""

import asyncio
import json
import time
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from joserfc import jwt
from joserfc.jwk import ECKey

from kassa.base.domain.lifecycle import ModificationKind
from kassa.base.domain.money import Money
from kassa.identity.usecases.authenticate import authenticate_api_key
from kassa.identity.usecases.companies import NewCompany, add_company, put_jwt_key
from kassa.modifications.usecases.modify_payment import ModifyPayment, modify_payment
from kassa.orders.usecases.create_order import NewOrder, create_order
from kassa.payments.domain.payments import Method
from kassa.payments.usecases.find_payments import payments_of_order
from kassa.payments.usecases.record_payment import Recording, record_payment

pytestmark = pytest.mark.anyio

PATH = "/api/v1/payments"
MEMBERS = (
    "id order orderString createdAt updatedAt payer subject description totalAmount status "
    "vendorTradeId confirmedAt confirmed valid orderStringExpiresAt"
).split()


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}", "content-type": "application/json"}


def body(**members: Any) -> bytes:
    return json.dumps({"orderId": "order_tea", "subject": "Tea", **members}).encode()


class Issuer:
    """A sign-in service of a company's own, whose key is registered."""

    def __init__(self) -> None:
        self.key = ECKey.generate_key("P-256")

    async def register(self, core: Any, company: Any) -> "Issuer":
        pem = self.key.raw_value.public_key().public_bytes(  # type: ignore[union-attr]
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        await put_jwt_key(core, company, "key_test", pem.decode())
        return self

    def token(self, username: str, *, roles: Any = ("CUSTOMER",), lifetime: int = 600) -> str:
        claims = {
            "sub": username,
            "roles": list(roles),
            "aud": "kassa",
            "exp": int(time.time()) + lifetime,
        }
        return jwt.encode({"alg": "ES256", "kid": "key_test"}, claims, self.key)


async def an_order(core: Any, demo: Any, order_id: str = "order_tea") -> None:
    """An order that the demo company's shop made."""
    shop = await authenticate_api_key(core, demo.api_key)
    await create_order(
        core,
        NewOrder(
            company=shop.company,
            business_id=shop.business_id,
            actor="test",
            face="orders",
            amount=Money(29_990, "CNY"),
            order_id=order_id,
        ),
    )


async def an_opened_payment(core: Any, client: Any, demo: Any) -> dict[str, Any]:
    await an_order(core, demo)
    answer = await client.request("POST", PATH, headers=bearer(demo.customer_token), content=body())
    opened: dict[str, Any] = answer.json()["data"]
    return opened


async def pay(core: Any, demo: Any, order_id: str = "order_tea") -> None:
    [view] = await payments_of_order(core, demo.company_id, order_id)
    await record_payment(
        core,
        Recording(
            company_id=demo.company_id,
            payment_id=view.payment.id,
            method=Method.CASH,
            actor="test",
        ),
    )


async def test_a_customer_opens_a_payment_and_looks_at_it(
    core: Any, client: Any, demo: Any
) -> None:
    opened = await an_opened_payment(core, client, demo)

    seen = await client.request(
        "GET", f"{PATH}/{opened['id']}", headers=bearer(demo.customer_token)
    )
    assert seen.status == 200
    assert seen.headers["cache-control"] == "no-store"
    assert seen.json() == {"data": opened}
    assert list(opened) == MEMBERS
    assert type(opened["id"]) is int
    assert (opened["order"], opened["subject"]) == ("order_tea", "Tea")
    assert opened["payer"] == demo.customer_username
    assert b'"totalAmount":299.90,' in seen.body
    assert (opened["status"], opened["confirmed"], opened["valid"]) == ("PENDING", False, False)
    assert opened["orderString"].startswith("http")
    assert opened["description"] is None
    assert opened["confirmedAt"] is None


async def test_fifty_customers_clicks_at_once_open_one_payment(
    core: Any, client: Any, demo: Any
) -> None:
    await an_order(core, demo)

    answers = await asyncio.gather(
        *(
            client.request("POST", PATH, headers=bearer(demo.customer_token), content=body())
            for _ in range(50)
        )
    )

    assert {answer.status for answer in answers} == {200}
    assert len({answer.json()["data"]["id"] for answer in answers}) == 1
    assert len(await payments_of_order(core, demo.company_id, "order_tea")) == 1


async def test_retry_gives_an_address_and_never_a_second_payment(
    core: Any, client: Any, demo: Any
) -> None:
    opened = await an_opened_payment(core, client, demo)

    for _ in range(3):
        again = await client.request(
            "GET", f"{PATH}/retry/{opened['id']}", headers=bearer(demo.customer_token)
        )
        assert again.status == 200
        assert again.json()["data"]["id"] == opened["id"]
        assert again.json()["data"]["orderString"].startswith("http")

    assert len(await payments_of_order(core, demo.company_id, "order_tea")) == 1


async def test_verify_turns_true_when_the_money_has_come(core: Any, client: Any, demo: Any) -> None:
    opened = await an_opened_payment(core, client, demo)
    path, headers = f"{PATH}/verify/{opened['id']}", bearer(demo.customer_token)

    before = await client.request("GET", path, headers=headers)
    await pay(core, demo)
    after = await client.request("GET", path, headers=headers)

    assert before.json() == {"data": False}
    assert after.json() == {"data": True}
    assert after.headers["cache-control"] == "no-store"


async def test_a_paid_payment_is_confirmed_and_valid(core: Any, client: Any, demo: Any) -> None:
    opened = await an_opened_payment(core, client, demo)

    await pay(core, demo)
    retried = await client.request(
        "GET", f"{PATH}/retry/{opened['id']}", headers=bearer(demo.customer_token)
    )

    paid = retried.json()["data"]
    assert (paid["status"], paid["confirmed"], paid["valid"]) == ("CONFIRMED", True, True)
    assert paid["orderString"] is None
    assert paid["confirmedAt"].endswith("+0000")


async def give_back(core: Any, demo: Any, minor: int) -> None:
    [view] = await payments_of_order(core, demo.company_id, "order_tea")
    await modify_payment(
        core,
        ModifyPayment(
            company_id=demo.company_id,
            payment_id=view.payment.id,
            kind=ModificationKind.REFUND,
            amount=Money(minor, "CNY"),
            actor="test",
        ),
    )


async def test_a_payment_is_confirmed_until_all_of_it_has_gone_back(
    core: Any, client: Any, demo: Any
) -> None:
    opened = await an_opened_payment(core, client, demo)
    await pay(core, demo)
    seen, verified, headers = [], [], bearer(demo.customer_token)

    for minor in (10_000, 19_990):
        await give_back(core, demo, minor)
        answer = await client.request("GET", f"{PATH}/{opened['id']}", headers=headers)
        data = answer.json()["data"]
        seen.append((data["status"], data["confirmed"], data["valid"], bool(data["confirmedAt"])))
        asked = await client.request("GET", f"{PATH}/verify/{opened['id']}", headers=headers)
        verified.append(asked.json()["data"])
    retried = await client.request("GET", f"{PATH}/retry/{opened['id']}", headers=headers)

    assert seen == [("CONFIRMED", True, True, True), ("INVALID", False, False, True)]
    assert verified == [True, False]
    assert retried.json()["data"]["status"] == "INVALID"
    assert retried.json()["data"]["orderString"] is None


async def test_somebody_elses_payment_and_no_payment_are_the_same_bytes(
    core: Any, client: Any, demo: Any
) -> None:
    opened = await an_opened_payment(core, client, demo)
    headers = bearer(demo.other_customer_token)

    for kind in ("", "retry/", "verify/"):
        theirs = await client.request("GET", f"{PATH}/{kind}{opened['id']}", headers=headers)
        missing = await client.request("GET", f"{PATH}/{kind}987654321", headers=headers)
        unreadable = await client.request("GET", f"{PATH}/{kind}abc", headers=headers)

        assert theirs.status == missing.status == unreadable.status == 404
        assert theirs.body == missing.body == unreadable.body


async def test_an_order_that_another_customer_opened_is_not_found(
    core: Any, client: Any, demo: Any
) -> None:
    await an_opened_payment(core, client, demo)
    headers = bearer(demo.other_customer_token)

    theirs = await client.request("POST", PATH, headers=headers, content=body())
    missing = await client.request("POST", PATH, headers=headers, content=body(orderId="nope"))

    assert theirs.status == missing.status == 404
    assert theirs.body == missing.body


async def test_a_paid_order_opens_nothing_for_a_newcomer(core: Any, client: Any, demo: Any) -> None:
    await an_order(core, demo)
    await pay(core, demo)

    answer = await client.request("POST", PATH, headers=bearer(demo.customer_token), content=body())

    assert answer.status == 409
    assert answer.json()["error"]["code"] == "illegal_transition"


async def test_only_creating_needs_the_role(core: Any, client: Any, demo: Any) -> None:
    opened = await an_opened_payment(core, client, demo)
    shop = await authenticate_api_key(core, demo.api_key)
    issuer = await Issuer().register(core, shop.company)
    headers = bearer(issuer.token(demo.customer_username, roles=["ADMIN"]))

    created = await client.request("POST", PATH, headers=headers, content=body())
    seen = await client.request("GET", f"{PATH}/{opened['id']}", headers=headers)

    assert (created.status, created.json()["error"]["code"]) == (403, "permission_denied")
    assert seen.json() == {"data": opened}


async def test_the_same_username_of_another_company_sees_nothing(
    core: Any, client: Any, demo: Any
) -> None:
    opened = await an_opened_payment(core, client, demo)
    new = NewCompany(id="cmp_other", business_id="biz_other", name="Other", currency="CNY")
    issuer = await Issuer().register(core, await add_company(core, new))
    headers = bearer(issuer.token(demo.customer_username))

    seen = await client.request("GET", f"{PATH}/{opened['id']}", headers=headers)
    created = await client.request("POST", PATH, headers=headers, content=body())

    assert (seen.status, created.status) == (404, 404)
    assert seen.body == created.body


async def test_an_expired_token_is_refused(core: Any, client: Any, demo: Any) -> None:
    shop = await authenticate_api_key(core, demo.api_key)
    issuer = await Issuer().register(core, shop.company)
    headers = bearer(issuer.token(demo.customer_username, lifetime=-3600))

    answer = await client.request("GET", f"{PATH}/1", headers=headers)

    assert answer.status == 401


UNMEANT = [
    {"sec-fetch-site": "cross-site"},
    {"purpose": "prefetch"},
    {"sec-purpose": "prefetch;prerender"},
    {"x-moz": "prefetch"},
]


@pytest.mark.parametrize("kind", ["retry", "verify"])
async def test_a_get_that_acts_is_refused_unless_somebody_meant_it(
    core: Any, client: Any, demo: Any, kind: str
) -> None:
    opened = await an_opened_payment(core, client, demo)
    headers = bearer(demo.customer_token)

    for unmeant in UNMEANT:
        answer = await client.request(
            "GET", f"{PATH}/{kind}/{opened['id']}", headers={**headers, **unmeant}
        )
        assert answer.status == 403
        assert answer.json()["error"]["code"] == "permission_denied"

    seen = await client.request("GET", f"{PATH}/{opened['id']}", headers=headers)
    assert seen.json()["data"] == opened


@pytest.mark.parametrize("kind", ["retry", "verify"])
async def test_head_does_not_act(core: Any, client: Any, demo: Any, kind: str) -> None:
    opened = await an_opened_payment(core, client, demo)
    headers = bearer(demo.customer_token)

    answer = await client.request("HEAD", f"{PATH}/{kind}/{opened['id']}", headers=headers)

    seen = await client.request("GET", f"{PATH}/{opened['id']}", headers=headers)
    assert answer.status == 403
    assert seen.json()["data"] == opened


async def test_a_cookie_is_no_credential(core: Any, client: Any, demo: Any) -> None:
    opened = await an_opened_payment(core, client, demo)

    answer = await client.request(
        "GET",
        f"{PATH}/{opened['id']}",
        headers={"cookie": f"token={demo.customer_token}; Authorization={demo.customer_token}"},
    )

    assert answer.status == 401


BAD_BODIES: dict[str, tuple[bytes, int]] = {
    "nothing": (b"", 400),
    "not JSON": (b"{orderId}", 400),
    "half a body": (b'{"orderId": "order_tea"', 400),
    "not UTF-8": (b'{"orderId": "\xff"}', 400),
    "a list": (b"[]", 400),
    "null": (b"null", 400),
    "a text": (b'"order_tea"', 400),
    "no order": (b'{"subject": "Tea"}', 400),
    "no subject": (b'{"orderId": "order_tea"}', 400),
    "the order is a number": (body(orderId=1), 400),
    "the order is empty": (body(orderId=""), 400),
    "the order is too long": (body(orderId="o" * 65), 400),
    "the subject is null": (body(subject=None), 400),
    "the subject is empty": (body(subject=""), 400),
    "the subject is blank": (body(subject="   "), 400),
    "the subject is too long": (body(subject="s" * 257), 400),
    "the subject has a NUL": (body(subject="a\x00b"), 400),
    "the subject has half a character": (b'{"orderId": "o", "subject": "\\ud800"}', 400),
    "the description is too long": (body(description="d" * 401), 400),
    "the description is an object": (body(description={}), 400),
    "an unknown member": (body(price=1), 400),
    "the payer chooses the amount": (body(totalAmount=0.01), 400),
    "a member twice": (b'{"orderId": "a", "orderId": "b", "subject": "Tea"}', 400),
    "NaN": (b'{"orderId": NaN, "subject": "Tea"}', 400),
    "nested without end": (b"[" * 30_000, 400),
    "too large": (body(subject="s" * 70_000), 413),
    "no such order": (body(orderId="order_nope"), 404),
    "an order id that none can have": (body(orderId="a\x00b"), 400),
}


async def test_every_bad_create_gets_its_exact_answer(core: Any, client: Any, demo: Any) -> None:
    headers, got = bearer(demo.customer_token), {}

    for name, (content, _) in BAD_BODIES.items():
        answer = await client.request("POST", PATH, headers=headers, content=content)
        told = answer.json()
        assert (list(told), told["data"]) == (["data", "error"], None)
        got[name] = (answer.status, told["error"]["code"])

    assert got == {
        name: (status, "not_found" if status == 404 else "invalid_request")
        for name, (_, status) in BAD_BODIES.items()
    }


BAD_AUTHORIZATIONS = {
    "none": None,
    "empty": "",
    "the scheme alone": "Bearer",
    "Basic": "Basic YWJj",
    "not a token": "Bearer abc",
    "two dots": "Bearer a.b.c",
    "not ASCII": "Bearer \xe9.\xe9.\xe9",
    "signed by nobody": "Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJhIiwicm9sZXMiOlsiQ1VTVE9NRVIiXX0.",
    "very long": "Bearer " + "a" * 8_000,
}


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", PATH),
        ("GET", f"{PATH}/1"),
        ("GET", f"{PATH}/retry/1"),
        ("GET", f"{PATH}/verify/1"),
    ],
)
async def test_who_shows_no_good_token_is_told_nothing_else(
    core: Any, client: Any, demo: Any, method: str, path: str
) -> None:
    got = {}

    for name, sent in BAD_AUTHORIZATIONS.items():
        headers = {} if sent is None else {"authorization": sent}
        answer = await client.request(method, path, headers=headers, content=b"")
        got[name] = (answer.status, answer.json()["error"]["code"])
        assert answer.headers["www-authenticate"].startswith("Bearer")

    assert got == dict.fromkeys(BAD_AUTHORIZATIONS, (401, "unauthenticated"))


async def test_a_token_that_somebody_changed_is_refused(core: Any, client: Any, demo: Any) -> None:
    head, claims, signature = demo.customer_token.split(".")
    changed = ".".join((head, claims, signature[::-1]))

    answer = await client.request("GET", f"{PATH}/1", headers=bearer(changed))

    assert answer.status == 401


BAD_IDS = ["0", "-1", "01", "1.0", "1e1", "abc", "%00", "%31%30x", "9223372036854775807"]
BAD_IDS += ["9223372036854775808", "9" * 300, "py_01k3z8m4q5v7x9y2a4b6c8d0ef", "%EF%BC%91"]


async def test_an_id_that_names_no_payment_is_not_found(core: Any, client: Any, demo: Any) -> None:
    headers, bodies = bearer(demo.customer_token), set()

    for kind in ("", "retry/", "verify/"):
        for text in BAD_IDS:
            answer = await client.request("GET", f"{PATH}/{kind}{text}", headers=headers)
            assert (kind, text, answer.status) == (kind, text, 404)
            bodies.add(answer.body)

    assert len(bodies) == 1


@pytest.mark.parametrize("name", ["a\x00b", "a\nb", "x" * 256])
async def test_a_subject_that_is_no_username_is_nobody(
    core: Any, client: Any, demo: Any, name: str
) -> None:
    shop = await authenticate_api_key(core, demo.api_key)
    issuer = await Issuer().register(core, shop.company)
    await an_order(core, demo)

    answer = await client.request("POST", PATH, headers=bearer(issuer.token(name)), content=body())

    assert answer.status == 401


ELSEWHERE = [
    ("PUT", f"{PATH}/1", "GET, HEAD"),
    ("POST", f"{PATH}/verify/1", "GET, HEAD"),
    ("DELETE", PATH, "POST"),
    ("GET", f"{PATH}/", None),
    ("GET", f"{PATH}/a%2Fb", None),
    ("GET", f"{PATH}/x/%0d%0aX:y", None),
]


@pytest.mark.parametrize(("method", "path", "allowed"), ELSEWHERE)
async def test_a_wrong_verb_or_address_is_told_in_this_faces_words(
    client: Any, method: str, path: str, allowed: str | None
) -> None:
    answer = await client.request(method, path)

    told = (404, "not_found") if allowed is None else (405, "unsupported")
    assert (answer.status, answer.json()["error"]["code"]) == told
    assert answer.json()["data"] is None
    assert answer.headers.get("allow") == allowed
