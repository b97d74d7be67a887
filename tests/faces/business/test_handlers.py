"""The business face over REST, on a real database."""

import base64
import json
from dataclasses import replace

import pytest
from tests.faces.business import golden

from kassa.base.domain.lifecycle import ModificationKind
from kassa.base.domain.money import Money
from kassa.faces.business import listing
from kassa.fees.usecases.fees import NewFeeRule, add_fee_rule
from kassa.identity.domain.principals import Business
from kassa.identity.usecases.authenticate import authenticate_api_key
from kassa.identity.usecases.businesses import add_business
from kassa.identity.usecases.companies import NewCompany, add_company, put_api_key
from kassa.modifications.usecases.modify_payment import ModifyPayment, modify_payment
from kassa.orders.domain.orders import Module
from kassa.orders.usecases.create_order import NewOrder, create_order
from kassa.payments.domain.payments import Method
from kassa.payments.usecases.record_payment import Recording, record_payment
from kassa.proof.usecases.chain import chain_history

pytestmark = pytest.mark.anyio

EXAMPLES = sorted(path.stem for path in golden.EXAMPLES.glob("*.json"))
UNKNOWN = "py_00000000000000000000000000"


async def an_order(core, demo, order_id, **changes):
    """A payment waiting to be paid."""
    principal = await authenticate_api_key(core, demo.api_key)
    wanted = NewOrder(
        company=principal.company,
        business_id=demo.business_id,
        actor="test",
        face="orders",
        amount=Money(1234, "CNY"),
        order_id=order_id,
    )
    return (await create_order(core, replace(wanted, **changes))).payment


async def pay_at_the_counter(core, payment, method):
    recording = Recording(
        company_id=payment.company_id, payment_id=payment.id, method=method, actor="test"
    )
    await record_payment(core, recording)


async def give_back(core, payment, minor, **changes):
    """Refund a part of what was paid."""
    wanted = ModifyPayment(
        company_id=payment.company_id,
        payment_id=payment.id,
        kind=ModificationKind.REFUND,
        amount=Money(minor, payment.amount.currency),
        actor="test",
    )
    return await modify_payment(core, replace(wanted, **changes))


async def ask(client, demo, method, path, body=None, **headers):
    sent = {"authorization": f"Bearer {demo.api_key}"} | headers
    content = b"" if body is None else json.dumps(body).encode()
    return await client.request(method, path, headers=sent, content=content)


async def list_page(client, demo, **members):
    body = {"pagination": {}, "companyId": demo.company_id} | members
    return await ask(client, demo, "POST", "/v1/payments:list", body)


async def the_golden_payments(core, demo):
    """What the examples speak of: one payment in cash, one that waits, and one by
    check, with a fee, that was partly given back.
    """
    rule = NewFeeRule(
        company_id=demo.company_id,
        kind="payment",
        method="check",
        currency="CNY",
        percent="3",
        fixed="0.30",
    )
    await add_fee_rule(core, rule)
    first = await an_order(
        core,
        demo,
        "ord_001",
        amount=Money(29999, "CNY"),
        customer_id="cus_001",
        customer_name="R. Lane",
        module=Module.GROOMING,
    )
    await pay_at_the_counter(core, first, Method.CASH)
    second = await an_order(
        core,
        demo,
        "ord_002",
        customer_id="cus_002",
        customer_name="M. Okafor",
        module=Module.RETAIL,
    )
    third = await an_order(
        core,
        demo,
        "ord_003",
        amount=Money(20000, "CNY"),
        customer_id="cus_003",
        customer_name="J. Park",
        module=Module.MEMBERSHIP,
    )
    await pay_at_the_counter(core, third, Method.CHECK)
    await give_back(core, third, 5050)
    while await chain_history(core):
        pass
    return {
        "<payment_003>": third.id,
        "<payment_001>": first.id,
        "<payment_002>": second.id,
        "<business_id>": demo.business_id,
        "<api_key>": demo.api_key,
        "cmp_001": demo.company_id,
    }


@pytest.mark.parametrize("name", EXAMPLES)
async def test_each_golden_request_gets_its_golden_answer(core, client, demo, name):
    known = await the_golden_payments(core, demo)
    example = golden.filled(golden.read(name), known)
    asked, expected = example["request"], example["answer"]
    content = json.dumps(asked["body"]).encode() if "body" in asked else b""

    answer = await client.request(
        asked["method"], asked["path"], headers=asked["headers"], content=content
    )

    assert answer.status == expected["status"]
    assert answer.json() == golden.agreed(expected["body"], answer.json())


