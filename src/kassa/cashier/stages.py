"""Where a payment stands for the person who pays it, and which words say so."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from kassa.base.domain.lifecycle import AT_PROVIDER, OrderStatus, PaymentStatus
from kassa.orders.domain.orders import Order
from kassa.payments.domain.payments import Payment
from kassa.payments.domain.taken_back import NOTHING_TAKEN, TakenBack, Taking


@dataclass(frozen=True, slots=True)
class _Look:
    """`title`, `about`: keys of texts. `mood`: the picture. `refreshes`: news is on its way."""

    title: str
    about: str
    mood: str
    refreshes: bool = False
    shows_amount: bool = False


class Stage(Enum):
    UNPAID = _Look("unpaid_title", "unpaid_about", "over", shows_amount=True)
    WAITING = _Look("waiting_title", "waiting_about", "waiting", refreshes=True, shows_amount=True)
    PROCESSING = _Look(
        "processing_title", "processing_about", "waiting", refreshes=True, shows_amount=True
    )
    RESERVED = _Look("reserved_title", "reserved_about", "good", shows_amount=True)
    PAID = _Look("paid_title", "paid_about", "good", shows_amount=True)
    REFUNDED = _Look("refunded_title", "refunded_about", "over", shows_amount=True)
    DISPUTED = _Look("disputed_title", "disputed_about", "over", shows_amount=True)
    TAKEN_BACK = _Look("taken_back_title", "taken_back_about", "over", shows_amount=True)
    RETURNED = _Look("returned_title", "returned_about", "bad", shows_amount=True)
    PAID_BEFORE = _Look("paid_before_title", "paid_before_about", "good")
    SURPLUS = _Look("surplus_title", "surplus_about", "over", shows_amount=True)
    DECLINED = _Look("declined_title", "nothing_charged", "bad")
    REFUSED = _Look("declined_title", "final_about", "bad")
    EXPIRED = _Look("expired_title", "expired_about", "over")
    CLOSED = _Look("closed_title", "closed_about", "over")
    CANCELED = _Look("canceled_title", "canceled_about", "over")


PAYABLE = frozenset({Stage.UNPAID, Stage.WAITING, Stage.DECLINED})
"""The payer may choose a way to pay; everything else has a result to show."""


_OF_STATUS: Mapping[PaymentStatus, Stage] = {
    PaymentStatus.CREATED: Stage.UNPAID,
    PaymentStatus.REQUIRES_ACTION: Stage.WAITING,
    PaymentStatus.PROCESSING: Stage.PROCESSING,
    PaymentStatus.AUTHORIZED: Stage.RESERVED,
    PaymentStatus.CAPTURED: Stage.PAID,
    PaymentStatus.SETTLED: Stage.PAID,
    PaymentStatus.CANCELED: Stage.CANCELED,
    PaymentStatus.FAILED: Stage.DECLINED,
    PaymentStatus.EXPIRED: Stage.EXPIRED,
}
"""What each status looks like, where nothing else decides."""


_TAKEN: Mapping[Taking, Stage] = {
    Taking.DISPUTED: Stage.DISPUTED,
    Taking.DISPUTE_LOST: Stage.TAKEN_BACK,
    Taking.CHARGE_RETURNED: Stage.RETURNED,
}


def stage_of(
    order: Order,
    payment: Payment,
    *,
    expired: bool,
    closed: bool = False,
    taken: TakenBack = NOTHING_TAKEN,
) -> Stage:
    """`expired` is judged by the database's clock, also before the payment's row says so. `taken`:
    what the payer's bank has of it."""
    own = _OF_STATUS[payment.status]
    if payment.is_paid:
        return _paid(payment, own, taken)
    if payment.status in AT_PROVIDER:
        return own
    if order.status is OrderStatus.PAID:
        return Stage.PAID_BEFORE
    if closed:
        return Stage.CLOSED
    if payment.status is PaymentStatus.FAILED and not payment.is_open:
        return Stage.REFUSED
    if own is Stage.CANCELED or order.status is OrderStatus.CANCELED:
        return Stage.CANCELED
    if expired or order.status is OrderStatus.EXPIRED:
        return Stage.EXPIRED
    return own


def _paid(payment: Payment, own: Stage, taken: TakenBack) -> Stage:
    """It is complete while some of the money is there; the receipt has what of it is not."""
    if payment.surplus:
        return Stage.SURPLUS
    if taken.taking is not None and taken.leaves_nothing(payment):
        return _TAKEN[taken.taking]
    return Stage.REFUNDED if payment.refunded.minor >= payment.captured.minor > 0 else own


_WHY: Mapping[str, tuple[str, str]] = {
    "card_declined": ("why_card", "advice_bank"),
    "insufficient_funds": ("why_funds", "advice_card"),
    "expired_card": ("why_card_expired", "advice_card"),
    "incorrect_cvc": ("why_code", "advice_card"),
    "invalid_card_number": ("why_number", "advice_number"),
    "card_not_supported": ("why_not_test", "advice_test_card"),
    "payer_refused": ("why_by_payer", "advice_again"),
    "payer_too_late": ("why_too_late", "advice_again"),
    "not_received": ("why_lost", "advice_again"),
    "closed": ("why_too_late", "advice_again"),
    "currency_unsupported": ("why_unfit", "advice_other_way"),
    "amount_out_of_range": ("why_unfit", "advice_other_way"),
    "expired": ("why_little_time", "advice_other_way"),
    "user_not_exist": ("why_signed_out", "advice_sign_in"),
    "too_many_codes": ("why_many_codes", "advice_wait"),
    "user_status_abnormal": ("why_status", "advice_other_way"),
    "user_balance_not_enough": ("why_balance", "advice_top_up"),
    "amount_exceeds_limit": ("why_limit", "advice_other_way"),
    "amount_exceeds_daily_limit": ("why_daily_limit", "advice_other_way"),
    "provider_unavailable": ("why_unavailable", "advice_soon"),
}

_REFUSED: Mapping[str, tuple[str, str]] = {
    "provider_unavailable": ("why_unavailable", "advice_in"),
}
"""Before anything was sent it is known when a try may succeed."""


def why_declined(failure_code: str) -> tuple[str, str]:
    """Texts for a failed payment: the reason, and what to do next where something can be done."""
    return _WHY.get(failure_code, ("why_other", "advice_again"))


def why_refused(reason: str) -> tuple[str, str]:
    """Texts for a refusal before anything was sent: the reason, and what to do next."""
    return _REFUSED.get(reason) or _WHY.get(reason, ("why_refused", "advice_again"))
