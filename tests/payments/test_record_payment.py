"""Cash, checks and bank transfers: recorded by staff, and transfers confirmed by the bank."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.connectors.reports import samples
from tests.modifying import REFUND, balance_of_account, modify
from tests.reports import Reporter, line
from tests.shop import Shop

from kassa.base.domain.errors import InvalidRequest, UnsupportedOperation
from kassa.base.domain.lifecycle import ModificationStatus, PaymentStatus
from kassa.payments.domain.payments import CaptureMethod, Method, Payment
from kassa.payments.usecases.explain import explain
from kassa.payments.usecases.record_payment import Recording, record_payment
from kassa.reconciliation.domain.matching import BANK
from kassa.reconciliation.domain.reports import LineKind, ReportLine
from kassa.reconciliation.usecases.reconcile import find_missing

pytestmark = pytest.mark.anyio

_S = PaymentStatus


async def recorded(
    shop: Shop, method: Method = Method.BANK_TRANSFER, *, reference: str = "", **changes: Any
) -> Payment:
    """A payment of 100.00 CNY that staff has recorded."""
    payment = await shop.payment(**changes)
    wanted = Recording(
        company_id=payment.company_id,
        payment_id=payment.id,
        method=method,
        actor="operator:anna",
        reference=reference,
    )
    return await record_payment(shop.core, wanted)


def on_statement(text: str = "", minor: int = 10_000, **said: Any) -> ReportLine:
    """A line as a bank's statement gives it: it knows of no payments."""
    return line(LineKind.PAYOUT, minor, payout_reference=text, **said)


async def accounts(shop: Shop) -> dict[str, int]:
    """What is on the way, and what is at the bank."""
    return {name: await balance_of_account(shop, name) for name in ("transit", "bank")}


@pytest.mark.parametrize(
    ("method", "account", "connector"),
    [
        (Method.CASH, "cash", "offline"),
        (Method.CHECK, "cash", "offline"),
        (Method.BANK_TRANSFER, "transit", "bank"),
    ],
)
async def test_what_staff_records_is_captured_with_who_and_what_they_said(
    shop: Shop, method: Method, account: str, connector: str
) -> None:
    payment = await recorded(shop, method, reference="no. 000117")

    assert (payment.status, payment.method, payment.connector) == (_S.CAPTURED, method, connector)
    assert payment.provider_reference == "no. 000117"
    assert await balance_of_account(shop, account) == 10_000
    event = (await explain(shop.core, payment.company_id, payment.id)).steps[-1].event
    assert event.actor == "operator:anna"
    assert (event.evidence["by"], event.evidence["reference"]) == ("recorded", "no. 000117")
    assert await shop.faults() == []


async def test_a_record_is_made_once(shop: Shop) -> None:
    payment = await recorded(shop, reference="first")
    wanted = Recording(
        company_id=payment.company_id,
        payment_id=payment.id,
        method=Method.CASH,
        actor="operator:anna",
        reference="second",
    )

    again = await record_payment(shop.core, wanted)

    assert (again.method, again.provider_reference) == (Method.BANK_TRANSFER, "first")
    assert await accounts(shop) == {"transit": 10_000, "bank": 0}


@pytest.mark.parametrize("reference", ["x" * 101, "two\nlines", "\x00"])
async def test_a_reference_is_one_short_line(shop: Shop, reference: str) -> None:
    with pytest.raises(InvalidRequest, match="reference"):
        await recorded(shop, reference=reference)


@pytest.mark.parametrize("method", sorted(set(Method) - {"cash", "check", "bank_transfer"}))
async def test_what_a_provider_takes_is_not_recorded(shop: Shop, method: Method) -> None:
    with pytest.raises(UnsupportedOperation):
        await recorded(shop, method)


async def test_a_transfer_cannot_be_reserved(shop: Shop) -> None:
    with pytest.raises(UnsupportedOperation):
        await recorded(shop, capture_method=CaptureMethod.MANUAL)


async def test_a_wrong_record_is_taken_back_by_a_refund_that_calls_nobody(shop: Shop) -> None:
    payment = await recorded(shop)

    done = await modify(shop, payment, REFUND)

    assert done.modification.status is ModificationStatus.SUCCEEDED
    assert await accounts(shop) == {"transit": 0, "bank": 0}
    assert await shop.faults() == []


@pytest.mark.parametrize("mark", ["_", " ", "-", ""])
async def test_a_statement_s_line_that_names_the_order_confirms_it(shop: Shop, mark: str) -> None:
    payment = await recorded(shop)
    name = payment.order_id.replace("_", mark).upper()

    outcome = await Reporter(shop).send(
        on_statement(f"Tea of May, {name}, thank you"), account=BANK
    )

    assert (outcome.matched, outcome.settled, outcome.breaks) == (1, 1, {})
    assert (await shop.read(payment)).status is _S.SETTLED
    assert await accounts(shop) == {"transit": 0, "bank": 10_000}
    assert await shop.faults() == []


@pytest.mark.parametrize("by", ["payment", "attempt", "our_reference", "provider_reference"])
async def test_payment_attempt_and_end_to_end_reference_name_it_as_well(
    shop: Shop, by: str
) -> None:
    payment = await recorded(shop)
    said = {
        "payment": on_statement(f"for {payment.id}"),
        "attempt": on_statement(await Reporter(shop).key(payment)),
        "our_reference": on_statement(our_reference=payment.id),
        "provider_reference": on_statement(provider_reference=payment.order_id),
    }[by]

    outcome = await Reporter(shop).send(said, account=BANK)

    assert (outcome.settled, outcome.breaks) == (1, {})


