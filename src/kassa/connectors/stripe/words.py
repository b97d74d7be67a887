"""Stripe's reasons for not taking money, in our words.

Source: https://docs.stripe.com/declines/codes and https://docs.stripe.com/error-codes
"""

from collections.abc import Mapping

from kassa.connectors.base import Declined
from kassa.connectors.stripe.transport import StripeRefusal

_MESSAGES: Mapping[str, str] = {
    "card_declined": "The card was declined. Its bank can say why.",
    "insufficient_funds": "There is not enough money on the card.",
    "expired_card": "The card has expired, or its date is wrong.",
    "incorrect_cvc": "The card's security code is wrong.",
    "invalid_card_number": "The card's number is wrong.",
    "card_not_supported": "This card cannot be used for this payment.",
    "payer_refused": "The payer could not be confirmed by the card's bank.",
    "payer_too_late": "The payment was not confirmed in time.",
    "currency_unsupported": "This cannot be paid in this currency.",
    "amount_out_of_range": "Stripe does not take an amount like this.",
    "provider_unavailable": "The card could not be charged at the moment; try again.",
    "request_refused": "Stripe could not take this payment.",
    "token_unknown": "Stripe does not know this card; enter it again.",
    "closed": "The payment was closed.",
    "voided": "The reserved money was let go.",
    "authorization_expired": "The reservation of the money has ended.",
    "already_captured": "The reserved money was captured already.",
    "not_authorized": "No money is reserved.",
    "not_captured": "There is no captured money to give back.",
    "amount_too_large": "That is more than is left.",
    "balance_too_low": "There is not enough money on the Stripe account to refund from.",
    "charge_disputed": "The payment is disputed and cannot be refunded.",
    "refund_refused": "Stripe could not give the money back.",
    "expired": "There is too little time left to pay this with Stripe.",
}
"""What each of our codes means, fit for a payer to read."""

REASONS: Mapping[str, str] = {
    "approve_with_id": "card_declined",
    "authentication_not_handled": "payer_refused",
    "authentication_required": "card_declined",
    "call_issuer": "card_declined",
    "card_decline_rate_limit_exceeded": "card_declined",
    "card_declined": "card_declined",
    "card_not_supported": "card_not_supported",
    "card_velocity_exceeded": "insufficient_funds",
    "currency_not_supported": "currency_unsupported",
    "do_not_honor": "card_declined",
    "do_not_try_again": "card_declined",
    "duplicate_transaction": "card_declined",
    "expired_card": "expired_card",
    "fraudulent": "card_declined",
    "generic_decline": "card_declined",
    "incorrect_address": "card_declined",
    "incorrect_cvc": "incorrect_cvc",
    "incorrect_number": "invalid_card_number",
    "incorrect_pin": "card_declined",
    "incorrect_zip": "card_declined",
    "insufficient_funds": "insufficient_funds",
    "invalid_account": "card_declined",
    "invalid_amount": "amount_out_of_range",
    "invalid_cvc": "incorrect_cvc",
    "invalid_expiry_month": "expired_card",
    "invalid_expiry_year": "expired_card",
    "invalid_number": "invalid_card_number",
    "invalid_pin": "card_declined",
    "issuer_not_available": "provider_unavailable",
    "live_mode_test_card": "card_not_supported",
    "lost_card": "card_declined",
    "merchant_blacklist": "card_declined",
    "new_account_information_available": "card_declined",
    "no_action_taken": "card_declined",
    "not_permitted": "card_declined",
    "offline_pin_required": "card_declined",
    "online_or_offline_pin_required": "card_declined",
    "payment_intent_authentication_failure": "payer_refused",
    "payment_intent_payment_attempt_expired": "payer_too_late",
    "payment_intent_payment_attempt_failed": "card_declined",
    "payment_method_customer_decline": "payer_refused",
    "payment_method_not_available": "provider_unavailable",
    "payment_method_provider_decline": "card_declined",
    "payment_method_provider_timeout": "provider_unavailable",
    "pickup_card": "card_declined",
    "pin_try_exceeded": "card_declined",
    "processing_error": "provider_unavailable",
    "reenter_transaction": "provider_unavailable",
    "restricted_card": "card_declined",
    "revocation_of_all_authorizations": "card_declined",
    "revocation_of_authorization": "card_declined",
    "security_violation": "card_declined",
    "service_not_allowed": "card_not_supported",
    "setup_intent_authentication_failure": "payer_refused",
    "stolen_card": "card_declined",
    "stop_payment_order": "card_declined",
    "testmode_decline": "card_not_supported",
    "transaction_not_allowed": "card_not_supported",
    "try_again_later": "provider_unavailable",
    "withdrawal_count_limit_exceeded": "insufficient_funds",
}
"""Decline codes and, where there is none, error codes. What is not here is `card_declined`: that
nothing was taken is said by the status, and this only says why."""

