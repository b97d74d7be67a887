"""The demo company: credentials for every face, kept in the data directory."""

import json
import secrets
import time
from collections.abc import Mapping
from typing import Any

import msgspec

from kassa import demo_providers, installation, private_files
from kassa.base.domain.errors import InvalidRequest
from kassa.base.domain.money import Money
from kassa.base.usecases.core import Core
from kassa.base.usecases.keyring import Purpose
from kassa.fees.usecases.fees import NewFeeRule, add_fee_rule, list_fee_rules
from kassa.identity.domain.principals import Company
from kassa.identity.usecases import companies
from kassa.identity.usecases.companies import NewCompany
from kassa.orders.domain.ownership import EVERY_ORDER
from kassa.settings import Settings
from kassa.wallet.usecases import wallet_codes, wallet_users
from kassa.wallet.usecases.wallet_codes import NewCode

_TOKEN_SECONDS = 24 * 3600  # a customer's token is minted anew by each `kassa demo`
# The first is the shop's own tester: the shop vouches for every order that names nobody else.
_CUSTOMERS: Mapping[str, Mapping[str, Any]] = {
    "demo_customer": {"email": "alice@example.com", "email_verified": True, "orders": EVERY_ORDER},
    "demo_other_customer": {"email": "bob@example.com", "email_verified": True},
}
_SANDBOX_FEES = (("payment", "2.9", "0.30"), ("dispute", "0", "15.00"))
_BALANCES = ("500000.00 CNY", "500000.00 USD", "500000 CLP", "500000.00 EUR", "50000000 JPY")


class Demo(msgspec.Struct, kw_only=True):
    """What is kept of the demo. `simulator_url`: where providers are played, "" where not.
    `wallet_auth_code`: an agreement's token, good for any number of payments.
    """

    company_id: str
    business_id: str
    api_key: str
    orders_client_id: str
    orders_client_secret: str
    jwt_key_id: str
    wallet_client_id: str
    wallet_user_id: str
    wallet_auth_code: str
    wallet_user_secret: str = ""
    base_url: str
    grpc_target: str
    simulator_url: str = ""


def prepare(settings: Settings) -> Settings:
    """Make the demo's key files; returns settings with the demo's accounts that are everybody's."""
    folder = settings.demo_directory
    for name, invent in (
        ("wallet_client_key.pem", installation.rsa_pem),
        ("customer_tokens_key.pem", installation.ec_pem),
    ):
        if not (folder / name).exists():
            private_files.write(folder / name, invent(), replace=False)
    return demo_providers.prepare(settings)


async def make(core: Core, settings: Settings) -> Demo:
    """Register the demo company and all its credentials in this database; safe to repeat."""
    known = _read(settings)
    demo = known or _invent(settings)
    demo.base_url = settings.url
    demo.grpc_target = f"{_loopback(settings.host)}:{settings.grpc_port}"
    demo.simulator_url = settings.simulator_url
    folder = settings.demo_directory
    company = await companies.add_company(
        core,
        NewCompany(
            id=demo.company_id,
            business_id=demo.business_id,
            name="Kassa Demo Shop",
            currency="CNY",
            sandbox=True,
        ),
    )
    await companies.put_api_key(core, company, demo.api_key)
    await companies.put_orders_client(
        core, company, demo.orders_client_id, demo.orders_client_secret
    )
    tokens = installation.public_pem((folder / "customer_tokens_key.pem").read_bytes())
    await companies.put_jwt_key(core, company, demo.jwt_key_id, tokens.decode())
    wallet = installation.public_pem((folder / "wallet_client_key.pem").read_bytes())
    keys = {"1": wallet.decode()}
    await companies.put_wallet_client(core, company, demo.wallet_client_id, keys)
    await _fill_wallet(core, company, demo)
    await _expect_fees(core, company)
    await demo_providers.register(core, settings, company.id)
    own = core.secrets.current(Purpose.WALLET_ANSWERS)
    private_files.write(folder / "wallet_server_public.pem", installation.public_pem(own.reveal()))
    private_files.write(folder / "demo.json", msgspec.json.encode(demo))
    return demo


async def _expect_fees(core: Core, company: Company) -> None:
    """What the sandbox charges, so that the demo shows fees that turn out as expected."""
    if "sandbox" not in core.connectors or await list_fee_rules(core, company.id):
        return
    for kind, percent, fixed in _SANDBOX_FEES:
        await add_fee_rule(
            core,
            NewFeeRule(
                company_id=company.id,
                kind=kind,
                connector="sandbox",
                currency=company.currency,
                percent=percent,
                fixed=fixed,
            ),
        )


