"""The gateway face as a merchant's client meets it, on a real database and the sandbox provider."""

import asyncio
import base64
import json
from typing import Any

import pytest

from kassa.base.domain.money import Money
from kassa.identity.usecases.authenticate import authenticate_api_key
from kassa.identity.usecases.companies import NewCompany, add_company, put_api_key
from kassa.orders.usecases.create_order import NewOrder, create_order
from kassa.payments.usecases.find_payments import get_payment, payments_of_order
from kassa.wallet.usecases.wallet_users import add_wallet_user, set_wallet_user_status, top_up

pytestmark = pytest.mark.anyio

PATH = "/gateway/payment-requests"
PAID, DECLINED = "4242424242424242", "4000000000000002"
PAYEE = "6222020200112233445"
PAYEE_ACCOUNT = {"accountType": "bank account", "accountNumber": PAYEE, "accountName": "Demo"}


def card(number: str = PAID) -> dict[str, str]:
    return {"accountType": "card", "accountNumber": number}


def wanted(**members: Any) -> dict[str, Any]:
    base: dict[str, Any] = {
        "userId": "user_1",
        "orderId": "order_tea",
        "amount": 299.9,
        "paymentMethod": "credit card",
        "payerAccount": card(),
        "payeeAccount": PAYEE_ACCOUNT,
    }
    return {name: value for name, value in {**base, **members}.items() if value is not ...}


def bearer(demo: Any) -> dict[str, str]:
    return {"authorization": f"Bearer {demo.api_key}", "content-type": "application/json"}


async def create(client: Any, demo: Any, **members: Any) -> Any:
    content = json.dumps(wanted(**members)).encode()
    return await client.request("POST", PATH, headers=bearer(demo), content=content)


async def ask(client: Any, demo: Any, payment_request_id: str) -> Any:
    return await client.request("GET", f"{PATH}/{payment_request_id}", headers=bearer(demo))


async def test_a_card_is_charged_and_the_result_is_true(core: Any, client: Any, demo: Any) -> None:
    created = await create(client, demo)

    assert created.status == 200
    assert list(created.json()) == ["paymentRequestId", "paymentResult", "error"]
    assert created.json()["paymentResult"] is True
    assert created.json()["error"] is None
    asked = await ask(client, demo, created.json()["paymentRequestId"])
    assert (asked.status, asked.json()) == (200, {"paymentResult": True, "error": None})
    assert list(asked.json()) == ["paymentResult", "error"]


async def test_the_key_may_come_as_basic(core: Any, client: Any, demo: Any) -> None:
    created = await create(client, demo)
    coded = base64.b64encode(demo.api_key.encode()).decode()

    asked = await client.request(
        "GET",
        f"{PATH}/{created.json()['paymentRequestId']}",
        headers={"authorization": f"Basic {coded}"},
    )

    assert asked.status == 200


async def test_a_declined_card_is_a_failure_with_its_code(
    core: Any, client: Any, demo: Any
) -> None:
    created = await create(client, demo, payerAccount=card(DECLINED))

    assert created.status == 200
    assert created.json()["paymentResult"] is False
    kind, code, sentence = created.json()["error"].split(": ", 2)
    assert (kind, code) == ("FAILED", "card_declined")
    assert sentence
    asked = await ask(client, demo, created.json()["paymentRequestId"])
    assert asked.json() == {"paymentResult": False, "error": created.json()["error"]}


async def test_a_token_is_charged_like_a_card(core: Any, client: Any, demo: Any) -> None:
    created = await create(
        client,
        demo,
        payerAccount={"accountType": "token", "accountNumber": "pm_sandbox_paid"},
    )

    assert created.json()["paymentResult"] is True


