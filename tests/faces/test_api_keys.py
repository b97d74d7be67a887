"""Reading an API key out of what clients send."""

import base64

import pytest

from kassa.base.domain.errors import Unauthenticated
from kassa.faces.api_keys import secret_in

KEY = "kassa_test_9f-8.7_6543210"


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    "header",
    [
        f"Bearer {KEY}",
        f"bearer   {KEY} ",
        f"Basic {encoded(KEY)}",
        f"basic {encoded(KEY)}",
        f"Basic {encoded(KEY).rstrip('=')}",
        f"Basic {encoded('user:' + KEY)}",
        f"Basic {encoded(':' + KEY)}",
        f"Basic {encoded(KEY + ':')}",
        f"Basic {KEY}",
    ],
)
def test_the_key_is_found_in_every_form(header):
    assert secret_in(header) == KEY


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "   ",
        KEY,
        "Bearer",
        "Basic",
        "Basic ",
        f"Digest {KEY}",
        f"Bearer {KEY}é",
        "Bearer a\x00b",
        f"Basic {encoded(':')}",
        f"Basic {encoded('a' + chr(0))}",
        "Bearer " + "k" * 600,
        "Basic " + encoded("k" * 600),
    ],
)
def test_anything_else_is_nobody(header):
    with pytest.raises(Unauthenticated) as refused:
        secret_in(header)

    assert KEY not in refused.value.message


def test_a_key_encoded_twice_is_another_key():
    assert secret_in(f"Basic {encoded(encoded(KEY))}") != KEY