def _loopback(host: str) -> str:
    return "127.0.0.1" if host in ("0.0.0.0", "::") else host  # noqa: S104 - it is read, not bound


async def _fill_wallet(core: Core, company: Company, demo: Demo) -> None:
    user = demo.wallet_user_id
    await wallet_users.add_wallet_user(core, company.id, user, demo.wallet_auth_code)
    demo.wallet_user_secret = demo.wallet_user_secret or wallet_codes.new_secret(company.number)
    owner = NewCode(company_id=company.id, user_id=user)
    await wallet_codes.make_secret(core, owner, secret=demo.wallet_user_secret)
    for text in _BALANCES:
        amount, currency = text.split()
        if not await wallet_users.balance_of(core, company.id, user, currency):
            await wallet_users.top_up(core, company.id, user, Money.from_major(amount, currency))


def _invent(settings: Settings) -> Demo:
    key_id = secrets.token_hex(6)
    return Demo(
        company_id="cmp_001",  # as in the request that seed 000 prints
        business_id="biz_001",
        api_key=f"sk_test_{key_id}_{secrets.token_urlsafe(32)}",
        orders_client_id=f"client_test_{secrets.token_hex(8)}",
        orders_client_secret=secrets.token_urlsafe(32),
        jwt_key_id=f"demo-{secrets.token_hex(6)}",
        wallet_client_id=f"5X{secrets.randbelow(10**14):014d}",
        wallet_user_id=f"wu_{secrets.token_hex(8)}",
        wallet_auth_code=wallet_codes.new_token(),
        base_url=settings.url,
        grpc_target="",
    )


def _read(settings: Settings) -> Demo | None:
    path = settings.demo_directory / "demo.json"
    return msgspec.json.decode(path.read_bytes(), type=Demo) if path.exists() else None


def customer_token(settings: Settings, demo: Demo, username: str) -> str:
    """A fresh token of a demo customer, good for a day."""
    from joserfc import jwt  # noqa: PLC0415 - few commands show a token
    from joserfc.jwk import ECKey  # noqa: PLC0415

    pem = (settings.demo_directory / "customer_tokens_key.pem").read_bytes()
    now = int(time.time())
    claims = {
        "sub": username,
        "roles": ["CUSTOMER"],
        "aud": "kassa",
        "iat": now,
        "exp": now + _TOKEN_SECONDS,
        **_CUSTOMERS.get(username, {}),
    }
    header = {"alg": "ES256", "kid": demo.jwt_key_id}
    return str(jwt.encode(header, claims, ECKey.import_key(pem), algorithms=["ES256"]))


def is_here(settings: Settings) -> bool:
    """Whether there is a demo in this data directory."""
    return _read(settings) is not None


def here(settings: Settings) -> Demo:
    """Raises: InvalidRequest when there is no demo here."""
    demo = _read(settings)
    if demo is None:
        raise InvalidRequest(
            f"there is no demo in {settings.directory}: start one with kassa serve --demo"
        )
    return demo


def shown(settings: Settings) -> dict[str, Any]:
    """The demo credentials, with fresh customer tokens.

    Raises: InvalidRequest when there is no demo here.
    """
    demo = here(settings)
    folder = settings.demo_directory
    customers = [
        {"username": name, "token": customer_token(settings, demo, name)} for name in _CUSTOMERS
    ]
    return {
        "base_url": demo.base_url,
        "grpc_target": demo.grpc_target,
        "company_id": demo.company_id,
        "business_id": demo.business_id,
        "api_key": demo.api_key,
        "orders": {
            "client_id": demo.orders_client_id,
            "client_secret": demo.orders_client_secret,
        },
        "customer": customers[0],
        "other_customer": customers[1],
        "wallet": {
            "client_id": demo.wallet_client_id,
            "key_version": "1",
            "private_key_path": str(folder / "wallet_client_key.pem"),
            "server_public_key_path": str(folder / "wallet_server_public.pem"),
        },
        "wallet_user": {
            "user_id": demo.wallet_user_id,
            "auth_code": demo.wallet_auth_code,
            "secret": demo.wallet_user_secret,
        },
    }


def simulator_of(settings: Settings) -> str:
    """Where the demo's providers are played; "" where they are not."""
    demo = _read(settings)
    return demo.simulator_url if demo else ""


def shown_json(settings: Settings) -> str:
    return json.dumps(shown(settings), indent=2)
