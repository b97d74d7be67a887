"""Every key is renewed while two processes serve, and no request fails for it."""

import asyncio
import hashlib
import hmac
import json
import os
import shutil
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from standardwebhooks import Webhook
from tests import company
from tests.asgi import Client
from tests.faces.orders import test_orders_notify as letters
from tests.faces.wallet.calls import Merchant

from kassa import app, assembly, installation
from kassa.base.domain.errors import InvalidRequest
from kassa.base.usecases import keyed
from kassa.base.usecases.core import Core
from kassa.base.usecases.keyring import Purpose
from kassa.faces.orders.notify import StandardWriter, write_secret
from kassa.identity.domain.audit import INSTALLATION, Act, AuditQuery
from kassa.identity.usecases.audit import list_audit
from kassa.identity.usecases.authenticate import authenticate_api_key
from kassa.identity.usecases.companies import NewCompany, add_company
from kassa.keys.usecases.key_versions import (
    FOR_EVER,
    list_keys,
    retire_key,
    rewrap_rows,
    rotate_key,
    until_used,
)
from kassa.proof.usecases.chain import chain_history
from kassa.proof.usecases.verify import verify_books
from kassa.providers.usecases.payees import NewPayee, payee_of, register_payee
from kassa.providers.usecases.provider_accounts import NewAccount, put_account
from kassa.settings import Settings
from kassa.wallet.domain.wallet_codes import CodeKind
from kassa.wallet.usecases import wallet_codes
from kassa.wallet.usecases.wallet_codes import NewCode, Presented
from kassa.webhooks_out.usecases.signing import renew_secret, signing_secrets

pytestmark = pytest.mark.anyio

LONG = os.environ.get("KASSA_TEST_LONG") == "1"


@pytest.fixture
def own_keys(settings: Settings, tmp_path: Path, database_url: str) -> Settings:
    """Keys that this test may renew, with which the demo company was made."""
    there = tmp_path / "secrets"
    shared = there.resolve()
    there.unlink()
    shutil.copytree(shared, there)
    return settings


@dataclass(frozen=True)
class Process:
    core: Core
    client: Client


@pytest.fixture
async def serving(own_keys: Settings, database_url: str) -> AsyncIterator[list[Process]]:
    """Two processes, which share the database and the files alone."""
    async with AsyncExitStack() as stack:
        processes = []
        for _ in range(2):
            core = await stack.enter_async_context(assembly.open_core(own_keys, database_url))
            processes.append(Process(core, Client(app.http_app(core, own_keys))))
        yield processes


@pytest.fixture
def demo(serving: list[Process], own_keys: Settings) -> company.DemoCompany:
    return company.read(own_keys)


async def rotated(core: Core, purpose: Purpose) -> int:
    content = installation.fresh_key(purpose)
    number = await rotate_key(core, purpose, content, after=0.9 if not LONG else 2.0)
    await until_used(core, purpose, number)
    await rewrap_rows(core, purpose, per_second=10_000)
    return number


async def sound(core: Core) -> None:
    while await chain_history(core):
        pass
    proof = await verify_books(core)
    assert [str(one) for one in proof.violations] == []


