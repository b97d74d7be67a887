"""An answer is believed only when its signature covers the very text that was sent."""

import json
from decimal import Decimal

import pytest
from tests.connectors.alipay.conftest import VECTORS, KeyPair

from kassa.connectors.alipay.answers import Unverified, Verified, read_answer
from kassa.connectors.alipay.rsa2 import AlipayVerifier

NODE = "alipay_trade_query_response"


def signed(raw: str, by: KeyPair, *, covers: str | None = None) -> str:
    return f'{{"{NODE}":{raw},"sign":"{by.signer.sign(raw if covers is None else covers)}"}}'


def read(text: str, by: KeyPair) -> Verified | Unverified:
    return read_answer(text.encode(), NODE, by.verifier)


def test_the_answer_in_the_vectors_is_verified(alipay_public_pem: str) -> None:
    answer = read_answer(
        (VECTORS / "query_answer.json").read_bytes(), NODE, AlipayVerifier(alipay_public_pem)
    )

    assert isinstance(answer, Verified)
    assert answer.word("trade_status") == "TRADE_SUCCESS"
    assert answer.word("total_amount") == "1000.12"


@pytest.mark.parametrize(
    "change",
    [
        (b"1000.12", b"1000.13"),
        (b"PAY0001", b"PAY0002"),
        (b'"code":"10000",', b'"code": "10000",'),
        (b'"sign":"2', b'"sign":"3'),
        (b'"sign":"', b'"sign":" '),
        (b'"sign"', b'"Sign"'),
    ],
)
def test_a_changed_answer_is_not_verified(
    change: tuple[bytes, bytes], alipay_public_pem: str
) -> None:
    body = (VECTORS / "query_answer.json").read_bytes().replace(*change)

    assert isinstance(read_answer(body, NODE, AlipayVerifier(alipay_public_pem)), Unverified)


@pytest.mark.parametrize(
    "raw",
    [
        "{}",
        '{"code":"10000"}',
        '{ "code" : "10000" ,\n "x" : [ { } , [ ] ] }',
        '{"subject":"one } and { { two"}',
        '{"subject":"\\"}\\\\","sign":"inner"}',
        '{"subject":"\\u007b\\u6d4b"}',
        '{"subject":"测试 ☕"}',
        '{"url":"https:\\/\\/a\\/b"}',
        f'{{"{NODE}":{{"code":"40004"}}}}',
        '{"deep":{"a":[1,{"b":"]}"}]}}',
    ],
)
def test_the_object_is_found_as_written(raw: str, alipays: KeyPair) -> None:
    answer = read(signed(raw, alipays), alipays)

    assert answer == Verified(json.loads(raw))


def test_slashes_may_have_been_escaped_when_it_was_signed(alipays: KeyPair) -> None:
    raw = '{"url":"https://a/b"}'

    assert isinstance(read(signed(raw, alipays, covers=raw.replace("/", "\\/")), alipays), Verified)


def test_members_may_come_in_any_order_and_with_others(alipays: KeyPair) -> None:
    raw = '{"code":"10000"}'
    signature = alipays.signer.sign(raw)

    answer = read(
        f' {{ "alipay_cert_sn" : "a}}b" , "sign" : "{signature}" , "{NODE}" : {raw} }} \n', alipays
    )

    assert answer == Verified({"code": "10000"})


def test_a_gateway_error_is_read_from_its_own_node(alipays: KeyPair) -> None:
    raw = '{"code":"40002","sub_code":"isv.invalid-signature"}'
    text = f'{{"error_response":{raw},"sign":"{alipays.signer.sign(raw)}"}}'

    answer = read(text, alipays)

    assert isinstance(answer, Verified)
    assert answer.codes == "40002 isv.invalid-signature"


def test_an_unsigned_answer_says_its_codes_and_no_more(alipays: KeyPair) -> None:
    text = f'{{"{NODE}":{{"code":"40002","sub_code":"isv.invalid-app-id","sub_msg":"long words"}}}}'

    assert read(text, alipays) == Unverified("the answer is not signed: 40002 isv.invalid-app-id")


def test_hostile_codes_do_not_reach_the_log(alipays: KeyPair) -> None:
    answer = read(f'{{"{NODE}":{{"code":"a\\nb","sub_code":{{}}}}}}', alipays)

    assert answer == Unverified("the answer is not signed: no code")


def test_numbers_are_read_digit_for_digit(alipays: KeyPair) -> None:
    answer = read(signed('{"total_amount":1000.10,"flag":true}', alipays), alipays)

    assert isinstance(answer, Verified)
    assert answer.fields["total_amount"] == Decimal("1000.10")
    assert answer.word("total_amount") == "1000.10"
    assert answer.word("flag") == ""


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"null",
        b"{",
        b"{}",
        b"{} {}",
        b'{"a"}',
        b'{"a":}',
        b'{"a":1',
        b'{"a":1,}',
        b'{"a":1 "b":2}',
        b"{1:2}",
        b"{'a':1}",
        b'{"a":NaN}',
        b'{"a":1}}',
        b"\xff\xfe",
        b"<html>502 Bad Gateway</html>",
        b'{"alipay_trade_query_response":[]}',
        b'{"alipay_trade_query_response":"{}","sign":"AAAA"}',
        b'{"alipay_trade_query_response":{},"sign":null}',
        b'{"alipay_trade_query_response":{},"sign":["AAAA"]}',
        b'{"alipay_trade_query_response":' + b"[" * 100_000,
        b'{"a":' + b"9" * 5000 + b"}",
    ],
)
def test_a_malformed_answer_is_not_verified(body: bytes, alipays: KeyPair) -> None:
    assert isinstance(read_answer(body, NODE, alipays.verifier), Unverified)


def test_members_that_occur_twice_are_refused(alipays: KeyPair) -> None:
    raw = '{"code":"10000"}'
    genuine = signed(raw, alipays)[1:-1]

    assert isinstance(read(f'{{{genuine},"{NODE}":{{"code":"1"}}}}', alipays), Unverified)
    assert isinstance(read(f'{{"{NODE}":{{"code":"1"}},{genuine}}}', alipays), Unverified)
    assert isinstance(read(signed('{"code":"1","code":"2"}', alipays), alipays), Unverified)


def test_only_alipays_key_counts(ours: KeyPair, alipays: KeyPair) -> None:
    assert isinstance(read(signed('{"code":"10000"}', ours), alipays), Unverified)
