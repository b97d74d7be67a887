"""What the API's official clients insist on, one check for each kind of answer.

The clients refuse a whole answer for one value they do not expect. Source: the models of the
official Python clients for 2022-09-01, 2023-08-01 and 2026-01-01.
"""

import re
from typing import Any

STRING_IDS = ("2023-08-01", "2025-01-01", "2026-01-01")
INTEGER_IDS = "2022-09-01"
ALL = (INTEGER_IDS, *STRING_IDS)

_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+05:30")
_PAYMENT_STATUS = set("SUCCESS NOT_ATTEMPTED FAILED USER_DROPPED VOID CANCELLED PENDING".split())
_METHODS = set("card netbanking upi app cardless_emi paylater emi banktransfer".split())
_GROUPS = set(
    "prepaid_card upi_ppi_offline cash upi_credit_card paypal net_banking cardless_emi"
    " credit_card bank_transfer pay_later debit_card_emi debit_card wallet upi_ppi upi"
    " credit_card_emi".split()
)


def _own_id(version: str, value: Any) -> None:
    assert type(value) is (int if version == INTEGER_IDS else str), value
    assert value != ""
    if version == INTEGER_IDS:
        assert value < 2**53


def _amount(value: Any) -> None:
    assert type(value) in (int, float), value


def _times(said: dict[str, Any], *names: str) -> None:
    for name in names:
        assert said[name] is None or _TIME.fullmatch(said[name]), (name, said[name])


def check_order(version: str, said: dict[str, Any]) -> dict[str, Any]:
    _own_id(version, said["cf_order_id"])
    assert said["entity"] == "order"
    _amount(said["order_amount"])
    words = {"ACTIVE", "PAID", "EXPIRED"}
    if version != INTEGER_IDS:
        words |= {"TERMINATED", "TERMINATION_REQUESTED"}
    assert said["order_status"] in words
    _times(said, "order_expiry_time", "created_at")
    assert said["order_note"] is None or type(said["order_note"]) is str
    assert said["order_tags"] is None or all(
        type(value) is str and 1 <= len(value) <= 255 for value in said["order_tags"].values()
    )
    links = {"payments", "refunds", "settlements"}
    assert links & set(said) == (links if version == INTEGER_IDS else set())
    customer = said["customer_details"]
    if customer is None:
        assert version == INTEGER_IDS
        return said
    for name, least, most in (
        ("customer_id", 3, 50),
        ("customer_phone", 10, 10),
        ("customer_email", 3, 100),
        ("customer_name", 3, 100),
        ("customer_bank_account_number", 3, 20),
    ):
        value = customer[name]
        needed = version == INTEGER_IDS and name in ("customer_id", "customer_phone")
        assert (value is None and not needed) or least <= len(value) <= most, name
    return said


def check_payment(version: str, said: dict[str, Any]) -> dict[str, Any]:
    _own_id(version, said["cf_payment_id"])
    assert said["entity"] == "payment"
    assert said["payment_status"] in _PAYMENT_STATUS
    assert said["payment_group"] is None or said["payment_group"] in _GROUPS
    assert type(said["is_captured"]) is bool
    _amount(said["order_amount"])
    _amount(said["payment_amount"])
    _times(said, "payment_time", "payment_completion_time")
    assert ("order_currency" in said) == (version in ("2025-01-01", "2026-01-01"))
    error = said["error_details"]
    assert error is None or all(type(text) in (str, type(None)) for text in error.values())
    assert (error is not None) == (said["payment_status"] == "FAILED")
    held = said["authorization"]
    if held is not None:
        assert held["action"] in ("CAPTURE", "VOID", None)
        assert held["status"] in ("SUCCESS", "PENDING", None)
        _times(held, "start_time", "end_time", "approve_by", "action_time")
    method = said["payment_method"]
    assert method is None or (len(method) == 1 and set(method) <= _METHODS)
    return said


def check_refund(version: str, said: dict[str, Any]) -> dict[str, Any]:
    _own_id(version, said["cf_payment_id"])
    assert type(said["cf_refund_id"]) is str
    assert said["cf_refund_id"].startswith("refund_") == (version == INTEGER_IDS)
    assert said["entity"] == "refund"
    assert said["refund_status"] in ("SUCCESS", "PENDING", "CANCELLED", "ONHOLD")
    assert said["refund_type"] in (
        "PAYMENT_AUTO_REFUND",
        "MERCHANT_INITIATED",
        "UNRECONCILED_AUTO_REFUND",
    )
    assert said["refund_mode"] in ("STANDARD", "INSTANT")
    _amount(said["refund_amount"])
    _amount(said["refund_charge"])
    _times(said, "created_at", "processed_at")
    assert type(said["refund_splits"]) is list
    return said


def check_settlement(version: str, said: dict[str, Any]) -> dict[str, Any]:
    _own_id(version, said["cf_payment_id"])
    _own_id(version, said["cf_settlement_id"])
    assert said["entity"] == "settlement"
    assert type(said["settlement_id"]) is int
    assert type(said["transfer_id"]) in (int, type(None))
    for name in ("order_amount", "service_charge", "service_tax", "settlement_amount"):
        _amount(said[name])
    _times(said, "payment_time", "transfer_time")
    return said


def check_pay(version: str, said: dict[str, Any]) -> dict[str, Any]:
    _own_id(version, said["cf_payment_id"])
    _amount(said["payment_amount"])
    assert said["payment_method"] in _METHODS
    assert said["channel"] in ("link", "post", "collect", "qrcode", "podQrCode")
    assert said["action"] in ("link", "post", "custom", "form")
    assert type(said["data"]["url"]) is str
    return said


def check_error(said: dict[str, Any]) -> dict[str, Any]:
    assert {"message", "code", "type"} <= set(said) <= {"message", "code", "type", "help"}
    assert all(type(text) is str and text for text in said.values())
    return said
