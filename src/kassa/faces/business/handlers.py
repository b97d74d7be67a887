"""The business face over REST: read, call, write."""

from starlette.requests import Request
from starlette.responses import Response

from kassa.faces import edge, grpc_status
from kassa.faces.api_keys import principal_of
from kassa.faces.business import contract, listing


async def get_payment(request: Request) -> Response:
    principal = await principal_of(request)
    payment_id = contract.read_id(request.path_params["id"], "id")
    payment = await listing.payment_of(edge.core_of(request), principal, payment_id)
    return edge.answer(contract.to_json(payment))


async def list_payments(request: Request) -> Response:
    principal = await principal_of(request)
    # An empty body is an empty message: what it lacks is then said member by member.
    body = await edge.read_bytes(request) or b"{}"
    wanted = listing.read_json(listing.parse_json(body))
    page = await listing.page_of(edge.core_of(request), principal, wanted)
    return edge.answer(contract.to_list_json(page))


# `path` also takes ids with an escaped slash, so that they are answered in this face's words.
_ONE, _LIST = "/v1/payment/{id:path}", "/v1/payments:list"
_OTHERS = ["PUT", "PATCH", "DELETE", "OPTIONS"]

routes = [
    edge.route("GET", _ONE, get_payment, contract.write_error),
    edge.route("POST", _LIST, list_payments, contract.write_error),
    edge.route(["POST", *_OTHERS], _ONE, grpc_status.refuse_verb("GET"), contract.write_error),
    edge.route(["GET", *_OTHERS], _LIST, grpc_status.refuse_verb("POST"), contract.write_error),
]
