"""A wallet of the /v1/payments/pay family as a connector: Kassa is the merchant."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import ClassVar

from kassa.base.domain.lifecycle import ModificationKind
from kassa.connectors.base import (
    NOTHING_KNOWN,
    AnyNews,
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
    Pending,
    Refused,
    Unknown,
)
from kassa.connectors.kind import Tools
from kassa.connectors.listing import told_of
from kassa.connectors.payer import plain
from kassa.connectors.unread import unread
from kassa.connectors.wallet.calling import WalletLine
from kassa.connectors.wallet.changes import (
    CAPTURE,
    REFUND,
    VOID,
    WalletChange,
    check_key,
    content,
    listed_refunds,
    refund_inquiry_told,
    told,
    transaction_told,
)
from kassa.connectors.wallet.notifications import read_news
from kassa.connectors.wallet.payments import (
    Products,
    cancel_told,
    inquiry_told,
    is_optional,
    named,
    pay_content,
    pay_told,
    refusal,
)
from kassa.connectors.wallet.said import F, WalletAnswer, read_said
from kassa.connectors.wallet.signing import WalletSigner, WalletVerifier
from kassa.connectors.wallet.words import CREDENTIALS, NO_API
from kassa.modifications.domain.captures import PREFIX

_NOBODYS_KEY = "kassa_asks_whether_its_credentials_are_right"  # no key of ours looks like it


class WalletConnector:
    """`line`: how the wallet is reached and believed. `products`: its product codes."""

    name: ClassVar[str] = "wallet"
    acknowledgement: ClassVar[tuple[str, bytes]] = (
        "application/json; charset=UTF-8",
        b'{"result":{"resultCode":"SUCCESS","resultStatus":"S","resultMessage":"success"}}',
    )
    # ORDER_NOT_EXIST: the payment never arrived. No request is on its way for that long.
    not_found_final_after: ClassVar[timedelta | None] = timedelta(minutes=10)
    captures_in_parts: ClassVar[bool] = False
    refunds_fail_within: ClassVar[timedelta] = timedelta(days=30)

    def __init__(self, line: WalletLine, products: Products):
        self._line = line
        self._products = products

    @classmethod
    def from_settings(cls, settings: Mapping[str, str], tools: Tools) -> "WalletConnector":
        """Raises: ValueError when a key or the address cannot be used."""
        line = WalletLine(
            base_url=settings["base_url"],
            client_id=settings["client_id"],
            signer=WalletSigner(settings["private_key"], settings["key_version"]),
            verifier=WalletVerifier(
                settings["wallet_public_key"],
                tools.earlier.get("wallet_public_key", ()),
                tools.clock,
            ),
            http=tools.http,
            clock=tools.clock,
            live=tools.live,
        )
        products = Products(
            cashier=settings["product_code"],
            authorization=settings["authorization_product_code"],
            agreement=settings["agreement_product_code"],
        )
        return cls(line, products)

    async def charge(self, request: ChargeRequest) -> Outcome:
        """Make the order. `instrument`: a code that the wallet made, which pays at once; without
        one the payer is sent to the wallet's cashier.

        An answer to pay names no amount, so that a payment counts as paid only by an inquiry or a
        notification.
        """
        declined = refusal(request)
        if declined is not None:
            return declined
        said = await self._line.ask("pay", pay_content(request, self._products))
        if isinstance(said, WalletAnswer) and is_optional(said):
            # Nothing was taken, so the same paymentRequestId is good; were it not, the wallet
            # would say that it stands for another request, which is a doubt.
            said = await self._line.ask("pay", pay_content(plain(request), self._products))
        if not isinstance(said, WalletAnswer):
            return said
        outcome = pay_told(said, request)
        if outcome is not None:
            return outcome
        accepted = Pending(reference=said.id("paymentId"))
        found = await self.query(request.key, KnownCharge(reference=accepted.reference))
        return accepted if isinstance(found, (Unknown, NotSent, InDoubt)) else found

    async def query(self, key: str, known: KnownCharge = NOTHING_KNOWN) -> Outcome:
        """What the wallet says of `key`."""
        said = await self._line.ask("inquiryPayment", named(key))
        return inquiry_told(said, key, known) if isinstance(said, WalletAnswer) else said

    async def refunds_of(
        self, key: str, known: KnownCharge
    ) -> Sequence[ModificationEvent] | NotSent | InDoubt:
        """Whoever asked for them; a wallet that keeps no such list has none."""
        said = await self._line.ask("inquiryPayment", named(key))
        return listed_refunds(said, key) if isinstance(said, WalletAnswer) else said

    async def close_charge(self, key: str, known: KnownCharge = NOTHING_KNOWN) -> Outcome:
        """Cancel the order, unless it is paid: what a cancel does to paid money, and to reserved,
        the family does not say."""
        found = await self.query(key, known)
        if not isinstance(found, Pending):
            return found
        said = await self._line.ask("cancel", named(key))
        if not isinstance(said, WalletAnswer):
            return said
        outcome = cancel_told(said, key)
        return await self.query(key, known) if outcome is None else outcome

    async def capture(self, request: ModificationRequest) -> ModificationOutcome:
        """Claim `request.amount` of what is reserved."""
        return await self._change(CAPTURE, request)

    async def void(self, request: ModificationRequest) -> ModificationOutcome:
        """Let go of what is reserved."""
        return await self._change(VOID, request)

    async def refund(self, request: ModificationRequest) -> ModificationOutcome:
        """Give back `request.amount`."""
        return await self._change(REFUND, request)

    async def _change(
        self, change: WalletChange, request: ModificationRequest
    ) -> ModificationOutcome:
        """A refusal is final and sets money free here. So when the wallet refuses, it is asked
        whether it has done the same request before."""
        check_key(request)
        asked = content(change, request)
        said: WalletAnswer | NotSent | InDoubt = InDoubt(reason="nothing was asked")
        for api in change.apis:
            said = await self._line.ask(api, asked)
            if not isinstance(said, WalletAnswer):
                return said
            if said.status != F or said.code not in NO_API:
                break
        assert isinstance(said, WalletAnswer)
        outcome = told(change, said, request)
        if not isinstance(outcome, Declined):
            return outcome
        made = await self._found(request)
        match made:
            case Unknown() | Declined():
                return outcome
            case NotSent():
                return InDoubt(reason="the wallet refused, and could not be asked what it had done")
            case _:
                return made

    async def query_modification(self, request: ModificationRequest) -> ModificationOutcome:
        """What became of the capture, void or refund sent under `request.key`?

        Refunds have an inquiry of their own; captures stand in the payment's list, and so does a
        refund that has no key of ours. A void stands nowhere by its key: that nothing is reserved
        any more tells of it.
        """
        check_key(request)
        if request.reference:
            return told_of(
                await self.refunds_of(request.charge_key, NOTHING_KNOWN), request.reference
            )
        found = await self._found(request)
        is_void = request.key.startswith(PREFIX[ModificationKind.VOID])
        if not isinstance(found, Unknown) or not is_void:
            return found
        there = await self.query(request.charge_key)
        if isinstance(there, Declined) and there.code == "closed":
            return Done(reference=there.reference, amount=request.amount)
        return there if isinstance(there, NotSent | InDoubt) else found

    async def _found(self, request: ModificationRequest) -> ModificationOutcome:
        """What the wallet has under `request.key`."""
        said = await self._line.ask("inquiryRefund", {"refundRequestId": request.key})
        if not isinstance(said, WalletAnswer):
            return said
        outcome = refund_inquiry_told(said, request)
        if not isinstance(outcome, Unknown):
            return outcome
        said = await self._line.ask("inquiryPayment", named(request.charge_key))
        return transaction_told(said, request) if isinstance(said, WalletAnswer) else said

    async def probe(self) -> str:
        """Inquire about a payment that cannot exist: only who holds both keys gets a signed no."""
        said = await self._line.ask("inquiryPayment", named(_NOBODYS_KEY))
        if isinstance(said, NotSent):
            return f"the wallet cannot be reached at base_url: {said.reason}"
        if isinstance(said, WalletAnswer):
            if isinstance(inquiry_told(said, _NOBODYS_KEY, NOTHING_KNOWN), Unknown):
                return ""
            return CREDENTIALS.get(said.code, f"the wallet answered {said.codes}")
        named_code = said.reason.rpartition(" ")[2]
        return CREDENTIALS.get(
            named_code, f"nothing that wallet_public_key proves came back: {said.reason}"
        )

    def parse_notification(
        self,
        headers: Mapping[str, str],
        body: bytes,
        *,
        target: str = "",
        received_at: datetime | None = None,
    ) -> AnyNews | IrrelevantEvent | ForeignEvent | Refused:
        """Verify over POST, the target and the raw bytes, then translate.

        Its time is signed and not judged: the family publishes no tolerance, what is sent again
        comes hours later, and twice the same news changes nothing.
        """
        if not target or not self._line.is_signed(headers, target, body):
            return Refused(reason="the signature is missing or wrong")
        if (why := self._line.strangeness(headers)) is not None:
            return ForeignEvent(why=why)
        said = read_said(body)
        return unread(body, "the body is no JSON object") if said is None else read_news(said, body)

    async def close(self) -> None:
        """Close the HTTP client it was given."""
        await self._line.close()
