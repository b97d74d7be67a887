"""What a client may ask after pay: capture, void, refund, cancel; each once per its request id."""

from kassa.base.domain.errors import (
    AmountTooLarge,
    IllegalTransition,
    InProgress,
    InvalidRequest,
    KassaError,
    NotFound,
)
from kassa.base.domain.lifecycle import ModificationKind, PaymentStatus
from kassa.base.domain.money import Money
from kassa.base.usecases.core import Core
from kassa.faces.wallet import changes_contract as words
from kassa.faces.wallet import changes_reading, contract, reading
from kassa.faces.wallet.reach import find_payment, scope, synced
from kassa.identity.domain.principals import WalletClient
from kassa.modifications.usecases.cancel_payment import cancel_payment
from kassa.modifications.usecases.find_modifications import find_modification, modifications_of
from kassa.modifications.usecases.modify_payment import (
    ModifyPayment,
    modify_payment,
    sync_modification,
)
from kassa.modifications.usecases.release_authorizations import SCOPE as DEADLINE
from kassa.payments.domain.modifications import Modification
from kassa.payments.domain.payments import Payment

_K = ModificationKind
_SCOPES = ("capture", "void", "refund")


async def capture(core: Core, client: WalletClient, members: reading.Members) -> contract.Answer:
    asked = changes_reading.read_capture(members)
    payment = await find_payment(core, client, asked.payment_id, None)
    done = await _change(
        core,
        client,
        payment,
        _K.CAPTURE,
        request_id=asked.request_id,
        amount=asked.amount,
        is_last=asked.is_last,
    )
    return words.write_capture(done)


async def void(core: Core, client: WalletClient, members: reading.Members) -> contract.Answer:
    """Lets go of all that is still reserved, also where a part was captured."""
    asked = changes_reading.read_void(members)
    payment = await find_payment(core, client, asked.payment_id, None)
    done = await _change(core, client, payment, _K.VOID, request_id=asked.request_id, rest=True)
    return words.write_void(done)


async def refund(core: Core, client: WalletClient, members: reading.Members) -> contract.Answer:
    asked = changes_reading.read_refund(members)
    payment = await find_payment(core, client, asked.payment_id, asked.payment_request_id)
    if asked.payment_request_id is not None and not _is_called(
        client, payment, asked.payment_request_id
    ):
        raise InvalidRequest(
            "paymentId and paymentRequestId name different payments", field="paymentRequestId"
        )
    done = await _change(
        core,
        client,
        payment,
        _K.REFUND,
        request_id=asked.request_id,
        amount=asked.amount,
        reason=asked.reason,
        notify_url=asked.notify_url,
    )
    return words.write_refund(done)


def _is_called(client: WalletClient, payment: Payment, request_id: str) -> bool:
    return payment.request_scope == scope(client) and payment.request_id == request_id


async def _change(
    core: Core,
    client: WalletClient,
    payment: Payment,
    kind: ModificationKind,
    *,
    request_id: str,
    amount: Money | None = None,
    reason: str = "",
    notify_url: str = "",
    is_last: bool = True,
    rest: bool = False,
) -> Modification:
    """Do it, or say how far it is; a repeat asks the provider what became of it."""
    wanted = ModifyPayment(
        company_id=payment.company_id,
        payment_id=payment.id,
        kind=kind,
        amount=amount,
        actor=client.actor,
        face=contract.FACE,
        request_scope=scope(client, kind),
        request_id=request_id,
        reason=reason,
        notify_url=notify_url,
        is_last=is_last,
        rest=rest,
    )
    await synced(core, client, payment)
    try:
        done = await modify_payment(core, wanted)
    except (IllegalTransition, AmountTooLarge) as refusal:
        raise await _told(core, client, wanted, refusal) from None
    if done.replayed:
        return await sync_modification(core, done.modification, actor=client.actor)
    return done.modification


async def _told(
    core: Core, client: WalletClient, wanted: ModifyPayment, refusal: KassaError
) -> KassaError:
    """The refusal, unless it could not stay: an F is for ever, and this may still come true."""
    payment = await find_payment(core, client, wanted.payment_id, None)
    if payment.status is PaymentStatus.PROCESSING:
        return InProgress("whether the payment is paid is not known yet; send this again later")
    if refusal.reason == "refund_amount" and wanted.amount is not None:
        # Refunds whose outcome is open have reserved it; where they fail, there is enough.
        left = payment.refundable + payment.refund_reserved
        if payment.refund_reserved.minor and wanted.amount.minor <= left.minor:
            return InProgress(refusal.message, reason="refund_in_progress")
    if refusal.reason == "already_voided":
        made = await modifications_of(core, payment.company_id, [payment.id])
        if any(one.kind is _K.VOID and one.request_scope == DEADLINE for one in made):
            return IllegalTransition(
                "the reservation was let go at its deadline", reason="authorization_expired"
            )
    return refusal


async def inquire_refund(
    core: Core, client: WalletClient, members: reading.Members
) -> contract.Answer:
    asked = changes_reading.read_refund_inquiry(members)
    own, company_id = scope(client, _K.REFUND), client.company.id
    if asked.refund_id is not None:
        found = await find_modification(core, company_id, modification_id=asked.refund_id)
    else:
        found = await find_modification(
            core, company_id, scope=own, request_id=asked.request_id or ""
        )
    if found.kind is not _K.REFUND:
        raise NotFound("no such refund")
    await find_payment(core, client, found.payment_id, None)
    found = await sync_modification(core, found, actor=client.actor)
    return words.write_refund_inquiry(found, own)


async def cancel(core: Core, client: WalletClient, members: reading.Members) -> contract.Answer:
    asked = reading.read_inquiry(members)
    payment = await find_payment(core, client, asked.payment_id, asked.request_id)
    done = await cancel_payment(core, payment.company_id, payment.id, actor=client.actor)
    return words.write_cancel(done.payment, done.at)


async def transactions(core: Core, client: WalletClient, payment: Payment) -> list[contract.Answer]:
    """What was done to the payment after it was made, oldest first."""
    if not payment.modifications:
        return []
    own = frozenset(scope(client, verb) for verb in _SCOPES)
    made = await modifications_of(core, payment.company_id, [payment.id])
    return [words.write_transaction(one, own) for one in made]
