"""Orders: for money that is only reserved at first. A payment link captures at once, whatever the
account's settings say, so such a charge is an order, and the payer goes to Razorpay's hosted
checkout, which wants a form posted to it by a page of ours.

Source: https://razorpay.com/docs/api/orders/ and
https://razorpay.com/docs/payments/payment-gateway/web-integration/hosted/
"""

from typing import Any

from kassa.base.domain.money import Money
from kassa.connectors.base import ActionNeeded, ChargeRequest, InDoubt, Pending
from kassa.connectors.forms import Form, FormCharge
from kassa.connectors.razorpay.api import Entity, entity, money, word
from kassa.connectors.razorpay.links import NOTE

MAX_NOTE = 256  # characters of a note
_HERE = "kassa_notify"


def order_content(request: ChargeRequest) -> dict[str, Any]:
    """What `POST /orders` is asked. The notes say where our page stands."""
    return {
        "amount": request.amount.minor,
        "currency": request.amount.currency,
        "receipt": request.key,
        "notes": {NOTE: request.key, _HERE: request.notify_url},
        "payment": {"capture": "manual"},
    }


def is_ours(order: Entity, key: str) -> bool:
    return word(order, "receipt") == key and bool(word(order, "id"))


def asks_for(order: Entity, amount: Money | None) -> bool:
    asked = money(order)
    return asked is not None and (amount is None or asked == amount)


def page_address(order: Entity) -> str:
    """Where our page stands that posts the checkout's form: under our own reference, which nobody
    can guess and which stays the same when the order is paid."""
    notes = entity(order, "notes")
    here, key = word(notes, _HERE), word(notes, NOTE)
    return f"{here}/pay/{key}" if here and key else ""


def checkout_form(charge: FormCharge, *, base_url: str, key_id: str) -> Form:
    """What that page posts."""
    return Form(
        action=f"{base_url.rstrip('/')}/checkout/embedded",
        fields={
            "key_id": key_id,
            "order_id": charge.reference,
            "amount": str(charge.amount.minor),
            "currency": charge.amount.currency,
            "callback_url": charge.returns_to,
            "cancel_url": charge.back,
        },
    )


def told_address(order: Entity, amount: Money | None) -> ActionNeeded | Pending | InDoubt:
    """Where its payer is sent, if this order is for that amount."""
    if not asks_for(order, amount):
        return InDoubt(reason="Razorpay's order is not for the amount that was asked")
    if address := page_address(order):
        return ActionNeeded(reference=word(order, "id"), url=address)
    return Pending(reference="")  # made with a link, or by nobody who could be sent there
