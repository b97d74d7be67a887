"""The notification of a payment, as posted to paymentNotifyUrl: its body, signature, receipt."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from kassa.base.domain.secret import Secret
from kassa.base.usecases.core import Core, WebhookRequest
from kassa.faces import edge
from kassa.faces.wallet import changes_contract, contract, own_keys, signature
from kassa.identity.domain.principals import Company
from kassa.modifications.domain.refunds import OF_A_REFUND
from kassa.orders.domain.orders import Order
from kassa.payments.domain.changes import News, WebhookEvent
from kassa.payments.domain.modifications import Modification
from kassa.payments.domain.payments import Payment
from kassa.payments.domain.taken_back import NOTHING_TAKEN, TakenBack

KIND = "wallet"
REFUND_KIND = KIND + OF_A_REFUND


class SignedNotifications:
    """What all notifications of the family share: the wallet's signature, and when they are sent
    again."""

    # The family publishes none; this is what its nearest relatives keep: eight in 24 hours.
    schedule = (
        timedelta(0),
        timedelta(minutes=2),
        timedelta(minutes=10),
        timedelta(minutes=10),
        timedelta(hours=1),
        timedelta(hours=2),
        timedelta(hours=6),
        timedelta(hours=15),
    )

    def _signed(
        self, core: Core, announcement: WebhookEvent, client_id: str, body: bytes
    ) -> WebhookRequest:
        now = contract.write_time(datetime.now(UTC))
        target = signature.target_of_url(announcement.url)
        signed = signature.Signed("POST", target, client_id, now, body)
        headers = {
            "Client-Id": client_id,
            "Request-Time": now,
            "Signature": own_keys.sign(core, signed),
            "Content-Type": contract.CONTENT_TYPE,
        }
        return WebhookRequest(headers=headers, body=body)

    def arrived(self, status: int, body: bytes) -> bool:
        """Only HTTP 200 with resultStatus S; F, U and whatever cannot be read are sent again."""
        if status != 200:
            return False
        try:
            answer: Any = json.loads(body)
        except (ValueError, RecursionError):
            return False
        result = answer.get("result") if isinstance(answer, dict) else None
        return isinstance(result, dict) and result.get("resultStatus") == contract.S


class WalletNotifications(SignedNotifications):
    """The superset of the family's three notification bodies, signed with the wallet's own key.

    A receiver reads paymentStatus or paymentResult, whichever its version of the family knows.
    """

    def content(self, news: News, order: Order) -> bytes:
        return edge.to_json(write_notification(news.payment, news.taken))

    def recipient(self, news: News) -> str:
        """The client that asked for the payment."""
        return str(news.payment.extra["client_id"])

    def sign(
        self, core: Core, event: WebhookEvent, company: Company, secrets: Sequence[Secret] = ()
    ) -> WebhookRequest:
        return self._signed(core, event, event.recipient, event.content)


class WalletRefundNotifications(WalletNotifications):
    """Notifications of one refund, to the address that was named with it."""

    def content(self, news: News, order: Order) -> bytes:
        refund = _refund_of(news)
        return edge.to_json(changes_contract.write_refund_state(refund, refund.request_scope))

    def recipient(self, news: News) -> str:
        """The client that asked for the refund: only it has given an address."""
        return _refund_of(news).request_scope.partition(":")[2]


def _refund_of(news: News) -> Modification:
    if not isinstance(news.about, Modification):
        raise TypeError(f"{news.event.id} is of no refund")
    return news.about


def write_notification(payment: Payment, taken: TakenBack = NOTHING_TAKEN) -> contract.Answer:
    """How the payment stands; paymentResult is S only for money that came to stay, or that is
    reserved where reserving was asked for. What went back since, or was taken back, has members
    of its own: an S is as final as an F."""
    state = contract.write_state(payment, taken)
    result = contract.pay_result(payment)
    if result.status == contract.S and state["paymentStatus"] not in ("SUCCESS", "AUTH_SUCCESS"):
        result = contract.WalletResult("UNKNOWN_EXCEPTION")
    return state | {"paymentResult": result.write()}
