"""Large reports: read in little memory, at a speed that a day's file needs."""

import io
import resource
import sys
import time
import tracemalloc
from collections.abc import Iterator
from typing import BinaryIO

import pytest
from tests.connectors.alipay.report_samples import ALIPAY_TRADES, alipay, trade
from tests.connectors.reports.samples import SANDBOX_HEADER, balance, camt, entry, money
from tests.connectors.stripe.report_samples import STRIPE_COLUMNS, stripe

from kassa.connectors.reports import Declaration, read_report
from kassa.reconciliation.domain.reports import ReportLine

MOST_HELD = 4 * 2**20  # bytes of Python's; the files are larger
SLOWEST = 5_000  # lines a second; a tenth of what a quiet core does, so that only a fall is seen


class Growing(io.RawIOBase):
    """A file that is made while it is read, so that it is never held as a whole."""

    def __init__(self, parts: Iterator[bytes]):
        self._parts = parts
        self._left = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray) -> int:  # type: ignore[override]
        self._left = self._left or next(self._parts, b"")
        data, self._left = self._left[: len(buffer)], self._left[len(buffer) :]
        buffer[: len(data)] = data
        return len(data)


def sandbox_file(count: int) -> Iterator[bytes]:
    yield f"{SANDBOX_HEADER}\n".encode()
    for n in range(count):
        yield (
            f"{n},payment,at_{n:024d},ch_{n:016d},123.45,3.45,120.00,EUR,"
            "2026-10-03T09:00:00Z,po_1\n"
        ).encode()


def stripe_file(count: int) -> Iterator[bytes]:
    yield (",".join(STRIPE_COLUMNS) + "\n").encode()
    row = stripe({"payment_metadata[kassa_attempt]": "at_1"}).splitlines()[1]
    for _ in range(count):
        yield f"{row}\n".encode()


def alipay_file(count: int) -> Iterator[bytes]:
    opening, closing = alipay(ALIPAY_TRADES, ["@"]).split("@\r\n")
    yield opening.encode("gb18030")
    for n in range(count):
        yield f"{trade(n)}\r\n".encode("gb18030")
    yield closing.encode("gb18030")


def camt_file(count: int) -> Iterator[bytes]:
    opening, closing = camt(balance("OPBD", "0.00"), balance("CLBD", f"{count}.00"), "@").split("@")
    yield opening.encode()
    for n in range(count):
        yield entry(
            "1.00", f"<Refs><EndToEndId>po_{n}</EndToEndId></Refs>{money('1.00', 'CRDT')}"
        ).encode()
    yield closing.encode()


FILES = {
    "sandbox": (sandbox_file, 50_000),
    "stripe": (stripe_file, 10_000),
    "alipay": (alipay_file, 10_000),
    "camt.053": (camt_file, 10_000),
}


def count_of(form: str, count: int) -> int:
    file: BinaryIO = io.BufferedReader(Growing(FILES[form][0](count)))  # type: ignore[type-var]
    found = 0
    for line in read_report(file, Declaration(format=form)):
        assert isinstance(line, ReportLine), line
        found += 1
    return found


def most_resident() -> int:
    """The most bytes that this process has held so far."""
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024


@pytest.mark.parametrize("form", FILES)
def test_a_large_report_is_read_in_little_memory_and_time(form: str) -> None:
    count = FILES[form][1]
    before = most_resident()
    start = time.process_time()

    assert count_of(form, count) == count

    # seconds, not money
    took = time.process_time() - start
    assert count / took > SLOWEST / (1 if form != "camt.053" else 5)
    # libxml2 holds its tree outside of Python: the process as a whole must not grow either.
    assert most_resident() - before < 16 * 2**20


@pytest.mark.parametrize("form", FILES)
def test_what_is_held_does_not_grow_with_the_file(form: str) -> None:
    tracemalloc.start()
    try:
        count_of(form, 3_000)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert peak < MOST_HELD / 4
