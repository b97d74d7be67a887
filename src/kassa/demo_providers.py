"""The demo's accounts at simulated providers: the same secrets on both sides, and one address."""

import asyncio
import json
import secrets
import time
from typing import Any

import msgspec
import structlog

from kassa import installation, private_files
from kassa.connectors.http import Answered
from kassa.domain.errors import InvalidRequest
from kassa.settings import Settings
from kassa.usecases.core import Core
from kassa.usecases.provider_accounts import NewAccount, put_account, stored_accounts

_log = structlog.get_logger("kassa.demo")
_WALLET_CLIENT = "5X00000000000001"
_KEYS = "provider_keys.json"
_LOOPBACK = "http://127.0.0.1:"
_PATIENCE_SECONDS = 60.0  # seconds, not money: the simulator starts while we do
_GLANCE_SECONDS = 0.5  # seconds, not money


async def register(core: Core, settings: Settings, company_id: str) -> None:
    """Give the demo company its accounts; safe to repeat.

    One that somebody has pointed at a real provider meanwhile is left as it is.
    """
    where = settings.simulator_url
    if not where:
        return
    are_new = not (settings.demo_directory / _KEYS).exists()
    known = await stored_accounts(core, company_id)
    for name, (connector, values) in _wanted(settings, where).items():
        there = known[name].settings.get("base_url", "") if name in known else _LOOPBACK
        if not there.startswith(_LOOPBACK) or (there == values["base_url"] and not are_new):
            continue
        account = NewAccount(company_id=company_id, name=name, connector=connector, settings=values)
        try:
            await put_account(core, account)
        except InvalidRequest as error:
            _log.warning("the demo goes without an account", account=name, reason=error.message)


def _wanted(settings: Settings, where: str) -> dict[str, tuple[str, dict[str, str]]]:
    """By name: the connector of the account, and its settings."""
    keys, folder = _keys(settings), settings.demo_directory
    return {
        "stripe": ("stripe", {**keys["stripe"], "base_url": f"{where}/stripe"}),
        "razorpay": ("razorpay", {**keys["razorpay"], "base_url": f"{where}/razorpay/v1"}),
        "cashfree": ("cashfree", {**keys["cashfree"], "base_url": f"{where}/cashfree/pg"}),
        "partner-wallet": (
            "wallet",
            {
                "client_id": _WALLET_CLIENT,
                "private_key": (folder / "partner_wallet_merchant_key.pem").read_text(),
                "wallet_public_key": _public(folder / "partner_wallet_key.pem"),
                "base_url": f"{where}/wallet",
            },
        ),
    }


async def introduce(core: Core, settings: Settings) -> None:
    """Tell the simulator of the demo's accounts, as soon as it listens."""
    where = settings.simulator_url
    until = time.monotonic() + _PATIENCE_SECONDS
    for merchant in _merchants(settings) if where else ():
        body = msgspec.json.encode(merchant)
        headers = {"Content-Type": "application/json"}
        while time.monotonic() < until:
            answer = await core.egress.post(
                f"{where}/_simulator/merchants", headers=headers, body=body, allow_loopback=True
            )
            if isinstance(answer, Answered) and answer.status < 300:
                break
            await asyncio.sleep(_GLANCE_SECONDS)
        else:
            _log.warning("the simulator does not listen", address=where)
            return


def _merchants(settings: Settings) -> list[dict[str, Any]]:
    """The simulator's side of what both share."""
    keys, folder = _keys(settings), settings.demo_directory
    alipay = {
        "app_id": settings.alipay.app_id if settings.alipay else "",
        "seller_id": "2088102116773000",
        "app_public_key": _public(folder / "alipay_app_key.pem"),
        "private_key": (folder / "alipay_platform_key.pem").read_text(),
    }
    wallet = {
        "client_id": _WALLET_CLIENT,
        "merchant_public_key": _public(folder / "partner_wallet_merchant_key.pem"),
        "private_key": (folder / "partner_wallet_key.pem").read_text(),
    }
    return [
        *(_merchant(settings, name, name, keys[name]) for name in keys),
        _merchant(settings, "alipay", "alipay", alipay),
        _merchant(settings, "wallet", "partner-wallet", wallet),
    ]


def _merchant(
    settings: Settings, provider: str, account: str, credentials: dict[str, str]
) -> dict[str, Any]:
    return {
        "provider": provider,
        "name": account,
        "credentials": credentials,
        "notify_url": f"{settings.url}/providers/{account}",
    }


def _keys(settings: Settings) -> dict[str, dict[str, str]]:
    """Credentials of those providers that give out texts, not key files."""
    folder = settings.demo_directory
    path = folder / _KEYS
    if not path.exists():
        invented = {
            "stripe": {
                "secret_key": f"sk_test_{secrets.token_hex(16)}",
                "webhook_secret": f"whsec_{secrets.token_hex(16)}",
            },
            "razorpay": {
                "key_id": f"rzp_test_{secrets.token_hex(7)}",
                "key_secret": secrets.token_hex(12),
                "webhook_secret": secrets.token_hex(16),
            },
            "cashfree": {
                "client_id": f"TEST{secrets.token_hex(10)}",
                "client_secret": f"cfsk_ma_test_{secrets.token_hex(16)}",
            },
        }
        private_files.write(path, json.dumps(invented).encode(), replace=False)
    for name in ("partner_wallet_merchant_key.pem", "partner_wallet_key.pem"):
        if not (folder / name).exists():
            private_files.write(folder / name, installation.rsa_pem(), replace=False)
    read: dict[str, dict[str, str]] = msgspec.json.decode(path.read_bytes())
    return read


def _public(path: Any) -> str:
    return installation.public_pem(path.read_bytes()).decode()
