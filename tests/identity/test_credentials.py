"""Credentials as whoever answers for a company sees them: made, listed, used, rotated, ended."""

import asyncio
import logging
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.asgi import Client
from tests.shop import Shop

from kassa import app
from kassa.base.domain.errors import InvalidRequest, NotFound, PermissionDenied, Unauthenticated
from kassa.base.usecases.core import Core
from kassa.identity.domain.audit import Acting
from kassa.identity.domain.permissions import NOTHING, Permission
from kassa.identity.domain.principals import Business
from kassa.identity.usecases.audit import ACTING
from kassa.identity.usecases.authenticate import authenticate_api_key, authenticate_client
from kassa.identity.usecases.businesses import add_business
from kassa.identity.usecases.credentials import (
    MadeCredential,
    WantedCredential,
    list_credentials,
    make_credential,
    rotate_secret,
    show_credential,
    switch_credential,
)
from kassa.identity.usecases.uses import note_use
from kassa.settings import Settings

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("sound_in_the_end")]
P = Permission
DAY = timedelta(days=1)


async def a_key(shop: Shop, **changes: Any) -> MadeCredential:
    members: dict[str, Any] = {"kind": "api_key"}
    return await make_credential(
        shop.core, shop.company, WantedCredential(**{**members, **changes})
    )


def later(core: Core) -> None:
    """What is remembered for half a second is forgotten."""
    core.gatherers.clear()


async def test_a_new_key_says_its_mode_and_is_shown_without_its_secret(shop: Shop) -> None:
    acting = ACTING.set(Acting("staff:ann"))
    made = await a_key(shop, permissions=["refund-desk"], days=90)
    ACTING.reset(acting)

    found = await show_credential(shop.core, made.id)

    assert made.secret.startswith("sk_test_")
    assert len(made.secret.removeprefix(f"{made.name}_")) >= 43  # 256 bits
    assert made.secret not in repr(made)
    assert (found.id, found.kind, found.status) == (made.id, "api_key", "active")
    assert found.may == {P.BUSINESS_READ, P.GATEWAY_READ, P.GATEWAY_REFUND}
    assert found.created_by == "staff:ann"
    assert found.expires_at is not None
    assert abs(found.expires_at - datetime.now(UTC) - 90 * DAY) < timedelta(minutes=1)
    assert made.secret.removeprefix(f"{made.name}_") not in repr(found)


async def test_credentials_are_listed_page_by_page_and_of_one_company(shop: Shop) -> None:
    made = {(await a_key(shop)).id for _ in range(5)}
    other = await shop.other_company()
    theirs = await make_credential(shop.core, other, WantedCredential(kind="api_key"))

    first = await list_credentials(shop.core, shop.company, limit=3)
    second = await list_credentials(shop.core, shop.company, after=first[-1].id, limit=3)

    assert {one.id for one in [*first, *second]} == made
    assert (len(first), len(second)) == (3, 2)
    for lookup in (theirs.id, "key:sk_test_nobody", "\x00"):
        with pytest.raises(NotFound, match="no such credential"):
            await show_credential(shop.core, lookup, shop.company)
        with pytest.raises(NotFound):
            await switch_credential(shop.core, lookup, active=False, company=shop.company)
        with pytest.raises(NotFound):
            await rotate_secret(shop.core, lookup, DAY, shop.company)
    assert (await show_credential(shop.core, theirs.id)).status == "active"


async def test_after_a_rotation_two_secrets_are_good_for_a_while_and_never_three(
    shop: Shop,
) -> None:
    first = await a_key(shop)
    second = await rotate_secret(shop.core, first.id, DAY)
    later(shop.core)

    for made in (first, second):
        assert (await authenticate_api_key(shop.core, made.secret)).company == shop.company
    third = await rotate_secret(shop.core, first.id, DAY)
    later(shop.core)
    for made in (second, third):
        await authenticate_api_key(shop.core, made.secret)
    with pytest.raises(Unauthenticated):
        await authenticate_api_key(shop.core, first.secret)
    assert (await show_credential(shop.core, first.id)).earlier_until == third.earlier_until

    await shop.sql("update credential set earlier_until = now() where lookup = $1", first.id)
    later(shop.core)
    with pytest.raises(Unauthenticated):
        await authenticate_api_key(shop.core, second.secret)
    await authenticate_api_key(shop.core, third.secret)


async def test_a_rotation_without_an_overlap_ends_the_old_secret_at_once(shop: Shop) -> None:
    made = await a_key(shop, kind="orders_client")
    assert (await authenticate_client(shop.core, made.name, made.secret)).company == shop.company

    other = await rotate_secret(shop.core, made.id, timedelta(0))
    await asyncio.sleep(1.05)

    assert (other.name, other.earlier_until) == (made.name, None)
    with pytest.raises(Unauthenticated):
        await authenticate_client(shop.core, made.name, made.secret)
    await authenticate_client(shop.core, made.name, other.secret)
    for wrong in (timedelta(hours=-1), timedelta(days=31)):
        with pytest.raises(InvalidRequest):
            await rotate_secret(shop.core, made.id, wrong)


