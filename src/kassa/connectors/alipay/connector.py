"""Alipay as a connector: an address to pay at, refunds, queries, and notifications.

Source: opendocs.alipay.com on alipay.trade.page.pay, alipay.trade.wap.pay, alipay.trade.query
and asynchronous notifications; for refunds see refunds.py.
"""

import asyncio
import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import ClassVar
from urllib.parse import parse_qsl, urlencode

from kassa.connectors.alipay.answers import Unverified, Verified, read_answer
from kassa.connectors.alipay.orders import PAGE, WAP, Product, order_parameters, refusal
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
from kassa.connectors.alipay.rsa2 import (
    Signer,
    Verifier,
    notification_texts,
    request_text,
    signed_query,
)
from kassa.connectors.base import (
    ActionNeeded,
    Captured,
    ChargeRequest,
    Declined,
    InDoubt,
    ModificationOutcome,
    ModificationRequest,
    News,
    NotSent,
    Outcome,
    Pending,
    Refused,
    Unknown,
)
from kassa.connectors.http import Answered, NoAnswer, ProviderHttp
from kassa.domain.errors import InvalidRequest
from kassa.domain.money import Money

_TRADE_STATUS: Mapping[str, type[Captured | Pending | Declined]] = {
    "WAIT_BUYER_PAY": Pending,  # the payer opened the cashier and has not paid
    "TRADE_SUCCESS": Captured,  # paid; stays so after a partial refund
    "TRADE_FINISHED": Captured,  # paid, and too late for a refund
    "TRADE_CLOSED": Declined,  # closed unpaid; after a full refund see `_PAID_MARKS`
}
_PAID_MARKS = ("send_pay_date", "gmt_payment", "gmt_refund")
"""Members that only a trade once paid carries: its closing was a refund, not a refusal."""

_SUCCESS = "10000"
_NOT_EXIST = frozenset({"ACQ.TRADE_NOT_EXIST", "aop.ACQ.TRADE_NOT_EXIST"})
_QUERY = "alipay.trade.query"
_MAX_NOTIFICATION_FIELDS = 100
_REQUIRED_NEWS = ("notify_id", "out_trade_no", "trade_no", "trade_status", "total_amount")


def _now() -> datetime:
    return datetime.now(UTC)


