"""Reads the sandbox provider's report, as it would read any provider's."""

from typing import BinaryIO

from kassa.connectors.reports.declaration import Declaration, Lines
from kassa.connectors.reports.generic import read_declared

_DECLARED = Declaration(
    format="sandbox",
    columns={
        "kind": "type",
        "amount": "gross",
        "currency": "currency",
        "fee": "fee",
        "net": "net",
        "our_reference": "our_reference",
        "provider_reference": "provider_reference",
        "payout_reference": "payout_reference",
        "occurred_at": "occurred_at",
    },
)


def read_sandbox(file: BinaryIO, declaration: Declaration) -> Lines:
    """Raises: NotThatFormat, before any line.

    The sandbox ends every line, so a last line without an end was cut off.
    """
    del declaration
    return read_declared(file, _DECLARED, expected="a report of the sandbox", last_may_be_cut=False)
