"""Lives of payments: charged, declined, in doubt, ended, paid by other means. See `fill`."""

import asyncio
from contextlib import suppress
from typing import Any

from kassa.domain.errors import KassaError
from kassa.domain.lifecycle import DisputeStatus
from kassa.domain.payments import Method
from kassa.domain.principals import Principal
from kassa.usecases.cancel_payment import cancel_payment
from kassa.usecases.expire_orders import expire_orders
from kassa.usecases.open_payment import open_payment, renew_redirect
from kassa.usecases.pursue_modifications import pursue_modifications
from kassa.usecases.record_payment import Recording, record_payment
from kassa.usecases.request_payment import RequestedPayment, request_payment
from kassa.usecases.return_surplus import return_surplus
from tests.usecases.modifying import CAPTURE, REFUND, VOID, Obedient, modify, soon
from tests.usecases.shop import CARDS, Scripted, Shop
from tests.usecases.told import (
    DOUBT,
    MANUAL,
    NEWS,
    NO,
    PAGE,
    Book,
    Closing,
    add_accounts,
    dispute,
    hear,
    heard,
    yuan,
)

from kassa.connectors.base import (
    Authorized,
    Captured,
    Declined,
    Done,
    NotSent,
    Pending,
)


async def a_long_life(shop: Shop, book: Book) -> None:
    provider = Obedient()
    payment = await shop.payment(order_id="tea-1", **MANUAL, **NEWS)
    await book.page(payment, "a long life")
    await shop.play(payment, provider)
    await book.page(payment)
    for minor, more in ((6_000, {"is_last": False}), (2_000, {})):
        provider.says = [Done(reference=f"part {minor}", amount=yuan(minor), fee=yuan(7))]
        await modify(shop, payment, CAPTURE, minor, **more)
        await book.page(payment)
    provider.says = [Pending(reference="on its way")]
    slow = await modify(shop, payment, REFUND, 1_000, reason="one cup was broken")
    await book.page(payment)
    provider.says = [Declined(code="refused", message="No.", provider_code="x")]
    await modify(shop, payment, REFUND, 500)
    await book.page(payment)
    await heard(
        shop, slow.modification, Done(reference="refund 1", amount=yuan(1_000), fee=yuan(3))
    )
    await book.page(payment)
    for status in (DisputeStatus.NEEDS_RESPONSE, DisputeStatus.UNDER_REVIEW, DisputeStatus.WON):
        await dispute(shop, payment, status)
        await book.page(payment)


async def charges(shop: Shop, book: Book) -> None:
    payment = await shop.payment(**NEWS)
    await shop.play(payment, Obedient())
    await book.page(payment, "paid")

    payment = await shop.payment(**NEWS)
    for provider in (Scripted(NO), Scripted()):
        await shop.play(payment, provider)
        await book.page(payment, "declined, then paid")

    payment = await shop.payment()
    provider = Scripted(DOUBT)
    await shop.play(payment, provider)
    await book.page(payment, "in doubt, then paid")
    provider.answers_to_queries = [Captured(reference="late 1", amount=yuan(10_000), fee=yuan(9))]
    await shop.age(payment, "1 hour")
    await shop.sync(payment)
    await book.page(payment)

    payment = await shop.payment()
    await shop.play(payment, Scripted(Pending(reference="accepted 1")))
    await book.page(payment, "accepted, then paid")
    await hear(shop, payment, 1, Captured(reference="accepted 1", amount=yuan(10_000)))
    await book.page(payment)

    payment = await shop.payment()
    with suppress(KassaError):
        await shop.play(payment, Scripted(NotSent(reason="no route")))
    await book.page(payment, "not sent, then paid")
    await shop.play(payment, Scripted())
    await book.page(payment)

    soft = Declined(code="provider_unavailable", message="Try again.", soft=True)
    add_accounts(shop, aa=Scripted(soft), bb=Scripted())
    payment = await shop.payment()
    await shop.submit(payment, connector="aa", fallbacks=("bb",))
    await book.page(payment, "rerouted, then paid twice")
    await hear(shop, payment, 1, Captured(reference="late", amount=yuan(10_000), fee=yuan(4)))
    await book.page(payment)
    await return_surplus(shop.core)
    await book.page(payment)


async def other_money_decides(shop: Shop, book: Book) -> None:
    taken = Captured(reference="first after all", amount=yuan(10_000))
    for life, then in (("declined", NO), ("in doubt", DOUBT)):
        payment = await shop.payment()
        await shop.play(payment, Scripted(NO))
        await shop.play(payment, Scripted(DOUBT))
        await hear(shop, payment, 1, taken)
        await book.page(payment, f"paid by the first, the second {life}")
        await hear(shop, payment, 2, then)
        await book.page(payment)

    payment = await shop.payment()
    await shop.play(payment, Scripted(NO))

    async def meanwhile(_: Any) -> NotSent:
        await hear(shop, payment, 1, taken)
        return NotSent(reason="no route")

    with suppress(KassaError):
        await shop.play(payment, Scripted(meanwhile))
    await book.page(payment, "paid by the first, the second not sent")

    payment = await shop.payment()
    await shop.play(payment, Scripted(NO))
    await book.page(payment, "declined, and another amount was there")
    await hear(shop, payment, 1, Captured(reference="odd", amount=yuan(9_999)))
    await book.page(payment)


