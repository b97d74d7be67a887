"""A clock that tests move by hand, and the shapes of the request makers in conftest."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from kassa.connectors.base import ChargeRequest, ModificationRequest, Outcome

Request = Callable[..., ChargeRequest]
Changing = Callable[..., ModificationRequest]
Reserve = Callable[..., Awaitable[Outcome]]
START = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass
class Clock:
    """Shows `now` until it is moved; `slept` is what the connector waited."""

    now: datetime = START
    slept: list[float] = field(default_factory=list)

    def __call__(self) -> datetime:
        return self.now

    def pass_by(self, seconds: int) -> datetime:
        self.now += timedelta(seconds=seconds)
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
