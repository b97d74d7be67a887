"""Staff at the keyboard: invited, signed in, and named in what they do."""

import base64
import io
import re
import sys
import time

import pytest
from tests.cli.prompt import Said, Type
from tests.cli.test_modes import ID, Side, sides

from kassa.identity.domain.principals import Mode
from kassa.identity.domain.staff import totp

__all__ = ["sides"]
PASSWORD = "three harbour lanterns"


def test_somebody_is_invited_signs_in_and_acts_under_their_name(
    kassa: Type, sides: dict[Mode, Side], monkeypatch: pytest.MonkeyPatch,
    capfdbinary: pytest.CaptureFixture[bytes],
) -> None:  # fmt: skip
    of = ("--company", ID)
    invitation = kassa("staff", "add", "ann", "--role", "finance", *of).out.split()[-1]
    seen: list[str] = []

    class App(io.StringIO):
        def readline(self, *_: object) -> str:  # type: ignore[override]
            if line := super().readline():
                return line
            told = capfdbinary.readouterr().out.decode()
            secret = re.search(r"For your app: (\w+)", told)
            assert secret is not None
            seen.append(secret[1])
            return f"{code(secret[1])}\n"

    monkeypatch.setattr(sys, "stdin", App(f"{invitation}\n{PASSWORD}\n"))
    accepted = kassa("staff", "accept")
    recovery = accepted.out.split()[-1]
    signed = enter(kassa, monkeypatch, PASSWORD, recovery)
    token = signed.out.strip()
    wrong = enter(kassa, monkeypatch, PASSWORD, recovery)

    assert len(seen) == 1
    assert re.fullmatch(r"\w{4}-\w{4}-\w{4}", recovery)
    assert token.startswith("kst_")
    assert (wrong.status, wrong.out) == (2, "")

    def as_ann(*words: str) -> Said:
        monkeypatch.setattr("kassa.cli.running.staff_token", lambda: token)
        return kassa(*words)

    done = as_ann("payee", "add", "6222021234567890", *of)
    refused = as_ann("credential", "add", "api-key", *of)
    elsewhere = as_ann("payee", "list", "--company", f"{ID}:live")
    everywhere = as_ann("audit")
    shown = as_ann("audit", "--who", "staff:ann", *of)
    out = as_ann("staff", "sign-out")
    dead = as_ann("payee", "list", *of)

    assert done.status == 0
    assert "takes the right to setup" in refused.err
    assert "no role at cmp_tea:live" in elsewhere.err
    assert "name one with --company" in everywhere.err
    assert "staff:ann  payee.put" in shown.out
    assert "credential" not in shown.out
    assert out.out == "signed out\n"
    assert "has ended" in dead.err


def code(secret: str) -> str:
    return totp(base64.b32decode(secret + "=" * (-len(secret) % 8)), int(time.time()) // 30)


def enter(kassa: Type, monkeypatch: pytest.MonkeyPatch, *lines: str) -> Said:
    monkeypatch.setattr(sys, "stdin", io.StringIO("".join(f"{line}\n" for line in lines)))
    return kassa("staff", "sign-in", "ann")


def test_staff_are_listed_shown_and_disabled(kassa: Type, sides: dict[Mode, Side]) -> None:
    of = ("--company", ID)
    kassa("staff", "add", "ann", *of)
    kassa("staff", "role", "ann", "admin", "--company", f"{ID}:live")

    [one] = kassa("staff", "list", "--json").content
    listed = kassa("staff", "list", *of).out
    shown = kassa("staff", "show", "ann").out
    disabled = kassa("staff", "disable", "ann")
    no_password = kassa("staff", "enable", "ann")

    assert {(role["company"], role["role"]) for role in one["roles"]} == {
        (ID, "viewer"), (f"{ID}:live", "admin")
    }  # fmt: skip
    assert "ann  invited  never in  viewer at cmp_tea\n" in listed
    assert "0 recovery codes are left" in shown
    assert disabled.out == "disabled\n"
    assert "no password yet" in no_password.err
    assert "a role is one of" in kassa("staff", "role", "ann", "king", *of).err
    assert kassa("staff", "show", "nobody").status == 2