async def ends(shop: Shop, book: Book) -> None:
    payment = await shop.payment(**NEWS)
    await shop.expire(payment)
    await expire_orders(shop.core)
    await book.page(payment, "expired")

    payment = await shop.payment(**NEWS)
    await cancel_payment(shop.core, payment.company_id, payment.id, actor="operator:a")
    await book.page(payment, "canceled")

    payment = await shop.payment()
    await shop.play(payment, Scripted(NO))
    await book.page(payment, "declined, then canceled")
    await cancel_payment(shop.core, payment.company_id, payment.id, actor="operator:a")
    await book.page(payment)

    provider = Obedient()
    provider.answers, provider.answers_to_queries = [PAGE], [Pending(reference="page")]
    payment = await shop.payment(**NEWS)
    await shop.play(payment, provider)
    await book.page(payment, "expired at the page, then paid and returned")
    await shop.expire(payment)
    await expire_orders(shop.core)
    await book.page(payment)
    await hear(shop, payment, 1, Captured(reference="late", amount=yuan(10_000), fee=yuan(11)))
    await book.page(payment)
    provider.says = [Declined(code="try_later", message="Not now.")]
    await return_surplus(shop.core)
    await book.page(payment)
    await shop.sql(
        "update modification set completed_at = completed_at - interval '1 hour'"
        " where payment_id = $1",
        payment.id,
    )
    await return_surplus(shop.core)
    await book.page(payment)

    payment = await shop.payment(**NEWS)
    await shop.play(payment, Closing(PAGE))
    await cancel_payment(shop.core, payment.company_id, payment.id, actor="operator:a")
    await book.page(payment, "canceled, and its page closed")

    provider = Obedient()
    provider.answers, provider.answers_to_queries = [PAGE], [Pending(reference="page")]
    payment = await shop.payment(**MANUAL)
    await shop.play(payment, provider)
    await shop.expire(payment)
    await expire_orders(shop.core)
    await book.page(payment, "expired at the page, then reserved")
    await hear(shop, payment, 1, Authorized(reference="late auth", amount=yuan(10_000)))
    await book.page(payment)
    await soon(shop, payment)
    await pursue_modifications(shop.core)
    await book.page(payment)


async def past_the_providers(shop: Shop, book: Book) -> None:
    for method in (Method.CASH, Method.BANK_TRANSFER):
        payment = await shop.payment()
        recording = Recording(
            company_id=payment.company_id,
            payment_id=payment.id,
            method=method,
            actor="operator:a",
            reference=f"slip {method}",
        )
        await record_payment(shop.core, recording)
        await book.page(payment, f"recorded, {method}")
        await modify(shop, payment, REFUND, 4_000)
        await book.page(payment)

    payment = await shop.payment(**MANUAL)
    await shop.wallet(payment, await shop.user(50_000))
    await book.page(payment, "reserved in a wallet and let go")
    await modify(shop, payment, VOID)
    await book.page(payment)

    payment = await shop.payment(**MANUAL)
    await shop.wallet(payment, await shop.user(50_000))
    await modify(shop, payment, CAPTURE, 2_500)
    await book.page(payment, "reserved in a wallet, a part captured")
    await modify(shop, payment, REFUND, 500)
    await book.page(payment)

    payment = await shop.payment()
    for minor in (1, 50_000):
        with suppress(KassaError):
            await shop.wallet(payment, await shop.user(minor))
        await book.page(payment, "refused by a wallet, then paid by another")


async def at_the_checkout(shop: Shop, book: Book) -> None:
    alice = Principal(
        company=shop.company,
        business_id=shop.company.business_id,
        kind="customer",
        credential="key",
        name="alice",
        roles=frozenset({"CUSTOMER"}),
        orders=frozenset({"*"}),
    )
    payment = await shop.payment(order_id="tea-2")
    opened = await open_payment(
        shop.core, alice, order_id="tea-2", subject="tea", description="two cups"
    )
    await book.page(payment, "opened, and renewed")
    assert opened.number is not None
    await asyncio.sleep(1.1)  # the address names the second in which it was made
    await renew_redirect(shop.core, alice, opened.number)
    await book.page(payment)

    payment = await request_payment(
        shop.core,
        RequestedPayment(
            company=shop.company,
            business_id=shop.company.business_id,
            actor="test:gateway",
            order_id="tea-3",
            user_id="user-1",
            amount=yuan(10_000),
            method=Method.CREDIT_CARD,
            instrument=CARDS["paid"],
            instrument_shown="•••• 4242",
            payer_account={"number": "•••• 0123"},
            payee_account={},
            fingerprint_of={"account": "of the payer"},
        ),
    )
    await book.page(payment, "requested in one call")