_SOFT = frozenset({"approve_with_id"})
"""Reasons of the moment beside those that are `provider_unavailable`."""

_REFUSED_CHARGES: Mapping[str, str] = {
    "amount_too_small": "amount_out_of_range",
    "amount_too_large": "amount_out_of_range",
    "parameter_invalid_integer": "amount_out_of_range",
    "currency": "currency_unsupported",
    "payment_method": "token_unknown",
}
"""Why Stripe takes no such charge, by the error's code or else its parameter. All lie with Stripe
or with this account of it, so another provider may take it."""

_REFUSED_CHANGES: Mapping[str, str] = {
    "amount_too_large": "amount_too_large",
    "amount": "amount_too_large",
    "amount_to_capture": "amount_too_large",
    "balance_insufficient": "balance_too_low",
    "insufficient_funds": "balance_too_low",
    "charge_already_captured": "already_captured",
    "charge_already_refunded": "amount_too_large",
    "charge_disputed": "charge_disputed",
    "charge_exceeds_source_limit": "amount_too_large",
    "charge_expired_for_capture": "authorization_expired",
    "charge_not_refundable": "refund_refused",
    "refund_disputed_payment": "charge_disputed",
    "payment_intent": "not_captured",
}
"""Why Stripe makes no such capture or refund, by the error's code or else its parameter."""

REFUND_FAILURES: Mapping[str, str] = {
    "charge_for_pending_refund_disputed": "charge_disputed",
    "declined": "refund_refused",
    "expired_or_canceled_card": "refund_refused",
    "insufficient_funds": "balance_too_low",
    "lost_or_stolen_card": "refund_refused",
    "merchant_request": "refund_refused",
    "unknown": "refund_refused",
}
"""Why a refund failed that had been accepted; a word that is not here is `refund_refused`."""


def declined(
    code: str, *, reference: str = "", provider_code: str = "", soft: bool = False
) -> Declined:
    """A refusal in our word `code`. `soft`: it lies with Stripe, whatever the word."""
    return Declined(
        code=code,
        message=_MESSAGES[code],
        reference=reference,
        provider_code=provider_code,
        soft=soft or code == "provider_unavailable" or provider_code in _SOFT,
    )


def declined_for(reason: str, *, reference: str = "") -> Declined:
    """A refusal for `reason`, a decline code or an error code of Stripe's."""
    return declined(REASONS.get(reason, "card_declined"), reference=reference, provider_code=reason)


def charge_refused(refusal: StripeRefusal) -> Declined:
    """What a refusal means that is not about a card: the same request can never be taken."""
    said = refusal.code or refusal.param
    known = _REFUSED_CHARGES.get(refusal.code) or _REFUSED_CHARGES.get(refusal.param)
    return declined(known or "request_refused", provider_code=said, soft=True)


def change_refused(refusal: StripeRefusal) -> Declined:
    """What a refusal of a capture, void or refund means."""
    said = refusal.code or refusal.param
    known = _REFUSED_CHANGES.get(refusal.code) or _REFUSED_CHANGES.get(refusal.param)
    return declined(known or "request_refused", provider_code=said)
