"""The bill of a day: its address from a signed answer, its ZIP from a server on the loopback."""

import io
import zipfile
from collections.abc import AsyncIterator
from datetime import date
from typing import Any

import pytest
from aiohttp import web
from tests.connectors.alipay.conftest import Gateway
from tests.connectors.alipay.report_samples import ALIPAY_TRADES, alipay, trade
from tests.connectors.reports.samples import good, read

from kassa.connectors.alipay import bills
from kassa.connectors.alipay.answers import Verified
from kassa.connectors.alipay.connector import AlipayConnector
from kassa.connectors.base import InDoubt, Report, Reporter, Unknown

pytestmark = pytest.mark.anyio

DAY = date(2026, 10, 3)
BILL = alipay(ALIPAY_TRADES, (trade(1), trade(2))).encode("gb18030")
LINES, SUMS = "20887_20261003_业务明细.csv", "20887_20261003_业务明细(汇总).csv"


def packed(files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A ZIP as Alipay makes them: file names in GBK, with no word that they are."""
    written = io.BytesIO()
    names: dict[bytes, bytes] = {}
    with zipfile.ZipFile(written, "w", method) as archive:
        for number, (name, body) in enumerate(files.items()):
            raw = name.encode("gbk")
            stand_in = f"~{number:02d}~".ljust(len(raw), "~")
            names[stand_in.encode()] = raw
            archive.writestr(stand_in, body)
    content = written.getvalue()
    for stand_in_bytes, raw in names.items():
        content = content.replace(stand_in_bytes, raw)
    return content


@pytest.fixture
async def shelf(gateway: Gateway) -> AsyncIterator[dict[str, bytes]]:
    """What lies at the gateway's own host, by path; the answer names /bill."""
    files = {"/bill": packed({LINES: BILL, SUMS: b"sums"})}

    async def hand_out(request: web.Request) -> web.Response:
        body = files.get(request.path)
        return web.Response(status=404) if body is None else web.Response(body=body)

    application = web.Application()
    application.router.add_post("/gateway.do", gateway.handle)
    application.router.add_get("/{rest:.*}", hand_out)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    gateway.port = runner.addresses[0][1]
    gateway.answer = answering(f"http://127.0.0.1:{gateway.port}/bill?fileId=1")
    yield files
    await runner.cleanup()


def answering(url: str) -> dict[str, Any]:
    return {"code": "10000", "msg": "Success", "bill_download_url": url}


async def test_the_bill_of_a_day_can_be_read_as_a_report(
    shelf: dict[str, bytes], alipay: AlipayConnector, gateway: Gateway
) -> None:
    report = await alipay.report(DAY)

    assert report == Report(
        format="alipay",
        name="alipay-2026-10-03.csv",
        content=BILL,
        time_zone="Asia/Shanghai",
    )
    assert [line.our_reference for line in good(read(report.content, "alipay"))] == ["at_1", "at_2"]
    assert gateway.forms[0]["biz_content"] == '{"bill_type":"trade","bill_date":"2026-10-03"}'
    assert isinstance(alipay, Reporter)


@pytest.mark.parametrize("word", ["BILL_NOT_EXIST", "isp.bill_not_exist", "isv.bill_not_exist"])
async def test_a_day_without_a_bill_is_unknown(
    alipay: AlipayConnector, gateway: Gateway, word: str
) -> None:
    gateway.answer = {"code": "40004", "sub_code": word}

    assert isinstance(await alipay.report(DAY), Unknown)


async def test_a_bill_that_is_gone_stays_in_doubt(
    shelf: dict[str, bytes], alipay: AlipayConnector
) -> None:
    del shelf["/bill"]

    assert await alipay.report(DAY) == InDoubt(reason="Alipay's bill came with HTTP status 404")


@pytest.mark.parametrize(
    ("url", "asked"),
    [
        ("https://dwbillcenter.alipay.com/b?x=1", "https://dwbillcenter.alipay.com/b?x=1"),
        ("http://dwbillcenter.alipay.com/b?x=1", "https://dwbillcenter.alipay.com/b?x=1"),
        ("http://gateway.example:8080/b", "http://gateway.example:8080/b"),
    ],
)
def test_a_bill_is_fetched_over_tls_or_from_the_gateway_itself(url: str, asked: str) -> None:
    answer = Verified(answering(url))

    assert bills.bill_address(answer, "http://gateway.example:8080/gateway.do") == asked


@pytest.mark.parametrize(
    "url",
    [
        "",
        "bill.zip",
        "ftp://dwbillcenter.alipay.com/b",
        "file:///etc/passwd",
        "http://169.254.169.254:80/b",
        "http://gateway.example:8081/b",
        "https://somebody@dwbillcenter.alipay.com/b",
        "https://dwbillcenter.alipay.com/b c",
        "https://dwbillcenter.alipay.com/b\n",
        "https:///b",
        "https://[b",
        "https://dwbillcenter.alipay.com/" + "b" * 2048,
    ],
)
def test_other_addresses_are_not_asked(url: str) -> None:
    answer = Verified(answering(url))

    assert isinstance(bills.bill_address(answer, "http://gateway.example:8080/g"), InDoubt)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no ZIP at all",
        packed({LINES: BILL})[:-30],
        packed({SUMS: BILL}),
        packed({LINES: BILL, "other_明细.csv": BILL}),
        packed({f"{number}.txt": b"" for number in range(21)}),
        packed({LINES: BILL}, zipfile.ZIP_LZMA),
    ],
    ids=["empty", "noise", "cut", "no lines", "two", "many", "lzma"],
)
def test_a_file_that_is_no_bill_is_refused(content: bytes) -> None:
    assert isinstance(bills.unpack_bill(content, DAY), InDoubt)


def test_a_zip_whose_bytes_were_changed_is_refused() -> None:
    content = bytearray(packed({LINES: BILL}))
    content[len(content) // 3] ^= 0xFF

    assert isinstance(bills.unpack_bill(bytes(content), DAY), InDoubt)


def test_a_zip_that_unpacks_into_something_huge_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(bills, "MAX_BILL_BYTES", 1 << 20)

    refused = bills.unpack_bill(packed({LINES: b"0" * ((1 << 20) + 1)}), DAY)

    assert isinstance(refused, InDoubt)
    assert "unpacks to more" in refused.reason
    assert isinstance(bills.unpack_bill(packed({LINES: b"0" * (1 << 20)}), DAY), Report)


async def test_a_zip_larger_than_any_bill_is_refused(
    shelf: dict[str, bytes], alipay: AlipayConnector, monkeypatch: pytest.MonkeyPatch
) -> None:
    shelf["/bill"] = packed({LINES: bytes(range(256)) * 256}, zipfile.ZIP_STORED)
    assert isinstance(await alipay.report(DAY), Report)

    monkeypatch.setattr("kassa.connectors.alipay.connector.MAX_ZIP_BYTES", 4096)
    assert isinstance(await alipay.report(DAY), InDoubt)