class AlipayConnector:
    """`gateway`: such as "https://openapi.alipay.com/gateway.do". `seller_id`: when given,
    notifications for any other seller are refused. `clock`: dates queries, decides nothing.
    """

    name: ClassVar[str] = "alipay"
    acknowledgement: ClassVar[tuple[str, bytes]] = ("text/plain", b"success")
    # The trade appears when the payer opens the address, and a retry makes a fresh one.
    not_found_final_after: ClassVar[timedelta | None] = None

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
    ):
        """Raises: ValueError when a key cannot be used."""
        self._app_id = app_id
        self._signer = Signer(private_key_pem)
        self._verifier = Verifier(alipay_public_key_pem)
        self._gateway = gateway
        self._seller_id = seller_id
        self._http = http
        self._clock = clock

    async def charge(self, request: ChargeRequest) -> Outcome:
        """An address where the payer can pay; `instrument` "wap" gives the one for phones.

        Alipay hears nothing of it until the payer opens the address, so a repeat under the same
        key merely makes a fresh one.
        """
        product = WAP if request.instrument == "wap" else PAGE
        return await asyncio.to_thread(self.payment_address, request, product)

    def payment_address(
        self, request: ChargeRequest, product: Product = PAGE
    ) -> ActionNeeded | Declined:
        """The same without a thread; signing takes about a millisecond."""
        declined = refusal(request)
        if declined is not None:
            return declined
        parameters, expires_at = order_parameters(request, product, self._app_id)
        return ActionNeeded(reference="", url=self._address(parameters), expires_at=expires_at)

    async def query(self, key: str) -> Outcome:
        """What Alipay says of `key`. Unknown also means: the payer never opened the address."""
        answer = await self._ask(_QUERY, json.dumps({"out_trade_no": key}, separators=(",", ":")))
        return _told(answer, key) if isinstance(answer, Verified) else answer

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

    async def _ask(self, method: str, content: str) -> Verified | NotSent | InDoubt:
        """Call `method` and verify what it answers."""
        url = await asyncio.to_thread(self._call_address, method, content)
        headers = {"Content-Type": "application/x-www-form-urlencoded;charset=utf-8"}
        body = urlencode({"biz_content": content}).encode()
        answer = await self._http.post(url, headers=headers, body=body)
        match answer:
            case NotSent():
                return answer
            case NoAnswer(reason=reason):
                return InDoubt(reason=reason)
            case Answered(status=200, body=text):
                node = f"{method.replace('.', '_')}_response"
                read = read_answer(text, node, self._verifier)
                return InDoubt(reason=read.reason) if isinstance(read, Unverified) else read
            case Answered(status=status):
                return InDoubt(reason=f"Alipay answered with HTTP status {status}")

    def _call_address(self, method: str, content: str) -> str:
        """Only `biz_content` travels in the body; the signature covers both places."""
        parameters = common_parameters(self._app_id, method, self._clock())
        signature = self._signer.sign(request_text({**parameters, "biz_content": content}))
        return self._join(signed_query(parameters, signature))

    def _address(self, parameters: Mapping[str, str]) -> str:
        return self._join(signed_query(parameters, self._signer.sign(request_text(parameters))))

    def _join(self, query: str) -> str:
        return f"{self._gateway}{'&' if '?' in self._gateway else '?'}{query}"

    def parse_notification(self, headers: Mapping[str, str], body: bytes) -> News | Refused:
        """Verify the form over its decoded values, then translate it.

        That the amount and the key are ours is for the caller to check: both are in the news.
        """
        fields = _read_form(body)
        if fields is None:
            return Refused(reason="the body is not a form with each field once")
        if fields.get("sign_type", "RSA2") != "RSA2":
            return Refused(reason="not signed with RSA2")
        if not self._verifier.accepts(fields.get("sign", ""), *notification_texts(fields)):
            return Refused(reason="the signature is missing or wrong")
        if fields.get("app_id") != self._app_id:
            return Refused(reason="for another app_id")
        if self._seller_id and fields.get("seller_id") != self._seller_id:
            return Refused(reason="for another seller_id")
        missing = [name for name in _REQUIRED_NEWS if not fields.get(name)]
        if missing:
            return Refused(reason=f"fields are missing: {', '.join(missing)}")
        return News(
            dedupe_key=fields["notify_id"], key=fields["out_trade_no"], outcome=_outcome(fields)
        )

    async def close(self) -> None:
        """Close the HTTP client it was given."""
        await self._http.close()


def _told(answer: Verified, key: str) -> Outcome:
    """What a query's answer means for the trade under `key`."""
    if answer.word("sub_code") in _NOT_EXIST:
        return Unknown(reason="Alipay knows no trade under this key")
    if answer.word("code") != _SUCCESS:
        return InDoubt(reason=f"Alipay answered {answer.codes}")
    if answer.word("out_trade_no") != key:
        return InDoubt(reason="Alipay answered about another trade")
    return _outcome({name: answer.word(name) for name in answer.fields})


def _outcome(trade: Mapping[str, str]) -> Outcome:
    """A verified trade's status in our words."""
    word, reference = trade.get("trade_status", ""), trade.get("trade_no", "")
    kind = _TRADE_STATUS.get(word)
    if kind is None or not reference:
        return InDoubt(reason="Alipay sent an unknown trade status or no trade number")
    if kind is Pending:
        return Pending(reference=reference)
    if kind is Captured:
        try:
            amount = Money.from_major(trade.get("total_amount", ""), "CNY")
        except InvalidRequest:
            return InDoubt(reason="Alipay sent an amount that cannot be read")
        return Captured(reference=reference, amount=amount)
    if any(trade.get(mark) for mark in _PAID_MARKS):
        return InDoubt(reason="closed at Alipay after it had been paid: refunded there")
    return Declined(
        code="closed",
        message="The Alipay trade was closed before it was paid.",
        reference=reference,
        provider_code=word,
    )


def _read_form(body: bytes) -> Mapping[str, str] | None:
    try:
        pairs = parse_qsl(
            body.decode("ascii"),
            keep_blank_values=True,
            strict_parsing=True,
            errors="strict",
            max_num_fields=_MAX_NOTIFICATION_FIELDS,
        )
    except ValueError:
        return None
    fields = dict(pairs)
    return fields if len(fields) == len(pairs) else None
