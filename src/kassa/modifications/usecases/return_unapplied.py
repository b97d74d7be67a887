"""What transfers brought and nobody owes was sent back from the bank: book it."""

from kassa.base.domain.errors import IllegalTransition
from kassa.base.domain.lifecycle import ModificationKind
from kassa.base.usecases.core import Core
from kassa.identity.domain.audit import Act, Deed
from kassa.identity.usecases import audit
from kassa.modifications.usecases.modify_payment import ModifyPayment, modify_payment
from kassa.payments.domain import facts, receipts
from kassa.payments.domain.aggregate import PaymentAggregate
from kassa.payments.domain.modifications import Modification
from kassa.payments.usecases.change_payment import PaymentChange, WalletBalances, change_payment


async def return_unapplied(
    core: Core, company_id: str, payment_id: str, *, actor: str, reason: str = ""
) -> list[Modification]:
    """Book as gone back all that came by transfer and is not the merchant's; what came in part of
    what is still owed goes as well, and ends the payment. Each return's id, or the transfer's
    reference, on the bank's line says that it left.

    Raises: NotFound, IllegalTransition.
    """

    def decide(case: PaymentAggregate, _: WalletBalances | None) -> None:
        if case.payment.unapplied_minor:
            case.close(facts.PaymentCanceled(), actor=actor, by="request")
        if not receipts.overpaid(case):
            raise IllegalTransition(
                "nothing came by transfer that is to go back", reason="nothing_left"
            )

    act = Act.UNAPPLIED_RETURNED
    said = audit.deed(act, company_id, payment_id, reason=reason, business_id=None)

    def deed(case: PaymentAggregate) -> Deed:
        audit.allowed(said, case.payment.business_id)
        return said

    change = PaymentChange(company_id=company_id, payment_id=payment_id, decide=decide, deed=deed)
    case = await change_payment(core, change)
    returned = []
    for attempt in receipts.overpaid(case):
        wanted = ModifyPayment(
            company_id=company_id,
            payment_id=payment_id,
            kind=ModificationKind.REFUND,
            actor=actor,
            reason=reason,
            surplus_of=attempt.id,
        )
        returned.append((await modify_payment(core, wanted)).modification)
    return returned
