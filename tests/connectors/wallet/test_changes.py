"""Refunds, captures and voids, with a wallet on the loopback that answers as it is told to."""

from typing import Any

import pytest
from tests.connectors.wallet.conftest import CLP_2000, INQUIRY, Wallet, a_change, result

from kassa.base.domain.money import Money
from kassa.connectors.base import (
    Capturer,
    Declined,
    Done,
    InDoubt,
    ModificationOutcome,
    Pending,
    Refunder,
    Unknown,
)
from kassa.connectors.wallet.connector import WalletConnector

pytestmark = pytest.mark.anyio

REFUND, REFUND_APPLY = "/api/v1/payments/refund", "/api/v1/payments/refundApply"
REFUND_INQUIRY = "/api/v1/payments/inquiryRefund"
CAPTURE, VOID = "/api/v1/payments/capture", "/api/v1/payments/void"
CLP_500 = {"currency": "CLP", "value": "500"}
REFUNDED = result(refundId="R-1", refundTime="2026-11-22T10:02:00+08:00")
FOUND = result(
    refundId="R-1", refundRequestId="re1_key", refundAmount=CLP_500, refundStatus="SUCCESS"
)
NO_REFUND = result("REFUND_NOT_EXIST", "F")
PAYMENT = result(
    paymentId="P-1", paymentRequestId="at1_key", paymentAmount=CLP_2000, paymentStatus="SUCCESS"
)
DONE = Done(reference="R-1", amount=Money(500, "CLP"))


def listed(**transaction: Any) -> dict[str, Any]:
    usual = {
        "transactionType": "CAPTURE",
        "transactionRequestId": "re1_key",
        "transactionId": "C-1",
        "transactionStatus": "SUCCESS",
        "transactionAmount": CLP_500,
    }
    return {
        **PAYMENT,
        "transactions": [{"transactionRequestId": "other"}, {**usual, **transaction}],
    }


async def test_a_refund_carries_our_key(connector: WalletConnector, wallet: Wallet) -> None:
    wallet.answers[REFUND] = REFUNDED

    assert await connector.refund(a_change(reason="too\nsmall")) == DONE
    assert wallet.asked == [
        (
            REFUND,
            {
                "refundRequestId": "re1_key",
                "paymentId": "P-1",
                "refundAmount": CLP_500,
                "refundReason": "too small",
            },
        )
    ]
    assert isinstance(connector, Refunder)
    assert isinstance(connector, Capturer)


async def test_a_payment_whose_id_is_unknown_is_named_by_our_key(
    connector: WalletConnector, wallet: Wallet
) -> None:
    wallet.answers[REFUND] = REFUNDED

    await connector.refund(a_change(charge_reference=""))

    assert wallet.asked[0][1]["paymentRequestId"] == "at1_key"
    assert "paymentId" not in wallet.asked[0][1]


async def test_a_wallet_with_the_other_name_of_refund_is_asked_by_it(
    connector: WalletConnector, wallet: Wallet
) -> None:
    wallet.answers[REFUND_APPLY] = REFUNDED

    assert await connector.refund(a_change()) == DONE
    assert [path for path, _ in wallet.asked] == [REFUND, REFUND_APPLY]
    assert wallet.asked[0][1] == wallet.asked[1][1]


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        ({**REFUNDED, "refundAmount": {"currency": "CLP", "value": "400"}},
         Done(reference="R-1", amount=Money(400, "CLP"))),
        (result("REFUND_IN_PROCESS", "U", refundId="R-1"), Pending(reference="R-1")),
    ],
)  # fmt: skip
async def test_what_the_wallet_says_of_a_refund_is_taken(
    connector: WalletConnector, wallet: Wallet, answer: Any, outcome: ModificationOutcome
) -> None:
    wallet.answers[REFUND] = answer

    assert await connector.refund(a_change()) == outcome


