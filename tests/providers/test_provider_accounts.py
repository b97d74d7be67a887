"""Provider accounts: sealed, known to every process, and nobody else's."""

import asyncio
import hashlib
import hmac
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import asyncpg
import pytest
from tests.fixed_keys import rotated
from tests.shop import Scripted

from kassa import assembly, installation
from kassa.base.domain.errors import InvalidRequest, NotFound
from kassa.base.domain.money import Money
from kassa.base.usecases.core import Core
from kassa.base.usecases.keyring import Purpose
from kassa.connectors.alipay.connector import AlipayConnector
from kassa.connectors.base import Refused, Report, Unknown
from kassa.connectors.catalog import kind_of
from kassa.identity.domain.principals import Mode
from kassa.identity.usecases.companies import NewCompany, add_company
from kassa.payments.domain.payments import Method
from kassa.providers.usecases.provider_accounts import (
    NewAccount,
    account_of,
    disable_account,
    fetch_report,
    list_accounts,
    own_account,
    put_account,
    refresh,
    rotate_keys,
)
from kassa.providers.usecases.renewing import read_earlier, renewed
from kassa.routing.usecases.routing import REDIRECT, RoutingRequest, choose
from kassa.settings import Settings

pytestmark = pytest.mark.anyio

_PRIVATE = installation.rsa_pem().decode()
_PUBLIC = installation.public_pem(installation.rsa_pem()).decode()
_SETTINGS = {
    "app_id": "2021000000000009",
    "private_key": _PRIVATE,
    "alipay_public_key": _PUBLIC,
    "base_url": "https://openapi.alipay.test/gateway.do",
}


def wanted(name: str = "yuan", company: str = "cmp_a", **changes: Any) -> NewAccount:
    members: dict[str, Any] = {
        "company_id": company,
        "name": name,
        "connector": "alipay",
        "settings": _SETTINGS,
    }
    return NewAccount(**{**members, **changes})


@pytest.fixture
async def shops(core: Core) -> Core:
    for company in ("cmp_a", "cmp_b"):
        await add_company(
            core,
            NewCompany(id=company, business_id="biz", name=company, currency="CNY", sandbox=True),
        )
    return core


def question(company: str = "cmp_a", **changes: Any) -> RoutingRequest:
    members: dict[str, Any] = {
        "company_id": company,
        "method": Method.ALIPAY,
        "amount": Money(100, "CNY"),
        "takes": REDIRECT,
    }
    return RoutingRequest(**{**members, **changes})


async def test_a_companys_own_account_comes_before_the_installations(shops: Core) -> None:
    await put_account(shops, wanted())

    assert (await choose(shops, question())).accounts == ("yuan", "alipay")
    assert isinstance(shops.connectors["yuan"], AlipayConnector)


async def test_no_company_is_routed_to_anothers_account(shops: Core) -> None:
    await put_account(shops, wanted())

    assert (await choose(shops, question("cmp_b"))).accounts == ("alipay",)
    assert "yuan" not in [view.account.name for view in await list_accounts(shops, "cmp_b")]
    with pytest.raises(NotFound):
        await own_account(shops, "cmp_b", "yuan")
    with pytest.raises(NotFound):
        await disable_account(shops, "cmp_b", "yuan")


async def test_a_name_belongs_to_whoever_took_it_first(shops: Core) -> None:
    await put_account(shops, wanted())

    with pytest.raises(InvalidRequest, match="taken"):
        await put_account(shops, wanted(company="cmp_b"))
    for name in ("sandbox", "wallet", "offline", "alipay", "Yuan", "y", "a b", "../x", ""):
        with pytest.raises(InvalidRequest):
            await put_account(shops, wanted(name))


async def test_another_process_learns_of_it_and_of_its_end(
    shops: Core, settings: Settings, database_url: str
) -> None:
    async with assembly.open_core(settings, database_url) as other:
        await refresh(other)
        await put_account(shops, wanted())
        await refresh(other, now=True)
        assert (await choose(other, question())).accounts[0] == "yuan"

        await disable_account(shops, "cmp_a", "yuan")
        await refresh(other, now=True)

        assert (await choose(other, question())).accounts == ("alipay",)
        assert "yuan" in other.connectors  # what it has is still followed


async def test_no_secret_is_stored_readable_or_shown(shops: Core, owner_url: str) -> None:
    account = await put_account(shops, wanted())

    secret = _PRIVATE.splitlines()[5].encode()
    connection = await asyncpg.connect(owner_url)
    try:
        row = await connection.fetchrow("select a.*, a::text as said from provider_account a")
    finally:
        await connection.close()
    assert secret not in row["said"].encode()
    assert secret not in row["sealed"]
    assert secret.decode() not in repr(account) + repr(await list_accounts(shops, "cmp_a"))
    assert secret.decode() not in repr(wanted())


