"""The demo's account at a simulated wallet, which is another one than Kassa's own."""

from collections.abc import Mapping

from kassa.connectors.declared import DemoAccount, Shared

_CLIENT = "5X00000000000001"
_OURS, _THEIRS = "partner_wallet_merchant", "partner_wallet"


def _settings(shared: Shared) -> Mapping[str, str]:
    return {
        "client_id": _CLIENT,
        "private_key": shared.keys[_OURS].private,
        "wallet_public_key": shared.keys[_THEIRS].public,
    }


def _credentials(shared: Shared) -> Mapping[str, str]:
    return {
        "client_id": _CLIENT,
        "merchant_public_key": shared.keys[_OURS].public,
        "private_key": shared.keys[_THEIRS].private,
    }


DEMO = DemoAccount(
    account="partner-wallet",
    base_path="/wallet",
    keys=(_OURS, _THEIRS),
    settings=_settings,
    credentials=_credentials,
)
