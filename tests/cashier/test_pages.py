"""The cashier as a browser meets it, on a real database with the sandbox provider."""

import asyncio
from datetime import UTC, datetime, timedelta
from html import escape
from typing import Any

import pytest
from tests.cashier.shop import CARD, FORM, PRICE, a_payer, a_wallet_user

from kassa.base.domain.lifecycle import PaymentStatus
from kassa.base.domain.money import Money
from kassa.connectors.base import ChargeRequest, NotSent
from kassa.identity.domain.principals import Business
from kassa.identity.usecases.authenticate import authenticate_api_key
from kassa.identity.usecases.businesses import add_business
from kassa.identity.usecases.companies import close_company
from kassa.payments.domain.payments import Method
from kassa.wallet.usecases.wallet_users import balance_of, set_wallet_user_status

pytestmark = pytest.mark.anyio

CHALLENGED = "4000 0000 0000 3220"
DECLINED = "4000 0000 0000 0002"
PAID_LATER = "4000 0000 0000 0259"

MISTAKES: list[tuple[dict[str, Any], str]] = [
    ({}, "Choose how you would like to pay."),
    ({"method": ""}, "Choose how you would like to pay."),
    ({"method": "cash"}, "This way of paying is not available"),
    ({"method": "nonsense"}, "This way of paying is not available"),
    ({"method": "credit_card"}, "Enter the number on your card."),
    ({"method": "credit_card", "card_number": " - "}, "Enter the number on your card."),
    ({"method": "credit_card", "card_number": "4242x"}, "A card number has digits only."),
    ({"method": "credit_card", "card_number": "<b>"}, "A card number has digits only."),
    ({"method": "credit_card", "card_number": "4" * 11}, "A card number has 12 to 19"),
    ({"method": "credit_card", "card_number": "4" * 300}, "A card number has 12 to 19"),
    ({"method": "credit_card", "card_number": CARD[:-1] + "3"}, "has a mistake in it"),
    ({"method": "wallet"}, "Enter your wallet user ID."),
    ({"method": "wallet", "wallet_user": "ann"}, "Enter the code that your wallet shows."),
    ({"method": "wallet", "wallet_user": "a" * 300, "wallet_code": "x"}, "longer than it can"),
    ({"method": "wallet", "wallet_user": "a\x00", "wallet_code": "x"}, "longer than it can"),
    ({"method": "wallet", "wallet_user": "ann", "wallet_code": "x"}, "could not sign you in"),
]


async def test_the_page_shows_the_order_and_every_way_to_pay_it(
    core: Any, client: Any, demo: Any
) -> None:
    payer = await a_payer(core, client, demo)
    page = await payer.open()

    assert page.status == 200
    for said in ("Jasmine pearls, 250 g", "CN¥299.90", "Credit or debit card", "Wallet balance"):
        assert said in page.text
    assert "Test mode" in page.text
    assert CARD in page.text


async def test_every_answer_is_kept_to_itself(core: Any, client: Any, demo: Any) -> None:
    payer = await a_payer(core, client, demo)
    answers = [
        await payer.open(),
        await payer.confirm(method="credit_card"),
        await payer.confirm(form_token="wrong"),
        await payer.pay_by_card(),
        await payer.result(),
        await payer.see("GET", "/pay/sess_unknown"),
    ]

    assert [answer.status for answer in answers] == [200, 422, 403, 303, 200, 404]
    for answer in answers:
        policy = answer.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; style-src 'self'; img-src 'self' data:; ")
        assert "form-action 'self'; frame-ancestors 'none'; base-uri 'none'" in policy
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cross-origin-opener-policy"] == "same-origin"
        assert "set-cookie" not in answer.headers


async def test_a_wallet_that_sends_its_payer_by_post_gets_the_page(
    core: Any, client: Any, demo: Any
) -> None:
    payer = await a_payer(core, client, demo)
    headers = FORM | {"sec-fetch-site": "cross-site"}
    page = await payer.see("POST", payer.place, headers)

    assert page.status == 200
    assert "Pay CN¥299.90" in page.text


