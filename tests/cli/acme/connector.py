"""Acme as a connector: charges on its page, refunds, questions, and its notifications."""

import hashlib
import hmac
import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, ClassVar, Self
from urllib.parse import quote

from kassa.connectors.acme.words import refund_told, told

from kassa.connectors.base import (
    NOTHING_KNOWN,
    ChargeEvent,
    ChargeRequest,
    Declined,
    InDoubt,
    IrrelevantEvent,
    KnownCharge,
    ModificationOutcome,
    ModificationRequest,
    NotSent,
    Outcome,
    Refused,
    Unknown,
    UnreadEvent,
)
from kassa.connectors.http import Answer, Answered, NoAnswer
from kassa.connectors.jsontext import read_object
from kassa.connectors.kind import Tools
from kassa.connectors.unread import unread

_OK, _MISSING, _REFUSED = 200, 404, 422


class AcmeConnector:
    """`tools.http` is its own, and closed with it."""

    name: ClassVar[str] = "acme"
    acknowledgement: ClassVar[tuple[str, bytes]] = ("text/plain", b"received")
    not_found_final_after: ClassVar[timedelta | None] = None

    def __init__(self, settings: Mapping[str, str], tools: Tools):
        """Raises: ValueError for a key that no header can hold."""
        self._api_key = settings["api_key"]
        if not self._api_key.isascii() or not self._api_key.isprintable():
            raise ValueError("api_key is not a key of Acme's")
        self._webhook_secret = tools.signers(settings, "webhook_secret")
        self._base_url = settings["base_url"].rstrip("/")
        self._http = tools.http

    def __repr__(self) -> str:
        return f"AcmeConnector({self._base_url!r})"

    @classmethod
    def from_settings(cls, settings: Mapping[str, str], tools: Tools) -> Self:
        """Raises: ValueError."""
        return cls(settings, tools)

    async def charge(self, request: ChargeRequest) -> Outcome:
        """A repeat under the same reference is the same charge to Acme."""
        said = await self._post(
            "charges",
            {
                "reference": request.key,
                "value": f"{request.amount.major:f}",
                "currency": request.amount.currency,
                "text": request.subject,
                "back": request.return_url,
                "hook": request.notify_url,
            },
        )
        if isinstance(said, NotSent | InDoubt):
            return said
        return told(said, request.key, request.amount)

    async def query(self, key: str, known: KnownCharge = NOTHING_KNOWN) -> Outcome:
        """By our key alone."""
        said = await self._get(f"charges/{quote(key, safe='')}")
        if isinstance(said, NotSent | InDoubt):
            return said
        if said.get("error") == "unknown":
            return Unknown(reason="Acme knows no charge under this key")
        return told(said, key, known.amount)

    async def refund(self, request: ModificationRequest) -> ModificationOutcome:
        """A refusal counts only when nothing was done under the same key before."""
        said = await self._post(
            f"charges/{quote(request.charge_key, safe='')}/refunds",
            {"reference": request.key, "value": f"{request.amount.major:f}"},
        )
        if isinstance(said, NotSent | InDoubt):
            return said
        if said.get("error") != "too_much":
            return refund_told(said, request.key)
        found = await self.query_modification(request)
        if not isinstance(found, Unknown):
            return found if not isinstance(found, NotSent) else InDoubt(reason=found.reason)
        return Declined(code="refund_refused", message="There is not so much to give back.")

    async def query_modification(self, request: ModificationRequest) -> ModificationOutcome:
        said = await self._get(f"refunds/{quote(request.key, safe='')}")
        return said if isinstance(said, NotSent | InDoubt) else refund_told(said, request.key)

    async def _post(
        self, path: str, content: Mapping[str, str]
    ) -> Mapping[str, Any] | NotSent | InDoubt:
        headers = {**self._headers, "Content-Type": "application/json"}
        body = json.dumps(content).encode()
        return _read(
            await self._http.post(f"{self._base_url}/{path}", headers=headers, body=body),
            (_OK, _REFUSED),
        )

    async def _get(self, path: str) -> Mapping[str, Any] | NotSent | InDoubt:
        answer = await self._http.get(f"{self._base_url}/{path}", headers=self._headers)
        if isinstance(answer, Answered) and answer.status == _MISSING:
            return {"error": "unknown"}
        return _read(answer, (_OK,))

    @property
    def _headers(self) -> Mapping[str, str]:
        return {"X-Acme-Key": self._api_key}

    def parse_notification(
        self,
        headers: Mapping[str, str],
        body: bytes,
        *,
        target: str = "",
        received_at: datetime | None = None,
    ) -> ChargeEvent | IrrelevantEvent | UnreadEvent | Refused:
        """The signature over the raw body first, then the charge inside."""
        secrets = self._webhook_secret.at(received_at)
        if not secrets:
            return Refused(reason="no webhook_secret is configured")
        given = headers.get("x-acme-mac", "").encode()
        matches = [hmac.compare_digest(_mac(one, body), given) for one in secrets]
        if not any(matches):
            return Refused(reason="the signature is missing or wrong")
        try:
            charge = read_object(body)
        except ValueError:
            return unread(body, "no JSON object")
        key = charge.get("reference")
        if not isinstance(key, str) or not key:
            return IrrelevantEvent(event="a charge that is not of our making")
        return ChargeEvent(
            dedupe_key=hashlib.sha256(body).hexdigest(), key=key, outcome=told(charge, key, None)
        )

    async def close(self) -> None:
        await self._http.close()


def _mac(secret: str, body: bytes) -> bytes:
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest().encode()


def _read(answer: Answer, statuses: tuple[int, ...]) -> Mapping[str, Any] | NotSent | InDoubt:
    match answer:
        case NotSent():
            return answer
        case NoAnswer():
            return answer.doubt
        case Answered(status=status, body=body) if status in statuses:
            try:
                return read_object(body)
            except ValueError:
                return InDoubt(reason="Acme's answer cannot be read")
        case Answered(status=status):
            return InDoubt(reason=f"Acme answered with HTTP status {status}")
