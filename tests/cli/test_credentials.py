"""`kassa credential` as people meet it."""

import asyncio
from pathlib import Path

import pytest
from tests.cli.prompt import Said, Type

from kassa import assembly, installation
from kassa.base.domain.errors import Unauthenticated
from kassa.identity.usecases.authenticate import authenticate_api_key
from kassa.settings import Settings


@pytest.fixture
def company(kassa: Type) -> str:
    made = kassa("company", "add", "Tea", "--company", "cmp_tea", "--currency", "CNY")
    return str(made.content["company_id"])


def is_good(settings: Settings, database_url: str, secret: str) -> bool:
    async def ask() -> bool:
        async with assembly.open_core(settings, database_url) as core:
            try:
                await authenticate_api_key(core, secret)
            except Unauthenticated:
                return False
            return True

    return asyncio.run(ask())


def refusal(said: Said) -> str:
    assert (said.status, said.out) == (2, "")
    return said.err


def test_a_key_is_made_listed_shown_rotated_disabled_and_enabled(
    kassa: Type, company: str, settings: Settings, database_url: str
) -> None:
    made = kassa(
        *f"credential add api-key --company {company} --may refund-desk --days 90"
        " --from 127.0.0.0/8 --from 192.0.2.7".split()
    ).content
    key = made["id"]
    listed = kassa("credential", "list", "--company", company, "--json").content
    table = kassa("credential", "list", "--company", company).out
    shown = kassa("credential", "show", key, "--json").content
    words = kassa("credential", "show", key).out

    assert made["api_key"].startswith(key.removeprefix("key:"))
    assert key in [one["id"] for one in listed]
    assert len(listed) == 3  # with those that the company began with
    assert "business:read gateway:read gateway:refund" in table
    assert shown["permissions"] == ["business:read", "gateway:read", "gateway:refund"]
    assert shown["networks"] == ["127.0.0.0/8", "192.0.2.7/32"]
    assert shown["created_by"].startswith("os:")
    assert words.startswith("test side of cmp_tea\n")
    for text in (table, words, str(listed)):
        assert made["api_key"].removeprefix(key.removeprefix("key:")) not in text

    other = kassa("credential", "add", "api-key", "--company", company).content
    rotated = kassa("credential", "rotate", other["id"]).content
    assert rotated["earlier_until"] is not None
    assert is_good(settings, database_url, other["api_key"])
    assert is_good(settings, database_url, rotated["api_key"])
    assert kassa("credential", "disable", other["id"]).out == "disabled\n"
    assert not is_good(settings, database_url, rotated["api_key"])
    assert kassa("credential", "enable", other["id"]).out == "enabled\n"
    assert is_good(settings, database_url, rotated["api_key"])


def test_a_wallet_client_gets_its_next_key_and_loses_the_first(
    kassa: Type, company: str, tmp_path: Path
) -> None:
    paths = [tmp_path / name for name in ("one.pem", "two.pem", "three.pem")]
    for path in paths:
        path.write_bytes(installation.public_pem(installation.rsa_pem()))
    add = f"credential add wallet-client --company {company} --public-key {paths[0]}"
    client = kassa(*add.split()).content["id"]

    def states(*words: str) -> dict[str, str]:
        keys = kassa("credential", *words).content["keys"]
        return {one["version"]: one["state"] for one in keys}

    two = ("--public-key", str(paths[1]), "--key-version", "2")
    three = ("--public-key", str(paths[2]), "--key-version", "3", "--pending")
    assert states("rotate", client, *two) == {"1": "retiring", "2": "active"}
    assert states("rotate", client, *three)["3"] == "pending"
    assert states("key", client, "3", "active")["3"] == "active"
    assert states("key", client, "1", "revoked")["1"] == "revoked"
    assert "1:revoked" in kassa("credential", "show", client).out
    assert "cannot become active" in refusal(kassa("credential", "key", client, "1", "active"))
    assert "active, retiring or revoked" in refusal(kassa("credential", "key", client, "1", "x"))
    assert "is a version" in refusal(kassa("credential", "rotate", client, *two))


def test_what_cannot_be_is_refused_in_a_sentence(kassa: Type, company: str, tmp_path: Path) -> None:
    weak = tmp_path / "weak.pem"
    weak.write_bytes(installation.public_pem(installation.ec_pem()))
    add = ("credential", "add")
    of = ("--company", company)

    assert "cannot have 'all'" in refusal(kassa(*add, "api-key", *of, "--may", "all"))
    assert "is of another kind" in refusal(
        kassa(*add, "wallet-client", *of, "--public-key", str(weak))
    )
    assert "--public-key is needed" in refusal(kassa(*add, "jwt-key", *of))
    assert "cannot read" in refusal(kassa(*add, "jwt-key", *of, "--public-key", "/nowhere"))
    assert "network such as" in refusal(kassa(*add, "api-key", *of, "--from", "home"))
    assert "no such credential" in refusal(kassa("credential", "show", "key:sk_nobody"))
    assert "no such credential" in refusal(kassa("credential", "disable", "key:sk_nobody"))
    assert "no such company" in refusal(kassa("credential", "list", "--company", "cmp_x"))