class Shop:
    """What goes on all the time, now at one process, now at the other."""

    def __init__(self, serving: list[Process], demo: company.DemoCompany) -> None:
        self.serving, self.demo = serving, demo
        self.stopped = asyncio.Event()
        self.done: Counter[str] = Counter()
        self.turn = 0
        self.token = ""
        self.body: dict[str, Any] = {}
        key = load_pem_private_key(demo.wallet_private_key_pem, None)
        self.merchants = [
            Merchant(one.client, one.core, demo.wallet_client_id, key)  # type: ignore[arg-type]
            for one in serving
        ]

    def client(self) -> Client:
        self.turn += 1
        return self.serving[self.turn % 2].client

    async def api(self, method: str, path: str, body: Any, **headers: str) -> Any:
        key = {"authorization": f"Bearer {self.demo.api_key}", "content-type": "application/json"}
        answer = await self.client().request(method, path, headers={**key, **headers}, json=body)
        assert answer.status == 200, answer.text
        return answer.json()

    async def creates_an_order(self) -> None:
        headers = {
            "x-client-id": self.demo.orders_client_id,
            "x-client-secret": self.demo.orders_client_secret,
            "content-type": "application/json",
            "idempotency-key": "the-same-one-again",
        }
        payer = {"customer_name": "A", "customer_email": "a@x.example", "customer_phone": "9999999"}
        body = {"order_id": "again", "order_amount": 5, **payer}
        answer = await self.client().request(
            "POST", "/v1/orders:create", headers=headers, json=body
        )
        assert answer.status == 200, answer.text

    async def goes_through_pages(self) -> None:
        page = {"pageSize": 1, **({"pageToken": self.token} if self.token else {})}
        said = await self.api(
            "POST",
            "/v1/payments:list",
            {"pagination": page, "companyId": self.demo.company_id},
        )
        self.token = said.get("nextPageToken", "")

    async def asks_the_gateway_again(self) -> None:
        """The same request each time: it is one payment, whatever key it is remembered by."""
        body = {
            "userId": "user_1",
            "orderId": "gateway-1",
            "amount": 5,
            "paymentMethod": "cash",
            "payerAccount": {"accountType": "cash", "accountNumber": "1"},
            "payeeAccount": {"accountType": "business", "accountNumber": self.demo.business_id},
        }
        said = await self.api("POST", "/gateway/payment-requests", body)
        assert self.body.setdefault("gateway", said["paymentRequestId"]) == said["paymentRequestId"]

    async def pays_by_wallet_again(self) -> None:
        """As before, with a code: whose signature is checked at each answer."""
        self.turn += 1
        merchant = self.merchants[self.turn % 2]
        said = await merchant.pay(
            paymentRequestId="wallet-1", paymentAuthCode=self.demo.wallet_auth_code
        )
        assert said["result"]["resultStatus"] == "S", said
        assert self.body.setdefault("wallet", said["paymentId"]) == said["paymentId"]

    async def makes_and_shows_a_code(self) -> None:
        core = self.serving[0].core
        wanted = NewCode(company_id=self.demo.company_id, user_id=self.demo.wallet_user_id)
        made = await wallet_codes.make_pay_code(core, wanted, CodeKind.CONSENT_CODE)
        shown = Presented(
            company_id=self.demo.company_id, code=made.text, user_id=self.demo.wallet_user_id
        )
        there = self.serving[1].core
        assert await wallet_codes.recognize_consent(there, shown) is not None

    async def verifies_a_webhook(self) -> None:
        self.turn += 1
        secrets = await signing_secrets(self.serving[self.turn % 2].core, self.demo.company_id)
        known = self.body.setdefault("webhooks", write_secret(secrets[0]))
        assert known in [write_secret(one) for one in secrets]

    def work(self) -> list[Callable[[], Awaitable[None]]]:
        return [
            self.creates_an_order,
            self.goes_through_pages,
            self.asks_the_gateway_again,
            self.pays_by_wallet_again,
            self.makes_and_shows_a_code,
            self.verifies_a_webhook,
        ]

    async def repeat(self, one: Callable[[], Awaitable[None]]) -> None:
        while not self.stopped.is_set():
            await one()
            self.done[one.__name__] += 1
            await asyncio.sleep(0 if LONG else 0.02)


async def test_every_key_is_renewed_under_load_and_no_request_fails(
    serving: list[Process], demo: company.DemoCompany
) -> None:
    core = serving[0].core
    shop = Shop(serving, demo)
    for one in shop.work():
        await one()
    load = asyncio.gather(*(shop.repeat(one) for one in shop.work() * (4 if LONG else 1)))
    before = {one: core.secrets.of(one).current.number for one in Purpose}

    for _ in range(3 if LONG else 1):
        # Most at once: each waits until every process knows the new version.
        await asyncio.gather(*(rotated(core, purpose) for purpose in Purpose))
        await asyncio.sleep(5.0 if LONG else 0.7)

    shop.stopped.set()
    await load  # raises what any of them met
    for process in serving:
        now = {one: process.core.secrets.of(one).current.number for one in Purpose}
        assert all(now[one] > before[one] for one in Purpose)
    assert min(shop.done.values()) >= 3
    print(dict(shop.done))
    await sound(core)


