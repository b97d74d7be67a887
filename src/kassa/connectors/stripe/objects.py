"""Stripe's objects, read by their documented shape and nothing else."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from kassa.base.domain.errors import InvalidRequest
from kassa.base.domain.money import Money
from kassa.connectors.stripe.currencies import from_stripe

KEY = "kassa_key"
"""The metadata that holds our reference: of the charge, or of the refund."""
CAPTURE_KEY = "kassa_capture"
"""The metadata of a payment intent that holds our reference of its capture."""
PAGE = "kassa_page"
"""The metadata of a payment intent that a checkout page made; the payer may try there again."""
ORDER = "order_id"


class Garbled(ValueError):
    """An object that is not of the shape that Stripe documents."""


@dataclass(frozen=True, slots=True)
class Thing:
    """One object. It holds client secrets and payers' names, so it is not shown."""

    fields: Mapping[str, Any] = field(repr=False)

    def word(self, name: str) -> str:
        """Text; "" when it is absent or null. Raises: Garbled."""
        value = self.fields.get(name)
        if value is None:
            return ""
        if not isinstance(value, str):
            raise Garbled(f"{name} is not text")
        return value

    def whole(self, name: str) -> int:
        """Raises: Garbled."""
        value = self.fields.get(name)
        if type(value) is not int:
            raise Garbled(f"{name} is not a whole number")
        return value

    def flag(self, name: str) -> bool:
        """Raises: Garbled."""
        value = self.fields.get(name)
        if not isinstance(value, bool):
            raise Garbled(f"{name} is neither true nor false")
        return value

    def thing(self, name: str) -> "Thing | None":
        """An object inside; None when it is absent, null, or only named by its id."""
        value = self.fields.get(name)
        return Thing(value) if isinstance(value, dict) else None

    def id_of(self, name: str) -> str:
        """The id of an object inside, whether or not it is expanded; "" for none."""
        inner = self.thing(name)
        return self.word(name) if inner is None else inner.word("id")

    def things(self, name: str) -> "list[Thing]":
        """The objects of a list, plain or Stripe's own; an empty one for what is none.

        Raises: Garbled.
        """
        value = self.fields.get(name)
        if isinstance(value, dict):
            value = value.get("data")
        if not isinstance(value, list):
            raise Garbled(f"{name} is not a list")
        return [Thing(item if isinstance(item, dict) else {}) for item in value]

    def moment(self, name: str) -> datetime | None:
        """Raises: Garbled."""
        if self.fields.get(name) is None:
            return None
        try:
            return datetime.fromtimestamp(self.whole(name), UTC)
        except (ValueError, OverflowError, OSError):
            raise Garbled(f"{name} is not a time") from None

    def money(self, name: str) -> Money:
        """The amount `name` in the object's own currency. Raises: Garbled."""
        try:
            return from_stripe(self.whole(name), self.word("currency"))
        except InvalidRequest:
            raise Garbled(f"{name} cannot be money of ours") from None

    def noted(self, name: str) -> str:
        """A word of its metadata, "" for none. Raises: Garbled."""
        metadata = self.thing("metadata")
        return "" if metadata is None else metadata.word(name)

    def is_under(self, key: str) -> bool:
        """Whether its metadata has our key, of whatever shape the rest of it is."""
        metadata = self.thing("metadata")
        return metadata is not None and metadata.fields.get(KEY) == key

    @property
    def is_named(self) -> bool:
        """Whether it is an object with an id, and so one that can be told from others."""
        name = self.fields.get("id")
        return isinstance(name, str) and bool(name)
