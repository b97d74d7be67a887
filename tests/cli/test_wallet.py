"""`kassa wallet` as people meet it: a user is made, topped up, shown and frozen."""

import asyncio

from tests.cli.acts import ME
from tests.cli.prompt import Type
from tests.wallet.agreeing import an_agreement

from kassa import assembly
from kassa import demo as demo_company
from kassa.identity.usecases.authenticate import find_wallet_client
from kassa.settings import Settings

SIDE = "test side of cmp_001\n"


def test_a_user_is_made_topped_up_shown_and_frozen(
    kassa: Type, settings: Settings, database_url: str
) -> None:
    async def make() -> None:
        async with assembly.open_core(settings, database_url) as core:
            await demo_company.make(core, settings)

    asyncio.run(make())

    made = kassa("wallet", "add", "wu_new", "--auth-code", "a code of this test")
    empty = kassa("wallet", "show", "wu_new")
    topped_up = kassa("wallet", "top-up", "wu_new", "100.00", "CNY")
    shown = kassa("wallet", "show", "wu_new")
    frozen = kassa("wallet", "status", "wu_new", "frozen")
    nobody = kassa("wallet", "show", "wu_nobody")

    assert made.out == f"{SIDE}wu_new is ready\n"
    assert empty.out == f"{SIDE}wu_new has no balance yet\n"
    assert topped_up.out == f"{SIDE}wu_new has 100.00 CNY\n"
    balance = "wu_new has 100.00 CNY, besides 0.00 CNY reserved; spent today 0.00 CNY\n"
    assert shown.out == SIDE + balance
    assert frozen.out == f"{SIDE}wu_new is frozen\n"
    assert (nobody.status, nobody.err) == (2, "kassa: no such wallet user: 'wu_nobody'\n")


def test_codes_are_made_listed_and_revoked(
    kassa: Type, settings: Settings, database_url: str
) -> None:
    async def make() -> None:
        async with assembly.open_core(settings, database_url) as core:
            await demo_company.make(core, settings)

    asyncio.run(make())
    kassa("wallet", "add", "wu_new")

    none = kassa("wallet", "codes", "wu_new")
    code = kassa("wallet", "code", "wu_new", "--client", "5X1")
    token = kassa("wallet", "agree", "wu_new", "--limit", "100.00")
    secret = kassa("wallet", "secret", "wu_new")
    code_id = code.err.partition(":")[0]
    listed = kassa("wallet", "codes", "wu_new")
    revoked = kassa("wallet", "revoke", code_id)
    afterwards = kassa("wallet", "codes", "wu_new")
    of_the_demo = kassa("wallet", "codes")
    nobody = kassa("wallet", "code", "wu_nobody")
    nothing = kassa("wallet", "revoke", "wc_nothing")

    assert none.out == f"{SIDE}wu_new has no codes\n"
    assert (len(code.out), code.out[:2]) == (19, "28")
    assert token.out.startswith("wat_")
    assert secret.out.startswith("wus1_")
    assert [line.split("  ")[1] for line in listed.out.splitlines()[1:]] == [
        "secret",
        "agreement",
        "pay code",
    ]
    assert "at most 100.00 CNY a payment" in listed.out
    assert "for 5X1" in listed.out
    for shown in (code.out, token.out, secret.out):
        assert shown.strip() not in listed.out
    assert revoked.out == f"{SIDE}revoked\n"
    assert "revoked" in afterwards.out.splitlines()[-1]
    assert {line.split("  ")[1] for line in of_the_demo.out.splitlines()[1:]} == {
        "agreement",
        "secret",
    }
    assert (nobody.status, nobody.err) == (2, "kassa: no such wallet user: 'wu_nobody'\n")
    assert (nothing.status, nothing.err) == (2, "kassa: no such wallet code: 'wc_nothing'\n")


def test_agreements_are_listed_and_ended(
    kassa: Type, settings: Settings, database_url: str
) -> None:
    async def agreed() -> str:
        async with assembly.open_core(settings, database_url) as core:
            demo = await demo_company.make(core, settings)
            client = await find_wallet_client(core, demo.wallet_client_id)
            assert client is not None
            return await an_agreement(core, client.company, client.client_id)

    user = asyncio.run(agreed())
    code = kassa("wallet", "code", user, "--consent")
    listed = kassa("wallet", "agreements", user)
    codes = kassa("wallet", "codes", user)
    nobodys = kassa("wallet", "agreements", "wu_nobody")
    agreement_id = listed.out.splitlines()[1].split()[0]
    token = next(line for line in codes.out.splitlines() if "refresh token" in line)
    ended = kassa("wallet", "revoke", token.split()[0])
    again = kassa("wallet", "revoke", agreement_id)
    afterwards = kassa("wallet", "agreements")
    nothing = kassa("wallet", "revoke", "wa_nothing")

    assert (len(code.out), code.out[:2]) == (19, "29")
    assert ": for one agreement by " in code.err
    assert f"{user}  active  since" in listed.out
    assert "AGREEMENT_PAY" in listed.out
    assert f"of {agreement_id}" in token
    assert nobodys.out == f"{SIDE}nobody agreed to anything\n"
    assert ended.out == again.out == f"{SIDE}revoked\n"
    assert "ended" in afterwards.out
    assert f"by operator:{ME.partition(':')[2]}" in afterwards.out
    assert (nothing.status, nothing.err) == (2, "kassa: no such agreement: 'wa_nothing'\n")
