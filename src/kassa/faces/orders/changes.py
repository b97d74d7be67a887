"""What a merchant may ask of a payment afterwards: claim it, let go of it, give it back."""

import re
from collections.abc import Mapping, Sequence
from typing import Annotated

import msgspec

from kassa.base.domain.errors import InvalidRequest
from kassa.base.domain.lifecycle import ModificationKind
from kassa.base.domain.money import Money, TooLarge, payable
from kassa.base.usecases.ids import stable_id
from kassa.faces import edge
from kassa.faces.orders.contract import FACE, UNREADABLE, wrong
from kassa.faces.orders.resources import deciding_payment
from kassa.identity.domain.permissions import Permission, demand
from kassa.identity.domain.principals import Principal
from kassa.modifications.usecases.modify_payment import ModifyPayment
from kassa.payments.domain.modifications import Modification
from kassa.payments.domain.payments import Payment

ACTIONS: Mapping[str, ModificationKind] = {
    "capture": ModificationKind.CAPTURE,
    "void": ModificationKind.VOID,
}
_NEEDED: Mapping[ModificationKind, Permission] = {
    ModificationKind.CAPTURE: Permission.ORDERS_CAPTURE,
    ModificationKind.VOID: Permission.ORDERS_VOID,
}
REFUND_SCOPE = "orders.refunds"
_AUTHORIZATION_SCOPE = "orders.authorization"
_SPEEDS = frozenset({"STANDARD", "INSTANT"})
_REFUND_ID = re.compile(r"[A-Za-z0-9_-]{3,40}")
_KEY, _SPEED = "idempotency_key", "refund_speed"  # members of a refund's extra

Note = Annotated[str, msgspec.Meta(min_length=3, max_length=100)]


class ChangeAuthorization(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """`amount`, in major units, and `is_last_capture` are a capture's alone. Null is absent."""

    action: str
    amount: edge.Number | None = None
    is_last_capture: bool | None = None


class CreateRefund(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """`refund_amount` is in major units. A member that is null is absent."""

    refund_amount: edge.Number
    refund_id: str | None = None
    refund_note: Note | None = None
    refund_speed: str | None = None


def demand_right(wanted: ChangeAuthorization, principal: Principal) -> None:
    """See that whoever may do one of the two may do the one that is asked for.

    Raises: PermissionDenied.
    """
    kind = ACTIONS.get(wanted.action.lower())
    if kind is not None:
        demand(principal.permissions, (_NEEDED[kind],))


def reserving_payment(payments: Sequence[Payment]) -> Payment:
    """The payment whose reservation is meant: one that had any, else the one that decides."""
    reserved = [payment for payment in payments if payment.authorized.minor and not payment.surplus]
    return _deciding(reserved or payments)


def refundable_payment(payments: Sequence[Payment]) -> Payment:
    """The payment that a refund is of: the one that paid the order, else the one that decides."""
    paying = [payment for payment in payments if payment.is_paid and not payment.surplus]
    return _deciding(paying or payments)


def _deciding(payments: Sequence[Payment]) -> Payment:
    return deciding_payment(payments) or payments[-1]


def read_change(
    wanted: ChangeAuthorization, payment: Payment, principal: Principal, key: str | None
) -> ModifyPayment:
    """The capture or void that is asked for. A key is good for one client's captures and voids.

    Raises: InvalidRequest.
    """
    kind = ACTIONS.get(wanted.action.lower())
    if kind is None:
        raise wrong("action", "CAPTURE or VOID is needed")
    if kind is ModificationKind.VOID:
        if wanted.amount is not None:
            raise wrong("amount", "a void lets go of all that is reserved: leave the amount out")
        if wanted.is_last_capture is not None:
            raise wrong("is_last_capture", "this is for captures alone")
    amount = wanted.amount
    return ModifyPayment(
        company_id=payment.company_id,
        payment_id=payment.id,
        kind=kind,
        amount=None if amount is None else _money(amount, payment, "amount"),
        actor=principal.actor,
        face=FACE,
        request_scope=f"{_AUTHORIZATION_SCOPE}:{principal.credential}",
        request_id=key,
        is_last=wanted.is_last_capture is not False,
        rest=True,
    )


def read_refund(
    wanted: CreateRefund, payment: Payment, principal: Principal, key: str | None, fresh_id: str
) -> ModifyPayment:
    """The refund that is asked for. Without a refund_id it is named by the key, or `fresh_id`.

    Raises: InvalidRequest.
    """
    refund_id = wanted.refund_id
    if refund_id is not None and not _REFUND_ID.fullmatch(refund_id):
        raise wrong("refund_id", "3 to 40 of letters, digits, _ and - are needed")
    if UNREADABLE.search(wanted.refund_note or ""):
        raise wrong("refund_note", "control characters are not allowed")
    if wanted.refund_speed not in (None, *_SPEEDS):
        raise wrong("refund_speed", "STANDARD or INSTANT is needed")
    if refund_id is None and key is not None:
        refund_id = stable_id("refund", principal.company.id, principal.credential, key)
    return ModifyPayment(
        company_id=payment.company_id,
        payment_id=payment.id,
        kind=ModificationKind.REFUND,
        amount=_money(wanted.refund_amount, payment, "refund_amount"),
        actor=principal.actor,
        face=FACE,
        request_scope=REFUND_SCOPE,
        request_id=refund_id or fresh_id,
        reason=wanted.refund_note or "",
        extra={
            _SPEED: wanted.refund_speed or "STANDARD",
            _KEY: f"{principal.credential} {key}" if key is not None else "",
        },
    )


def says_the_same(wanted: ModifyPayment, found: Modification) -> bool:
    """Whether a refund of this id is the one that is asked for, as far as no use case knows."""
    return bool(found.extra.get(_SPEED) == wanted.extra[_SPEED])


def uses_key_of_another(wanted: ModifyPayment, done: Sequence[Modification]) -> bool:
    """Whether the idempotency key has named another refund among `done` before."""
    key = wanted.extra[_KEY]
    return bool(key) and any(
        item.request_scope == REFUND_SCOPE
        and item.extra.get(_KEY) == key
        and item.request_id != wanted.request_id
        for item in done
    )


def asked_speed(refund: Modification) -> str:
    """The speed that was asked for; what other interfaces asked for has none."""
    return str(refund.extra.get(_SPEED, "STANDARD"))


def _money(amount: edge.Number, payment: Payment, field: str) -> Money:
    try:
        return payable(Money.from_major(amount, payment.amount.currency))
    except TooLarge as error:
        error.field, error.reason = field, "value"  # told by the member's name, as by `wrong`
        raise
    except InvalidRequest as error:
        raise wrong(field, error.message) from None