async def test_a_sealed_secret_opens_in_its_own_row_only(shops: Core, owner_url: str) -> None:
    await put_account(shops, wanted("yuan"))
    await put_account(shops, wanted("other", settings={**_SETTINGS, "app_id": "2"}))
    connection = await asyncpg.connect(owner_url)
    try:
        await connection.execute(
            "update provider_account set sealed = (select sealed from provider_account"
            " where name = 'other'), version = nextval('provider_account_version')"
            " where name = 'yuan'"
        )
    finally:
        await connection.close()

    with pytest.raises(InvalidRequest, match="cannot be opened"):
        await put_account(shops, wanted("yuan", settings={"app_id": "3"}))
    listed = {view.account.name for view in await list_accounts(shops, "cmp_a")}
    assert {"yuan", "other"} <= listed  # it hides none of the others


async def test_keys_are_renewed_while_accounts_are_used(
    shops: Core, settings: Settings, database_url: str, owner_url: str
) -> None:
    await put_account(shops, wanted())
    shops.secrets = rotated(shops.secrets, Purpose.PROVIDER_SECRETS)

    assert await rotate_keys(shops) == 1
    assert await rotate_keys(shops, "cmp_a") == 1  # the account, under a fresh key

    shops.secrets.store.retire(Purpose.PROVIDER_SECRETS, 1)
    shops.secrets.reread()
    async with assembly.open_core(settings, database_url) as other:
        other.secrets = shops.secrets
        await refresh(other, now=True)
        assert "yuan" in other.connectors


async def test_a_setting_that_is_not_named_keeps_its_value(shops: Core) -> None:
    await put_account(shops, wanted())

    account = await put_account(shops, wanted(settings={"app_id": "2021000000000010"}))

    assert account.settings["base_url"] == _SETTINGS["base_url"]
    assert account.settings["app_id"] == "2021000000000010"


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"private_key": "not a key"}, "cannot be read"),
        ({"private_key": ""}, "needs --set private_key"),
        ({"colour": "blue"}, "has no setting 'colour'"),
        ({"base_url": "ftp://example.org"}, "must be an address"),
        ({"private_key": "@/no/such/file"}, "cannot be read"),
    ],
)
async def test_what_cannot_work_is_refused_and_not_stored(
    shops: Core, changed: dict[str, str], said: str
) -> None:
    with pytest.raises(InvalidRequest, match=said) as refused:
        await put_account(shops, wanted(settings={**_SETTINGS, **changed}))

    assert "PRIVATE" not in refused.value.message
    assert "yuan" not in shops.connectors


async def test_live_and_test_accounts_are_kept_apart(
    shops: Core, settings: Settings, database_url: str
) -> None:
    with pytest.raises(InvalidRequest, match="no real money"):
        await put_account(shops, wanted(live=True))
    await put_account(shops, wanted())
    shops.policy = replace(shops.policy, live=True)
    side = await add_company(
        shops, NewCompany(id="cmp_a", business_id="", name="", currency="CNY", mode=Mode.LIVE)
    )
    real = {**_SETTINGS, "base_url": "https://openapi.alipay.com/gateway.do"}

    with pytest.raises(InvalidRequest, match="test side"):
        await put_account(shops, wanted("more", live=True, settings=real))
    with pytest.raises(InvalidRequest, match="live side"):
        await put_account(shops, wanted("more", company=side.id))
    await put_account(shops, wanted("more", company=side.id, live=True, settings=real))

    assert (await choose(shops, question())).accounts == ("yuan", "alipay")
    assert (await choose(shops, question(side.id))).accounts == ("more",)
    async with assembly.open_core(settings, database_url) as other:  # which moves no real money
        await refresh(other, now=True)
        assert "yuan" in other.connectors
        assert "more" not in other.connectors


async def test_ten_at_once_make_one_account_and_one_key(shops: Core, owner_url: str) -> None:
    await asyncio.gather(*(put_account(shops, wanted()) for _ in range(10)))

    connection = await asyncpg.connect(owner_url)
    try:
        assert await connection.fetchval("select count(*) from provider_account") == 1
        assert await connection.fetchval("select count(*) from company_key") == 1
    finally:
        await connection.close()


async def test_a_report_is_fetched_by_who_may_and_can(shops: Core) -> None:
    class Reporting(Scripted):
        async def report(self, day: date) -> Report | Unknown:
            if day == date(2026, 11, 21):
                return Report(format="csv", name="r.csv", content=b"a,b\n")
            return Unknown(reason="there is none yet")

    for name, connector in (("mine", Reporting()), ("plain", Scripted())):
        shops.connectors[name] = connector
        shops.accounts[name] = replace(account_of(shops, "sandbox"), company_id="cmp_a", name=name)

    assert (await fetch_report(shops, "cmp_a", "mine", date(2026, 11, 21))).content == b"a,b\n"
    with pytest.raises(NotFound, match="none yet"):
        await fetch_report(shops, "cmp_a", "mine", date(2026, 11, 22))
    with pytest.raises(NotFound):
        await fetch_report(shops, "cmp_b", "mine", date(2026, 11, 21))
    with pytest.raises(InvalidRequest, match="no report"):
        await fetch_report(shops, "cmp_a", "plain", date(2026, 11, 21))


