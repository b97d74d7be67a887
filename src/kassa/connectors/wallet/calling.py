"""One signed call to the wallet, and its answer, believed only where the wallet signed it."""

import asyncio
import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from kassa.connectors.base import ForeignReason, InDoubt, NotSent
from kassa.connectors.http import Answered, NoAnswer, ProviderHttp
from kassa.connectors.wallet.said import WalletAnswer, read_said
from kassa.connectors.wallet.signing import WalletSigner, WalletVerifier, signed_text

_MODE = "kassa-mode"
_CONTENT_TYPE = "application/json; charset=UTF-8"


class WalletLine:
    """The merchant's line to the wallet. `base_url`: what stands before /v1/payments/. `live`:
    whether real money moves; a wallet that is a Kassa says in a header of what mode it is."""

    def __init__(
        self,
        *,
        base_url: str,
        client_id: str,
        signer: WalletSigner,
        verifier: WalletVerifier,
        http: ProviderHttp,
        clock: Callable[[], datetime],
        live: bool = False,
    ):
        """Raises: ValueError."""
        parts = urlsplit(base_url)
        if parts.query or parts.fragment or not parts.hostname:
            raise ValueError("base_url must be an address without a query")
        if not client_id.isascii() or not client_id.isprintable() or not client_id.strip():
            raise ValueError("client_id must be what the wallet calls the merchant")
        self._origin = f"{parts.scheme}://{parts.netloc}"
        self._prefix = parts.path.rstrip("/").removesuffix("/v1/payments").removesuffix("/v1")
        self._client_id = client_id
        self._signer = signer
        self._verifier = verifier
        self._http = http
        self._clock = clock
        self._other_mode = "test" if live else "live"

    async def ask(self, api: str, content: Mapping[str, Any]) -> WalletAnswer | NotSent | InDoubt:
        """POST `content` to /v1/payments/`api`.

        The family answers everything with HTTP status 200 and a signature; what has not both came
        from something in between.
        """
        target = f"{self._prefix}/v1/payments/{api}"
        body = json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()
        time = write_time(self._clock())
        text = signed_text(target, self._client_id, time, body)
        headers = {
            "Client-Id": self._client_id,
            "Request-Time": time,
            "Signature": await asyncio.to_thread(self._signer.header, text),
            "Content-Type": _CONTENT_TYPE,
        }
        answer = await self._http.post(f"{self._origin}{target}", headers=headers, body=body)
        match answer:
            case NotSent():
                return answer
            case NoAnswer():
                return answer.doubt
            case Answered(status=200):
                return self._believed(answer, target)
            case Answered(status=status):
                return InDoubt(reason=f"the wallet answered with HTTP status {status}")

    def _believed(self, answer: Answered, target: str) -> WalletAnswer | InDoubt:
        headers = answer.headers
        said = self._proven(headers, headers.get("response-time", ""), target, answer.body)
        if said is None:
            unproven = read_said(answer.body) or WalletAnswer({})
            why = f"no signature of the wallet: {unproven.codes}"
            if headers.get(_MODE) == self._other_mode:
                why = f"the mode {self._other_mode}, and the account has not"
            return InDoubt(reason=f"the answer has {why}")
        return said

    def is_signed(self, headers: Mapping[str, str], target: str, body: bytes) -> bool:
        """Whether the wallet signed the notification, for whomever its headers name."""
        time, client_id = headers.get("request-time", ""), headers.get("client-id", "")
        text = signed_text(target, client_id, time, body)
        return bool(client_id) and self._verifier.accepts(headers.get("signature", ""), time, text)

    def strangeness(self, headers: Mapping[str, str]) -> ForeignReason | None:
        """Why what the wallet signed is not for us, if it is not."""
        if headers.get("client-id") != self._client_id:
            return ForeignReason.ACCOUNT
        return ForeignReason.MODE if headers.get(_MODE) == self._other_mode else None

    def _proven(
        self, headers: Mapping[str, str], time: str, target: str, body: bytes
    ) -> WalletAnswer | None:
        """What `body` says, where the wallet signed it for us and it is of our mode. `time`: as
        its header has it."""
        text = signed_text(target, self._client_id, time, body)
        if headers.get("client-id", self._client_id) != self._client_id:
            return None
        if headers.get(_MODE) == self._other_mode:
            return None
        if not self._verifier.accepts(headers.get("signature", ""), time, text):
            return None
        return read_said(body)

    async def close(self) -> None:
        await self._http.close()


def write_time(moment: datetime) -> str:
    """ISO 8601 to the second, in UTC: 2026-11-22T02:00:00+00:00."""
    return moment.astimezone(UTC).isoformat(timespec="seconds")
