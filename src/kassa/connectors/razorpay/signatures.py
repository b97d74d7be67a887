"""Razorpay's signatures: hexadecimal HMAC-SHA256, over webhooks and what browsers bring back.

Source: https://razorpay.com/docs/webhooks/validate-test/
"""

import hashlib
import hmac
from collections.abc import Mapping


def signed(secret: str, text: bytes, signature: str) -> bool:
    """Whether `signature` was made with `secret` over `text`; in the same time wherever it is
    wrong. Nothing is signed with an empty secret."""
    if not secret:
        return False
    right = hmac.new(secret.encode(), text, hashlib.sha256).hexdigest()
    return hmac.compare_digest(right.encode(), signature.encode(errors="replace"))


def checkout_is_genuine(key_secret: str, order_id: str, fields: Mapping[str, str]) -> bool:
    """What the hosted checkout posts to `callback_url` after a payment of `order_id`."""
    payment_id = fields.get("razorpay_payment_id", "")
    if not payment_id or fields.get("razorpay_order_id") != order_id:
        return False
    text = f"{order_id}|{payment_id}".encode(errors="replace")
    return signed(key_secret, text, fields.get("razorpay_signature", ""))
