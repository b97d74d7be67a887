"""What is wrong about a request for an agreement, its tokens or its end, each in its own words."""

import json
from typing import Any

import pytest
from tests.faces.wallet.agreeing import (
    APPLY,
    CONSULT,
    REVOKE,
    a_consult,
    auth_code,
    by_code,
    by_refresh,
    sql,
)
from tests.faces.wallet.calls import Merchant, a_user, code

pytestmark = pytest.mark.anyio

BAD_CONSULTS = {
    "no wallet": ({"customerBelongsTo": None}, "FUNCTION_NOT_MATCH"),
    "no address": ({"authRedirectUrl": None}, "FUNCTION_NOT_MATCH"),
    "no scopes": ({"scopes": None}, "FUNCTION_NOT_MATCH"),
    "no state": ({"authState": None}, "FUNCTION_NOT_MATCH"),
    "a scope too many": ({"scopes": ["AGREEMENT_PAY", "USER_INFO"]}, "FUNCTION_NOT_MATCH"),
    "nothing to pay": ({"scopes": ["BASE_USER_INFO"]}, "FUNCTION_NOT_MATCH"),
    "empty scopes": ({"scopes": []}, "PARAM_ILLEGAL"),
    "five scopes": ({"scopes": ["AGREEMENT_PAY"] * 5}, "PARAM_ILLEGAL"),
    "scopes as a text": ({"scopes": "AGREEMENT_PAY"}, "PARAM_ILLEGAL"),
    "a long state": ({"authState": "x" * 257}, "PARAM_ILLEGAL"),
    "an empty state": ({"authState": ""}, "PARAM_ILLEGAL"),
    "a state of a number": ({"authState": 1}, "PARAM_ILLEGAL"),
    "a script": ({"authRedirectUrl": "javascript:alert(1)"}, "PARAM_ILLEGAL"),
    "no host": ({"authRedirectUrl": "https:///x"}, "PARAM_ILLEGAL"),
    "a fragment": ({"authRedirectUrl": "https://shop.example/#a"}, "PARAM_ILLEGAL"),
    "a long address": ({"authRedirectUrl": f"https://shop.example/{'x' * 1024}"}, "PARAM_ILLEGAL"),
    "news inside": ({"authNotifyUrl": "http://10.0.0.1/"}, "PARAM_ILLEGAL"),
    "a long wallet": ({"customerBelongsTo": "x" * 65}, "PARAM_ILLEGAL"),
    "a long client": ({"authClientId": "x" * 65}, "PARAM_ILLEGAL"),
}


@pytest.mark.parametrize("changes, said", BAD_CONSULTS.values(), ids=BAD_CONSULTS)
async def test_a_bad_question_is_refused_in_words(
    merchant: Merchant, changes: dict[str, Any], said: str
) -> None:
    refused = await merchant.ask(CONSULT, a_consult(**changes))

    assert code(refused) == f"F {said}"
    assert await sql(merchant, "select id from wallet_agreement") == []


BAD_APPLIES = {
    "nothing": ({}, "FUNCTION_NOT_MATCH"),
    "no code": ({"grantType": "AUTHORIZATION_CODE"}, "FUNCTION_NOT_MATCH"),
    "no token": ({"grantType": "REFRESH_TOKEN", "authCode": "x"}, "FUNCTION_NOT_MATCH"),
    "another grant": (
        {"grantType": "PASSWORD", "authCode": "x"},
        "AUTH_CLIENT_UNSUPPORTED_GRANT_TYPE",
    ),
    "a long code": (by_code("x" * 65), "PARAM_ILLEGAL"),
    "a long token": (by_refresh("x" * 129), "PARAM_ILLEGAL"),
    "an empty code": (by_code(""), "INVALID_CODE"),
    "a code that is no text": ({"grantType": "AUTHORIZATION_CODE", "authCode": 7}, "PARAM_ILLEGAL"),
}


@pytest.mark.parametrize("members, said", BAD_APPLIES.values(), ids=BAD_APPLIES)
async def test_a_bad_application_is_refused_in_words(
    merchant: Merchant, members: dict[str, Any], said: str
) -> None:
    assert code(await merchant.ask(APPLY, members)) == f"F {said}"


async def test_tokens_are_for_the_wallet_that_was_asked_for(merchant: Merchant) -> None:
    await a_user(merchant)
    given = await auth_code(merchant, customerBelongsTo="KASSA")

    wrong = await merchant.ask(APPLY, by_code(given, customerBelongsTo="OTHER"))
    right = await merchant.ask(APPLY, by_code(given, customerBelongsTo="KASSA"))

    assert (code(wrong), code(right)) == ("F PARAM_ILLEGAL", "S SUCCESS")


@pytest.mark.parametrize(
    "members, said",
    [
        ({}, "FUNCTION_NOT_MATCH"),
        ({"accessToken": ""}, "PARAM_ILLEGAL"),
        ({"accessToken": "x" * 129}, "PARAM_ILLEGAL"),
        ({"accessToken": ["x"]}, "PARAM_ILLEGAL"),
    ],
)
async def test_a_bad_end_is_refused_in_words(
    merchant: Merchant, members: dict[str, Any], said: str
) -> None:
    assert code(await merchant.ask(REVOKE, members)) == f"F {said}"


@pytest.mark.parametrize("path", [CONSULT, APPLY, REVOKE])
async def test_nothing_is_done_without_the_clients_signature(merchant: Merchant, path: str) -> None:
    body = json.dumps(a_consult()).encode()

    refused = await merchant.send(path, body, headers={"Signature": None})

    assert code(refused) == "F INVALID_SIGNATURE"
    assert await sql(merchant, "select id from wallet_agreement") == []


@pytest.mark.parametrize("path", ["/v1/authorizations/query", "/v1/authorizations/consult/"])
async def test_what_else_is_asked_there_is_no_api(merchant: Merchant, path: str) -> None:
    assert code(await merchant.ask(path, {})) == "F NO_INTERFACE_DEF"
