"""The wallet's words: complete over our statuses and errors, and as documented."""

import json
from pathlib import Path
from typing import Any

import pytest
from tests.faces.wallet import golden
from tests.faces.wallet.payments import CAPTURED, REQUEST_ID, a_payment

from kassa.base.domain.errors import ERRORS, KassaError, NotFound, RateLimited
from kassa.base.domain.lifecycle import OPEN, ModificationKind, ModificationStatus, PaymentStatus
from kassa.base.domain.money import Money
from kassa.faces.wallet import changes_contract, contract, notify
from kassa.payments.domain.payments import CaptureMethod
from kassa.wallet.usecases.pay_from_wallet import WORDS as WALLET_REFUSALS

OWN_TABLES = (
    changes_contract.CAPTURE_RESULT,
    changes_contract.VOID_RESULT,
    changes_contract.REFUND_RESULT,
    changes_contract.REFUND_INQUIRY_RESULT,
    changes_contract.CANCEL_RESULT,
)
CASHIER = "https://kassa.example/pay/sess_001"

PRINTED = """
S SUCCESS Success
F NO_INTERFACE_DEF API is not defined.
F MSG_PARSE_ERROR Message parsed error.
F FUNCTION_NOT_MATCH Function parameter does not match API.
F INVALID_CLIENT Invalid client.
F INVALID_SIGNATURE Signature is invalid.
F INVALID_CLIENT_STATUS Invalid client status.
S REPEAT_REQUEST repeat order create request, merchantTransId = xxx
F PAYMENT_AMOUNT_EXCEED_LIMIT Payment amount exceeds limit.
F USER_NOT_EXIST User not exist.
F USER_STATUS_ABNORMAL The user status is abnormal.
F USER_BALANCE_NOT_ENOUGH User balance is not enough for this payment.
F PARTNER_NOT_EXIST Partner not exist.
U UNKNOWN_EXCEPTION An API calling is failed, which is caused by unknown reasons.
"""


def pay(payment_status: PaymentStatus, **given: Any) -> dict[str, Any]:
    changes = given.pop("changes", {})
    how = {"request_id": REQUEST_ID, "cashier_url": CASHIER, "replayed": False, "at_once": False}
    return contract.write_pay(a_payment(payment_status, **changes), **{**how, **given})


@pytest.mark.parametrize("line", PRINTED.strip().splitlines())
def test_each_printed_code_has_its_printed_status_and_message(line: str) -> None:
    status, code, message = line.split(" ", 2)

    assert contract.WalletResult(code, request_id="xxx", detail="more").write() == {
        "resultCode": code,
        "resultStatus": status,
        "resultMessage": message,
    }


def test_no_other_code_claims_to_be_printed() -> None:
    assert set(contract.PRINTED) == {line.split()[1] for line in PRINTED.strip().splitlines()}
    assert not set(contract.PRINTED) & set(contract.FAMILY)


def test_every_status_has_a_word_in_pay_and_in_inquiries() -> None:
    assert set(contract.PAY_RESULT) == set(PaymentStatus)
    assert set(contract.PAYMENT_STATUS) == set(PaymentStatus)
    words = {"SUCCESS", "FAIL", "PROCESSING", "CANCELLED", "AUTH_SUCCESS"}
    assert set(contract.PAYMENT_STATUS.values()) == words


def test_every_error_has_a_result_that_is_known() -> None:
    assert set(contract.ERROR_RESULT) == {*ERRORS, "internal"}
    for table in (
        contract.ERROR_RESULT,
        contract.REASON_RESULT,
        contract.FAILURE_RESULT,
        contract.PAY_RESULT,
        *OWN_TABLES,
        changes_contract.IN_PROCESS,
    ):
        assert set(table.values()) <= set(contract.RESULTS)


def test_only_what_may_be_repeated_is_told_as_unknown() -> None:
    unknown = {code for code in contract.ERROR_RESULT if _status_of_error(code) == "U"}

    assert unknown == {
        "internal",
        "in_progress",
        "rate_limited",
        "overloaded",
        "provider_unavailable",
        "ambiguous_commit",
    }


