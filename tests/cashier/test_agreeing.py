"""The page on which a wallet's user agrees: in a real browser, in both languages, and in words."""

import re
from typing import Any

import pytest
from playwright.async_api import Page, expect
from tests.cashier.conftest import Screen
from tests.cashier.shop import FORM, Payer, a_payer
from tests.wallet.agreeing import USER, asked

from kassa.base.usecases.core import Core
from kassa.cashier.words import CATALOGS
from kassa.identity.usecases.authenticate import find_wallet_client
from kassa.wallet.domain.agreements import PAY, SCOPES
from kassa.wallet.domain.wallet_codes import CodeKind
from kassa.wallet.usecases.agreements import list_agreements
from kassa.wallet.usecases.wallet_codes import NewCode, make_pay_code
from kassa.wallet.usecases.wallet_users import add_wallet_user

pytestmark = pytest.mark.anyio
WITHOUT_SCRIPTS: dict[str, Any] = {"java_script_enabled": False}
PHONE: dict[str, Any] = {
    "viewport": {"width": 320, "height": 568},
    "has_touch": True,
    "is_mobile": True,
}
TOO_WIDE = "document.documentElement.scrollWidth > document.documentElement.clientWidth"
# In the browser of these tests every host is this application: the merchant's page is a dead end
# of ours, and what matters is its address.
BACK = "https://shop.example/agreed"


async def a_page(core: Core, client: Any, demo: Any, **changes: Any) -> Payer:
    """Somebody with the address of a page to agree on; `payment_id` is nobody's."""
    payer = await a_payer(core, client, demo)
    asker = await find_wallet_client(core, demo.wallet_client_id)
    assert asker is not None
    made = await asked(core, asker.company, asker.client_id, **changes)
    await add_wallet_user(core, asker.company.id, USER)
    return Payer(core, client, asker.company.id, payer.payment_id, f"/agree/{made.token}")


async def a_code(payer: Payer) -> str:
    wanted = NewCode(company_id=payer.company_id, user_id=USER)
    return (await make_pay_code(payer.core, wanted, CodeKind.CONSENT_CODE)).text


async def status(payer: Payer) -> str:
    async with payer.core.db.connection() as connection:
        found: str = await connection.fetchval("select status from wallet_agreement")
    return found


async def no_leaving(page: Page) -> None:
    """The merchant's site is not there."""
    await page.route(re.compile("^https://shop.example/"), lambda route: route.fulfill(body="ok"))


async def test_a_user_agrees_with_the_keyboard_alone(
    core: Any, client: Any, demo: Any, screen: Screen
) -> None:
    payer = await a_page(core, client, demo, scopes=SCOPES)
    page = await screen.open(payer, **WITHOUT_SCRIPTS)
    await no_leaving(page)

    await expect(page.get_by_role("heading", name="Let Kassa Demo Shop charge")).to_be_visible()
    await expect(page.get_by_role("listitem")).to_have_count(2)
    await expect(page.get_by_text("without asking you each time")).to_be_visible()
    await expect(page.get_by_text("shop.example")).to_be_visible()
    await page.get_by_label("Wallet user ID").focus()
    await page.keyboard.type(USER)
    await page.keyboard.press("Tab")
    await expect(page.get_by_label("Consent code")).to_be_focused()
    await page.keyboard.type(await a_code(payer))
    await page.keyboard.press("Enter")

    await page.wait_for_url(
        re.compile(r"^https://shop\.example/agreed\?authCode=wac_.*&authState=s1$")
    )
    assert await status(payer) == "agreed"
    [one] = await list_agreements(core, payer.company_id)
    assert one.user_id == USER


async def test_a_wrong_code_takes_the_focus_and_leads_to_the_field(
    core: Any, client: Any, demo: Any, screen: Screen
) -> None:
    payer = await a_page(core, client, demo)
    page = await screen.open(payer, **WITHOUT_SCRIPTS)
    await page.get_by_label("Wallet user ID").fill(USER)
    await page.get_by_label("Consent code").fill("2900000000000000")
    await page.get_by_role("button", name="Agree", exact=True).click()

    summary, field = page.get_by_role("alert"), page.get_by_label("Wallet user ID")
    await expect(summary).to_be_focused()
    await expect(summary).to_contain_text("Nothing was agreed.")
    await expect(page).to_have_title(re.compile("^Error: "))
    await expect(page.get_by_label("Consent code")).to_have_value("")
    await expect(field).to_have_value(USER)
    await expect(field).to_have_accessible_description(re.compile("could not sign you in"))
    await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")
    await expect(field).to_be_focused()
    assert await status(payer) == "asked"