async def test_a_card_pays_the_amount_of_the_order_whatever_the_browser_sends(
    core: Any, client: Any, demo: Any
) -> None:
    payer = await a_payer(core, client, demo)
    answer = await payer.pay_by_card(amount="0.01", currency="JPY")
    receipt = await payer.result()
    payment = await payer.payment()

    assert (answer.status, answer.headers["location"]) == (303, f"{payer.place}/result")
    assert (payment.status, payment.captured) == (PaymentStatus.CAPTURED, PRICE)
    for said in ("Payment complete", "CN¥299.90", "•••• 4242", payment.id):
        assert said in receipt.text
    assert f'href="https://shop.example/thanks?order={payment.order_id}"' in receipt.text


async def test_a_declined_card_is_told_and_another_one_pays(
    core: Any, client: Any, demo: Any
) -> None:
    payer = await a_payer(core, client, demo)
    refused = await payer.pay_by_card(DECLINED)
    looked = await payer.result()
    paid = await payer.pay_by_card()

    assert refused.status == 422
    assert "Your bank declined this card. Try another card" in refused.text
    assert 'value="4000' not in refused.text
    assert "The payment did not go through" in looked.text
    assert paid.status == 303
    assert (await payer.payment()).is_paid


async def test_what_the_payer_can_put_right_is_told_and_nothing_is_sent(
    core: Any, client: Any, demo: Any
) -> None:
    payer = await a_payer(core, client, demo)

    for fields, said in MISTAKES:
        answer = await payer.confirm(**fields)
        assert (answer.status, said in answer.text) == (422, True), fields
        assert "You have not been charged." in answer.text
    payment = await payer.payment()
    assert (payment.status, payment.version) == (PaymentStatus.CREATED, 1)


async def test_a_number_from_a_chinese_keyboard_is_read(core: Any, client: Any, demo: Any) -> None:
    payer = await a_payer(core, client, demo)
    await payer.pay_by_card("".join(chr(0xFF10 + int(d)) for d in CARD if d.isdigit()))

    assert (await payer.payment()).is_paid


async def test_a_wallet_user_pays_from_the_balance(core: Any, client: Any, demo: Any) -> None:
    payer = await a_payer(core, client, demo)
    signed_in = await a_wallet_user(core, payer, Money(30_000, "CNY"))
    answer = await payer.confirm(**signed_in)

    assert answer.status == 303
    assert "Wallet balance" in (await payer.result()).text
    assert (await payer.payment()).method is Method.WALLET
    assert await balance_of(core, payer.company_id, "user_ann", "CNY") == 10


@pytest.mark.parametrize(
    ("status", "balance", "changes", "said"),
    [
        ("active", 29_989, {}, "There is not enough money in this wallet."),
        ("frozen", 30_000, {}, "This wallet cannot pay at the moment."),
        ("active", 30_000, {"wallet_code": "wrong"}, "We could not sign you in to your wallet."),
        ("active", 30_000, {"wallet_user": "user_bob"}, "We could not sign you in"),
    ],
)
async def test_a_wallet_that_refuses_leaves_the_order_payable(
    core: Any, client: Any, demo: Any, status: str, balance: int, changes: dict[str, str], said: str
) -> None:
    payer = await a_payer(core, client, demo)
    signed_in = await a_wallet_user(core, payer, Money(balance, "CNY"))
    await set_wallet_user_status(core, payer.company_id, "user_ann", status)
    refused = await payer.confirm(**signed_in | changes)

    assert refused.status == 422
    assert said in refused.text
    assert signed_in["wallet_code"] not in refused.text
    assert (await payer.payment()).status is PaymentStatus.CREATED
    assert (await payer.pay_by_card()).status == 303
    assert (await payer.payment()).is_paid


@pytest.mark.parametrize(
    ("language", "said"), [("en", "Too many wrong"), ("zh-CN", "输错次数过多")]
)
async def test_a_payer_who_guesses_wallet_codes_has_to_wait_and_may_pay_otherwise(
    core: Any, client: Any, demo: Any, language: str, said: str
) -> None:
    payer = await a_payer(core, client, demo)
    signed_in = await a_wallet_user(core, payer, Money(30_000, "CNY"))
    headers = {"accept-language": language}

    wrong = [
        await payer.confirm(**signed_in | {"wallet_code": f"wrong {n}"}, headers=headers)
        for n in range(9)
    ]
    right = await payer.confirm(**signed_in, headers=headers)

    assert [one.status for one in wrong] == [422] * 6 + [429] * 3
    assert (right.status, said in right.text) == (429, True)
    assert int(right.headers["retry-after"]) >= 1
    assert (await payer.payment()).status is PaymentStatus.CREATED
    assert (await payer.pay_by_card()).status == 303


