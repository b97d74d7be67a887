"""The wallet family's signature: what is signed, which dialects are read, what is refused."""

import base64
import subprocess
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import unquote

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from hypothesis import example, given
from hypothesis import strategies as st
from tests.faces.wallet.vectors import KEYS, REQUEST, VECTORS, Vector

from kassa.faces.wallet import signature
from kassa.faces.wallet.signature import SignatureRefused, Signed, sign, verify

MERCHANT = {"1": KEYS["merchant"]}
VALUE = REQUEST.header.rpartition("=")[2]
BASE64 = unquote(VALUE)
OWN_KEY = rsa.generate_private_key(65537, 2048)
OWN_KEYS = {
    "1": OWN_KEY.public_key()
    .public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    .decode("ascii")
}


def header(value: str = VALUE, algorithm: str = "RSA256", version: str = "1") -> str:
    return f"algorithm={algorithm},keyVersion={version},signature={value}"


def changed(**changes: str | bytes) -> Signed:
    return replace(REQUEST.signed, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector.name)
def test_signatures_made_by_others_are_accepted(vector: Vector) -> None:
    verify(vector.signed, vector.header, {"1": KEYS[vector.key]})


ACCEPTED = {
    "raw base64, blanks after commas": f"algorithm=RSA256, keyVersion=1, signature={BASE64}",
    "lower-case percent hex": header(VALUE.replace("%2B", "%2b").replace("%2F", "%2f")),
    "the URL-safe alphabet, no padding": header(
        BASE64.replace("+", "-").replace("/", "_").rstrip("=")
    ),
    "the URL-safe alphabet, padded": header(BASE64.replace("+", "-").replace("/", "_")),
    "standard base64, no padding": header(BASE64.rstrip("=")),
    "padding alone percent-encoded": header(BASE64.replace("=", "%3D")),
    "another order": f"signature={VALUE},algorithm=RSA256,keyVersion=1",
    "no keyVersion": f"algorithm=RSA256,signature={VALUE}",
    "lower-case algorithm": header(algorithm="rsa256"),
    "Java's name of the algorithm": header(algorithm="SHA256withRSA"),
    "a tab after the comma": f"algorithm=RSA256,\tkeyVersion=1,\tsignature={VALUE}",
}


@pytest.mark.parametrize("sent", ACCEPTED.values(), ids=ACCEPTED)
def test_every_dialect_of_the_family_is_read(sent: str) -> None:
    verify(REQUEST.signed, sent, MERCHANT)


BODY = REQUEST.signed.body
TAMPERED = {
    "a line feed behind the body": changed(body=BODY + b"\n"),
    "CRLF between path and client": changed(target="/v1/payments/pay\r"),
    "a path with its host": changed(target="https://wallet.example/v1/payments/pay"),
    "a query that was not sent": changed(target="/v1/payments/pay?x=1"),
    "a body written anew with blanks": changed(body=BODY.replace(b":", b": ").replace(b",", b", ")),
    "one digit of the amount": changed(body=BODY.replace(b'"2000"', b'"2001"')),
    "another client": changed(client_id="5X00000000000001"),
    "another time": changed(time="2026-11-22T10:00:01+08:00"),
    "the same time in another format": changed(time="2026-11-22T02:00:00Z"),
    "another method": changed(method="GET"),
    "no time": changed(time=""),
    "a time too long to be one": changed(time="2" * 65),
}


@pytest.mark.parametrize("signed", TAMPERED.values(), ids=TAMPERED)
def test_a_signature_over_anything_else_is_refused(signed: Signed) -> None:
    with pytest.raises(SignatureRefused):
        verify(signed, REQUEST.header, MERCHANT)


