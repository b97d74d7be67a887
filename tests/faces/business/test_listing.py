"""Reading ListPayments requests, and the tokens between pages."""

import re
from decimal import Decimal

import pytest
from google.protobuf import json_format
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.faces.business.payments import PAYMENT_ID

from kassa.base.domain.errors import InvalidRequest
from kassa.faces import edge
from kassa.faces.business import listing
from moego.business.payment.v1 import payment_pb2

KEY = b"k" * 32
SEED = {
    "pagination": {"pageSize": 20, "pageToken": "1"},
    "companyId": "cmp_001",
    "filter": {"orderIds": ["ord_001", "ord_002"]},
}


def wanted(**members) -> listing.ListQuery:
    return listing.read_json({"pagination": {}, "companyId": "cmp_001"} | members)


def test_the_example_of_the_contract_reads_as_meant():
    assert listing.read_json(SEED) == listing.ListQuery(
        company_id="cmp_001", order_ids=("ord_001", "ord_002"), page_size=20, page_token=""
    )


def test_snake_case_reads_the_same():
    assert listing.read_json(SEED) == listing.read_json(
        {
            "pagination": {"page_size": 20, "page_token": "1"},
            "company_id": "cmp_001",
            "filter": {"order_ids": ["ord_001", "ord_002"]},
        }
    )


@pytest.mark.parametrize("token", [{}, {"pageToken": None}, {"pageToken": ""}, {"pageToken": "1"}])
def test_the_first_page_has_many_names(token):
    assert wanted(pagination=token).page_token == ""


@pytest.mark.parametrize(
    "size, read",
    [
        ("null", 100),
        ("0", 100),
        ("-0", 100),
        ("0.0", 100),
        ("5", 5),
        ("5.0", 5),
        ('"5"', 5),
        ('"5.0"', 5),
        ("5e2", 500),
        ('"5e2"', 500),
        ("500", 500),
    ],
)
def test_page_sizes_follow_the_json_rules_of_protobuf(size, read):
    assert wanted(pagination=edge.parse_json(f'{{"pageSize": {size}}}'.encode())).page_size == read


@pytest.mark.parametrize("member", ["companyId", "pagination"])
@pytest.mark.parametrize("unset", [True, False])
def test_null_is_as_good_as_absent(member, unset):
    body = {"pagination": {}, "companyId": "cmp_001"} | ({member: None} if unset else {})
    if not unset:
        del body[member]

    with pytest.raises(InvalidRequest, match="is required"):
        listing.read_json(body)


def test_filters_may_be_null_empty_or_repeat_themselves():
    assert wanted(filter=None) == wanted(filter={}) == wanted(filter={"orderIds": None})
    assert wanted(filter={"orderIds": ["b", "a", "b"]}) == wanted(filter={"orderIds": ["a", "b"]})