async def test_a_card_that_asks_for_approval_leads_to_the_banks_page(
    core: Any, client: Any, demo: Any
) -> None:
    payer = await a_payer(core, client, demo)
    here = core.policy.base_url.partition("://")[2]
    answer = await payer.confirm(
        method="credit_card", card_number=CHALLENGED, headers={"host": here}
    )
    address = answer.headers["location"]
    waiting = await payer.result()
    again = await payer.open()

    assert answer.status == 303
    assert address.startswith(f"{core.policy.base_url}/sandbox/challenge/")
    assert "Waiting for your confirmation" in waiting.text
    assert 'http-equiv="refresh"' in waiting.text
    assert f'href="{address}"' in again.text


async def test_another_site_is_reached_by_a_page_in_between(
    core: Any, client: Any, demo: Any
) -> None:
    payer = await a_payer(core, client, demo)
    answer = await payer.confirm(
        method="credit_card", card_number=CHALLENGED, headers={"host": "pay.example"}
    )

    assert answer.status == 200
    assert f'content="0;url={core.policy.base_url}/sandbox/challenge/' in answer.text


async def test_alipay_is_reached_by_a_page_in_between(core: Any, client: Any, demo: Any) -> None:
    payer = await a_payer(core, client, demo)
    answer = await payer.confirm(method="alipay")
    payment = await payer.payment()
    address = escape(payment.redirect_url)

    assert (payment.method, payment.status) == (Method.ALIPAY, PaymentStatus.REQUIRES_ACTION)
    assert answer.status == 200
    assert "Taking you to the payment page" in answer.text
    assert f'content="0;url={address}"' in answer.text
    assert f'href="{address}"' in answer.text


class Broken:
    """A provider that cannot be reached, or whose connector has a bug."""

    name = "sandbox"

    def __init__(self, bug: str = "") -> None:
        self.bug = bug

    async def charge(self, _: ChargeRequest) -> NotSent:
        if self.bug:
            raise RuntimeError(self.bug)
        return NotSent(reason="connection refused")


async def test_a_provider_that_cannot_be_reached_leaves_the_order_payable(
    core: Any, client: Any, demo: Any
) -> None:
    payer = await a_payer(core, client, demo)
    working = core.connectors
    core.connectors = {**working, "sandbox": Broken()}
    unreachable = await payer.pay_by_card()
    core.connectors = working

    assert unreachable.status == 503
    assert "This way of paying does not answer right now." in unreachable.text
    assert "You have not been charged." in unreachable.text
    assert (await payer.pay_by_card()).status == 303
    assert (await payer.payment()).is_paid


async def test_a_bug_of_ours_is_told_without_its_cause_and_nobody_pays_twice(
    core: Any, client: Any, demo: Any
) -> None:
    payer = await a_payer(core, client, demo)
    working = core.connectors
    core.connectors = {**working, "sandbox": Broken("a secret cause")}
    broken = await payer.pay_by_card()
    core.connectors = working
    opened = await payer.open()

    assert broken.status == 500
    assert "Please do not pay again yet." in broken.text
    assert "secret cause" not in broken.text
    assert opened.headers["location"] == f"{payer.place}/result"


async def test_the_way_back_decides_nothing(core: Any, client: Any, demo: Any) -> None:
    payer = await a_payer(core, client, demo)
    page = await payer.result("?status=success&paid=true&looks=99999999999999")

    assert page.status == 200
    assert "This order is not paid yet" in page.text
    assert (await payer.payment()).status is PaymentStatus.CREATED


async def test_a_payment_in_progress_moves_on_while_the_payer_looks(
    core: Any, client: Any, demo: Any
) -> None:
    payer = await a_payer(core, client, demo)
    token = await payer.form_token()
    answer = await payer.pay_by_card(PAID_LATER, form_token=token)
    first = await payer.result()
    pressed_again = await payer.pay_by_card(form_token=token)
    for _ in range(12):
        await asyncio.sleep(0.5)
        last = await payer.result()
        if 'http-equiv="refresh"' not in last.text:
            break

    assert answer.status == 303
    assert "Your payment is being processed" in first.text
    assert 'http-equiv="refresh" content="2;' in first.text
    assert pressed_again.headers["location"] == f"{payer.place}/result"
    assert "Payment complete" in last.text


