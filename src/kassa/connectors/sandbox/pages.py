"""The provider's own pages: the challenge a payer answers, and its books for people to read."""

import asyncio
import hashlib
import hmac
import re
from base64 import b64encode
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Route

from kassa.connectors.sandbox.books import SandboxBooks, SandboxCharge
from kassa.connectors.sandbox.cards import SandboxState
from kassa.connectors.sandbox.report import as_csv
from kassa.connectors.sandbox.words import LANGUAGES, WORDS, language_of

_TEMPLATES = Environment(
    loader=PackageLoader("kassa.connectors.sandbox"), autoescape=True, undefined=StrictUndefined
)
_STYLE = _TEMPLATES.get_template("style.css").render().encode()
_STYLE_HASH = b64encode(hashlib.sha256(_STYLE).digest()).decode()
_LARGEST_FORM = 4096
_DAYS_SHOWN = 7
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_ORIGIN = re.compile(r"https?://[A-Za-z0-9.\-\[\]:]{1,300}+")


Reader = Callable[[Request], Awaitable[str | None]]
"""Who asks to see the books: how the keys of their charges begin; None for anybody else."""


def routes(books: SandboxBooks, *, clock: Callable[[], datetime], reader: Reader) -> list[Route]:
    """The pages, under `/sandbox`. A payer has the unguessable address of their own charge;
    the books are shown to merchants alone, and to each only what is theirs."""
    pages = _Pages(books, clock, reader)
    return [
        Route("/sandbox/challenge/{reference}", pages.ask, methods=["GET"]),
        Route("/sandbox/challenge/{reference}", pages.answer, methods=["POST"]),
        Route("/sandbox/books", pages.show_books, methods=["GET"]),
        Route("/sandbox/report.csv", pages.send_report, methods=["GET"]),
    ]


class _Pages:
    def __init__(self, books: SandboxBooks, clock: Callable[[], datetime], reader: Reader) -> None:
        self._books = books
        self._clock = clock
        self._reader = reader

    async def ask(self, request: Request) -> Response:
        """Show the payer what they are asked to approve, or how it ended."""
        charge = await self._challenged(request)
        if charge is None:
            return _unknown(request)
        if charge.state is not SandboxState.ACTION_NEEDED:
            return _decided(request, charge)
        token = await asyncio.to_thread(self._books.form_token, charge.reference)
        # A browser holds the redirect after the form to this rule too, so the shop is named.
        origin = _ORIGIN.match(charge.return_url)
        return _page(
            request,
            "challenge.html",
            form_action=f"'self' {origin[0]}" if origin else "'self'",
            charge=charge,
            token=token,
        )

    async def answer(self, request: Request) -> Response:
        """Take the payer's choice and send them back to the shop."""
        charge = await self._challenged(request)
        if charge is None:
            return _unknown(request)
        form = await _read_form(request)
        token = await asyncio.to_thread(self._books.form_token, charge.reference)
        genuine = hmac.compare_digest(form.get("token", "").encode(), token.encode())
        if not genuine or form.get("choice") not in ("approve", "refuse"):
            return _bad_form(request, status=400 if genuine else 403)
        charge = await asyncio.to_thread(
            self._books.decide,
            charge.reference,
            approve=form["choice"] == "approve",
            now=self._clock(),
        )
        if charge is None:
            return _unknown(request)
        if not charge.return_url:
            return _decided(request, charge)
        return RedirectResponse(charge.return_url, 303, headers={"cache-control": "no-store"})

    async def show_books(self, request: Request) -> Response:
        """What the provider has on record of the caller, to be compared with ours."""
        keys = await self._reader(request)
        if keys is None:
            return _not_yours(request)
        now = self._clock()
        charges = await asyncio.to_thread(self._books.latest, now=now, keys=keys)
        totals = await asyncio.to_thread(self._books.totals, keys)
        today = now.astimezone(UTC).date()
        days = [today - timedelta(days=back) for back in range(_DAYS_SHOWN)]
        return _page(request, "books.html", charges=charges, totals=totals, days=days)

    async def send_report(self, request: Request) -> Response:
        """The caller's settlement report of one UTC day, as CSV, line by line as it is read."""
        keys = await self._reader(request)
        if keys is None:
            return _not_yours(request)
        since = _midnight(request.query_params.get("day", ""))
        if since is None:
            return _page(
                request,
                "message.html",
                status=400,
                title="bad_day_title",
                text="bad_day",
                link=("/sandbox/books", "to_books"),
            )
        until = since + timedelta(days=1)
        rows = self._books.report(since, until, now=self._clock(), keys=keys)
        headers = {
            "content-disposition": f'attachment; filename="sandbox-{since:%Y-%m-%d}.csv"',
            "x-content-type-options": "nosniff",
            "cache-control": "no-store",
        }
        return StreamingResponse(
            as_csv(rows), headers=headers, media_type="text/csv; charset=utf-8; header=present"
        )

    async def _challenged(self, request: Request) -> SandboxCharge | None:
        if not self._books.exist():
            return None
        return await asyncio.to_thread(
            self._books.at_challenge, request.path_params["reference"], now=self._clock()
        )


def _page(
    request: Request,
    template: str,
    *,
    status: int = 200,
    form_action: str = "'none'",
    **shown: Any,
) -> HTMLResponse:
    language = language_of(
        request.query_params.get("lang", ""), request.headers.get("accept-language", "")
    )
    text = _TEMPLATES.get_template(template).render(
        words=WORDS[language],
        language=language,
        languages=LANGUAGES,
        **shown,
    )
    policy = (
        f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; form-action {form_action};"
        " base-uri 'none'; frame-ancestors 'none'"
    )
    headers = {
        "content-security-policy": policy,
        "x-content-type-options": "nosniff",
        "referrer-policy": "no-referrer",
        "cache-control": "no-store",
        "vary": "accept-language",
        "content-language": language,
    }
    return HTMLResponse(text, status, headers)


def _midnight(day: str) -> datetime | None:
    """When the UTC day "2026-11-22" begins; None when that is no day with another after it."""
    try:
        since = datetime.fromisoformat(day).replace(tzinfo=UTC) if _DAY.fullmatch(day) else None
        return since if since is None or since + timedelta(days=1) else None
    except (ValueError, OverflowError):
        return None


def _unknown(request: Request) -> Response:
    return _page(
        request, "message.html", status=404, title="unknown_title", text="unknown", link=None
    )


def _not_yours(request: Request) -> Response:
    answer = _page(
        request, "message.html", status=401, title="locked_title", text="locked", link=None
    )
    answer.headers["www-authenticate"] = 'Basic realm="sandbox", charset="UTF-8"'
    return answer


def _bad_form(request: Request, *, status: int) -> Response:
    return _page(
        request,
        "message.html",
        status=status,
        title="bad_form_title",
        text="bad_form",
        link=(request.url.path, "again"),
    )


def _decided(request: Request, charge: SandboxCharge) -> Response:
    back = charge.return_url
    return _page(
        request,
        "message.html",
        title=f"{charge.state}_title",
        text="decided" if back else "close",
        link=(back, "return") if back else None,
    )


async def _read_form(request: Request) -> dict[str, str]:
    """The form's fields; empty when it is none, is too large, or repeats a field."""
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > _LARGEST_FORM:
            return {}
    try:
        fields = parse_qs(body.decode("ascii"), strict_parsing=True, max_num_fields=8)
    except ValueError:
        return {}
    return {name: values[0] for name, values in fields.items() if len(values) == 1}
