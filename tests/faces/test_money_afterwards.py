"""After money had come: every interface tells what went back of it, and what a bank has taken.

One table of stories; each is told by every face, in that face's words.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import grpc.aio
import pytest
from tests.faces.test_modes import Asked, Postman, Side, channel, signed_inquiry
from tests.modifying import REFUND, Obedient, modify
from tests.shop import Shop

from kassa.base.domain.lifecycle import DisputeStage, DisputeStatus
from kassa.base.domain.money import Money
from kassa.base.usecases.core import Core
from kassa.connectors.base import DisputeEvent, FailedLater
from kassa.disputes.usecases.disputes import take_dispute_news
from kassa.faces.wallet.contract import FACE
from kassa.payments.domain.payments import Payment
from kassa.payments.store.payments import find_attempt
from kassa.payments.usecases.submit_payment import take_news
from kassa.webhooks_out.usecases.deliver import deliver_webhooks
from kassa_protos.orders.v1 import orders_pb2, orders_pb2_grpc

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("sound_in_the_end")]
assert channel  # the fixture
D = DisputeStatus
WHOLE, PART, YEN = Money(10_000, "CNY"), Money(4_000, "CNY"), Money(15_700, "JPY")
PAID = "Payment successful"
HELD = "{} is held by the payer's bank in a dispute"
LOST = "{} was taken back by the payer's bank in a dispute that was lost"
RETURNED = "{} was taken back by the payer's bank, which returned the charge"


def refund(amount: Money) -> "Act":
    async def act(shop: Shop, payment: Payment) -> None:
        await modify(shop, payment, REFUND, amount.minor)

    return act


def dispute(amount: Money, *path: DisputeStatus, stage: str = "chargeback") -> "Act":
    async def act(shop: Shop, payment: Payment) -> None:
        for status in (D.NEEDS_RESPONSE, *path):
            news = DisputeEvent(
                dedupe_key="d",
                key="",
                reference="du_1",
                stage=DisputeStage(stage),
                status=status,
                amount=amount,
                fee=None,
                reason="fraudulent",
                respond_by=None,
            )
            await take_dispute_news(shop.core, await charge_of(shop, payment), news, actor="test")

    return act


async def give_charge_back(shop: Shop, payment: Payment) -> None:
    news = FailedLater(code="charge_failed", message="No.", provider_code="R01", returned_as="tx")
    await take_news(
        shop.core, await charge_of(shop, payment), news, actor="test", how="notification"
    )


async def charge_of(shop: Shop, payment: Payment) -> Any:
    [row] = await shop.attempts(payment)
    async with shop.core.db.connection() as connection:
        return await find_attempt(connection, payment.company_id, row["id"])


Act = Callable[[Shop, Payment], Any]


@dataclass(frozen=True, kw_only=True)
class Story:
    """`said`: behind "Payment successful". `error`: of the gateway; None: it is true. `verdict`: of
    VerifyPayment; `kept`: whether the customer's app may deliver. `reversal`: the business face's
    word. `title`: of the payer's page, English and Chinese. `letter`: the last that was sent."""

    acts: tuple[Act, ...]
    said: str = ""
    error: str | None = None
    verdict: tuple[str, str] = ("200", "success")
    kept: bool = True
    reversal: str = ""
    title: tuple[str, str] = ("Payment complete", "付款成功")
    receipt: str = ""
    letter: str = "payment.paid"


def held(amount: str, *acts: Act, **changes: Any) -> Story:
    """The payer's bank holds so much of it."""
    said = HELD.format(amount)
    return Story(
        acts=acts,
        said=said,
        error=f"PENDING: it was paid, and {said}; ask again",
        reversal="DISPUTED",
        receipt="Held by your bank in a dispute",
        letter="payment.disputed",
        **changes,
    )


def lost(amount: str, *acts: Act, before: str = "", **changes: Any) -> Story:
    """The payer's bank has so much of it for good. `before`: what is said ahead of that."""
    said = LOST.format(amount)
    return Story(
        acts=acts,
        said=before + said,
        error=f"FAILED: dispute_lost: it was paid, and {said}",
        reversal="DISPUTE_LOST",
        receipt="Taken back by your bank in a dispute",
        letter="payment.dispute_lost",
        **changes,
    )


