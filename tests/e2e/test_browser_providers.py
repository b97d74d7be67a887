"""Payers at simulated providers, in a real browser: from our page to theirs, and back again."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    expect,
    sync_playwright,
)
from tests.cashier.conftest import NO_BROWSER, chromium
from tests.e2e.providers import rows, wait_for_accounts
from tests.e2e.server import Server, a_server, until
from tests.e2e.wire import Faces

ENGLISH, CHINESE = "en-US", "zh-CN"
PHONE: dict[str, Any] = {"viewport": {"width": 320, "height": 568}}
BILINGUAL = ("alipay", "partner-wallet")  # both languages on one page
PAID_CARD = "4242 4242 4242 4242"
TOO_WIDE = "document.documentElement.scrollWidth > document.documentElement.clientWidth"
NAMELESS = """
    [...document.querySelectorAll('input:not([type=hidden]), button, a[href]')].filter(
      one => !(one.innerText || one.getAttribute('aria-label') || one.labels?.length))
      .map(one => one.outerHTML)
"""
# fmt: off
WORDS = {
    ENGLISH: {
        "alipay": "Alipay", "card_page": "Card, on the payment provider's page", "upi": "UPI",
        "net_banking": "Net banking", "ewallet": "Another wallet",
        "choose": "How would you like to pay?", "pay": re.compile(r"^Pay\b"),
        "paid": "Payment complete", "lang": "en",
    },
    CHINESE: {
        "alipay": "支付宝", "card_page": "在支付机构页面使用银行卡", "upi": "UPI",
        "net_banking": "网上银行", "ewallet": "其他钱包",
        "choose": "请选择付款方式", "pay": re.compile("^支付$|^支付 |^Pay · 付款"),
        "paid": "付款成功", "lang": "zh-CN",
    },
}
WAYS = [  # the way, its currency, and the account that takes it
    ("alipay", "CNY", "alipay"),
    ("card_page", "CNY", "stripe"),
    ("upi", "INR", "razorpay"),
    ("net_banking", "INR", "razorpay"),
    ("ewallet", "CNY", "partner-wallet"),
]
# fmt: on


@dataclass(frozen=True)
class Bill:
    """An order that waits for its payer. `url`: our page for it. `number`: of the last movement of
    money at the simulated providers before it was made."""

    order_id: str
    url: str
    number: int


@dataclass
class Street:
    """A running demo, its simulated providers, and a browser for the payers.

    `complaints`: what the browser held against our pages.
    """

    server: Server
    faces: Faces
    browser: Browser
    complaints: list[str] = field(default_factory=list)

    @property
    def simulator(self) -> str:
        return f"http://127.0.0.1:{self.server.simulator_port}"

    def bill(self, currency: str = "CNY") -> Bill:
        amount = 300 if currency == "JPY" else 299.90
        made = self.server.ask(
            self.faces.create_order(order_currency=currency, order_amount=amount)
        )
        assert made.status == 200, made.body
        told = made.json()
        ((number,),) = rows(self.server, "SELECT coalesce(max(number), 0) FROM movements")
        url = f"{self.server.base_url}/pay/{told['payment_session_id']}"
        return Bill(told["order_id"], url, number)

    def payer(self, language: str = ENGLISH, **options: Any) -> BrowserContext:
        context = self.browser.new_context(locale=language, **options)
        context.set_default_timeout(20_000)  # milliseconds, on a busy machine
        context.on("console", self._note)
        return context

    def _note(self, message: ConsoleMessage) -> None:
        # A refused form is answered with 422, which the console reports as a failed load.
        ours = message.location["url"].startswith(self.server.base_url)
        if ours and message.type in ("error", "warning") and "of 422" not in message.text:
            self.complaints.append(message.text)

    def payment(self, bill: Bill) -> dict[str, Any]:
        listed = self.server.ask(self.faces.list_payments(bill.order_id)).json()["payments"]
        (payment,) = listed
        found: dict[str, Any] = payment
        return found

    def taken(self, bill: Bill) -> list[tuple[str, int]]:
        """What the providers took since the order was made: account and minor units, each time."""
        return self._moved("charge", bill)

    def given_back(self, bill: Bill) -> list[tuple[str, int]]:
        return self._moved("refund", bill)

    def _moved(self, kind: str, bill: Bill) -> list[tuple[str, int]]:
        query = "SELECT merchant, amount_minor FROM movements WHERE kind = ? AND number > ?"
        return rows(self.server, query, kind, bill.number)

    def story(self, bill: Bill) -> str:
        told = self.server.run("explain", bill.order_id)
        assert told.returncode == 0, told.stderr
        return told.stdout


@pytest.fixture(scope="module")
def street() -> Iterator[Street]:
    executable = chromium()
    if executable is None:
        pytest.skip(NO_BROWSER)
    with a_server() as server, sync_playwright() as playwright:
        wait_for_accounts(server)
        browser = playwright.chromium.launch(
            executable_path=executable, args=["--no-sandbox", "--disable-gpu"]
        )
        found = Street(server, server.faces(), browser)
        yield found
        browser.close()

        assert found.complaints == []
        proof = server.run("verify")
        assert proof.returncode == 0, proof.stdout
        assert server.stop() == 0
        assert server.left_over() == []
        assert "Traceback" not in server.log, server.log


def choose(page: Page, way: str, language: str = ENGLISH) -> None:
    """Choose a way to pay and confirm it."""
    words = WORDS[language]
    group = page.get_by_role("group", name=words["choose"])
    group.locator("label", has=page.get_by_text(words[way], exact=True)).click()
    page.get_by_role("button", name=words["pay"]).click()


def at_provider(street: Street, page: Page) -> None:
    page.wait_for_url(re.compile("^" + re.escape(street.simulator)))


def expect_paid(page: Page, language: str = ENGLISH) -> None:
    expect(page.get_by_role("heading", name=WORDS[language]["paid"])).to_be_visible()


def expect_done(page: Page) -> None:
    """It arrived: at our page, or where the provider's says that there is nothing left to pay."""
    ours = page.get_by_role("heading", name=WORDS[ENGLISH]["paid"])
    theirs = page.get_by_text(re.compile(r"^Paid\. Thank you\.$|^This payment is closed"))
    expect(ours.or_(theirs)).to_be_visible()


