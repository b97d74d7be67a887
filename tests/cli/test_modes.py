"""Whatever a command tells of a company says whether it is of its test or of its live side."""

import asyncio
import json
import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest
import typer
from tests.cli.acts import Written
from tests.cli.prompt import Said, Type

from kassa import assembly, cli
from kassa.base.domain.money import Money
from kassa.base.usecases.core import Core
from kassa.base.usecases.ids import new_id
from kassa.connectors.sandbox.cards import SCENARIOS
from kassa.identity.domain.principals import Company, Mode
from kassa.identity.usecases.companies import NewCompany, add_company
from kassa.ledger.domain import ledger
from kassa.ledger.domain.ledger import Posting, PostingKind
from kassa.orders.usecases.create_order import NewOrder, create_order
from kassa.payments.domain.payments import CaptureMethod, Method, Payment
from kassa.payments.store import payments
from kassa.payments.usecases.submit_payment import Submission, submit_payment
from kassa.settings import Settings

ID = "cmp_tea"


@dataclass(frozen=True)
class Side:
    """`paid`: an order to be recorded as paid. `reserved`: payments at the sandbox, of the test
    side alone."""

    company: Company
    order_id: str
    reserved: tuple[str, ...] = ()

    @property
    def mode(self) -> str:
        return self.company.mode.value


@pytest.fixture
def sides(settings: Settings, database_url: str) -> dict[Mode, Side]:
    """Both sides of one company, with something to tell of each."""

    async def run() -> dict[Mode, Side]:
        async with assembly.open_core(settings, database_url) as core:
            core.policy = replace(core.policy, live=True)
            made = {}
            for mode in Mode:
                wanted = NewCompany(
                    id=ID,
                    business_id="biz_tea",
                    name="Tea",
                    currency="CNY",
                    mode=mode,
                    sandbox=mode is Mode.TEST,
                )
                made[mode] = await _trade(core, await add_company(core, wanted))
            return made

    return asyncio.run(run())


async def _trade(core: Core, company: Company) -> Side:
    async with core.db.transaction() as connection:
        await payments.insert_postings(connection, [_moved(company)])
    order = (await _order(core, company)).order_id
    if company.is_live:
        return Side(company, order)
    return Side(company, order, (await _reserved(core, company), await _reserved(core, company)))


def _moved(company: Company) -> Posting:
    account = ledger.provider_account("cards")
    merchant = ledger.merchant_account(company.business_id)
    return Posting(
        company_id=company.id,
        id=new_id("po"),
        kind=PostingKind.CAPTURE,
        currency="CNY",
        entries=ledger.move(account, merchant, Money(1_234, "CNY")),
        payment_id="py_of_test",
        at=datetime.now(UTC),
    )


async def _order(core: Core, company: Company, *, manual: bool = False) -> Payment:
    wanted = NewOrder(
        company=company,
        business_id=company.business_id,
        actor="test",
        face="orders",
        amount=Money(10_000, "CNY"),
        notify_url="https://shop.example/news",
        notify_kind="standard",
        capture_method=CaptureMethod.MANUAL if manual else CaptureMethod.AUTOMATIC,
    )
    return (await create_order(core, wanted)).payment


async def _reserved(core: Core, company: Company) -> str:
    made = await _order(core, company, manual=True)
    await submit_payment(
        core,
        Submission(
            company_id=company.id,
            payment_id=made.id,
            method=Method.CREDIT_CARD,
            connector="sandbox",
            instrument=SCENARIOS[0].number,
            instrument_shown="•••• 4242",
            actor="payer",
            return_url="https://shop.example/thanks",
        ),
    )
    return made.id


def says(said: Said, mode: str) -> bool:
    """Whether it says that mode, and the other nowhere."""
    other = {"test": "live", "live": "test"}[mode]
    if said.status not in (0, 1) or f"{other} side of" in said.out + said.err:
        return False
    if f"{mode} side of {ID}" in (said.out + said.err).splitlines():
        return True
    try:
        return _modes_in(json.loads(said.out)) == {mode}
    except ValueError:
        return False


def _modes_in(content: Any) -> set[str]:
    """Of every object of a list; or of one object, or of what is listed in it."""
    if isinstance(content, list):
        return set().union(*map(_modes_in, content))
    if "mode" in content:
        return {content["mode"]}
    return set().union(*(_modes_in(one) for one in content.values() if isinstance(one, list)))


def _commands(group: Any, before: tuple[str, ...] = ()) -> set[str]:
    """Those that have an option --company."""
    found = set()
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            found |= _commands(command, (*before, name))
        elif any("--company" in getattr(option, "opts", ()) for option in command.params):
            found.add(" ".join((*before, name)))
    return found