async def test_the_reference_that_staff_noted_names_it_as_well(shop: Shop) -> None:
    payment = await recorded(shop, reference="E2E-0815")
    await recorded(shop, reference="E2E-0816")

    outcome = await Reporter(shop).send(on_statement("paid E2E-0815"), account=BANK)

    assert (outcome.settled, outcome.breaks) == (1, {})
    assert (await shop.read(payment)).status is _S.SETTLED


async def test_a_camt_statement_confirms_transfers(shop: Shop) -> None:
    payment = await recorded(shop)
    other = await recorded(shop)
    statement = samples.camt(
        samples.entry(
            "100.00",
            f"<RmtInf><Ustrd>Invoice 17</Ustrd><Ustrd>{payment.order_id}</Ustrd></RmtInf>",
            currency="CNY",
        ),
        samples.entry(
            "100.00",
            f"<Refs><EndToEndId>{other.id.replace('_', '')}</EndToEndId></Refs>",
            currency="CNY",
        ),
    )
    lines = samples.good(samples.read(statement, "camt.053"))

    outcome = await Reporter(shop).send(*lines, account=BANK)

    assert (outcome.settled, outcome.breaks) == (2, {})
    assert await accounts(shop) == {"transit": 0, "bank": 20_000}


async def test_the_same_transfer_twice_in_a_statement_is_paid_too_much(shop: Shop) -> None:
    payment = await recorded(shop)
    said = on_statement(payment.order_id)

    outcome = await Reporter(shop).send(said, said, account=BANK)

    assert (outcome.matched, outcome.breaks) == (2, {"overpaid": 1})
    assert (await shop.read(payment)).surplus_left == payment.amount
    assert await accounts(shop) == {"transit": 0, "bank": 20_000}


async def test_another_amount_settles_nothing(shop: Shop) -> None:
    payment = await recorded(shop)

    outcome = await Reporter(shop).send(on_statement(payment.order_id, 9_999), account=BANK)

    assert (outcome.matched, outcome.breaks) == (0, {"amount": 1})
    assert (await shop.read(payment)).status is _S.CAPTURED
    assert await accounts(shop) == {"transit": 10_000, "bank": 0}


async def test_a_transfer_in_two_parts_is_confirmed_when_both_are_there(shop: Shop) -> None:
    payment = await recorded(shop)
    parts = (on_statement(payment.order_id, 4_000), on_statement(payment.order_id, 6_000))

    outcome = await Reporter(shop).send(*parts, account=BANK)

    assert (outcome.settled, outcome.breaks) == (1, {})
    assert await accounts(shop) == {"transit": 0, "bank": 10_000}


async def test_a_word_that_happens_to_be_an_order_s_id_needs_the_exact_amount(shop: Shop) -> None:
    await recorded(shop, order_id="may")
    reporter = Reporter(shop)

    other = await reporter.send(on_statement("rent of may", 4_000), account=BANK)
    right = await reporter.send(on_statement("tea of may"), account=BANK)

    assert other.breaks == {"missing_ours": 1}
    assert (right.settled, right.breaks) == (1, {})


async def test_money_for_an_order_that_nobody_recorded_is_a_break(shop: Shop) -> None:
    payment = await shop.payment()

    outcome = await Reporter(shop).send(on_statement(payment.order_id), account=BANK)

    assert outcome.breaks == {"missing_ours": 1}
    assert (await shop.read(payment)).status is _S.CREATED


async def test_money_that_went_back_leaves_the_bank(shop: Shop) -> None:
    payment = await recorded(shop)
    reporter = Reporter(shop)
    await reporter.send(on_statement(payment.order_id), account=BANK)
    await modify(shop, payment, REFUND, 2_500)
    assert await accounts(shop) == {"transit": -2_500, "bank": 10_000}

    outcome = await reporter.send(on_statement(f"back {payment.order_id}", -2_500), account=BANK)

    assert (outcome.matched, outcome.breaks) == (1, {})
    assert await accounts(shop) == {"transit": 0, "bank": 7_500}
    assert await shop.faults() == []


async def test_what_the_bank_keeps_of_a_transfer_is_a_fee(shop: Shop) -> None:
    payment = await recorded(shop)

    outcome = await Reporter(shop).send(on_statement(payment.order_id, fee=150), account=BANK)

    assert (outcome.settled, outcome.breaks) == (1, {})
    assert await accounts(shop) == {"transit": 0, "bank": 9_850}
    assert await shop.faults() == []


async def test_a_dry_run_says_the_same_and_writes_nothing(shop: Shop) -> None:
    payment = await recorded(shop)
    said = on_statement(payment.order_id)
    reporter = Reporter(shop)

    planned = await reporter.send(said, said, account=BANK, dry_run=True)

    assert await accounts(shop) == {"transit": 10_000, "bank": 0}
    done = await reporter.send(said, said, account=BANK)
    assert (planned.matched, planned.breaks) == (done.matched, done.breaks)


async def test_a_transfer_that_no_statement_tells_of_is_missed(shop: Shop) -> None:
    # What was taken back was recorded by mistake: it will never come, and nobody misses it.
    lost, mistake = await recorded(shop), await recorded(shop)
    await modify(shop, mistake, REFUND)
    now = datetime.now(UTC)
    around = [
        on_statement("salary", 1, occurred_at=now - timedelta(days=1)),
        on_statement("rent", 2, occurred_at=now + timedelta(days=1)),
    ]
    await Reporter(shop).send(*around, account=BANK)

    found = await find_missing(shop.core, lost.company_id, BANK, timedelta(0))

    assert found == 1
    [row] = await shop.sql("select payment_id from report_break where class = 'missing_theirs'")
    assert row[0] == lost.id


async def test_transfers_are_in_no_settlement(shop: Shop) -> None:
    await recorded(shop)

    assert await shop.sql("select 1 from settlement_line") == []
