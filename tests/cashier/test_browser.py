"""The cashier in a real browser, found by what a person sees or a screen reader says."""

import re
from typing import Any

import pytest
from playwright.async_api import Page, expect
from tests.cashier.conftest import Screen
from tests.cashier.shop import a_payer, a_wallet_user

from kassa.base.domain.money import Money
from kassa.payments.domain.payments import Method

pytestmark = pytest.mark.anyio

PAID = "4242 4242 4242 4242"
DECLINED = "4000 0000 0000 0002"
ASKS_FOR_APPROVAL = "4000 0000 0000 3220"
PAID_LATER = "4000 0000 0000 0259"
WITHOUT_SCRIPTS: dict[str, Any] = {"java_script_enabled": False}
PHONE: dict[str, Any] = {
    "viewport": {"width": 320, "height": 568},
    "has_touch": True,
    "is_mobile": True,
}


async def pay_by_card(page: Page, number: str) -> None:
    await page.get_by_role("radio", name="Credit or debit card").check()
    await page.get_by_label("Card number").fill(number)
    await page.get_by_role("button", name="Pay CN¥299.90").click()


@pytest.mark.parametrize("options", [{}, WITHOUT_SCRIPTS], ids=["scripts", "no scripts"])
async def test_a_payer_pays_by_card(
    core: Any, client: Any, demo: Any, screen: Screen, options: dict[str, Any]
) -> None:
    payer = await a_payer(core, client, demo)
    page = await screen.open(payer, **options)
    await pay_by_card(page, PAID)

    await expect(page.get_by_role("heading", name="Payment complete")).to_be_visible()
    await expect(page.get_by_role("definition").filter(has_text="•••• 4242")).to_be_visible()
    back = page.get_by_role("link", name=re.compile("^Return to "))
    await expect(back).to_have_attribute("href", re.compile("^https://shop.example/thanks"))
    assert (await payer.payment()).is_paid
    assert all(address.startswith(f"{screen.base_url}/pay/") for address in screen.asked)


async def test_a_refusal_takes_the_focus_and_leads_to_the_field(
    core: Any, client: Any, demo: Any, screen: Screen
) -> None:
    payer = await a_payer(core, client, demo)
    page = await screen.open(payer, **WITHOUT_SCRIPTS)
    await pay_by_card(page, DECLINED)

    summary = page.get_by_role("alert")
    field = page.get_by_label("Card number")
    await expect(summary).to_be_focused()
    await expect(summary).to_contain_text("Your bank declined this card.")
    await expect(page).to_have_title(re.compile("^Error: "))
    await expect(field).to_have_value("")
    await expect(field).to_have_accessible_description(re.compile("Your bank declined this card"))
    await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")
    await expect(field).to_be_focused()
    await pay_by_card(page, PAID)
    await expect(page.get_by_role("heading", name="Payment complete")).to_be_visible()


async def test_a_payer_approves_on_the_banks_page_and_comes_back(
    core: Any, client: Any, demo: Any, screen: Screen
) -> None:
    payer = await a_payer(core, client, demo)
    page = await screen.open(payer, **WITHOUT_SCRIPTS)
    await pay_by_card(page, ASKS_FOR_APPROVAL)
    await page.get_by_role("button", name="Approve").click()

    await expect(page.get_by_role("heading", name="Payment complete")).to_be_visible()
    assert (await payer.payment()).is_paid


async def test_a_page_in_progress_updates_itself_without_scripts(
    core: Any, client: Any, demo: Any, screen: Screen
) -> None:
    payer = await a_payer(core, client, demo)
    page = await screen.open(payer, **WITHOUT_SCRIPTS)
    await pay_by_card(page, PAID_LATER)

    status = page.get_by_role("status")
    await expect(status).to_contain_text("Your payment is being processed")
    await expect(page.get_by_role("link", name="Check now")).to_be_visible()
    await expect(status).to_contain_text("Payment complete", timeout=15_000)  # milliseconds


async def test_a_wallet_user_pays_with_the_keyboard_alone(
    core: Any, client: Any, demo: Any, screen: Screen
) -> None:
    payer = await a_payer(core, client, demo)
    user = await a_wallet_user(core, payer, Money(50_000, "CNY"))
    page = await screen.open(payer, **WITHOUT_SCRIPTS)

    group = page.get_by_role("group", name="How would you like to pay?")
    await group.get_by_role("radio", name="Credit or debit card").focus()
    await expect(page.get_by_label("Wallet user ID")).to_be_hidden()
    await page.keyboard.press("ArrowDown")
    await expect(page.get_by_label("Card number")).to_be_hidden()
    await page.keyboard.press("Tab")
    await expect(page.get_by_label("Wallet user ID")).to_be_focused()
    await page.keyboard.type(user["wallet_user"])
    await page.keyboard.press("Tab")
    await page.keyboard.type(user["wallet_code"])
    await page.keyboard.press("Enter")

    await expect(page.get_by_role("heading", name="Payment complete")).to_be_visible()
    assert (await payer.payment()).method is Method.WALLET


async def test_a_chinese_payer_pays_on_the_smallest_phone(
    core: Any, client: Any, demo: Any, screen: Screen
) -> None:
    payer = await a_payer(core, client, demo)
    page = await screen.open(payer, locale="zh-CN", **PHONE)
    too_wide = "document.documentElement.scrollWidth > document.documentElement.clientWidth"

    await expect(page.locator("html")).to_have_attribute("lang", "zh-CN")
    await page.get_by_text("测试卡", exact=True).click()
    await expect(page.get_by_text("4000 0000 0000 3220")).to_be_visible()
    assert not await page.evaluate(too_wide)
    await page.get_by_label("卡号").fill(PAID)
    await page.get_by_role("button", name="支付 ¥299.90").tap()
    await expect(page.get_by_role("heading", name="付款成功")).to_be_visible()
    assert not await page.evaluate(too_wide)


async def test_the_language_can_be_switched_and_stays(
    core: Any, client: Any, demo: Any, screen: Screen
) -> None:
    payer = await a_payer(core, client, demo)
    page = await screen.open(payer, locale="en-US")
    await page.get_by_role("link", name="中文").click()
    await page.get_by_label("卡号").fill(DECLINED)
    await page.get_by_role("button", name="支付").click()

    await expect(page.get_by_role("alert")).to_contain_text("银行拒绝了这张卡")
    await page.get_by_role("link", name="English").click()
    await expect(page.get_by_role("heading", name="Amount due CN¥299.90")).to_be_visible()


async def test_it_is_dark_where_the_payer_wants_it_dark(
    core: Any, client: Any, demo: Any, screen: Screen
) -> None:
    payer = await a_payer(core, client, demo)
    ground = "getComputedStyle(document.body).backgroundColor"
    light = await screen.open(payer, color_scheme="light")
    dark = await screen.open(payer, color_scheme="dark", reduced_motion="reduce")

    assert await light.evaluate(ground) == "rgb(241, 243, 241)"
    assert await dark.evaluate(ground) == "rgb(15, 20, 18)"
