"""Pay from a wallet user's balance, or reserve a part of it: one transaction, no provider."""

from dataclasses import dataclass

from kassa.domain.case import Case
from kassa.domain.claims import authorize
from kassa.domain.errors import AmountTooLarge, KassaError, PermissionDenied
from kassa.domain.ledger import wallet_account
from kassa.domain.lifecycle import PaymentStatus
from kassa.domain.money import Money
from kassa.domain.payments import CaptureMethod, Method, Payment
from kassa.store import wallets
from kassa.usecases.authenticate import hash_secret
from kassa.usecases.change_payment import Change, Purse, change_payment
from kassa.usecases.core import Core

_UNDER_WAY = frozenset({PaymentStatus.PROCESSING, PaymentStatus.AUTHORIZED})
WORDS = {
    "user_not_exist": "there is no such wallet user, or the code is not theirs",
    "user_status_abnormal": "the wallet user is frozen or closed",
    "user_balance_not_enough": "the wallet balance is not enough for this payment",
    "amount_exceeds_limit": "the amount exceeds what one wallet payment may move",
    "amount_exceeds_daily_limit": "the amount exceeds what this wallet may still spend today",
}


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class WalletPay:
    """`auth_code`: the wallet's secret for this user. `user_id`: who signs in, if they said so.

    `refuse_softly`: raise the refusal and leave the payment payable, instead of failing it.
    """

    company_id: str
    payment_id: str
    auth_code: str
    actor: str
    user_id: str = ""
    refuse_softly: bool = False


async def pay_from_wallet(core: Core, wanted: WalletPay) -> Payment:
    """Move the amount from the user's balance to the merchant, or reserve it, or refuse.

    A refusal is a FAILED payment with `failure_code` (a key of the words above), unless
    `refuse_softly`. A payment that is paid, or failed for good, comes back as it is.
    Raises: NotFound, IllegalTransition; softly: PermissionDenied, AmountTooLarge.
    """
    async with core.db.connection() as connection:
        user = await wallets.user_of_code(
            connection, wanted.company_id, hash_secret(core, wanted.auth_code)
        )
    if wanted.user_id and user != wanted.user_id:
        user = None

    def decide(case: Case, purse: Purse | None) -> None:
        payment = case.payment
        if payment.is_paid or payment.status in _UNDER_WAY:
            return
        if payment.status is PaymentStatus.FAILED and not payment.retry_allowed:
            return
        refusal = _refusal(core, case.payment.amount, purse)
        if refusal and wanted.refuse_softly:
            raise _soft(refusal)
        attempt = case.start_attempt(
            Method.WALLET, "wallet", actor=wanted.actor, instrument=user or ""
        )
        evidence = {"attempt": attempt.id, "by": "ledger"}
        if refusal:
            case.decline(
                attempt,
                code=refusal,
                message=WORDS[refusal],
                actor=wanted.actor,
                evidence={**evidence, "reason": refusal},
            )
            return
        if payment.capture_method is CaptureMethod.MANUAL:
            authorize(
                case,
                attempt,
                reference=attempt.id,
                expires_at=case.now + core.policy.wallet_authorization_lifetime,
                actor=wanted.actor,
                evidence=evidence,
            )
            return
        case.capture(attempt, reference=attempt.id, fee=None, actor=wanted.actor, evidence=evidence)

    change = Change(
        company_id=wanted.company_id,
        payment_id=wanted.payment_id,
        decide=decide,
        wallet_user=user,
    )
    return (await change_payment(core, change)).payment


def _refusal(core: Core, amount: Money, purse: Purse | None) -> str:
    """Why not, as a failure code; empty when it may go through."""
    if purse is None or purse.user is None:
        return "user_not_exist"
    if purse.user.status != "active":
        return "user_status_abnormal"
    if amount.minor > core.policy.wallet_limit_minor:
        return "amount_exceeds_limit"
    if purse.spent_today_minor + amount.minor > core.policy.wallet_daily_limit_minor:
        return "amount_exceeds_daily_limit"
    if purse.balance_minor < amount.minor:
        return "user_balance_not_enough"
    return ""


async def evaluate_wallet_pay(core: Core, company_id: str, auth_code: str, amount: Money) -> str:
    """Why paying would be refused now, as a failure code; empty when it would go through.

    It stores nothing and locks nothing, so it promises nothing.
    """
    async with core.db.connection() as connection:
        user = await wallets.user_of_code(connection, company_id, hash_secret(core, auth_code))
        if user is None:
            return _refusal(core, amount, None)
        key = (company_id, wallet_account(user), amount.currency)
        people = await wallets.users(connection, [(company_id, user)])
        balances = await wallets.balances(connection, [key])
        spent = await wallets.spent_today(connection, [key])
    purse = Purse(people.get((company_id, user)), balances.get(key, 0), spent.get(key, 0))
    return _refusal(core, amount, purse)


def _soft(refusal: str) -> KassaError:
    kind = PermissionDenied if refusal.startswith("user_") else AmountTooLarge
    return kind(WORDS[refusal], reason=refusal)
