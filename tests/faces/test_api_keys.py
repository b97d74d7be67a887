"""How an API key is read from the Authorization header."""

import base64

import pytest

from kassa.domain.errors import Unauthenticated
from kassa.faces.api_keys import secret_in

KEY = "sk_demo_1234567890"


def basic(text: str | bytes) -> str:
    raw = text.encode() if isinstance(text, str) else text
    return f"Basic {base64.b64encode(raw).decode()}"


@pytest.mark.parametrize(
    "header",
    [
        f"Bearer {KEY}",
        f"bearer  {KEY}",
        basic(KEY),
        basic(f"{KEY}:"),
        basic(KEY).upper()[:5] + basic(KEY)[5:],
    ],
)
def test_a_key_is_read_from_bearer_and_from_basic(header: str) -> None:
    assert secret_in(header) == KEY


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Bearer",
        "Bearer ",
        "Basic",
        KEY,
        f"Digest {KEY}",
        "Basic %%%%",
        "Basic c2s",
        basic(""),
        basic(":"),
        basic(b"\xff\xfe"),
        basic("a\nb"),
        "Bearer é",
        "Bearer " + "k" * 2000,
    ],
)
def test_every_other_header_gets_one_and_the_same_refusal(header: str) -> None:
    with pytest.raises(Unauthenticated) as refused:
        secret_in(header)

    assert refused.value.message.startswith("a valid API key is needed")
