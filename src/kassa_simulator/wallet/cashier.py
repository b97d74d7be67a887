"""The wallet's cashier: /wallet/cashier/{paymentId}, where the user pays or declines."""

from urllib.parse import parse_qs

from kassa_simulator import cashier_page, decimals
from kassa_simulator.frame import Answer, Books, Call, Charge
from kassa_simulator.wallet import payments
from kassa_simulator.wallet.wire import NAME

_UNKNOWN = ("There is no such order.", "没有此订单。")
_PAID = ("Paid. You may close this page.", "已付款，可以关闭此页面。")
_OVER = ("Nothing is to be paid here any more.", "此订单已结束，无需付款。")


def page(books: Books, call: Call) -> Answer:
    """The question, and the user's answer to it; after that the way back to the shop."""
    charge = books.charge(NAME, call.path.removeprefix(payments.CASHIER))
    if charge is None or charge.data["by_agreement"]:
        return cashier_page.words(*_UNKNOWN, status=404)
    charge = payments.current(books, charge, now=call.now)
    if charge.status == "waiting" and call.method == "POST":
        charge = _acted(books, call, charge)
    if charge.status == "waiting":
        shown = decimals.shown(charge.amount_minor, charge.currency)
        return cashier_page.question(
            merchant=charge.merchant,
            amount=f"{charge.currency} {shown}",
            about=charge.data["description"] or charge.key,
            target=f"{call.origin}{payments.CASHIER}{charge.id}",
        )
    if redirect_url := cashier_page.web_address(charge.data["redirect_url"]):
        return cashier_page.sent_to(redirect_url)
    return cashier_page.words(*(_PAID if charge.authorized_minor else _OVER))


def _acted(books: Books, call: Call, charge: Charge) -> Charge:
    form = parse_qs(call.body.decode("utf-8", "replace"))
    match form.get("action"):
        case ["pay"]:
            return payments.paid(books, charge, now=call.now)
        case ["decline"]:
            return payments.declined(books, charge, "PROCESS_FAIL", now=call.now)
    return charge
