"""Pay from a wallet user's balance, or reserve a part of it: one transaction, no provider."""

from dataclasses import dataclass

from kassa.base.domain.errors import AmountTooLarge, KassaError, PermissionDenied
from kassa.base.domain.lifecycle import AT_PROVIDER, PaymentStatus, WalletUserStatus
from kassa.base.domain.money import Money
from kassa.base.usecases.core import Core
from kassa.ledger.domain.ledger import wallet_account
from kassa.modifications.domain.captures import authorize
from kassa.payments.domain.aggregate import PaymentAggregate
from kassa.payments.domain.payments import Attempt, CaptureMethod, Method, Payment
from kassa.payments.usecases.change_payment import PaymentChange, WalletBalances, change_payment
from kassa.wallet.domain.wallet_codes import CodeKind, WalletCode
from kassa.wallet.store import wallets
from kassa.wallet.usecases.wallet_codes import (
    TOKEN_EXPIRED,
    TOKEN_INVALID,
    Presented,
    recognize,
    why_unknown,
)

_BY = "ledger"  # our own books are the provider
WORDS = {
    "user_not_exist": "there is no such wallet user, or the code is not theirs",
    "user_status_abnormal": "the wallet user is frozen or closed",
    "user_balance_not_enough": "the wallet balance is not enough for this payment",
    TOKEN_INVALID: "the access token is unknown, was revoked, or is another client's",
    TOKEN_EXPIRED: "the access token has run out: a newer one is needed",
    "amount_exceeds_limit": "the amount exceeds what one wallet payment may move",
    "amount_exceeds_daily_limit": "the amount exceeds what this wallet may still spend today",
}


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class WalletPay:
    """`auth_code`: a pay code or an agreement's token. `user_id`: who signs in, if they said so.

    `client_id`: the wallet client that sent the code. `by`, `address`: who is counted when it is
    wrong. `refuse_softly`: raise the refusal and leave the payment payable, instead of failing it.
    """

    company_id: str
    payment_id: str
    auth_code: str
    actor: str
    user_id: str = ""
    client_id: str = ""
    by: str = ""
    address: str = ""
    refuse_softly: bool = False

    @property
    def shown(self) -> Presented:
        return Presented(
            company_id=self.company_id,
            code=self.auth_code,
            payment_id=self.payment_id,
            user_id=self.user_id,
            client_id=self.client_id,
            by=self.by,
            address=self.address,
        )


async def pay_from_wallet(core: Core, wanted: WalletPay) -> Payment:
    """Move the amount from the user's balance to the merchant, or reserve it, or refuse.

    A refusal is a FAILED payment with `failure_code` (a key of the words above), unless
    `refuse_softly`. A payment that is paid, or failed for good, comes back as it is. A pay code
    is spent by the first payment that it is presented to while that can be paid, in the same
    commit, also where it is refused.
    Raises: NotFound, IllegalTransition, RateLimited; softly: PermissionDenied, AmountTooLarge.
    """
    code = await recognize(core, wanted.shown)
    unknown = "" if code else await why_unknown(core, wanted.shown)
    return (await change_payment(core, wallet_change(core, wanted, code, unknown))).payment


def wallet_change(
    core: Core, wanted: WalletPay, code: WalletCode | None, unknown: str = ""
) -> PaymentChange:
    """What `pay_from_wallet` does to the payment, by what its code was found to be. `unknown`: what
    to call the failure where there is none."""
    once = code is not None and code.kind is CodeKind.PAY_CODE

    def decide(case: PaymentAggregate, purse: WalletBalances | None) -> None:
        payment = case.payment
        if payment.is_paid or payment.status in AT_PROVIDER:
            return
        if payment.status is PaymentStatus.FAILED and not payment.retry_allowed:
            return
        refusal = unknown or _refusal(core, case.payment.amount, purse, code)
        if once and not _is_unspent(case, purse, wanted):
            refusal = "user_not_exist"
        if refusal and wanted.refuse_softly:
            _spend(case, purse)
            raise _soft(refusal)
        attempt = case.start_attempt(
            Method.WALLET, "wallet", actor=wanted.actor, instrument=code.user_id if code else ""
        )
        _spend(case, purse)
        _pay(core, case, attempt, wanted.actor, code, refusal)

    return PaymentChange(
        company_id=wanted.company_id,
        payment_id=wanted.payment_id,
        decide=decide,
        wallet_user=code.user_id if code else None,
        wallet_code=code.code_hash if code and once else None,
    )


def _pay(
    core: Core,
    case: PaymentAggregate,
    attempt: Attempt,
    actor: str,
    code: WalletCode | None,
    refusal: str,
) -> None:
    """Refuse, reserve or move the money of an attempt that has begun."""
    pay_code = code.id if code else ""
    if refusal:
        case.decline(
            attempt,
            code=refusal,
            message=WORDS[refusal],
            actor=actor,
            by=_BY,
            reason=refusal,
            pay_code=pay_code,
        )
    elif case.payment.capture_method is CaptureMethod.MANUAL:
        authorize(
            case,
            attempt,
            reference=attempt.id,
            expires_at=case.now + core.policy.wallet_authorization_lifetime,
            actor=actor,
            by=_BY,
            pay_code=pay_code,
        )
    else:
        case.capture(
            attempt, reference=attempt.id, fee=None, actor=actor, by=_BY, pay_code=pay_code
        )


def _is_unspent(case: PaymentAggregate, purse: WalletBalances | None, wanted: WalletPay) -> bool:
    """As it is now, locked: somebody may have been faster, and no code pays twice."""
    code = purse.code if purse else None
    return (
        code is not None
        and not code.used_for
        and code.pays(case.payment.id, client_id=wanted.client_id, now=case.now)
    )


def _spend(case: PaymentAggregate, purse: WalletBalances | None) -> None:
    if purse is not None and purse.code is not None:
        purse.code.spend(case.payment.id, case.now)


def _refusal(
    core: Core, amount: Money, purse: WalletBalances | None, code: WalletCode | None
) -> str:
    """Why not, as a failure code; empty when it may go through."""
    if code is None or purse is None or purse.user is None:
        return "user_not_exist"
    if purse.user.status != WalletUserStatus.ACTIVE:
        return "user_status_abnormal"
    if amount.minor > core.policy.wallet_limit_minor or not code.covers(amount):
        return "amount_exceeds_limit"
    if purse.spent_today_minor + amount.minor > core.policy.wallet_daily_limit_minor:
        return "amount_exceeds_daily_limit"
    if purse.balance_minor < amount.minor:
        return "user_balance_not_enough"
    return ""


async def evaluate_wallet_pay(core: Core, shown: Presented, amount: Money) -> str:
    """Why paying would be refused now, as a failure code; empty when it would go through.

    It spends nothing and locks nothing, so it promises nothing. A wrong code is counted, and
    makes others wait, as one that should have paid.
    Raises: RateLimited.
    """
    code = await recognize(core, shown)
    if code is None:
        return await why_unknown(core, shown)
    key = (code.company_id, wallet_account(code.user_id), amount.currency)
    owner = (code.company_id, code.user_id)
    async with core.db.connection() as connection:
        people = await wallets.users(connection, [owner])
        balances = await wallets.balances(connection, [key])
        spent = await wallets.spent_today(connection, [key])
    purse = WalletBalances(people.get(owner), balances.get(key, 0), spent.get(key, 0))
    return _refusal(core, amount, purse, code)


def _soft(refusal: str) -> KassaError:
    kind = PermissionDenied if refusal.startswith("user_") else AmountTooLarge
    return kind(WORDS[refusal], reason=refusal)
