"""What of a change is refused before anything is looked up."""

from typing import TYPE_CHECKING

from kassa.base.domain.card_numbers import TextKind, refuse_card_data
from kassa.base.domain.money import payable
from kassa.base.usecases.core import Core
from kassa.connectors.egress import check_url
from kassa.identity.usecases.authenticate import company_by_id

if TYPE_CHECKING:
    from kassa.modifications.usecases.modify_payment import ModifyPayment

_KINDS = {"request_id": TextKind.ID}


async def refuse_unfit(core: Core, wanted: "ModifyPayment") -> None:
    """Raises: InvalidRequest."""
    refuse_card_data(
        {"reason": wanted.reason, "request_id": wanted.request_id, "extra": wanted.extra}, _KINDS
    )
    if wanted.amount is not None:
        payable(wanted.amount)
    if wanted.notify_url:
        loopback = core.policy.allow_loopback
        side = await company_by_id(core, wanted.company_id)
        live = side is not None and side.is_live
        check_url(wanted.notify_url, allow_loopback=loopback, live=live, field="notify_url")