# Where no money is left of it, or nobody knows how much.
ALL_HELD: Mapping[str, Any] = {
    "verdict": ("202", "pending"),
    "kept": False,
    "title": ("This payment is disputed", "此笔付款存在争议"),
}
ALL_LOST: Mapping[str, Any] = {
    "verdict": ("402", "failed"),
    "kept": False,
    "title": ("Payment taken back", "付款已被银行追回"),
}
STORIES: Mapping[str, Story] = {
    "paid": Story(acts=()),
    "refunded in part": Story(
        acts=(refund(PART),),
        said="40.00 CNY was given back",
        receipt="Given back to you",
        letter="payment.refunded",
    ),
    "refunded": Story(
        acts=(refund(WHOLE),),
        said="100.00 CNY was given back",
        kept=False,
        title=("Payment refunded", "付款已退回"),
        receipt="Given back to you",
        letter="payment.refunded",
    ),
    "asked about": Story(acts=(dispute(WHOLE, stage="inquiry"),), letter="payment.disputed"),
    "disputed in part": held("40.00 CNY", dispute(PART)),
    "disputed": held("100.00 CNY", dispute(WHOLE), **ALL_HELD),
    "lost in part": lost("40.00 CNY", dispute(PART, D.LOST)),
    "lost": lost("100.00 CNY", dispute(WHOLE, D.LOST), **ALL_LOST),
    "won": Story(acts=(dispute(WHOLE, D.WON),), letter="payment.dispute_won"),
    "lost, and won in the end": Story(
        acts=(dispute(WHOLE, D.LOST, D.WON),), letter="payment.dispute_won"
    ),
    "refunded in part, and the rest lost": lost(
        "60.00 CNY",
        refund(PART),
        dispute(Money(6_000, "CNY"), D.LOST),
        before="40.00 CNY was given back; ",
        **ALL_LOST,
    ),
    "returned": Story(
        acts=(give_charge_back,),
        said=RETURNED.format("100.00 CNY"),
        error=f"FAILED: charge_returned: it was paid, and {RETURNED.format('100.00 CNY')}",
        verdict=("402", "failed"),
        kept=False,
        reversal="CHARGE_RETURNED",
        title=("Your bank did not honour this payment", "您的银行未兑付此笔付款"),
        receipt="Taken back by your bank",
        letter="payment.returned",
    ),
    "disputed abroad": held("15700 JPY", dispute(YEN), **ALL_HELD),
    "lost abroad": lost("15700 JPY", dispute(YEN, D.LOST), **ALL_LOST),
    "won abroad": Story(acts=(dispute(YEN, D.WON),), letter="payment.dispute_won"),
}


@dataclass(frozen=True)
class Told:
    """A payment to which a story has happened, and who may ask about it."""

    side: Side
    payment: Payment
    page: str
    story: Story

    async def ask(self, asked: Asked) -> Any:
        answer = await self.side.client.request(
            asked.method, asked.path, headers=asked.headers, content=asked.body
        )
        assert answer.status == 200, answer.body
        return answer

    @property
    def message(self) -> str:
        return f"{PAID}; {self.story.said}" if self.story.said else PAID


@pytest.mark.parametrize("name", STORIES)
async def test_every_interface_tells_what_became_of_the_money(
    shop: Shop, client: Any, channel: grpc.aio.Channel, name: str
) -> None:
    told = await happened(shop, client, STORIES[name])

    await the_gateway_says_true_only_where_the_money_is_certain(told)
    await orders_say_it_in_their_verdict_and_in_each_payment(told, channel)
    await the_customers_app_delivers_on_nothing_that_is_not_there(told)
    await the_wallet_tells_it_beside_a_success_that_is_final(told)
    await the_business_face_has_a_word_beside_its_figures(told)
    for language in ("en", "zh-CN"):
        await the_payers_page_says_it(told, language)
    await the_merchants_last_letter_says_it(told)


async def happened(shop: Shop, client: Any, story: Story) -> Told:
    side = Side(shop.core, client, shop.company)
    await side.register()
    made = await shop.create(
        face="gateway",
        request_scope=f"{FACE}.pay:{side.wallet_id}",
        request_id="R-1",
        notify_url="https://shop.example/hook",
        notify_kind="standard",
        payment_extra={"client_id": side.wallet_id},
    )
    await shop.sql("update payment set number = 7, payer = 'ann' where id = $1", made.payment.id)
    payment = await shop.play(made.payment, Obedient())
    for act in story.acts:
        await act(shop, payment)
    return Told(side, payment, made.order.session_token, story)


def by_key(told: Told) -> Mapping[str, str]:
    return {"authorization": f"Bearer {told.side.key}"}


async def the_gateway_says_true_only_where_the_money_is_certain(told: Told) -> None:
    path = f"/gateway/payment-requests/{told.payment.id}"
    said = (await told.ask(Asked("GET", path, by_key(told)))).json()

    assert said == {"paymentResult": told.story.error is None, "error": told.story.error}


