"""Reports settle what agrees with the books, and open a break for each thing that does not."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.reports import Reporter, line
from tests.shop import Shop

from kassa.base.domain.lifecycle import ModificationKind, PaymentStatus
from kassa.base.domain.money import Money
from kassa.modifications.usecases.modify_payment import ModifyPayment, modify_payment
from kassa.payments.domain.payments import CaptureMethod
from kassa.reconciliation.domain.reports import LineKind, Unreadable
from kassa.reconciliation.usecases import report_pipeline as module
from kassa.reconciliation.usecases.reconcile import find_missing
from kassa.reconciliation.usecases.watch_reports import watch_reports

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("told_truly")]
NOTIFY = "http://127.0.0.1:8999/notify"


@pytest.fixture
async def reporter(shop: Shop) -> Reporter:
    return Reporter(shop)


async def test_a_reported_payment_is_settled_and_says_which_line_did_it(
    reporter: Reporter, shop: Shop
) -> None:
    payment = await reporter.paid(notify_url=NOTIFY)

    outcome = await reporter.send(await reporter.line_of(payment), name="may.csv")

    settled = await shop.read(payment)
    assert (settled.status, settled.settled_minor) == (PaymentStatus.SETTLED, 10_000)
    assert (outcome.matched, outcome.settled, outcome.breaks) == (1, 1, {})
    assert outcome.totals == {"CNY": {"gross": 10_000, "fees": 0, "matched": 10_000}}
    [event] = await shop.sql(
        "select actor, evidence::text from payment_event where event = 'settle'"
    )
    assert event["actor"] == "report:scripted"
    assert '"line": 1' in event["evidence"]
    assert '"report": "may.csv"' in event["evidence"]
    news = await shop.sql("select version, event_type from announcement order by version")
    assert [tuple(one) for one in news][-1] == (settled.version, "payment.settled")
    assert await shop.faults() == []


async def test_the_same_file_twice_changes_nothing_and_says_so(
    reporter: Reporter, shop: Shop
) -> None:
    payment = await reporter.paid()
    lines = [await reporter.line_of(payment), line(our_reference="nobody")]
    first = await reporter.send(*lines)
    before = await _everything(shop)

    second = await reporter.send(*lines, name="another name.csv")

    assert (first.imported_before, second.imported_before) == (False, True)
    assert (second.lines, second.matched, second.breaks) == (2, 1, {"missing_ours": 1})
    assert await _everything(shop) == before


async def _everything(shop: Shop) -> list[Any]:
    tables = ("report_file", "report_line", "report_match", "report_break", "payment",
              "payment_event", "posting", "entry", "announcement")  # fmt: skip
    return [
        row[0]
        for table in tables
        for row in await shop.sql(f"select x::text from {table} x order by 1")
    ]


class Killed(BaseException):
    """What kill -9 would be."""


async def test_an_import_that_was_cut_off_goes_on_where_it_stopped(
    reporter: Reporter, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    payments = [await reporter.paid() for _ in range(9)]
    lines = [await reporter.line_of(payment) for payment in payments]
    real, written = module.write, [0]

    async def write(*values: Any, **how: Any) -> None:
        await real(*values, **how)
        written[0] += 1
        if written[0] == 3:  # its statements are done, and its transaction is not committed
            raise Killed

    monkeypatch.setattr(module, "write", write)
    with pytest.raises(Killed):
        await reporter.send(*lines, lines_per_batch=2)
    [cut] = await shop.sql("select state, position from report_file")
    assert tuple(cut) == ("importing", 4)

    outcome = await reporter.send(*lines, lines_per_batch=2)

    assert not outcome.imported_before
    assert (outcome.lines, outcome.matched, outcome.settled) == (9, 9, 9)
    assert outcome.totals["CNY"] == {"gross": 90_000, "fees": 0, "matched": 90_000}
    assert [len(await shop.timeline(one)) for one in payments] == [4] * 9
    assert await shop.faults() == []


async def test_a_batch_sees_what_the_one_before_it_did_to_the_same_payment(
    reporter: Reporter, shop: Shop
) -> None:
    # The next batch is prepared while one is written. The guards are the lock on the payments,
    # for which it waits before it decides, and `reads_settlements`: without that, the payout is
    # of no settlement.
    first, second = await reporter.paid(), await reporter.paid()
    halves = [await reporter.line_of(first, minor=5_000) for _ in range(2)]
    told = await reporter.line_of(second, payout_reference="po_1")
    payout = line(LineKind.PAYOUT, -10_000, payout_reference="po_1")

    outcome = await reporter.send(*halves, told, payout, told, lines_per_batch=1)

    assert (outcome.matched, outcome.settled, outcome.breaks) == (4, 2, {"duplicate": 1})
    assert await shop.faults() == []


async def test_two_imports_of_one_file_at_once_are_one(reporter: Reporter, shop: Shop) -> None:
    # The guard is the lock on the file's row, and the position that is read under it. Without
    # the comparison of places with the position, report_line's key refuses the second one.
    payments = [await reporter.paid() for _ in range(12)]
    lines = [await reporter.line_of(payment) for payment in payments]

    outcomes = await asyncio.gather(
        *(reporter.send(*lines, lines_per_batch=size) for size in (2, 3, 5))
    )

    assert {one.matched for one in outcomes} == {12}
    assert await reporter.breaks() == []
    assert [len(await shop.timeline(one)) for one in payments] == [4] * 12


async def test_a_dry_run_shows_the_same_and_changes_nothing(reporter: Reporter, shop: Shop) -> None:
    good, wrong = await reporter.paid(), await reporter.paid()
    right = await reporter.line_of(good)
    lines = [
        right,
        right,
        await reporter.line_of(wrong, minor=9_999),
        line(our_reference="nobody"),
        Unreadable(number=5, reason="no amount"),
    ]
    before = await _everything(shop)

    planned = await reporter.send(*lines, dry_run=True, lines_per_batch=1)

    assert await _everything(shop) == before
    done = await reporter.send(*lines)
    assert planned.breaks == done.breaks == {
        "amount": 1, "duplicate": 1, "missing_ours": 1, "unreadable": 1,
    }  # fmt: skip
    assert (planned.matched, planned.settled, planned.totals) == (
        done.matched, done.settled, done.totals,
    )  # fmt: skip


async def test_the_provider_s_reference_finds_what_ours_does_not(reporter: Reporter) -> None:
    first, second = await reporter.paid(), await reporter.paid()

    outcome = await reporter.send(
        await reporter.line_of(
            first, our_reference="", provider_reference=first.provider_reference
        ),
        await reporter.line_of(second, our_reference=second.order_id),
    )

    assert (outcome.matched, outcome.breaks) == (2, {})


async def test_another_company_s_payment_never_matches(reporter: Reporter, shop: Shop) -> None:
    # The guard is the company in every statement that looks a reference up.
    payment = await reporter.paid()
    other = await shop.other_company()
    said = await reporter.line_of(payment)

    outcome = await reporter.send(
        said,
        line(provider_reference=payment.provider_reference),
        line(our_reference=payment.order_id),
        company=other.id,
    )

    assert (outcome.matched, outcome.breaks) == (0, {"missing_ours": 3})
    assert (await shop.read(payment)).status is PaymentStatus.CAPTURED


async def test_a_wrong_amount_is_a_break_and_settles_nothing(
    reporter: Reporter, shop: Shop
) -> None:
    # The guard is the comparison in matching._equal: with any tolerance this payment settles.
    payment = await reporter.paid()

    outcome = await reporter.send(await reporter.line_of(payment, minor=9_999))

    assert outcome.breaks == {"amount": 1}
    assert (await shop.read(payment)).settled_minor == 0
    [row] = await shop.sql("select expected_minor, found_minor, payment_id from report_break")
    assert tuple(row) == (10_000, 9_999, payment.id)


async def test_a_corrected_file_closes_the_break_of_the_wrong_one(
    reporter: Reporter, shop: Shop
) -> None:
    payment = await reporter.paid()
    await reporter.send(await reporter.line_of(payment, minor=9_999))

    await reporter.send(await reporter.line_of(payment), name="corrected.csv")

    assert await reporter.breaks() == []
    [row] = await shop.sql("select status, resolution, resolved_by from report_break")
    assert tuple(row) == ("resolved", "reported in corrected.csv", "report:scripted")
    assert (await shop.read(payment)).status is PaymentStatus.SETTLED


@pytest.mark.parametrize("lines_per_batch", [1, 100])
async def test_lines_that_add_up_to_one_movement_match_together(
    reporter: Reporter, shop: Shop, lines_per_batch: int
) -> None:
    split, other = await reporter.paid(), await reporter.paid()
    parts = [await reporter.line_of(split, minor=minor) for minor in (2_500, 7_400, 100)]
    unfinished = await reporter.line_of(other, minor=4_000)

    outcome = await reporter.send(parts[0], unfinished, *parts[1:], lines_per_batch=lines_per_batch)

    assert (await shop.read(split)).status is PaymentStatus.SETTLED
    assert (outcome.matched, outcome.breaks) == (3, {"amount": 1})
    states = await shop.sql("select state from report_line order by place")
    assert [one[0] for one in states] == ["matched", "break", "matched", "matched"]


async def test_one_line_for_several_captures_settles_all_of_them(
    reporter: Reporter, shop: Shop
) -> None:
    payment, captures = await _captured_in_parts(shop, 3_000, 5_000)
    [attempt] = await shop.attempts(payment)

    said = line(minor=8_000, fee=payment.fee.minor, our_reference=attempt["id"])
    outcome = await reporter.send(said, account="sandbox")

    assert (outcome.matched, outcome.breaks) == (1, {})
    assert (await shop.read(payment)).settled_minor == 8_000
    matches = await shop.sql("select posting_id from report_match")
    assert len(matches) == len(captures) == 2


async def test_a_payment_reported_in_parts_settles_with_the_last_and_when_nothing_is_held(
    reporter: Reporter, shop: Shop
) -> None:
    payment, captures = await _captured_in_parts(shop, 3_000, 5_000)
    sandbox = Reporter(shop, "sandbox")

    await sandbox.send(line(minor=3_000, our_reference=captures[0]))
    first = await shop.read(payment)
    await sandbox.send(line(minor=5_000, our_reference=captures[1]))
    second = await shop.read(payment)

    assert (first.status, first.settled_minor) == (PaymentStatus.CAPTURED, 3_000)
    assert (second.status, second.settled_minor) == (PaymentStatus.CAPTURED, 8_000)
    assert second.held.minor == 2_000
    await _modify(shop, payment, ModificationKind.VOID, None, rest=True)
    assert await watch_reports(shop.core) == 1
    assert await watch_reports(shop.core) == 0
    assert (await shop.read(payment)).status is PaymentStatus.SETTLED
    assert await shop.faults() == []


async def _captured_in_parts(shop: Shop, *parts: int) -> tuple[Any, list[str]]:
    payment = await shop.payment(capture_method=CaptureMethod.MANUAL)
    payment = await shop.submit(payment)
    made = [await _modify(shop, payment, ModificationKind.CAPTURE, part) for part in parts]
    return await shop.read(payment), made


async def _modify(
    shop: Shop, payment: Any, kind: ModificationKind, minor: int | None, **said: Any
) -> str:
    if kind is ModificationKind.CAPTURE:
        said["is_last"] = False
    done = await modify_payment(
        shop.core,
        ModifyPayment(
            company_id=payment.company_id,
            payment_id=payment.id,
            kind=kind,
            amount=None if minor is None else Money(minor, "CNY"),
            actor="test",
            face="orders",
            **said,
        ),
    )
    return done.modification.id


async def test_a_refund_is_matched_by_its_own_id_and_keeps_the_payment_as_it_is(
    reporter: Reporter, shop: Shop
) -> None:
    sandbox = Reporter(shop, "sandbox")
    payment = await shop.submit(await shop.payment())
    refund = await _modify(shop, payment, ModificationKind.REFUND, 4_000)
    sold = await sandbox.line_of(payment)

    outcome = await sandbox.send(
        sold, line(LineKind.REFUND, -4_000, our_reference=refund, occurred_at=sold.occurred_at)
    )

    assert (outcome.matched, outcome.breaks) == (2, {})
    assert (await shop.read(payment)).status is PaymentStatus.SETTLED
    [row] = await shop.sql("select cause from report_line where kind = 'refund'")
    assert row["cause"] == refund
    assert await shop.faults() == []


class TestEachClass:
    async def test_missing_ours(self, reporter: Reporter) -> None:
        outcome = await reporter.send(line(our_reference="at1_unknown"))

        assert outcome.breaks == {"missing_ours": 1}

    async def test_currency(self, reporter: Reporter) -> None:
        payment = await reporter.paid()

        outcome = await reporter.send(await reporter.line_of(payment, currency="USD"))

        assert outcome.breaks == {"currency": 1}

    async def test_duplicate_in_one_file_and_in_another(
        self, reporter: Reporter, shop: Shop
    ) -> None:
        # The guards are Movement.reported and the key of report_match.
        payment = await reporter.paid()
        said = await reporter.line_of(payment)

        otherwise = replace(said, provider_reference="another of theirs")

        first = await reporter.send(said, said)
        second = await reporter.send(said, name="the next day.csv")
        third = await reporter.send(otherwise, name="the day after.csv")

        assert first.breaks == third.breaks == {"duplicate": 1}
        assert (second.breaks, second.repeated) == ({}, 1), "the same line, and not another"
        assert (await shop.read(payment)).settled_minor == 10_000

    async def test_status_when_the_payment_is_known_to_have_failed(
        self, reporter: Reporter, shop: Shop
    ) -> None:
        payment = await shop.submit(await shop.payment(), "declined")
        [attempt] = await shop.attempts(payment)

        outcome = await reporter.send(line(our_reference=attempt["id"]), account="sandbox")

        assert outcome.breaks == {"status": 1}
        assert (await shop.read(payment)).status is PaymentStatus.FAILED

    async def test_status_of_an_open_attempt_is_found_out_by_asking(
        self, reporter: Reporter, shop: Shop
    ) -> None:
        payment = await shop.submit(await shop.payment(), "paid_but_silent")
        assert payment.status is PaymentStatus.PROCESSING
        [attempt] = await shop.attempts(payment)
        await shop.age(payment, "1 minute")

        outcome = await reporter.send(
            line(our_reference=attempt["id"]), account="sandbox", tells_fees=False
        )

        assert (await shop.read(payment)).status is PaymentStatus.SETTLED
        assert (outcome.matched, outcome.breaks) == (1, {})
        assert await shop.faults() == []

    async def test_fee_only_when_the_provider_had_told_another(
        self, reporter: Reporter, shop: Shop
    ) -> None:
        payment = await reporter.paid()

        first = await reporter.send(await reporter.line_of(payment, fee=290))

        assert first.breaks == {}
        settled = await shop.read(payment)
        assert (settled.fee.minor, settled.fee_known) == (290, True)
        [posting] = await shop.sql(
            "select e.account, e.amount_minor from posting p join entry e on e.posting_id = p.id"
            " where p.kind = 'fee_adjustment' and e.amount_minor > 0"
        )
        assert tuple(posting) == ("merchant:biz_shop", 290)
        assert await shop.faults() == []

    async def test_fee_that_contradicts_what_was_told(self, reporter: Reporter, shop: Shop) -> None:
        payment = await reporter.paid()
        await shop.sql("update payment set fee_known = true where id = $1", payment.id)

        outcome = await reporter.send(await reporter.line_of(payment, fee=290))

        assert outcome.breaks == {"fee": 1}
        assert (await shop.read(payment)).status is PaymentStatus.SETTLED

    async def test_a_file_that_is_silent_about_fees_changes_none(
        self, reporter: Reporter, shop: Shop
    ) -> None:
        payment = await reporter.paid()
        await reporter.send(await reporter.line_of(payment, fee=290))
        again = await reporter.paid()
        key = await reporter.key(again)

        await reporter.send(
            line(LineKind.FEE, -60, our_reference=key),
            await reporter.line_of(again, fee=0),
            tells_fees=False,
        )

        assert (await shop.read(again)).fee.minor == 60

    async def test_charges_of_nothing_in_particular(self, reporter: Reporter) -> None:
        outcome = await reporter.send(
            line(LineKind.FEE, -500), line(LineKind.ADJUSTMENT, 300, our_reference="x")
        )

        assert outcome.breaks == {"fee": 1, "missing_ours": 1}

    async def test_late(self, reporter: Reporter, shop: Shop) -> None:
        payment = await reporter.paid()
        at = datetime.now(UTC) + timedelta(hours=25)

        outcome = await reporter.send(await reporter.line_of(payment, occurred_at=at))

        assert outcome.breaks == {"late": 1}
        assert (await shop.read(payment)).status is PaymentStatus.SETTLED

    async def test_refund_missing(self, reporter: Reporter) -> None:
        payment = await reporter.paid()
        key = await reporter.key(payment)

        outcome = await reporter.send(
            line(LineKind.REFUND, -100, our_reference=key),
            line(LineKind.REFUND, -100, our_reference="re1_unknown"),
        )

        assert outcome.breaks == {"refund_missing": 2}

    async def test_wrong_account(self, reporter: Reporter) -> None:
        payment = await reporter.paid()

        outcome = await reporter.send(await reporter.line_of(payment), account="alipay")

        assert outcome.breaks == {"wrong_account": 1}

    async def test_test_in_live(self, reporter: Reporter, shop: Shop) -> None:
        payment = await shop.submit(await shop.payment())
        said = await reporter.line_of(payment)

        outcome = await reporter.send(said, account="scripted")

        assert outcome.breaks == {"test_in_live": 1}
        assert (await shop.read(payment)).status is PaymentStatus.CAPTURED

    async def test_unreadable_goes_to_quarantine_and_the_import_goes_on(
        self, reporter: Reporter, shop: Shop
    ) -> None:
        payment = await reporter.paid()
        bad = Unreadable(number=1, reason="unknown currency 'XQX'", raw={"a\x00": "b\x00"})

        outcome = await reporter.send(
            bad, await reporter.line_of(payment), line(our_reference="\x00")
        )

        assert (outcome.quarantined, outcome.matched) == (1, 1)
        assert outcome.breaks == {"missing_ours": 1, "unreadable": 1}

    async def test_missing_theirs_once_a_report_covers_the_time(
        self, reporter: Reporter, shop: Shop
    ) -> None:
        old, told, fresh = [await reporter.paid() for _ in range(3)]
        long_ago = datetime.now(UTC) - timedelta(days=5)
        for payment in (old, told):
            await shop.sql(
                "update payment set captured_at = $2 where id = $1", payment.id, long_ago
            )
        company = shop.company.id
        assert await find_missing(shop.core, company, "scripted") == 0, "no report yet"
        after = long_ago + timedelta(hours=3)
        said = await reporter.line_of(told, occurred_at=after)

        outcome = await reporter.send(said)

        assert (outcome.missing, outcome.is_clean) == (1, False)
        assert await find_missing(shop.core, company, "scripted") == 0, "it is said once"
        assert await reporter.breaks() == ["missing_theirs"]
        await reporter.send(await reporter.line_of(old), await reporter.line_of(fresh))
        assert await reporter.breaks() == [], "it was reported after all"
