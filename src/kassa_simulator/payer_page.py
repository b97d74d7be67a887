"""A small page for payers, in English and Chinese: an amount, buttons, a way back."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from kassa_simulator.frame import Answer, Call

_WORDS = {
    "en": {
        "pay": "Pay",
        "decline": "Decline",
        "leave": "Leave without paying",
        "back": "Back to the shop",
        "unknown": "There is no such payment.",
        "closed": "This payment is closed: nobody can pay it any more.",
        "paid": "Paid. Thank you.",
        "declined": "The payment was declined. You may try again.",
        "heading": "Payment",
        "notice": "A simulated provider: no money moves here.",
    },
    "zh-CN": {
        "pay": "支付",
        "decline": "拒绝",
        "leave": "不付款离开",
        "back": "返回商家",
        "unknown": "没有这笔付款。",
        "closed": "这笔付款已关闭，无法再支付。",
        "paid": "支付成功，谢谢。",
        "declined": "支付被拒绝，您可以再试一次。",
        "heading": "付款",
        "notice": "这是模拟的支付渠道，不会发生真实扣款。",
    },
}
_TEMPLATES = Path(__file__).parent / "templates"
PAGE_HEADERS = {
    "content-type": "text/html; charset=utf-8",
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; style-src 'self'; frame-ancestors 'none'",
    "referrer-policy": "same-origin",
    "x-content-type-options": "nosniff",
}


@cache
def templates() -> Environment:
    return Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=select_autoescape(["html"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def payer_page(
    call: Call,
    *,
    status: int = 200,
    title: str = "",
    amount: str = "",
    lines: Sequence[str] = (),
    message: str = "",
    actions: Sequence[str] = (),
    link: str = "",
    form: dict[str, Any] | None = None,
) -> Answer:
    """A page whose buttons post `action` to its own address.

    `message`: unknown, closed, paid, declined or "". `link`: where the payer may go back to.
    `form`: more fields that the buttons post.
    """
    language = "zh-CN" if _prefers_chinese(call) else "en"
    text = (
        templates()
        .get_template("payer.html")
        .render(
            language=language,
            words=_WORDS[language],
            title=title,
            amount=amount,
            lines=lines,
            message=message,
            actions=actions,
            link=link if link.startswith(("http://", "https://")) else "",
            form=form or {},
        )
    )
    return Answer(status=status, headers=PAGE_HEADERS, body=text.encode())


def _prefers_chinese(call: Call) -> bool:
    first = call.headers.get("accept-language", "").partition(",")[0].strip().lower()
    return first.startswith("zh")
