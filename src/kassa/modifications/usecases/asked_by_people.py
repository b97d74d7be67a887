"""What a person with a privilege asks of a payment's money, as it is written down."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from kassa.base.domain.lifecycle import ModificationKind
from kassa.identity.domain.audit import Act, Deed
from kassa.identity.usecases import audit
from kassa.payments.domain.aggregate import PaymentAggregate
from kassa.payments.domain.modifications import Modification

_K = ModificationKind
_ACTS = {_K.REFUND: Act.REFUNDED, _K.CAPTURE: Act.CAPTURED, _K.VOID: Act.VOIDED}


def asked_by_people(
    kind: ModificationKind,
    company_id: str,
    payment_id: str,
    reason: str,
    started: Sequence[tuple[Modification, bool]],
) -> Callable[[PaymentAggregate], Deed | None] | None:
    """None where no person asks: a merchant's program stands in the timeline. `started`: holds the
    change, and whether an earlier request had made it, once it is decided."""
    if not audit.is_persons():
        return None
    asked = audit.deed(_ACTS[kind], company_id, payment_id, reason=reason, business_id=None)

    def deed(case: PaymentAggregate) -> Deed | None:
        [(made, replayed)] = started
        audit.allowed(asked, case.payment.business_id)
        said = {"change": made.id, "amount": str(made.amount), "surplus": made.surplus or None}
        return None if replayed else replace(asked, after=said)

    return deed