@pytest.mark.parametrize(
    "form", ["Bearer {key}", "Basic {encoded}", "basic {encoded}", "Basic {key}"]
)
async def test_the_key_may_come_in_either_scheme(core, client, demo, form):
    payment = await an_order(core, demo, "ord_001")
    encoded = base64.b64encode(demo.api_key.encode()).decode()
    header = form.format(key=demo.api_key, encoded=encoded)

    answer = await ask(client, demo, "GET", f"/v1/payment/{payment.id}", authorization=header)

    assert (answer.status, answer.json()["id"]) == (200, payment.id)


async def test_pages_follow_each_other_newest_first_without_a_gap(core, client, demo):
    made = [(await an_order(core, demo, f"ord_{number:03}")).id for number in range(5)]
    seen, token = [], "1"

    while token:
        page = (
            await list_page(client, demo, pagination={"pageSize": 2, "pageToken": token})
        ).json()
        seen += [payment["id"] for payment in page["payments"]]
        token = page["nextPageToken"]

    assert seen == made[::-1]


async def test_a_payment_made_between_two_pages_shifts_nothing(core, client, demo):
    made = [(await an_order(core, demo, f"ord_{number:03}")).id for number in range(4)]
    first = (await list_page(client, demo, pagination={"pageSize": 2})).json()
    await an_order(core, demo, "ord_new")

    token = first["nextPageToken"]
    second = (await list_page(client, demo, pagination={"pageSize": 9, "pageToken": token})).json()

    seen = [payment["id"] for payment in first["payments"] + second["payments"]]
    assert (seen, second["nextPageToken"]) == (made[::-1], "")


async def test_a_list_of_one_order_holds_that_order_alone(core, client, demo):
    await an_order(core, demo, "ord_001")
    payment = await an_order(core, demo, "ord_002")

    page = (await list_page(client, demo, filter={"orderIds": ["ord_002", "ord_none"]})).json()

    assert [found["id"] for found in page["payments"]] == [payment.id]


async def test_a_token_of_another_list_is_refused(core, client, demo):
    for number in range(3):
        await an_order(core, demo, f"ord_{number:03}")
    token = (await list_page(client, demo, pagination={"pageSize": 1})).json()["nextPageToken"]

    answer = await list_page(
        client, demo, pagination={"pageToken": token}, filter={"orderIds": ["ord_000"]}
    )

    assert (answer.status, answer.json()["code"]) == (400, 3)


async def test_another_company_learns_nothing(core, client, demo):
    payment = await an_order(core, demo, "ord_001")
    company = await add_company(
        core, NewCompany(id="cmp_rival", business_id="biz_rival", name="Rival", currency="CNY")
    )
    await put_api_key(core, company, "sk_rival_0123456789abcdef")
    rival = {"authorization": "Bearer sk_rival_0123456789abcdef"}

    theirs = await ask(client, demo, "GET", f"/v1/payment/{payment.id}", **rival)
    nobodys = await ask(client, demo, "GET", f"/v1/payment/{UNKNOWN}", **rival)
    foreign = await list_page(client, demo, companyId="cmp_rival")
    unknown = await list_page(client, demo, companyId="cmp_none")

    assert (theirs.status, theirs.body) == (404, nobodys.body)
    assert (foreign.status, foreign.body) == (403, unknown.body)


@pytest.mark.parametrize("method", [Method.CASH, Method.CHECK])
async def test_money_taken_at_the_counter_is_listed_as_paid(core, client, demo, method):
    payment = await an_order(core, demo, "ord_001")
    await pay_at_the_counter(core, payment, method)

    found = (await list_page(client, demo)).json()["payments"][0]

    assert (found["method"], found["status"]) == (method.value, "PAID")


