"""What Stripe is asked to collect: with a token at once, or at a page of its own.

Source: https://docs.stripe.com/api/payment_intents/create and
https://docs.stripe.com/api/checkout/sessions/create
"""

from datetime import timedelta
from typing import TYPE_CHECKING

from kassa.base.domain.money import Money
from kassa.connectors.base import ChargeRequest, Declined
from kassa.connectors.payer import line_of
from kassa.connectors.stripe.currencies import to_stripe
from kassa.connectors.stripe.intents import EXPANDED
from kassa.connectors.stripe.objects import KEY, ORDER, PAGE
from kassa.connectors.stripe.transport import StripeRefusal
from kassa.connectors.stripe.words import declined

if TYPE_CHECKING:
    from stripe.params import PaymentIntentCreateParams
    from stripe.params.checkout import SessionCreateParams

_MARGIN = timedelta(minutes=1)  # Stripe's clock is not ours
_SHORTEST = timedelta(minutes=30) + _MARGIN
_LONGEST = timedelta(hours=24) - _MARGIN
_LONGEST_NAME = 250
_LONGEST_DESCRIPTION = 1000
_LONGEST_NOTE = 500  # characters of a metadata value
_TOKEN = "pm_"


def refusal(request: ChargeRequest) -> Declined | None:
    """Why Stripe could never collect this, or None."""
    if request.amount.minor <= 0 or to_stripe(request.amount) is None:
        return declined("amount_out_of_range", soft=True)
    if request.instrument and not request.instrument.startswith(_TOKEN):
        return declined("card_not_supported")
    if not request.instrument and request.expires_at <= request.now:
        return declined("expired")
    return None


def units(money: Money) -> int:
    """Raises: ValueError where Stripe cannot take exactly this much."""
    amount = to_stripe(money)
    if amount is None:
        raise ValueError("Stripe has no such amount")
    return amount


def intent_parameters(request: ChargeRequest, back: str) -> "PaymentIntentCreateParams":
    """A payment intent that is confirmed as it is made. `back`: where the payer returns to."""
    return {
        "amount": units(request.amount),
        "currency": request.amount.currency.lower(),
        "payment_method": request.instrument,
        "confirm": True,
        "capture_method": "automatic" if request.capture else "manual",
        "error_on_requires_action": False,
        "return_url": back,
        "description": _description(request),
        "metadata": _notes(request),
        "expand": EXPANDED,
    }


def session_parameters(request: ChargeRequest, back: str) -> "SessionCreateParams":
    """A page of Stripe's that takes the card. It stays open for 30 minutes at the least, also
    when the payment ends before: it is closed then."""
    lifetime = min(max(request.expires_at - request.now, _SHORTEST), _LONGEST)
    name = line_of(request.subject, _LONGEST_NAME) or f"Order {request.order_id}"
    return {
        "mode": "payment",
        "allowed_payment_method_types": ["card"],
        "line_items": [
            {
                "quantity": 1,
                "price_data": {
                    "currency": request.amount.currency.lower(),
                    "unit_amount": units(request.amount),
                    "product_data": {"name": name[:_LONGEST_NAME]},
                },
            }
        ],
        "payment_intent_data": {
            "capture_method": "automatic" if request.capture else "manual",
            "description": _description(request),
            "metadata": {**_notes(request), PAGE: "checkout"},
        },
        "success_url": back,
        "cancel_url": back,
        "expires_at": int((request.now + lifetime).timestamp()),
        "client_reference_id": request.key,
        "metadata": _notes(request),
    }


def _notes(request: ChargeRequest) -> dict[str, str]:
    return {KEY: request.key, ORDER: request.order_id[:_LONGEST_NOTE]}


def _description(request: ChargeRequest) -> str:
    words = line_of(request.description, _LONGEST_DESCRIPTION) or line_of(
        request.subject, _LONGEST_DESCRIPTION
    )
    return words or f"Order {request.order_id}"[:_LONGEST_DESCRIPTION]


def is_optional(refusal: StripeRefusal) -> bool:
    """Whether it was refused over something that Stripe can do without, before anything was
    made."""
    said = refusal.param.replace("]", "").split("[")
    optional = {"description", "name", ORDER}
    return refusal.status == 400 and refusal.intent is None and said[-1] in optional
