"""The demo company as tests use it: one set of credentials per run, registered per database."""

from dataclasses import dataclass
from pathlib import Path

from kassa import demo
from kassa.settings import Settings


@dataclass(frozen=True)
class DemoCompany:
    """Credentials for every face, as `kassa demo --json` gives them."""

    company_id: str
    business_id: str
    api_key: str
    orders_client_id: str
    orders_client_secret: str
    customer_username: str
    customer_token: str
    other_customer_username: str
    other_customer_token: str
    wallet_client_id: str
    wallet_key_version: str
    wallet_private_key_pem: bytes
    wallet_server_public_key_pem: bytes
    wallet_user_id: str
    wallet_auth_code: str
    wallet_user_secret: str


def read(settings: Settings) -> DemoCompany:
    shown = demo.shown(settings)
    wallet, user = shown["wallet"], shown["wallet_user"]
    return DemoCompany(
        company_id=shown["company_id"],
        business_id=shown["business_id"],
        api_key=shown["api_key"],
        orders_client_id=shown["orders"]["client_id"],
        orders_client_secret=shown["orders"]["client_secret"],
        customer_username=shown["customer"]["username"],
        customer_token=shown["customer"]["token"],
        other_customer_username=shown["other_customer"]["username"],
        other_customer_token=shown["other_customer"]["token"],
        wallet_client_id=wallet["client_id"],
        wallet_key_version=wallet["key_version"],
        wallet_private_key_pem=Path(wallet["private_key_path"]).read_bytes(),
        wallet_server_public_key_pem=Path(wallet["server_public_key_path"]).read_bytes(),
        wallet_user_id=user["user_id"],
        wallet_auth_code=user["auth_code"],
        wallet_user_secret=user["secret"],
    )
