"""Cashfree as a connector: payment links, UPI mandates, refunds, reports and webhooks.

Source: https://www.cashfree.com/docs/api-reference/payments/
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any, ClassVar

from kassa.base.domain.lifecycle import ModificationKind
from kassa.connectors.base import (
    NOTHING_KNOWN,
    ActionNeeded,
    AnyNews,
    Authorized,
    Captured,
    ChargeRequest,
    Declined,
    Done,
    ForeignEvent,
    InDoubt,
    IrrelevantEvent,
    KnownCharge,
    ModificationEvent,
    ModificationOutcome,
    ModificationRequest,
    NotSent,
    Outcome,
    PayoutEvent,
    Pending,
    Refused,
    Report,
    Unknown,
)
from kassa.connectors.cashfree import links, refunds
from kassa.connectors.cashfree.api import (
    CashfreeAnswer,
    CashfreeApi,
    CashfreeRefusal,
    Entity,
    Reply,
    entity,
    money,
    number_word,
    objects,
    word,
)
from kassa.connectors.cashfree.news import read_news
from kassa.connectors.cashfree.payments import Told, tries_told
from kassa.connectors.cashfree.recon import lines_of, question
from kassa.connectors.kind import Tools
from kassa.connectors.payer import plain
from kassa.connectors.reports.fetched import FETCHED, FetchedLine, Odd, write_fetched
from kassa.connectors.tries import weightiest
from kassa.modifications.domain.captures import PREFIX
from kassa.payments.domain.disputes import BY_STAGE, DisputeOrder

_NOBODYS_ORDER = "kassa-probe"
_MOST_PAGES = 200
_EXISTS = 409


class CashfreeConnector:
    """A charge is a payment link; one that is only to be reserved is an order and a UPI mandate."""

    name: ClassVar[str] = "cashfree"
    acknowledgement: ClassVar[tuple[str, bytes]] = ("text/plain; charset=utf-8", b"ok")
    # A link or order is there as soon as Cashfree has made it, and whoever did not get its
    # address cannot pay it.
    not_found_final_after: ClassVar[timedelta | None] = timedelta(minutes=15)
    captures_in_parts: ClassVar[bool] = False
    refunds_fail_within: ClassVar[timedelta] = timedelta(days=30)
    dispute_order: ClassVar[DisputeOrder] = BY_STAGE

    def __init__(self, settings: Mapping[str, str], tools: Tools):
        """Raises: ValueError for settings that cannot be used."""
        self._api = CashfreeApi(
            tools.http,
            base_url=settings["base_url"],
            client_id=settings["client_id"],
            client_secret=settings["client_secret"],
            version=settings["api_version"],
        )
        self._secrets = tools.signers(settings, "client_secret")
        self._ways: dict[str, Any] = {
            "default_phone": settings["default_phone"],
            "tell_plainly": settings["base_url"].startswith("http://"),
        }

    def __repr__(self) -> str:
        return f"CashfreeConnector({self._api!r})"

    @classmethod
    def from_settings(cls, settings: Mapping[str, str], tools: Tools) -> "CashfreeConnector":
        """Raises: ValueError for settings that cannot be used."""
        return cls(settings, tools)

    async def charge(self, request: ChargeRequest) -> Outcome:
        """Where the payer goes to pay. Nothing is charged before the payer has been there."""
        declined = links.impossible(request)
        if declined is not None:
            return declined
        return await (self._link(request) if request.capture else self._mandate(request))

    async def _link(self, request: ChargeRequest) -> Outcome:
        reply = await self._make("links", links.link_content, request)
        if isinstance(reply, CashfreeRefusal):
            return await self._refused(reply, request)
        if not isinstance(reply, CashfreeAnswer):
            return reply
        if word(reply.fields, "link_id") != request.key:
            return InDoubt(reason="Cashfree answered about another link")
        return links.link_address(reply.fields, request.amount)

    async def _mandate(self, request: ChargeRequest) -> Outcome:
        """An order first; then its session, which is asked for an address. Whatever becomes of
        the second call, nobody can pay before they have the address."""
        reply = await self._make("orders", links.order_content, request)
        if isinstance(reply, CashfreeRefusal):
            return await self._refused(reply, request)
        if not isinstance(reply, CashfreeAnswer):
            return reply
        order = reply.fields
        asked = money(order, "order_amount", "order_currency")
        if word(order, "order_id") != request.key or asked != request.amount:
            return InDoubt(reason="Cashfree answered about another order")
        begun = await self._api.post(
            "orders",
            "sessions",
            content=links.session_content(word(order, "payment_session_id"), request),
            key=f"{request.key}:session",
        )
        if isinstance(begun, CashfreeRefusal) and begun.not_found:
            return InDoubt(reason="Cashfree made the order and does not find it")
        if isinstance(begun, CashfreeRefusal):
            return Declined(
                code="reserving_not_supported",
                message="Cashfree does not reserve money for this account.",
                provider_code=begun.code,
                soft=True,
            )
        if not isinstance(begun, CashfreeAnswer):
            reason = begun.reason
            return InDoubt(reason=f"Cashfree made the order and not its session: {reason}")
        return _session_address(begun.fields, order)

    async def _make(
        self, what: str, content: Callable[..., Entity], request: ChargeRequest
    ) -> Reply:
        """Without what can be left out, once it was refused over that. Another content needs
        another idempotency key; that of the link or order stays, and there is one of each."""
        asked = content(request, **self._ways)
        reply = await self._api.post(what, content=asked, key=request.key)
        if not isinstance(reply, CashfreeRefusal) or not links.is_optional(reply):
            return reply
        again = content(plain(request), **self._ways)
        return await self._api.post(what, content=again, key=f"{request.key}:plain")

    async def _refused(self, refusal: CashfreeRefusal, request: ChargeRequest) -> Outcome:
        """Refused before it was made, unless it is there already: then how it stands."""
        if refusal.status == _EXISTS:
            there = await self.query(request.key, KnownCharge(amount=request.amount))
            if isinstance(there, Unknown):
                return InDoubt(reason="Cashfree says it has it, and does not show it")
            return there
        if refusal.not_found:  # no answer to a request to make something
            return InDoubt(reason="Cashfree misses what it was asked to make")
        code = next(
            (ours for words, ours in _CHARGE_REFUSALS if words in refusal.code), "request_refused"
        )
        return Declined(
            code=code,
            message="Cashfree does not take this payment.",
            provider_code=refusal.code,
            soft=True,
        )

    async def query(self, key: str, known: KnownCharge = NOTHING_KNOWN) -> Outcome:
        """By our key alone, which is a link's id or an order's."""
        reply = await self._api.get("links", key)
        if isinstance(reply, CashfreeRefusal) and reply.not_found:
            return await self._by_order(key, known)
        if isinstance(reply, CashfreeRefusal):
            return InDoubt(reason=f"Cashfree refused the question: {reply.code}")
        if not isinstance(reply, CashfreeAnswer):
            return reply
        link = reply.fields
        if word(link, "link_id") != key:
            return InDoubt(reason="Cashfree answered about another link")
        return await self._link_told(link, key, known)

    async def _link_told(self, link: Entity, key: str, known: KnownCharge) -> Outcome:
        status = word(link, "link_status")
        if status == "ACTIVE":
            return links.link_address(link, known.amount)
        told = await self._tries_of_link(key)
        if isinstance(told, Captured | Authorized | Pending | InDoubt | NotSent):
            return told
        if status != "PAID" and status not in links.OVER:
            return InDoubt(reason="Cashfree sent an unknown link status")
        if status == "PAID":
            return InDoubt(reason="Cashfree's link is paid, and its payment is not shown")
        return links.over_told(status, number_word(link, "cf_link_id"))

    async def _tries_of_link(self, key: str) -> Told | NotSent | None:
        """The weightiest of what payers did at the orders that Cashfree made of the link."""
        orders = await self._orders_of_link(key)
        if not isinstance(orders, list):
            return orders
        told = [await self._tries_of_order(word(order, "order_id")) for order in orders]
        return weightiest([one for one in told if one is not None])

    async def _tries_of_order(self, order_id: str) -> Told | NotSent | None:
        payments = await self._payments(order_id) if order_id else None
        if payments is None or isinstance(payments, Unknown):
            return InDoubt(reason="Cashfree does not show a link's order")
        return tries_told(payments) if isinstance(payments, list) else payments

    async def _orders_of_link(self, key: str) -> list[Entity] | NotSent | InDoubt:
        reply = await self._api.get("links", key, "orders", status="ALL")
        if isinstance(reply, CashfreeRefusal):
            if reply.not_found:
                return []
            return InDoubt(reason=f"Cashfree refused the question: {reply.code}")
        if not isinstance(reply, CashfreeAnswer):
            return reply
        found = objects(reply.value)
        if found is None:
            return InDoubt(reason="Cashfree's list of orders cannot be read")
        return found

    async def _payments(self, order_id: str) -> list[Entity] | NotSent | InDoubt | Unknown:
        reply = await self._api.get("orders", order_id, "payments")
        if isinstance(reply, CashfreeRefusal):
            if reply.not_found:
                return Unknown(reason="Cashfree knows no such order")
            return InDoubt(reason=f"Cashfree refused the question: {reply.code}")
        if not isinstance(reply, CashfreeAnswer):
            return reply
        found = objects(reply.value)
        if found is None:
            return InDoubt(reason="Cashfree's list of payments cannot be read")
        return [one if word(one, "order_id") == order_id else {} for one in found]

    async def _by_order(self, key: str, known: KnownCharge) -> Outcome:
        reply = await self._api.get("orders", key)
        if isinstance(reply, CashfreeRefusal):
            if reply.not_found:
                return Unknown(reason="Cashfree has no link and no order under this key")
            return InDoubt(reason=f"Cashfree refused the question: {reply.code}")
        if not isinstance(reply, CashfreeAnswer):
            return reply
        order = reply.fields
        asked = money(order, "order_amount", "order_currency")
        if word(order, "order_id") != key or asked is None:
            return InDoubt(reason="Cashfree answered about another order")
        if known.amount is not None and asked != known.amount:
            return InDoubt(reason="Cashfree's order is not for the amount that was asked")
        payments = await self._payments(key)
        if not isinstance(payments, list):
            return payments
        return _order_told(order, tries_told(payments))

    async def close_charge(self, key: str, known: KnownCharge = NOTHING_KNOWN) -> Outcome:
        """Cancel the link, or terminate the order."""
        reply = await self._api.post("links", key, "cancel", content={})
        if isinstance(reply, CashfreeRefusal) and reply.not_found:
            reply = await self._api.patch("orders", key, content={"order_status": "TERMINATED"})
        if isinstance(reply, NotSent | InDoubt):
            return reply
        return await self.query(key, known)

    async def capture(self, request: ModificationRequest) -> ModificationOutcome:
        """Claim what is reserved, or a part of it: once."""
        content = {"action": "CAPTURE", "amount": request.amount.major}
        return await self._act(request, content, "capture_refused")

    async def void(self, request: ModificationRequest) -> ModificationOutcome:
        return await self._act(request, {"action": "VOID"}, "void_refused")

    async def _act(
        self, request: ModificationRequest, content: Entity, refused: str
    ) -> ModificationOutcome:
        """Only orders of ours hold money, so our key is the order's id."""
        reply = await self._api.post(
            "orders", request.charge_key, "authorization", content=content, key=request.key
        )
        captures = content["action"] == "CAPTURE"
        if isinstance(reply, CashfreeAnswer):
            if word(reply.fields, "order_id") != request.charge_key:
                return InDoubt(reason="Cashfree answered about another order")
            told = _claim_told([reply.fields], request, captures=captures)
            if isinstance(told, Unknown):
                return InDoubt(reason="Cashfree accepted it and has not done it")
            return told
        if not isinstance(reply, CashfreeRefusal):
            return reply
        told = await self._claim(request, captures=captures)
        if isinstance(told, NotSent):
            return InDoubt(reason="Cashfree refused, and could not be asked what it had done")
        if not isinstance(told, Unknown):
            return told
        return Declined(code=refused, message="Cashfree refused it.", provider_code=reply.code)

    async def _claim(self, request: ModificationRequest, *, captures: bool) -> ModificationOutcome:
        """Unknown: the money is still only reserved."""
        payments = await self._payments(request.charge_key)
        if isinstance(payments, Unknown):
            return InDoubt(reason="Cashfree does not show the order")
        if not isinstance(payments, list):
            return payments
        return _claim_told(payments, request, captures=captures)

    async def refund(self, request: ModificationRequest) -> ModificationOutcome:
        """Give back `request.amount`. A refusal is final and sets money free here, so then
        Cashfree is asked whether the refund was made all the same, by an earlier request."""
        order_id = await self._paid_order(request.charge_key)
        if not isinstance(order_id, str):
            return order_id
        content = refunds.refund_content(request)
        reply = await self._api.post(
            "orders", order_id, "refunds", content=content, key=request.key
        )
        if isinstance(reply, CashfreeAnswer):
            return refunds.answer_told(reply.fields, request, order_id)
        if not isinstance(reply, CashfreeRefusal):
            return reply
        made = await self._refund_of(request, order_id)
        if isinstance(made, Unknown) and reply.not_found:
            return InDoubt(reason="Cashfree does not find the order that was paid")
        if isinstance(made, Unknown):
            return refunds.refused(reply)
        if isinstance(made, NotSent):
            return InDoubt(reason="Cashfree refused, and could not be asked what it had done")
        return made

    async def query_modification(self, request: ModificationRequest) -> ModificationOutcome:
        """A refund is found by our key; captures and voids show in the payment."""
        for kind in (ModificationKind.CAPTURE, ModificationKind.VOID):
            if request.key.startswith(PREFIX[kind]):
                return await self._claim(request, captures=kind is ModificationKind.CAPTURE)
        order_id = await self._paid_order(request.charge_key)
        if not isinstance(order_id, str):
            return order_id
        return await self._refund_of(request, order_id)

    async def _refund_of(self, request: ModificationRequest, order_id: str) -> ModificationOutcome:
        reply = await self._api.get("orders", order_id, "refunds", request.key)
        if isinstance(reply, CashfreeAnswer):
            return refunds.answer_told(reply.fields, request, order_id)
        if not isinstance(reply, CashfreeRefusal):
            return reply
        if reply.not_found and reply.code.startswith("refund"):
            return Unknown(reason="Cashfree has no refund under this key")
        return InDoubt(reason=f"Cashfree refused the question: {reply.code}")

    async def refunds_of(
        self, key: str, known: KnownCharge
    ) -> Sequence[ModificationEvent] | NotSent | InDoubt:
        """Whoever made them."""
        order_id = await self._paid_order(key)
        if not isinstance(order_id, str):
            return order_id
        reply = await self._api.get("orders", order_id, "refunds")
        if isinstance(reply, CashfreeRefusal):
            return InDoubt(reason=f"Cashfree refused the question: {reply.code}")
        if not isinstance(reply, CashfreeAnswer):
            return reply
        found = objects(reply.value)
        if found is None:
            return InDoubt(reason="Cashfree's list of refunds cannot be read")
        return [refunds.told_refund(one, word(one, "refund_id")) for one in found]

    async def _paid_order(self, key: str) -> str | NotSent | InDoubt:
        """The id of the order that was paid: our key, or the one that Cashfree made of a link."""
        orders = await self._orders_of_link(key)
        if not isinstance(orders, list):
            return orders
        named = [one for one in orders if word(one, "order_id")]
        paid = [word(one, "order_id") for one in named if word(one, "order_status") == "PAID"]
        if len(paid) > 1:
            return InDoubt(reason="Cashfree's link was paid more than once")
        if not paid and orders:
            return InDoubt(reason="Cashfree does not say which order of the link was paid")
        return paid[0] if paid else key

    async def report(self, day: date) -> Report | NotSent | InDoubt | Unknown:
        """What was settled on that day in India."""
        lines: list[FetchedLine | Odd] = []
        cursor: str | None = None
        for _ in range(_MOST_PAGES):
            reply = await self._api.post("settlement", "recon", content=question(day, cursor))
            if isinstance(reply, CashfreeRefusal):
                return InDoubt(reason=f"Cashfree refused the report: {reply.code}")
            if not isinstance(reply, CashfreeAnswer):
                return reply
            events = reply.fields.get("data")
            if not isinstance(events, list):
                return InDoubt(reason="Cashfree's report cannot be read")
            for event in events:
                readable = isinstance(event, dict)
                lines += lines_of(event) if readable else [Odd("not an object", {"line": event})]
            cursor = word(reply.fields, "cursor")
            if not cursor or not events:
                break
        if not lines:
            return Unknown(reason="Cashfree settled nothing on that day")
        name = f"cashfree-{day.isoformat()}.csv"
        return Report(format=FETCHED, name=name, content=write_fetched(lines))

    async def probe(self) -> str:
        """Ask for an order that nobody has: who is not known hears something else."""
        reply = await self._api.get("orders", _NOBODYS_ORDER)
        match reply:
            case CashfreeAnswer():
                return ""
            case CashfreeRefusal(status=status, code=code):
                return "" if status == 404 else f"Cashfree refused the question: {code}"
            case NotSent(reason=reason) | InDoubt(reason=reason):
                return reason

    def parse_notification(
        self,
        headers: Mapping[str, str],
        body: bytes,
        *,
        target: str = "",
        received_at: datetime | None = None,
    ) -> AnyNews | PayoutEvent | IrrelevantEvent | ForeignEvent | Refused:
        """Cashfree signs its time stamp and the body, with the client secret."""
        del target
        return read_news(headers, body, self._secrets.at(received_at), received_at)

    async def close(self) -> None:
        await self._api.close()


