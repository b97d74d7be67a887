"""Takes the README's pictures of a running demo: `.venv/bin/python docs/images/take.py`.

It starts a demo of its own, pays a few orders at the simulated providers, and needs a Chromium.
"""

import sys
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent.parent))

from tests.cashier.conftest import chromium  # noqa: E402 - it is no package that is installed
from tests.e2e.providers import wait_for_accounts  # noqa: E402
from tests.e2e.server import Server, a_server  # noqa: E402

SALES = [
    ("card_page", "CNY", 299.90, "tea-1", "Jasmine pearls"),
    ("alipay", "CNY", 86.00, "tea-2", "White peony"),
    ("upi", "INR", 1450.00, "tea-3", "First flush"),
]


def new_page(browser: Browser, height: int) -> Page:
    viewport = {"width": 1180, "height": height}
    return browser.new_context(locale="en-US", viewport=viewport).new_page()


def cashier(server: Server, currency: str, amount: float, order_id: str, what: str) -> str:
    """The address of the cashier for a new order."""
    made = server.ask(
        server.faces().create_order(
            order_currency=currency, order_amount=amount, order_id=order_id, order_note=what
        )
    )
    assert made.status == 200, made.body
    return f"{server.base_url}/pay/{made.json()['payment_session_id']}"


def take(server: Server, browser: Browser) -> None:
    simulator = f"http://127.0.0.1:{server.simulator_port}"
    for way, *order in SALES:
        page = new_page(browser, 900)
        page.goto(cashier(server, *order))
        page.locator(f"label[for=method-{way}]").click()
        page.get_by_role("button", name="Pay").click()
        page.wait_for_url(f"{simulator}/**")
        page.get_by_role("button", name="Pay").click()
        page.wait_for_url(f"{server.base_url}/**")
    page = new_page(browser, 940)
    page.goto(cashier(server, "CNY", 299.90, "tea-4", "Jasmine pearls"))
    page.locator("label[for=method-alipay]").click()
    page.mouse.move(0, 0)
    page.screenshot(path=HERE / "cashier.png")
    page = new_page(browser, 660)
    page.goto(simulator)
    page.screenshot(path=HERE / "simulator.png")


def main() -> None:
    with a_server() as server, sync_playwright() as playwright:
        wait_for_accounts(server)
        browser = playwright.chromium.launch(
            executable_path=chromium(), args=["--no-sandbox", "--disable-gpu"]
        )
        take(server, browser)


if __name__ == "__main__":
    main()
