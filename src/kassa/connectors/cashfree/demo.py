"""The demo's account at the simulated Cashfree."""

import secrets
from collections.abc import Mapping

from kassa.connectors.declared import DemoAccount


def _invent() -> Mapping[str, str]:
    return {
        "client_id": f"TEST{secrets.token_hex(10)}",
        "client_secret": f"cfsk_ma_test_{secrets.token_hex(16)}",
    }


DEMO = DemoAccount(account="cashfree", base_path="/cashfree/pg", invent=_invent, turn=3)