async def test_alipay_is_pending_and_says_where_the_payer_goes(
    core: Any, client: Any, demo: Any
) -> None:
    created = await create(client, demo, paymentMethod="Alipay", payerAccount=...)

    payment_id = created.json()["paymentRequestId"]
    view = await get_payment(core, demo.company_id, payment_id)
    cashier = f"{core.policy.base_url}/pay/{view.order.session_token}"
    assert created.json()["paymentResult"] is False
    assert created.json()["error"].startswith("PENDING: ")
    assert created.json()["error"].endswith(cashier)


@pytest.mark.parametrize("method", ["cash", "Check"])
async def test_money_at_the_counter_is_recorded(
    core: Any, client: Any, demo: Any, method: str
) -> None:
    created = await create(client, demo, paymentMethod=method, payerAccount=..., module="GROOMING")

    assert created.json()["paymentResult"] is True
    view = await get_payment(core, demo.company_id, created.json()["paymentRequestId"])
    assert view.payment.method == method.lower()
    assert view.payment.module == "grooming"


async def test_an_unknown_wallet_code_is_a_failure_with_its_code(
    core: Any, client: Any, demo: Any
) -> None:
    created = await create(
        client,
        demo,
        paymentMethod="wallet",
        payerAccount={"accountType": "wallet_auth_code", "accountNumber": "no-such-code"},
    )

    assert created.json()["error"].startswith("FAILED: user_not_exist: ")


@pytest.mark.parametrize(
    ("balance", "status", "error"),
    [
        (29_990, "active", None),
        (29_989, "active", "FAILED: user_balance_not_enough: "),
        (29_990, "frozen", "FAILED: user_status_abnormal: "),
    ],
)
async def test_a_wallets_code_pays_from_its_balance(
    core: Any, client: Any, demo: Any, balance: int, status: str, error: str | None
) -> None:
    code = "code-28763443825664394"
    await add_wallet_user(core, demo.company_id, "wallet_user_9", code)
    await top_up(core, demo.company_id, "wallet_user_9", Money(balance, "CNY"))
    await set_wallet_user_status(core, demo.company_id, "wallet_user_9", status)

    created = await create(
        client,
        demo,
        paymentMethod="wallet",
        payerAccount={"accountType": "wallet_auth_code", "accountNumber": code},
    )

    assert created.json()["paymentResult"] is (error is None)
    assert (created.json()["error"] or "").startswith(error or "")
    assert code not in await every_row(core)


async def test_charged_without_an_answer_is_unknown_and_is_not_sent_again(
    core: Any, client: Any, demo: Any
) -> None:
    created = await create(client, demo, payerAccount=card("4000000000000077"))
    again = await create(client, demo, payerAccount=card("4000000000000077"))
    other = await create(client, demo, payerAccount=card(PAID))

    assert created.json()["paymentResult"] is False
    assert created.json()["error"].startswith("UNKNOWN: ")
    assert again.json() == created.json()
    assert other.status == 422


async def test_another_companys_request_is_not_found(core: Any, client: Any, demo: Any) -> None:
    created = await create(client, demo)
    new = NewCompany(id="cmp_2", business_id="biz_2", name="Other", currency="JPY", sandbox=True)
    await put_api_key(core, await add_company(core, new), "sk_other_secret")
    headers = {"authorization": "Bearer sk_other_secret"}

    answers = [
        await client.request("GET", f"{PATH}/{payment_id}", headers=headers)
        for payment_id in (created.json()["paymentRequestId"], "py_01k3z8m4q5v7x9y2a4b6c8d0ef")
    ]
    own = await client.request("POST", PATH, headers=headers, content=sent(amount=500))

    assert [answer.status for answer in answers] == [404, 404]
    assert answers[0].body == answers[1].body
    assert own.json()["paymentResult"] is True
    assert own.json()["paymentRequestId"] != created.json()["paymentRequestId"]


async def test_fifty_identical_requests_at_once_make_one_payment(
    core: Any, client: Any, demo: Any
) -> None:
    answers = await asyncio.gather(*(create(client, demo) for _ in range(50)))

    assert {answer.status for answer in answers} == {200}
    assert len({answer.json()["paymentRequestId"] for answer in answers}) == 1
    [view] = await payments_of_order(core, demo.company_id, "order_tea")
    assert view.payment.captured == Money(29_990, "CNY")


