"""Readers of settlement reports: a bank's, any CSV, and what connectors declare as theirs."""

from kassa.connectors.reports.base import (
    Declaration,
    FileFormat,
    Lines,
    NotThatFormat,
    Reader,
    formats,
    read_report,
)

__all__ = [
    "Declaration",
    "FileFormat",
    "Lines",
    "NotThatFormat",
    "Reader",
    "formats",
    "read_report",
]