async def test_a_chinese_user_refuses_on_the_smallest_phone(
    core: Any, client: Any, demo: Any, screen: Screen
) -> None:
    payer = await a_page(core, client, demo)
    page = await screen.open(payer, locale="zh-CN", **PHONE)
    await no_leaving(page)

    await expect(page.locator("html")).to_have_attribute("lang", "zh-CN")
    await expect(page.get_by_role("button", name="不同意")).to_be_visible()
    assert not await page.evaluate(TOO_WIDE)
    await page.get_by_role("button", name="不同意").tap()
    await page.wait_for_url(re.compile(r"\?resultCode=ACCESS_DENIED&authState=s1$"))
    assert await status(payer) == "refused"


async def test_the_language_can_be_switched_and_stays(
    core: Any, client: Any, demo: Any, screen: Screen
) -> None:
    payer = await a_page(core, client, demo)
    page = await screen.open(payer, locale="en-US", **WITHOUT_SCRIPTS)

    await page.get_by_role("link", name="中文").click()
    await page.get_by_role("button", name="同意", exact=True).click()

    await expect(page.get_by_role("alert")).to_contain_text("请输入钱包用户 ID")
    assert await status(payer) == "asked"


async def test_the_page_is_kept_to_itself(core: Any, client: Any, demo: Any) -> None:
    payer = await a_page(core, client, demo)
    page = await payer.open()

    assert page.status == 200
    assert "form-action 'self'" in page.headers["content-security-policy"]
    assert page.headers["cache-control"] == "no-store"
    assert page.headers["referrer-policy"] == "no-referrer"
    assert "<script" not in page.text
    assert "Test mode" in page.text


async def test_a_form_of_another_site_agrees_to_nothing(core: Any, client: Any, demo: Any) -> None:
    payer = await a_page(core, client, demo)
    for headers in ({}, {"sec-fetch-site": "cross-site"}):
        body = f"answer=refuse&form_token={'0' * 64}".encode()
        page = await payer.see("POST", f"{payer.place}/answer", FORM | headers, body)
        assert (page.status, "Nothing was agreed" in page.text) == (403, True)
        assert f'href="{payer.place}"' in page.text

    assert await status(payer) == "asked"


async def test_the_form_of_a_payment_does_not_agree(core: Any, client: Any, demo: Any) -> None:
    payer, other = await a_page(core, client, demo), await a_payer(core, client, demo)
    body = f"answer=refuse&form_token={await other.form_token()}".encode()

    assert (await payer.see("POST", f"{payer.place}/answer", FORM, body)).status == 403


async def test_unknown_addresses_are_told_alike_and_slowed(
    core: Any, client: Any, demo: Any
) -> None:
    payer = await a_page(core, client, demo)
    places = (
        f"{payer.place}x",
        "/agree/agr1_" + "x" * 32,
        "/agree/agr99999_" + "x" * 32,
        "/agree/%00",
        "/agree/" + "a" * 500,
        "/agree",
        f"{payer.place}/nowhere",
    )

    pages = [await payer.see("GET", place) for place in places]
    guesses = [await payer.see("GET", f"/agree/agr1_{'y' * 31}{n}") for n in range(9)]

    assert {page.status for page in pages} == {404}
    assert all("We cannot find this page" in page.text for page in pages)
    assert guesses[-1].status == 429
    assert "retry-after" in guesses[-1].headers
    assert (await payer.open()).status == 200  # who has a page is not stopped by who guesses


async def test_a_page_reads_back_to_the_question_and_never_changes_it(
    core: Any, client: Any, demo: Any
) -> None:
    payer = await a_page(core, client, demo)

    read = await payer.see("GET", f"{payer.place}/answer")

    assert (read.status, read.headers["location"]) == (303, payer.place)
    assert await status(payer) == "asked"


def test_every_scope_has_its_words() -> None:
    assert PAY in SCOPES
    for catalog in CATALOGS.values():
        assert all(f"scope_{scope.lower()}" in catalog for scope in SCOPES)
