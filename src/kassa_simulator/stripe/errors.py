"""Stripe's error object. Source: https://docs.stripe.com/api/errors"""

from collections.abc import Mapping
from typing import Any

INVALID = "invalid_request_error"
CARD = "card_error"
IDEMPOTENCY = "idempotency_error"
_DOCUMENTATION = "https://stripe.com/docs/error-codes/"


class StripeError(Exception):
    """`kept`: whether an idempotency key remembers it; one found before the work began is not."""

    def __init__(
        self,
        message: str,
        *,
        status: int = 400,
        kind: str = INVALID,
        code: str = "",
        param: str = "",
        kept: bool = False,
        more: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.kept = kept
        self.body: dict[str, Any] = {"message": message, "type": kind, **(more or {})}
        if code:
            self.body |= {"code": code, "doc_url": _DOCUMENTATION + code.replace("_", "-")}
        if param:
            self.body["param"] = param


def missing(name: str) -> StripeError:
    return StripeError(f"Missing required param: {name}.", code="parameter_missing", param=name)


def no_such(kind: str, object_id: str, *, param: str = "id", status: int = 404) -> StripeError:
    return StripeError(
        f"No such {kind}: '{object_id}'", status=status, code="resource_missing", param=param
    )


def unexpected_state(message: str, intent: Mapping[str, Any]) -> StripeError:
    return StripeError(
        message,
        code="payment_intent_unexpected_state",
        kept=True,
        more={"payment_intent": dict(intent)},
    )
