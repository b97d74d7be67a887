"""A refund that is done is looked at again for as long as its provider may take it back."""

from dataclasses import replace

from kassa.base.domain.lifecycle import ModificationKind, ModificationStatus
from kassa.base.domain.query_schedule import next_look
from kassa.base.usecases.core import Core
from kassa.connectors.base import LateFailing
from kassa.payments.domain.aggregate import PaymentAggregate
from kassa.payments.domain.modifications import Modification


def watch(core: Core, case: PaymentAggregate, refund: Modification) -> None:
    """Plan the next look at it, where there is one; of anything else, nothing."""
    done = refund.status is ModificationStatus.SUCCEEDED
    if refund.kind is not ModificationKind.REFUND or not done or refund.completed_at is None:
        return
    if refund.connector not in core.connectors:
        return
    provider = core.connectors[refund.connector]
    if isinstance(provider, LateFailing):
        within = provider.refunds_fail_within
        at = next_look(refund.completed_at, case.now, within, refund.id)
        case.put_modification(replace(refund, next_query_at=at))
