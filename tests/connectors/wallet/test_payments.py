"""Paying, asking and closing, with a wallet on the loopback that answers as it is told to."""

import json
import socket
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.connectors.loopback import answering, listening, never_answers
from tests.connectors.wallet.conftest import (
    CLP_2000,
    INQUIRY,
    NOW,
    PAY,
    Keys,
    Wallet,
    a_charge,
    connected,
    result,
)

from kassa.base.domain.errors import InvalidRequest
from kassa.base.domain.money import Money
from kassa.connectors.base import (
    ActionNeeded,
    Authorized,
    Captured,
    Closer,
    Declined,
    InDoubt,
    KnownCharge,
    NotSent,
    Outcome,
    Pending,
    Probe,
    Unknown,
)
from kassa.connectors.wallet.connector import WalletConnector
from kassa.faces.wallet import signature
from kassa.faces.wallet.signature import Signed

pytestmark = pytest.mark.anyio

CASHIER = "https://wallet.example/cashier?orderId=1"
CANCEL = "/api/v1/payments/cancel"
ACCEPTED = result(paymentId="P-1", redirectActionForm={"method": "POST", "redirectionUrl": CASHIER})
PAID = result(
    paymentId="P-1",
    paymentRequestId="at1_key",
    paymentAmount=CLP_2000,
    paymentStatus="SUCCESS",
    paymentTime="2026-11-22T10:01:00+08:00",
)
WAITS = {**PAID, "paymentStatus": "PROCESSING"}
CAPTURED = Captured(reference="P-1", amount=Money(2000, "CLP"))
NO_ORDER = result("ORDER_NOT_EXIST", "F")


async def test_a_payment_begins_in_the_wallets_cashier(
    connector: WalletConnector, wallet: Wallet
) -> None:
    wallet.answers[PAY] = ACCEPTED

    assert await connector.charge(a_charge()) == ActionNeeded(
        reference="P-1", url=CASHIER, expires_at=NOW + timedelta(minutes=59, seconds=30)
    )
    assert wallet.asked == [
        (
            PAY,
            {
                "productCode": "51051000101000000011",
                "paymentRequestId": "at1_key",
                "paymentAmount": CLP_2000,
                "order": {
                    "referenceOrderId": "order_1",
                    "orderAmount": CLP_2000,
                    "orderDescription": "Shoes",
                },
                "paymentExpiryTime": "2026-11-22T02:59:30+00:00",
                "paymentNotifyUrl": "https://kassa.example/providers/theirs",
                "paymentRedirectUrl": "https://kassa.example/pay/s/result",
            },
        )
    ]


