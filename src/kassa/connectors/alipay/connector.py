"""Alipay as a connector: an address to pay at, refunds, queries, bills, and notifications.

Source: opendocs.alipay.com on alipay.trade.page.pay, alipay.trade.wap.pay and alipay.trade.app.pay;
for what else is asked see trades.py, refunds.py, bills.py and notifications.py.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import ClassVar
from urllib.parse import urlencode

from kassa.connectors.alipay.answers import Unverified, Verified, read_answer
from kassa.connectors.alipay.bills import (
    BILL,
    MAX_ZIP_BYTES,
    bill_address,
    bill_content,
    unpack_bill,
)
from kassa.connectors.alipay.codes import code_told, is_by_code, is_optional
from kassa.connectors.alipay.notifications import read_notification
from kassa.connectors.alipay.orders import (
    APP,
    PAGE,
    PRODUCTS,
    Product,
    code_order,
    order_parameters,
    refusal,
)
from kassa.connectors.alipay.parameters import common_parameters
from kassa.connectors.alipay.refunds import (
    REFUND,
    REFUND_QUERY,
    impossible,
    question_content,
    question_told,
    refund_content,
    refund_told,
)
from kassa.connectors.alipay.rsa2 import AlipaySigner, AlipayVerifier, request_text, signed_query
from kassa.connectors.alipay.trades import CLOSE, QUERY, close_told, query_told, trade_content
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
    ModificationOutcome,
    ModificationRequest,
    NotSent,
    Outcome,
    Refused,
    Report,
    Unknown,
)
from kassa.connectors.earlier import Earlier
from kassa.connectors.http import Answered, NoAnswer, ProviderHttp
from kassa.connectors.kind import Tools
from kassa.connectors.payer import plain

_NOBODYS_KEY = "kassa_asks_whether_its_credentials_are_right"  # no key of ours looks like it
_PROBLEMS: Mapping[str, str] = {
    "isv.invalid-app-id": "Alipay knows no application of this app_id",
    "isv.missing-app-id": "Alipay knows no application of this app_id",
    "isv.invalid-signature": "Alipay does not accept private_key for this app_id: upload the"
    " public key that belongs to it",
    "isv.missing-signature-key": "the application has no public key at Alipay yet: upload ours",
    "isv.missing-signature-config": "the application has no public key at Alipay yet: upload ours",
    "isv.insufficient-isv-permissions": "the application may not use Alipay's payments yet",
    "isv.app-inactive": "the application is not active at Alipay",
}


def _now() -> datetime:
    return datetime.now(UTC)


def _said_earlier(settings: Mapping[str, str]) -> list[Earlier]:
    """The key before the last that somebody named. Raises: ValueError."""
    key, until = (settings[name] for name in ("earlier_public_key", "earlier_public_key_until"))
    if not key:
        return []
    try:
        return [Earlier(key, datetime.combine(date.fromisoformat(until), time(), UTC))]
    except ValueError:
        raise ValueError("earlier_public_key_until must be a date such as 2026-12-03") from None


class AlipayConnector:
    """`gateway`: such as "https://openapi.alipay.com/gateway.do". `seller_id`: when given,
    notifications for any other seller are foreign. `clock`: dates queries. `earlier`: Alipay's
    public keys before the last, until when they are believed.
    """

    name: ClassVar[str] = "alipay"
    acknowledgement: ClassVar[tuple[str, bytes]] = ("text/plain", b"success")
    # The trade appears when the payer opens the address, and a retry makes a fresh one.
    # By a code Alipay is asked at once; a trade that it does not know when nobody waits for its
    # answer any more never got there, so what `signs_addresses` permits holds for that as well.
    not_found_final_after: ClassVar[timedelta | None] = None
    signs_addresses: ClassVar[bool] = True

    def __init__(
        self,
        *,
        app_id: str,
        private_key_pem: str,
        alipay_public_key_pem: str,
        gateway: str,
        seller_id: str = "",
        http: ProviderHttp,
        clock: Callable[[], datetime] = _now,
        earlier: Sequence[Earlier] = (),
    ):
        """Raises: ValueError when a key cannot be used."""
        self._app_id = app_id
        self._signer = AlipaySigner(private_key_pem)
        self._verifier = AlipayVerifier(alipay_public_key_pem, earlier, clock)
        self._gateway = gateway
        self._seller_id = seller_id
        self._http = http
        self._clock = clock

    @classmethod
    def from_settings(cls, settings: Mapping[str, str], tools: Tools) -> "AlipayConnector":
        """Raises: ValueError when a key cannot be used."""
        return cls(
            app_id=settings["app_id"],
            private_key_pem=settings["private_key"],
            alipay_public_key_pem=settings["alipay_public_key"],
            gateway=settings["base_url"],
            seller_id=settings["seller_id"],
            http=tools.http,
            clock=tools.clock,
            earlier=[*tools.earlier.get("alipay_public_key", ()), *_said_earlier(settings)],
        )

    async def charge(self, request: ChargeRequest) -> Outcome:
        """An address where the payer can pay; `instrument` "wap" gives the one for phones.

        With `instrument` "app" it is no address but an order string, for an app that hands it to
        Alipay's SDK: no browser may be sent there. Alipay hears nothing of any of them until the
        payer comes with it, so a repeat under the same key merely makes a fresh one.
        """
        if is_by_code(request):
            return await self._by_code(request)
        product = PRODUCTS.get(request.instrument, PAGE)
        return await asyncio.to_thread(self.payment_address, request, product)

    async def _by_code(self, request: ChargeRequest) -> Outcome:
        """Alipay is asked: for a code to scan, or to take the payment by the payer's own."""
        if (declined := refusal(request)) is not None:
            return declined
        method, content, closes_at = code_order(request)
        answer = await self._ask(method, content, request.notify_url)
        if isinstance(answer, Verified) and is_optional(answer):
            # Nothing was made, and one trade is all that there can be under our key.
            method, content, _ = code_order(plain(request))
            answer = await self._ask(method, content, request.notify_url)
        if not isinstance(answer, Verified):
            return answer
        outcome = code_told(answer, request, closes_at)
        if outcome is not None:
            return outcome
        known = await self.query(request.key)
        missing = InDoubt(reason="Alipay has the trade, and does not show it")
        return missing if isinstance(known, Unknown) else known

    def payment_address(
        self, request: ChargeRequest, product: Product = PAGE
    ) -> ActionNeeded | Declined:
        """The same without a thread; signing takes about a millisecond."""
        declined = refusal(request)
        if declined is not None:
            return declined
        parameters, expires_at = order_parameters(request, product, self._app_id)
        order = signed_query(parameters, self._signer.sign(request_text(parameters)))
        url = order if product is APP else self._join(order)
        return ActionNeeded(reference="", url=url, expires_at=expires_at)

    async def query(self, key: str, known: KnownCharge = NOTHING_KNOWN) -> Outcome:
        """What Alipay says of `key`. Unknown also means: the payer never opened the address."""
        answer = await self._ask(QUERY, trade_content(key))
        return query_told(answer, key) if isinstance(answer, Verified) else answer

    async def close_charge(self, key: str, known: KnownCharge = NOTHING_KNOWN) -> Outcome:
        """Let nobody pay `key` any more. Alipay closes no trade that does not exist yet: an
        address that was never opened stays good until it expires."""
        answer = await self._ask(CLOSE, trade_content(key))
        if not isinstance(answer, Verified):
            return answer
        outcome = close_told(answer, key)
        return await self.query(key, known) if outcome is None else outcome

    async def report(self, day: date) -> Report | NotSent | InDoubt | Unknown:
        """The bill of trades of China's `day`, unpacked."""
        answer = await self._ask(BILL, bill_content(day))
        if not isinstance(answer, Verified):
            return answer
        url = bill_address(answer, self._gateway)
        if not isinstance(url, str):
            return url
        file = await self._http.get(url, headers={}, max_body_bytes=MAX_ZIP_BYTES)
        match file:
            case NotSent():
                return file
            case NoAnswer():
                return file.doubt
            case Answered(status=200, body=content):
                return await asyncio.to_thread(unpack_bill, content, day)
            case Answered(status=status):
                return InDoubt(reason=f"Alipay's bill came with HTTP status {status}")

    async def probe(self) -> str:
        """Ask for a trade that cannot exist: only who holds both keys gets a signed "no"."""
        answer = await self._ask(QUERY, trade_content(_NOBODYS_KEY))
        if isinstance(answer, Verified):
            if isinstance(query_told(answer, _NOBODYS_KEY), Unknown):
                return ""
            said = answer.codes
        else:
            said = answer.reason
        found = next((words for code, words in _PROBLEMS.items() if code in said), "")
        if found or isinstance(answer, Verified):
            return found or f"Alipay answered {said}"
        if isinstance(answer, NotSent):
            return f"Alipay cannot be reached at base_url: {said}"
        return f"nothing that alipay_public_key proves came back: {said}"

    async def refund(self, request: ModificationRequest) -> ModificationOutcome:
        """Give back `request.amount`. Alipay wants 3 seconds between two refunds of one trade.

        A refusal is final and sets money free here. So when Alipay refuses, it is asked whether
        the refund was made all the same: by an earlier request, after which a fully refunded
        trade is closed and a repeat may well be too much.
        """
        declined = impossible(request)
        if declined is not None:
            return declined
        answer = await self._ask(REFUND, refund_content(request))
        if not isinstance(answer, Verified):
            return answer
        outcome = refund_told(answer, request)
        if not isinstance(outcome, Declined):
            return outcome
        made = await self.query_modification(request)
        match made:
            case Unknown():
                return outcome
            case NotSent():
                return InDoubt(reason="Alipay refused, and could not be asked what it had done")
            case _:
                return made

    async def query_modification(self, request: ModificationRequest) -> ModificationOutcome:
        """What became of the refund sent under `request.key`?

        Alipay wants this asked 10 seconds after the refund, or later. Unknown also means that
        it failed: Alipay wants the same request again then.
        """
        declined = impossible(request)
        if declined is not None:
            return declined
        answer = await self._ask(REFUND_QUERY, question_content(request))
        return question_told(answer, request) if isinstance(answer, Verified) else answer

    async def _ask(
        self, method: str, content: str, notify_url: str = ""
    ) -> Verified | NotSent | InDoubt:
        """Call `method` and verify what it answers."""
        url = await asyncio.to_thread(self._call_address, method, content, notify_url)
        headers = {"Content-Type": "application/x-www-form-urlencoded;charset=utf-8"}
        body = urlencode({"biz_content": content}).encode()
        answer = await self._http.post(url, headers=headers, body=body)
        match answer:
            case NotSent():
                return answer
            case NoAnswer():
                return answer.doubt
            case Answered(status=200, body=text):
                node = f"{method.replace('.', '_')}_response"
                read = read_answer(text, node, self._verifier)
                return InDoubt(reason=read.reason) if isinstance(read, Unverified) else read
            case Answered(status=status):
                return InDoubt(reason=f"Alipay answered with HTTP status {status}")

    def _call_address(self, method: str, content: str, notify_url: str) -> str:
        """Only `biz_content` travels in the body; the signature covers both places."""
        parameters = common_parameters(self._app_id, method, self._clock())
        if notify_url:
            parameters["notify_url"] = notify_url
        signature = self._signer.sign(request_text({**parameters, "biz_content": content}))
        return self._join(signed_query(parameters, signature))

    def _join(self, query: str) -> str:
        return f"{self._gateway}{'&' if '?' in self._gateway else '?'}{query}"

    def parse_notification(
        self,
        headers: Mapping[str, str],
        body: bytes,
        *,
        target: str = "",
        received_at: datetime | None = None,
    ) -> AnyNews | IrrelevantEvent | ForeignEvent | Refused:
        """Verify the form over its decoded values, then translate it."""
        return read_notification(
            body, self._verifier, app_id=self._app_id, seller_id=self._seller_id
        )

    async def close(self) -> None:
        """Close the HTTP client it was given."""
        await self._http.close()
