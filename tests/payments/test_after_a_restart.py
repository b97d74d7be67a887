"""A process that has just started knows the accounts at providers by its first request."""

import pytest
from tests.modifying import CAPTURE, REFUND, Obedient, modify
from tests.shop import Scripted, Shop

from kassa import assembly
from kassa.base.domain.lifecycle import ModificationStatus
from kassa.connectors.base import ActionNeeded
from kassa.modifications.usecases.modify_payment import sync_modification
from kassa.payments.domain import facts
from kassa.payments.domain.payments import CaptureMethod, Payment
from kassa.payments.usecases.close_page import close_open_page
from kassa.payments.usecases.sync_payment import sync_payment
from kassa.providers.usecases.provider_accounts import NewAccount, put_account
from kassa.settings import Settings

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("sound_in_the_end")]


async def paid_at_an_account(shop: Shop, provider: Scripted, **changes: object) -> Payment:
    """`provider` takes it; whoever reads the stored account meets a provider that is not there."""
    account = NewAccount(
        company_id=shop.company.id,
        name="cards",
        connector="stripe",
        settings={"secret_key": "sk_test_1", "base_url": "http://127.0.0.1:1"},
    )
    await put_account(shop.core, account)
    shop.core.connectors["cards"] = provider
    return await shop.submit(await shop.payment(**changes), connector="cards")


async def test_its_first_request_may_be_a_refund(
    shop: Shop, settings: Settings, database_url: str
) -> None:
    payment = await paid_at_an_account(shop, Obedient())

    async with assembly.open_core(settings, database_url) as restarted:
        asked = await modify(shop, payment, REFUND, 100, core=restarted)
    async with assembly.open_core(settings, database_url) as restarted:
        await sync_modification(restarted, asked.modification, actor="test")

    assert asked.modification.status is ModificationStatus.REQUESTED  # nobody took the call
    assert await shop.sql("select 1 from modification where last_query_at is not null")


async def test_its_first_request_may_be_a_capture(
    shop: Shop, settings: Settings, database_url: str
) -> None:
    payment = await paid_at_an_account(shop, Obedient(), capture_method=CaptureMethod.MANUAL)

    async with assembly.open_core(settings, database_url) as restarted:
        asked = await modify(shop, payment, CAPTURE, core=restarted)

    assert asked.modification.status is ModificationStatus.REQUESTED


async def test_its_first_request_may_be_a_question_or_an_end(
    shop: Shop, settings: Settings, database_url: str
) -> None:
    at_the_page = ActionNeeded(reference="cs_1", url="https://provider.example/page")
    payment = await paid_at_an_account(shop, Scripted(at_the_page))

    async with assembly.open_core(settings, database_url) as restarted:
        of = (restarted, payment.company_id, payment.id)
        assert await close_open_page(*of, end=facts.PaymentCanceled, actor="test")
    await shop.sql("update attempt set last_query_at = null")
    async with assembly.open_core(settings, database_url) as restarted:
        await sync_payment(restarted, payment.company_id, payment.id, actor="test")

    assert await shop.sql("select 1 from attempt where last_query_at is not null")
