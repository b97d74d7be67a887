"""Which of ours a bank's line is about: every field counts, and two answers are none."""

from collections.abc import Callable

import pytest
from tests.connectors.reports import samples
from tests.payments.test_record_payment import on_statement, recorded
from tests.reports import CNY, Reporter, line
from tests.shop import Shop

from kassa.base.domain.lifecycle import PaymentStatus
from kassa.base.domain.money import Money
from kassa.payments.domain.payments import Payment
from kassa.reconciliation.domain.matching import BANK
from kassa.reconciliation.usecases.breaks import list_breaks

pytestmark = pytest.mark.anyio


def fields(text: str) -> dict[str, tuple[str, str]]:
    """Where a camt message may say it: (inside of the transaction, behind the entry's details)."""
    own = "<Refs><EndToEndId>ZV202611300001</EndToEndId></Refs>"
    return {
        "end to end": (f"<Refs><EndToEndId>{text}</EndToEndId></Refs>", ""),
        "instruction": (f"<Refs><InstrId>{text}</InstrId></Refs>", ""),
        "proprietary": (
            f"<Refs><EndToEndId>E-1</EndToEndId><Prtry><Tp>X</Tp><Ref>{text}</Ref></Prtry></Refs>",
            "",
        ),
        "text": (f"<RmtInf><Ustrd>Rechnung {text}</Ustrd></RmtInf>", ""),
        "text behind another's reference": (
            f"{own}<RmtInf><Ustrd>Rechnung {text}, Danke</Ustrd></RmtInf>",
            "",
        ),
        "text behind a creditor's reference": (
            f"<RmtInf><Ustrd>{text}</Ustrd><Strd><CdtrRefInf><Ref>RF18539007547034</Ref>"
            "</CdtrRefInf></Strd></RmtInf>",
            "",
        ),
        "second structured": (
            "<RmtInf><Strd><CdtrRefInf><Ref>RF18539007547034</Ref></CdtrRefInf></Strd>"
            f"<Strd><CdtrRefInf><Ref>{text}</Ref></CdtrRefInf></Strd></RmtInf>",
            "",
        ),
        "document": (
            f"{own}<RmtInf><Strd><RfrdDocInf><Nb>{text}</Nb></RfrdDocInf></Strd></RmtInf>",
            "",
        ),
        "more remittance": (
            f"{own}<RmtInf><Strd><AddtlRmtInf>{text}</AddtlRmtInf></Strd></RmtInf>",
            "",
        ),
        "more of the transaction": (f"{own}<AddtlTxInf>Ref {text}</AddtlTxInf>", ""),
        "more of the entry": (own, f"<AddtlNtryInf>Received with reference {text}</AddtlNtryInf>"),
        "entry alone": ("", f"<AddtlNtryInf>Received with reference {text}</AddtlNtryInf>"),
    }


MESSAGES = ("camt.052", "camt.053", "camt.054")


def message(name: str, *parts: str) -> str:
    whole, part = {
        "camt.052": ("BkToCstmrAcctRpt", "Rpt"),
        "camt.053": ("BkToCstmrStmt", "Stmt"),
        "camt.054": ("BkToCstmrDbtCdtNtfctn", "Ntfctn"),
    }[name]
    text = samples.camt(*parts).replace("camt.053", name).replace("BkToCstmrStmt", whole)
    return text.replace("<Stmt>", f"<{part}>").replace("</Stmt>", f"</{part}>")


def entry(amount: str, inside: str, behind: str = "") -> str:
    made = samples.entry(amount, *([inside] if inside else []), currency="CNY")
    return made.replace("</Ntry>", f"{behind}</Ntry>")


@pytest.mark.parametrize("form", MESSAGES)
async def test_whatever_field_names_the_order_confirms_its_transfer(shop: Shop, form: str) -> None:
    names = fields("")
    entries, payments = [], []
    for name in names:
        payment = await recorded(shop)
        payments.append(payment)
        entries.append(entry("100.00", *fields(payment.order_id)[name]))
    lines = samples.good(samples.read(message(form, *entries), form))

    outcome = await Reporter(shop).send(*lines, account=BANK)

    left = [
        name
        for name, payment in zip(names, payments, strict=True)
        if (await shop.read(payment)).status is not PaymentStatus.SETTLED
    ]
    assert (left, outcome.breaks) == ([], {})


async def test_an_order_of_a_merchant_s_own_name_is_found_as_well(shop: Shop) -> None:
    entries = []
    for number, name in enumerate(fields("")):
        order = f"INV-2026-{number:04}"
        await recorded(shop, order_id=order)
        entries.append(entry("100.00", *fields(order)[name]))
    lines = samples.good(samples.read(message("camt.053", *entries), "camt.053"))

    outcome = await Reporter(shop).send(*lines, account=BANK)

    assert (outcome.settled, outcome.breaks) == (len(entries), {})


