"""The signed notification a merchant's notify_url receives, as Standard Webhooks 1.0.0 words it."""

import base64
import hashlib
import hmac
import time
from collections.abc import Sequence
from datetime import timedelta

import msgspec

from kassa.base.domain.money import Money
from kassa.base.domain.secret import Secret
from kassa.base.usecases.core import Core, WebhookRequest
from kassa.faces import edge
from kassa.faces.orders.resources import PAYMENT_WORD, order_word
from kassa.identity.domain.principals import Company
from kassa.orders.domain.orders import Order
from kassa.payments.domain.changes import News, WebhookEvent
from kassa.payments.domain.disputes import Dispute
from kassa.payments.domain.modifications import Modification


def write_secret(secret: Secret) -> str:
    """What the merchant verifies with: `whsec_` and 32 bytes in base64. Never to be logged."""
    return "whsec_" + base64.b64encode(secret.reveal()).decode("ascii")


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

    def content(self, news: News, order: Order) -> bytes:
        """The member `data`."""
        return edge.to_json(_content(news, order))

    def recipient(self, news: News) -> str:
        """Nobody but the company."""
        return ""

    def sign(
        self, core: Core, event: WebhookEvent, company: Company, secrets: Sequence[Secret] = ()
    ) -> WebhookRequest:
        """Signed by each of the secrets that the company may verify with."""
        body = edge.to_json(
            {
                "type": event.event_type,
                "timestamp": edge.utc_text(event.at),
                "mode": company.mode,
                "data": msgspec.Raw(event.content),
            }
        )
        now = str(int(time.time()))
        signed = f"{event.id}.{now}.".encode() + body
        signatures = [hmac.digest(one.reveal(), signed, hashlib.sha256) for one in secrets]
        headers = {
            "content-type": "application/json",
            "webhook-id": event.id,
            "webhook-timestamp": now,
            "webhook-signature": " ".join(
                "v1," + base64.b64encode(one).decode("ascii") for one in signatures
            ),
        }
        return WebhookRequest(headers=headers, body=body)

    def arrived(self, status: int, body: bytes) -> bool:
        """Any 2xx; what the answer says does not matter."""
        return 200 <= status < 300


def _content(news: News, order: Order) -> dict[str, object]:
    """Ids, amounts and status; whoever reads along learns nothing of the customer.

    All of it is as it stood at `version`, the change that is announced: a receiver that ignores a
    version it has passed already loses nothing. `surplus_amount` is what came in although nobody
    owed it, also beside a payment that counts; `returned_amount` is what refunds gave back,
    and `disputed_amount` what banks have, of either. `taken_back` says how a bank has what, also
    in another currency. `unapplied_amount` came by transfer while more is owed. The one refund,
    capture, dispute or return that the news is of has a member of its own.
    """
    payment, taken = news.payment, news.taken
    currency = payment.amount.currency
    disputed = Money(payment.disputed_minor, currency) + taken.of_surplus(payment)
    told: dict[str, object] = {
        "business_id": payment.business_id,
        "order_id": order.id,
        "payment_id": payment.id,
        "version": news.event.version,
        "order_status": order_word(order, [payment]),
        "payment_status": PAYMENT_WORD[payment.status],
        "amount": f"{payment.amount.major:f}",
        "captured_amount": f"{payment.captured.major:f}",
        "refunded_amount": f"{payment.refunded.major:f}",
        "disputed_amount": f"{disputed.major:f}",
        "surplus_amount": f"{payment.surplus_amount.major:f}",
        "returned_amount": f"{taken.all_refunded_of(payment).major:f}",
        "unapplied_amount": f"{payment.unapplied.major:f}",
        "currency": currency,
        "payment_method": payment.method.value if payment.method else "",
        "failure_code": payment.failure_code,
    }
    if taken.together.amounts:
        told["taken_back"] = [
            {"how": taking, "amount": f"{amount.major:f}", "currency": amount.currency}
            for taking, amount in taken.together.amounts
        ]
    match news.about:
        case Modification() as change:
            told[change.kind.value] = _change(change)
        case Dispute() as dispute:
            told["return" if dispute.is_return else "dispute"] = _dispute(dispute)
    return told


def _change(change: Modification) -> dict[str, object]:
    """`refund_id`, `capture_id`: the merchant's own, where they gave one; `id` is Kassa's."""
    return {
        "id": change.id,
        f"{change.kind.value}_id": change.request_id or change.id,
        "amount": f"{change.amount.major:f}",
        "currency": change.amount.currency,
        "status": change.status.value,
        "reason": change.reason,
        "failure_code": change.failure_code,
    }


def _dispute(dispute: Dispute) -> dict[str, object]:
    """`amount` is what it is about, `taken_amount` what has left for it by now."""
    return {
        "id": dispute.id,
        "amount": f"{dispute.amount.major:f}",
        "currency": dispute.amount.currency,
        "taken_amount": f"{dispute.taken.major:f}",
        "status": dispute.status.value,
        "reason": dispute.reason,
        "respond_by": edge.utc_text(dispute.respond_by) if dispute.respond_by else None,
    }
