"""Who is asking: proven, or one refusal for whatever was wrong."""

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey
from tests.company import DemoCompany

from kassa import installation
from kassa.base.domain.errors import Unauthenticated
from kassa.base.usecases.core import Core
from kassa.identity.usecases import companies
from kassa.identity.usecases.authenticate import (
    authenticate_api_key,
    authenticate_client,
    authenticate_customer,
    find_wallet_client,
    key_name,
)
from kassa.identity.usecases.credentials import switch_credential
from kassa.settings import Settings

pytestmark = pytest.mark.anyio
REFUSAL = "the credentials are missing, wrong or no longer valid"


async def test_an_api_key_names_its_company(core: Core, demo: DemoCompany) -> None:
    principal = await authenticate_api_key(core, demo.api_key)

    assert (principal.company.id, principal.business_id) == (demo.company_id, demo.business_id)
    assert principal.actor.startswith("api_key:sk_")
    assert demo.api_key not in repr(principal)


async def test_every_wrong_secret_gets_the_same_words(core: Core, demo: DemoCompany) -> None:
    key, client, secret = demo.api_key, demo.orders_client_id, demo.orders_client_secret
    wrong_keys = ["", "sk", "sk_", key[:-1], key + "x", key.upper(), "sk_x_y", "é" * 500, "\x00"]
    wrong_pairs = [(client, ""), (client, secret[:-1]), ("", secret), ("nobody", secret)]
    wrong_pairs += [(client, key), (client + "\x00", secret), ("\ud800", "\ud800")]

    for wrong in wrong_keys:
        with pytest.raises(Unauthenticated, match=REFUSAL):
            await authenticate_api_key(core, wrong)
    for pair in wrong_pairs:
        with pytest.raises(Unauthenticated, match=REFUSAL):
            await authenticate_client(core, *pair)

    assert (await authenticate_client(core, client, secret)).company.id == demo.company_id


async def test_no_secret_is_kept_in_the_database(core: Core, demo: DemoCompany) -> None:
    async with core.db.connection() as connection:
        kept = await connection.fetchval("select string_agg(c::text, ' ') from credential c")
        codes = await connection.fetchval("select string_agg(c::text, ' ') from wallet_code c")

    for secret in (demo.api_key, demo.orders_client_secret, demo.wallet_auth_code):
        assert secret not in kept + codes
        assert secret.encode().hex() not in kept + codes


async def test_a_credential_that_is_taken_away_is_dead_within_a_second(
    core: Core, demo: DemoCompany
) -> None:
    await authenticate_api_key(core, demo.api_key)
    await authenticate_client(core, demo.orders_client_id, demo.orders_client_secret)
    lookup = f"key:{key_name(demo.api_key)}"
    await switch_credential(core, lookup, active=False)
    await asyncio.sleep(1.05)

    with pytest.raises(Unauthenticated):
        await authenticate_api_key(core, demo.api_key)
    await companies.close_company(core, demo.company_id)
    with pytest.raises(Unauthenticated):
        await authenticate_client(core, "nobody", "x")
    client = await find_wallet_client(core, demo.wallet_client_id)
    assert client is not None
    assert client.status == "no_partner"


def token(settings: Settings, key: Any = None, **changes: Any) -> str:
    """A customer's token, right but for `changes`; None leaves a claim out."""
    shown = (settings.directory / "demo" / "demo.json").read_text()
    key_id = shown.partition('"jwt_key_id":"')[2].partition('"')[0]
    pem = (Path(settings.directory) / "demo" / "customer_tokens_key.pem").read_bytes()
    head = {"alg": changes.pop("alg", "ES256"), "kid": changes.pop("kid", key_id)}
    claims = {
        "sub": "alice",
        "roles": ["CUSTOMER"],
        "aud": "kassa",
        "exp": int(time.time()) + 600,
        **changes,
    }
    claims = {name: value for name, value in claims.items() if value is not None}
    key = key or ECKey.import_key(pem)
    return str(jwt.encode(head, claims, key, algorithms=[head["alg"]]))


async def test_a_customers_token_says_who_and_what_they_are(
    core: Core, demo: DemoCompany, settings: Settings
) -> None:
    customer = await authenticate_customer(core, token(settings))

    assert (customer.name, customer.roles) == ("alice", frozenset({"CUSTOMER"}))
    assert customer.company.id == demo.company_id
    assert (await authenticate_customer(core, token(settings, roles="CUSTOMER"))).roles == set()


async def test_a_customers_token_says_which_orders_are_theirs(
    core: Core, demo: DemoCompany, settings: Settings
) -> None:
    async def said(**claims: Any) -> tuple[str, str, frozenset[str]]:
        customer = await authenticate_customer(core, token(settings, **claims))
        return customer.customer_id, customer.email, customer.orders

    nothing = ("", "", frozenset[str]())
    mail = "alice@example.com"
    assert await said() == nothing
    assert await said(customer_id="c-7", orders=["tea-1"]) == ("c-7", "", frozenset({"tea-1"}))
    assert await said(customer_id=42, orders="*") == ("42", "", frozenset({"*"}))
    assert await said(email=mail, email_verified=True) == ("", mail, frozenset())
    for unproved in ({}, {"email_verified": False}, {"email_verified": "true"}):
        assert await said(email=mail, **unproved) == nothing
    for odd in (True, ["a"], {"a": 1}):
        assert await said(customer_id=odd, email=odd, email_verified=True, orders="tea-1") == (
            nothing
        )


async def test_every_wrong_token_gets_the_same_words(
    core: Core, demo: DemoCompany, settings: Settings
) -> None:
    good, now = token(settings), int(time.time())
    head, body, mark = good.split(".")
    shared = OctKey.import_key("a secret that everybody shares....")
    wrong = {
        "nothing": "",
        "no token": "abc",
        "two parts": f"{head}.{body}",
        "no signature": f"{head}.{body}.",
        "another signature": f"{head}.{body}.{mark[:-4]}AAAA",
        "not ascii": good + "é",
        "alg none": "eyJhbGciOiJub25lIn0." + body + ".",
        "another algorithm": token(settings, shared, alg="HS256"),
        "another key": token(settings, ECKey.import_key(installation.ec_pem())),
        "unknown kid": token(settings, kid="nobody"),
        "kid of another kind": token(settings, kid=demo.orders_client_id),
        "expired": token(settings, exp=now - 3600),
        "no expiry": token(settings, exp=None),
        "an expiry in words": token(settings, exp="tomorrow"),
        "not yet": token(settings, nbf=now + 3600),
        "another audience": token(settings, aud="elsewhere"),
        "no audience": token(settings, aud=None),
        "nobody": token(settings, sub=None),
        "an empty name": token(settings, sub=""),
        "a name that is none": token(settings, sub=7),
        "a name no database keeps": token(settings, sub="a\x00b"),
        "a name without end": token(settings, sub="a" * 1000),
    }

    said = {}
    for name, text in wrong.items():
        try:
            await authenticate_customer(core, text)
            said[name] = "accepted"
        except Unauthenticated as error:
            said[name] = error.message

    assert {name: words for name, words in said.items() if words != REFUSAL} == {}


async def test_a_wallet_client_is_found_with_its_status(core: Core, demo: DemoCompany) -> None:
    client = await find_wallet_client(core, demo.wallet_client_id)

    assert client is not None
    assert (client.status, list(client.keys)) == ("active", ["1"])
    assert await find_wallet_client(core, "nobody") is None
    assert await find_wallet_client(core, demo.orders_client_id) is None
    assert await find_wallet_client(core, "\x00") is None
