"""Request a payment in one call: the order, the payment and its first attempt."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec

from kassa.base.domain.card_numbers import TextKind, refuse_card_data
from kassa.base.domain.errors import (
    IdempotencyMismatch,
    IllegalTransition,
    KassaError,
    NotFound,
    UnsupportedOperation,
)
from kassa.base.domain.fingerprints import Fingerprint, Of
from kassa.base.domain.lifecycle import PaymentStatus
from kassa.base.domain.money import Money
from kassa.base.usecases import keyed
from kassa.base.usecases.core import Core
from kassa.base.usecases.keyring import Purpose
from kassa.connectors.catalog import maker_of
from kassa.identity.domain.principals import Company
from kassa.orders.domain.orders import Module
from kassa.orders.usecases.begin_payment import begin_payment
from kassa.orders.usecases.create_order import NewOrder, create_order
from kassa.payments.domain import facts
from kassa.payments.domain.aggregate import PaymentAggregate
from kassa.payments.domain.payments import OFFLINE, Attempt, CaptureMethod, Method, Payment
from kassa.payments.usecases.change_payment import (
    Decide,
    PaymentChange,
    WalletBalances,
    change_payment,
)
from kassa.payments.usecases.find_payments import View, payments_of_order
from kassa.payments.usecases.record_payment import Recording, expect_transfer, record_payment
from kassa.payments.usecases.submit_payment import (
    Submission,
    require_takers,
    starting,
    submit_payment,
    submit_started,
)
from kassa.providers.domain.payees import Payee
from kassa.providers.usecases.payees import payee_of
from kassa.routing.usecases.routing import (
    ACCOUNT,
    NUMBER,
    REDIRECT,
    TOKEN,
    RoutingRequest,
    choose,
    why_impossible,
)
from kassa.wallet.usecases.pay_from_wallet import WalletPay, pay_from_wallet

_S = PaymentStatus
# In the payment's extra: fingerprints of what was asked, the newest last, so that a late copy of
# an older request is known; and the version of the payment that the newest one made.
_SERVED = "requests"
_CLAIMED = "request_version"
_MOST_SERVED = 20
PAY_TO = "pay_to"
"""In the payment's extra: the number of the account that a transfer is to be paid to."""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class RequestedPayment:
    """`instrument`, `auth_code` and `fingerprint_of` are secrets: sent on or hashed, never kept.
    `payer_account`, `payee_account`: masked, kept to be shown; `payer_name`: as the first has it.
    `payee_number`: kept only where the payer has to be told it, for a bank transfer. `address`:
    where the request came from. `key`: the caller's name for this try: after a refusal the same
    content under another key is another try.
    """

    company: Company
    business_id: str
    actor: str
    order_id: str
    user_id: str
    amount: Money
    method: Method
    instrument: str
    instrument_shown: str
    payer_account: dict[str, Any]
    payee_account: dict[str, Any]
    payer_name: str = ""
    payee_number: str = ""
    auth_code: str = ""
    address: str = ""
    key: str = ""
    module: Module | None = None
    fingerprint_of: dict[str, Any] = field(default_factory=dict)


_KINDS = dict.fromkeys(("order_id", "user_id"), TextKind.ID)
_OF_THE_FACE = "the face says what of it counts, in fingerprint_of"
_FINGERPRINT = Fingerprint(
    RequestedPayment,
    "fingerprint_of",
    "user_id",
    Of("amount", lambda amount: amount.minor),
    "method",
    left_out={
        "company": "an earlier request is looked for within the company",
        "business_id": "a company's orders are found by their id alone",
        "actor": "whoever repeats it for the merchant repeats it",
        "order_id": "an earlier request is found by it",
        "instrument": _OF_THE_FACE,
        "instrument_shown": _OF_THE_FACE,
        "payer_account": _OF_THE_FACE,
        "payer_name": _OF_THE_FACE,
        "payee_account": _OF_THE_FACE,
        "payee_number": _OF_THE_FACE,
        "auth_code": _OF_THE_FACE,
        "module": _OF_THE_FACE,
        "address": "where it came from is not what it asks for",
        "key": "it stands beside the content: another one asks for another try of the same",
    },
)


