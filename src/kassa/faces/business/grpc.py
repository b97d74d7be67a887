"""The business face over gRPC: the same calls as over REST, with messages for JSON."""

import grpc.aio

from kassa.base.usecases.core import Core
from kassa.faces.api_keys import secret_in
from kassa.faces.business import contract, listing
from kassa.faces.grpc_door import Headers
from kassa.faces.grpc_service import Call, Face, serve
from kassa.identity.domain.principals import Principal
from kassa.identity.usecases.authenticate import authenticate_api_key
from moego.business.payment.v1 import payment_pb2


def add_to(server: grpc.aio.Server, core: Core) -> None:
    """Serve moego.business.payment.v1.PaymentService on `server`."""

    async def authenticate(headers: Headers) -> Principal:
        return await authenticate_api_key(core, secret_in(headers.get("authorization")))

    async def get_payment(
        request: payment_pb2.GetPaymentRequest, call: Call
    ) -> payment_pb2.Payment:
        payment_id = contract.read_id(request.id, "id")
        return contract.to_message(await listing.payment_of(core, call.principal, payment_id))

    async def list_payments(
        request: payment_pb2.ListPaymentsRequest, call: Call
    ) -> payment_pb2.ListPaymentsResponse:
        wanted = listing.read_message(request)
        return contract.to_list_message(await listing.page_of(core, call.principal, wanted))

    face = Face(
        service=payment_pb2.DESCRIPTOR.services_by_name["PaymentService"],
        core=core,
        authenticate=authenticate,
        methods={"GetPayment": get_payment, "ListPayments": list_payments},
        tell=contract.status_of,
    )
    serve(server, face)
