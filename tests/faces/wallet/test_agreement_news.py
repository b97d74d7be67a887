"""The merchant hears of an agreement: signed by the wallet, and as it stands when it is sent."""

import json
from typing import Any

import pytest
from tests.faces.wallet import golden
from tests.faces.wallet.agreeing import (
    APPLY,
    REVOKE,
    answered,
    asked,
    by_code,
    consent_code,
    sent_back,
)
from tests.faces.wallet.calls import USER, Merchant, a_user, company_of
from tests.faces.wallet.test_delivery import Delivery, a_receiver

from kassa.faces.wallet import signature
from kassa.faces.wallet.own_keys import public_keys
from kassa.wallet.usecases.agreements import end_agreement, list_agreements
from kassa.webhooks_out.usecases.deliver import deliver_webhooks

pytestmark = pytest.mark.anyio
NAMED = {
    "authClientId": "shop-7",
    "authState": "663A8FA9-D836-48EE-8AA1-1FF682989DC7",
    "scopes": ["BASE_USER_INFO", "AGREEMENT_PAY"],
}


async def agreed(merchant: Merchant, url: str) -> str:
    place = await asked(merchant, authNotifyUrl=url, **NAMED)
    code = await consent_code(merchant)
    page = await answered(merchant, place, wallet_user=USER, wallet_code=code)
    return sent_back(page)["authCode"]


def bodies(got: list[Delivery]) -> list[dict[str, Any]]:
    return [json.loads(body) for _, _, body in got]


async def test_the_code_the_tokens_and_the_end_are_each_told(merchant: Merchant) -> None:
    await a_user(merchant)
    got: list[Delivery] = []

    async with a_receiver(got) as url:
        code = await agreed(merchant, url)
        await deliver_webhooks(merchant.core)
        given = await merchant.ask(APPLY, by_code(code))
        await deliver_webhooks(merchant.core)
        await merchant.ask(REVOKE, {"accessToken": given["accessToken"]})
        await deliver_webhooks(merchant.core)
        await deliver_webhooks(merchant.core)

    for signed, header, _ in got:
        assert signed.client_id == merchant.client_id
        signature.verify(signed, header, public_keys(merchant.core))
    created, tokens, canceled = bodies(got)
    types = [one["authorizationNotifyType"] for one in (created, tokens, canceled)]
    assert types == ["AUTHCODE_CREATED", "TOKEN_CREATED", "TOKEN_CANCELED"]
    assert created["authCode"] == code
    named = ("accessToken", "refreshToken", "accessTokenExpiryTime", "refreshTokenExpiryTime")
    assert [tokens[name] for name in named] == [given[name] for name in named]
    assert canceled == golden.agreed(golden.read("agreement_notification"), canceled)
    assert canceled["accessToken"] == given["accessToken"]
    assert {one["userId"] for one in (created, tokens, canceled)} == {USER}


async def test_who_hears_late_hears_how_it_stands(merchant: Merchant) -> None:
    await a_user(merchant)
    got: list[Delivery] = []

    async with a_receiver(got) as url:
        await merchant.ask(APPLY, by_code(await agreed(merchant, url)))
        company = (await company_of(merchant)).id
        [one] = await list_agreements(merchant.core, company, USER)
        await end_agreement(merchant.core, company, one.id, by="operator:cli")
        await deliver_webhooks(merchant.core)

    told = [one["authorizationNotifyType"] for one in bodies(got)]
    assert told == ["TOKEN_CANCELED"] * 3


async def test_a_letter_that_does_not_arrive_is_sent_again(merchant: Merchant) -> None:
    await a_user(merchant)
    got: list[Delivery] = []
    async with a_receiver(got) as url:
        await agreed(merchant, url)

    await deliver_webhooks(merchant.core)

    async with merchant.core.db.connection() as connection:
        [row] = await connection.fetch(
            "select state, tries, next_at > now() as waits from announcement"
            " where agreement_id is not null"
        )
    assert (row["state"], row["tries"], row["waits"]) == ("waiting", 1, True)


async def test_without_an_address_nobody_is_told(merchant: Merchant) -> None:
    await a_user(merchant)
    code = await agreed(merchant, "")
    await merchant.ask(APPLY, by_code(code))

    async with merchant.core.db.connection() as connection:
        assert await connection.fetch("select id from announcement") == []
