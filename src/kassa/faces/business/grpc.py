"""The business face over gRPC: the same calls as over REST, with messages for JSON."""

from typing import Any

import grpc.aio

from kassa.domain.principals import Principal
from kassa.faces.api_keys import secret_in
from kassa.faces.business import contract, listing
from kassa.faces.grpc_service import serve
from kassa.faces.grpc_status import told
from kassa.usecases import find_payments
from kassa.usecases.authenticate import authenticate_api_key
from kassa.usecases.core import Core
from moego.business.payment.v1 import payment_pb2, payment_pb2_grpc

Context = grpc.aio.ServicerContext[Any, Any]


class PaymentService(payment_pb2_grpc.PaymentServiceServicer):
    """moego.business.payment.v1.PaymentService."""

    def __init__(self, core: Core) -> None:
        self.core = core

    async def GetPayment(  # noqa: N802 - the contract's name
        self, request: payment_pb2.GetPaymentRequest, context: Context
    ) -> payment_pb2.Payment:
        async with told(context, contract.status_of):
            principal = await self._principal(context)
            payment_id = contract.read_id(request.id, "id")
            view = await find_payments.get_payment(self.core, principal.company.id, payment_id)
            return contract.to_message(view)

    async def ListPayments(  # noqa: N802 - the contract's name
        self, request: payment_pb2.ListPaymentsRequest, context: Context
    ) -> payment_pb2.ListPaymentsResponse:
        async with told(context, contract.status_of):
            principal = await self._principal(context)
            wanted = listing.read_message(request)
            return contract.to_list_message(*await listing.page_of(self.core, principal, wanted))

    async def _principal(self, context: Context) -> Principal:
        sent = dict(context.invocation_metadata() or ()).get("authorization")
        secret = secret_in(sent if isinstance(sent, str) else None)
        return await authenticate_api_key(self.core, secret)


def add_to(server: grpc.aio.Server, core: Core) -> None:
    """Serve this face's methods on `server`."""
    service = payment_pb2.DESCRIPTOR.services_by_name["PaymentService"]
    serve(server, service, PaymentService(core), contract.status_of)