def press(page: Page, button: str) -> None:
    """Press it, and be where that leads: the browser gives up an address that is asked for while
    a page is on its way."""
    with page.expect_event("load"):
        page.get_by_role("button", name=button).click()


def beside(page: Page, url: str) -> Page:
    """Another tab of the same payer. The first may be under way: a page that waits for news loads
    itself again."""
    tab = page.context.new_page()
    tab.goto(url)
    return tab


def check(page: Page, language: str) -> None:
    """What a page owes to everybody: a language, a title, one heading, names, and no sideways
    scrolling on the smallest phone."""
    expect(page.locator("html")).to_have_attribute("lang", language)
    expect(page).to_have_title(re.compile(r"\w"))
    expect(page.get_by_role("heading", level=1)).to_have_count(1)
    expect(page.get_by_role("main")).to_have_count(1)
    assert page.evaluate(NAMELESS) == []
    assert not page.evaluate(TOO_WIDE)


@pytest.mark.parametrize("language", [ENGLISH, CHINESE])
@pytest.mark.parametrize(("way", "currency", "account"), WAYS, ids=[way for way, *_ in WAYS])
def test_an_order_is_paid_on_the_providers_page(
    street: Street, way: str, currency: str, account: str, language: str
) -> None:
    bill, words = street.bill(currency), WORDS[language]
    page = street.payer(language, java_script_enabled=True, **PHONE).new_page()
    page.goto(bill.url)
    check(page, words["lang"])
    choose(page, way, language)
    at_provider(street, page)
    check(page, "en" if account in BILINGUAL else words["lang"])
    expect(page.get_by_role("main")).to_contain_text("299.90")
    page.get_by_role("button", name=words["pay"]).focus()
    page.keyboard.press("Enter")

    expect_paid(page, language)
    check(page, words["lang"])
    assert page.url.startswith(f"{bill.url}/result")
    assert street.payment(bill)["status"] == "PAID"
    assert street.taken(bill) == [(account, 29_990)]


def test_it_needs_no_scripts(street: Street) -> None:
    bill = street.bill()
    page = street.payer(java_script_enabled=False).new_page()
    page.goto(bill.url)
    choose(page, "card_page")
    at_provider(street, page)
    page.get_by_role("button", name="Pay").click()

    expect_paid(page)


def test_only_ways_that_fit_the_currency_are_offered(street: Street) -> None:
    offered = {}
    for currency in ("CNY", "INR", "JPY"):
        page = street.payer().new_page()
        page.goto(street.bill(currency).url)
        offered[currency] = {
            radio.get_attribute("value") for radio in page.get_by_role("radio").all()
        }

    everywhere = {"credit_card", "card_page", "wallet", "ewallet"}
    assert offered == {
        "CNY": everywhere | {"alipay"},
        "INR": everywhere | {"upi", "net_banking"},
        "JPY": everywhere,
    }


@pytest.mark.parametrize(
    ("way", "why"),
    [
        ("alipay", "The payment was not approved in time."),
        ("ewallet", "The payment was declined."),
    ],
)
def test_a_payer_who_declines_is_told_so_and_pays_another_way(
    street: Street, way: str, why: str
) -> None:
    bill = street.bill()
    page = street.payer().new_page()
    page.goto(bill.url)
    choose(page, way)
    at_provider(street, page)
    press(page, "Decline")
    until(lambda: street.payment(bill)["status"] == "FAILED", "the decline was heard of")
    page = beside(page, bill.url)

    main = page.get_by_role("main")
    expect(main).to_contain_text(f"Your last try did not go through. {why}")
    choose(page, "card_page")
    at_provider(street, page)
    page.get_by_role("button", name="Pay").click()
    expect_paid(page)
    assert street.taken(bill) == [("stripe", 29_990)]


