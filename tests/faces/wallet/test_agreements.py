"""Agreement pay on the wire: a user agrees on our page, the merchant gets tokens, charges, ends."""

import asyncio
import re
from collections import Counter
from typing import Any

import asyncpg
import pytest
from tests.faces.wallet import golden
from tests.faces.wallet.agreeing import (
    APPLY,
    BACK,
    CONSULT,
    REVOKE,
    answered,
    asked,
    auth_code,
    by_code,
    by_refresh,
    consent_code,
    form_token,
    led_to,
    sent_back,
    sql,
    tokens,
)
from tests.faces.wallet.calls import (
    PAY,
    USER,
    Merchant,
    a_user,
    an_order,
    another_client,
    balance,
    code,
    company_of,
)

from kassa.wallet.usecases import agreements
from kassa.wallet.usecases.wallet_codes import NewCode, make_pay_code, make_secret
from kassa.wallet.usecases.wallet_users import set_wallet_user_status

pytestmark = pytest.mark.anyio
AGREEMENT = "51051000101000100031"
AGREEMENTS = "/wallet/agreements"


async def as_owner(owner_url: str, *statements: str) -> None:
    connection = await asyncpg.connect(owner_url)
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


async def run_out(owner_url: str, kind: str) -> None:
    await as_owner(
        owner_url,
        "alter table wallet_code disable trigger wallet_code_kept",
        f"update wallet_code set expires_at = now() - interval '1 second' where kind = '{kind}'",
        "alter table wallet_code enable trigger wallet_code_kept",
    )


async def test_from_the_question_to_the_last_payment(merchant: Merchant) -> None:
    await a_user(merchant, clp=10_000)
    question = golden.filled("consult_request")

    told = await merchant.ask(CONSULT, question)
    place = told["authUrl"].removeprefix(merchant.core.policy.base_url)
    page = await merchant.client.request("GET", place)
    code_of_user = await consent_code(merchant)
    back = sent_back(await answered(merchant, place, wallet_user=USER, wallet_code=code_of_user))
    request = golden.filled("apply_token_request", authCode=back["authCode"])
    given = await merchant.ask(APPLY, request)
    order = an_order(productCode=AGREEMENT, paymentAuthCode=given["accessToken"])
    paid, again = await merchant.ask(PAY, order), await merchant.ask(PAY, order)
    ended = await merchant.ask(
        REVOKE, golden.filled("revoke_request", accessToken=given["accessToken"])
    )
    after = await merchant.pay(paymentAuthCode=given["accessToken"])

    assert told == golden.agreed(golden.read("consult_answer"), told)
    assert told["normalUrl"] == told["authUrl"]
    assert "charge your wallet?" in page.text
    assert back == {"authCode": back["authCode"], "authState": question["authState"]}
    assert given == golden.agreed(golden.read("apply_token_answer"), given)
    assert given["customerId"] == USER
    assert (code(paid), again) == ("S SUCCESS", paid)
    assert ended == golden.read("revoke_answer")
    assert code(after) == "F INVALID_ACCESS_TOKEN"
    assert await balance(merchant) == 8_000


async def test_the_way_back_is_the_one_that_was_signed_with_nothing_lost_on_it(
    merchant: Merchant,
) -> None:
    await a_user(merchant)
    state = "a/b?c=d&e#f é测"
    place = await asked(merchant, authState=state)
    page = await answered(
        merchant, place, wallet_user=USER, wallet_code=await consent_code(merchant),
        authRedirectUrl="https://thief.example/",
    )  # fmt: skip
    reloaded = await merchant.client.request("GET", place)

    assert led_to(page).startswith(f"{BACK}&authCode=wac_")
    assert sent_back(page)["authState"] == state
    assert sent_back(page)["basket"] == "7"
    assert f'content="0;url={led_to(page)}"'.replace("&", "&amp;") in page.text
    assert led_to(reloaded) == led_to(page)
    assert page.headers["cache-control"] == "no-store"
    assert page.headers["referrer-policy"] == "no-referrer"


async def test_who_refuses_is_asked_for_nothing_and_gives_nothing(merchant: Merchant) -> None:
    place = await asked(merchant, authState="s1")

    page = await answered(merchant, place, "refuse")
    late = await answered(merchant, place, wallet_user="x", wallet_code="y", form_token="")

    told = sent_back(page)
    assert told == {"basket": "7", "resultCode": "ACCESS_DENIED", "authState": "s1"}
    assert late.status == 403
    assert [
        row["status"] for row in await sql(merchant, "select status from wallet_agreement")
    ] == ["refused"]


