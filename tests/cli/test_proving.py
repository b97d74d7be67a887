"""The proof on the command line: heads that are read back, and how far it is."""

import io

import pytest

from kassa.base.domain.errors import InvalidRequest
from kassa.cli.proofs import Bar, read_head
from kassa.proof.usecases.verify import Head, Progress

HASH = "0123456789abcdef" * 4


@pytest.mark.parametrize("company", ["cmp_001", "a:b"])
def test_a_head_is_read_as_it_was_printed(company: str) -> None:
    assert read_head(f"{company}:42:{HASH.upper()}") == Head(company, 42, HASH)


@pytest.mark.parametrize(
    "text",
    ["", ":", "::", f"cmp:{HASH}", f"cmp:x:{HASH}", f":1:{HASH}", "cmp:1:", f"cmp:1:{HASH}0"],
)
def test_what_is_no_head_is_refused_with_what_would_be_one(text: str) -> None:
    with pytest.raises(InvalidRequest, match="a head is COMPANY:BLOCK:HASH"):
        read_head(text)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_on_a_terminal_one_line_grows_and_goes() -> None:
    terminal = Terminal()
    bar = Bar(terminal)

    bar.show(Progress("the ledger is chained", 500, 1_000))
    bar.end()

    assert "[############............]  50%" in terminal.getvalue()
    assert "500 of 1,000 rows  the ledger is chained" in terminal.getvalue()
    assert "\n" not in terminal.getvalue()
    assert terminal.getvalue().endswith("\r\x1b[K")


def test_into_a_file_each_check_is_a_short_line() -> None:
    file = io.StringIO()
    bar = Bar(file)

    bar.show(Progress("postings balance", 0, 0))
    bar.show(Progress("timelines replay", 9, 10))
    bar.end()

    assert [line.split() for line in file.getvalue().splitlines()] == [
        ["0%", "0", "s", "postings", "balance"],
        ["90%", "0", "s", "timelines", "replay"],
    ]
