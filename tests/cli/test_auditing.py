"""Every command with a privilege writes down who typed it, and what was done."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import typer
from tests.cli.acts import ACTS, ELSEWHERE, ME, OWN, READS, Written
from tests.cli.prompt import Type
from tests.cli.test_modes import ID, ON_TEST, WALK, Side, sides

from kassa import cli
from kassa.identity.domain.audit import Act
from kassa.identity.domain.principals import Mode
from kassa.identity.usecases.authenticate import key_name

__all__ = ["sides"]

# What test_modes does not type.
MORE = f"""
company add More --company cmp_more
route --set RULES --company {ID}
company sandbox {ID}
company sandbox {ID} --off
company close {ID}
company open {ID}
credential add wallet-client --public-key PEM --company {ID}
wallet client WALLET --tolerance 300
credential rotate key:SHOWN
credential key wallet:WALLET 1 revoked
credential disable wallet:WALLET
credential enable wallet:WALLET
staff add bob --company {ID}
staff invite bob
staff end-sessions bob
staff disable bob
verify --accept-head
audit --export jsonl
"""


def commands(group: Any, before: tuple[str, ...] = ()) -> set[str]:
    found = set()
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            found |= commands(command, (*before, name))
            if command.invoke_without_command:
                found.add(" ".join((*before, name)))
        else:
            found.add(" ".join((*before, name)))
    return found


def test_every_command_writes_down_what_it_does_or_has_a_reason_not_to() -> None:
    said = set(ACTS) | set(ELSEWHERE) | READS | set(OWN)
    every = commands(typer.main.get_command(cli.app))

    assert every - said == set(), "what does it do with a privilege? Say so in ACTS, or why not"
    assert {one for one in said if one.partition(" --")[0] not in every} == set()


def test_every_act_of_a_command_is_tried() -> None:
    lines = (WALK + ON_TEST + MORE).strip().splitlines()

    untried = {one for one in ACTS if not any(f"{line} ".startswith(f"{one} ") for line in lines)}

    assert untried == set()


def test_who_typed_a_command_is_written_down_with_what_it_did(
    kassa: Type, sides: dict[Mode, Side], owner_url: str, tmp_path: Path
) -> None:
    rules, pem = tmp_path / "rules.json", tmp_path / "key.pem"
    rules.write_text('[{"name": "all", "use": ["sandbox"]}]')
    pem.write_text(_public_key())
    kept = {"RULES": str(rules), "PEM": str(pem)}
    written = Written(owner_url)

    silent = []
    for line in MORE.strip().splitlines():
        words = line
        for name, value in kept.items():
            words = words.replace(name, value)
        said = kassa(*words.split(" "))
        if line.startswith("company add"):
            kept["SHOWN"] = key_name(said.content["api_key"])
        if "wallet-client" in line:
            kept["WALLET"] = said.content["wallet"]["client_id"]
        if lack := written.lacks(line):
            silent.append((lack, said))

    assert silent == []


def _public_key() -> str:
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric import rsa  # noqa: PLC0415

    key = rsa.generate_private_key(public_exponent=65537, key_size=2048).public_key()
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_bytes(serialization.Encoding.PEM, form).decode()


def test_an_export_is_csv_that_a_spreadsheet_may_open_or_lines_of_json(
    kassa: Type, sides: dict[Mode, Side], tmp_path: Path
) -> None:
    of = ("--company", sides[Mode.TEST].company.id)
    kassa("settlement", "failed", "=1+1", *of)  # refused: nothing of it is written down
    kassa("business", "add", "=HYPERLINK(1)", "--id", "-biz", *of)
    path = tmp_path / "audit.csv"

    kassa("audit", "--export", "csv", "--output", str(path), *of)
    lines = kassa("audit", "--export", "jsonl", *of).out.splitlines()

    rows = list(csv.DictReader(io.StringIO(path.read_text())))
    [put] = [row for row in rows if row["what"] == Act.BUSINESS_PUT]
    assert (put["object"], put["who"], put["mode"]) == ("'-biz", ME, "test")
    assert json.loads(put["after"]) == {"name": "=HYPERLINK(1)"}
    assert [json.loads(line)["act"] for line in lines][-1] == Act.AUDIT_EXPORTED
    assert json.loads(lines[0])["mode"] == "test"
    assert kassa("audit", "--export", "csv", "--output", str(path)).status == 2
    assert "csv or jsonl" in kassa("audit", "--export", "xml").err


def test_lines_say_whose_side_and_move_no_cursor(kassa: Type, sides: dict[Mode, Side]) -> None:
    of = ("--company", sides[Mode.LIVE].company.id)
    kassa("breaks", "--company", ID)
    kassa("payee", "add", "6222021234567890", *of)
    kassa("provider", "rotate-keys")

    said = kassa("audit", *of)
    everything = kassa("audit", "--who", "os").out

    assert said.out.splitlines()[0] == f"live side of {ID}"
    assert f"{ME}  payee.put" in said.out
    assert "keys.rotated  of the installation" in everything
    assert kassa("audit", "--what", "nonsense").status == 2
    assert "is no time" in kassa("audit", "--from", "yesterday").err
