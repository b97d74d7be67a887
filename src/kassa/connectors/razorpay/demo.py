"""The demo's account at the simulated Razorpay."""

import secrets
from collections.abc import Mapping

from kassa.connectors.declared import DemoAccount


def _invent() -> Mapping[str, str]:
    return {
        "key_id": f"rzp_test_{secrets.token_hex(7)}",
        "key_secret": secrets.token_hex(12),
        "webhook_secret": secrets.token_hex(16),
    }


DEMO = DemoAccount(account="razorpay", base_path="/razorpay/v1", invent=_invent, turn=2)
