"""Read requests of the wallet face: JSON members in, checked values or a refusal out."""

import re
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, UnsetType

from kassa.base.domain.errors import InvalidRequest
from kassa.base.domain.money import EXPONENT, Money, TooLarge
from kassa.faces import edge
from kassa.faces.wallet.order import ShownOrder, kept
from kassa.faces.wallet.signature import parse_moment

CASHIER = "51051000101000000011"
AUTHORIZE_THEN_CAPTURE = "51051000101000000012"
AGREEMENT = "51051000101000100031"

NOT_THIS_API = "function_not_match"
"""Reason of a refusal of the whole shape: another API's, or a scenario that is not offered."""

_MAX_DEPTH = 32  # the dictionary's deepest member stands at 7
_AMOUNT = re.compile(r"[1-9][0-9]{0,15}", re.ASCII)
_HUGE = re.compile(r"[1-9][0-9]{16,39}", re.ASCII)
_WEB_ADDRESS = re.compile(r"https?://[A-Za-z0-9.\[\]:_-]{1,300}+(?:[/?#][!-\[\]-~]*+)?")
_REQUIRED = ("productCode", "paymentRequestId", "paymentAmount", "order")
EVALUATION, AUTHORIZATION = "isPaymentEvaluation", "isAuthorizationPayment"
_SUPPORTED_FACTORS = frozenset({"isCashierPayment", "isAgreementPay", EVALUATION, AUTHORIZATION})

Members = dict[str, Any]
Id = Annotated[str, Meta(min_length=1, max_length=64)]
Url = Annotated[str, Meta(max_length=1024)]


class Shape(msgspec.Struct, rename="camel", kw_only=True):
    """Wire names are camelCase; unknown members are accepted and ignored (README)."""


class WalletAmount(Shape):
    currency: str
    value: str | int


class PayRequest(Shape):
    product_code: Annotated[str, Meta(max_length=32)]
    payment_request_id: Id
    payment_amount: WalletAmount
    order: ShownOrder
    payment_expiry_time: str | UnsetType = UNSET
    payment_notify_url: Url = ""
    payment_redirect_url: Url = ""
    payment_return_url: Url = ""
    payment_auth_code: Annotated[str, Meta(max_length=128)] = ""
    payment_factor: dict[str, Any] = {}


class InquiryRequest(Shape):
    payment_id: Id | UnsetType = UNSET
    payment_request_id: Id | UnsetType = UNSET


@dataclass(frozen=True, slots=True, kw_only=True)
class Pay:
    """A pay request understood. `auth_code` is a secret and has no place in any text.

    `reserves`: authorize now, capture later. `is_evaluation`: only say what pay would come to.
    """

    product_code: str
    request_id: str
    amount: Money
    order: dict[str, Any]
    description: str
    buyer_id: str
    expires_at: datetime | None
    notify_url: str
    return_url: str
    auth_code: str = field(repr=False)
    reserves: bool
    is_evaluation: bool

    def __repr__(self) -> str:
        return f"Pay(request_id={self.request_id!r})"


@dataclass(frozen=True, slots=True)
class Inquiry:
    """At least one is given; `payment_id` wins."""

    payment_id: str | None
    request_id: str | None


def read_members(body: bytes) -> dict[str, Any]:
    """The JSON object in `body`; a member that is null counts as absent.

    Raises: InvalidRequest.
    """
    members = _present(edge.parse_json(body), 0)
    if not isinstance(members, dict):
        raise InvalidRequest("the body must be a JSON object", reason=NOT_THIS_API)
    return members


def _present(value: Any, depth: int) -> Any:
    """`value` without nulls, and surely storable: nothing nested deep."""
    if depth > _MAX_DEPTH:
        raise InvalidRequest("the JSON is nested too deeply", reason="json_malformed")
    if isinstance(value, list):
        return [_present(item, depth + 1) for item in value]
    if isinstance(value, dict):
        return {name: _present(item, depth + 1) for name, item in value.items() if item is not None}
    return value


def read_pay(members: dict[str, Any]) -> Pay:
    """What a merchant wants paid.

    Raises: InvalidRequest, with reason NOT_THIS_API when the shape is not one of pay.
    """
    require(members, _REQUIRED)
    require_amount(members, "paymentAmount")
    sent = edge.convert(_with_goods_listed(members), PayRequest)
    _check_scenario(sent)
    buyer = sent.order.buyer
    return Pay(
        product_code=sent.product_code,
        request_id=read_id(sent.payment_request_id, "paymentRequestId"),
        amount=read_amount(sent.payment_amount, "paymentAmount"),
        order=kept(sent.order),
        description=sent.order.order_description or "",
        buyer_id=(buyer.reference_buyer_id or "") if buyer else "",
        expires_at=_read_expiry(sent.payment_expiry_time),
        notify_url=sent.payment_notify_url,
        return_url=_read_return_url(sent),
        auth_code=sent.payment_auth_code,
        reserves=sent.product_code == AUTHORIZE_THEN_CAPTURE,
        is_evaluation=bool(sent.payment_factor.get(EVALUATION)),
    )


