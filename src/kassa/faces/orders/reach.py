"""Who asks, and what of theirs they ask about: the same for every version of this interface."""

from collections.abc import Mapping, Sequence

from kassa.base.usecases.core import Core
from kassa.faces.orders import contract
from kassa.identity.domain.principals import Principal
from kassa.identity.usecases.authenticate import authenticate_client
from kassa.modifications.usecases.find_modifications import modifications_of
from kassa.orders.domain.orders import Order
from kassa.payments.domain.modifications import Modification
from kassa.payments.domain.payments import Payment
from kassa.payments.usecases.find_payments import payments_of_order


async def authenticate(core: Core, headers: Mapping[str, str]) -> Principal:
    """Who asks, by headers or by gRPC metadata.

    Raises: Unauthenticated.
    """
    return await authenticate_client(core, *contract.read_credentials(headers))


async def find_order(core: Core, company_id: str, order_id: str) -> tuple[Order, list[Payment]]:
    """An order and its payments, oldest first.

    Raises: NotFound.
    """
    views = await payments_of_order(core, company_id, order_id)
    return views[0].order, [view.payment for view in views]


async def changes_of(core: Core, payments: Sequence[Payment]) -> list[Modification]:
    """Captures, voids and refunds of these payments, oldest first; most have none."""
    changed = [payment.id for payment in payments if payment.modifications]
    if not changed:
        return []
    return await modifications_of(core, payments[0].company_id, changed)