async def test_what_was_given_back_is_seen_alone_and_in_lists(core, client, demo):
    payment = await an_order(core, demo, "ord_001")
    await pay_at_the_counter(core, payment, Method.CASH)
    before = (await list_page(client, demo)).json()["payments"][0]

    await give_back(core, payment, 234)
    await give_back(core, payment, 500)
    [listed] = (await list_page(client, demo)).json()["payments"]
    alone = (await ask(client, demo, "GET", f"/v1/payment/{payment.id}")).json()

    assert before["refundAmount"] == {"currencyCode": "CNY", "units": "0", "nanos": 0}
    assert listed["refundAmount"] == {"currencyCode": "CNY", "units": "7", "nanos": 340000000}
    assert (listed["status"], listed["amount"]) == ("PAID", before["amount"])
    assert listed == alone


async def test_every_module_is_shown(core, client, demo):
    for module in Module:
        await an_order(core, demo, f"ord_{module}", module=module)

    page = (await list_page(client, demo)).json()

    assert [payment["module"] for payment in page["payments"]] == [
        module.name for module in reversed(Module)
    ]


def listed(**members):
    return json.dumps({"pagination": {}, "companyId": "<company_id>"} | members).encode()


LIST, ONE = "/v1/payments:list", f"/v1/payment/{UNKNOWN}"
NO_KEY, BAD_KEY = {"authorization": ""}, {"authorization": "Bearer sk_none_none"}
# fmt: off
BAD = [
    # verb, path, headers, body, HTTP status, gRPC code, field
    ("POST", LIST, {}, b"", 400, 3, "pagination"),
    ("POST", LIST, {}, b"{", 400, 3, None),
    ("POST", LIST, {}, b"\xff\xfe", 400, 3, None),
    ("POST", LIST, {}, b"[]", 400, 3, None),
    ("POST", LIST, {}, b"null", 400, 3, None),
    ("POST", LIST, {}, b'"text"', 400, 3, None),
    ("POST", LIST, {}, b'{"pagination": NaN}', 400, 3, None),
    ("POST", LIST, {}, b"[" * 60_000, 400, 3, None),
    ("POST", LIST, {}, b'{"pagination": {}, "pagination": {}}', 400, 3, None),
    ("POST", LIST, {}, b" " * 70_000, 400, 3, None),
    ("POST", LIST, {}, b'{"pagination": {}}', 400, 3, "company_id"),
    ("POST", LIST, {}, b'{"companyId": "<company_id>"}', 400, 3, "pagination"),
    ("POST", LIST, {}, listed(company_id="<company_id>"), 400, 3, "company_id"),
    ("POST", LIST, {}, listed(companyId=7), 400, 3, "company_id"),
    ("POST", LIST, {}, listed(companyId="c\x00"), 400, 3, "company_id"),
    ("POST", LIST, {}, listed(companyId="cmp_none"), 403, 7, None),
    ("POST", LIST, {}, listed(amount=1), 400, 3, "amount"),
    ("POST", LIST, {}, b'{"\\ud800": 1}', 400, 3, None),
    ("POST", LIST, {}, listed(pagination={"pageToken": "\ud800"}), 400, 3, "pagination.page_token"),
    ("POST", LIST, {}, listed(pagination={"pageSize": -1}), 400, 3, "pagination.page_size"),
    ("POST", LIST, {}, listed(pagination={"pageSize": 501}), 400, 3, "pagination.page_size"),
    ("POST", LIST, {}, listed(pagination={"pageSize": 2.5}), 400, 3, "pagination.page_size"),
    ("POST", LIST, {}, listed(pagination={"pageSize": "many"}), 400, 3, "pagination.page_size"),
    ("POST", LIST, {}, listed(pagination={"pageToken": "2"}), 400, 3, "pagination.page_token"),
    ("POST", LIST, {}, listed(pagination={"pageToken": "x" * 65}), 400, 3, "pagination.page_token"),
    ("POST", LIST, {}, listed(pagination={"pageToken": "\u00e9"}), 400, 3, "pagination.page_token"),
    ("POST", LIST, {}, listed(filter={"orderIds": "ord_001"}), 400, 3, "filter.order_ids"),
    ("POST", LIST, {}, listed(filter={"orderIds": ["a\x00"]}), 400, 3, "filter.order_ids[0]"),
    ("POST", LIST, {}, listed(filter={"orderIds": ["o"] * 501}), 400, 3, "filter.order_ids"),
    ("POST", LIST, NO_KEY, listed(), 401, 16, None),
    ("POST", LIST, BAD_KEY, listed(), 401, 16, None),
    ("GET", LIST, {}, b"", 501, 12, None),
    ("DELETE", LIST, {}, b"", 501, 12, None),
    ("GET", ONE, {}, b"", 404, 5, None),
    ("GET", "/v1/payment/1", {}, b"", 404, 5, None),
    ("GET", "/v1/payment/py_UPPER", {}, b"", 404, 5, None),
    ("GET", "/v1/payment/a%2Fb", {}, b"", 404, 5, None),
    ("GET", "/v1/payment/a:b", {}, b"", 404, 5, None),
    ("GET", "/v1/payment/%27%20OR%201=1", {}, b"", 404, 5, None),
    ("GET", "/v1/payment/%E6%97%A5", {}, b"", 404, 5, None),
    ("GET", "/v1/payment/", {}, b"", 400, 3, "id"),
    ("GET", "/v1/payment/a%00b", {}, b"", 400, 3, "id"),
    ("GET", "/v1/payment/" + "x" * 65, {}, b"", 400, 3, "id"),
    ("GET", ONE, NO_KEY, b"", 401, 16, None),
    ("GET", ONE, BAD_KEY, b"", 401, 16, None),
    ("GET", ONE, {"authorization": "Basic !!!"}, b"", 401, 16, None),
    ("GET", ONE, {"authorization": "Digest x"}, b"", 401, 16, None),
    ("PUT", ONE, {}, b"", 501, 12, None),
    ("POST", ONE, {}, b"{}", 501, 12, None),
]
# fmt: on


