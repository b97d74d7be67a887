"""A payment intent pays, is authorized, needs the payer, or is declined."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from kassa_simulator.frame import Books, Call, Change, Charge, Merchant
from kassa_simulator.stripe import disputes
from kassa_simulator.stripe.asked import NAME, numbered, seconds, tell
from kassa_simulator.stripe.balance import enter, fee_of
from kassa_simulator.stripe.cards import (
    AUTHENTICATES,
    DECLINES,
    DISPUTES,
    GENERIC,
    Decline,
)
from kassa_simulator.stripe.errors import CARD, StripeError
from kassa_simulator.stripe.rendering import AUTHORIZED_FOR, charge_json, intent_json

_FRAME_STATUS = {
    "requires_payment_method": "waiting",
    "requires_confirmation": "waiting",
    "requires_action": "waiting",
    "requires_capture": "authorized",
    "succeeded": "captured",
}


class Payer:
    """Changes one intent and tells the merchant. `call`: the request that wants it, if any."""

    def __init__(
        self, books: Books, merchant: Merchant, now: datetime, call: Call | None = None
    ) -> None:
        self.books = books
        self.merchant = merchant
        self.now = now
        self.call = call

    def save(self, charge: Charge, status: str, **data: Any) -> Charge:
        """The intent with a new status; the frame's own status follows."""
        charge = replace(
            charge,
            status=_FRAME_STATUS.get(status, charge.status),
            updated_at=self.now,
            data={**charge.data, "status": status, **data},
        )
        self.books.save_charge(charge)
        return charge

    def tell(self, event: str, charge: Charge, thing: Mapping[str, Any] | None = None) -> None:
        if charge.data["hidden"]:
            return  # nobody hears of an intent that nobody has seen
        tell(
            self.books,
            self.merchant,
            event,
            charge.id,
            intent_json(charge) if thing is None else thing,
            self.call,
        )

    def confirm(self, charge: Charge, *, return_url: str, decline: bool, alone: bool) -> Charge:
        """Try to pay with its payment method. `alone`: without the payer (off session).

        Raises: StripeError when the card is declined; the books hold that it was.
        """
        method = charge.data["payment_method"]
        refusal = DECLINES.get(method) or (GENERIC if decline else None)
        if refusal is None and method in AUTHENTICATES:
            if not alone:
                return self._send_to_bank(charge, return_url)
            refusal = Decline(
                "authentication_required",
                "authentication_required",
                "Your card was declined. This transaction requires authentication.",
            )
        if refusal is not None:
            raise self.refuse(charge, refusal)
        return self.pay(charge)

    def _send_to_bank(self, charge: Charge, return_url: str) -> Charge:
        origin = self.call.origin if self.call else ""
        page = f"{origin}/{NAME}/authenticate/{charge.id}"
        action: dict[str, Any] = {"type": "use_stripe_sdk", "use_stripe_sdk": {}}
        if return_url:
            there = {"return_url": return_url, "url": page}
            action = {"type": "redirect_to_url", "redirect_to_url": there}
        charge = self.save(charge, "requires_action", next_action=action, return_url=return_url)
        self.tell("payment_intent.requires_action", charge)
        return charge

    def pay(self, charge: Charge) -> Charge:
        """The bank says yes: reserve it, and take it unless it is to be captured by hand."""
        kept = self._try(charge, None)
        holds = charge.data["capture_method"] == "manual"
        charge = replace(charge, authorized_minor=charge.amount_minor)
        charge = self.save(
            charge,
            "requires_capture",
            latest_charge=kept["id"],
            next_action=None,
            last_payment_error=None,
            capture_before=seconds(self.now + AUTHORIZED_FOR),
        )
        if holds:
            held = {"intent": charge.id, "until": charge.data["capture_before"]}
            self.books.put(NAME, "held", charge.id, held)
            self.tell("charge.succeeded", charge, charge_json(self.books, charge, kept))
            self.tell("payment_intent.amount_capturable_updated", charge)
            return charge
        charge = self.take(charge, charge.amount_minor)
        self.tell("charge.succeeded", charge, self._latest(charge))
        self.tell("payment_intent.succeeded", charge)
        if charge.data["payment_method"] in DISPUTES:
            charge = self._disputed(charge)
        return charge

    def capture(self, charge: Charge, amount: int, key: str) -> Charge:
        """Take part of what is reserved; the rest is let go."""
        self.books.add_change(
            Change(
                provider=NAME,
                merchant=charge.merchant,
                id=self.books.new_id("cap_", charge.id),
                key=key,
                charge_id=charge.id,
                kind="capture",
                amount_minor=amount,
                status="done",
                created_at=self.now,
            )
        )
        charge = self.take(charge, amount)
        self.tell("charge.captured", charge, self._latest(charge))
        self.tell("payment_intent.succeeded", charge)
        if charge.data["payment_method"] in DISPUTES:
            charge = self._disputed(charge)
        return charge

    def _disputed(self, charge: Charge) -> Charge:
        asks = charge.data["payment_method"].endswith("Inquiry")
        return disputes.open_dispute(self.books, self.merchant, charge, self.now, asks=asks)

    def take(self, charge: Charge, amount: int) -> Charge:
        latest = charge.data["latest_charge"]
        fee = fee_of(amount)
        entry = enter(
            self.books,
            charge.merchant,
            latest,
            "charge",
            amount,
            charge.currency,
            fee=fee,
            at=self.now,
        )
        kept = self.books.get(NAME, "charge", latest) or {}
        self.books.put(NAME, "charge", latest, {**kept, "balance_transaction": entry})
        charge = self.save(replace(charge, captured_minor=amount), "succeeded")
        self.books.move(charge, "charge", amount, at=self.now, fee_minor=fee)
        return charge

    def refuse(self, charge: Charge, refusal: Decline) -> StripeError:
        """The bank says no; the error to answer with."""
        failure = {"code": refusal.code, "message": refusal.message}
        if refusal.code != refusal.decline_code:
            failure["decline_code"] = refusal.decline_code
        kept = self._try(charge, failure)
        method = charge.data["payment_method"]
        error: dict[str, Any] = {
            "charge": kept["id"],
            "code": refusal.code,
            "decline_code": refusal.decline_code,
            "doc_url": f"https://stripe.com/docs/error-codes/{refusal.code.replace('_', '-')}",
            "message": refusal.message,
            "payment_method": method and {"id": method, "object": "payment_method", "type": "card"},
            "type": CARD,
        }
        charge = replace(charge, status="declined")
        self.books.save_charge(charge)
        charge = replace(
            self.save(
                charge,
                "requires_payment_method",
                latest_charge=kept["id"],
                next_action=None,
                last_payment_error=error,
                payment_method=None,
            ),
            status="declined",
        )
        self.books.save_charge(charge)
        self.tell("charge.failed", charge, charge_json(self.books, charge, kept))
        self.tell("payment_intent.payment_failed", charge)
        more = {**error, "payment_intent": intent_json(charge)}
        return StripeError(
            refusal.message, status=402, kind=CARD, code=refusal.code, kept=True, more=more
        )

    def fail_at_bank(self, charge: Charge) -> Charge:
        """The payer says no at the bank's page."""
        message = (
            "We are unable to authenticate your payment method. Please choose a different payment"
            " method and try again."
        )
        error = {
            "code": "payment_intent_authentication_failure",
            "message": message,
            "type": "invalid_request_error",
        }
        charge = self.save(
            charge,
            "requires_payment_method",
            next_action=None,
            last_payment_error=error,
            payment_method=None,
        )
        charge = replace(charge, status="declined")
        self.books.save_charge(charge)
        self.tell("payment_intent.payment_failed", charge)
        return charge

    def cancel(self, charge: Charge, reason: str | None) -> Charge:
        held = charge.data["status"] == "requires_capture"
        charge = replace(charge, status="voided" if held else "closed")
        charge = self.save(
            charge,
            "canceled",
            canceled_at=seconds(self.now),
            cancellation_reason=reason,
            next_action=None,
        )
        if held:
            self.tell("charge.refunded", charge, self._latest(charge))
        self.tell("payment_intent.canceled", charge)
        return charge

    def _try(self, charge: Charge, failure: Mapping[str, str] | None) -> dict[str, Any]:
        nth = numbered(self.books, "tries", charge.id)
        kept = {
            "id": self.books.new_id("ch_", charge.id, nth),
            "intent": charge.id,
            "merchant": charge.merchant,
            "created": seconds(self.now),
            "payment_method": charge.data["payment_method"],
            "failure": failure and dict(failure),
            "balance_transaction": None,
        }
        self.books.put(NAME, "charge", kept["id"], kept)
        return kept

    def _latest(self, charge: Charge) -> dict[str, Any]:
        kept = self.books.get(NAME, "charge", charge.data["latest_charge"]) or {}
        return charge_json(self.books, charge, kept)
