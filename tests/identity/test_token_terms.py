"""Customers' tokens by keys that say more than the usual: issuer, audience, longest lifetime."""

import time
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey
from tests.shop import Shop

from kassa import installation
from kassa.base.domain.errors import InvalidRequest, Unauthenticated
from kassa.identity.domain.token_terms import TokenTerms
from kassa.identity.usecases.authenticate import authenticate_customer
from kassa.identity.usecases.credentials import (
    WantedCredential,
    make_credential,
    show_credential,
)

pytestmark = pytest.mark.anyio
SHOP = "https://login.shop.example"


class Issuer:
    def __init__(self, shop: Shop) -> None:
        self.shop = shop
        self.private = installation.ec_pem()
        self.name = ""

    async def register(self, **terms: Any) -> "Issuer":
        wanted = WantedCredential(
            kind="jwt_key",
            public_key=installation.public_pem(self.private).decode(),
            token_terms=TokenTerms(**terms),
        )
        self.name = (await make_credential(self.shop.core, self.shop.company, wanted)).name
        return self

    async def is_taken(self, **claims: Any) -> bool:
        now = int(time.time())
        said = {"sub": "alice", "aud": "kassa", "iat": now, "exp": now + 600, **claims}
        said = {name: value for name, value in said.items() if value is not None}
        head = {"alg": "ES256", "kid": self.name}
        token = jwt.encode(head, said, ECKey.import_key(self.private))
        try:
            await authenticate_customer(self.shop.core, token)
        except Unauthenticated:
            return False
        return True


async def test_a_key_without_terms_takes_what_it_always_took(shop: Shop) -> None:
    issuer = await Issuer(shop).register()

    assert await issuer.is_taken()
    assert await issuer.is_taken(iss="anybody", iat=None, exp=int(time.time()) + 10**8)
    assert not await issuer.is_taken(aud="others")


async def test_issuer_and_audience_have_to_be_those_of_the_key(shop: Shop) -> None:
    issuer = await Issuer(shop).register(issuer=SHOP, audience="shop-payments")

    assert await issuer.is_taken(iss=SHOP, aud="shop-payments")
    assert await issuer.is_taken(iss=SHOP, aud=["others", "shop-payments"])
    for wrong in ({"iss": None}, {"iss": "https://login.other.example"}, {"aud": "kassa"}):
        assert not await issuer.is_taken(**{"iss": SHOP, "aud": "shop-payments", **wrong})


async def test_no_token_is_good_for_longer_than_its_key_allows(shop: Shop) -> None:
    issuer, now = await Issuer(shop).register(longest_seconds=900), int(time.time())

    assert await issuer.is_taken(iat=now, exp=now + 900)
    for wrong in (
        {"iat": now, "exp": now + 901},
        {"iat": None},
        {"iat": now - 10_000, "exp": now + 100},
        {"iat": now + 50, "exp": now + 40},
        {"iat": "now"},
    ):
        assert not await issuer.is_taken(**wrong)


async def test_the_terms_of_a_key_are_shown_and_odd_ones_refused(shop: Shop) -> None:
    issuer = await Issuer(shop).register(issuer=SHOP, longest_seconds=900)
    shown = await show_credential(shop.core, f"jwt:{issuer.name}")

    assert shown.token_terms == TokenTerms(issuer=SHOP, longest_seconds=900)
    for wrong in ({"audience": ""}, {"issuer": "a\nb"}, {"longest_seconds": 5}):
        with pytest.raises(InvalidRequest):
            await Issuer(shop).register(**wrong)
    assert await shop.faults() == []
