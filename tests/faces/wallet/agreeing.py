"""A merchant that asks for an agreement, and its user, who answers on the page."""

import itertools
import re
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from tests.asgi import Answer
from tests.faces.wallet.calls import USER, Merchant, company_of

from kassa.wallet.domain.wallet_codes import CodeKind
from kassa.wallet.usecases.wallet_codes import NewCode, make_pay_code

CONSULT = "/v1/authorizations/consult"
APPLY = "/v1/authorizations/applyToken"
REVOKE = "/v1/authorizations/revoke"
BACK = "https://shop.example/agreed?basket=7"
FORM = {"content-type": "application/x-www-form-urlencoded"}
_TOKEN = re.compile(r'name="form_token" value="([0-9a-f]{64})"')
_LINK = re.compile(r'class="primary" href="([^"]+)"')
_states = itertools.count(1)


def a_consult(**changes: Any) -> dict[str, Any]:
    """The members of a good consult, each time with another state."""
    return {
        "customerBelongsTo": "KASSA",
        "authRedirectUrl": BACK,
        "scopes": ["AGREEMENT_PAY"],
        "authState": f"state {next(_states)}/?&=#",
        "terminalType": "WEB",
    } | changes


def by_code(code: str, **changes: Any) -> dict[str, Any]:
    return {"grantType": "AUTHORIZATION_CODE", "authCode": code} | changes


def by_refresh(token: str, **changes: Any) -> dict[str, Any]:
    return {"grantType": "REFRESH_TOKEN", "refreshToken": token} | changes


async def asked(merchant: Merchant, **changes: Any) -> str:
    """The path of the page for a new agreement."""
    answer = await merchant.ask(CONSULT, a_consult(**changes))
    return urlsplit(answer["authUrl"]).path


async def consent_code(merchant: Merchant, user: str = USER, **changes: Any) -> str:
    wanted = NewCode(company_id=(await company_of(merchant)).id, user_id=user, **changes)
    return (await make_pay_code(merchant.core, wanted, CodeKind.CONSENT_CODE)).text


async def form_token(merchant: Merchant, place: str) -> str:
    page = await merchant.client.request("GET", place)
    found = _TOKEN.search(page.text)
    return found[1] if found else ""


async def answered(merchant: Merchant, place: str, answer: str = "agree", **fields: str) -> Answer:
    """Fill in the page's form and press a button."""
    if "form_token" not in fields:
        fields["form_token"] = await form_token(merchant, place)
    content = urlencode({"answer": answer, **fields}).encode()
    done: Answer = await merchant.client.request(
        "POST", f"{place}/answer", headers=FORM, content=content
    )
    return done


def led_to(page: Answer) -> str:
    """Where the page takes its reader."""
    found = _LINK.search(page.text)
    return found[1].replace("&amp;", "&") if found else ""


def sent_back(page: Answer) -> dict[str, str]:
    """What the merchant's address is told."""
    return {name: values[0] for name, values in parse_qs(urlsplit(led_to(page)).query).items()}


async def auth_code(merchant: Merchant, **changes: Any) -> str:
    """What comes back of a user who agreed."""
    place = await asked(merchant, **changes)
    code = await consent_code(merchant)
    page = await answered(merchant, place, wallet_user=USER, wallet_code=code)
    return sent_back(page)["authCode"]


async def tokens(merchant: Merchant, **changes: Any) -> dict[str, Any]:
    return await merchant.ask(APPLY, by_code(await auth_code(merchant, **changes)))


async def sql(merchant: Merchant, *statements: str) -> list[Any]:
    rows: list[Any] = []
    async with merchant.core.db.connection(writes=True) as connection:
        for statement in statements:
            rows = await connection.fetch(statement)
    return rows