async def test_a_repeat_is_the_same_to_the_letter(
    connector: WalletConnector, wallet: Wallet
) -> None:
    # Another content under the same key would be refused for ever as REPEAT_REQ_INCONSISTENT.
    wallet.answers[PAY] = ACCEPTED | result("REPEAT_REQUEST")

    first = await connector.charge(a_charge())
    second = await connector.charge(a_charge(now=NOW + timedelta(minutes=5)))

    assert first == second
    assert isinstance(first, ActionNeeded)
    assert wallet.asked[0] == wallet.asked[1]


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (ACCEPTED | {"paymentTime": "2026-11-22T10:00:00+08:00"}, ActionNeeded),
        (ACCEPTED | result("ACCEPT", "A"), ActionNeeded),
        (result(paymentId="P-1", redirectActionForm={"redirectUrl": CASHIER}), ActionNeeded),
        (result(paymentId="P-1"), Pending),
        (result("ACCEPT", "A", paymentId="P-1"), Pending),
        (result("UNKNOWN_EXCEPTION", "U", paymentId="P-1"), InDoubt),
        (result("REQUEST_TRAFFIC_EXCEED_LIMIT", "U"), InDoubt),
        (result("SOMETHING_NEW", "S", paymentId="P-1"), InDoubt),
        (result("SUCCESS", "R", paymentId="P-1"), InDoubt),
        (result("SUCCESS", ""), InDoubt),
        ({"paymentId": "P-1"}, InDoubt),
        ({"result": "S", "paymentId": "P-1"}, InDoubt),
        ({**ACCEPTED, "paymentId": ""}, InDoubt),
        ({**ACCEPTED, "paymentId": "P" * 65}, InDoubt),
        ({**ACCEPTED, "paymentRequestId": "at1_other"}, InDoubt),
        ({**ACCEPTED, "redirectActionForm": {"method": "GET"}}, InDoubt),
        ({**ACCEPTED, "redirectActionForm": {"redirectionUrl": "javascript:alert(1)"}}, InDoubt),
        ({**ACCEPTED, "redirectActionForm": {"redirectionUrl": "https:///x"}}, InDoubt),
        ({**ACCEPTED, "redirectActionForm": {"redirectionUrl": CASHIER + "\n"}}, InDoubt),
        (
            {**ACCEPTED, "redirectActionForm": {"redirectUrl": CASHIER, "parameters": "a=1"}},
            InDoubt,
        ),
        (result("REPEAT_REQ_INCONSISTENT", "F"), InDoubt),
        (result("SOMETHING_NEW", "F"), InDoubt),
        (b"", InDoubt),
        (b"[]", InDoubt),
        (b'{"result":{"resultStatus":"S"},"result":{"resultStatus":"F"}}', InDoubt),
    ],
    ids=str,
)
async def test_nothing_is_booked_as_paid_by_the_answer_to_pay(
    connector: WalletConnector, wallet: Wallet, answer: Any, outcome: type
) -> None:
    wallet.answers[PAY] = answer

    assert isinstance(await connector.charge(a_charge()), outcome)
    assert len(wallet.asked) == 1


@pytest.mark.parametrize(
    ("word", "code", "soft"),
    [
        ("USER_BALANCE_NOT_ENOUGH", "insufficient_funds", False),
        ("USER_NOT_EXIST", "user_not_exist", False),
        ("USER_STATUS_ABNORMAL", "user_status_abnormal", False),
        ("PAYMENT_AMOUNT_EXCEED_LIMIT", "amount_out_of_range", False),
        ("ORDER_IS_CLOSED", "closed", False),
        ("PROCESS_FAIL", "payment_refused", False),
        ("CURRENCY_NOT_SUPPORT", "currency_unsupported", True),
        ("PARAM_ILLEGAL", "request_refused", True),
        ("FUNCTION_NOT_MATCH", "request_refused", True),
    ],
)
async def test_f_is_final_and_names_the_reason(
    connector: WalletConnector, wallet: Wallet, word: str, code: str, soft: bool
) -> None:
    wallet.answers[PAY] = result(word, "F")

    outcome = await connector.charge(a_charge())

    assert isinstance(outcome, Declined)
    assert (outcome.code, outcome.provider_code, outcome.soft) == (code, word, soft)
    assert outcome.message


@pytest.mark.parametrize(
    "word", ["INVALID_SIGNATURE", "SIGNATURE_INVALID", "INVALID_CLIENT_STATUS", "NO_INTERFACE_DEF"]
)
async def test_credentials_that_are_refused_leave_the_payment_payable(
    connector: WalletConnector, wallet: Wallet, word: str
) -> None:
    wallet.answers[PAY] = result(word, "F")

    outcome = await connector.charge(a_charge())

    assert isinstance(outcome, NotSent)
    assert word in outcome.reason


@pytest.mark.parametrize(
    ("found", "outcome"),
    [
        (PAID, CAPTURED),
        ({**PAID, "paymentAmount": {"currency": "CLP", "value": "1999"}},
         Captured(reference="P-1", amount=Money(1999, "CLP"))),
        (WAITS, Pending(reference="P-1")),
        (NO_ORDER, Pending(reference="P-1")),
        ({**PAID, "paymentId": "P-2"}, Pending(reference="P-1")),
    ],
    ids=["paid", "another amount", "waits", "no order", "another payment"],
)  # fmt: skip
async def test_a_code_pays_at_once_and_an_inquiry_says_how_much(
    connector: WalletConnector, wallet: Wallet, found: dict[str, Any], outcome: Outcome
) -> None:
    wallet.answers = {
        PAY: result(paymentId="P-1", paymentTime="2026-11-22T10:01:00+08:00"),
        INQUIRY: found,
    }

    assert await connector.charge(a_charge(instrument="281000000000000000")) == outcome

    (_, pay), (target, inquiry) = wallet.asked
    assert pay["productCode"] == "51051000101000100031"
    assert pay["paymentAuthCode"] == "281000000000000000"
    assert "paymentRedirectUrl" not in pay
    assert (target, inquiry) == (INQUIRY, {"paymentRequestId": "at1_key"})


