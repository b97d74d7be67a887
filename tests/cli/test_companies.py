"""`kassa company` as people meet it: a company is made, given its other side, listed and closed."""

import asyncio
from dataclasses import replace

import pytest
from tests.cli.prompt import Said, Type

from kassa import assembly
from kassa.identity.domain.principals import Mode
from kassa.identity.usecases.companies import NewCompany, add_company
from kassa.settings import Settings


@pytest.fixture
def live_side(settings: Settings, database_url: str) -> None:
    """Of cmp_tea, made where real money moves: the database of these tests may lose commits, and
    no such installation starts on it."""

    async def make() -> None:
        async with assembly.open_core(settings, database_url) as core:
            core.policy = replace(core.policy, live=True)
            wanted = NewCompany(
                id="cmp_tea", business_id="biz_tea", name="Tea", currency="CNY", mode=Mode.LIVE
            )
            await add_company(core, wanted)

    asyncio.run(make())


def refusal(said: Said) -> str:
    assert (said.status, said.out) == (2, "")
    [line] = said.err.splitlines()
    return line


def test_a_company_begins_with_its_test_side_and_no_sandbox(kassa: Type) -> None:
    made = kassa("company", "add", "Tea", "--company", "cmp_tea", "--currency", "CNY").content
    given = kassa("company", "add", "Ink", "--sandbox").content

    assert (made["company_id"], made["side"], made["mode"]) == ("cmp_tea", "cmp_tea", "test")
    assert made["sandbox"] is False
    assert made["api_key"].startswith("sk_test_")
    assert made["orders"]["client_id"].startswith("client_test_")
    assert given["sandbox"] is True
    assert given["company_id"].startswith("cmp_")


def test_a_company_that_began_live_is_given_its_test_side(kassa: Type, live_side: None) -> None:
    missing = refusal(kassa("payee", "list", "--company", "cmp_tea"))
    listed = kassa("company", "list", "--json").content

    test = kassa("company", "side", "cmp_tea", "--test", "--sandbox").content

    assert missing == "kassa: cmp_tea has no test side; its live side is cmp_tea:live"
    assert (test["company_id"], test["side"], test["mode"]) == ("cmp_tea", "cmp_tea", "test")
    assert test["sandbox"] is True
    assert test["api_key"].startswith("sk_test_")
    assert test["business_id"] == listed[0]["business_id"]
    assert test["org_id"] != listed[0]["number"]
    again = refusal(kassa("company", "side", "cmp_tea", "--test"))
    assert again == "kassa: cmp_tea is the test side already"


def test_where_there_is_no_company_it_is_told_how_to_make_one(kassa: Type) -> None:
    assert kassa("company", "list").out == "no companies; add one with kassa company add\n"


def test_every_side_is_listed_with_its_mode(kassa: Type, live_side: None) -> None:
    kassa("company", "side", "cmp_tea", "--test", "--sandbox")
    closed = kassa("company", "close", "cmp_tea:live")

    plain = kassa("company", "list", "--json").content
    table = [line.split() for line in kassa("company", "list").out.splitlines()]

    assert closed.out == "live side of cmp_tea\nclosed\n"
    assert [(one["id"], one["mode"], one["sandbox"], one["status"]) for one in plain] == [
        ("cmp_tea:live", "live", False, "closed"),
        ("cmp_tea", "test", True, "active"),
    ]
    assert table == [
        ["SIDE", "MODE", "SANDBOX", "STATUS", "COMPANY", "NAME"],
        ["cmp_tea:live", "live", "-", "closed", "cmp_tea", "Tea"],
        ["cmp_tea", "test", "given", "active", "cmp_tea", "Tea"],
    ]
    assert kassa("company", "open", "cmp_tea:live").out == "live side of cmp_tea\nopen\n"


def test_the_sandbox_is_given_to_a_test_side_and_taken_away(kassa: Type, live_side: None) -> None:
    kassa("company", "side", "cmp_tea")
    had_not = kassa("company", "list", "--json").content[1]["sandbox"]

    given = kassa("company", "sandbox", "cmp_tea")
    had = kassa("company", "list", "--json").content[1]["sandbox"]
    taken = kassa("company", "sandbox", "cmp_tea", "--off")

    assert given.out == "test side of cmp_tea\nthe sandbox is given\n"
    assert (had_not, had) == (False, True)
    assert taken.out == "test side of cmp_tea\nthe sandbox is taken away\n"
    assert kassa("company", "list", "--json").content[1]["sandbox"] is False
    assert "for test sides" in refusal(kassa("company", "sandbox", "cmp_tea:live"))


def test_what_cannot_be_is_refused_in_one_sentence(kassa: Type) -> None:
    kassa("company", "add", "Tea", "--company", "cmp_tea")

    for arguments, words in (
        (("add", "Tea", "--live"), "moves no real money"),
        (("side", "cmp_tea", "--live"), "moves no real money"),
        (("add", "Tea", "--live", "--sandbox"), "for test sides"),
        (("side", "cmp_tea", "--test"), "cmp_tea is the test side already"),
        (("side", "cmp_none", "--live"), "no such company: 'cmp_none'"),
        (("add", "Ink", "--company", "cmp_tea"), "another company of the id 'cmp_tea'"),
        (("add", "Tea", "--company", "cmp:live"), "text without ':'"),
        (("add", "Tea", "--currency", "XXQ"), "unknown currency"),
        (("close", "cmp_none"), "no such company"),
        (("sandbox", "cmp_none"), "no such company"),
    ):
        assert words in refusal(kassa("company", *arguments)), arguments


def test_a_company_has_as_many_businesses_as_it_is_given(kassa: Type) -> None:
    made = kassa("company", "add", "Tea", "--company", "cmp_tea", "--currency", "CNY").content
    of_tea = ("--company", "cmp_tea")

    own_id = kassa("business", "add", "Tea, Harbour", *of_tea).out.splitlines()[-1]
    kassa("business", "add", "Tea, Station", "--id", "biz_station", *of_tea)
    listed = kassa("business", "list", "--json", *of_tea).content
    key = kassa("credential", "add", "api-key", "--business", "biz_station", *of_tea).content

    assert listed == [
        {"mode": "test", "id": made["business_id"], "name": "Tea"},
        {"mode": "test", "id": own_id, "name": "Tea, Harbour"},
        {"mode": "test", "id": "biz_station", "name": "Tea, Station"},
    ]
    assert own_id.startswith("biz_")
    assert key["business_id"] == "biz_station"
    assert "biz_station" in kassa("business", "list", *of_tea).out
    assert "no such business" in refusal(
        kassa("credential", "add", "api-key", "--business", "biz_nobody", *of_tea)
    )
    assert "own business" in refusal(
        kassa("business", "add", "x", "--id", made["business_id"], *of_tea)
    )