BAD = [
    ([], None),
    ("text", None),
    (None, None),
    (5, None),
    ({}, "pagination"),
    ({"pagination": []}, "pagination"),
    ({"pagination": "1"}, "pagination"),
    ({"pagination": {}}, "company_id"),
    ({"pagination": {}, "companyId": ""}, "company_id"),
    ({"pagination": {}, "companyId": 1}, "company_id"),
    ({"pagination": {}, "companyId": "c\x00"}, "company_id"),
    ({"pagination": {}, "companyId": "c" * 65}, "company_id"),
    ({"pagination": {}, "companyId": "c", "company_id": "c"}, "company_id"),
    ({"pagination": {}, "companyId": None, "company_id": "c"}, "company_id"),
    ({"pagination": {}, "companyId": "c", "cursor": 1}, "cursor"),
    ({"pagination": {"page": 1}, "companyId": "c"}, "pagination.page"),
    ({"pagination": {"pageSize": -1}, "companyId": "c"}, "pagination.page_size"),
    ({"pagination": {"pageSize": 501}, "companyId": "c"}, "pagination.page_size"),
    ({"pagination": {"pageSize": 2**31}, "companyId": "c"}, "pagination.page_size"),
    ({"pagination": {"pageSize": Decimal("5.5")}, "companyId": "c"}, "pagination.page_size"),
    ({"pagination": {"pageSize": Decimal("1e999999")}, "companyId": "c"}, "pagination.page_size"),
    ({"pagination": {"pageSize": Decimal("1e-999999")}, "companyId": "c"}, "pagination.page_size"),
    ({"pagination": {"pageSize": True}, "companyId": "c"}, "pagination.page_size"),
    ({"pagination": {"pageSize": [5]}, "companyId": "c"}, "pagination.page_size"),
    ({"pagination": {"pageSize": ""}, "companyId": "c"}, "pagination.page_size"),
    ({"pagination": {"pageSize": " 5"}, "companyId": "c"}, "pagination.page_size"),
    ({"pagination": {"pageSize": "1_0"}, "companyId": "c"}, "pagination.page_size"),
    ({"pagination": {"pageSize": "٥"}, "companyId": "c"}, "pagination.page_size"),
    ({"pagination": {"pageSize": "1e999"}, "companyId": "c"}, "pagination.page_size"),
    ({"pagination": {"pageSize": 5, "page_size": 5}, "companyId": "c"}, "pagination.page_size"),
    ({"pagination": {"pageToken": 1}, "companyId": "c"}, "pagination.page_token"),
    ({"pagination": {}, "companyId": "c", "filter": []}, "filter"),
    ({"pagination": {}, "companyId": "c", "filter": {"ids": []}}, "filter.ids"),
    ({"pagination": {}, "companyId": "c", "filter": {"orderIds": "o"}}, "filter.order_ids"),
    ({"pagination": {}, "companyId": "c", "filter": {"orderIds": {}}}, "filter.order_ids"),
    ({"pagination": {}, "companyId": "c", "filter": {"orderIds": [1]}}, "filter.order_ids[0]"),
    ({"pagination": {}, "companyId": "c", "filter": {"orderIds": [None]}}, "filter.order_ids[0]"),
    ({"pagination": {}, "companyId": "c", "filter": {"orderIds": [""]}}, "filter.order_ids[0]"),
    (
        {"pagination": {}, "companyId": "c", "filter": {"orderIds": ["o", "\x00"]}},
        "filter.order_ids[1]",
    ),
    (
        {"pagination": {}, "companyId": "c", "filter": {"orderIds": ["o"] * 501}},
        "filter.order_ids",
    ),
]


@pytest.mark.parametrize("body, field", BAD)
def test_a_bad_request_is_refused_with_the_field(body, field):
    with pytest.raises(InvalidRequest) as refused:
        listing.read_json(body)

    assert refused.value.field == field
    assert len(refused.value.message) < 200


@settings(deadline=None)
@given(
    size=st.integers(0, 500),
    token=st.none() | st.sampled_from(["", "1", "abc"]),
    order_ids=st.lists(st.sampled_from(["ord_001", "ord_002", "ord_003"])),
)
def test_a_message_reads_like_its_json(size: int, token: str | None, order_ids: list[str]):
    message = payment_pb2.ListPaymentsRequest(
        pagination={"page_size": size, "page_token": token},
        company_id="cmp_001",
        filter={"order_ids": order_ids},
    )

    assert listing.read_message(message) == listing.read_json(json_format.MessageToDict(message))


def test_a_message_without_pagination_is_refused():
    with pytest.raises(InvalidRequest, match="pagination is required"):
        listing.read_message(payment_pb2.ListPaymentsRequest(company_id="cmp_001"))


def test_a_token_leads_to_the_payment_it_was_made_of():
    request = listing.read_json(SEED)
    token = listing.next_token(KEY, request, PAYMENT_ID)

    later = listing.read_json(SEED | {"pagination": {"pageSize": 3, "pageToken": token}})

    assert listing.position([KEY], later) == PAYMENT_ID
    assert re.fullmatch(r"[A-Za-z0-9_-]{1,64}", token)
    assert PAYMENT_ID not in token