async def test_another_process_knows_a_new_version_within_a_second(serving: list[Process]) -> None:
    here, there = (one.core for one in serving)
    number = await rotate_key(here, Purpose.SEALS, installation.fresh_key(Purpose.SEALS), after=5.0)

    begun = time.monotonic()
    while there.secrets.of(Purpose.SEALS).get(number) is None:
        assert time.monotonic() - begun < 1.0
        await asyncio.sleep(0.02)
    assert there.secrets.of(Purpose.SEALS).current.number < number


async def test_a_secret_is_hashed_under_the_newest_pepper_when_it_is_next_used(
    serving: list[Process], demo: company.DemoCompany
) -> None:
    core, peppers = serving[0].core, Purpose.CREDENTIALS
    old = core.secrets.of(peppers).current.number
    new = await rotated(core, peppers)
    assert await rows(core, peppers, new) == 0
    with pytest.raises(InvalidRequest, match="rows need version"):
        await retire_key(core, peppers, old)

    await authenticate_api_key(core, demo.api_key)
    await asyncio.gather(*core.running)

    assert await rows(core, peppers, new) == 1
    await asyncio.sleep(0.6)  # until nothing of it is remembered
    await authenticate_api_key(serving[1].core, demo.api_key)
    await sound(core)


async def rows(core: Core, purpose: Purpose, version: int) -> int | None:
    [one] = [
        one for one in await list_keys(core) if (one.purpose, one.version) == (purpose, version)
    ]
    return one.rows


async def test_what_is_sealed_is_sealed_anew_in_batches_and_the_old_version_retired(
    serving: list[Process], demo: company.DemoCompany
) -> None:
    core = serving[0].core
    await signing_secrets(core, demo.company_id)
    await put_account(core, an_account(demo))
    for purpose in (Purpose.WEBHOOKS, Purpose.PROVIDER_SECRETS):
        old = core.secrets.of(purpose).current.number
        count = await rows(core, purpose, old)
        assert count
        new = await rotate_key(core, purpose, installation.fresh_key(purpose), after=0)
        told: list[int] = []

        assert await rewrap_rows(core, purpose, per_second=500, told=told.append) == count
        assert sum(told) == count
        assert await rewrap_rows(core, purpose, per_second=500) == 0  # where it was stopped
        assert (await rows(core, purpose, old), await rows(core, purpose, new)) == (0, count)
        await retire_key(core, purpose, old)
        with pytest.raises(InvalidRequest, match="there is no version"):
            await retire_key(core, purpose, old)

    written = await list_audit(core, AuditQuery(company_id=INSTALLATION, what="keys"))
    for purpose in (Purpose.WEBHOOKS, Purpose.PROVIDER_SECRETS):
        acts = [one.act for one in written if one.object == purpose]
        assert acts == [Act.KEYS_RETIRED, Act.KEYS_SEALED_ANEW, Act.KEYS_ROTATED]
    await put_account(core, an_account(demo))
    await asyncio.sleep(0.6)
    assert await signing_secrets(core, demo.company_id)
    await sound(core)


def an_account(demo: company.DemoCompany) -> NewAccount:
    return NewAccount(
        company_id=demo.company_id,
        name="cards-of-this-test",
        connector="stripe",
        settings={"secret_key": "sk_test_1", "webhook_secret": "whsec_1"},
    )


async def test_a_version_in_use_and_what_history_hangs_on_are_not_retired(
    serving: list[Process],
) -> None:
    core = serving[0].core
    current = core.secrets.of(Purpose.PAGE_TOKENS).current.number
    with pytest.raises(InvalidRequest, match="is in use"):
        await retire_key(core, Purpose.PAGE_TOKENS, current)

    for purpose in FOR_EVER:
        old = core.secrets.of(purpose).current.number
        await rotate_key(core, purpose, installation.fresh_key(purpose), after=0)
        with pytest.raises(InvalidRequest, match="is retired"):
            await retire_key(core, purpose, old)


