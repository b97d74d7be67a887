"""Creates that must be refused, each with HTTP 400 and the code of its fault."""

import json
from typing import Any

GOOD: dict[str, Any] = {
    "customer_name": "Alice",
    "customer_email": "alice@example.com",
    "customer_phone": "9999999999",
    "order_amount": 299.99,
}


def _but(**members: Any) -> bytes:
    return json.dumps(GOOD | members).encode()


def _without(name: str) -> bytes:
    return json.dumps({key: said for key, said in GOOD.items() if key != name}).encode()


def _amount(text: str) -> bytes:
    return _but(order_amount="@").replace(b'"@"', text.encode())


BAD_CREATES: list[tuple[str, bytes, str]] = [
    ("nothing", b"", "request_invalid"),
    ("half an object", b'{"customer_name": "Al', "request_invalid"),
    ("not UTF-8", b"\xff\xfe{}", "request_invalid"),
    ("an array", b"[]", "request_invalid"),
    ("null", b"null", "request_invalid"),
    ("nesting without end", b"[" * 60_000, "request_invalid"),
    ("a body beyond the limit", _but(order_note="x" * 70_000), "request_invalid"),
    ("a member twice", _but()[:-1] + b', "order_amount": 1}', "request_invalid"),
    ("an unknown member", _but(order_status="paid"), "request_invalid"),
    ("an unknown member that is half a character", _but(**{"\ud800": 1}), "request_invalid"),
    ("no name", _without("customer_name"), "customer_name_missing"),
    ("no email", _without("customer_email"), "customer_email_missing"),
    ("no phone", _without("customer_phone"), "customer_phone_missing"),
    ("no amount", _without("order_amount"), "order_amount_missing"),
    ("an empty name", _but(customer_name=""), "customer_name_invalid"),
    ("a blank name", _but(customer_name="   "), "customer_name_invalid"),
    ("a name too long", _but(customer_name="a" * 101), "customer_name_invalid"),
    ("a name with NUL", _but(customer_name="A\0"), "customer_name_invalid"),
    ("a name with half a character", _but(customer_name="A\ud800"), "customer_name_invalid"),
    ("a name that is a number", _but(customer_name=7), "customer_name_invalid"),
    ("a name that is null", _but(customer_name=None), "customer_name_invalid"),
    ("an email without @", _but(customer_email="alice"), "customer_email_invalid"),
    ("an email with two", _but(customer_email="a@b@c.de"), "customer_email_invalid"),
    ("an email with a line end", _but(customer_email="a@b.de\n"), "customer_email_invalid"),
    ("an email too long", _but(customer_email="a" * 99 + "@b.de"), "customer_email_invalid"),
    ("a phone of letters", _but(customer_phone="call me"), "customer_phone_invalid"),
    ("a phone too short", _but(customer_phone="1234"), "customer_phone_invalid"),
    ("a phone of signs", _but(customer_phone="+1----"), "customer_phone_invalid"),
    ("a phone in other digits", _but(customer_phone="٩٩٩٩٩٩٩٩"), "customer_phone_invalid"),
    ("an amount as text", _but(order_amount="299.99"), "order_amount_invalid"),
    ("an amount of true", _but(order_amount=True), "order_amount_invalid"),
    ("an amount of null", _but(order_amount=None), "order_amount_invalid"),
    ("nothing to pay", _amount("0"), "order_amount_invalid"),
    ("nothing to pay, in cents", _amount("0.00"), "order_amount_invalid"),
    ("a negative amount", _amount("-1"), "order_amount_invalid"),
    ("a third decimal of CNY", _amount("299.999"), "order_amount_invalid"),
    ("a binary fraction's image", _amount("0.30000000000000004"), "order_amount_invalid"),
    ("beyond 64 bits", _amount("92233720368547758.08"), "order_amount_invalid"),
    ("a huge exponent", _amount("1e400"), "order_amount_invalid"),
    ("a tiny exponent", _amount("1e-400"), "order_amount_invalid"),
    ("an exponent beyond all", _amount("1e99999999999999999999"), "request_invalid"),
    ("decimals without end", _amount("1." + "1" * 9000), "order_amount_invalid"),
    ("NaN", _amount("NaN"), "request_invalid"),
    ("Infinity", _amount("-Infinity"), "request_invalid"),
    ("an unknown currency", _but(order_currency="XYZ"), "order_currency_invalid"),
    ("a currency in small letters", _but(order_currency="cny"), "order_currency_invalid"),
    ("an empty currency", _but(order_currency=""), "order_currency_invalid"),
    ("a third decimal of JPY", _but(order_currency="JPY"), "order_amount_invalid"),
    ("an order id too short", _but(order_id="ab"), "order_id_invalid"),
    ("an order id too long", _but(order_id="a" * 46), "order_id_invalid"),
    ("an order id with a slash", _but(order_id="a/b/c"), "order_id_invalid"),
    ("an order id with a line end", _but(order_id="abc\n"), "order_id_invalid"),
    ("an order id that is a number", _but(order_id=12345), "order_id_invalid"),
    ("a customer id of 0", _but(customer_details={"customer_id": 0}), "customer_id_invalid"),
    (
        "a customer id of 33 bits",
        _but(customer_details={"customer_id": 2**32}),
        "customer_id_invalid",
    ),
    (
        "a customer id with a point",
        _but(customer_details={"customer_id": 7.5}),
        "customer_id_invalid",
    ),
    ("another's organization", _but(customer_details={"org_id": 4294967295}), "org_id_invalid"),
    ("two names", _but(customer_details={"customer_name": "Bob"}), "customer_name_invalid"),
    ("unknown details", _but(customer_details={"role": "admin"}), "customer_details_invalid"),
    ("details that are a list", _but(customer_details=[]), "customer_details_invalid"),
    (
        "a return address of script",
        _but(order_meta={"return_url": "javascript:alert(1)"}),
        "return_url_invalid",
    ),
    (
        "a return address without host",
        _but(order_meta={"return_url": "https:///x"}),
        "return_url_invalid",
    ),
    ("a relative return address", _but(order_meta={"return_url": "/done"}), "return_url_invalid"),
    (
        "a return address with line end",
        _but(order_meta={"return_url": "https://a.example/\r\nx"}),
        "return_url_invalid",
    ),
    (
        "a return address in disguise",
        _but(order_meta={"return_url": "https://shop.example\\@evil.example/"}),
        "return_url_invalid",
    ),
    (
        "a return address with a user",
        _but(order_meta={"return_url": "https://a:b@c.example/"}),
        "return_url_invalid",
    ),
    (
        "a return address with half a bracket",
        _but(order_meta={"return_url": "https://[::1/"}),
        "return_url_invalid",
    ),
    (
        "a return address on no port",
        _but(order_meta={"return_url": "https://a.example:99999/"}),
        "return_url_invalid",
    ),
    (
        "a return address too long",
        _but(order_meta={"return_url": "https://a.example/" + "x" * 1024}),
        "return_url_invalid",
    ),
    (
        "a notify address with NUL",
        _but(order_meta={"notify_url": "https://a.example/\0"}),
        "notify_url_invalid",
    ),
    (
        "methods that are no words",
        _but(order_meta={"payment_methods": "upi;card"}),
        "payment_methods_invalid",
    ),
    (
        "an expiry without offset",
        _but(order_expiry_time="2026-12-01T10:00:00"),
        "order_expiry_time_invalid",
    ),
    ("an expiry that is a date", _but(order_expiry_time="2026-12-01"), "order_expiry_time_invalid"),
    ("an expiry as a number", _but(order_expiry_time=1764547200), "order_expiry_time_invalid"),
    (
        "an expiry long ago",
        _but(order_expiry_time="0001-01-01T00:00:00+14:00"),
        "order_expiry_time_invalid",
    ),
    (
        "an expiry far ahead",
        _but(order_expiry_time="9999-12-31T23:59:59-14:00"),
        "order_expiry_time_invalid",
    ),
    ("a note too long", _but(order_note="x" * 201), "order_note_invalid"),
    ("a note with control characters", _but(order_note="\x1b[2J"), "order_note_invalid"),
    ("a tag too long", _but(order_tags={"age": "x" * 256}), "age_invalid"),
    ("another tag", _but(order_tags={"color": "red"}), "order_tags_invalid"),
    ("a module there is not", _but(module="CASINO"), "module_invalid"),
    ("a capture method there is not", _but(capture_method="later"), "capture_method_invalid"),
    ("a capture method that is true", _but(capture_method=True), "capture_method_invalid"),
]
"""What is wrong, the body, and the code it is refused with."""
