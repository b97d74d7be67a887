"""Readers of settlement reports: ISO 20022 camt.053, Stripe, Alipay, the sandbox, and any CSV."""

from kassa.connectors.reports.base import (
    READERS,
    Declaration,
    Lines,
    NotThatFormat,
    Reader,
    read_report,
)

__all__ = ["READERS", "Declaration", "Lines", "NotThatFormat", "Reader", "read_report"]