async def test_a_repeat_is_known_by_its_meaning(core: Any, client: Any, demo: Any) -> None:
    first = await create(client, demo, amount=300)
    text = json.dumps(wanted(paymentMethod="CREDIT_CARD")).replace("299.9", "300.00")

    second = await client.request("POST", PATH, headers=bearer(demo), content=text.encode())

    assert second.json() == first.json()


@pytest.mark.parametrize(
    "change",
    [
        {"payerAccount": card("4242 4242-4242 4242")},
        {"payeeAccount": {**PAYEE_ACCOUNT, "accountNumber": "62220202-0011 2233445"}},
        {"module": "RETAIL"},
    ],
)
async def test_grouped_digits_and_the_usual_module_mean_the_same(
    core: Any, client: Any, demo: Any, change: dict[str, Any]
) -> None:
    first = await create(client, demo)

    second = await create(client, demo, **change)

    assert (second.status, second.json()) == (200, first.json())


async def test_a_late_copy_of_an_earlier_request_is_told_how_it_stands_now(
    core: Any, client: Any, demo: Any
) -> None:
    first = await create(client, demo, payerAccount=card(DECLINED))
    second = await create(client, demo, payerAccount=card("4000000000009995"))
    late = await create(client, demo, payerAccount=card(DECLINED))
    paid = await create(client, demo)
    later = await create(client, demo, payerAccount=card(DECLINED))

    assert first.json()["error"] != second.json()["error"]
    assert (late.status, late.json()) == (200, second.json())
    assert (later.status, later.json()) == (200, paid.json())
    assert later.json()["paymentResult"] is True


@pytest.mark.parametrize(
    "change",
    [
        {"amount": 299.91},
        {"payerAccount": card("4000000000000259")},
        {"paymentMethod": "cash", "payerAccount": ...},
        {"userId": "user_2"},
    ],
)
async def test_other_content_for_a_paid_order_is_refused(
    core: Any, client: Any, demo: Any, change: dict[str, Any]
) -> None:
    first = await create(client, demo)

    second = await create(client, demo, **change)

    assert second.status == 422
    assert second.json()["error"].startswith("IDEMPOTENCY_MISMATCH: ")
    assert second.json()["paymentRequestId"] is None
    asked = await ask(client, demo, first.json()["paymentRequestId"])
    assert asked.json()["paymentResult"] is True


async def test_after_a_failure_another_card_is_another_try_of_the_same_payment(
    core: Any, client: Any, demo: Any
) -> None:
    first = await create(client, demo, payerAccount=card(DECLINED))

    second = await create(client, demo)

    assert first.json()["paymentResult"] is False
    assert second.json()["paymentResult"] is True
    assert second.json()["paymentRequestId"] == first.json()["paymentRequestId"]


async def test_an_order_made_elsewhere_is_paid_here(core: Any, client: Any, demo: Any) -> None:
    shop = await authenticate_api_key(core, demo.api_key)
    order = NewOrder(
        company=shop.company,
        business_id=shop.business_id,
        actor="test",
        face="orders",
        amount=Money(29_990, "CNY"),
        order_id="order_tea",
    )
    made = await create_order(core, order)

    wrong = await create(client, demo, amount=1)
    right = await create(client, demo)

    assert wrong.status == 422
    assert right.json() == {
        "paymentRequestId": made.payment.id,
        "paymentResult": True,
        "error": None,
    }