async def test_a_company_of_before_keeps_the_webhook_secret_that_its_receivers_have(
    serving: list[Process], demo: company.DemoCompany, owner_url: str
) -> None:
    core = serving[0].core
    connection = await asyncpg.connect(owner_url)
    try:
        await connection.execute(
            "update company set webhook_secret_derived = true where id = $1", demo.company_id
        )
    finally:
        await connection.close()
    pepper = core.secrets.of(Purpose.CREDENTIALS).get(1)
    assert pepper is not None

    [kept] = await signing_secrets(core, demo.company_id)

    made = hmac.digest(pepper.reveal(), b"webhook:" + demo.company_id.encode(), hashlib.sha256)
    assert kept.reveal() == made
    other = await add_company(
        core, NewCompany(id="cmp_new", business_id="biz_n", name="New", currency="CNY")
    )
    [fresh] = await signing_secrets(core, other.id)
    derived = hmac.digest(pepper.reveal(), b"webhook:" + other.id.encode(), hashlib.sha256)
    assert fresh.reveal() != derived


async def test_news_is_signed_with_the_old_secret_too_until_its_time_is_over(
    serving: list[Process], demo: company.DemoCompany
) -> None:

    core = serving[0].core
    [old] = await signing_secrets(core, demo.company_id)
    new = await renew_secret(core, demo.company_id, timedelta(hours=1))
    both = await signing_secrets(core, demo.company_id)

    principal = await authenticate_api_key(core, demo.api_key)
    news = replace(letters.NEWS, content=b"{}")
    letter = StandardWriter().sign(core, news, principal.company, both)
    for secret in (old, new):
        told = Webhook(write_secret(secret)).verify(letter.body, dict(letter.headers))
        assert told == json.loads(letter.body)
    newest = await renew_secret(core, demo.company_id, timedelta(0))
    assert await signing_secrets(core, demo.company_id) == [newest]
    written = await list_audit(core, AuditQuery(what="webhook_secret"))
    assert [one.act for one in written] == [Act.SECRET_RENEWED] * 2
    await sound(core)


async def test_a_payee_is_found_whatever_key_its_account_was_hashed_under(
    serving: list[Process], demo: company.DemoCompany
) -> None:
    core = serving[0].core
    wanted = NewPayee(
        company_id=demo.company_id, account_type="bank", account_number="DE02 1203 0000 0000"
    )
    first = await register_payee(core, wanted)
    await rotated(core, Purpose.FINGERPRINTS)

    found = await payee_of(core, demo.company_id, "DE02120300000000")
    again = await register_payee(core, replace(wanted, account_name="A"))

    assert found is not None
    assert found.id == again.id == first.id
    await sound(core)


async def test_the_wallets_public_keys_are_published_before_they_are_used(
    serving: list[Process],
) -> None:
    here = serving[0]
    number = await rotate_key(
        here.core, Purpose.WALLET_ANSWERS, installation.rsa_pem(), after=3_600.0
    )

    answer = await here.client.request("GET", "/wallet/keys")

    told = {one["keyVersion"]: one for one in answer.json()["keys"]}
    assert answer.status == 200
    assert told[str(number)]["publicKey"].startswith("-----BEGIN PUBLIC KEY-----")
    assert [one["inUse"] for one in answer.json()["keys"]] == [True, False]
    assert "PRIVATE" not in answer.text


def test_a_hash_says_its_version_and_fits_no_other(own_keys: Settings) -> None:
    secrets = installation.open_secrets(own_keys.directory)
    keys = secrets.of(Purpose.CREDENTIALS)
    old = keyed.make(keys, b"a", keyed.hmac_sha256)
    secrets.store.add(Purpose.CREDENTIALS, bytes(32), after=0)
    secrets.reread()
    keys = secrets.of(Purpose.CREDENTIALS)
    new = keyed.make(keys, b"a", keyed.hmac_sha256)

    assert (keyed.version_of(old), keyed.version_of(new)) == (1, 2)
    assert keyed.every(keys, b"a", keyed.hmac_sha256) == [new, old]
    assert all(keyed.fits(keys, b"a", one, keyed.hmac_sha256) for one in (old, new))
    assert not keyed.fits(keys, b"b", new, keyed.hmac_sha256)
    assert not keyed.fits(keys, b"a", b"\x00\x09" + new[2:], keyed.hmac_sha256)
    assert not keyed.fits(keys, b"a", new[:-1], keyed.hmac_sha256)
    assert keyed.version_of(b"") == 0