def require(members: dict[str, Any], names: tuple[str, ...], inside: str = "") -> None:
    for name in names:
        if name not in members:
            field = inside + name
            raise InvalidRequest(f"{field} is required", field=field, reason=NOT_THIS_API)


def require_amount(members: dict[str, Any], name: str) -> None:
    if isinstance(members.get(name), dict):
        require(members[name], ("currency", "value"), f"{name}.")


def _with_goods_listed(members: dict[str, Any]) -> dict[str, Any]:
    order = members["order"]
    if isinstance(order, dict) and isinstance(order.get("goods"), dict):
        return {**members, "order": {**order, "goods": [order["goods"]]}}
    return members


def _check_scenario(sent: PayRequest) -> None:
    """Refuse what would not be the payment that was asked for."""
    if sent.product_code not in (CASHIER, AUTHORIZE_THEN_CAPTURE, AGREEMENT):
        raise InvalidRequest(
            f"productCode must be {CASHIER} (cashier), {AUTHORIZE_THEN_CAPTURE} (authorize now,"
            f" capture later) or {AGREEMENT} (agreement payment)",
            field="productCode",
            reason=NOT_THIS_API,
        )
    for name, wanted in sent.payment_factor.items():
        if wanted is not False and name not in _SUPPORTED_FACTORS:
            field = f"paymentFactor.{name}"
            raise InvalidRequest(f"{field} is not offered yet", field=field, reason=NOT_THIS_API)
        if not isinstance(wanted, bool):
            raise InvalidRequest(f"paymentFactor.{name} must be true or false", reason="schema")
    if sent.payment_factor.get(AUTHORIZATION) and sent.product_code != AUTHORIZE_THEN_CAPTURE:
        field = f"paymentFactor.{AUTHORIZATION}"
        raise InvalidRequest(
            f"{field} needs the productCode {AUTHORIZE_THEN_CAPTURE}",
            field=field,
            reason=NOT_THIS_API,
        )
    by_agreement = sent.product_code == AGREEMENT or sent.payment_factor.get("isAgreementPay")
    if by_agreement and not sent.payment_auth_code:
        raise InvalidRequest(
            "paymentAuthCode is required for an agreement payment",
            field="paymentAuthCode",
            reason=NOT_THIS_API,
        )


def read_id(text: str, field: str) -> str:
    if not text.isprintable() or text != text.strip():
        raise InvalidRequest(
            f"{field} must be printable, without blanks around it", field=field, reason="schema"
        )
    return text


def read_amount(sent: WalletAmount, field: str) -> Money:
    value = str(sent.value)
    if _HUGE.fullmatch(value) and sent.currency in EXPONENT:
        raise TooLarge(sent.currency)
    if not _AMOUNT.fullmatch(value):
        raise InvalidRequest(
            f"{field}.value must be a whole number of the currency's smallest unit,"
            " more than zero, of at most 16 digits, without sign, point or leading zeros",
            field=f"{field}.value",
            reason="amount_invalid",
        )
    return Money.from_minor(int(value), sent.currency)


def _read_expiry(text: str | UnsetType) -> datetime | None:
    """Whether it is past is asked once, by the database's clock, when the order is created."""
    if text is UNSET:
        return None
    moment = parse_moment(text)
    if moment is None:
        raise InvalidRequest(
            "paymentExpiryTime must be ISO 8601 with a zone, such as 2020-06-08T12:12:12+08:00",
            field="paymentExpiryTime",
            reason="time_invalid",
        )
    return moment


def _read_return_url(sent: PayRequest) -> str:
    """Where the cashier sends the payer back to; a script or a file is not a place to go."""
    url = sent.payment_redirect_url or sent.payment_return_url
    if sent.payment_return_url not in ("", url):
        raise InvalidRequest(
            "paymentRedirectUrl and paymentReturnUrl are one address, and differ",
            field="paymentReturnUrl",
            reason="url_refused",
        )
    if url:
        field = "paymentRedirectUrl" if sent.payment_redirect_url else "paymentReturnUrl"
        check_web_address(url, field)
    return url


def check_web_address(url: str, field: str) -> None:
    """Raises: InvalidRequest for what no browser may be sent to."""
    if not _WEB_ADDRESS.fullmatch(url):
        raise InvalidRequest(
            f"{field} must be an absolute http or https address in ASCII without blanks",
            field=field,
            reason="url_refused",
        )


def read_inquiry(members: dict[str, Any]) -> Inquiry:
    """Which payment is asked about.

    Raises: InvalidRequest, with reason NOT_THIS_API when nothing names one.
    """
    sent = edge.convert(members, InquiryRequest)
    if sent.payment_id is UNSET and sent.payment_request_id is UNSET:
        raise InvalidRequest("paymentId or paymentRequestId is required", reason=NOT_THIS_API)
    return Inquiry(sent.payment_id or None, sent.payment_request_id or None)
