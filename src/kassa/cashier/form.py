"""What the payer's form brings back, and what may be wrong with it. It brings no amount."""

import hashlib
import hmac
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from urllib.parse import parse_qs

from starlette.requests import ClientDisconnect, Request

from kassa.base.domain.card_numbers import check_digit_fits
from kassa.base.domain.errors import InvalidRequest
from kassa.base.domain.secret import Secret
from kassa.base.usecases.core import Core
from kassa.base.usecases.keyring import Purpose
from kassa.payments.domain.payments import Method

_BODY_LIMIT = 8 * 1024  # the largest honest form is under 1 KB
_MAX_FIELDS = 20
_LONGEST = 256


@dataclass(frozen=True, slots=True)
class Problem:
    """`keys` of the texts that say it; the `field` at fault, or "" when it is the whole payment.

    `wait`: seconds until a try may succeed, where the texts speak of that.
    """

    keys: tuple[str, ...]
    field: str = ""
    wait: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Filled:
    """The form as filled in. `card_number` and `wallet_code` are never shown again or printed."""

    method: str = ""
    card_number: str = field(default="", repr=False)
    wallet_user: str = ""
    wallet_code: str = field(default="", repr=False)
    answer: str = ""
    form_token: str = field(default="", repr=False)

    @property
    def card_digits(self) -> str:
        # NFKC turns the full-width digits of a Chinese keyboard into ordinary ones.
        return re.sub(r"[\s-]", "", unicodedata.normalize("NFKC", self.card_number))

    @property
    def card_shown(self) -> str:
        """What may be kept of the card: its last four digits."""
        return f"•••• {self.card_digits[-4:]}"


def form_token(core: Core, session_token: str) -> str:
    """Proof that the form came from our own page of this very payment."""
    return _form_token(core.secrets.current(Purpose.PAGE_TOKENS), session_token)


def is_ours(core: Core, session_token: str, shown: str) -> bool:
    """Whether that is one, of whichever key."""
    keys = core.secrets.of(Purpose.PAGE_TOKENS).every
    wanted = [_form_token(one.secret, session_token).encode() for one in keys]
    fitting = [hmac.compare_digest(shown.encode(), one) for one in wanted]
    return any(fitting)


def _form_token(key: Secret, session_token: str) -> str:
    return hmac.new(key.reveal(), f"form:{session_token}".encode(), hashlib.sha256).hexdigest()


async def read_form(request: Request) -> Filled:
    """The fields we know, each once; all others are ignored, an amount among them.

    Raises: InvalidRequest when it is too large or not a form.
    """
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > _BODY_LIMIT:
                raise InvalidRequest("the form is too large", reason="body_too_large")
    except ClientDisconnect:
        raise InvalidRequest("the form ended early", reason="body_incomplete") from None
    try:
        fields = parse_qs(
            body.decode("utf-8"),
            keep_blank_values=True,
            errors="strict",
            max_num_fields=_MAX_FIELDS,
        )
    except ValueError:
        raise InvalidRequest("the body is not a form", reason="form_malformed") from None
    known = Filled.__dataclass_fields__
    return Filled(**{name: values[0] for name, values in fields.items() if name in known})


def problems_of(filled: Filled, methods: Sequence[str]) -> list[Problem]:
    """Everything the payer can put right before anything is sent."""
    if not filled.method:
        return [Problem(("method_missing",), "method")]
    if filled.method not in methods:
        return [Problem(("method_unavailable",), "method")]
    if filled.method == Method.CREDIT_CARD:
        return _card_problems(filled)
    if filled.method == Method.WALLET:
        return sign_in_problems(filled)
    return []


def sign_in_problems(filled: Filled) -> list[Problem]:
    """Of who says to be a wallet's user."""
    return _text_problems("wallet_user", filled.wallet_user) + _text_problems(
        "wallet_code", filled.wallet_code
    )


def _card_problems(filled: Filled) -> list[Problem]:
    if len(filled.card_number) > _LONGEST:
        return [Problem(("card_length",), "card_number")]
    digits = filled.card_digits
    if not digits:
        key = "card_missing"
    elif not (digits.isascii() and digits.isdecimal()):
        key = "card_not_digits"
    elif not 12 <= len(digits) <= 19:
        key = "card_length"
    elif not check_digit_fits(digits):
        key = "card_typo"
    else:
        return []
    return [Problem((key,), "card_number")]


def _text_problems(name: str, text: str) -> list[Problem]:
    if not text.strip():
        return [Problem((f"{name}_missing",), name)]
    if len(text) > _LONGEST or not text.isprintable():
        return [Problem(("too_long",), name)]
    return []