@dataclass(frozen=True, slots=True)
class _Content:
    """What was asked, as it is remembered. `key`: that of this try, hashed; "" without one.
    `earlier`: as it was remembered under older keys."""

    fingerprint: str
    key: str
    earlier: tuple[str, ...] = ()

    @property
    def entry(self) -> str:
        return f"{self.fingerprint}.{self.key}" if self.key else self.fingerprint

    def is_entry(self, entry: str) -> bool:
        """Whether it was remembered as this, under whichever key."""
        found, _, key = entry.partition(".")
        return key == self.key and found in (self.fingerprint, *self.earlier)

    def was_served(self, payment: Payment) -> bool:
        """Whether it made a try of this payment before, and asks for no other."""
        served = _served(payment)
        known = (self.fingerprint, *self.earlier)
        if self.key and _may_try_again(payment):
            return any(self.is_entry(entry) for entry in served)
        return any(entry.partition(".")[0] in known for entry in served)


async def request_payment(core: Core, wanted: RequestedPayment) -> View:
    """Pay the order `order_id`, making it when nobody has yet.

    One live request per order: content that was served before is the same payment and sends
    nothing; new content is refused while the payment lives, and is a new attempt after it failed,
    as is the same content under a new key. What nobody can take is refused before anything is made.
    Raises: InvalidRequest, IdempotencyMismatch, IllegalTransition, UnsupportedOperation,
    ProviderUnavailable.
    """
    refuse_card_data(
        {"order_id": wanted.order_id, "user_id": wanted.user_id, "payer_name": wanted.payer_name},
        _KINDS,
    )
    payee = await payee_of(core, wanted.company.id, wanted.payee_number)
    account = payee.provider_account if payee else ""
    content = _content(core, wanted)
    if why := await _why_impossible(core, wanted, payee):
        return await _made_before(core, wanted, content, why)
    claim = _claiming(wanted, content, account)
    begun = await _begun(core, wanted, account, claim)
    if begun is not None:
        return begun
    view = await _payment_for(core, wanted)
    payment = view.payment
    if content.was_served(payment) and not _left_lying(payment, content):
        return view
    _refuse_other(wanted, payment, content)
    if _is_sent(wanted):
        submission = await _submission(core, wanted, payment, account, claim)
        return View(await submit_payment(core, submission), view.order)
    if wanted.method is Method.BANK_TRANSFER:
        key = payment.company_id, payment.id
        return View(await expect_transfer(core, *key, actor=wanted.actor, claim=claim), view.order)
    claimed: list[bool] = []

    def decide(case: PaymentAggregate, _: WalletBalances | None) -> None:
        claimed[:] = [claim(case)]

    change = PaymentChange(company_id=payment.company_id, payment_id=payment.id, decide=decide)
    payment = (await change_payment(core, change)).payment
    if claimed[0]:
        payment = await _pay_here(core, wanted, payment)
    return View(payment, view.order)


async def _why_impossible(core: Core, wanted: RequestedPayment, payee: Payee | None) -> str:
    """Why nobody can take it, whatever becomes of the order; "" when somebody can."""
    if wanted.method is not Method.BANK_TRANSFER:
        return await why_impossible(core, _asked(wanted, payee.provider_account if payee else ""))
    if payee is None:
        return (
            "a bank transfer needs an account to be paid to: register your company's with"
            " kassa payee add, and name it as payeeAccount"
        )
    if payee.provider_account:
        return f"this payee is paid through {payee.provider_account}, which takes no bank transfer"
    return ""


async def _made_before(core: Core, wanted: RequestedPayment, content: _Content, why: str) -> View:
    """What can be paid no longer was asked for all the same: a repeat hears how that stands.

    Raises: UnsupportedOperation.
    """
    try:
        views = await payments_of_order(core, wanted.company.id, wanted.order_id)
    except NotFound:
        views = []
    for view in views[-1:]:
        if content.was_served(view.payment):
            return view
    raise UnsupportedOperation(why, reason="method_off")


