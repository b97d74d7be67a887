"""Razorpay as a connector: payment links, reserved orders, refunds, settlements and webhooks.

Source: https://razorpay.com/docs/api/; why not its SDK: docs/decisions/0031.
"""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import ClassVar

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
    Refused,
    Report,
    Unknown,
)
from kassa.connectors.forms import Form, FormCharge
from kassa.connectors.kind import Tools
from kassa.connectors.listing import Listing
from kassa.connectors.payer import plain
from kassa.connectors.razorpay import finding, links, orders, refunds
from kassa.connectors.razorpay.api import (
    Entity,
    RazorpayAnswer,
    RazorpayApi,
    RazorpayRefusal,
    found_in,
    word,
)
from kassa.connectors.razorpay.listing import page_of
from kassa.connectors.razorpay.news import read_news
from kassa.connectors.razorpay.payments import payment_told
from kassa.connectors.razorpay.recon import report_of
from kassa.connectors.razorpay.signatures import checkout_is_genuine
from kassa.modifications.domain.captures import PREFIX
from kassa.payments.domain.disputes import BY_STAGE, DisputeOrder

_PAGE = 100  # refunds in one answer
_MOST_PAGES = 200


class RazorpayConnector:
    """Every charge is a payment link, or, when it is only to be reserved, an order."""

    name: ClassVar[str] = "razorpay"
    acknowledgement: ClassVar[tuple[str, bytes]] = ("text/plain; charset=utf-8", b"ok")
    # A link or order is there as soon as Razorpay has made it, and whoever did not get its
    # address cannot pay it.
    not_found_final_after: ClassVar[timedelta | None] = timedelta(minutes=15)
    captures_in_parts: ClassVar[bool] = False
    refunds_fail_within: ClassVar[timedelta] = timedelta(days=30)
    dispute_order: ClassVar[DisputeOrder] = BY_STAGE

    def __init__(self, settings: Mapping[str, str], tools: Tools):
        """Raises: ValueError for credentials that cannot be used."""
        self._api = RazorpayApi(
            tools.http,
            base_url=settings["base_url"],
            key_id=settings["key_id"],
            key_secret=settings["key_secret"],
        )
        self._base_url = settings["base_url"]
        self._key_id = settings["key_id"]
        self._key_secret = settings["key_secret"]
        self._webhook_secret = tools.signers(settings, "webhook_secret")

    def __repr__(self) -> str:
        return f"RazorpayConnector({self._base_url!r})"

    @classmethod
    def from_settings(cls, settings: Mapping[str, str], tools: Tools) -> "RazorpayConnector":
        """Raises: ValueError for credentials that cannot be used."""
        return cls(settings, tools)

    async def charge(self, request: ChargeRequest) -> Outcome:
        """Where the payer goes to pay. Nothing is charged before the payer has been there."""
        declined = links.impossible(request)
        if declined is not None:
            return declined
        return await (self._link(request) if request.capture else self._reserve(request))

    async def _link(self, request: ChargeRequest) -> Outcome:
        reply = await self._api.post("payment_links", content=links.link_content(request))
        if isinstance(reply, RazorpayRefusal) and links.is_optional(reply):
            # Nothing was made, so the reference is free: of two links it could not be of both.
            again = links.link_content(plain(request))
            reply = await self._api.post("payment_links", content=again)
        if isinstance(reply, RazorpayRefusal):
            if "reference id already" not in reply.description.lower():
                return _refused(reply)
            return _in_doubt_if_unknown(
                await self.query(request.key, KnownCharge(amount=request.amount))
            )
        if not isinstance(reply, RazorpayAnswer):
            return reply
        if not links.is_ours(reply.fields, request.key):
            return InDoubt(reason="Razorpay answered about another link")
        return links.link_address(reply.fields, request.amount)

    async def _reserve(self, request: ChargeRequest) -> Outcome:
        """Razorpay makes a second order under the same receipt without a word, so it is asked
        first; a payer is only ever sent to one."""
        if len(request.notify_url) > orders.MAX_NOTE:
            return Declined(
                code="address_too_long",
                message=f"Razorpay keeps addresses of at most {orders.MAX_NOTE} characters.",
            )
        known = KnownCharge(amount=request.amount)
        there = await finding.by_orders(self._api, request.key, known)
        if not isinstance(there, Unknown):
            return there
        reply = await self._api.post("orders", content=orders.order_content(request))
        if isinstance(reply, RazorpayRefusal):
            return _refused(reply)
        if not isinstance(reply, RazorpayAnswer):
            return reply
        if not orders.is_ours(reply.fields, request.key):
            return InDoubt(reason="Razorpay answered about another order")
        return orders.told_address(reply.fields, request.amount)

    async def query(self, key: str, known: KnownCharge = NOTHING_KNOWN) -> Outcome:
        """By our key alone: a link has it as reference_id, an order as its receipt."""
        return await finding.find(self._api, key, known)

    async def close_charge(self, key: str, known: KnownCharge = NOTHING_KNOWN) -> Outcome:
        """Cancel the link. An order cannot be closed: it stays as it is."""
        there = await self.query(key, known)
        if not isinstance(there, ActionNeeded) or not there.reference.startswith("plink_"):
            return there
        reply = await self._api.post("payment_links", there.reference, "cancel", content={})
        if isinstance(reply, RazorpayAnswer):
            if not links.is_ours(reply.fields, key):
                return InDoubt(reason="Razorpay answered about another link")
            return await finding.link_told(self._api, reply.fields, known)
        if isinstance(reply, RazorpayRefusal):  # it was paid or over a moment before
            return await self.query(key, known)
        return reply

    async def capture(self, request: ModificationRequest) -> ModificationOutcome:
        """Claim all that is reserved: Razorpay takes no part of it."""
        if request.amount != request.charge_amount:
            return Declined(
                code="partial_capture_not_allowed",
                message="Razorpay captures the whole reserved amount or nothing.",
            )
        payment_id = await finding.payment_of(self._api, request)
        if not isinstance(payment_id, str):
            return payment_id
        content = {"amount": request.amount.minor, "currency": request.amount.currency}
        reply = await self._api.post("payments", payment_id, "capture", content=content)
        if isinstance(reply, RazorpayAnswer):
            told = _claim_told(reply.fields, payment_id)
            return InDoubt(reason="Razorpay has not captured") if _is_open(told) else told
        if not isinstance(reply, RazorpayRefusal):
            return reply
        told = await self._claim(payment_id)
        if not _is_open(told):
            return told
        return Declined(
            code="capture_refused",
            message="Razorpay refused the capture.",
            provider_code=reply.shown,
        )

    async def void(self, request: ModificationRequest) -> ModificationOutcome:
        """Nothing lets go of reserved money at Razorpay but time: after three days it has."""
        payment_id = await finding.payment_of(self._api, request)
        if not isinstance(payment_id, str):
            return payment_id
        told = await self._claim(payment_id)
        if isinstance(told, Declined) and told.code == "authorization_expired":
            return Done(reference=payment_id, amount=request.amount)
        if _is_open(told):
            return Declined(
                code="void_not_possible",
                message="Razorpay lets go of reserved money by itself after three days.",
            )
        if isinstance(told, Done):
            return Declined(code="already_captured", message="The money was claimed before.")
        return told

    async def _claim(self, payment_id: str) -> ModificationOutcome:
        """Whether a reserved payment was claimed. Unknown: it is still only reserved."""
        reply = await self._api.get("payments", payment_id)
        if isinstance(reply, RazorpayRefusal):
            return InDoubt(reason="Razorpay does not show the payment")
        return _claim_told(reply.fields, payment_id) if isinstance(reply, RazorpayAnswer) else reply

    async def refund(self, request: ModificationRequest) -> ModificationOutcome:
        """Give back `request.amount`. A refusal is final and sets money free here, so then
        Razorpay is asked whether the refund was made all the same, by an earlier request."""
        declined = refunds.impossible(request)
        if declined is not None:
            return declined
        payment_id = await finding.payment_of(self._api, request)
        if not isinstance(payment_id, str):
            return payment_id
        reply = await self._api.post(
            "payments",
            payment_id,
            "refund",
            content=refunds.refund_content(request),
            headers={refunds.HEADER: request.key},
        )
        if isinstance(reply, RazorpayAnswer):
            return refunds.answer_told(reply.fields, request, payment_id)
        if not isinstance(reply, RazorpayRefusal):
            return reply
        made = await self._refund_of(request, payment_id)
        if isinstance(made, Unknown) and reply.not_found:
            return InDoubt(reason="Razorpay does not find the payment that it was paid by")
        if isinstance(made, Unknown):
            return refunds.refused(reply)
        if isinstance(made, NotSent):
            return InDoubt(reason="Razorpay refused, and could not be asked what it had done")
        return made

    async def query_modification(self, request: ModificationRequest) -> ModificationOutcome:
        """A refund is found by our key among the payment's; a capture shows in the payment."""
        payment_id = await finding.payment_of(self._api, request)
        if not isinstance(payment_id, str):
            return payment_id
        if request.key.startswith(PREFIX[ModificationKind.CAPTURE]):
            return await self._claim(payment_id)
        if request.key.startswith(PREFIX[ModificationKind.VOID]):
            return await self.void(request)  # it asks, and sends nothing that moves money
        return await self._refund_of(request, payment_id)

    async def _refund_of(
        self, request: ModificationRequest, payment_id: str
    ) -> ModificationOutcome:
        listed = await self._refunds_of(payment_id)
        if not isinstance(listed, list):
            return listed
        for refund in listed:
            made_there = request.reference and word(refund, "id") == request.reference
            if made_there or refunds.key_of(refund) == request.key:
                return refunds.answer_told(refund, request, payment_id)
        if not all(listed):
            return InDoubt(reason="Razorpay lists a refund that cannot be read")
        return Unknown(reason="Razorpay has no refund under this key")

    async def _refunds_of(self, payment_id: str) -> list[Entity] | NotSent | InDoubt | Unknown:
        """All of them; one that cannot be read is empty."""
        listed: list[Entity] = []
        for page in range(_MOST_PAGES):
            reply = await self._api.get(
                "payments", payment_id, "refunds", count=_PAGE, skip=page * _PAGE
            )
            found = found_in(reply, "items", "payment_id", payment_id)
            if not isinstance(found, list):
                return found
            listed += found
            if len(found) < _PAGE:
                return listed
        return InDoubt(reason="Razorpay lists refunds without end")

    async def refunds_of(
        self, key: str, known: KnownCharge
    ) -> Sequence[ModificationEvent] | NotSent | InDoubt:
        """Whoever made them."""
        if not known.reference.startswith("pay_"):
            return InDoubt(reason="Razorpay has not said which payment it is")
        listed = await self._refunds_of(known.reference)
        if isinstance(listed, Unknown):
            return InDoubt(reason=listed.reason)
        if not isinstance(listed, list):
            return listed
        return [refunds.told_refund(one, word(one, "id")) for one in listed if one]

    def form(self, charge: FormCharge) -> Form:
        """What our page posts to the hosted checkout for an order."""
        return orders.checkout_form(charge, base_url=self._base_url, key_id=self._key_id)

    def came_back(self, reference: str, fields: Mapping[str, str]) -> bool:
        """What the hosted checkout posts is signed, for the order that it was opened for."""
        if "razorpay_signature" not in fields:
            return True
        order_id = fields.get("razorpay_order_id", "")
        if reference.startswith("order_") and order_id != reference:
            return False
        return checkout_is_genuine(self._key_secret, order_id, fields)

    async def list_charges(
        self, since: datetime, until: datetime, after: str = ""
    ) -> Listing | NotSent | InDoubt:
        """Payments, then those of refunds that were made in that time."""
        return await page_of(self._api, since, until, after)

    async def report(self, day: date) -> Report | NotSent | InDoubt | Unknown:
        """What was settled on that day in India."""
        return await report_of(self._api, day)

    async def probe(self) -> str:
        """Ask for one payment, which needs both halves of the key."""
        reply = await self._api.get("payments", count=1)
        match reply:
            case RazorpayAnswer():
                return ""
            case RazorpayRefusal():
                return f"Razorpay refused the question: {reply.shown}"
            case NotSent(reason=reason) | InDoubt(reason=reason):
                return reason

    def parse_notification(
        self,
        headers: Mapping[str, str],
        body: bytes,
        *,
        target: str = "",
        received_at: datetime | None = None,
    ) -> AnyNews | IrrelevantEvent | ForeignEvent | Refused:
        """Razorpay signs no time and no address: only the body counts."""
        del target
        return read_news(headers, body, self._webhook_secret.at(received_at))

    async def close(self) -> None:
        await self._api.close()