@pytest.mark.parametrize("number", [PAID, DECLINED])
async def test_no_whole_account_number_is_kept_shown_or_logged(
    core: Any, client: Any, demo: Any, number: str, capfd: pytest.CaptureFixture[str]
) -> None:
    created = await create(
        client,
        demo,
        payerAccount={**card(number), "accountName": f"Card {number}"},
        payeeAccount={**PAYEE_ACCOUNT, "bankName": PAYEE},
    )

    payment_id = created.json()["paymentRequestId"]
    payment = (await get_payment(core, demo.company_id, payment_id)).payment
    assert payment.instrument.endswith(number[-4:])
    assert payment.extra["payer_account"]["accountNumber"] == f"****{number[-4:]}"
    assert payment.extra["payee_account"]["accountNumber"] == f"****{PAYEE[-4:]}"
    printed = capfd.readouterr()
    for place in (repr(payment), created.body.decode(), printed.out, printed.err):
        assert number not in place
        assert PAYEE not in place
    kept = await every_row(core)
    assert payment_id in kept
    assert number not in kept
    assert PAYEE not in kept


async def every_row(core: Any) -> str:
    """All that the application's role can read in its database, as text."""
    rows: list[str] = []
    async with core.db.connection() as connection:
        tables = await connection.fetch(
            "SELECT quote_ident(schemaname) || '.' || quote_ident(tablename) AS name"
            " FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
            " AND has_table_privilege(quote_ident(schemaname) || '.' || quote_ident(tablename),"
            " 'SELECT')"
        )
        for table in tables:
            found = await connection.fetch(f"SELECT t::text AS row FROM {table['name']} t")
            rows.extend(str(row["row"]) for row in found)
    return "\n".join(rows)


def raw(text: str) -> bytes:
    """The usual request with its amount written as `text`."""
    return json.dumps(wanted()).replace("299.9", text).encode()


def sent(**members: Any) -> bytes:
    return json.dumps(wanted(**members)).encode()


BAD_BODIES: dict[str, tuple[bytes, int]] = {
    "nothing": (b"", 400),
    "not JSON": (b"{", 400),
    "a list": (b"[]", 400),
    "not UTF-8": (b'{"userId": "\xff"}', 400),
    "a member twice": (b'{"userId": "a", "userId": "b"}', 400),
    "nested without end": (b'{"a":' * 10_000, 400),
    "too large": (sent(userId="u" * 70_000), 413),
    "no user": (sent(userId=...), 400),
    "no order": (sent(orderId=...), 400),
    "no amount": (sent(amount=...), 400),
    "no method": (sent(paymentMethod=...), 400),
    "no payee": (sent(payeeAccount=...), 400),
    "no payer for a card": (sent(payerAccount=...), 400),
    "no payer for a wallet": (sent(paymentMethod="wallet", payerAccount=...), 400),
    "the amount is a text": (sent(amount="299.90"), 400),
    "the amount is true": (sent(amount=True), 400),
    "the amount is nothing": (raw("0"), 400),
    "the amount is zero": (raw("0.00"), 400),
    "the amount is negative zero": (raw("-0.0"), 400),
    "the amount is negative": (raw("-1"), 400),
    "the amount has too many digits": (raw("1000.123"), 400),
    "the amount is a crumb": (raw("1e-7"), 400),
    "the amount is endless": (raw("1e999999999"), 400),
    "the amount is beyond 64 bits": (raw("92233720368547758.08"), 400),
    "the amount has a thousand digits": (raw("9" * 1000), 400),
    "the amount is NaN": (raw("NaN"), 400),
    "the amount is Infinity": (raw("Infinity"), 400),
    "an unknown method": (sent(paymentMethod="bitcoin"), 400),
    "an unknown member": (sent(currency="USD"), 400),
    "an unknown module": (sent(module="SPA"), 400),
    "the order is too short": (sent(orderId="ab"), 400),
    "the order has a space": (sent(orderId="order 1"), 400),
    "the order has a NUL": (sent(orderId="order\x00"), 400),
    "the user has a NUL": (sent(userId="u\x00"), 400),
    "the user is half a character": (sent(userId="\ud800"), 400),
    "a card that is none": (sent(payerAccount=card("not a card")), 400),
    "a card of another kind": (
        sent(payerAccount={"accountType": "savings", "accountNumber": PAID}),
        400,
    ),
    "an account without a number": (sent(payerAccount={"accountType": "card"}), 400),
    "an account with more": (sent(payerAccount={**card(), "cvv": "123"}), 400),
}