def test_the_first_page_starts_nowhere():
    assert listing.position([KEY], listing.read_json(SEED)) is None


@pytest.mark.parametrize(
    "other",
    [
        {"companyId": "cmp_002"},
        {"filter": {"orderIds": ["ord_001"]}},
        {"filter": {}},
        {"filter": {"orderIds": ["ord_001", "ord_002", "ord_003"]}},
    ],
)
def test_a_token_is_good_for_its_own_list_only(other):
    token = listing.next_token(KEY, listing.read_json(SEED), PAYMENT_ID)
    elsewhere = listing.read_json(SEED | other | {"pagination": {"pageToken": token}})

    with pytest.raises(InvalidRequest) as refused:
        listing.position([KEY], elsewhere)

    assert refused.value.field == "pagination.page_token"


def test_a_token_of_another_installation_is_refused():
    token = listing.next_token(b"x" * 32, listing.read_json(SEED), PAYMENT_ID)

    with pytest.raises(InvalidRequest):
        listing.position([KEY], listing.read_json(SEED | {"pagination": {"pageToken": token}}))


def test_a_token_with_any_character_changed_is_refused():
    token = listing.next_token(KEY, listing.read_json(SEED), PAYMENT_ID)
    for at, old in enumerate(token):
        for new in "A-!é\x00":
            if new == old:
                continue
            changed = token[:at] + new + token[at + 1 :]
            body = SEED | {"pagination": {"pageToken": changed}}
            with pytest.raises(InvalidRequest):
                listing.position([KEY], listing.read_json(body))


@settings(deadline=None)
@given(token=st.text(st.characters(), max_size=80).filter(lambda text: text not in ("", "1")))
@example(token="\ud800")
def test_made_up_tokens_are_refused(token: str):
    with pytest.raises(InvalidRequest):
        listing.position([KEY], listing.read_json(SEED | {"pagination": {"pageToken": token}}))


@pytest.mark.parametrize(
    "other",
    [
        {"statuses": ["PAID"]},
        {"statuses": ["FAILED"], "businessIds": ["biz_1"]},
        {"statuses": ["FAILED"], "createdTime": {"endTime": "2026-11-22T00:00:00Z"}},
        {"statuses": ["FAILED"], "updatedAfter": "2026-11-22T00:00:00Z"},
        {"statuses": ["FAILED"], "orderIds": ["ord_001"]},
        {},
    ],
)
def test_a_token_is_good_for_its_filter_alone(other):
    token = listing.next_token(KEY, wanted(filter={"statuses": ["FAILED"]}), PAYMENT_ID)
    page = {"pageToken": token}

    asked = wanted(filter={"statuses": ["FAILED"]}, pagination=page)
    assert listing.position([KEY], asked) == PAYMENT_ID
    with pytest.raises(InvalidRequest):
        listing.position([KEY], wanted(filter=other, pagination=page))


def test_where_a_list_of_changes_began_does_not_bind_its_tokens():
    since = wanted(filter={"updatedAfter": "2026-11-22T00:00:00Z"})
    token = listing.next_token(KEY, since, "17")

    later = wanted(filter={"changesToken": token})

    assert listing.next_token(KEY, later, "17") == token
    assert len(listing.next_token(KEY, later, str(2**63 - 1))) <= 64


def test_a_filter_reads_the_same_from_message_and_json():
    said = {
        "orderIds": ["ord_001"],
        "updatedAfter": "2026-11-22T02:20:02.056Z",
        "statuses": ["PAID", "CREATED"],
        "businessIds": ["biz_2", "biz_1"],
        "createdTime": {"startTime": "2026-11-01T00:00:00Z", "endTime": "2026-11-02T00:00:00Z"},
    }
    body = {"pagination": {"pageSize": 1}, "companyId": "cmp_001", "filter": said}
    message = json_format.ParseDict(body, payment_pb2.ListPaymentsRequest())

    assert listing.read_message(message) == listing.read_json(body)