async def test_pressing_many_times_at_once_charges_once(core: Any, client: Any, demo: Any) -> None:
    payer = await a_payer(core, client, demo)
    token = await payer.form_token()
    answers = await asyncio.gather(*(payer.pay_by_card(form_token=token) for _ in range(8)))
    payment = await payer.payment()

    assert {answer.status for answer in answers} == {303}
    assert (payment.captured, payment.surplus_amount) == (PRICE, Money(0, "CNY"))


async def test_a_paid_order_shows_its_receipt_and_takes_no_more(
    core: Any, client: Any, demo: Any
) -> None:
    payer = await a_payer(core, client, demo)
    token = await payer.form_token()
    await payer.pay_by_card()
    version = (await payer.payment()).version
    again = await payer.pay_by_card(form_token=token)
    opened = await payer.open("?lang=zh-CN")

    assert again.headers["location"] == f"{payer.place}/result"
    assert opened.headers["location"] == f"{payer.place}/result?lang=zh-CN"
    assert (await payer.payment()).version == version


async def test_a_closed_merchants_page_says_so_and_takes_nothing(
    core: Any, client: Any, demo: Any
) -> None:
    payer = await a_payer(core, client, demo)
    token = await payer.form_token()
    await close_company(core, demo.company_id)
    opened = await payer.open()
    tried = await payer.pay_by_card(form_token=token)
    page = await payer.result()

    assert (opened.status, tried.status) == (303, 303)
    assert "This merchant takes no payments" in page.text


async def test_an_expired_order_says_so_and_leads_back(core: Any, client: Any, demo: Any) -> None:
    soon = datetime.now(UTC) + timedelta(seconds=0.5)
    payer = await a_payer(core, client, demo, expires_at=soon)
    token = await payer.form_token()
    await asyncio.sleep(0.6)
    opened = await payer.open()
    too_late = await payer.pay_by_card(form_token=token)
    page = await payer.result()

    assert (opened.status, too_late.status) == (303, 303)
    assert "This payment has expired" in page.text
    assert "Return to" in page.text
    assert not (await payer.payment()).is_paid


async def test_the_page_says_who_is_paid_and_what_for(core: Any, client: Any, demo: Any) -> None:
    company = (await authenticate_api_key(core, demo.api_key)).company
    await add_business(core, company, Business("biz_station", "Tea at the <Station>"))
    at_the_station = await a_payer(core, client, demo, business_id="biz_station")
    shown = {
        "order": {
            "merchant": {"merchantDisplayName": "Harbour & Sons"},
            "goods": [
                {"goodsName": "Jasmine pearls"},
                {"goodsName": "<b>Cup</b>", "goodsQuantity": "2"},
                {"goodsCategory": "nameless"},
            ],
        }
    }
    of_a_wallet = await a_payer(core, client, demo, order_id="order-w", extra=shown)

    for answer in (await at_the_station.open(), await at_the_station.result()):
        assert "Tea at the &lt;Station&gt;" in answer.text
        assert "Jasmine pearls, 250 g" in answer.text
    for answer in (await of_a_wallet.open(), await of_a_wallet.result()):
        assert "Harbour &amp; Sons" in answer.text
        assert '<li dir="auto">Jasmine pearls</li>' in answer.text
        assert "2 × &lt;b&gt;Cup&lt;/b&gt;" in answer.text
        assert answer.text.count("<li dir=") == 2


@pytest.mark.parametrize(
    "shown",
    [
        {"order": "text"},
        {"order": {"merchant": ["x"], "goods": {"goodsName": "x"}}},
        {"order": {"merchant": {"merchantDisplayName": 7}, "goods": ["x", {"goodsName": 7}]}},
    ],
)
async def test_a_display_order_of_another_shape_is_left_out(
    core: Any, client: Any, demo: Any, shown: Any
) -> None:
    page = await (await a_payer(core, client, demo, extra=shown)).open()

    assert page.status == 200
    assert "Jasmine pearls, 250 g" in page.text