async def test_an_authorization_code_becomes_tokens_once(merchant: Merchant) -> None:
    await a_user(merchant)
    given = await auth_code(merchant)

    answers = await asyncio.gather(*(merchant.ask(APPLY, by_code(given)) for _ in range(6)))

    assert Counter(map(code, answers)) == {"S SUCCESS": 1, "F USED_CODE": 5}
    rows = await sql(merchant, "select count(*) as many from wallet_code where kind = 'agreement'"
                               " and agreement_id is not null")  # fmt: skip
    assert rows[0]["many"] == 1


async def test_codes_and_tokens_of_another_client_are_as_unknown_ones(merchant: Merchant) -> None:
    await a_user(merchant, clp=10_000)
    other = await another_client(merchant, "5X00000000000099")
    given, made = await auth_code(merchant), await tokens(merchant)
    of_other = [
        await other.ask(APPLY, by_code(given)),
        await other.ask(APPLY, by_refresh(made["refreshToken"])),
        await other.ask(REVOKE, {"accessToken": made["accessToken"]}),
        await other.pay(paymentAuthCode=made["accessToken"]),
    ]
    of_nobody = [
        await other.ask(APPLY, by_code("wac_" + "x" * 43)),
        await other.ask(APPLY, by_refresh("wrt_" + "x" * 43)),
        await other.ask(REVOKE, {"accessToken": "wat_" + "x" * 43}),
        await other.pay(paymentAuthCode="wat_" + "x" * 43),
    ]

    assert list(map(code, of_nobody)) == [
        "F INVALID_CODE",
        "F INVALID_REFRESH_TOKEN",
        "F INVALID_ACCESS_TOKEN",
        "F INVALID_ACCESS_TOKEN",
    ]
    assert [one["result"] for one in of_other] == [one["result"] for one in of_nobody]
    assert code(await merchant.ask(APPLY, by_code(given))) == "S SUCCESS"
    assert code(await merchant.pay(paymentAuthCode=made["accessToken"])) == "S SUCCESS"


async def test_no_code_or_token_serves_as_another(merchant: Merchant) -> None:
    await a_user(merchant, clp=10_000)
    given, made = await auth_code(merchant), await tokens(merchant)
    company = (await company_of(merchant)).id
    consent = await consent_code(merchant)
    pay_code = (await make_pay_code(merchant.core, NewCode(company_id=company, user_id=USER))).text
    place = await asked(merchant)

    for one in (given, made["refreshToken"], consent):
        assert code(await merchant.pay(paymentAuthCode=one)) == "F USER_NOT_EXIST"
    for one in (made["accessToken"], made["refreshToken"], consent, pay_code):
        assert code(await merchant.ask(APPLY, by_code(one))) == "F INVALID_CODE"
    for one in (made["accessToken"], given):
        assert code(await merchant.ask(APPLY, by_refresh(one))) == "F INVALID_REFRESH_TOKEN"
    for one in (pay_code, made["accessToken"], given):
        page = await answered(merchant, place, wallet_user=USER, wallet_code=one)
        assert page.status == 422
    assert await balance(merchant) == 10_000


async def test_a_refresh_token_gives_a_newer_pair_once_and_the_older_token_lasts_its_time(
    merchant: Merchant,
) -> None:
    await a_user(merchant, clp=10_000)
    first = await tokens(merchant)

    second = await merchant.ask(APPLY, by_refresh(first["refreshToken"]))
    third = await merchant.ask(APPLY, by_refresh(second["refreshToken"]))
    again = await merchant.ask(APPLY, by_refresh(first["refreshToken"]))

    made = [first, second, third]
    assert len({one[name] for one in made for name in ("accessToken", "refreshToken")}) == 6
    assert code(again) == "F USED_REFRESH_TOKEN"
    for one in made:
        assert code(await merchant.pay(paymentAuthCode=one["accessToken"])) == "S SUCCESS"
    await merchant.ask(REVOKE, {"accessToken": first["accessToken"]})
    for one in made:
        assert code(await merchant.pay(paymentAuthCode=one["accessToken"])) == (
            "F INVALID_ACCESS_TOKEN"
        )
    assert code(await merchant.ask(APPLY, by_refresh(third["refreshToken"]))) == (
        "F INVALID_REFRESH_TOKEN"
    )