def test_a_card_that_is_declined_on_the_providers_page_is_followed_by_one_typed_in_here(
    street: Street,
) -> None:
    bill = street.bill()
    page = street.payer().new_page()
    page.goto(bill.url)
    choose(page, "card_page")
    at_provider(street, page)
    page.get_by_role("button", name="Decline").click()
    expect(page.get_by_role("status")).to_have_text("The payment was declined. You may try again.")
    page.get_by_role("link", name="Back to the shop").click()
    expect(page.get_by_role("heading", name="Waiting for your confirmation")).to_be_visible()
    page.get_by_role("link", name="Try another way").click()
    expect(page.get_by_role("main")).to_contain_text("You started a payment and have not finished")
    expect(page.locator("input:checked")).to_have_value("card_page")
    page.locator("label", has_text="Credit or debit card").click()
    page.get_by_label("Card number").fill(PAID_CARD)
    page.get_by_role("button", name="Pay CN¥299.90").click()

    expect_paid(page)
    assert street.taken(bill) == []


def test_going_back_and_forth_leads_to_the_same_page_of_the_provider(street: Street) -> None:
    bill = street.bill()
    page = street.payer().new_page()
    page.goto(bill.url)
    choose(page, "card_page")
    at_provider(street, page)
    there = page.url
    page.goto(bill.url)
    page.get_by_role("link", name="Continue where you left off").click()
    at_provider(street, page)
    assert page.url == there
    page.go_back()
    page.goto(bill.url)
    choose(page, "card_page")
    at_provider(street, page)
    assert page.url == there
    page.get_by_role("button", name="Pay").click()
    expect_paid(page)
    page.goto(there)

    expect(page.get_by_role("main")).to_contain_text("Paid. Thank you.")
    page.get_by_role("link", name="Back to the shop").click()
    expect_paid(page)
    assert street.taken(bill) == [("stripe", 29_990)]


@pytest.mark.parametrize(("way", "currency", "account"), WAYS[:3], ids=["alipay", "card", "upi"])
def test_two_tabs_and_two_presses_are_one_payment(
    street: Street, way: str, currency: str, account: str
) -> None:
    bill, payer = street.bill(currency), street.payer()
    tabs = [payer.new_page(), payer.new_page()]
    for page in tabs:
        page.goto(bill.url)
    for page in tabs:
        choose(page, way)
        at_provider(street, page)
    for page in tabs:
        page.get_by_role("button", name="Pay").dblclick(no_wait_after=True)
    for page in tabs:
        expect_done(page)
        expect_paid(beside(page, f"{bill.url}/result"))

    assert street.taken(bill) == [(account, 29_990)]


def test_money_that_comes_by_a_page_left_open_goes_back(street: Street) -> None:
    bill, payer = street.bill(), street.payer()
    left_open, page = payer.new_page(), payer.new_page()
    left_open.goto(bill.url)
    choose(left_open, "card_page")
    at_provider(street, left_open)
    page.goto(bill.url)
    choose(page, "ewallet")
    at_provider(street, page)
    page.get_by_role("button", name="Pay").click()
    expect_paid(page)
    left_open.reload()
    if left_open.get_by_role("button", name="Pay").count():  # not closed by us meanwhile
        press(left_open, "Pay")
    expect_done(left_open)

    assert ("partner-wallet", 29_990) in street.taken(bill)
    too_much = [one for one in street.taken(bill) if one[0] == "stripe"]
    until(lambda: street.given_back(bill) == too_much, "what was too much went back")
    assert street.payment(bill)["status"] == "PAID"


def test_the_simulators_page_shows_the_charge_and_sends_its_news_again_in_vain(
    street: Street,
) -> None:
    bill = street.bill()
    page = street.payer().new_page()
    page.goto(bill.url)
    choose(page, "card_page")
    at_provider(street, page)
    page.get_by_role("button", name="Pay").click()
    expect_paid(page)
    story = until(lambda: _at_rest(street, bill), "its news has come")
    key = re.findall(r"\bat\d*_\w+", story)[0]

    page.goto(f"{street.simulator}/")
    check(page, "en")
    charge = page.get_by_role("row").filter(has=page.get_by_role("rowheader", name=key))
    expect(charge.first).to_contain_text("captured")
    expect(charge.first).to_contain_text("299.90 CNY")
    reference = charge.first.locator("code").inner_text()
    name = f"Send again twice: payment_intent.succeeded of {reference}"
    before = _copies(street, reference)
    press(page, name)
    until(lambda: _copies(street, reference) >= before + 2, "both copies were taken")

    assert street.story(bill) == story
    assert street.taken(bill) == [("stripe", 29_990)]
    page.goto(f"{bill.url}/result")
    expect_paid(page)


def _at_rest(street: Street, bill: Bill) -> str:
    """The payment's story, once nothing has been added to it for a moment."""
    first = street.story(bill)
    return first if first == street.story(bill) else ""


def _copies(street: Street, reference: str) -> int:
    """How many copies of letters about the charge were taken by us."""
    query = (
        "SELECT count(*) FROM posts p JOIN letters l ON l.number = p.letter"
        " WHERE p.heard AND l.charge_id = ?"
    )
    return int(rows(street.server, query, reference)[0][0])
