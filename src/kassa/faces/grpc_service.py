"""Serve a gRPC service: first who asks, then the message, then the work, in the face's words."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import grpc
import grpc.aio
from google.protobuf import message, message_factory
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from google.rpc import status_pb2

from kassa import criticality
from kassa.base.domain.errors import KassaError, Unauthenticated
from kassa.base.usecases.bounds import named
from kassa.base.usecases.core import Core
from kassa.faces.grpc_door import Context, Headers, headers_of, malformed, read_message
from kassa.faces.grpc_status import told, trailing
from kassa.identity.domain.principals import Principal

Tell = Callable[[KassaError], status_pb2.Status]


@dataclass(slots=True, kw_only=True)
class Call:
    """A call whose caller is known. `said`: metadata to go out before the answer."""

    principal: Principal
    headers: Headers
    said: dict[str, str] = field(default_factory=dict)


Work = Callable[[Any, Call], Awaitable[message.Message]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Face:
    """A service as it is served. `authenticate`: who asks, by metadata alone, or Unauthenticated;
    `methods`: the work of each method by its name; all are unary.

    There is no way to serve a method without saying how its callers are known.
    """

    service: ServiceDescriptor
    core: Core
    authenticate: Callable[[Headers], Awaitable[Principal]]
    methods: Mapping[str, Work]
    tell: Tell


def serve(server: grpc.aio.Server, face: Face) -> None:
    """Serve `face` on `server`.

    gRPC's own registration reads and parses a message before anybody has looked at who sends it,
    and ends a call whose bytes are no such message as UNKNOWN, with a stack trace in the log for
    every stranger who sends one. For gRPC a call with one message is on the wire what a call with
    a stream of one is; so that is how we serve it, and take the message when we want it.
    """
    handlers: dict[str, Any] = {
        method.name: grpc.stream_unary_rpc_method_handler(
            _served(face, method, face.methods[method.name])
        )
        for method in face.service.methods
    }
    generic = grpc.method_handlers_generic_handler(face.service.full_name, handlers)
    server.add_generic_rpc_handlers((generic,))


def _served(
    face: Face, method: MethodDescriptor, work: Work
) -> Callable[[Any, Context], Awaitable[bytes]]:
    kind = message_factory.GetMessageClass(method.input_type)
    traits = criticality.OF[f"{face.service.full_name}/{method.name}"]

    async def answer(context: Context) -> bytes:
        face.core.admission.enter(traits)
        call = await _announced(face, context)
        said = await work(_parsed(kind, await read_message(context)), call)
        if call.said:
            await context.send_initial_metadata(tuple(call.said.items()))
        return said.SerializeToString()

    async def handle(_: Any, context: Context) -> bytes:
        return await told(
            context, answer(context), lambda error: face.tell(named(face.core, error))
        )

    return handle


async def _announced(face: Face, context: Context) -> Call:
    """The call, its caller known and let in.

    Raises: Unauthenticated, RateLimited.
    """
    try:
        headers = headers_of(context)
        principal = await face.authenticate(headers)
    except Unauthenticated:
        face.core.admission.unproved()
        raise
    context.set_trailing_metadata(trailing())
    return Call(principal=principal, headers=headers)


def _parsed(kind: type[message.Message], data: bytes) -> message.Message:
    try:
        return kind.FromString(data)
    except message.DecodeError:
        raise malformed() from None