_CHARGE_REFUSALS = (
    ("amount", "amount_out_of_range"),
    ("currency", "currency_unsupported"),
    ("expiry", "expired"),
)
"""What stands in Cashfree's codes, in our words; any other refusal is request_refused."""


def _session_address(begun: Entity, order: Entity) -> Outcome:
    """UPI's link: an address, or in the older answers the page among several apps' addresses."""
    data = entity(begun, "data")
    address = word(data, "url") or word(entity(data, "payload"), "web")
    asked = money(
        {**begun, "currency": word(order, "order_currency")}, "payment_amount", "currency"
    )
    if asked is not None and asked != money(order, "order_amount", "order_currency"):
        return InDoubt(reason="Cashfree's session is not for the amount that was asked")
    if not address.startswith(("https://", "http://")):
        return InDoubt(reason="Cashfree's session has no address")
    return ActionNeeded(reference=number_word(order, "cf_order_id"), url=address)


def _order_told(order: Entity, told: Told | None) -> Outcome:
    """An order of ours; a payer who failed once has no address to try again."""
    status = word(order, "order_status")
    if isinstance(told, Captured | Authorized | Pending | InDoubt):
        return told
    match status, told:
        case "ACTIVE" | "TERMINATION_REQUESTED", None:
            return Pending(reference="")
        case (("ACTIVE" | "TERMINATION_REQUESTED" | "PAID"), Declined()):
            return told
        case (("EXPIRED" | "TERMINATED"), None):
            return links.over_told(status, number_word(order, "cf_order_id"))
        case (("EXPIRED" | "TERMINATED"), Declined()):
            return told
        case "PAID", None:
            return InDoubt(reason="Cashfree's order is paid, and its payment is not shown")
        case _:
            return InDoubt(reason="Cashfree sent an unknown order status")


def _claim_told(
    payments: list[Entity], request: ModificationRequest, *, captures: bool
) -> ModificationOutcome:
    """What became of reserved money. Unknown: it is reserved as before."""
    told = tries_told(payments)
    match told:
        case Captured() if captures:
            return Done(reference=told.reference, amount=told.amount)
        case Captured():
            return Declined(code="already_captured", message="The money was claimed before.")
        case Declined(code="voided") if captures:
            return told
        case Declined(code="voided"):
            return Done(reference=told.reference, amount=request.amount)
        case Authorized():
            return Unknown(reason="Cashfree has the money reserved as before")
        case Pending() | InDoubt():
            return told
        case _:
            return InDoubt(reason="Cashfree shows no reserved money of this order")
