"""The page at /: money, charges with what a person may do, letters, calls, the clock."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

from aiohttp import web

from kassa_simulator.control import is_from_here
from kassa_simulator.decimals import shown
from kassa_simulator.faults import written
from kassa_simulator.payer_page import PAGE_HEADERS, templates
from kassa_simulator.protocols import protocols
from kassa_simulator.server import Counter

_SHOWN = 100
_AHEAD = {"hour": timedelta(hours=1), "day": timedelta(days=1)}
_ACTIONS = {
    "pay": "Pay",
    "decline": "Decline",
    "close": "Close",
    "dispute": "Dispute",
    "inquire": "Ask about it",
    "dispute_deducted": "Dispute, and deduct it at once",
    "dispute_abroad": "Dispute in another currency",
    "dispute_converted": "Dispute told in another currency",
    "charge_back": "Charge back after the inquiry",
    "close_inquiry": "End the inquiry",
    "review_dispute": "Merchant answers the dispute",
    "reduce_dispute": "Dispute 60 % of it only",
    "extend_dispute": "More time to answer",
    "escalate_dispute": "Dispute again, in the next stage",
    "return_dispute_fee": "Give the dispute's fee back",
    "win_dispute": "Merchant wins the dispute",
    "lose_dispute": "Merchant loses the dispute",
    "capture": "Merchant captures here",
    "void": "Merchant lets go here",
    "refund": "Merchant refunds the rest here",
    "fail_refund": "The last refund comes back",
    "fail": "The payer's bank returns the payment",
}
_STYLE = Path(__file__).parent / "templates" / "simulator.css"

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Page:
    """Handlers of the page and of its buttons."""

    def __init__(self, counter: Counter) -> None:
        self._counter = counter

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/", self.show),
            web.get("/_simulator/simulator.css", self.style),
            web.post("/_simulator/page/act", _button(self.act)),
            web.post("/_simulator/page/again", _button(self.again)),
            web.post("/_simulator/page/clock", _button(self.clock)),
        ]

    async def style(self, request: web.Request) -> web.Response:
        return web.Response(text=_STYLE.read_text(), content_type="text/css", charset="utf-8")

    async def show(self, request: web.Request) -> web.Response:
        counter = self._counter
        merchants = counter.desk.merchants()
        text = (
            templates()
            .get_template("page.html")
            .render(
                now=counter.books.clock.now(),
                merchants=merchants,
                money=self._money(),
                charges=self._charges(),
                letters=counter.letterbox.listed(_SHOWN),
                calls=counter.desk.calls({}, _SHOWN),
                faults=written(counter.desk.rules),
                names=list(protocols()),
            )
        )
        return web.Response(text=text, headers=PAGE_HEADERS)

    def _money(self) -> list[dict[str, str]]:
        return [
            {
                "provider": name,
                "currency": currency,
                "charges": str(sums["charges"]),
                **{
                    kind: shown(sums[f"{kind}_minor"], currency)
                    for kind in ("charged", "refunded", "disputed")
                },
            }
            for name in protocols()
            for currency, sums in self._counter.desk.money(name).items()
        ]

    def _charges(self) -> list[dict[str, Any]]:
        rows = []
        for charge in self._counter.desk.charges({}, _SHOWN):
            protocol = protocols().get(charge.provider)
            acts = protocol.acts(charge) if protocol else ()
            amounts = {
                "amount": charge.amount_minor,
                "captured": charge.captured_minor,
                "refunded": charge.refunded_minor,
            }
            rows.append(
                {
                    "charge": charge,
                    "acts": [(act, _ACTIONS.get(act, act)) for act in acts],
                    **{name: shown(each, charge.currency) for name, each in amounts.items()},
                }
            )
        return rows

    async def act(self, form: dict[str, str]) -> None:
        names = ("provider", "charge", "action")
        self._counter.act(*(form.get(name, "") for name in names))

    async def again(self, form: dict[str, str]) -> None:
        with self._counter.books.deed():
            self._counter.letterbox.again(form.get("letter", ""), 2)
        self._counter.office.release(())

    async def clock(self, form: dict[str, str]) -> None:
        ahead = _AHEAD.get(form.get("ahead", ""))
        if ahead is not None:
            self._counter.advance(ahead)


def _button(handler: Callable[[dict[str, str]], Awaitable[None]]) -> Handler:
    """What a button posts; afterwards the browser is back at the page."""

    async def pressed(request: web.Request) -> web.StreamResponse:
        if not is_from_here(request):
            return web.Response(status=403, text="That comes from another site.")
        fields = await request.post()
        await handler({name: value for name, value in fields.items() if isinstance(value, str)})
        return web.Response(status=303, headers={"location": "/"})

    return pressed
