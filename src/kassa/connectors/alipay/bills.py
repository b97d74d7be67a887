"""Alipay's bill of a day: where it can be fetched for half a minute, and what is in the ZIP.

Source: opendocs.alipay.com on alipay.data.dataservice.bill.downloadurl.query.
"""

import io
import json
import zipfile
import zlib
from datetime import date
from urllib.parse import SplitResult, urlsplit

from kassa.connectors.alipay.answers import Verified
from kassa.connectors.base import InDoubt, Report, Unknown

BILL = "alipay.data.dataservice.bill.downloadurl.query"
FORMAT = "alipay"
MAX_ZIP_BYTES = 32 << 20
MAX_BILL_BYTES = 128 << 20

_SUCCESS = "10000"
_NONE_YET = "BILL_NOT_EXIST"
_MAX_ADDRESS = 2048
_MAX_FILES = 20
_DETAILS, _SUMMARY = "明细", "汇总"  # in the names of the files: the lines, and their sums


def bill_content(day: date) -> str:
    """Alipay's day is China's; its bill is there from about nine on the next morning."""
    return json.dumps({"bill_type": "trade", "bill_date": day.isoformat()}, separators=(",", ":"))


def bill_address(answer: Verified, gateway: str) -> str | Unknown | InDoubt:
    """Where the ZIP is: over TLS, or else at the gateway's own host and port.

    Alipay's papers still show http:// addresses; its download servers answer to https:// as well.
    """
    if answer.word("sub_code").rpartition(".")[2].upper() == _NONE_YET:
        return Unknown(reason="Alipay has no bill of that day, or not yet")
    if answer.word("code") != _SUCCESS:
        return InDoubt(reason=f"Alipay answered {answer.codes}")
    url = answer.word("bill_download_url")
    refused = InDoubt(reason="Alipay named an address of the bill that is not to be asked")
    if not 0 < len(url) <= _MAX_ADDRESS or not url.isascii() or not url.isprintable():
        return refused
    try:
        parts, own = urlsplit(url), urlsplit(gateway)
        if not parts.hostname or parts.username is not None or " " in url:
            return refused
        if parts.scheme == "https" or _origin(parts) == _origin(own):
            return url
        if parts.scheme == "http" and parts.port is None:
            return parts._replace(scheme="https").geturl()
    except ValueError:
        pass
    return refused


def _origin(parts: SplitResult) -> tuple[str, str | None, int | None]:
    return parts.scheme, parts.hostname, parts.port


def unpack_bill(content: bytes, day: date) -> Report | InDoubt:
    """The one file with the lines. Nothing is unpacked beyond what a bill can be, whatever the
    ZIP says of itself."""
    if len(content) >= MAX_ZIP_BYTES:
        return InDoubt(reason=f"Alipay's bill is larger than {MAX_ZIP_BYTES >> 20} MiB")
    try:
        with zipfile.ZipFile(io.BytesIO(content), metadata_encoding="gb18030") as archive:
            return _unpacked(archive, day)
    except (zipfile.BadZipFile, zlib.error, ValueError, OSError, EOFError, RuntimeError):
        return InDoubt(reason="Alipay's bill is not a ZIP file that can be read")


def _unpacked(archive: zipfile.ZipFile, day: date) -> Report | InDoubt:
    files = [one for one in archive.infolist() if not one.is_dir()]
    if len(files) > _MAX_FILES:
        return InDoubt(reason="Alipay's bill holds too many files")
    lines = [one for one in files if _DETAILS in one.filename and _SUMMARY not in one.filename]
    if len(lines) != 1:
        return InDoubt(reason=f"Alipay's bill holds {len(lines)} files of lines instead of one")
    if lines[0].compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        return InDoubt(reason="Alipay's bill is packed in a way that Alipay does not use")
    with archive.open(lines[0]) as file:
        bill = file.read(MAX_BILL_BYTES + 1)
    if len(bill) > MAX_BILL_BYTES:
        return InDoubt(reason=f"Alipay's bill unpacks to more than {MAX_BILL_BYTES >> 20} MiB")
    name = f"alipay-{day.isoformat()}.csv"
    return Report(format=FORMAT, name=name, content=bill, time_zone="Asia/Shanghai")
