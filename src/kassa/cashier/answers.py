"""Answers to a browser: every one carries the headers that keep the page to itself."""

from collections.abc import Mapping

from starlette.responses import RedirectResponse, Response

from kassa.cashier.assets import Asset
from kassa.cashier.speech import Speech

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self' data:; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'; "
    "require-trusted-types-for 'script'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Vary": "Accept-Language",
}


def html(
    speech: Speech, page: str, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """A page; never kept by any cache, for its address is a secret and its content changes."""
    told = HEADERS | {"Content-Language": speech.language} | dict(headers or {})
    return Response(page, status, told, media_type="text/html")


def redirect(url: str) -> Response:
    """On to `url` with GET."""
    return RedirectResponse(url, 303, headers=HEADERS)


def file(asset: Asset) -> Response:
    """A static file: its name changes with its content, so it may be kept for ever."""
    headers = HEADERS | {"Cache-Control": "public, max-age=31536000, immutable"}
    return Response(asset.content, media_type=asset.media_type, headers=headers)


def no_file() -> Response:
    return Response("not found", 404, HEADERS, media_type="text/plain")
