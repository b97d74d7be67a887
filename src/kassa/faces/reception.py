"""ASGI middleware that notes who is here, and says on every answer how their bucket stands."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from kassa.base.usecases.core import Core
from kassa.faces.peer import address_of, host_of


class Reception:
    def __init__(self, app: ASGIApp, core: Core):
        self._app = app
        self._core = core

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        admission = self._core.admission
        visit = admission.arrive(address_of(scope), host_of(scope))

        async def send_with_level(message: Message) -> None:
            if message["type"] == "http.response.start" and visit.quota is not None:
                said = [(name.encode(), value.encode()) for name, value in visit.headers()]
                message["headers"] = [*message.get("headers", ()), *said]
            await send(message)

        try:
            await self._app(scope, receive, send_with_level)
        finally:
            admission.leave(visit)