async def test_a_reservation_has_a_product_of_its_own(
    connector: WalletConnector, wallet: Wallet
) -> None:
    wallet.answers = {
        PAY: result(paymentId="P-1"),
        INQUIRY: {
            **PAID,
            "paymentStatus": "AUTH_SUCCESS",
            "authExpiryTime": "2026-11-29T10:00:00+08:00",
        },
    }

    assert await connector.charge(a_charge(instrument="code", capture=False)) == Authorized(
        reference="P-1",
        amount=Money(2000, "CLP"),
        expires_at=datetime(2026, 11, 29, 2, 0, tzinfo=UTC),
    )
    assert wallet.asked[0][1]["productCode"] == "51051000101000000012"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"amount": Money(0, "CLP")}, "amount_out_of_range"),
        ({"amount": Money(10**16, "CLP")}, "amount_out_of_range"),
        ({"expires_at": NOW + timedelta(seconds=89)}, "expired"),
        ({"notify_url": "https://kassa.example/" + "n" * 1010}, "address_too_long"),
        ({"instrument": "c" * 129}, "code_refused"),
    ],
)
async def test_what_the_wallet_cannot_take_is_not_sent(
    connector: WalletConnector, wallet: Wallet, changes: dict[str, Any], code: str
) -> None:
    outcome = await connector.charge(a_charge(**changes))

    assert isinstance(outcome, Declined)
    assert outcome.code == code
    assert wallet.asked == []


@pytest.mark.parametrize(
    ("change", "outcome"),
    [
        ({}, CAPTURED),
        ({"paymentAmount": {"currency": "CLP", "value": 2000}}, CAPTURED),
        ({"paymentStatus": "PROCESSING"}, Pending(reference="P-1")),
        ({"paymentStatus": "PENDING"}, Pending(reference="P-1")),
        ({"paymentStatus": "AUTH_SUCCESS"},
         Authorized(reference="P-1", amount=Money(2000, "CLP"))),
    ],
    ids=str,
)  # fmt: skip
async def test_an_inquiry_tells_how_a_payment_stands(
    connector: WalletConnector, wallet: Wallet, change: dict[str, Any], outcome: Outcome
) -> None:
    wallet.answers[INQUIRY] = {**PAID, **change}

    assert await connector.query("at1_key") == outcome
    assert await connector.query("at1_key", KnownCharge(reference="P-1")) == outcome


@pytest.mark.parametrize(
    ("change", "code", "provider_code"),
    [
        ({"paymentStatus": "CANCELLED"}, "closed", "ORDER_IS_CLOSED"),
        ({"paymentStatus": "FAIL"}, "payment_refused", "FAIL"),
        (
            {"paymentStatus": "FAIL", "paymentFailReason": "USER_BALANCE_NOT_ENOUGH: too little"},
            "insufficient_funds",
            "USER_BALANCE_NOT_ENOUGH",
        ),
        ({"paymentStatus": "FAIL", "paymentFailReason": "who knows"}, "payment_refused", "FAIL"),
    ],
)
async def test_a_payment_that_ended_unpaid_is_declined(
    connector: WalletConnector,
    wallet: Wallet,
    change: dict[str, Any],
    code: str,
    provider_code: str,
) -> None:
    wallet.answers[INQUIRY] = {**PAID, **change}

    outcome = await connector.query("at1_key")

    assert isinstance(outcome, Declined)
    assert (outcome.code, outcome.provider_code) == (code, provider_code)


async def test_a_payment_that_never_arrived_is_unknown(
    connector: WalletConnector, wallet: Wallet
) -> None:
    wallet.answers[INQUIRY] = NO_ORDER

    assert isinstance(await connector.query("at1_key"), Unknown)


