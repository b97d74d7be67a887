"""The demo's account at the simulated Stripe."""

import secrets
from collections.abc import Mapping

from kassa.connectors.declared import DemoAccount


def _invent() -> Mapping[str, str]:
    return {
        "secret_key": f"sk_test_{secrets.token_hex(16)}",
        "webhook_secret": f"whsec_{secrets.token_hex(16)}",
    }


DEMO = DemoAccount(account="stripe", base_path="/stripe", invent=_invent, turn=1)
