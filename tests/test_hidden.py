"""Whatever holds a secret hides it when it is printed, whoever prints it."""

import importlib
import pkgutil
import re
from dataclasses import fields, is_dataclass
from typing import Any

import kassa
from kassa.settings import Settings

SECRET = re.compile(
    r"(?:^|_)(?:secrets?|password|private_key|pem|access_token|refresh_token|instrument|auth_code"
    r"|card_number|wallet_code|session_token|personal_key|fingerprint_of)\Z"
)
SHOWN = {
    "Attempt.instrument": "masked: its last four digits",
    "Payment.instrument": "masked: its last four digits",
    "PaymentOfPerson.instrument": "masked: its last four digits",
    "AttemptStarted.instrument": "masked: its last four digits",
    "AccountView.set_secrets": "which there are",
    "ClientKey.pem": "a public key",
    "Field.secret": "whether it is one",
    "Policy.earlier_secrets": "a length of time",
    "Core.secrets": "a Keyring, which tells nothing",
    "KeyVersion.secret": "a Secret, which tells nothing",
}
"""Called like a secret, and none."""


def classes() -> set[Any]:
    found = set()
    for module in pkgutil.walk_packages(kassa.__path__, "kassa."):
        if not module.name.endswith("__main__"):
            members = vars(importlib.import_module(module.name)).values()
            found |= {one for one in members if isinstance(one, type) and is_dataclass(one)}
    return found


def test_what_holds_a_secret_does_not_print_it() -> None:
    every = classes()
    telling = sorted(
        f"{one.__name__}.{member.name}"
        for one in every
        for member in fields(one)
        if SECRET.search(member.name) and member.repr and "__repr__" in vars(one)
        if one.__dataclass_params__.repr
    )

    assert len(every) > 200
    assert [one for one in telling if one not in SHOWN] == []


def test_settings_print_nothing_of_accounts_or_of_the_databases_address() -> None:
    settings = Settings(
        database_url="postgresql://kassa:hush@db/kassa",
        accounts={"alipay": {"private_key": "hush"}},
    )

    assert "hush" not in repr(settings) + str(settings) + f"{settings}"