@pytest.mark.parametrize(
    "answer",
    [
        {**PAID, "paymentRequestId": "at1_other"},
        {**PAID, "paymentRequestId": None},
        {**PAID, "paymentId": "P-2"},
        {**PAID, "paymentId": ""},
        {**PAID, "paymentStatus": "SUCCESSFUL"},
        {**PAID, "paymentStatus": None},
        {**PAID, "paymentStatus": ["SUCCESS"]},
        {**PAID, "paymentAmount": None},
        {**PAID, "paymentAmount": {"currency": "CLP", "value": "20.00"}},
        {**PAID, "paymentAmount": {"currency": "CLP", "value": "-2000"}},
        {**PAID, "paymentAmount": {"currency": "CLP", "value": 2000.5}},
        {**PAID, "paymentAmount": {"currency": "CLP", "value": True}},
        {**PAID, "paymentAmount": {"currency": "XXL", "value": "2000"}},
        {**PAID, "paymentAmount": {"currency": "CLP", "value": "9" * 17}},
        {**PAID, "result": {"resultStatus": "S", "resultCode": "SOMETHING_NEW"}},
        result("UNKNOWN_EXCEPTION", "U"),
        result("PROCESS_FAIL", "F"),
        result("ACCESS_DENIED", "F"),
    ],
    ids=str,
)
async def test_what_is_no_clear_answer_stays_in_doubt(
    connector: WalletConnector, wallet: Wallet, answer: dict[str, Any]
) -> None:
    wallet.answers[INQUIRY] = answer

    assert isinstance(await connector.query("at1_key", KnownCharge(reference="P-1")), InDoubt)


@pytest.mark.parametrize("answer", [PAID, NO_ORDER], ids=["paid", "no order"])
async def test_what_the_wallet_did_not_sign_stays_in_doubt(
    connector: WalletConnector, wallet: Wallet, ours: Keys, answer: dict[str, Any]
) -> None:
    wallet.answers[INQUIRY] = answer
    for signed_by in (None, ours):
        wallet.signed_by = signed_by
        assert isinstance(await connector.query("at1_key"), InDoubt)


@pytest.mark.parametrize(
    "headers",
    [
        {"response-time": "2026-11-22T10:00:02+08:00"},
        {"response-time": ""},
        {"client-id": "5X00000000000001"},
        {"signature": ""},
    ],
)
async def test_a_signature_over_other_headers_is_none(
    connector: WalletConnector, wallet: Wallet, headers: dict[str, str]
) -> None:
    wallet.answers[INQUIRY], wallet.headers = PAID, headers

    assert isinstance(await connector.query("at1_key"), InDoubt)


async def test_an_answer_to_another_question_is_none(
    connector: WalletConnector, wallet: Wallet, wallets: Keys
) -> None:
    # Validly signed by the wallet, but over the path of pay: whoever replays it proves nothing.
    raw = json.dumps(PAID).encode()
    other = Signed("POST", PAY, "5X00000000000000", "2026-11-22T10:00:01+08:00", raw)
    wallet.answers[INQUIRY] = raw
    wallet.headers = {"signature": signature.sign(other, wallets.private, "1")}

    assert isinstance(await connector.query("at1_key"), InDoubt)


@pytest.mark.parametrize("status", [201, 302, 400, 429, 500, 503])
async def test_only_status_200_is_an_answer_of_the_wallet(
    connector: WalletConnector, wallet: Wallet, status: int
) -> None:
    wallet.answers[PAY], wallet.status = result("PROCESS_FAIL", "F"), status

    assert isinstance(await connector.charge(a_charge()), InDoubt)


async def test_silence_and_noise_leave_a_payment_in_doubt(ours: Keys, wallets: Keys) -> None:
    async with (
        listening(never_answers) as port,
        connected(ours, wallets, port, total_seconds=0.3) as connector,
    ):
        assert await connector.charge(a_charge()) == InDoubt(reason="timed out")
    noise = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nnoise"
    async with listening(answering(noise)) as port, connected(ours, wallets, port) as connector:
        assert isinstance(await connector.charge(a_charge()), InDoubt)