REFUSED = {
    "nothing": "",
    "no signature": "algorithm=RSA256,keyVersion=1",
    "an empty signature": header(""),
    "no algorithm": f"keyVersion=1,signature={VALUE}",
    "another algorithm": header(algorithm="RSA"),
    "an elliptic algorithm": header(algorithm="ECC224"),
    "no algorithm at all": header(algorithm="none"),
    "an unknown keyVersion": header(version="2"),
    "an empty keyVersion": header(version=""),
    "a member that is not known": header() + ",extra=1",
    "the algorithm twice": "algorithm=RSA256," + header(),
    "the signature twice": header() + f",signature={VALUE}",
    "a member in another case": header().replace("keyVersion", "keyversion"),
    "a comma too many": header() + ",",
    "a bare word": "RSA256," + header(),
    "plus signs turned into blanks": header(BASE64.replace("+", " ")),
    "percent-encoded twice": header(VALUE.replace("%", "%25")),
    "a percent sign without hex": header(VALUE.replace("%2B", "%2", 1)),
    "too much padding": header(BASE64.rstrip("=") + "==="),
    "padding in the middle": header(BASE64[:40] + "=" + BASE64[40:]),
    "one byte short": header(base64.b64encode(base64.b64decode(BASE64)[:-1]).decode()),
    "one byte long": header(base64.b64encode(base64.b64decode(BASE64) + b"\0").decode()),
    "a line break inside": header(BASE64[:64] + "\n" + BASE64[64:]),
    "letters outside ASCII": header("é" + VALUE),
    "five thousand characters": header("A" * 5000),
}


@pytest.mark.parametrize("sent", REFUSED.values(), ids=REFUSED)
def test_a_header_that_is_not_exactly_one_good_signature_is_refused(sent: str) -> None:
    with pytest.raises(SignatureRefused):
        verify(REQUEST.signed, sent, MERCHANT)


def test_a_key_of_somebody_else_is_refused() -> None:
    with pytest.raises(SignatureRefused):
        verify(REQUEST.signed, REQUEST.header, {"1": KEYS["wallet"]})


def test_without_a_key_version_the_newest_key_counts() -> None:
    sent = f"algorithm=RSA256,signature={VALUE}"

    verify(REQUEST.signed, sent, {"1": KEYS["wallet"], "2": KEYS["merchant"]})
    with pytest.raises(SignatureRefused):
        verify(REQUEST.signed, sent, {"1": KEYS["merchant"], "2": KEYS["wallet"]})


def test_a_named_older_key_still_counts_while_it_is_registered() -> None:
    verify(REQUEST.signed, REQUEST.header, {"1": KEYS["merchant"], "2": KEYS["wallet"]})


def _pem(key: ec.EllipticCurvePublicKey | rsa.RSAPublicKey) -> str:
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode("ascii")


UNUSABLE = {
    "no key at all": {},
    "not a PEM": {"1": "a key"},
    "an elliptic key": {"1": _pem(ec.generate_private_key(ec.SECP256R1()).public_key())},
    "a short RSA key": {"1": _pem(rsa.generate_private_key(65537, 1024).public_key())},
}


@pytest.mark.parametrize("keys", UNUSABLE.values(), ids=UNUSABLE)
def test_a_registered_key_that_cannot_be_used_refuses_instead_of_failing(
    keys: dict[str, str],
) -> None:
    with pytest.raises(SignatureRefused):
        verify(REQUEST.signed, REQUEST.header, keys)


def test_our_header_is_what_the_strictest_client_reads() -> None:
    written = sign(REQUEST.signed, OWN_KEY, "7")

    parts = written.split(",")
    assert [part.split("=")[0] for part in parts] == ["algorithm", "keyVersion", "signature"]
    assert parts[:2] == ["algorithm=RSA256", "keyVersion=7"]
    assert written.count("=") == 3
    assert " " not in written
    assert "+" not in written
    assert "/" not in written