def _content(core: Core, wanted: RequestedPayment) -> _Content:
    """Keyed, because account numbers are in it and a bare hash of those can be guessed."""
    text = msgspec.json.encode(_FINGERPRINT.content(wanted), order="sorted", enc_hook=str)
    made = keyed.every(core.secrets.of(Purpose.FINGERPRINTS), text, keyed.blake2b)
    fingerprint, *earlier = [one.hex() for one in made]
    key = hashlib.blake2b(wanted.key.encode(), digest_size=16).hexdigest() if wanted.key else ""
    return _Content(fingerprint, key, tuple(earlier))


def _is_sent(wanted: RequestedPayment) -> bool:
    """Whether a provider hears of it before there is an answer."""
    ours = wanted.method in OFFLINE or wanted.method is Method.WALLET
    return bool(wanted.instrument) and not ours


async def _begun(
    core: Core, wanted: RequestedPayment, account: str, claim: Callable[[PaymentAggregate], bool]
) -> View | None:
    """A new order, made, claimed and begun in one commit; None where that is not to be had, and
    nothing has happened."""
    new = _new_order(wanted)
    if wanted.method is Method.WALLET:
        paid = await begin_payment(core, new, decide=_only(claim), pay=_by_code(wanted, ""))
        return None if paid is None else View(paid.payment, paid.order)
    if not _is_sent(wanted):
        return None
    try:
        submission = await _submission(core, wanted, None, account, claim)
        await require_takers(core, submission)
    except KassaError:  # the order is made all the same, and this is said of it
        return None
    started: list[Attempt] = []
    case = await begin_payment(core, new, decide=starting(core, submission, started))
    if case is None:
        return None
    return View(await submit_started(core, submission, case, started), case.order)


def _only(claim: Callable[[PaymentAggregate], bool]) -> Decide:
    """Goes on only with what it claims."""

    def decide(case: PaymentAggregate, _: WalletBalances | None) -> None:
        if not claim(case):
            raise IllegalTransition("it is claimed already")

    return decide


def _new_order(wanted: RequestedPayment) -> NewOrder:
    return NewOrder(
        company=wanted.company,
        business_id=wanted.business_id,
        actor=wanted.actor,
        face="gateway",
        amount=wanted.amount,
        order_id=wanted.order_id,
        customer_id=wanted.user_id,
        customer_name=wanted.payer_name,
        module=wanted.module,
    )


async def _payment_for(core: Core, wanted: RequestedPayment) -> View:
    """The order's payment: of the order made now, or of one that another face made."""
    try:
        created = await create_order(core, _new_order(wanted))
        return View(created.payment, created.order)
    except IdempotencyMismatch:
        views = await payments_of_order(core, wanted.company.id, wanted.order_id)
    view = views[-1]
    if view.order.amount != wanted.amount:
        raise IdempotencyMismatch(
            f"order {wanted.order_id!r} asks for another amount", reason="order_id_taken"
        )
    if wanted.business_id not in (view.order.business_id, wanted.company.business_id):
        raise IdempotencyMismatch(
            f"order {wanted.order_id!r} is of another business", reason="order_id_taken"
        )
    return view


def _claiming(
    wanted: RequestedPayment, content: _Content, account: str
) -> Callable[[PaymentAggregate], bool]:
    """Writes down whose request the payment serves; says whether an attempt is to be made."""

    def claim(case: PaymentAggregate) -> bool:
        if case.is_expired() and case.payment.status is _S.CREATED:
            case.close(facts.PaymentExpired(), actor=wanted.actor, by="clock")
        payment, served = case.payment, _served(case.payment)
        if content.was_served(payment):
            return _left_lying(payment, content) and not case.is_expired()
        _refuse_other(wanted, payment, content)
        if not payment.is_open or case.is_expired():
            return False  # unclaimed, so that a repeat is answered alike
        case.refuse_method(wanted.method)
        kept = {
            ACCOUNT: account,
            _SERVED: [*served, content.entry][-_MOST_SERVED:],
            _CLAIMED: payment.version + 1,
            "user_id": wanted.user_id,
            "payer_account": wanted.payer_account,
            "payee_account": wanted.payee_account,
        }
        if wanted.method is Method.BANK_TRANSFER:
            kept[PAY_TO] = wanted.payee_number
        requested = facts.PaymentRequested(
            method=wanted.method,
            payer=payment.payer or wanted.user_id,
            extra={**payment.extra, **kept},
        )
        case.record(requested, actor=wanted.actor)
        return True

    return claim