async def test_every_bad_request_gets_its_exact_answer(client, demo):
    """One test, since each test has a database of its own and none of these needs one."""
    for method, path, headers, body, *expected in BAD:
        sent = {"authorization": f"Bearer {demo.api_key}"} | headers
        content = body.replace(b"<company_id>", demo.company_id.encode())

        answer = await client.request(method, path, headers=sent, content=content)

        told = answer.json()
        violations = [
            violation["field"]
            for detail in told["details"]
            for violation in detail.get("fieldViolations", [])
        ]
        got = [answer.status, told["code"], *(violations or [None])]
        assert got == expected, (method, path, headers, body[:200])
        assert told["error"]["code"] == answer.status
        assert demo.api_key not in answer.body.decode()
        assert ("www-authenticate" in answer.headers) == (answer.status == 401)


async def changes(client, demo, **members):
    body = (await list_page(client, demo, **members)).json()
    return [payment["orderId"] for payment in body["payments"]], body


async def test_what_changed_is_told_from_where_one_left_off(core, client, demo):
    payment = await an_order(core, demo, "ord_001")
    await chain_history(core)
    seen, first = await changes(client, demo, filter={"updatedAfter": "2026-01-01T00:00:00Z"})
    await an_order(core, demo, "ord_002")
    await pay_at_the_counter(core, payment, Method.CASH)
    await chain_history(core)

    asked = {"changesToken": first["changesToken"]}
    then, body = await changes(client, demo, filter=asked, pagination={"pageSize": 1})
    token = {"pageSize": 1, "pageToken": body["nextPageToken"]}
    rest, last = await changes(client, demo, filter=asked, pagination=token)

    assert (seen, then, rest) == (["ord_001"], ["ord_002"], ["ord_001"])
    assert (first["nextPageToken"], bool(body["nextPageToken"])) == ("", True)
    assert "completeUntil" in first
    assert "completeUntil" not in body
    asked = {"changesToken": last["changesToken"]}
    assert (await changes(client, demo, filter=asked))[0] == []


async def test_a_list_is_narrowed_by_status_and_time(core, client, demo):
    payment = await an_order(core, demo, "ord_001")
    await an_order(core, demo, "ord_002")
    await pay_at_the_counter(core, payment, Method.CASH)
    long_ago, ever = "2026-01-01T00:00:00Z", "2100-01-01T01:00:00+01:00"

    found = [
        (await changes(client, demo, filter=asked))[0]
        for asked in (
            {"statuses": ["PAID"]},
            {"statuses": [1, "FAILED"]},
            {"createdTime": {"startTime": long_ago, "endTime": ever}},
            {"createdTime": {"endTime": long_ago}},
            {"createdTime": {"startTime": ever}},
            {"statuses": ["PAID", "CREATED"], "orderIds": ["ord_002"]},
        )
    ]

    both = ["ord_002", "ord_001"]
    assert found == [["ord_001"], ["ord_002"], both, [], [], ["ord_002"]]


