"""Orders: for money that is only reserved at first. A payment link captures at once, whatever the
account's settings say, so such a charge is an order, and the payer goes to Razorpay's hosted
checkout, which wants a form posted to it by a page of ours.

Source: https://razorpay.com/docs/api/orders/ and
https://razorpay.com/docs/payments/payment-gateway/web-integration/hosted/
"""

from collections.abc import Mapping
from typing import Any

from kassa.connectors.base import ChargeRequest
from kassa.connectors.forms import Form
from kassa.connectors.razorpay.api import Entity, entity, money, word
from kassa.connectors.razorpay.links import NOTE
from kassa.domain.money import Money

MAX_NOTE = 256  # characters of a note
_BACK, _HERE = "kassa_return", "kassa_notify"


def order_content(request: ChargeRequest) -> dict[str, Any]:
    """What `POST /orders` is asked. The notes hold what the checkout's form needs later."""
    return {
        "amount": request.amount.minor,
        "currency": request.amount.currency,
        "receipt": request.key,
        "notes": {NOTE: request.key, _BACK: request.return_url, _HERE: request.notify_url},
        "payment": {"capture": "manual"},
    }


def is_ours(order: Entity, key: str) -> bool:
    return word(order, "receipt") == key and bool(word(order, "id"))


def asks_for(order: Entity, amount: Money | None) -> bool:
    asked = money(order)
    return asked is not None and (amount is None or asked == amount)


def page_address(order: Entity) -> str:
    """Where our page stands that posts the checkout's form."""
    here = word(entity(order, "notes"), _HERE)
    return f"{here}/pay/{word(order, 'id')}" if here else ""


def return_address(order: Entity) -> str:
    return word(entity(order, "notes"), _BACK)


def checkout_form(order: Entity, *, base_url: str, key_id: str) -> Form | None:
    """What that page posts; None of an order that is paid or not ours."""
    here = word(entity(order, "notes"), _HERE)
    asked = money(order)
    if not here or asked is None or word(order, "status") not in ("created", "attempted"):
        return None
    fields: Mapping[str, str] = {
        "key_id": key_id,
        "order_id": word(order, "id"),
        "amount": str(asked.minor),
        "currency": asked.currency,
        "callback_url": f"{here}/paid/{word(order, 'id')}",
    }
    back = return_address(order)
    return Form(
        action=f"{base_url.rstrip('/')}/checkout/embedded",
        fields={**fields, "cancel_url": back} if back else fields,
    )
