"""The wallet's words in ours: result codes, payment statuses, statuses of changes.

A word that is in no table leaves us in doubt.
"""

from collections.abc import Mapping

from kassa.connectors.base import Declined, InDoubt, NotSent
from kassa.connectors.wallet.said import F, WalletAnswer

ACCEPTED = frozenset({"SUCCESS", "REPEAT_REQUEST", "ACCEPT"})
"""Codes of S and A: a repeat of an open order is as good as its first acceptance."""

NO_ORDER = "ORDER_NOT_EXIST"
NO_REFUND = "REFUND_NOT_EXIST"
NO_API = frozenset({"NO_INTERFACE_DEF", "INVALID_API"})

_LIMIT = ("amount_out_of_range", "The amount is more than the wallet allows.")
_CODE = ("code_refused", "The wallet does not accept this code.")
_USER = ("user_status_abnormal", "The wallet does not let this user pay now.")
_PARTNER = "the wallet knows no partner of this client, or has closed it"
_SIGNATURE = "the wallet does not accept private_key, or not under this key_version"
_CLIENT = "the wallet knows no client of this client_id"

DECLINES: Mapping[str, tuple[str, str]] = {
    "USER_BALANCE_NOT_ENOUGH": (
        "insufficient_funds",
        "There is not enough money in the wallet for this payment.",
    ),
    "USER_NOT_EXIST": ("user_not_exist", "The wallet knows no such user."),
    "USER_STATUS_ABNORMAL": _USER,
    "PAYMENT_AMOUNT_EXCEED_LIMIT": _LIMIT,
    "USER_AMOUNT_EXCEED_LIMIT": _LIMIT,
    "PAYMENT_COUNT_EXCEED_LIMIT": _LIMIT,
    "RISK_REJECT": ("risk_refused", "The wallet refuses this payment."),
    "INVALID_CODE": _CODE,
    "AUTH_CODE_ALREADY_USED": _CODE,
    "INVALID_ACCESS_TOKEN": _CODE,
    "EXPIRED_ACCESS_TOKEN": _CODE,
    "INVALID_TOKEN": _CODE,
    "ORDER_IS_CLOSED": ("closed", "The wallet's order was closed before it was paid."),
    "PROCESS_FAIL": ("payment_refused", "The wallet could not make this payment."),
}
"""A payment that the wallet refuses for good, whoever is asked next."""

SOFT: Mapping[str, tuple[str, str]] = {
    "CURRENCY_NOT_SUPPORT": ("currency_unsupported", "The wallet does not take this currency."),
    "FUNCTION_NOT_MATCH": ("request_refused", "The wallet does not offer this kind of payment."),
    "PARAM_ILLEGAL": ("request_refused", "The wallet could not read the payment."),
    "MSG_PARSE_ERROR": ("request_refused", "The wallet could not read the payment."),
}
"""A payment that this wallet does not take; another provider may."""

CREDENTIALS: Mapping[str, str] = {
    "INVALID_SIGNATURE": _SIGNATURE,
    "SIGNATURE_INVALID": _SIGNATURE,
    "KEY_NOT_FOUND": _SIGNATURE,
    "INVALID_CLIENT": _CLIENT,
    "CLIENT_INVALID": _CLIENT,
    "INVALID_CLIENT_STATUS": "the wallet has disabled this client",
    "PARTNER_NOT_EXIST": _PARTNER,
    "PARTNER_STATUS_ABNORMAL": _PARTNER,
    "ACCESS_DENIED": "the wallet does not let this client do that",
    "NO_INTERFACE_DEF": "the wallet has no such interface under base_url",
    "INVALID_API": "the wallet has no such interface under base_url",
    "METHOD_NOT_SUPPORTED": "the wallet has no such interface under base_url",
    "MEDIA_TYPE_NOT_ACCEPTABLE": "the wallet has no such interface under base_url",
    "TIMESTAMP_INVALID": "the wallet's clock and this machine's are too far apart",
}
"""What is wrong between us and the wallet: refused before anything was done."""

_FUNDS = ("amount_too_large", "The wallet does not accept this amount for the payment.")
_STATE = ("charge_not_refundable", "The wallet cannot do this with the payment now.")

CHANGE_DECLINES: Mapping[str, tuple[str, str]] = {
    "PARTNER_BALANCE_NOT_ENOUGH": (
        "balance_too_low",
        "There is not enough money on the account at the wallet to refund from.",
    ),
    "REFUND_AMOUNT_EXCEED": _FUNDS,
    "REFUND_WINDOW_EXCEED": ("refund_too_late", "The wallet refunds this payment no more."),
    "REFUND_NOT_ALLOWED": ("refund_not_allowed", "The wallet does not allow this refund."),
    "ORDER_STATUS_INVALID": _STATE,
    NO_ORDER: ("charge_not_found", "The wallet knows no such payment."),
    "CURRENCY_NOT_SUPPORT": ("currency_unsupported", "The payment is in another currency."),
    "PROCESS_FAIL": ("refused", "The wallet refused."),
    "PARAM_ILLEGAL": ("request_refused", "The wallet could not read the request."),
    "FUNCTION_NOT_MATCH": ("request_refused", "The wallet could not read the request."),
    "AUTH_CANCELLED": ("already_voided", "What was reserved was let go."),
    "AUTH_EXPIRED": ("authorization_expired", "What was reserved has expired."),
    "AUTH_NOT_FOUND": ("not_authorized", "The wallet has nothing reserved for this payment."),
    "CAPTURE_AMOUNT_EXCEED_AUTH_LIMIT": ("capture_amount", "More than what is still reserved."),
    "RISK_REJECT": ("risk_refused", "The wallet refused."),
}
"""A capture, void or refund that the wallet refuses for good. REPEAT_REQ_INCONSISTENT is not
here: by it another amount stands under our key."""

IN_PROCESS = frozenset({"REFUND_IN_PROCESS", "CAPTURE_IN_PROCESS"})
"""Codes of U that say more: the wallet has it and will decide later."""


def pay_refused(said: WalletAnswer) -> Declined | NotSent | InDoubt:
    """What F means for a payment."""
    if said.code in CREDENTIALS:
        return NotSent(reason=f"{CREDENTIALS[said.code]} ({said.code})")
    for table, soft in ((DECLINES, False), (SOFT, True)):
        if said.code in table:
            code, message = table[said.code]
            return Declined(
                code=code,
                message=message,
                reference=said.id("paymentId"),
                provider_code=said.code,
                soft=soft,
            )
    return InDoubt(reason=f"the wallet answered {said.codes}")


def change_refused(said: WalletAnswer) -> Declined | InDoubt:
    """What F means for a capture, void or refund."""
    if said.status != F or said.code not in CHANGE_DECLINES:
        return InDoubt(reason=f"the wallet answered {said.codes}")
    code, message = CHANGE_DECLINES[said.code]
    return Declined(code=code, message=message, provider_code=said.code)
