"""How a payer's browser is sent on from the provider's page: by an address or by a form."""

import base64
import hashlib
from collections.abc import Mapping
from html import escape

from kassa_simulator.frame import Answer
from kassa_simulator.payer_page import PAGE_HEADERS

_SCRIPT = 'document.getElementById("onward").submit()'
_SCRIPT_HASH = base64.b64encode(hashlib.sha256(_SCRIPT.encode()).digest()).decode()
_POLICY = f"default-src 'none'; script-src 'sha256-{_SCRIPT_HASH}'; frame-ancestors 'none'"


def web_address(text: object) -> str:
    """`text` where it is an http or https address, else nothing: no other scheme is followed."""
    address = text if isinstance(text, str) else ""
    plain = address.isprintable() and " " not in address
    return address if plain and address.startswith(("http://", "https://")) else ""


def sent_to(address: str) -> Answer:
    return Answer(status=303, headers={"location": address, "cache-control": "no-store"})


def posted_to(address: str, fields: Mapping[str, str]) -> Answer:
    """A form that sends itself, or by a button where scripts are off."""
    hidden = "".join(
        f'<input type="hidden" name="{escape(name)}" value="{escape(value)}">'
        for name, value in fields.items()
    )
    page = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Payment</title></head>'
        f'<body><form id="onward" method="post" action="{escape(address)}">{hidden}'
        '<button>Back to the shop <span lang="zh-CN">返回商家</span></button></form>'
        f"<script>{_SCRIPT}</script></body></html>"
    )
    headers = {**PAGE_HEADERS, "content-security-policy": _POLICY}
    return Answer(headers=headers, body=page.encode())