@pytest.mark.parametrize(
    "answer",
    [
        result("UNKNOWN_EXCEPTION", "U"),
        result("REQUEST_TRAFFIC_EXCEED_LIMIT", "U"),
        result("REPEAT_REQ_INCONSISTENT", "F"),
        result("INVALID_SIGNATURE", "F"),
        result("SOMETHING_NEW", "F"),
        result("SOMETHING_NEW", "S", refundId="R-1"),
        result(),
        {**REFUNDED, "refundRequestId": "re1_other"},
        {**REFUNDED, "refundAmount": {"currency": "CLP", "value": "4.00"}},
        b"noise",
    ],
    ids=str,
)
async def test_what_is_no_clear_answer_to_a_refund_stays_in_doubt(
    connector: WalletConnector, wallet: Wallet, answer: Any
) -> None:
    wallet.answers[REFUND] = answer

    assert isinstance(await connector.refund(a_change()), InDoubt)
    assert len(wallet.asked) == 1


@pytest.mark.parametrize(
    ("word", "code"),
    [
        ("REFUND_AMOUNT_EXCEED", "amount_too_large"),
        ("PARTNER_BALANCE_NOT_ENOUGH", "balance_too_low"),
        ("ORDER_NOT_EXIST", "charge_not_found"),
        ("ORDER_STATUS_INVALID", "charge_not_refundable"),
        ("REFUND_WINDOW_EXCEED", "refund_too_late"),
        ("REFUND_NOT_ALLOWED", "refund_not_allowed"),
        ("PROCESS_FAIL", "refused"),
    ],
)
async def test_a_refused_refund_that_was_never_made_is_declined(
    connector: WalletConnector, wallet: Wallet, word: str, code: str
) -> None:
    wallet.answers = {REFUND: result(word, "F"), REFUND_INQUIRY: NO_REFUND, INQUIRY: PAYMENT}

    outcome = await connector.refund(a_change())

    assert isinstance(outcome, Declined)
    assert (outcome.code, outcome.provider_code) == (code, word)


@pytest.mark.parametrize(
    ("found", "outcome"),
    [(FOUND, DONE), ({**FOUND, "refundStatus": "PROCESSING"}, Pending(reference="R-1"))],
)
async def test_a_repeat_that_is_refused_because_the_first_was_made_is_not_declined(
    connector: WalletConnector, wallet: Wallet, found: Any, outcome: ModificationOutcome
) -> None:
    # The guard of the money: a decline sets the amount free to be refunded a second time.
    wallet.answers = {REFUND: result("REFUND_AMOUNT_EXCEED", "F"), REFUND_INQUIRY: found}

    assert await connector.refund(a_change()) == outcome


async def test_a_refusal_that_cannot_be_checked_stays_in_doubt(
    connector: WalletConnector, wallet: Wallet
) -> None:
    wallet.answers = {
        REFUND: result("REFUND_AMOUNT_EXCEED", "F"),
        REFUND_INQUIRY: result("UNKNOWN_EXCEPTION", "U"),
    }

    assert isinstance(await connector.refund(a_change()), InDoubt)


@pytest.mark.parametrize(
    ("change", "outcome"),
    [
        ({}, DONE),
        ({"refundAmount": CLP_2000}, Done(reference="R-1", amount=Money(2000, "CLP"))),
        ({"refundStatus": "PROCESSING"}, Pending(reference="R-1")),
        ({"refundStatus": "FAIL"}, Declined),
        ({"refundStatus": "REFUNDED"}, InDoubt),
        ({"refundStatus": None}, InDoubt),
        ({"refundAmount": None}, InDoubt),
        ({"refundRequestId": "re1_other"}, InDoubt),
        ({"refundRequestId": None}, InDoubt),
        ({"refundId": ""}, InDoubt),
        (result("UNKNOWN_EXCEPTION", "U"), InDoubt),
        (result("ORDER_NOT_EXIST", "F"), InDoubt),
    ],
    ids=str,
)
async def test_an_inquiry_tells_how_a_refund_stands(
    connector: WalletConnector,
    wallet: Wallet,
    change: dict[str, Any],
    outcome: ModificationOutcome | type,
) -> None:
    wallet.answers[REFUND_INQUIRY] = {**FOUND, **change}

    told = await connector.query_modification(a_change())

    assert isinstance(told, outcome) if isinstance(outcome, type) else told == outcome
    assert wallet.asked == [(REFUND_INQUIRY, {"refundRequestId": "re1_key"})]


