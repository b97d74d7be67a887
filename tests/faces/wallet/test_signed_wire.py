"""Signatures on the wire: every request's is checked, every answer carries one."""

import json

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from tests.faces.wallet.calls import (
    INQUIRY,
    PAY,
    Merchant,
    an_order,
    code,
    company_of,
    public_pem,
)
from tests.faces.wallet.vectors import KEYS, REQUEST

from kassa.faces.wallet import signature
from kassa.faces.wallet.signature import Signed
from kassa.identity.usecases.companies import (
    put_wallet_client,
)

pytestmark = pytest.mark.anyio


async def test_a_request_signed_by_other_software_is_accepted(merchant: Merchant) -> None:
    company = await company_of(merchant)
    client_id, target = REQUEST.signed.client_id, REQUEST.signed.target
    await put_wallet_client(merchant.core, company, client_id, {"1": KEYS["merchant"]})

    answer = await merchant.client.request(
        "POST",
        target,
        headers={
            "client-id": client_id,
            "request-time": REQUEST.signed.time,
            "signature": REQUEST.header,
        },
        content=REQUEST.signed.body,
    )

    assert code(answer.json()) == "S SUCCESS"


async def test_the_query_string_is_part_of_what_is_signed(merchant: Merchant) -> None:
    body = json.dumps(an_order()).encode()

    answer = await merchant.send(f"{PAY}?shop=%2F1", body)

    assert code(answer) == "S SUCCESS"


async def test_an_answer_to_an_unknown_path_is_signed_over_that_path(merchant: Merchant) -> None:
    for method, path in (
        ("GET", PAY),
        ("PUT", INQUIRY),
        ("DELETE", "/v1/payments/"),
        ("POST", f"{PAY}/"),
        ("POST", "/v1/payments/transfer?x=%41"),
        ("POST", "/v1/payments/%0d%0aX:y"),
        ("PROPFIND", PAY),
    ):
        answer = await merchant.send(path, b"", method=method, headers={"Signature": None})

        assert code(answer) == "F NO_INTERFACE_DEF"


async def test_an_unknown_path_is_told_to_strangers_too(merchant: Merchant) -> None:
    answer = await merchant.client.request("GET", "/v1/payments/x", headers={}, content=b"")

    assert code(answer.json()) == "F NO_INTERFACE_DEF"
    assert "signature" not in answer.headers


async def test_rotated_keys_work_side_by_side(merchant: Merchant) -> None:
    company, old = await company_of(merchant), rsa.generate_private_key(65537, 2048)
    new = rsa.generate_private_key(65537, 2048)
    keys = {"1": public_pem(old), "2": public_pem(new)}
    await put_wallet_client(merchant.core, company, "rotating", keys)

    with_old = Merchant(merchant.client, merchant.core, "rotating", old, "1")
    with_new = Merchant(merchant.client, merchant.core, "rotating", new, "2")
    crossed = Merchant(merchant.client, merchant.core, "rotating", old, "2")

    assert code(await with_old.pay()) == "S SUCCESS"
    assert code(await with_new.pay()) == "S SUCCESS"
    assert code(await crossed.pay()) == "F INVALID_SIGNATURE"


async def test_any_request_time_is_taken_as_it_is_written(merchant: Merchant) -> None:
    body = json.dumps(an_order()).encode()
    for time in ("1795314170000", "2026-11-22T02:22:50.1234567Z", "2019-04-04T12:08:56+0530"):
        signed = Signed("POST", PAY, merchant.client_id, time, body)
        header = signature.sign(signed, merchant.key, "1")

        answer = await merchant.send(PAY, body, headers={"Request-Time": time, "Signature": header})

        assert code(answer).startswith("S ")


async def test_even_without_a_database_the_answer_is_signed(merchant: Merchant) -> None:
    await merchant.core.db.close()

    assert code(await merchant.pay()) == "U UNKNOWN_EXCEPTION"