async def test_a_list_is_narrowed_to_businesses_of_the_company(core, client, demo):
    company = (await authenticate_api_key(core, demo.api_key)).company
    await add_business(core, company, Business("biz_station", "Station"))
    await an_order(core, demo, "ord_001", business_id="biz_station")
    await an_order(core, demo, "ord_002")
    await chain_history(core)
    long_ago = "2026-01-01T00:00:00Z"

    for also in ({}, {"updatedAfter": long_ago}):
        asked = {"businessIds": ["biz_station"], **also}
        assert (await changes(client, demo, filter=asked))[0] == ["ord_001"]
        asked = {"businessIds": ["biz_station", demo.business_id], **also}
        assert sorted((await changes(client, demo, filter=asked))[0]) == ["ord_001", "ord_002"]
    refused = await list_page(client, demo, filter={"businessIds": ["biz_nobody"]})

    assert (refused.status, refused.json()["code"]) == (400, 3)
    assert "no business of that id" in refused.json()["message"]


async def test_pages_of_a_narrowed_list_follow_each_other(core, client, demo):
    for number in range(3):
        await an_order(core, demo, f"ord_{number:03}")
    seen, token = [], ""

    while True:
        page, body = await changes(
            client,
            demo,
            filter={"statuses": ["CREATED"]},
            pagination={"pageSize": 1, "pageToken": token},
        )
        seen += page
        token = body["nextPageToken"]
        if not token:
            break

    assert seen == ["ord_002", "ord_001", "ord_000"]


@pytest.mark.parametrize(
    "asked, field",
    [
        ({"updatedAfter": "yesterday"}, "filter.updated_after"),
        ({"updatedAfter": "2026-02-30T00:00:00Z"}, "filter.updated_after"),
        ({"updatedAfter": "2026-02-20T00:00:00"}, "filter.updated_after"),
        ({"updatedAfter": 5}, "filter.updated_after"),
        ({"changesToken": "abc"}, "filter.changes_token"),
        ({"changesToken": 5}, "filter.changes_token"),
        (
            {"changesToken": "abc", "updatedAfter": "2026-02-20T00:00:00Z"},
            "filter.changes_token",
        ),
        ({"statuses": "PAID"}, "filter.statuses"),
        ({"statuses": ["PAID", "paid"]}, "filter.statuses[1]"),
        ({"statuses": [0]}, "filter.statuses[0]"),
        ({"statuses": [True]}, "filter.statuses[0]"),
        ({"businessIds": [""]}, "filter.business_ids[0]"),
        ({"businessIds": [5]}, "filter.business_ids[0]"),
        ({"businessIds": ["biz_nobodys"]}, "filter.business_ids"),
        ({"createdTime": []}, "filter.created_time"),
        ({"createdTime": {"startTime": "x"}}, "filter.created_time.start_time"),
        (
            {
                "createdTime": {
                    "startTime": "2026-02-20T00:00:00Z",
                    "endTime": "2026-02-20T00:00:00Z",
                }
            },
            "filter.created_time",
        ),
    ],
)
async def test_a_filter_that_means_nothing_is_refused_by_its_name(client, demo, asked, field):
    answer = await list_page(client, demo, filter=asked)

    assert answer.status == 400
    [violation] = [
        one["fieldViolations"][0]["field"]
        for one in answer.json()["details"]
        if "fieldViolations" in one
    ]
    assert violation == field


async def test_a_token_from_before_a_restore_is_refused_with_what_to_do(core, client, demo):
    await an_order(core, demo, "ord_001")
    await chain_history(core)
    _, body = await changes(client, demo, filter={"updatedAfter": "2026-01-01T00:00:00Z"})
    wanted = listing.read_json(
        {"pagination": {}, "companyId": demo.company_id, "filter": {"changesToken": "x"}}
    )
    ahead = listing.next_token(listing.page_keys(core)[0], wanted, "999999")

    answer = await list_page(client, demo, filter={"changesToken": ahead})

    assert (answer.status, "updated_after" in answer.json()["message"]) == (400, True)
    assert body["changesToken"] != ahead