ASK_A_PROVIDER = {"provider test", "provider report"}  # tests/e2e/test_demo_providers.py has them
NEEDS_A_STATEMENT = {"breaks match"}  # tests/cli/test_transfers.py has it
CSV = (
    "--format csv --account cards --currency CNY --column kind==payment"
    " --column amount=Amount --column our_reference=Order"
)
# In this order: what one makes, another shows. RULE and the like are what an earlier one printed.
WALK = f"""
company show
company show --json
business add Harbour
business list
business list --json
record ORDER
explain ORDER
explain ORDER --json
events list
events list --json
events show EVENT
events show EVENT --json
events resend EVENT
events replay --since 2026-01-01
refund PAYMENT --amount 1.00
settlement list
settle
settlement list --json
settlement show 1
settlement show 1 --json
settlement paid 1 --payout po-1
settlement failed 1
fee add --kind payment --currency CNY --percent 2.9
fee list
fee list --json
fee end RULE
reconcile FILE {CSV}
reconcile FILE {CSV} --json
breaks
breaks --json
breaks assign BREAK ann
breaks resolve BREAK --because counted
dispute list
export trial-balance
export journal
export settlement 1
export customer ORDER
erase customer ORDER
route
route --dry-run
route --dry-run --json
payee add 6222021234567890
payee list
payee list --json
payee disable PAYEE
provider list
provider rotate-keys
credential add api-key
credential list
credential list --json
webhook-secret
wallet add wu_1
wallet top-up wu_1 100.00
wallet show wu_1
wallet code wu_1
wallet agree wu_1
wallet secret wu_1
wallet codes wu_1
wallet agreements wu_1
wallet revoke CODE
wallet status wu_1 frozen
verify
verify --json
"""
ON_TEST = """
provider add --connector stripe --account cards --set secret_key=sk_test_1
provider list --json
provider renew cards --set webhook_secret=whsec_2
provider disable cards
provider enable cards
capture RESERVED1
void RESERVED2
compare --account sandbox
compare --account sandbox --json
fee variance
fee variance --json
audit
audit --json
staff add ann --role support
staff role ann finance
staff list
staff list --json
"""


def _kept(words: str, said: Said, kept: dict[str, str]) -> None:
    """What later commands need of this one's answer."""
    if words.startswith("record"):
        kept["PAYMENT"] = said.out.splitlines()[-1].split()[0]
    elif words.startswith("fee add"):
        kept["RULE"] = said.out.splitlines()[1].partition(":")[0]
    elif words.startswith("payee add"):
        kept["PAYEE"] = said.out.splitlines()[1].split()[0]
    elif words == "breaks --json":
        kept["BREAK"] = said.content["id"]
    elif words == "events list":
        kept["EVENT"] = said.out.splitlines()[1].split()[2]
    elif words.startswith("wallet agree "):
        kept["CODE"] = said.err.partition(":")[0]


@pytest.mark.parametrize(
    "mode, walk", [(Mode.LIVE, WALK), (Mode.TEST, ON_TEST)], ids=["live", "test"]
)
def test_whatever_is_told_of_a_side_says_which(
    kassa: Type,
    sides: dict[Mode, Side],
    mode: Mode,
    walk: str,
    tmp_path: Path,
    owner_url: str,
) -> None:
    side = sides[mode]
    written = Written(owner_url)
    report = tmp_path / "report.csv"
    report.write_text("Order,Amount\nnobodys,1.00\n")
    kept = {"ORDER": side.order_id, "FILE": str(report)}
    kept |= {f"RESERVED{at}": one for at, one in enumerate(side.reserved, 1)}

    silent = []
    for line in walk.strip().splitlines():
        words = line
        for name, value in kept.items():
            words = re.sub(rf"\b{name}\b", value, words)
        said = kassa(*words.split(" "), "--company", side.company.id)
        _kept(line, said, kept)
        if not says(said, mode.value):
            silent.append((words, said))
        # The same report once more, and what was settled, changes nothing.
        if lack := written.lacks(line, again=line.startswith(("reconcile", "settle"))):
            silent.append((lack, said))

    assert not silent


def test_every_command_of_a_company_is_tried_above() -> None:
    elsewhere = ASK_A_PROVIDER | NEEDS_A_STATEMENT | {"company add"}
    every = _commands(typer.main.get_command(cli.app)) - elsewhere
    lines = (WALK + ON_TEST).strip().splitlines()

    untried = {one for one in every if not any(f"{line} ".startswith(f"{one} ") for line in lines)}

    assert not untried


