"""The demo's account at the simulated Alipay. It is the installation's own, as one in the settings
file is, and there without the simulator too: an address is only signed here."""

from collections.abc import Mapping

from kassa.connectors.declared import DemoAccount, Shared

_APP_ID = "2021000000000001"
_SELLER = "2088102116773000"
_OURS, _THEIRS = "alipay_app", "alipay_platform"


def _settings(shared: Shared) -> Mapping[str, str]:
    account = {
        "app_id": _APP_ID,
        "private_key_path": str(shared.keys[_OURS].private_path),
        "public_key_path": str(shared.keys[_THEIRS].public_path),
    }
    if shared.simulator:
        account["gateway"] = f"{shared.simulator}/alipay/gateway.do"
    return account


def _credentials(shared: Shared) -> Mapping[str, str]:
    return {
        "app_id": _APP_ID,
        "seller_id": _SELLER,
        "app_public_key": shared.keys[_OURS].public,
        "private_key": shared.keys[_THEIRS].private,
    }


DEMO = DemoAccount(
    account="alipay",
    keys=(_OURS, _THEIRS),
    settings=_settings,
    credentials=_credentials,
    is_installations=True,
)
