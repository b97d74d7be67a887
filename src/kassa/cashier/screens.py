"""The cashier's screens: what is known goes in, finished HTML comes out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from urllib.parse import quote, urlsplit

from jinja2 import Environment, PackageLoader, StrictUndefined

from kassa.cashier.assets import CSS, ICON
from kassa.cashier.form import Filled, Problem
from kassa.cashier.speech import Speech
from kassa.cashier.stages import Stage, why_declined
from kassa.cashier.words import CATALOGS
from kassa.identity.domain.principals import Company
from kassa.orders.domain.orders import Order
from kassa.payments.domain.payments import Method, Payment
from kassa.payments.domain.taken_back import NOTHING_TAKEN, TakenBack

_templates = Environment(
    loader=PackageLoader("kassa.cashier"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_MOST_GOODS = 20  # a page is read, a list of hundreds is not
_NOTHING: Mapping[str, str] = {}
_NO_FIELDS: Mapping[str, str] = {
    "method": "",
    "card_number": "",
    "wallet_user": "",
    "wallet_code": "",
}


class TrialCard(NamedTuple):
    """A sandbox card: its number as printed, its name, and what it does in each language."""

    number: str
    name: str
    what: str
    what_chinese: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CashierVisit:
    """One look at one payment. `sandbox`: sandbox cards can be typed in. `place`: the page's own
    path, without a query."""

    company: Company
    order: Order
    payment: Payment
    methods: Sequence[str]
    stage: Stage
    now: datetime
    sandbox: bool
    place: str
    speech: Speech
    business_name: str = ""
    taken: TakenBack = NOTHING_TAKEN

    @property
    def merchant(self) -> str:
        """As the order says that the payer knows it, else as the business is called."""
        name = _member(_member(self.order.extra, "order"), "merchant").get("merchantDisplayName")
        return name if isinstance(name, str) and name else self.business_name or self.company.name

    @property
    def goods(self) -> list[str]:
        """What the money is for, where the order lists it: "2 × mobile1"."""
        listed = _member(self.order.extra, "order").get("goods")
        found = []
        for one in listed[:_MOST_GOODS] if isinstance(listed, list) else ():
            name = one.get("goodsName") if isinstance(one, dict) else None
            if isinstance(name, str) and name:
                many = str(one.get("goodsQuantity") or "1")
                found.append(name if many == "1" else f"{many} × {name}")
        return found

    @property
    def is_test(self) -> bool:
        """Whether the page has to say that no real money moves."""
        return not self.company.is_live


def _member(value: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """A face keeps what it shows again; of other faces' orders nothing is there."""
    found = value.get(name)
    return found if isinstance(found, dict) else {}


@dataclass(frozen=True, slots=True)
class _Step:
    kind: str
    url: str
    said: str


@dataclass(frozen=True, slots=True)
class _Line:
    label: str
    said: str
    is_code: bool = False


@dataclass(frozen=True, slots=True)
class _Refresh:
    seconds: int
    url: str


def web_address(url: str) -> str:
    """`url` when a browser may be sent there, else "" (a `javascript:` address runs as ours)."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    return url if parts.scheme in ("http", "https") and parts.netloc else ""


def return_address(order: Order) -> str:
    """Where the merchant wants the payer back; says nothing about the state of the payment."""
    return web_address(order.return_url.replace("{order_id}", quote(order.id, safe="")))


def pay_screen(
    visit: CashierVisit,
    *,
    form_token: str,
    filled: Filled | None = None,
    problems: Sequence[Problem] = (),
    test_cards: Sequence[TrialCard] = (),
) -> str:
    """Choose a way to pay. Of what was `filled` in, only what is no secret is shown again."""
    speech, payment = visit.speech, visit.payment
    filled = filled or Filled()
    said = [
        {
            "field": problem.field,
            "anchor": _anchor(problem, visit),
            "said": told(speech, problem.keys, problem.wait),
        }
        for problem in problems
    ]
    wished = (filled.method, _taken(payment))
    return render(
        "pay.html",
        visit.speech,
        here=visit.place,
        is_test=visit.is_test,
        bill=_bill(visit),
        place=visit.place,
        methods=list(visit.methods),
        chosen=next((wish for wish in wished if wish in visit.methods), _first(visit.methods)),
        problems=said,
        errors={**_NO_FIELDS, **{problem["field"]: problem["said"] for problem in said}},
        note=_note(visit),
        continue_url=_unfinished(visit),
        wallet_user=filled.wallet_user,
        form_token=form_token,
        test_cards=[{"number": card.number, "what": _story(card, speech)} for card in test_cards],
    )


def told(speech: Speech, keys: Sequence[str], wait: int = 0) -> str:
    said = speech.wait(max(wait, 1))
    return speech.text("between").join(speech.text(key, wait=said) for key in keys)


def _taken(payment: Payment) -> str:
    """The way of the last try, as the page names it: a card given to nobody here was a page's."""
    on_page = payment.method is Method.CREDIT_CARD and not payment.instrument
    return "card_page" if on_page else str(payment.method or "")