async def test_what_has_run_out_says_so_to_its_own_client(
    merchant: Merchant, owner_url: str
) -> None:
    await a_user(merchant, clp=10_000)
    given, made = await auth_code(merchant), await tokens(merchant)
    for kind in ("auth_code", "agreement", "refresh_token"):
        await run_out(owner_url, kind)
    other = await another_client(merchant, "5X00000000000099")
    factor = {"paymentFactor": {"isPaymentEvaluation": True}}
    order = an_order(paymentAuthCode=made["accessToken"])

    assert code(await merchant.ask(APPLY, by_code(given))) == "F EXPIRED_CODE"
    assert code(await merchant.ask(APPLY, by_refresh(made["refreshToken"]))) == (
        "F EXPIRED_REFRESH_TOKEN"
    )
    assert code(await merchant.ask(PAY, order)) == "F EXPIRED_ACCESS_TOKEN"
    assert code(await merchant.ask(PAY, order)) == "F EXPIRED_ACCESS_TOKEN"
    assert code(await merchant.pay(paymentAuthCode=made["accessToken"], **factor)) == (
        "F EXPIRED_ACCESS_TOKEN"
    )
    assert code(await other.pay(paymentAuthCode=made["accessToken"])) == "F INVALID_ACCESS_TOKEN"
    # A newer token could have been had for it, so that its agreement can still be ended by it.
    assert code(await merchant.ask(REVOKE, {"accessToken": made["accessToken"]})) == "S SUCCESS"


@pytest.mark.parametrize("path", [REVOKE, "/v1/authorizations/cancelToken"])
async def test_an_end_is_an_end_however_often_it_is_asked_for(
    merchant: Merchant, path: str
) -> None:
    await a_user(merchant)
    made = await tokens(merchant)

    ends = [await merchant.ask(path, {"accessToken": made["accessToken"]}) for _ in range(3)]

    assert list(map(code, ends)) == ["S SUCCESS"] * 3
    [row] = await sql(merchant, "select ended_by, version from wallet_agreement")
    assert (row["ended_by"], row["version"]) == (f"wallet_client:{merchant.client_id}", 4)


async def test_a_code_whose_agreement_was_ended_before_it_was_used_gives_nothing(
    merchant: Merchant,
) -> None:
    await a_user(merchant)
    given = await auth_code(merchant)
    company = (await company_of(merchant)).id
    [one] = await agreements.list_agreements(merchant.core, company, USER)
    await agreements.end_agreement(merchant.core, company, one.id, by="user")

    assert code(await merchant.ask(APPLY, by_code(given))) == "F INVALID_CODE"


async def test_of_a_user_who_agrees_while_it_is_refused_one_answer_counts(
    merchant: Merchant,
) -> None:
    await a_user(merchant)
    for _ in range(3):
        place, consent = await asked(merchant), await consent_code(merchant)
        token = await form_token(merchant, place)
        codes = [{"wallet_code": one} for one in (consent, await consent_code(merchant))]
        yes: dict[str, str] = {"wallet_user": USER, "form_token": token}
        pages = await asyncio.gather(
            *(answered(merchant, place, **yes, **one) for one in codes),
            answered(merchant, place, "refuse", form_token=token),
        )
        final = sent_back(await merchant.client.request("GET", place))
        told = [sent_back(page) for page in pages if led_to(page)]
        assert final in told
        assert all(one == final for one in told), told


async def test_a_consent_code_agrees_once(merchant: Merchant) -> None:
    await a_user(merchant)
    consent, places = await consent_code(merchant), [await asked(merchant) for _ in range(4)]

    pages = await asyncio.gather(
        *(answered(merchant, one, wallet_user=USER, wallet_code=consent) for one in places)
    )

    assert Counter(page.status for page in pages) == {200: 1, 422: 3}


async def test_a_frozen_user_cannot_agree_and_their_agreements_do_not_pay(
    merchant: Merchant,
) -> None:
    await a_user(merchant, clp=10_000)
    made = await tokens(merchant)
    place, consent = await asked(merchant), await consent_code(merchant)
    company = (await company_of(merchant)).id
    await set_wallet_user_status(merchant.core, company, USER, "frozen")

    page = await answered(merchant, place, wallet_user=USER, wallet_code=consent)

    assert (page.status, "cannot pay at the moment" in page.text) == (422, True)
    assert code(await merchant.pay(paymentAuthCode=made["accessToken"])) == (
        "F USER_STATUS_ABNORMAL"
    )


async def test_wrong_consent_codes_are_slowed(merchant: Merchant) -> None:
    await a_user(merchant)
    place = await asked(merchant)

    pages = [
        await answered(merchant, place, wallet_user=USER, wallet_code=f"29{n:016d}")
        for n in range(10)
    ]
    right = await consent_code(merchant)
    locked = await answered(merchant, place, wallet_user=USER, wallet_code=right)

    assert Counter(page.status for page in pages) == {422: 6, 429: 4}
    assert (locked.status, "retry-after" in locked.headers) == (429, True)
    assert right not in locked.text


async def test_a_users_app_gets_a_code_to_agree_with(merchant: Merchant, demo: Any) -> None:
    headers = {"authorization": f"Bearer {demo.wallet_user_secret}"}

    answer = await merchant.client.request("POST", "/wallet/consent-codes", headers=headers)
    made = answer.json()
    page = await answered(
        merchant, await asked(merchant), wallet_user=made["userId"], wallet_code=made["consentCode"]
    )

    assert (answer.status, answer.headers["cache-control"]) == (201, "no-store")
    assert sent_back(page)["authCode"].startswith("wac_")


