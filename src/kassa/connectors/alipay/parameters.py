"""What every request to Alipay carries, whatever it asks for."""

import re
from datetime import datetime, timedelta, timezone

from kassa.connectors.payer import line_of

KEY = re.compile(r"[A-Za-z0-9_]{1,64}")
"""Keys of ours that Alipay can hold."""

_UNWELCOME = "/=&"
_CHINA = timezone(timedelta(hours=8))  # one zone for the whole country, no summer time


def china_time(moment: datetime) -> str:
    """`moment` as Alipay writes times: China's, to the second, with no zone said.

    Raises: ValueError for a moment without a zone.
    """
    if moment.tzinfo is None:
        raise ValueError("a moment needs its zone")
    return moment.astimezone(_CHINA).strftime("%Y-%m-%d %H:%M:%S")


def common_parameters(app_id: str, method: str, now: datetime) -> dict[str, str]:
    """The parameters beside `biz_content`; `now` dates the request."""
    return {
        "app_id": app_id,
        "charset": "utf-8",
        "method": method,
        "sign_type": "RSA2",
        "timestamp": china_time(now),
        "version": "1.0",
    }


def readable(text: str) -> str:
    """Without what Alipay advises against, controls, pictures or broken characters: spaces
    instead."""
    return line_of("".join(" " if mark in _UNWELCOME else mark for mark in text), len(text))
