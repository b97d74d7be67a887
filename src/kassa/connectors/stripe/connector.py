"""Stripe as a connector: payment intents, checkout pages, refunds, webhooks and payouts."""

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import ClassVar

from kassa.connectors.base import (
    NOTHING_KNOWN,
    ActionNeeded,
    AnyNews,
    ChargeRequest,
    Declined,
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
from kassa.connectors.earlier import Signers
from kassa.connectors.http import ProviderHttp
from kassa.connectors.kind import Tools
from kassa.connectors.listing import Listing
from kassa.connectors.payer import plain
from kassa.connectors.stripe.changes import (
    capture_told,
    not_that_charge,
    refund_told,
    told_refund,
    told_without_refund,
    void_told,
)
from kassa.connectors.stripe.charging import (
    intent_parameters,
    is_optional,
    refusal,
    session_parameters,
    units,
)
from kassa.connectors.stripe.currencies import to_stripe
from kassa.connectors.stripe.finding import find, session_of
from kassa.connectors.stripe.intents import (
    EXPANDED,
    is_address,
    is_at_the_page,
    told_intent,
    told_session,
)
from kassa.connectors.stripe.listing import page_of
from kassa.connectors.stripe.notifications import ORDER, is_genuine, read_event
from kassa.connectors.stripe.objects import CAPTURE_KEY, KEY, Garbled, Thing
from kassa.connectors.stripe.reporting import payouts_of
from kassa.connectors.stripe.transport import Said, StripeRefusal, ask, open_client, post
from kassa.connectors.stripe.words import (
    change_refused,
    charge_refused,
    declined,
    declined_for,
)
from kassa.payments.domain.disputes import DisputeOrder

_LIVE = ("sk_live_", "rk_live_")
_REFUNDS = 100  # as many as Stripe lists at once, and more than one payment ever has
_REFUND_EXPANDED = ["balance_transaction"]


class StripeConnector:
    """`home`: where payers return to when a request names no address."""

    name: ClassVar[str] = "stripe"
    acknowledgement: ClassVar[tuple[str, bytes]] = ("application/json", b"{}")
    # The lists have a charge at once, and no request of ours is under way for this long.
    not_found_final_after: ClassVar[timedelta | None] = timedelta(minutes=10)
    captures_in_parts: ClassVar[bool] = False
    refunds_fail_within: ClassVar[timedelta] = timedelta(days=30)
    dispute_order: ClassVar[DisputeOrder] = ORDER

    def __init__(
        self,
        *,
        secret_key: str,
        webhook_secret: Signers,
        base_url: str,
        home: str,
        http: ProviderHttp,
        clock: Callable[[], datetime],
    ):
        """Raises: ValueError when the key can be none of Stripe's."""
        if not secret_key.isascii() or not secret_key.isprintable() or " " in secret_key:
            raise ValueError("secret_key is not a key of Stripe's")
        self._live = secret_key.startswith(_LIVE)
        self._client = open_client(secret_key, base_url, http, live=self._live)
        self._webhook_secret = webhook_secret
        self._home = home
        self._http = http
        self._clock = clock

    @classmethod
    def from_settings(cls, settings: Mapping[str, str], tools: Tools) -> "StripeConnector":
        """Raises: ValueError."""
        return cls(
            secret_key=settings["secret_key"],
            webhook_secret=tools.signers(settings, "webhook_secret"),
            base_url=settings["base_url"],
            home=tools.base_url,
            http=tools.http,
            clock=tools.clock,
        )

    async def charge(self, request: ChargeRequest) -> Outcome:
        """With a token (pm_…) at once; without one, an address of Stripe's own page."""
        if (never := refusal(request)) is not None:
            return never
        back = request.return_url if is_address(request.return_url) else self._home
        if not request.instrument:
            return await self._open_page(request, back)
        said = await self._make_intent(request, back, request.key)
        if isinstance(said, StripeRefusal) and is_optional(said):
            # Refused, so nothing is under the key; another content needs another key all the same.
            said = await self._make_intent(plain(request), back, f"{request.key}:plain")
        match said:
            case Thing():
                return told_intent(said, request.key, request.amount)
            case StripeRefusal():
                return _charge_refused(said, request)
            case _:
                return said

    async def _make_intent(self, request: ChargeRequest, back: str, key: str) -> Said:
        asked = intent_parameters(request, back)
        return await ask(post(self._client, "/v1/payment_intents", asked, key))

    async def _make_session(self, request: ChargeRequest, back: str, key: str) -> Said:
        sessions = self._client.v1.checkout.sessions
        asked = session_parameters(request, back)
        return await ask(sessions.create_async(asked, {"idempotency_key": key}))

    async def _open_page(self, request: ChargeRequest, back: str) -> Outcome:
        said = await self._make_session(request, back, request.key)
        if isinstance(said, StripeRefusal) and is_optional(said):
            said = await self._make_session(plain(request), back, f"{request.key}:plain")
        match said:
            case Thing():
                return told_session(said, request.key, request.amount)
            case StripeRefusal():
                return _charge_refused(said, request)
            case _:
                return said

    async def query(self, key: str, known: KnownCharge = NOTHING_KNOWN) -> Outcome:
        """Found by Stripe's reference where we have it, else by our key."""
        found = await find(self._client, key, known, self._clock)
        return await self._told(found, key, known) if isinstance(found, Thing) else found

    async def _told(self, found: Thing, key: str, known: KnownCharge) -> Outcome:
        try:
            if found.word("object") == "checkout.session":
                return told_session(found, key, known.amount)
            if not is_at_the_page(found):
                return told_intent(found, key, known.amount)
            session = await session_of(self._client, found.word("id"))
        except Garbled as error:
            return InDoubt(reason=f"Stripe's answer cannot be read: {error}")
        return told_session(session, key, known.amount) if isinstance(session, Thing) else session

    async def close_charge(self, key: str, known: KnownCharge = NOTHING_KNOWN) -> Outcome:
        """Expire its page, or cancel its intent. Reserved money is left reserved."""
        found = await find(self._client, key, known, self._clock)
        if not isinstance(found, Thing):
            return found
        outcome = await self._told(found, key, known)
        try:
            said = await self._close(found, outcome)
        except Garbled as error:
            return InDoubt(reason=f"Stripe's answer cannot be read: {error}")
        match said:
            case None:
                return outcome
            case Thing():
                return await self._told(said, key, known)
            case StripeRefusal():  # it has moved on since we looked
                return await self.query(
                    key, KnownCharge(reference=found.word("id"), amount=known.amount)
                )
            case _:
                return said

    async def _close(self, found: Thing, outcome: Outcome) -> Said | None:
        """None where there is nothing to close. Raises: Garbled."""
        v1, name = self._client.v1, found.word("id")
        if isinstance(outcome, ActionNeeded) and outcome.reference.startswith("cs_"):
            return await ask(v1.checkout.sessions.expire_async(outcome.reference))
        if found.word("object") != "payment_intent" or found.word("status") == "canceled":
            return None
        if isinstance(outcome, ActionNeeded | Declined | Pending):
            return await ask(v1.payment_intents.cancel_async(name, {"expand": EXPANDED}))
        return None

    async def capture(self, request: ModificationRequest) -> ModificationOutcome:
        """Claim `request.amount`; Stripe lets go of the rest by itself."""
        reference = await self._intent_of(request)
        if not isinstance(reference, str):
            return reference
        said = await ask(
            self._client.v1.payment_intents.capture_async(
                reference,
                {
                    "amount_to_capture": units(request.amount),
                    "metadata": {CAPTURE_KEY: request.key},
                    "expand": EXPANDED,
                },
                {"idempotency_key": request.key},
            )
        )
        if isinstance(said, Thing):
            return _settled(capture_told(said, request))
        return await self._after_refusal(said, request)

    async def void(self, request: ModificationRequest) -> ModificationOutcome:
        """Let go of everything that is reserved."""
        reference = await self._intent_of(request)
        if not isinstance(reference, str):
            return reference
        said = await ask(
            self._client.v1.payment_intents.cancel_async(
                reference, {"expand": EXPANDED}, {"idempotency_key": request.key}
            )
        )
        if isinstance(said, Thing):
            return _settled(void_told(said, request))
        return await self._after_refusal(said, request)

    async def refund(self, request: ModificationRequest) -> ModificationOutcome:
        """Give back `request.amount`."""
        reference = await self._intent_of(request)
        if not isinstance(reference, str):
            return reference
        said = await ask(
            self._client.v1.refunds.create_async(
                {
                    "payment_intent": reference,
                    "amount": units(request.amount),
                    "metadata": {KEY: request.key},
                    "expand": _REFUND_EXPANDED,
                },
                {"idempotency_key": request.key},
            )
        )
        if isinstance(said, Thing):
            return refund_told(said, request)
        return await self._after_refusal(said, request)

    async def _intent_of(self, request: ModificationRequest) -> str | NotSent | Declined:
        """The intent to change. It is looked for where we were told only of its page."""
        if to_stripe(request.amount) is None:
            return declined("amount_out_of_range")
        if request.charge_reference.startswith("pi_"):
            return request.charge_reference
        known = KnownCharge(reference=request.charge_reference)
        found = await find(self._client, request.charge_key, known, self._clock)
        if isinstance(found, Thing):
            try:
                name = found.id_of("payment_intent") or found.word("id")
            except Garbled:
                name = ""
            if name.startswith("pi_"):
                return name
        return NotSent(reason="Stripe could not say which charge this is about")

    async def _after_refusal(
        self, said: StripeRefusal | NotSent | InDoubt, request: ModificationRequest
    ) -> ModificationOutcome:
        """A refusal sets money free here, so Stripe is asked first whether it was done all the
        same: an earlier request may have done it, after which a repeat is refused."""
        if not isinstance(said, StripeRefusal):
            return said
        if said.is_missing:
            return InDoubt(reason=said.reason)
        made = await self.query_modification(request)
        match made:
            case Unknown():
                return change_refused(said)
            case NotSent():
                return InDoubt(reason="Stripe refused, and could not be asked what it had done")
            case _:
                return made

    async def query_modification(self, request: ModificationRequest) -> ModificationOutcome:
        """A refund by its metadata; a capture or void by what the intent has come to."""
        reference = await self._intent_of(request)
        if not isinstance(reference, str):
            return reference
        v1 = self._client.v1
        intent = await ask(v1.payment_intents.retrieve_async(reference, {"expand": EXPANDED}))
        if not isinstance(intent, Thing):
            return _unanswered(intent)
        try:
            if (wrong := not_that_charge(intent, request)) is not None:
                return wrong
            if intent.noted(CAPTURE_KEY) == request.key:
                return capture_told(intent, request)
            listed = await ask(
                v1.refunds.list_async(
                    {
                        "payment_intent": reference,
                        "limit": _REFUNDS,
                        "expand": [f"data.{name}" for name in _REFUND_EXPANDED],
                    }
                )
            )
            if not isinstance(listed, Thing):
                return _unanswered(listed)
            refunds = listed.things("data")
            mine = [
                one
                for one in refunds
                if one.is_under(request.key)
                or (request.reference and one.fields.get("id") == request.reference)
            ]
            if not mine and listed.flag("has_more"):
                return InDoubt(reason="Stripe has more refunds of this charge than we look at")
            if not mine and not all(one.is_named for one in refunds):
                return InDoubt(reason="Stripe lists a refund that cannot be read")
        except Garbled as error:
            return InDoubt(reason=f"Stripe's answer cannot be read: {error}")
        return refund_told(mine[0], request) if mine else told_without_refund(intent, request)

    async def refunds_of(
        self, key: str, known: KnownCharge
    ) -> Sequence[ModificationEvent] | NotSent | InDoubt:
        """Whoever made them."""
        reference = known.reference
        if not reference.startswith("pi_"):
            return InDoubt(reason="Stripe has not said which charge it is")
        listed = await ask(
            self._client.v1.refunds.list_async({"payment_intent": reference, "limit": _REFUNDS})
        )
        if isinstance(listed, StripeRefusal):
            return InDoubt(reason=listed.reason)
        if not isinstance(listed, Thing):
            return listed
        try:
            if listed.flag("has_more"):
                return InDoubt(reason="Stripe has more refunds of this charge than we look at")
            return [told_refund(one, one.word("id")) for one in listed.things("data")]
        except Garbled as error:
            return InDoubt(reason=f"Stripe's list cannot be read: {error}")

    def parse_notification(
        self,
        headers: Mapping[str, str],
        body: bytes,
        *,
        target: str = "",
        received_at: datetime | None = None,
    ) -> AnyNews | PayoutEvent | IrrelevantEvent | ForeignEvent | Refused:
        """Verify the signature over the raw body, then translate the event."""
        header = headers.get("stripe-signature", "")
        secrets = self._webhook_secret.at(received_at)
        refused = is_genuine(header, body, secrets, received_at)
        return read_event(body, live=self._live) if refused is None else refused

    async def list_charges(
        self, since: datetime, until: datetime, after: str = ""
    ) -> Listing | NotSent | InDoubt:
        """Charges, then those of refunds and of disputes that were made in that time."""
        return await page_of(self._client, since, until, after)

    async def report(self, day: date) -> Report | NotSent | InDoubt | Unknown:
        """What Stripe paid out on `day`, and what each payout is made of. Days are UTC's."""
        return await payouts_of(self._client, day)

    async def probe(self) -> str:
        """Asks for the account that the key belongs to."""
        said = await ask(self._client.v1.accounts.retrieve_current_async())
        match said:
            case Thing():
                good = said.fields.get("object") == "account"
                return "" if good else "what answered there is not Stripe"
            case StripeRefusal() | NotSent() | InDoubt():
                return said.reason

    async def close(self) -> None:
        await self._http.close()


def _charge_refused(said: StripeRefusal, request: ChargeRequest) -> Outcome:
    """A card's refusal is told by the intent that it left behind, anything else by its words."""
    if said.intent is not None:
        outcome = told_intent(said.intent, request.key, request.amount)
        if said.intent.fields.get("status") == "processing":
            return InDoubt(reason="Stripe refused, and is working on it all the same")
        if not isinstance(outcome, Pending):
            return outcome
    if said.status == 402:
        reference = "" if said.intent is None else said.intent.word("id")
        return declined_for(said.decline_code or said.code, reference=reference)
    if said.is_missing:
        return InDoubt(reason=said.reason)
    return charge_refused(said)


def _settled(outcome: ModificationOutcome) -> ModificationOutcome:
    """Stripe has just said that it did it, so that it did not must be a mistake."""
    return InDoubt(reason=outcome.reason) if isinstance(outcome, Unknown) else outcome


def _unanswered(said: StripeRefusal | NotSent | InDoubt) -> NotSent | InDoubt | Unknown:
    if isinstance(said, StripeRefusal):
        missing = Unknown(reason="Stripe knows no such charge")
        return missing if said.is_missing else InDoubt(reason=said.reason)
    return said
