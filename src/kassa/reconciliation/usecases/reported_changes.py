"""What a report tells of refunds that nobody else told: that one came back.

A refund that only a report knows stays a break, which names the payment: a report is a list that
somebody else made, and may be wrong about what was asked for; what came back was ours.
"""

from contextlib import suppress

from kassa.base.domain.errors import InProgress
from kassa.base.domain.lifecycle import ModificationStatus
from kassa.base.usecases.core import Core
from kassa.connectors.base import Declined
from kassa.modifications.store.modifications import by_id as modification_by_id
from kassa.modifications.usecases.modify_payment import take_modification_news
from kassa.reconciliation.domain.references import KnownReference
from kassa.reconciliation.domain.reports import LineKind, ReportLine


async def take_reversal(
    core: Core, company_id: str, line: ReportLine, one: KnownReference, *, actor: str
) -> None:
    """Take back the refund `one`, where the line says in its amount that it came back."""
    is_done = one.kind == "refund" and one.status == ModificationStatus.SUCCEEDED.value
    if line.kind is not LineKind.REFUND_REVERSAL or not is_done:
        return
    async with core.db.connection(long=True) as connection:
        refund = await modification_by_id(connection, company_id, one.id)
    if refund is None or line.amount != refund.amount:
        return
    failed = Declined(
        code="refund_failed",
        message="The refund came back.",
        reference=line.provider_reference,
        provider_code="reported",
    )
    with suppress(InProgress):  # who keeps it will bring it on, and the line stays a break
        await take_modification_news(core, refund, failed, actor=actor, how="report")