def test_our_signature_is_byte_for_byte_that_of_openssl(tmp_path: Path) -> None:
    key_file = tmp_path / "key.pem"
    key_file.write_bytes(OWN_KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    command = ["openssl", "dgst", "-sha256", "-sign", str(key_file)]
    try:
        theirs = subprocess.run(
            command, input=REQUEST.signed.content, capture_output=True, check=True
        ).stdout
    except FileNotFoundError:
        pytest.skip("there is no openssl command here to compare with")

    ours = unquote(sign(REQUEST.signed, OWN_KEY, "1").rpartition("=")[2])

    assert base64.b64decode(ours) == theirs


@given(
    target=st.text(st.characters(max_codepoint=255), max_size=40),
    time=st.text(st.characters(max_codepoint=255), min_size=1, max_size=64),
    body=st.binary(max_size=200),
)
def test_what_we_sign_we_verify(target: str, time: str, body: bytes) -> None:
    signed = Signed("POST", target, "5X00000000000000", time, body)

    verify(signed, sign(signed, OWN_KEY, "1"), OWN_KEYS)


@given(
    sent=st.one_of(
        st.text(max_size=300),
        st.text("algorithm=RSA256,keyVersion=1,signature=%+/-_ \t", max_size=80),
        st.binary(max_size=300).map(lambda raw: header(base64.b64encode(raw).decode())),
        st.text(max_size=300).map(header),
        st.builds(header, st.just(VALUE), st.text(max_size=12), st.text(max_size=12)),
    ),
    time=st.text(max_size=70),
    body=st.binary(max_size=64),
)
@example(sent="signature=\ud800", time="x", body=b"")
def test_no_header_does_anything_but_be_refused(sent: str, time: str, body: bytes) -> None:
    signed = Signed("POST", "/v1/payments/pay", "5X00000000000000", time, body)

    with pytest.raises(SignatureRefused):
        verify(signed, sent, MERCHANT)


TARGETS = {
    (b"/v1/payments/pay", b""): "/v1/payments/pay",
    (b"/v1/payments/pay", b"a=%2F&b"): "/v1/payments/pay?a=%2F&b",
    (b"/v1/payments/p%61y", b""): "/v1/payments/p%61y",
    (b"http://wallet.example:8443/v1/payments/pay", b"a=1"): "/v1/payments/pay?a=1",
    (b"/v1/payments/pay?a=1", b"a=1"): "/v1/payments/pay?a=1",
}


@pytest.mark.parametrize("arrived, target", TARGETS.items())
def test_the_target_is_path_and_query_as_they_were_sent(
    arrived: tuple[bytes, bytes], target: str
) -> None:
    assert signature.target_of(*arrived) == target


NOTIFY_TARGETS = {
    "https://merchant.example/notify": "/notify",
    "https://merchant.example": "/",
    "https://merchant.example?order=1": "/?order=1",
    "https://merchant.example:8443/a%20b/?q=%2F#top": "/a%20b/?q=%2F",
}


@pytest.mark.parametrize("url, target", NOTIFY_TARGETS.items())
def test_the_target_of_a_notification_is_what_the_merchants_server_sees(
    url: str, target: str
) -> None:
    assert signature.target_of_url(url) == target


MOMENT = datetime(2026, 11, 22, 2, 22, 50, tzinfo=UTC)
TIMES = {
    "2026-11-22T02:22:50Z": MOMENT,
    "2026-11-22T10:22:50+08:00": MOMENT,
    "2026-11-22T02:22:50+0000": MOMENT,
    "2026-11-21T21:22:50-05:00": MOMENT,
    "2026-11-22T02:22:50.123+00:00": MOMENT + timedelta(milliseconds=123),
    "2026-11-22T02:22:50.1234567Z": MOMENT + timedelta(microseconds=123456),
    "1795314170000": MOMENT,
    "1795314170123": MOMENT + timedelta(milliseconds=123),
}


@pytest.mark.parametrize("text, moment", TIMES.items())
def test_every_time_format_of_the_family_is_read(text: str, moment: datetime) -> None:
    assert signature.parse_time(text) == moment


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2026-11-22",
        "2026-11-22T02:22:50",
        "2026-11-22 02:22:50Z",
        "2026-02-30T00:00:00Z",
        "2026-11-22T25:00:00Z",
        "2026-11-22T02:22:50+99:00",
        "9999-12-31T23:59:59-08:00",
        "0001-01-01T00:00:00+08:00",
        "٢٠٢٦-11-22T02:22:50Z",
        "179531417000",
    ],
)
def test_what_is_no_moment_reads_as_none(text: str) -> None:
    assert signature.parse_time(text) is None


@given(st.text(max_size=40))
def test_reading_a_time_never_fails(text: str) -> None:
    found = signature.parse_time(text)

    assert found is None or found.tzinfo is not None


def test_freshness_is_judged_only_when_asked_for_and_readable() -> None:
    late = (MOMENT + timedelta(minutes=6)).isoformat()

    assert signature.is_fresh(late, MOMENT, None)
    assert not signature.is_fresh(late, MOMENT, timedelta(minutes=5))
    assert signature.is_fresh(late, MOMENT, timedelta(minutes=7))
    assert signature.is_fresh("some day", MOMENT, timedelta(minutes=5))
