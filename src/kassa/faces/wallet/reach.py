"""Which payments a wallet client reaches, and under which scopes its own ids are kept."""

from kassa.base.domain.errors import NotFound
from kassa.base.domain.lifecycle import AWAITED
from kassa.base.usecases.core import Core
from kassa.faces.wallet.contract import FACE
from kassa.identity.domain.principals import WalletClient
from kassa.payments.domain.payments import Payment
from kassa.payments.usecases.find_payments import View, find_by_request, get_payment
from kassa.payments.usecases.sync_payment import sync_payment


def scope(client: WalletClient, verb: str = "pay") -> str:
    """Where the client's request ids of that verb are kept: no other client's are there."""
    return f"{FACE}.{verb}:{client.client_id}"


async def find_payment(
    core: Core, client: WalletClient, payment_id: str | None, request_id: str | None
) -> Payment:
    """By its id, or else by the client's own id of it.

    Raises: NotFound.
    """
    if payment_id is not None:
        view = await get_payment(core, client.company.id, payment_id)
    else:
        view = await find_by_request(core, client.company.id, scope(client), request_id or "")
    return _visible(client, view)


def _visible(client: WalletClient, view: View) -> Payment:
    """The payment, unless another wallet client or another business made it.

    Raises: NotFound.
    """
    payment = view.payment
    is_own = payment.request_scope == scope(client)
    if is_own or (payment.face != FACE and payment.business_id == client.business_id):
        return payment
    raise NotFound("no such payment")


async def synced(core: Core, client: WalletClient, payment: Payment) -> Payment:
    """As it is now: where a provider may know more, it is asked."""
    if payment.status in AWAITED:
        return await sync_payment(core, payment.company_id, payment.id, actor=client.actor)
    return payment
