"""What looks like a card's number or security code, and what only looks like it."""

import random
import time
import uuid
from typing import Any

import pytest

from kassa.base.domain.card_numbers import (
    REASON,
    TextKind,
    check_digit_fits,
    holds_card_number,
    holds_security_code,
    refuse_card_data,
)
from kassa.base.domain.errors import InvalidRequest

MANY = 20_000


@pytest.mark.parametrize(
    "text",
    [
        "4242424242424242",
        "4111-1111-1111-1111",
        "paid with 4111 1111 1111 1111 12/28, thanks",
        "3782 822463 10005",
        "４１１１　１１１１　１１１１　１１１１",
        "٤١١١١١١١١١١١١١١١",
        "4111111111111111 4242424242424242",
        "6222 0200 0000 0000 000",
        "30569309025904",
        "4111.1111.1111.1111",
        "4111\u00a01111\u20111111\u200b1111",
        "4 2 4 2 4 2 4 2 4 2 4 2 4 2 4 2",
        "(5555555555554444)",
        "4222222222222",
        "2223003122003222",
        "card\n4111\n1111\n1111\n1111",
    ],
)
def test_a_card_number_is_found_however_it_is_written(text: str) -> None:
    assert holds_card_number(text)
    assert check_digit_fits("4242424242424242")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "size 42, blue",
        "4242424242424241",  # its check digit is wrong
        "1764537600123456",  # microseconds since 1970
        "2026-11-30 21:30:59.123456",
        "order 20261130-000123-4242",
        "0000 0000 0000 0000",
        "a4242424242424242",
        "42424242424242424242424242",
        "ref_4242424242424242x",
        "DE02 1203 0000 0000 2020 51",
    ],
)
def test_what_only_looks_like_one_is_none(text: str) -> None:
    assert not holds_card_number(text)


@pytest.mark.parametrize(
    "text", ["cvv 123", "CVC: 1234", "my security code is 987", "cvv2=123", "安全码：123"]
)
def test_a_security_code_is_found_where_it_is_called_one(text: str) -> None:
    assert holds_security_code(text)


@pytest.mark.parametrize("text", ["csc 12", "cvv 12345", "room 123", "the cvv is hidden", "123"])
def test_other_short_numbers_are_none(text: str) -> None:
    assert not holds_security_code(text)


def test_what_programs_call_things_is_hardly_ever_taken_for_a_card() -> None:
    chance = random.Random(1)

    def moment() -> float:  # seconds, not money
        return 1.7e9 + chance.random() * 2e8

    def stamp(form: str) -> str:
        return time.strftime(form, time.gmtime(moment()))

    kinds = {
        "uuids": [str(uuid.UUID(int=chance.getrandbits(128))) for _ in range(MANY)],
        "hex": [f"{chance.getrandbits(128):032x}" for _ in range(MANY)],
        "microseconds": [str(int(moment() * 1e6)) for _ in range(MANY)],
        "nanoseconds": [str(int(moment() * 1e9)) for _ in range(MANY)],
        "milliseconds": [str(int(moment() * 1e3)) for _ in range(MANY)],
        "dates": [stamp("%Y%m%d%H%M%S") + f"{chance.randrange(100):02}" for _ in range(MANY)],
        "times": [stamp("%Y-%m-%d %H:%M:%S") for _ in range(MANY)],
        "orders": [stamp("ORD-%Y%m%d-") + f"{chance.randrange(10**6):06}" for _ in range(MANY)],
    }
    assert {name: sum(map(holds_card_number, some)) for name, some in kinds.items()} == (
        dict.fromkeys(kinds, 0)
    )
    numbers = [str(chance.randrange(10**15, 10**16)) for _ in range(MANY)]
    # Of sixteen random digits in a text one in thirty is refused, and none where an id stands.
    assert 0.02 < sum(map(holds_card_number, numbers)) / MANY < 0.05
    assert not any(holds_card_number(one, TextKind.ID) for one in numbers)
    phones = [
        f"+{chance.choice((49, 44, 86, 1))}{chance.randrange(10**9, 10**11)}" for _ in numbers
    ]
    assert not any(holds_card_number(one, TextKind.PHONE) for one in phones)


def test_an_id_is_refused_where_it_is_written_as_cards_are_printed() -> None:
    assert not holds_card_number("4242424242424242", TextKind.ID)
    assert holds_card_number("4242 4242 4242 4242", TextKind.ID)
    assert holds_card_number("3782-822463-10005", TextKind.ID)
    assert not holds_card_number("42424242-42424242", TextKind.ID)


@pytest.mark.parametrize(
    "value",
    [
        "4242 4242 4242 4242",
        {"a": {"b": ["x", "4111111111111111"]}},
        {"cvv": "123"},
        {"4111 1111 1111 1111": "x"},
        {"n": 4111111111111111},
    ],
)
def test_a_refusal_names_the_member_and_repeats_nothing(value: Any) -> None:
    with pytest.raises(InvalidRequest) as refused:
        refuse_card_data({"fine": "x", "note": value}, {})

    assert (refused.value.field, refused.value.reason) == ("note", REASON)
    assert not any(one.isdecimal() for one in refused.value.message)


def test_ids_within_are_ids_too() -> None:
    refuse_card_data({"extra": {"referenceOrderId": "4111111111111111"}}, {})
    with pytest.raises(InvalidRequest):
        refuse_card_data({"extra": {"note": "4111111111111111"}}, {})


@pytest.mark.parametrize("text", ["4 " * 30_000, "44 " * 20_000, "4" * 60_000, "cvv " * 15_000])
def test_hostile_texts_cost_little(text: str) -> None:
    begun = time.process_time()
    holds_card_number(text)
    holds_security_code(text)
    assert time.process_time() - begun < 1.0