async def test_every_bad_create_gets_its_exact_answer(core: Any, client: Any, demo: Any) -> None:
    headers, got = bearer(demo), {}

    for name, (content, _) in BAD_BODIES.items():
        answer = await client.request("POST", PATH, headers=headers, content=content)
        told = answer.json()
        assert (told["paymentRequestId"], told["paymentResult"]) == (None, False)
        assert PAID not in told["error"]
        got[name] = (answer.status, told["error"].partition(": ")[0])

    assert got == {name: (status, "INVALID_REQUEST") for name, (_, status) in BAD_BODIES.items()}


BAD_IDS = ["py_01k3z8m4q5v7x9y2a4b6c8d0ef", "x", "%00", "py%201", "%EF%BC%91", "p" * 300]


async def test_an_id_that_names_no_request_is_not_found(core: Any, client: Any, demo: Any) -> None:
    for text in BAD_IDS:
        answer = await ask(client, demo, text)

        assert (text, answer.status) == (text, 404)
        assert answer.json() == {
            "paymentResult": False,
            "error": "NOT_FOUND: no such payment request of yours",
        }


BAD_AUTHORIZATIONS = {
    "none": None,
    "empty": "",
    "not base64": "Basic %%%",
    "a wrong key": "Bearer sk_nobody_nothing",
    "a wrong key, coded": "Basic " + base64.b64encode(b"sk_nobody_nothing").decode(),
    "a NUL": "Basic " + base64.b64encode(b"sk_\x00_a").decode(),
    "another scheme": "Digest abc",
    "not ASCII": "Bearer \xe9",
    "very long": "Bearer " + "a" * 8_000,
}


@pytest.mark.parametrize(("method", "path"), [("POST", PATH), ("GET", f"{PATH}/py_1")])
async def test_who_shows_no_good_key_is_told_nothing_else(
    core: Any, client: Any, demo: Any, method: str, path: str
) -> None:
    got = {}

    for name, shown in BAD_AUTHORIZATIONS.items():
        headers = {} if shown is None else {"authorization": shown}
        answer = await client.request(method, path, headers=headers, content=b"")
        assert answer.json()["paymentResult"] is False
        got[name] = (answer.status, answer.json()["error"].partition(": ")[0])

    assert got == dict.fromkeys(BAD_AUTHORIZATIONS, (401, "UNAUTHENTICATED"))


async def test_a_key_with_its_end_changed_is_refused(core: Any, client: Any, demo: Any) -> None:
    changed = demo.api_key[:-1] + ("a" if demo.api_key[-1] != "a" else "b")

    answer = await client.request(
        "GET", f"{PATH}/py_1", headers={"authorization": f"Bearer {changed}"}
    )

    assert answer.status == 401


ELSEWHERE = [
    ("DELETE", f"{PATH}/x", "GET, HEAD"),
    ("PROPFIND", PATH, "POST"),
    ("GET", f"{PATH}/a%2Fb", None),
    ("POST", f"{PATH}/", None),
    ("GET", "/gateway/%0d%0aX:y", None),
]


@pytest.mark.parametrize(("method", "path", "allowed"), ELSEWHERE)
async def test_a_wrong_verb_or_address_is_told_in_this_faces_words(
    client: Any, method: str, path: str, allowed: str | None
) -> None:
    answer = await client.request(method, path)

    kind, said = answer.json()["error"].split(": ")
    if allowed is None:
        assert (answer.status, kind, said) == (404, "NOT_FOUND", "no such payment request of yours")
    else:
        assert (answer.status, kind, said) == (405, "UNSUPPORTED", f"this address takes {allowed}")
    assert answer.headers.get("allow") == allowed
    assert answer.json()["paymentResult"] is False
