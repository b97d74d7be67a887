"""The signed notification a merchant's notify_url receives, as Standard Webhooks 1.0.0 words it."""

import base64
import hashlib
import hmac
import time
from datetime import timedelta

from kassa.base.domain.money import Money
from kassa.base.usecases.core import Core, WebhookRequest
from kassa.faces import edge
from kassa.faces.orders.resources import PAYMENT_WORD, order_word
from kassa.identity.domain.principals import Company
from kassa.orders.domain.orders import Order
from kassa.payments.domain.changes import WebhookEvent
from kassa.payments.domain.modifications import Modification
from kassa.payments.domain.payments import Payment
from kassa.payments.domain.taken_back import NOTHING_TAKEN, TakenBack


def _signing_key(core: Core, company_id: str) -> bytes:
    return hmac.digest(core.secrets.pepper, b"webhook:" + company_id.encode(), hashlib.sha256)


def webhook_secret(core: Core, company_id: str) -> str:
    """What the merchant verifies with: `whsec_` and 32 bytes in base64. Never to be logged."""
    return "whsec_" + base64.b64encode(_signing_key(core, company_id)).decode("ascii")


class StandardWriter:
    """Implements NotificationWriter for every face whose notifications have no form of their own.

    Source: standardwebhooks.com specification 1.0.0 (form, signature, schedule).
    """

    schedule: tuple[timedelta, ...] = (
        timedelta(0),
        timedelta(seconds=5),
        timedelta(minutes=5),
        timedelta(minutes=30),
        timedelta(hours=2),
        timedelta(hours=5),
        timedelta(hours=10),
        timedelta(hours=14),
        timedelta(hours=20),
        timedelta(hours=24),
    )

    def write(
        self,
        core: Core,
        announcement: WebhookEvent,
        order: Order,
        payment: Payment,
        company: Company,
        about: Modification | None,
        taken: TakenBack = NOTHING_TAKEN,
    ) -> WebhookRequest:
        """The request as it is posted now: a later delivery of the same event is signed afresh."""
        body = edge.to_json(
            {
                "type": announcement.event_type,
                "timestamp": edge.utc_text(announcement.at),
                "mode": company.mode,
                "data": _content(announcement, order, payment, taken),
            }
        )
        now = str(int(time.time()))
        signed = f"{announcement.id}.{now}.".encode() + body
        signature = hmac.digest(_signing_key(core, company.id), signed, hashlib.sha256)
        headers = {
            "content-type": "application/json",
            "webhook-id": announcement.id,
            "webhook-timestamp": now,
            "webhook-signature": "v1," + base64.b64encode(signature).decode("ascii"),
        }
        return WebhookRequest(headers=headers, body=body)

    def arrived(self, status: int, body: bytes) -> bool:
        """Any 2xx; what the answer says does not matter."""
        return 200 <= status < 300


def _content(
    announcement: WebhookEvent, order: Order, payment: Payment, taken: TakenBack
) -> dict[str, object]:
    """Ids, amounts and status; whoever reads along learns nothing of the customer.

    `version` is the change that is announced, the status is the one of this moment: a receiver
    that ignores a version it has passed already loses nothing. `surplus_amount` is what came in
    although nobody owed it, also beside a payment that counts; `returned_amount` is all that the
    payer has back, of either. `taken_back` says how a bank has what, also in another currency.
    """
    currency = payment.amount.currency
    told: dict[str, object] = {
        "business_id": payment.business_id,
        "order_id": order.id,
        "payment_id": payment.id,
        "version": announcement.version,
        "order_status": order_word(order, [payment]),
        "payment_status": PAYMENT_WORD[payment.status],
        "amount": f"{payment.amount.major:f}",
        "captured_amount": f"{payment.captured.major:f}",
        "refunded_amount": f"{payment.refunded.major:f}",
        "disputed_amount": f"{Money(payment.disputed_minor, currency).major:f}",
        "surplus_amount": f"{payment.surplus_amount.major:f}",
        "returned_amount": f"{Money(payment.handed_back_minor, currency).major:f}",
        "currency": currency,
        "payment_method": payment.method.value if payment.method else "",
        "failure_code": payment.failure_code,
    }
    if taken.amounts:
        told["taken_back"] = [
            {"how": taking, "amount": f"{amount.major:f}", "currency": amount.currency}
            for taking, amount in taken.amounts
        ]
    return told
