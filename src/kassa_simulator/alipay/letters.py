"""Alipay's notifications. Source: opendocs.alipay.com on asynchronous notifications."""

import base64
from urllib.parse import quote, quote_plus, urlencode

from kassa_simulator import rsa
from kassa_simulator.alipay.trades import seller_of
from kassa_simulator.alipay.wire import CHINA, china_time, letter_text, sign_of
from kassa_simulator.frame import Letter, Merchant, Told


def write(merchant: Merchant, told: Told, *, forged: bool) -> Letter:
    """The same bytes whenever it is sent. A forged one says that more was paid.

    A form has no mark of its charset, and none in UTF-16: such a letter is escaped otherwise.
    """
    codec = told.codec if told.codec in ("utf-8", "gbk", "latin-1") else "utf-8"
    escape = quote_plus if told.codec == codec else quote
    fields = {
        **told.data,
        **seller_of(merchant),
        "charset": codec,
        "notify_id": f"{told.at.astimezone(CHINA):%Y%m%d}{told.id}",
        "notify_time": china_time(told.at),
        "notify_type": "trade_status_sync",
        "version": "1.0",
    }
    if forged:
        fields["total_amount"] = f"1{told.data['total_amount']}"
        fields["trade_status"] = "TRADE_SUCCESS"
        fields["notify_id"] += "0"
    text = letter_text(fields, codec)
    fields["sign_type"] = "RSA2"
    fields["sign"] = (
        base64.b64encode(rsa.forgery(text)).decode() if forged else sign_of(merchant, text)
    )
    return Letter(
        url=told.url,
        headers={"content-type": f"application/x-www-form-urlencoded; charset={codec}"},
        body=urlencode(
            {name: value.encode(codec, "replace") for name, value in fields.items()},
            quote_via=escape,
        ).encode(),
    )
