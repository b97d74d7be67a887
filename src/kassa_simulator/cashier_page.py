"""What a payer sees in the cashier of Alipay or of a wallet, in English and in Chinese."""

from html import escape

from kassa_simulator.frame import Answer

_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:26rem;margin:12vh auto;padding:0 1rem;"
    "overflow-wrap:anywhere}"
    "button{font:inherit;padding:.6rem 1.4rem;margin:0 .6rem .6rem 0;cursor:pointer}"
    ".amount{font-size:2rem;margin:.2rem 0}.note{color:#666}"
)
_BUTTONS = {"pay": ("Pay", "付款"), "decline": ("Decline", "拒绝付款")}


def question(*, merchant: str, amount: str, about: str, target: str) -> Answer:
    """Ask the payer: one form to `target` for each answer, which comes as the field `action`."""
    forms = "".join(
        f'<form method="post" action="{escape(target)}">'
        f'<button name="action" value="{action}">{english} · {_chinese(chinese)}</button></form>'
        for action, (english, chinese) in _BUTTONS.items()
    )
    return _document(
        f"<h1>{escape(merchant)}</h1><p>{escape(about)}</p>"
        f'<p class="amount">{escape(amount)}</p>{forms}'
        '<p class="note">A simulated cashier: no money moves. '
        f"{_chinese('模拟收银台，不会扣款。')}</p>"
    )


def _chinese(text: str) -> str:
    return f'<span lang="zh-CN">{text}</span>'


def words(english: str, chinese: str, *, status: int = 200, charset: str = "utf-8") -> Answer:
    """A page that only says something."""
    said = f'<h1>{escape(english)}</h1><p lang="zh-CN">{escape(chinese)}</p>'
    return _document(said, status=status, charset=charset)


def sent_to(target: str) -> Answer:
    """Send the browser on with a GET."""
    return Answer(status=303, headers={"location": target, "cache-control": "no-store"})


def web_address(text: object) -> str:
    """`text` where it is an http or https address, else nothing: no other scheme is followed."""
    address = text if isinstance(text, str) else ""
    plain = not any(sign.isspace() or not sign.isprintable() for sign in address)
    return address if plain and address.startswith(("http://", "https://")) else ""


def _document(content: str, *, status: int = 200, charset: str = "utf-8") -> Answer:
    text = (
        f'<!doctype html><html lang="en"><head><meta charset="{charset}">'
        '<meta name="viewport" content="width=device-width"><title>Payment · 付款</title>'
        f"<style>{_STYLE}</style></head><body><main>{content}</main></body></html>"
    )
    return Answer(
        status=status,
        headers={"content-type": f"text/html; charset={charset}", "cache-control": "no-store"},
        body=text.encode(charset, "xmlcharrefreplace"),
    )
