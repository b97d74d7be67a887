"""Lives of payments after the charge: reserved, refunded, disputed, reported. See `fill`."""

import importlib
from datetime import UTC, datetime

from kassa.domain.lifecycle import DisputeStage, DisputeStatus
from kassa.domain.matching import BANK
from kassa.domain.reports import LineKind
from kassa.usecases.release_authorizations import release_authorizations
from kassa.usecases.return_surplus import return_surplus
from kassa.usecases.settlements import close_settlements, record_payout
from tests.usecases.modifying import CAPTURE, REFUND, VOID, Obedient, modify, reserved
from tests.usecases.reports import Reporter, line
from tests.usecases.shop import Scripted, Shop
from tests.usecases.told import DOUBT, NEWS, NO, OVER, PAGE, Book, dispute, hear, heard, yuan

from kassa.connectors.base import (
    Declined,
    Done,
    NotSent,
    Pending,
)


async def reservations(shop: Shop, book: Book) -> None:
    payment = await reserved(shop, Obedient(), **NEWS)
    await book.page(payment, "reserved and voided")
    await modify(shop, payment, VOID)
    await book.page(payment)

    payment = await reserved(shop, Obedient(OVER))
    await modify(shop, payment, CAPTURE)
    await book.page(payment, "reserved, and over at the provider")

    payment = await reserved(shop, Obedient())
    await hear(shop, payment, 1, OVER)
    await book.page(payment, "reserved, and told that it is over")

    gone = Declined(code="already_captured", message="Nothing is held beside it.")
    payment = await reserved(shop, Obedient(None, gone))
    await modify(shop, payment, CAPTURE, 3_000, is_last=False)
    await book.page(payment, "a part captured, the rest let go unseen")
    await modify(shop, payment, VOID, rest=True)
    await book.page(payment)

    payment = await reserved(shop, Obedient(Declined(code="no", message="No.")))
    refused = await modify(shop, payment, CAPTURE, 6_000)
    await book.page(payment, "captured after its void")
    await modify(shop, payment, VOID)
    await book.page(payment)
    await heard(shop, refused.modification, Done(reference="after all", amount=yuan(6_000)))
    await book.page(payment)
    await return_surplus(shop.core)
    await book.page(payment)

    payment = await reserved(shop, Obedient(Declined(code="no", message="No.")))
    refused = await modify(shop, payment, CAPTURE, 6_000)
    await modify(shop, payment, CAPTURE, 5_000)
    await book.page(payment, "captured after the rest was let go")
    await heard(shop, refused.modification, Done(reference="after all", amount=yuan(6_000)))
    await book.page(payment)

    payment = await reserved(shop, Obedient(Declined(code="no", message="No void today.")))
    await modify(shop, payment, VOID)
    await book.page(payment, "its void was refused")
    await modify(shop, payment, CAPTURE)
    await book.page(payment)

    payment = await reserved(shop, Obedient())
    await modify(shop, payment, CAPTURE, 3_000, is_last=False)
    await shop.sql("update payment set authorization_expires_at = now() where id = $1", payment.id)
    await release_authorizations(shop.core)
    await book.page(payment, "a part captured, the rest let go in time")


async def refunds(shop: Shop, book: Book) -> None:
    payment = await shop.play(
        await shop.payment(), Obedient(Done(reference="another", amount=yuan(999)), None)
    )
    await modify(shop, payment, REFUND, 1_000)
    await book.page(payment, "refunded in another amount")

    payment = await shop.play(await shop.payment(), Obedient(NO))
    refused = await modify(shop, payment, REFUND)
    await book.page(payment, "refunded twice, the first too late")
    await modify(shop, payment, REFUND)
    await book.page(payment)
    await heard(shop, refused.modification, Done(reference="after all", amount=yuan(10_000)))
    await book.page(payment)

    payment = await shop.play(await shop.payment(), Obedient(NO))
    refused = await modify(shop, payment, REFUND, 4_000)
    await book.page(payment, "refunded after it was refused")
    await heard(shop, refused.modification, Done(reference="after all", amount=yuan(4_000)))
    await book.page(payment)