def _first(methods: Sequence[str]) -> str:
    return methods[0] if methods else ""


def _anchor(problem: Problem, visit: CashierVisit) -> str:
    """A choice is made at its first radio button; every other field has its own name as id."""
    return f"method-{_first(visit.methods)}" if problem.field == "method" else problem.field


def _story(card: TrialCard, speech: Speech) -> str:
    return card.what_chinese or card.what if speech.language == "zh-CN" else card.what


def _note(visit: CashierVisit) -> str:
    text = visit.speech.text
    if visit.stage is Stage.WAITING:
        return _transfer(visit) or text("waiting_note")
    if visit.stage is Stage.DECLINED:
        return told(visit.speech, ("declined_last", *why_declined(visit.payment.failure_code)))
    return ""


def _transfer(visit: CashierVisit) -> str:
    """What is still to be transferred, where that is how it is paid; else ""."""
    speech, payment = visit.speech, visit.payment
    if payment.method is not Method.BANK_TRANSFER:
        return ""
    said = {"amount": speech.amount(payment.amount), "reference": payment.provider_reference}
    if not payment.unapplied_minor:
        return speech.text("transfer_note", **said)
    came, missing = speech.amount(payment.unapplied), speech.amount(payment.missing)
    return speech.text("transfer_part", came=came, missing=missing, **said)


def _unfinished(visit: CashierVisit) -> str:
    """The provider's page the payer left, while it is still good."""
    payment = visit.payment
    over = payment.redirect_expires_at is not None and payment.redirect_expires_at <= visit.now
    return "" if over or visit.stage is not Stage.WAITING else web_address(payment.redirect_url)


def result_screen(visit: CashierVisit, *, looks: int = 0) -> str:
    """What became of the payment. `looks`: how often this page has refreshed itself."""
    speech, stage = visit.speech, visit.stage
    until = speech.moment(visit.payment.expires_at)
    about = _transfer(visit) if stage is Stage.WAITING else ""
    sentences = [about or speech.text(stage.value.about, merchant=visit.merchant, until=until)]
    if stage in (Stage.DECLINED, Stage.REFUSED):
        # Where nothing can be tried again, only the reason is told and no advice.
        reasons = why_declined(visit.payment.failure_code)[: 2 if stage is Stage.DECLINED else 1]
        sentences.insert(0, told(speech, reasons))
    return render(
        "result.html",
        speech,
        here=f"{visit.place}/result",
        is_test=visit.is_test,
        bill=_bill(visit),
        stage=stage.value,
        sentences=sentences,
        receipt=_receipt(visit) if visit.payment.is_paid else [],
        steps=_steps(visit),
        refresh=_refresh(visit, looks) if stage.value.refreshes else None,
    )


def _receipt(visit: CashierVisit) -> list[_Line]:
    speech, payment = visit.speech, visit.payment
    lines = [_Line(speech.text("amount"), speech.amount(payment.captured))]
    if not payment.surplus and payment.surplus_left.minor:
        lines.append(_Line(speech.text("overpaid"), speech.amount(payment.surplus_left)))
    if payment.method:
        shown = speech.text(payment.method)
        if payment.method is Method.CREDIT_CARD and payment.instrument:
            shown = f"{shown} {payment.instrument}"
        lines.append(_Line(speech.text("paid_with"), shown))
    refunded = visit.taken.refunded_of(payment)
    if refunded.minor:
        lines.append(_Line(speech.text("given_back"), speech.amount(refunded)))
    for taking, amount in visit.taken.own(payment).amounts:
        lines.append(_Line(speech.text(f"bank_{taking}"), speech.amount(amount)))
    lines.append(
        _Line(speech.text("paid_at"), speech.moment(payment.captured_at or payment.updated_at))
    )
    lines.append(_Line(speech.text("payment_number"), payment.id, is_code=True))
    lines.append(_Line(speech.text("order_number"), payment.order_id, is_code=True))
    return lines


