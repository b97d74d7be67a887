"""Reports of every format with bytes changed, lost, doubled and thrown in: refused or read, in
words, and never a stumble.
"""

import io
import random

import pytest
from tests.connectors.contract.plug import beside
from tests.connectors.reports.samples import SANDBOX, balance, camt, entry, money

from kassa.connectors.catalog import kinds
from kassa.connectors.reports import Declaration, NotThatFormat, formats, read_report
from kassa.reconciliation.domain.reports import Unreadable

MARKS = b"\"\n\r,<>&;#\0-9{}[]'"
WHOLE: dict[str, bytes] = {
    "camt.053": camt(
        balance("OPBD", "0.00"),
        balance("CLBD", "3.00"),
        entry("3.00", money("1.00", "CRDT"), money("2.00", "CRDT")),
    ).encode(),
    "sandbox": SANDBOX.encode(),
}
for samples in beside("report_samples"):
    WHOLE |= samples.WHOLE


def test_every_format_that_a_connector_declares_has_a_file_to_damage() -> None:
    declared = {name for kind in kinds().values() for name in kind.reports}

    assert declared <= {name.partition(",")[0] for name in WHOLE}


def damaged(whole: bytes, chance: random.Random) -> bytes:
    data = bytearray(whole)
    for _ in range(chance.randint(1, 5)):
        place = chance.randrange(len(data) + 1)
        match chance.randrange(4):
            case 0:
                data[place : place + 1] = bytes([chance.randrange(256)])
            case 1:
                data[place:place] = bytes([chance.choice(MARKS)])
            case 2:
                del data[place : place + chance.randint(1, 40)]
            case 3:
                data[place:place] = data[max(0, place - 40) : place]
    return bytes(data)


@pytest.mark.parametrize("name", WHOLE)
def test_damage_is_told_in_words(name: str) -> None:
    form = name.partition(",")[0]
    assert form in formats()

    for seed in range(400):
        data = damaged(WHOLE[name], random.Random(seed))
        try:
            lines = list(read_report(io.BytesIO(data), Declaration(format=form)))
        except NotThatFormat:
            continue
        assert len({line.number for line in lines}) == len(lines), f"seed {seed}"
        for line in lines:
            assert not isinstance(line, Unreadable) or line.reason
            # What is kept must be fit for a database's text: no NUL, no half of a character.
            words = "".join([*line.raw, *line.raw.values(), getattr(line, "our_reference", "")])
            assert "\0" not in words
            words.encode()
