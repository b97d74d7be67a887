"""Serve a gRPC service so that a message nobody can read is the caller's mistake, in its words."""

import time
from collections.abc import Awaitable, Callable
from typing import Any

import grpc
import grpc.aio
from google.protobuf import message, message_factory
from google.protobuf.descriptor import ServiceDescriptor
from google.rpc import status_pb2

from kassa.domain.errors import InvalidRequest, KassaError
from kassa.faces.grpc_status import told
from kassa.usecases.provider_calls import deadline

Tell = Callable[[KassaError], status_pb2.Status]
Call = Callable[[Any, "grpc.aio.ServicerContext[Any, Any]"], Awaitable[Any]]


def serve(server: grpc.aio.Server, service: ServiceDescriptor, servicer: Any, tell: Tell) -> None:
    """Serve each method of `service` by the method of that name of `servicer`; all are unary.

    gRPC's own registration ends a call whose bytes are no such message as UNKNOWN, with the name
    of a Python class, and writes a stack trace into the log for every stranger who sends one.
    """
    handlers = {
        method.name: grpc.unary_unary_rpc_method_handler(
            _readable(getattr(servicer, method.name), tell),
            request_deserializer=_reader(message_factory.GetMessageClass(method.input_type)),
            response_serializer=_write,
        )
        for method in service.methods
    }
    generic = grpc.method_handlers_generic_handler(service.full_name, handlers)
    server.add_generic_rpc_handlers((generic,))


def _reader(kind: type[message.Message]) -> Callable[[bytes], message.Message | None]:
    """Reads a message of `kind`; None stands for bytes that are none."""

    def read(data: bytes) -> message.Message | None:
        try:
            return kind.FromString(data)
        except message.DecodeError:
            return None

    return read


def _write(answer: message.Message) -> bytes:
    return answer.SerializeToString()


def _readable(call: Call, tell: Tell) -> Call:
    async def guarded(request: Any, context: "grpc.aio.ServicerContext[Any, Any]") -> Any:
        if request is not None:
            left = context.time_remaining()
            token = deadline.set(None if left is None else time.monotonic() + left)
            try:
                return await call(request, context)
            finally:
                deadline.reset(token)
        async with told(context, tell):
            raise InvalidRequest(
                "the bytes are not the message that this call takes", reason="message_malformed"
            )

    return guarded