def _refuse_other(wanted: RequestedPayment, payment: Payment, content: _Content) -> None:
    """Raises: IdempotencyMismatch for content other than the payment's own while that lives."""
    if content.was_served(payment):
        return
    if _served(payment) and not _may_try_again(payment):
        raise IdempotencyMismatch(
            f"order {wanted.order_id!r} has a payment request with other content"
        )
    if payment.is_paid:
        raise IdempotencyMismatch(f"order {wanted.order_id!r} is paid already")


def _served(payment: Payment) -> list[str]:
    served: list[str] = payment.extra.get(_SERVED, [])
    return served


def _may_try_again(payment: Payment) -> bool:
    return payment.status is _S.FAILED and payment.retry_allowed


def _left_lying(payment: Payment, content: _Content) -> bool:
    """Claimed for `content`, and nothing has happened since: whoever claimed it may have died."""
    if not _served(payment) or not content.is_entry(_served(payment)[-1]):
        return False
    return payment.status is _S.CREATED or payment.extra.get(_CLAIMED) == payment.version


async def _pay_here(core: Core, wanted: RequestedPayment, payment: Payment) -> Payment:
    """At the counter, from our own wallet, or not yet."""
    company_id, payment_id = payment.company_id, payment.id
    if wanted.method in OFFLINE:
        recording = Recording(
            company_id=company_id, payment_id=payment_id, method=wanted.method, actor=wanted.actor
        )
        return await record_payment(core, recording)
    if wanted.method is Method.WALLET:
        return await pay_from_wallet(core, _by_code(wanted, payment_id))
    return payment  # the payer goes to the cashier, which sends them to the provider


def _by_code(wanted: RequestedPayment, payment_id: str) -> WalletPay:
    """`payment_id`: "" for one that is still to be made."""
    return WalletPay(
        company_id=wanted.company.id,
        payment_id=payment_id,
        auth_code=wanted.auth_code,
        actor=wanted.actor,
        by=f"client:{wanted.actor}",
        address=wanted.address,
    )


async def _submission(
    core: Core,
    wanted: RequestedPayment,
    payment: Payment | None,
    account: str,
    claim: Callable[[PaymentAggregate], bool],
) -> Submission:
    """To a provider, claimed and begun in one commit. `payment`: None for one that is still to be
    made.

    Raises: UnsupportedOperation.
    """
    route = await choose(core, _question(wanted, payment, account))
    return Submission(
        company_id=wanted.company.id,
        payment_id=payment.id if payment else "",
        method=wanted.method,
        connector=route.accounts[0],
        fallbacks=route.accounts[1:],
        because=route.because,
        instrument=wanted.instrument,
        instrument_shown=wanted.instrument_shown,
        actor=wanted.actor,
        return_url=core.policy.base_url,
        claim=claim,
    )


def _question(wanted: RequestedPayment, payment: Payment | None, account: str) -> RoutingRequest:
    asked = _asked(wanted, account)
    if payment is None:
        return asked
    return replace(
        asked,
        amount=payment.amount,
        manual=payment.capture_method is CaptureMethod.MANUAL,
        key=payment.order_id,
    )


def _asked(wanted: RequestedPayment, account: str) -> RoutingRequest:
    """As far as the request tells, before there is a payment."""
    number = wanted.instrument.isdigit() and wanted.method is Method.CREDIT_CARD
    takes = (NUMBER if number else TOKEN) if wanted.instrument else REDIRECT
    return RoutingRequest(
        company_id=wanted.company.id,
        method=wanted.method,
        amount=wanted.amount,
        takes=takes,
        maker=maker_of(wanted.instrument),
        card_prefix=wanted.instrument[:8] if number else "",
        customer_id=wanted.user_id,
        account=account,
        key=wanted.order_id,
    )