async def test_a_credential_that_has_expired_proves_nothing(shop: Shop) -> None:
    made = await a_key(shop, days=1)
    await authenticate_api_key(shop.core, made.secret)
    await shop.sql("update credential set expires_at = now() where lookup = $1", made.id)
    later(shop.core)

    with pytest.raises(Unauthenticated):
        await authenticate_api_key(shop.core, made.secret)
    assert (await show_credential(shop.core, made.id)).status == "expired"
    for days in (0, -1, 4_000):
        with pytest.raises(InvalidRequest):
            await a_key(shop, days=days)


async def test_a_key_works_from_its_networks_alone(shop: Shop, settings: Settings) -> None:
    here = await a_key(shop, networks=["127.0.0.0/8"])
    elsewhere = await a_key(shop, networks=["192.0.2.0/24", "2001:db8::/32"])
    client = Client(app.http_app(shop.core, settings))

    async def status(made: MadeCredential) -> int:
        headers = {"authorization": f"Bearer {made.secret}"}
        return (await client.request("GET", "/v1/payment/py_none", headers=headers)).status

    assert [await status(here), await status(here)] == [404, 404]
    assert [await status(elsewhere), await status(elsewhere)] == [401, 401]


async def test_a_known_key_is_refused_from_elsewhere(shop: Shop) -> None:
    made = await a_key(shop, networks=["192.0.2.0/24"])
    shop.core.admission.arrive("192.0.2.7")
    await authenticate_api_key(shop.core, made.secret)

    for host in ("192.0.3.7", ""):
        shop.core.admission.arrive(host)
        with pytest.raises(Unauthenticated):
            await authenticate_api_key(shop.core, made.secret)


async def test_behind_a_trusted_proxy_the_real_address_counts(
    shop: Shop, settings: Settings
) -> None:
    made = await a_key(shop, networks=["192.0.2.7"])
    settings = Settings(data_dir=settings.data_dir, demo=True, trusted_proxies=("127.0.0.1",))
    client = Client(app.http_app(shop.core, settings))

    async def status(forwarded: str) -> int:
        headers = {"authorization": f"Bearer {made.secret}", "x-forwarded-for": forwarded}
        return (await client.request("GET", "/v1/payment/py_none", headers=headers)).status

    assert await status("192.0.2.7") == 404
    assert await status("192.0.2.8") == 401
    assert await status("192.0.2.7, 192.0.2.8") == 401


async def test_a_use_is_noted_once_a_minute_and_not_on_the_requests_way(
    shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    made = await a_key(shop)
    assert (await show_credential(shop.core, made.id)).last_used_at is None

    for _ in range(20):
        await authenticate_api_key(shop.core, made.secret)
    assert len(shop.core.running) == 1
    await asyncio.wait(shop.core.running)
    first = (await show_credential(shop.core, made.id)).last_used_at
    later(shop.core)  # as another process would
    await authenticate_api_key(shop.core, made.secret)
    await asyncio.wait(shop.core.running)

    assert first is not None
    assert abs(datetime.now(UTC) - first) < timedelta(minutes=1)
    assert (await show_credential(shop.core, made.id)).last_used_at == first


async def test_who_guesses_does_not_count_as_a_use(shop: Shop) -> None:
    made = await a_key(shop)
    with pytest.raises(Unauthenticated):
        await authenticate_api_key(shop.core, made.secret + "x")

    assert shop.core.running == set()
    note_use(shop.core, "key:nobody")  # of no credential that there is: nothing happens
    await asyncio.wait(shop.core.running)


async def test_nobody_gives_a_right_to_administer_that_he_has_not(shop: Shop) -> None:
    async def give(giver: frozenset[Permission], *words: str) -> MadeCredential:
        wanted = WantedCredential(kind="api_key", permissions=words)
        return await make_credential(shop.core, shop.company, wanted, giver=giver)

    may = frozenset({P.ADMIN_CREDENTIALS})
    await give(may, "full")
    await give(may, "admin:credentials")
    for giver, words in ((may, "admin"), (may, "admin:read"), (NOTHING, "admin:credentials")):
        with pytest.raises(PermissionDenied):
            await give(giver, words)


async def test_a_credential_is_of_a_business_that_there_is(shop: Shop) -> None:
    await add_business(shop.core, shop.company, Business("biz_station", "Station"))
    made = await a_key(shop, business_id="biz_station")

    assert (await authenticate_api_key(shop.core, made.secret)).business_id == "biz_station"
    with pytest.raises(NotFound, match="no such business"):
        await a_key(shop, business_id="biz_nowhere")
    with pytest.raises(InvalidRequest):
        await a_key(shop, kind="passport")