async def test_what_the_wallet_has_not_made_is_unknown(
    connector: WalletConnector, wallet: Wallet
) -> None:
    wallet.answers = {REFUND_INQUIRY: NO_REFUND, INQUIRY: PAYMENT}

    assert isinstance(await connector.query_modification(a_change()), Unknown)
    assert wallet.asked[1] == (INQUIRY, {"paymentRequestId": "at1_key"})


async def test_a_capture_claims_what_is_reserved(
    connector: WalletConnector, wallet: Wallet
) -> None:
    wallet.answers[CAPTURE] = result(captureId="C-1", captureAmount=CLP_500)

    assert await connector.capture(a_change()) == Done(reference="C-1", amount=Money(500, "CLP"))
    assert wallet.asked[0][1] == {
        "captureRequestId": "re1_key",
        "paymentId": "P-1",
        "captureAmount": CLP_500,
        "isLastCapture": True,
    }


async def test_a_void_lets_go_of_it(connector: WalletConnector, wallet: Wallet) -> None:
    wallet.answers[VOID] = result(voidId="V-1", voidTime="2026-11-22T10:02:00+08:00")

    assert await connector.void(a_change()) == Done(reference="V-1", amount=Money(500, "CLP"))
    assert wallet.asked[0][1] == {"voidRequestId": "re1_key", "paymentId": "P-1"}


@pytest.mark.parametrize(
    ("word", "code"),
    [
        ("AUTH_EXPIRED", "authorization_expired"),
        ("AUTH_CANCELLED", "already_voided"),
        ("AUTH_NOT_FOUND", "not_authorized"),
        ("CAPTURE_AMOUNT_EXCEED_AUTH_LIMIT", "capture_amount"),
    ],
)
async def test_a_reservation_that_is_over_is_named_as_such(
    connector: WalletConnector, wallet: Wallet, word: str, code: str
) -> None:
    wallet.answers = {CAPTURE: result(word, "F"), REFUND_INQUIRY: NO_REFUND, INQUIRY: PAYMENT}

    outcome = await connector.capture(a_change())

    assert isinstance(outcome, Declined)
    assert outcome.code == code


@pytest.mark.parametrize(
    ("found", "outcome"),
    [
        (listed(), Done(reference="C-1", amount=Money(500, "CLP"))),
        (listed(transactionAmount=CLP_2000), Done(reference="C-1", amount=Money(2000, "CLP"))),
        (listed(transactionStatus="PROCESSING"), Pending(reference="C-1")),
        (listed(transactionStatus="FAIL"), Declined),
        (listed(transactionStatus="DONE"), InDoubt),
        (listed(transactionAmount={"currency": "CLP", "value": ""}), InDoubt),
        ({**listed(), "paymentRequestId": "at1_other"}, InDoubt),
        (listed(transactionRequestId="other"), Unknown),
        ({**PAYMENT, "transactions": "none"}, Unknown),
        (result("UNKNOWN_EXCEPTION", "U"), InDoubt),
    ],
    ids=str,
)
async def test_captures_are_found_in_the_payments_own_list(
    connector: WalletConnector,
    wallet: Wallet,
    found: dict[str, Any],
    outcome: ModificationOutcome | type,
) -> None:
    wallet.answers = {REFUND_INQUIRY: NO_REFUND, INQUIRY: found}

    told = await connector.query_modification(a_change())

    assert isinstance(told, outcome) if isinstance(outcome, type) else told == outcome


@pytest.mark.parametrize("key", ["", "k" * 65, "two\nlines"])
async def test_a_key_that_the_wallet_cannot_hold_is_a_bug(
    connector: WalletConnector, key: str
) -> None:
    with pytest.raises(ValueError, match="64 printable"):
        await connector.refund(a_change(key=key))