async def test_a_wallet_that_is_not_there_was_not_asked(ours: Keys, wallets: Keys) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        async with connected(ours, wallets, unused.getsockname()[1]) as connector:
            assert isinstance(await connector.charge(a_charge()), NotSent)
            assert isinstance(await connector.close_charge("at1_key"), NotSent)
            assert "base_url" in await connector.probe()


async def test_an_order_that_waits_is_cancelled(connector: WalletConnector, wallet: Wallet) -> None:
    wallet.answers = {INQUIRY: WAITS, CANCEL: result(paymentId="P-1", paymentRequestId="at1_key")}

    outcome = await connector.close_charge("at1_key")

    assert isinstance(outcome, Declined)
    assert (outcome.code, outcome.reference) == ("closed", "P-1")
    assert [path for path, _ in wallet.asked] == [INQUIRY, CANCEL]
    assert isinstance(connector, Closer)


@pytest.mark.parametrize(
    ("found", "outcome"),
    [
        (PAID, Captured),
        ({**PAID, "paymentStatus": "AUTH_SUCCESS"}, Authorized),
        ({**PAID, "paymentStatus": "FAIL"}, Declined),
        (NO_ORDER, Unknown),
        (result("UNKNOWN_EXCEPTION", "U"), InDoubt),
    ],
)
async def test_what_does_not_wait_for_its_payer_is_not_cancelled(
    connector: WalletConnector, wallet: Wallet, found: dict[str, Any], outcome: type
) -> None:
    wallet.answers[INQUIRY] = found

    assert isinstance(await connector.close_charge("at1_key"), outcome)
    assert [path for path, _ in wallet.asked] == [INQUIRY]


@pytest.mark.parametrize(
    ("answer", "outcome", "asked"),
    [
        (result("ORDER_STATUS_INVALID", "F"), Pending, 3),
        (result("UNKNOWN_EXCEPTION", "U"), InDoubt, 2),
        (result("PROCESS_FAIL", "F"), InDoubt, 2),
        (result(paymentRequestId="at1_other"), InDoubt, 2),
        (NO_ORDER, Unknown, 2),
    ],
)
async def test_a_cancel_that_is_refused_closes_nothing(
    connector: WalletConnector, wallet: Wallet, answer: dict[str, Any], outcome: type, asked: int
) -> None:
    wallet.answers = {INQUIRY: WAITS, CANCEL: answer}

    assert isinstance(await connector.close_charge("at1_key"), outcome)
    assert len(wallet.asked) == asked


@pytest.mark.parametrize(
    ("answer", "signed", "said"),
    [
        (NO_ORDER, True, ""),
        (NO_ORDER, False, "wallet_public_key"),
        (result("INVALID_CLIENT", "F"), False, "client_id"),
        (result("INVALID_SIGNATURE", "F"), True, "private_key"),
        (result("INVALID_CLIENT_STATUS", "F"), True, "disabled"),
        (result("UNKNOWN_EXCEPTION", "U"), True, "U UNKNOWN_EXCEPTION"),
        (PAID, True, "S SUCCESS"),
    ],
)
async def test_the_credentials_are_tested_without_moving_money(
    connector: WalletConnector, wallet: Wallet, answer: dict[str, Any], signed: bool, said: str
) -> None:
    wallet.answers[INQUIRY] = answer
    wallet.signed_by = wallet.wallets if signed else None

    told = await connector.probe()

    assert told == "" if not said else said in told
    assert [path for path, _ in wallet.asked] == [INQUIRY]
    assert isinstance(connector, Probe)


@pytest.mark.parametrize(
    "changes",
    [
        {"base_url": "https://wallet.example/api?x=1"},
        {"client_id": "5X\r\nX: y"},
        {"private_key": "no key"},
        {"wallet_public_key": "no key"},
        {"key_version": "1,2"},
    ],
)
async def test_settings_that_cannot_work_are_refused(
    ours: Keys, wallets: Keys, changes: dict[str, str]
) -> None:
    with pytest.raises(InvalidRequest, match=next(iter(changes))):
        async with connected(ours, wallets, 1, **changes):
            pass
