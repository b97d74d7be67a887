"""Alipay's asynchronous notifications: a form, signed over the bytes of its values, which are in
the charset that one of them names.

Source: opendocs.alipay.com on asynchronous notifications.
"""

import re
from collections.abc import Mapping
from urllib.parse import unquote_to_bytes

from kassa.base.domain.lifecycle import ModificationKind
from kassa.connectors.alipay.rsa2 import AlipayVerifier, notification_texts
from kassa.connectors.alipay.trades import trade_told
from kassa.connectors.base import (
    AnyNews,
    ChargeEvent,
    ForeignEvent,
    ForeignReason,
    IrrelevantEvent,
    ModificationEvent,
    Pending,
    Refused,
)
from kassa.connectors.unread import unread
from kassa.modifications.domain.captures import is_key

_MAX_FIELDS = 100
_NAME = re.compile(rb"[A-Za-z0-9_.\[\]-]{1,64}")
_CODECS = dict.fromkeys(("gbk", "gb2312", "gb18030"), "gb18030")
"""By the `charset` that Alipay signs with the rest: the last of the three contains the others."""
_REQUIRED = ("notify_id", "out_trade_no", "trade_no", "trade_status", "total_amount")


def read_notification(
    body: bytes, verifier: AlipayVerifier, *, app_id: str, seller_id: str
) -> AnyNews | IrrelevantEvent | ForeignEvent | Refused:
    """The news in it when Alipay signed it for us. `seller_id`: "" for any.

    That the amount and the key are ours is for the caller to check: both are in the news.
    """
    form = _read_form(body)
    if form is None:
        return Refused(reason="the body is not a form with each field once")
    if form.get("sign_type", b"RSA2") != b"RSA2":
        return Refused(reason="not signed with RSA2")
    signature = form.get("sign", b"").decode("ascii", "replace")
    if not verifier.accepts(signature, *notification_texts(form)):
        return Refused(reason="the signature is missing or wrong")
    fields = _decoded(form)
    event = fields.get("notify_type", "")
    other_seller = bool(seller_id) and fields.get("seller_id") != seller_id
    if fields.get("app_id") != app_id or other_seller:
        return ForeignEvent(why=ForeignReason.ACCOUNT, event=event)
    if not fields.get("out_trade_no"):
        return IrrelevantEvent(event=event)
    missing = [name for name in _REQUIRED if not fields.get(name)]
    if missing:
        why = f"fields are missing: {', '.join(missing)}"
        return unread(body, why, key=fields["out_trade_no"])
    return _refund_news(fields) or ChargeEvent(
        dedupe_key=fields["notify_id"], key=fields["out_trade_no"], outcome=trade_told(fields)
    )


def _refund_news(fields: Mapping[str, str]) -> ModificationEvent | None:
    """That one of our refunds was made; None where it is about something else.

    Its `refund_fee` is the sum of all refunds of the trade, so it does not say how much this one
    moved: that is asked.
    """
    key = fields.get("out_biz_no", "")
    is_ours = is_key(key, ModificationKind.REFUND)
    if not is_ours or not fields.get("refund_fee", "").strip("0."):
        return None
    return ModificationEvent(
        dedupe_key=fields["notify_id"], key=key, outcome=Pending(reference=fields["trade_no"])
    )


def _read_form(body: bytes) -> Mapping[str, bytes] | None:
    """What stands between the signs of a form is in no charset yet. None of those signs is a part
    of a character in any charset that Alipay writes, so it does not matter what is escaped."""
    parts = body.split(b"&")
    if len(parts) > _MAX_FIELDS:
        return None
    fields: dict[str, bytes] = {}
    for part in parts:
        name, equals, value = part.partition(b"=")
        if not equals or not _NAME.fullmatch(name) or name.decode() in fields:
            return None
        fields[name.decode()] = unquote_to_bytes(value.replace(b"+", b" "))
    return fields


def _decoded(form: Mapping[str, bytes]) -> Mapping[str, str]:
    """The characters, where the signature is known to hold. What we go by is ASCII in every
    charset: a subject that is not what the charset says must not hide it."""
    said = form.get("charset", b"").decode("ascii", "replace").lower()
    codec = _CODECS.get(said, "utf-8")
    return {name: value.decode(codec, "replace") for name, value in form.items()}
