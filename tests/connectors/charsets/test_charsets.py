"""Letters and answers in every charset that they come in: what is signed is bytes.

The vectors were signed once, by keys whose private halves nobody has. A provider that signs with
a shared secret has it in its vector.
"""

import base64
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from tests.connectors.contract.plug import keys, plugs

from kassa.base.domain.money import Money
from kassa.connectors.alipay.answers import Unverified, Verified, read_answer
from kassa.connectors.alipay.rsa2 import AlipayVerifier
from kassa.connectors.base import Captured, ChargeEvent, Refused
from kassa.connectors.catalog import kind_of
from kassa.connectors.http import ProviderHttp
from kassa.connectors.jsontext import read_object, text_of
from kassa.connectors.kind import Tools
from kassa.connectors.sandbox.books import SandboxBooks
from kassa.connectors.sandbox.connector import SandboxConnector

VECTORS = json.loads((Path(__file__).parent / "vectors.json").read_text())
LETTERS = [
    pytest.param(one, id=f"{one['connector']}-{one['charset']}") for one in VECTORS["letters"]
]
ANSWERS = [pytest.param(one, id=one["charset"]) for one in VECTORS["answers"]]
NODE = "alipay_trade_query_response"
KEYS = {"ours": keys("charsets")[0], "vectors": VECTORS["public_key"]}


def connected(vector: Any, at: datetime, path: Path) -> Any:
    settings = vector["settings"]
    if vector["connector"] == "sandbox":
        secret = settings["secret"].encode()
        return SandboxConnector(
            SandboxBooks(path), base_url="https://pay.example", secret=secret, clock=lambda: at
        )
    kind = kind_of(vector["connector"])
    by_key = {one.name for one in kind.fields if one.name.endswith(("private_key", "public_key"))}
    filled = {name: KEYS[value] if name in by_key else value for name, value in settings.items()}
    tools = Tools(http=ProviderHttp(), clock=lambda: at, base_url="https://pay.example")
    return kind.make(filled, tools)


def told(vector: Any, path: Path, body: bytes) -> Any:
    at = datetime.fromisoformat(vector["received_at"]).astimezone(UTC)
    connector = connected(vector, at, path)
    return connector.parse_notification(
        vector["headers"], body, target=vector["target"], received_at=at
    )


def test_there_are_vectors_of_every_connector_that_is_posted_to() -> None:
    names = {one["connector"] for one in VECTORS["letters"]}

    assert names == {"sandbox", *(plug.name for plug in plugs())}


@pytest.mark.parametrize("vector", LETTERS)
def test_a_letter_is_read_whatever_it_is_written_in(vector: Any, tmp_path: Path) -> None:
    news = told(vector, tmp_path / "books", base64.b64decode(vector["body"]))

    assert isinstance(news, ChargeEvent)
    assert news.key == vector["key"]
    assert isinstance(news.outcome, Captured)
    assert news.outcome.amount == Money(vector["minor"], vector["currency"])


@pytest.mark.parametrize("vector", LETTERS)
def test_not_one_byte_of_it_may_be_another(vector: Any, tmp_path: Path) -> None:
    body = base64.b64decode(vector["body"])
    at = next((place for place, byte in enumerate(body) if byte > 127), len(body) // 2)
    altered = body[:at] + bytes([body[at] ^ 1]) + body[at + 1 :]

    assert isinstance(told(vector, tmp_path / "books", altered), Refused)


@pytest.mark.parametrize("vector", ANSWERS)
def test_an_answer_is_read_whatever_it_is_written_in(vector: Any) -> None:
    answer = read_answer(
        base64.b64decode(vector["body"]), NODE, AlipayVerifier(VECTORS["public_key"])
    )

    assert isinstance(answer, Verified)
    assert answer.word("total_amount") == "88.00"
    subject, store = answer.word("subject"), answer.word("store_name")
    assert store == subject + '"\\{}'
    if vector["charset"] != "gbk whose bytes are UTF-8 too":
        assert "\ufffd" not in subject


@pytest.mark.parametrize("vector", ANSWERS)
def test_not_one_byte_of_an_answer_may_be_another(vector: Any) -> None:
    body = base64.b64decode(vector["body"])
    at = next(place for place, byte in enumerate(body[3:], 3) if byte > 127)
    altered = body[:at] + bytes([body[at] ^ 1]) + body[at + 1 :]

    answer = read_answer(altered, NODE, AlipayVerifier(VECTORS["public_key"]))

    assert isinstance(answer, Unverified)


def test_what_stands_beside_an_answer_does_not_change_how_it_is_read() -> None:
    """Else bytes of UTF-8 could be cut elsewhere, and a quote in a subject would end it."""
    vector = VECTORS["answers"][0]
    body = base64.b64decode(vector["body"])
    beside = body.replace(b"{", b'{"x":"' + "茶".encode("gbk") + b'",', 1)

    answer = read_answer(beside, NODE, AlipayVerifier(VECTORS["public_key"]))

    assert isinstance(answer, Unverified)


def test_every_character_of_gbk_becomes_the_same_bytes_again() -> None:
    """So the bytes that were signed are found by the characters."""
    for first in range(0x81, 0xFF):
        for second in (*range(0x40, 0x7F), *range(0x80, 0xFF)):
            raw = bytes([first, second])
            try:
                text = raw.decode("gb18030")
            except UnicodeDecodeError:
                continue
            assert text.encode("gb18030") == raw


@pytest.mark.parametrize("codec", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32-be"])
def test_json_may_be_in_any_encoding_of_unicode(codec: str) -> None:
    assert read_object('{"name":"茶 ☕"}'.encode(codec)) == {"name": "茶 ☕"}


@pytest.mark.parametrize("body", [b"", b"\xff\xfe", b"\xef\xbb\xbf", b'{"a":1}\xff', b"\xff{}"])
def test_what_is_no_json_stays_none(body: bytes) -> None:
    with pytest.raises(ValueError):
        read_object(body)


def test_a_name_that_is_not_in_its_charset_hides_nothing_beside_it() -> None:
    body = '{"name":"Zoë","amount":1099}'.encode("latin-1")

    assert read_object(body) == {"name": "Zo\ufffd", "amount": 1099}
    assert '"' in text_of(body)