async def test_the_users_id_is_told_where_they_agreed_to_that_alone(merchant: Merchant) -> None:
    await a_user(merchant)

    assert "customerId" not in await tokens(merchant)
    both = ["BASE_USER_INFO", "AGREEMENT_PAY"]
    assert (await tokens(merchant, scopes=both))["customerId"] == USER


async def test_of_codes_and_tokens_hashes_alone_are_kept(merchant: Merchant) -> None:
    await a_user(merchant)
    place, consent = await asked(merchant), await consent_code(merchant)
    page = await answered(merchant, place, wallet_user=USER, wallet_code=consent)
    given = sent_back(page)["authCode"]
    made = await merchant.ask(APPLY, by_code(given))
    secrets = [place.rpartition("/")[2], consent, given, made["accessToken"], made["refreshToken"]]

    kept = await sql(
        merchant,
        "select (select string_agg(c::text, ' ') from wallet_code c)"
        " || (select string_agg(g::text, ' ') from wallet_agreement g)"
        " || coalesce((select string_agg(a::text, ' ') from announcement a), '') as text",
    )

    assert not [one for one in secrets if one in kept[0]["text"]]
    assert len({*secrets}) == 5
    assert all(re.fullmatch(r"w(ac|at|rt)_[\w-]{43}", one) for one in secrets[2:])


async def test_a_page_that_ran_out_is_answered_by_nobody(
    merchant: Merchant, owner_url: str
) -> None:
    await a_user(merchant)
    place, consent = await asked(merchant), await consent_code(merchant)
    token = await form_token(merchant, place)
    await as_owner(owner_url, "update wallet_agreement set expires_at = now()")

    late = await answered(merchant, place, wallet_user=USER, wallet_code=consent, form_token=token)

    assert "This page has run out" in late.text
    assert led_to(late) == ""


async def as_user(merchant: Merchant, method: str, path: str, secret: str) -> Any:
    headers = {"authorization": f"Bearer {secret}"}
    return await merchant.client.request(method, path, headers=headers)


async def a_secret(merchant: Merchant, user: str) -> str:
    wanted = NewCode(company_id=(await company_of(merchant)).id, user_id=user)
    return (await make_secret(merchant.core, wanted)).text


async def test_a_user_sees_and_ends_in_their_app_what_they_agreed_to(
    merchant: Merchant, demo: Any
) -> None:
    await a_user(merchant, clp=10_000)
    first, second = await tokens(merchant), await tokens(merchant)
    secret = await a_secret(merchant, USER)

    shown = (await as_user(merchant, "GET", AGREEMENTS, secret)).json()["agreements"]
    path = f"{AGREEMENTS}/{shown[0]['agreementId']}/end"
    strangers = await as_user(merchant, "POST", path, demo.wallet_user_secret)
    of_stranger = await as_user(merchant, "GET", AGREEMENTS, demo.wallet_user_secret)
    ended = [await as_user(merchant, "POST", path, secret) for _ in range(2)]
    after = (await as_user(merchant, "GET", AGREEMENTS, secret)).json()["agreements"]

    assert [one["status"] for one in shown] == ["active", "active"]
    assert set(shown[0]) == {
        "agreementId", "merchantName", "scopes", "status", "agreedTime", "accessTokenExpiryTime",
    }  # fmt: skip
    assert (strangers.status, strangers.json()["error"]["code"]) == (404, "not_found")
    assert of_stranger.json() == {"agreements": []}
    assert [one.status for one in ended] == [200, 200]
    assert [one["status"] for one in after] == ["ended", "active"]
    assert [code(await merchant.pay(paymentAuthCode=one["accessToken"])) for one in
            (second, first)] == ["F INVALID_ACCESS_TOKEN", "S SUCCESS"]  # fmt: skip
    [row] = await sql(merchant, "select ended_by from wallet_agreement where ended_at is not null")
    assert row["ended_by"] == f"wallet_user:{USER}"


@pytest.mark.parametrize("secret", ["", "wus1_nobody", "wat_x"])
async def test_without_the_users_secret_nothing_is_shown_or_ended(
    merchant: Merchant, secret: str
) -> None:
    await a_user(merchant)
    await tokens(merchant)
    [one] = await sql(merchant, "select id from wallet_agreement")

    for method, path in (("GET", AGREEMENTS), ("POST", f"{AGREEMENTS}/{one['id']}/end")):
        answer = await as_user(merchant, method, path, secret)
        assert (answer.status, answer.headers["cache-control"]) == (401, "no-store")
    assert await sql(merchant, "select id from wallet_agreement where ended_at is null") == [one]
