"""What the faces read alike: JSON of a reasonable shape, in time that grows with its length."""

import json
import time
from typing import Any

import pytest

from kassa.base.domain.errors import InvalidRequest
from kassa.faces import edge


def refusal(body: str) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as caught:
        edge.parse_json(body.encode())
    assert len(caught.value.message) < 300
    return caught.value


def nested(depth: int, of: str = "[]") -> str:
    return of[0] * depth + of[1] * depth


def test_what_a_request_may_hold_is_read() -> None:
    for body in (
        nested(32),
        json.dumps([0] * 1000),
        json.dumps({str(n): n for n in range(1000)}),
        json.dumps([[0] * 1000] * 9),
        json.dumps({"note": ',[{"\\' * 5000}),
        json.dumps([{"note": "{[" * 99}] * 40),
    ):
        assert edge.parse_json(body.encode()) == json.loads(body)


@pytest.mark.parametrize(
    "body",
    [
        nested(33),
        '{"a":' * 33 + "1" + "}" * 33,
        "[" * 60_000,
        '{"a":[' * 9000,
        json.dumps(["x" * 40, json.loads(nested(32))]),
    ],
)
def test_more_depth_is_refused_before_it_is_read(body: str) -> None:
    error = refusal(body)

    assert (error.reason, error.message) == ("json_malformed", "the JSON is nested too deeply")


@pytest.mark.parametrize(
    "body",
    [
        json.dumps([0] * 1001),
        json.dumps({str(n): n for n in range(1001)}),
        json.dumps([[0] * 999] * 11),
        "[" + "," * 60_000,
    ],
)
def test_more_parts_are_refused_before_they_are_read(body: str) -> None:
    error = refusal(body)

    assert error.reason == "json_malformed"
    assert "too many parts" in error.message


def test_a_member_that_stands_twice_is_named_wherever_it_is() -> None:
    assert refusal('{"a":1,"b":2,"a":3}').message == "the member 'a' stands twice"
    assert refusal('[{"x":{"b":1,"c":1,"b":1}}]').message == "the member 'b' stands twice"
    assert refusal(f'{{"{"n" * 999}":1,"{"n" * 999}":1}}').reason == "json_malformed"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ('{"a":{"b":[1,{"c":"\\u0000"}]}}', "a.b[1].c"),
        ('["\\ud800"]', "[0]"),
        ('"\\u0000"', None),
        ('{"a":{"\\udfff":1}}', "a"),
    ],
)
def test_a_text_that_cannot_be_stored_is_named_by_its_place(body: str, field: str | None) -> None:
    assert refusal(body).field == field


def _hostile() -> dict[str, str]:
    """64 KB each, of the kinds that have been known to cost more than their length."""
    names = [f"{n:04x}" for n in range(7000)]
    return {
        "the last member twice": "{" + ",".join(f'"{n}":0' for n in [*names, names[-1]]) + "}",
        "members up to the limit": json.dumps(
            [{f"{n}{m}": 0 for n in range(900)} for m in range(6)]
        ),
        "a long name above many": json.dumps(
            {"n" * 30_000: {f"{n}": "x\u00e9" for n in range(900)}}
        ),
        "quotes": '"' * 64_000,
        "backslashes": '["' + "\\" * 64_000,
        "escapes": '["' + "\\u0041" * 10_600 + '"]',
        "digits": "[" + "9" * 64_000 + "]",
        "decimals": "[0." + "9" * 64_000 + "]",
        "exponents": "[1e" + "9" * 64_000 + "]",
        "commas in a text": json.dumps({"note": "," * 64_000}),
        "brackets in texts": json.dumps(["[" * 60] * 900),
        "white space": " " * 64_000,
        "empty arrays": "[" + "[]," * 21_000,
    }


@pytest.mark.parametrize("name", _hostile())
def test_no_body_takes_longer_than_its_length_warrants(name: str) -> None:
    body = _hostile()[name].encode()[: edge.BODY_LIMIT]

    assert _seconds(body) < 0.15


def _seconds(body: bytes) -> float:
    began = time.thread_time()
    try:
        value: Any = edge.parse_json(body)
    except InvalidRequest:
        value = None
    assert value is None or isinstance(value, dict | list)
    return time.thread_time() - began