@pytest.mark.parametrize(
    "written",
    [
        lambda one: f"EREF+{one}SVWZ+TEA",
        lambda one: one.upper().replace("_", " "),
        lambda one: f"{one[:20]} {one[20:]}",
        lambda one: f"{one[:12]}\n{one[12:24]}\n{one[24:]}",
        lambda one: one.replace("_", "")[:27],
        lambda one: f"paid for {one.replace('_', '')[:24]}",
    ],
)
async def test_an_id_of_ours_survives_what_banks_do_to_texts(
    shop: Shop, written: Callable[[str], str]
) -> None:
    payment = await recorded(shop)
    key = await Reporter(shop).key(payment)
    others = [await recorded(shop), await recorded(shop)]
    said = [on_statement(written(name)) for name in (payment.order_id, others[0].id)]

    outcome = await Reporter(shop).send(*said, on_statement(written(key)), account=BANK)

    assert outcome.breaks in ({}, {"overpaid": 1})
    assert (await shop.read(payment)).status is PaymentStatus.SETTLED
    assert (await shop.read(others[1])).status is PaymentStatus.CAPTURED


@pytest.mark.parametrize(
    "text",
    [
        "Rechnung INV-2026-\n000017 vom Mai",
        "INVOICE: INV-2026-000017.",
        "inv-2026-000017",
        "RECH/(INV-2026-000017)",
        "INV 2026 000017",
        "17 SVWZ+INV-2026-000017+KREF",
        "x" * 22 + " INV-2026-000",  # cut where a field of 35 ends
    ],
)
async def test_a_merchant_s_name_survives_blanks_marks_case_and_being_cut(
    shop: Shop, text: str
) -> None:
    payment = await recorded(shop, order_id="INV-2026-000017")
    await recorded(shop, order_id="INV-2027-000017")

    wrong = await Reporter(shop).send(on_statement(text, 9_999), account=BANK)
    right = await Reporter(shop).send(on_statement(text), account=BANK)

    assert wrong.breaks == {"missing_ours": 1}, "a word is believed where the amount fits"
    assert (right.settled, right.breaks) == (1, {})
    assert (await shop.read(payment)).status is PaymentStatus.SETTLED


async def test_what_is_cut_to_what_two_begin_with_names_neither(shop: Shop) -> None:
    for number in (1, 2):
        await recorded(shop, order_id=f"INV-2026-00001{number}")
    text = "x" * 21 + " INV-2026-0000"
    assert len(text) == 35

    outcome = await Reporter(shop).send(on_statement(text), account=BANK)

    assert outcome.breaks == {"missing_ours": 1}


async def two(shop: Shop) -> tuple[Payment, Payment]:
    return await recorded(shop), await recorded(shop)


async def test_two_that_fit_are_a_break_that_lists_them(shop: Shop) -> None:
    first, second = await two(shop)
    said = on_statement(f"{first.order_id} and {second.order_id}")

    planned = await Reporter(shop).send(said, account=BANK, dry_run=True)
    outcome = await Reporter(shop).send(said, account=BANK)

    assert planned.breaks == outcome.breaks == {"ambiguous": 1}
    [found] = await list_breaks(shop.core, shop.company.id)
    for payment in (first, second):
        assert await Reporter(shop).key(payment) in found.details
        assert (await shop.read(payment)).status is PaymentStatus.CAPTURED


async def test_of_two_names_the_one_of_that_amount_is_meant(shop: Shop) -> None:
    first, second = await recorded(shop), await recorded(shop, amount=Money(7_000, CNY))
    said = on_statement(f"{first.order_id} {second.order_id}", 7_000)

    outcome = await Reporter(shop).send(said, account=BANK)

    assert (outcome.settled, outcome.breaks) == (1, {})
    assert (await shop.read(second)).status is PaymentStatus.SETTLED


async def test_what_waited_for_a_lock_keeps_its_texts(shop: Shop) -> None:
    payment = await recorded(shop)
    said = on_statement("", our_reference="ZV2026", texts=(f"Rechnung {payment.order_id}",))
    await Reporter(shop).send(on_statement("", our_reference="X", texts=("Y",)), account=BANK)

    [kept] = await shop.sql("select texts from report_line")
    outcome = await Reporter(shop).send(said, account=BANK)

    assert (list(kept[0]), outcome.settled) == (["Y"], 1)


async def test_what_else_a_provider_says_counts_where_its_references_lead_nowhere(
    shop: Shop,
) -> None:
    reporter = Reporter(shop)
    payment = await reporter.paid()
    said = line(our_reference="of a shop's own", provider_reference="ch_9",
                texts=("of a shop's own", payment.order_id))  # fmt: skip

    outcome = await reporter.send(said)

    assert (outcome.settled, outcome.breaks) == (1, {})


async def test_a_provider_s_line_that_names_two_payments_is_a_break(shop: Shop) -> None:
    reporter = Reporter(shop)
    first, second = await reporter.paid(), await reporter.paid()
    theirs = (await shop.attempts(second))[-1]["provider_reference"]

    outcome = await reporter.send(await reporter.line_of(first, provider_reference=theirs))

    assert outcome.breaks == {"ambiguous": 1}
    assert (await shop.read(first)).status is PaymentStatus.CAPTURED
    [found] = await list_breaks(shop.core, shop.company.id)
    assert await reporter.key(first) in found.details
    assert await reporter.key(second) in found.details


async def test_two_other_texts_that_lead_to_two_payments_are_a_break(shop: Shop) -> None:
    reporter = Reporter(shop)
    first, second = await reporter.paid(), await reporter.paid()

    outcome = await reporter.send(line(texts=(first.order_id, second.order_id)))

    assert outcome.breaks == {"ambiguous": 1}