async def orders_say_it_in_their_verdict_and_in_each_payment(
    told: Told, channel: grpc.aio.Channel
) -> None:
    order, client = told.payment.order_id, told.side.orders_client
    body = json.dumps({"order_id": order}).encode()
    verdict = (await told.ask(Asked("POST", "/v1/orders:verify", client, body))).json()
    verify = orders_pb2_grpc.PaymentServiceStub(channel).VerifyPayment
    by_grpc = await verify(
        orders_pb2.VerifyPaymentRequest(order_id=order), metadata=tuple(client.items())
    )
    path = f"/pg/orders/{order}/payments"
    [own] = (await told.ask(Asked("GET", path, client))).json()
    versioned = {**client, "x-api-version": "2023-08-01"}
    [theirs] = (await told.ask(Asked("GET", path, versioned))).json()

    assert (verdict["code"], verdict["status"]) == told.story.verdict
    assert verdict["message"] == told.message
    assert (by_grpc.code, by_grpc.status, by_grpc.message) == (*told.story.verdict, told.message)
    assert (own["payment_status"], own["is_captured"]) == ("paid", True)
    assert (theirs["payment_status"], theirs["is_captured"]) == ("SUCCESS", True)
    assert own["payment_message"] == theirs["payment_message"] == told.message
    gone = told.story.reversal in ("DISPUTE_LOST", "CHARGE_RETURNED")
    assert [one["error_code"].upper() for one in own["error_details"]] == (
        [told.story.reversal] if gone else []
    )


async def the_customers_app_delivers_on_nothing_that_is_not_there(told: Told) -> None:
    headers = {"authorization": f"Bearer {told.side.token()}"}
    shown = (await told.ask(Asked("GET", "/api/v1/payments/7", headers))).json()["data"]
    verified = (await told.ask(Asked("GET", "/api/v1/payments/verify/7", headers))).json()["data"]

    assert verified is shown["confirmed"] is shown["valid"] is told.story.kept
    assert shown["status"] == ("CONFIRMED" if told.story.kept else "INVALID")
    assert shown["confirmedAt"]


async def the_wallet_tells_it_beside_a_success_that_is_final(told: Told) -> None:
    inquiry = signed_inquiry(told.side, told.payment.id)
    said = (await told.ask(inquiry)).json()

    assert said["paymentStatus"] == "SUCCESS"
    bank = told.story.said.removeprefix("40.00 CNY was given back; ")
    if "given back" in bank or not bank:
        assert "extendInfo" not in said
        return
    assert json.loads(said["extendInfo"]) == {"detail": bank}
    own = "CNY" in bank
    assert ("disputedAmount" in said) is own
    if own:
        assert said["disputedAmount"]["currency"] == "CNY"


async def the_business_face_has_a_word_beside_its_figures(told: Told) -> None:
    path = f"/v1/payment/{told.payment.id}"
    said = (await told.ask(Asked("GET", path, by_key(told)))).json()
    body = json.dumps({"pagination": {}, "companyId": told.side.company.public_id}).encode()
    listed = (await told.ask(Asked("POST", "/v1/payments:list", by_key(told), body))).json()

    assert (said["status"], said["reversalStatus"]) == ("PAID", told.story.reversal)
    assert [one["reversalStatus"] for one in listed["payments"]] == [told.story.reversal]
    has_figure = told.story.reversal != "" and "JPY" not in told.story.said
    assert (said["disputedAmount"]["units"] != "0") is has_figure


async def the_payers_page_says_it(told: Told, language: str) -> None:
    page = await told.ask(Asked("GET", f"/pay/{told.page}/result?lang={language}"))

    text = page.text.replace("&#39;", "'")
    assert f"<h1>{told.story.title[language != 'en']}</h1>" in text
    if language == "en":
        assert told.story.receipt in text
        assert ("your bank" in text.lower().split("<dl", 1)[1]) is ("bank" in told.story.said)


async def last_letter(core: Core) -> Any:
    postman = Postman()
    kept, core.egress = core.egress, postman  # type: ignore[assignment]
    try:
        while await deliver_webhooks(core):
            pass  # of one payment each waits for the one before
    finally:
        core.egress = kept
    return max((json.loads(body) for _, body in postman.letters), key=_version)


async def the_merchants_last_letter_says_it(told: Told) -> None:
    last = await last_letter(told.side.core)

    assert last["type"] == told.story.letter
    taken = last["data"].get("taken_back", [])
    assert [one["how"].upper() for one in taken] == (
        [told.story.reversal] if told.story.reversal else []
    )
    for one in taken:
        assert f"{one['amount']} {one['currency']}" in told.story.said


def _version(letter: Mapping[str, Any]) -> int:
    version: int = letter["data"]["version"]
    return version