def test_every_refusal_of_the_wallet_has_its_result() -> None:
    assert set(WALLET_REFUSALS) <= set(contract.FAILURE_RESULT)


def test_every_code_stands_in_the_readme() -> None:
    readme = Path(contract.__file__).with_name("README.md").read_text(encoding="utf-8")

    missing = {
        code for code, (status, _) in contract.RESULTS.items() if f"`{status} {code}`" not in readme
    }
    assert missing == set()


def test_every_state_of_a_change_has_its_word_and_its_result() -> None:
    assert set(changes_contract.STATUS) == set(ModificationStatus)
    assert set(changes_contract.IN_PROCESS) == set(ModificationKind)
    unknown = {contract.RESULTS[code][0] for code in changes_contract.IN_PROCESS.values()}
    assert unknown == {"U"}


def _status_of_error(code: str) -> str:
    return contract.RESULTS[contract.ERROR_RESULT[code]][0]


def test_a_printed_message_stays_as_printed_and_the_detail_goes_into_extend_info() -> None:
    answer = contract.write_error(NotFound("POST /x is no API", reason="no_interface"))

    assert answer["result"]["resultMessage"] == "API is not defined."
    assert json.loads(answer["extendInfo"]) == {"detail": "POST /x is no API"}


def test_a_code_without_a_printed_message_says_the_detail_itself() -> None:
    answer = contract.write_error(RateLimited("too many, wait a second"))

    assert answer == {
        "result": {
            "resultCode": "REQUEST_TRAFFIC_EXCEED_LIMIT",
            "resultStatus": "U",
            "resultMessage": "too many, wait a second",
        }
    }


def test_messages_fit_their_256_characters() -> None:
    answer = contract.write_error(KassaError("x" * 1000))
    refused = contract.write_error(NotFound("y" * 1000))

    assert len(answer["result"]["resultMessage"]) <= 256
    assert len(refused["result"]["resultMessage"]) == 256


def test_an_accepted_order_leads_to_the_cashier_and_names_no_payment_time() -> None:
    answer = pay(PaymentStatus.CREATED)

    expected = golden.read("pay_answer_accepted")
    assert answer == golden.agreed(expected, answer)
    assert answer["redirectActionForm"]["redirectionUrl"] == CASHIER


def test_the_printed_sample_has_no_member_that_we_do_not_write() -> None:
    printed = golden.read("pay_response")
    accepted, paid = pay(PaymentStatus.CREATED), pay(PaymentStatus.CAPTURED)

    assert printed["result"] == accepted["result"] == paid["result"]
    assert list(printed["result"]) == list(accepted["result"])
    assert set(printed) == set(accepted) | set(paid)
    assert printed["redirectActionForm"]["method"] == accepted["redirectActionForm"]["method"]
    assert set(printed["redirectActionForm"]) <= set(accepted["redirectActionForm"])


@pytest.mark.parametrize("status", [PaymentStatus.CAPTURED, PaymentStatus.SETTLED])
@pytest.mark.parametrize("replayed", [False, True])
def test_a_paid_order_gives_one_answer_for_ever(status: PaymentStatus, replayed: bool) -> None:
    answer = pay(status, replayed=replayed)

    assert answer == golden.agreed(golden.read("pay_answer_paid"), answer)
    assert answer["paymentTime"] == "2026-11-22T02:21:00+00:00"


@pytest.mark.parametrize("status", sorted(OPEN))
def test_a_repeat_while_the_order_is_open_gets_the_same_payment_and_form(
    status: PaymentStatus,
) -> None:
    first, again = pay(status), pay(status, replayed=True)

    assert again == golden.agreed(golden.read("pay_answer_repeated"), again)
    assert {**again, "result": first["result"]} == first


@pytest.mark.parametrize("replayed", [False, True])
@pytest.mark.parametrize("at_once", [False, True])
def test_reserved_money_is_told_as_success_of_the_authorization_and_not_as_paid(
    replayed: bool, at_once: bool
) -> None:
    held = Money(2_000, "CLP")
    changes = {"authorization_expires_at": CAPTURED, "authorized": held}
    answer = pay(PaymentStatus.AUTHORIZED, replayed=replayed, at_once=at_once, changes=changes)

    assert answer == golden.agreed(golden.read("pay_answer_authorized"), answer)
    assert answer["authExpiryTime"] == "2026-11-22T02:21:00+00:00"