@pytest.mark.parametrize("name, mode", [("", "test"), (":test", "test"), (":live", "live")])
def test_a_side_is_named_by_the_id_and_its_mode(
    kassa: Type, sides: dict[Mode, Side], name: str, mode: str
) -> None:
    assert says(kassa("payee", "list", "--company", f"{ID}{name}"), mode)
    assert says(kassa("settle", "--company", f"{ID}{name}"), mode)


def test_what_is_told_of_all_companies_says_it_of_each(
    kassa: Type, sides: dict[Mode, Side]
) -> None:
    settled = {one["company_id"]: one["mode"] for one in kassa("settle", "--json").content}
    proof = kassa("verify", "--json").content  # that what was moved is of no payment
    found = {one["company_id"]: one["mode"] for one in proof["violations"]}

    assert settled == {ID: "test", f"{ID}:live": "live"}
    assert found == settled
    assert proof["mode"] is None


@pytest.mark.parametrize("mode", Mode)
def test_an_export_says_it_in_every_row_and_a_parquet_file_without_any(
    kassa: Type, sides: dict[Mode, Side], mode: Mode, tmp_path: Path
) -> None:
    path = tmp_path / "none.parquet"
    of = ("--company", sides[mode].company.id)

    rows = kassa("export", "journal", *of).out.splitlines()
    kassa("export", "journal", "--until", "2000-01-01", "--format", "parquet", "--output",
          str(path), *of)  # fmt: skip
    empty = pyarrow.parquet.read_table(path)

    assert rows[0].endswith(",mode")
    assert rows[1:]
    assert all(row.endswith(f",{mode}") for row in rows[1:])
    assert empty.num_rows == 0
    assert empty.schema.metadata[b"kassa.mode"] == mode.encode()


@pytest.fixture
def nobody(kassa: Type) -> None:
    """There are two companies, and no demo."""
    for name in ("cmp_tea", "cmp_ink"):
        assert kassa("company", "add", "Tea", "--company", name).status == 0


def test_no_command_knows_a_company_that_there_is_not(
    kassa: Type, nobody: None, tmp_path: Path
) -> None:
    """Each is typed once, as it is tried above."""
    report = tmp_path / "report.csv"
    report.write_text("Order,Amount\nnobodys,1.00\n")
    every = _commands(typer.main.get_command(cli.app)) - {"company add"}
    lines = (WALK + ON_TEST).strip().splitlines()
    lines += ["provider test cards", "provider report cards --date 2026-01-01"]
    lines += ["breaks match BREAK ORDER"]
    deaf = []
    for command in sorted(every):
        line = next(line for line in lines if f"{line} ".startswith(f"{command} "))
        words = line.replace("FILE", str(report)).replace("RESERVED1", "py_1")
        said = kassa(*words.split(" "), "--company", "cmp_x")
        if (said.status, said.out) != (2, "") or "no such company: 'cmp_x'" not in said.err:
            deaf.append((words, said))

    assert not deaf


def test_without_a_name_the_only_company_is_meant_and_one_of_several_is_not_guessed(
    kassa: Type, settings: Settings
) -> None:
    (settings.directory / "demo").unlink()  # other tests' demo
    none = kassa("payee", "list")
    assert (none.status, "there is no company yet" in none.err) == (2, True)
    kassa("company", "add", "Tea", "--company", "cmp_tea")
    assert "test side of cmp_tea" in kassa("payee", "list").out
    assert "payees    not required" in kassa("company", "show").out

    kassa("company", "add", "Ink", "--company", "cmp_ink")
    several = kassa("payee", "list")
    assert (several.status, several.out) == (2, "")
    assert "name one with --company: cmp_tea, cmp_ink" in several.err


def test_the_first_payee_says_what_it_closes(kassa: Type, settings: Settings) -> None:
    (settings.directory / "demo").unlink()  # other tests' demo
    kassa("company", "add", "Tea", "--company", "cmp_tea")

    first = kassa("payee", "add", "6222021234567890").out
    second = kassa("payee", "add", "6222021234567891").out

    assert "From now on a payment request that names any other payee is refused" in first
    assert "From now on" not in second
    assert "payees    required" in kassa("company", "show").out
    assert kassa("company", "show", "--json").content["payees_required"] is True


def test_another_company_is_refused_in_words(kassa: Type, sides: dict[Mode, Side]) -> None:
    for name, words in (
        ("cmp_none", "no such company: 'cmp_none'"),
        ("cmp_none:live", "no such company"),
        (f"{ID}:both", "no such company"),
        ("bad\nname", "no such company"),
    ):
        said = kassa("breaks", "--company", name)

        assert (said.status, said.out) == (2, "")
        assert words in said.err