HOOKED = {"key_id": "rzp_test_1", "key_secret": "s3cret", "webhook_secret": "hook-1"}
BODY = b'{"event":"payment.captured","payload":{}}'


def hooked(**changes: Any) -> NewAccount:
    return wanted("rzp", connector="razorpay", **{"settings": HOOKED, **changes})


def is_believed(core: Core, secret: str, *, after: timedelta = timedelta(0)) -> bool:
    """Whether a letter is, that is signed with that secret and comes so late."""
    mac = hmac.new(secret.encode(), BODY, hashlib.sha256).hexdigest()
    said = core.connectors["rzp"].parse_notification(
        {"x-razorpay-signature": mac}, BODY, received_at=datetime.now(UTC) + after
    )
    return not isinstance(said, Refused)


async def test_what_was_signed_with_a_renewed_secret_is_believed_for_a_while(
    shops: Core, settings: Settings, database_url: str, owner_url: str
) -> None:
    await put_account(shops, hooked())
    await put_account(shops, hooked(settings={"webhook_secret": "hook-2"}))
    day, four_days = timedelta(days=1), timedelta(days=4)

    async with assembly.open_core(settings, database_url) as other:
        await refresh(other)
        for core in (shops, other):
            assert is_believed(core, "hook-2", after=four_days)
            assert is_believed(core, "hook-1", after=day)
            assert not is_believed(core, "hook-1", after=four_days)
            assert not is_believed(core, "hook-0")
    [view] = [one for one in await list_accounts(shops, "cmp_a") if one.account.name == "rzp"]
    [(name, until)] = view.earlier
    assert name == "webhook_secret"
    assert timedelta(hours=71) < until - datetime.now(UTC) <= timedelta(hours=72)
    stored = await _stored(owner_url)
    assert "hook-1" not in stored


async def _stored(owner_url: str) -> str:
    connection: asyncpg.Connection[asyncpg.Record] = await asyncpg.connect(owner_url)
    try:
        return repr(await connection.fetch("select * from provider_account"))
    finally:
        await connection.close()


async def test_secrets_renewed_twice_are_each_believed_and_none_longer_than_was_said(
    shops: Core,
) -> None:
    await put_account(shops, hooked())
    for number, hours in ((2, 10), (3, 20), (3, 500)):  # the last is no renewal
        secret = {"webhook_secret": f"hook-{number}"}
        await put_account(shops, hooked(settings=secret, overlap=timedelta(hours=hours)))

    for secret, hours in (("hook-1", 10), ("hook-2", 20)):
        assert is_believed(shops, secret, after=timedelta(hours=hours - 1))
        assert not is_believed(shops, secret, after=timedelta(hours=hours + 1))
    await rotate_keys(shops, "cmp_a")  # seals all of it anew
    await refresh(shops, now=True)
    assert is_believed(shops, "hook-1")
    await put_account(shops, hooked(settings={"webhook_secret": "hook-1"}))  # back again
    assert is_believed(shops, "hook-1", after=timedelta(days=30))


def test_what_is_believed_no_more_is_not_kept_either() -> None:
    now, hour = datetime.now(UTC), timedelta(hours=1)
    secrets = [{"webhook_secret": f"hook-{number}"} for number in (1, 2, 3)]
    kept = renewed(kind_of("razorpay"), *secrets[:2], "", now=now, until=now + hour)

    later = renewed(
        kind_of("razorpay"), *secrets[1:], kept, now=now + 2 * hour, until=now + 3 * hour
    )

    assert [one.value for one in read_earlier(kept)["webhook_secret"]] == ["hook-1"]
    assert [one.value for one in read_earlier(later)["webhook_secret"]] == ["hook-2"]


async def test_a_stolen_secret_is_believed_no_more_at_once(shops: Core) -> None:
    await put_account(shops, hooked())
    await put_account(shops, hooked(settings={"webhook_secret": "hook-2"}))

    stolen = hooked(settings={"webhook_secret": "hook-3"}, overlap=timedelta(0))
    await put_account(shops, stolen)

    assert [is_believed(shops, f"hook-{number}") for number in (1, 2, 3)] == [False, False, True]
    [view] = [one for one in await list_accounts(shops, "cmp_a") if one.account.name == "rzp"]
    assert view.earlier == ()
