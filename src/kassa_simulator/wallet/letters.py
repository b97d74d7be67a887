"""The wallet's notifications, signed by its own key."""

from typing import Any
from urllib.parse import urlsplit

from kassa_simulator import rsa
from kassa_simulator.frame import Letter, Merchant, Told
from kassa_simulator.wallet.wire import iso, packed, result, signature_header, signed_text


def write(merchant: Merchant, told: Told, *, forged: bool) -> Letter:
    """The same bytes whenever it is sent. A forged one says that more was paid or refunded."""
    content: dict[str, Any] = dict(told.data)
    if forged:
        content = _exaggerated(content)
    body = packed(content, told.codec)
    client_id, time = merchant.credentials["client_id"], iso(told.at)
    address = urlsplit(told.url)
    target = f"{address.path or '/'}?{address.query}" if address.query else address.path or "/"
    text = signed_text(target, client_id, time, body)
    signed = (
        rsa.forgery(text) if forged else rsa.signature(merchant.credentials["private_key"], text)
    )
    return Letter(
        url=told.url,
        headers={
            "content-type": "application/json; charset=UTF-8",
            "client-id": client_id,
            "request-time": time,
            "signature": signature_header(signed),
        },
        body=body,
    )


def _exaggerated(content: dict[str, Any]) -> dict[str, Any]:
    for name in ("paymentAmount", "refundAmount"):
        if name in content:
            content[name] = {**content[name], "value": f"1{content[name]['value']}"}
    if "paymentStatus" in content:
        content |= {"paymentStatus": "SUCCESS", "paymentResult": result("S", "SUCCESS")}
    return content