async def disputes(shop: Shop, book: Book) -> None:
    payment = await shop.play(await shop.payment(**NEWS), Obedient())
    await dispute(shop, payment, DisputeStatus.NEEDS_RESPONSE)
    await book.page(payment, "disputed, won with its fee, and lost at last")
    await dispute(shop, payment, DisputeStatus.WON, fee=yuan(0))
    await book.page(payment)
    lost = {"stage": DisputeStage.ARBITRATION, "fee": yuan(30)}
    await dispute(shop, payment, DisputeStatus.LOST, **lost)
    await book.page(payment)
    await dispute(shop, payment, DisputeStatus.NEEDS_RESPONSE, stage=DisputeStage.INQUIRY)
    await book.page(payment)

    payment = await shop.play(await shop.payment(), Obedient())
    asked = {"stage": DisputeStage.INQUIRY, "fee": None}
    await dispute(shop, payment, DisputeStatus.NEEDS_RESPONSE, **asked)
    await book.page(payment, "an inquiry")
    await dispute(shop, payment, DisputeStatus.CLOSED, **asked)
    await book.page(payment)

    payment = await shop.play(await shop.payment(**NEWS), Obedient())
    await dispute(shop, payment, DisputeStatus.NEEDS_RESPONSE)
    await book.page(payment, "disputed and lost")
    await dispute(shop, payment, DisputeStatus.LOST)
    await book.page(payment)

    payment = await shop.play(await shop.payment(), Obedient(NotSent(reason="down")))
    await modify(shop, payment, REFUND, 4_000)
    await book.page(payment, "disputed, a refund called off")
    await dispute(shop, payment, DisputeStatus.NEEDS_RESPONSE, amount=yuan(10_000))
    await book.page(payment)

    payment = await shop.play(await shop.payment(), Obedient(None, DOUBT))
    await modify(shop, payment, REFUND, 4_000)
    asked_for = await modify(shop, payment, REFUND, 3_000)
    await dispute(shop, payment, DisputeStatus.NEEDS_RESPONSE, amount=yuan(10_000))
    await book.page(payment, "disputed, and refunded as well")
    await heard(shop, asked_for.modification, Declined(code="disputed", message="Too late."))
    await book.page(payment)
    await dispute(shop, payment, DisputeStatus.WON, amount=yuan(10_000))
    await book.page(payment)

    payment = await shop.payment()
    await shop.play(payment, Scripted(NO))
    await dispute(shop, payment, DisputeStatus.NEEDS_RESPONSE)
    await book.page(payment, "a dispute that cannot be ours")


async def reports(shop: Shop, book: Book) -> None:
    fees = importlib.import_module("kassa.usecases.fees")
    reporter = Reporter(shop, provider=Obedient())
    payment = await reporter.paid(**NEWS)
    await book.page(payment, "its fee told, then reported and settled")
    told = fees.ActualFee(
        company_id=payment.company_id,
        payment_id=payment.id,
        cause=await reporter.key(payment),
        fee=yuan(12),
    )
    await fees.learn_actual_fee(shop.core, told, actor="provider:scripted")
    await book.page(payment)
    said = await reporter.line_of(payment, fee=15, payout_reference="payout 1")
    await reporter.send(said, name="may.csv")
    await book.page(payment)
    await reporter.send(line(LineKind.PAYOUT, 9_985, payout_reference="payout 1"), account=BANK)
    await book.page(payment)

    provider = Obedient()
    payment = await reserved(shop, provider)
    await modify(shop, payment, CAPTURE, 3_000, is_last=False)
    now = await shop.read(payment)
    [part] = await shop.sql("select id from modification where payment_id = $1", payment.id)
    said = line(minor=3_000, fee=8, our_reference=part["id"], occurred_at=datetime.now(UTC))
    await reporter.send(said, name="june.csv")
    await book.page(payment, "reported in part, then settled")
    await modify(shop, payment, VOID, rest=True)
    await book.page(payment)
    other = await reporter.paid()
    await reporter.send(await reporter.line_of(other, fee=0), name="july.csv")
    await book.page(payment)
    await book.page(other, "reported as expected")
    assert now.captured.minor == 3_000

    said = await reporter.line_of(other, fee=33, payout_reference="payout 2")
    await reporter.send(said, name="july again.csv")
    await book.page(other)

    wrong = await reporter.paid()
    said = await reporter.line_of(wrong, minor=9_000)
    await reporter.send(said, name="august.csv")
    await book.page(wrong, "reported in another amount")

    refunded = await reporter.paid()
    await modify(shop, refunded, REFUND, 2_000)
    [back] = await shop.sql("select id from modification where payment_id = $1", refunded.id)
    await reporter.send(
        await reporter.line_of(refunded, minor=10_000, fee=5),
        line(LineKind.REFUND, -2_000, 4, our_reference=back["id"], occurred_at=datetime.now(UTC)),
        name="september.csv",
    )
    await book.page(refunded, "paid, refunded, both reported")
    await modify(shop, refunded, REFUND, 500)
    await book.page(refunded)

    for settlement in await close_settlements(shop.core, shop.company.id):
        if settlement.net.minor > 0:
            await record_payout(
                shop.core, shop.company.id, settlement.id, f"payout of {settlement.connector}"
            )
    await book.page(refunded)


async def what_is_open(shop: Shop, book: Book) -> None:
    """For what goes on after the upgrade; no worker of the old release sees it."""
    await book.page(await reserved(shop, Obedient(), **NEWS), "open: reserved")
    await book.page(await shop.payment(**NEWS), "open: created")
    payment = await shop.payment(**NEWS)
    await shop.play(payment, Scripted(DOUBT))
    await book.page(payment, "open: in doubt")
    payment = await shop.payment(**NEWS)
    await shop.play(payment, Scripted(PAGE))
    await book.page(payment, "open: at the page")
    payment = await shop.play(await shop.payment(**NEWS), Obedient(Pending(reference="slow")))
    await modify(shop, payment, REFUND, 1_500)
    await book.page(payment, "open: being refunded")
    payment = await shop.play(await shop.payment(**NEWS), Obedient())
    await dispute(shop, payment, DisputeStatus.NEEDS_RESPONSE)
    await book.page(payment, "open: disputed")
    await book.page(await shop.play(await shop.payment(**NEWS), Obedient()), "open: paid")
