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
from kassa.connectors.cashfree import finding, links, refunds
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
from kassa.connectors.cashfree.payments import tries_told
from kassa.connectors.cashfree.recon import report_of
from kassa.connectors.kind import Tools
from kassa.connectors.listing import told_of
from kassa.connectors.payer import plain
from kassa.modifications.domain.captures import PREFIX
from kassa.payments.domain.disputes import BY_STAGE, DisputeOrder

_NOBODYS_ORDER = "kassa-probe"
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
        return await finding.find(self._api, key, known)

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
        payments = await finding.payments_of(self._api, request.charge_key)
        if isinstance(payments, Unknown):
            return InDoubt(reason="Cashfree does not show the order")
        if not isinstance(payments, list):
            return payments
        return _claim_told(payments, request, captures=captures)

    async def refund(self, request: ModificationRequest) -> ModificationOutcome:
        """Give back `request.amount`. A refusal is final and sets money free here, so then
        Cashfree is asked whether the refund was made all the same, by an earlier request."""
        order_id = await finding.paid_order(self._api, request.charge_key)
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
        """A refund is found by our key, or where Cashfree made it up by its own; captures and voids
        show in the payment."""
        for kind in (ModificationKind.CAPTURE, ModificationKind.VOID):
            if request.key.startswith(PREFIX[kind]):
                return await self._claim(request, captures=kind is ModificationKind.CAPTURE)
        order_id = await finding.paid_order(self._api, request.charge_key)
        if not isinstance(order_id, str):
            return order_id
        return await self._refund_of(request, order_id)

    async def _refund_of(self, request: ModificationRequest, order_id: str) -> ModificationOutcome:
        if request.reference:
            return told_of(await self._refunds_at(order_id), request.reference)
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
        order_id = await finding.paid_order(self._api, key)
        if not isinstance(order_id, str):
            return order_id
        return await self._refunds_at(order_id)

    async def _refunds_at(self, order_id: str) -> Sequence[ModificationEvent] | NotSent | InDoubt:
        reply = await self._api.get("orders", order_id, "refunds")
        if isinstance(reply, CashfreeRefusal):
            return InDoubt(reason=f"Cashfree refused the question: {reply.code}")
        if not isinstance(reply, CashfreeAnswer):
            return reply
        found = objects(reply.value)
        if found is None:
            return InDoubt(reason="Cashfree's list of refunds cannot be read")
        return [refunds.told_refund(one, word(one, "refund_id")) for one in found]

    async def report(self, day: date) -> Report | NotSent | InDoubt | Unknown:
        """What was settled on that day in India."""
        return await report_of(self._api, day)

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
