"""Alipay's asynchronous notifications: a form, signed over its decoded values.

Source: opendocs.alipay.com on asynchronous notifications.
"""

import re
from collections.abc import Mapping
from urllib.parse import parse_qsl

from kassa.connectors.alipay.rsa2 import AlipayVerifier, notification_texts
from kassa.connectors.alipay.trades import trade_told
from kassa.connectors.base import ModificationNews, News, Pending, Refused
from kassa.domain.claims import PREFIX
from kassa.domain.lifecycle import ModificationKind

_MAX_FIELDS = 100
_REQUIRED = ("notify_id", "out_trade_no", "trade_no", "trade_status", "total_amount")
_OUR_REFUND = re.compile(
    rf"{PREFIX[ModificationKind.REFUND]}[0-9]{{1,20}}_[0-9a-z]{{1,64}}", re.ASCII
)


def read_notification(
    body: bytes, verifier: AlipayVerifier, *, app_id: str, seller_id: str
) -> News | ModificationNews | Refused:
    """The news in it when Alipay signed it for us. `seller_id`: "" for any.

    That the amount and the key are ours is for the caller to check: both are in the news.
    """
    fields = _read_form(body)
    if fields is None:
        return Refused(reason="the body is not a form with each field once")
    if fields.get("sign_type", "RSA2") != "RSA2":
        return Refused(reason="not signed with RSA2")
    if not verifier.accepts(fields.get("sign", ""), *notification_texts(fields)):
        return Refused(reason="the signature is missing or wrong")
    if fields.get("app_id") != app_id:
        return Refused(reason="for another app_id")
    if seller_id and fields.get("seller_id") != seller_id:
        return Refused(reason="for another seller_id")
    missing = [name for name in _REQUIRED if not fields.get(name)]
    if missing:
        return Refused(reason=f"fields are missing: {', '.join(missing)}")
    return _refund_news(fields) or News(
        dedupe_key=fields["notify_id"], key=fields["out_trade_no"], outcome=trade_told(fields)
    )


def _refund_news(fields: Mapping[str, str]) -> ModificationNews | None:
    """That one of our refunds was made; None where it is about something else.

    Its `refund_fee` is the sum of all refunds of the trade, so it does not say how much this one
    moved: that is asked.
    """
    key = fields.get("out_biz_no", "")
    if not _OUR_REFUND.fullmatch(key) or not fields.get("refund_fee", "").strip("0."):
        return None
    return ModificationNews(
        dedupe_key=fields["notify_id"], key=key, outcome=Pending(reference=fields["trade_no"])
    )


def _read_form(body: bytes) -> Mapping[str, str] | None:
    try:
        pairs = parse_qsl(
            body.decode("ascii"),
            keep_blank_values=True,
            strict_parsing=True,
            errors="strict",
            max_num_fields=_MAX_FIELDS,
        )
    except ValueError:
        return None
    fields = dict(pairs)
    return fields if len(fields) == len(pairs) else None