def _steps(visit: CashierVisit) -> list[_Step]:
    text, query = visit.speech.text, visit.speech.query
    pay = f"{visit.place}{query}"
    match visit.stage:
        case Stage.UNPAID:
            return [_Step("primary", pay, text("go_pay"))]
        case Stage.DECLINED:
            return [_Step("primary", pay, text("try_again"))]
        case Stage.WAITING:
            check = _Step("secondary", f"{visit.place}/result{query}", text("check_now"))
            again = _Step("secondary", pay, text("try_again"))
            left = _unfinished(visit)
            onward = [_Step("primary", left, text("waiting_continue"))] if left else []
            return [*onward, check, again]
        case Stage.PROCESSING:
            return [_Step("secondary", f"{visit.place}/result{query}", text("check_now"))]
        case _:
            return []


def _refresh(visit: CashierVisit, looks: int) -> _Refresh:
    """Soon at first; a page left open all night asks less and less."""
    count = min(looks + 1, 99)
    seconds = 2 if looks < 10 else 5 if looks < 30 else 15
    query = visit.speech.query
    looks_query = f"{query}&looks={count}" if query else f"?looks={count}"
    return _Refresh(seconds, f"{visit.place}/result{looks_query}")


def leaving_screen(speech: Speech, *, url: str, here: str, is_test: bool) -> str:
    """A step between: our form may not lead to another site directly, a link may."""
    host = urlsplit(url).hostname or ""
    return message(
        speech, "leaving", "waiting", here=here, is_test=is_test, refresh_url=url, link_url=url,
        link_said=speech.text("leaving_go", host=host),
    )  # fmt: skip


def message_screen(
    speech: Speech,
    key: str,
    *,
    here: str,
    reopen: str = "",
    reopen_said: str = "reopen",
    wait: str = "",
) -> str:
    """A dead end in kind words; `reopen` is the page's address when there is a way back, `wait` how
    long to wait before it."""
    return message(
        speech, key, "over", about={"wait": wait}, here=here, is_test=False, refresh_url="",
        link_url=reopen, link_said=speech.text(reopen_said),
    )  # fmt: skip


def handover_screen(
    speech: Speech,
    *,
    here: str,
    is_test: bool,
    provider: str,
    action: str,
    fields: Mapping[str, str],
) -> str:
    """A button that posts `fields` to the provider's page."""
    return render(
        "handover.html", speech, title=speech.text("handover_title", provider=provider),
        here=here, is_test=is_test, provider=provider, action=action, fields=fields,
    )  # fmt: skip


def message(
    speech: Speech, key: str, mood: str, *, about: Mapping[str, str] = _NOTHING, **values: object
) -> str:
    title, said = speech.text(f"{key}_title"), speech.text(f"{key}_about", **about)
    return render("message.html", speech, title=title, about=said, mood=mood, **values)


def _bill(visit: CashierVisit) -> dict[str, Any]:
    speech, order, payment = visit.speech, visit.order, visit.payment
    return {
        "merchant": visit.merchant,
        "monogram": visit.merchant[:1].upper(),
        # Of what was reserved, a merchant may have claimed a part only.
        "amount": speech.amount(payment.captured if payment.is_paid else payment.amount),
        "item": order.description or speech.text("order", order_id=order.id),
        "goods": visit.goods,
        "order_id": order.id,
        "until": speech.moment(payment.expires_at),
        "until_iso": payment.expires_at.isoformat(timespec="seconds"),
        "remaining": speech.remaining(payment.expires_at, visit.now),
        "return_url": return_address(order),
    }


def render(template: str, speech: Speech, **values: object) -> str:
    return _templates.get_template(template).render(
        speech=speech,
        t=speech.text,
        name_of=lambda language: CATALOGS[language]["language_name"],
        assets={"css": CSS.address, "icon": ICON.address},
        **values,
    )