def test_a_partial_capture_and_a_refund_are_told_beside_the_amount() -> None:
    answer = contract.write_inquiry(
        a_payment(
            capture_method=CaptureMethod.MANUAL,
            captured=Money(1500, "CLP"),
            refunded=Money(500, "CLP"),
        )
    )

    assert answer["paymentAmount"]["value"] == "2000"
    assert answer["capturedAmount"] == {"currency": "CLP", "value": "1500"}
    assert answer["refundedAmount"] == {"currency": "CLP", "value": "500"}


def test_what_nobody_knows_yet_is_unknown() -> None:
    answer = pay(PaymentStatus.PROCESSING, replayed=True)

    assert answer["result"] == contract.WalletResult("UNKNOWN_EXCEPTION").write()


@pytest.mark.parametrize("status", sorted(OPEN))
def test_a_payment_by_auth_code_is_never_told_as_accepted(status: PaymentStatus) -> None:
    answer = pay(status, at_once=True)

    assert answer["result"]["resultStatus"] == "U"
    assert "redirectActionForm" not in answer


FAILURES = {
    "user_not_exist": "USER_NOT_EXIST",
    "user_status_abnormal": "USER_STATUS_ABNORMAL",
    "user_balance_not_enough": "USER_BALANCE_NOT_ENOUGH",
    "amount_exceeds_limit": "PAYMENT_AMOUNT_EXCEED_LIMIT",
    "amount_exceeds_daily_limit": "PAYMENT_AMOUNT_EXCEED_LIMIT",
    "card_declined": "PROCESS_FAIL",
    "": "PROCESS_FAIL",
}


@pytest.mark.parametrize("failure, code", FAILURES.items())
def test_a_failure_is_final_and_says_why_in_this_wires_words(failure: str, code: str) -> None:
    changes = {"failure_code": failure, "failure_message": "issuer said: stolen"}
    answer = pay(PaymentStatus.FAILED, changes=changes, replayed=True)

    assert answer["result"]["resultCode"] == code
    assert answer["result"]["resultStatus"] == "F"
    assert "stolen" not in json.dumps(answer)


@pytest.mark.parametrize("status", [PaymentStatus.EXPIRED, PaymentStatus.CANCELED])
def test_an_order_that_ended_unpaid_is_closed(status: PaymentStatus) -> None:
    assert pay(status, replayed=True)["result"]["resultCode"] == "ORDER_IS_CLOSED"
    assert contract.write_inquiry(a_payment(status))["paymentStatus"] == "CANCELLED"


def test_money_after_the_end_keeps_the_f_and_says_that_it_goes_back() -> None:
    late = a_payment(PaymentStatus.CAPTURED, surplus=True)

    answer = pay(PaymentStatus.CAPTURED, changes={"surplus": True}, replayed=True)
    inquiry = contract.write_inquiry(late)

    assert answer["result"]["resultCode"] == "ORDER_IS_CLOSED"
    assert inquiry["paymentStatus"] == "CANCELLED"
    assert "goes back" in inquiry["paymentFailReason"]
    assert notify.write_notification(late)["paymentResult"]["resultStatus"] == "F"


def test_an_inquiry_that_worked_is_s_whatever_became_of_the_payment() -> None:
    for status in PaymentStatus:
        answer = contract.write_inquiry(a_payment(status))
        assert answer["result"]["resultCode"] == "SUCCESS"
        assert ("paymentTime" in answer) == (answer["paymentStatus"] == "SUCCESS")
        assert ("paymentFailReason" in answer) == (answer["paymentStatus"] in ("FAIL", "CANCELLED"))


def test_amounts_go_out_as_a_text_of_minor_units() -> None:
    answer = contract.write_inquiry(a_payment())

    assert answer["paymentAmount"] == {"currency": "CLP", "value": "2000"}


def test_the_request_id_of_another_face_is_not_shown_as_one_of_ours() -> None:
    other = contract.write_inquiry(a_payment(face="orders", request_scope="orders.create"))

    assert "paymentRequestId" not in other