def _refused(refusal: RazorpayRefusal) -> Declined | InDoubt:
    """A charge that Razorpay refused before it was made: another provider may well take it."""
    if refusal.not_found:  # no answer to a request to make something
        return InDoubt(reason="Razorpay misses what it was asked to make")
    words = {"currency": "currency_unsupported", "amount": "amount_out_of_range"}
    said = refusal.description.lower()
    code = words.get(refusal.field) or next(
        (code for named, code in words.items() if named in said), "request_refused"
    )
    return Declined(
        code=code,
        message="Razorpay does not take this payment.",
        provider_code=refusal.shown,
        soft=True,
    )


def _in_doubt_if_unknown(outcome: Outcome) -> Outcome:
    if isinstance(outcome, Unknown):
        return InDoubt(reason="Razorpay says it has it, and does not show it")
    return outcome


def _claim_told(payment: Entity, payment_id: str) -> ModificationOutcome:
    if word(payment, "id") != payment_id:
        return InDoubt(reason="Razorpay answered about another payment")
    told = payment_told(payment)
    match told:
        case Captured():
            return Done(reference=payment_id, amount=told.amount, fee=told.fee)
        case Authorized():
            return Unknown(reason="Razorpay has not captured it")
        case _:
            return told


def _is_open(outcome: ModificationOutcome) -> bool:
    return isinstance(outcome, Unknown)
