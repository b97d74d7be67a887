"""Delimited text that somebody spoiled, or meant to spoil: one bad line costs one line."""

import codecs

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.connectors.reports.samples import HEADER, MAPPING, aside, good, read

from kassa.connectors.reports import NotThatFormat
from kassa.reconciliation.domain.reports import ReportLine, Unreadable

FINE = "payment,10.00,EUR,0.30,9.70,{},2026-10-03"


def fine(number: int) -> str:
    return FINE.format(f"at_{number}")


def csv_of(*lines: str) -> str:
    return "".join(f"{line}\n" for line in (HEADER, *lines))


def references(data: bytes | str, **said: str) -> list[str]:
    return [line.our_reference for line in good(read(data, columns=MAPPING, **said))]


@pytest.mark.parametrize(
    "data",
    [
        csv_of(fine(1), fine(2)).encode(),
        codecs.BOM_UTF8 + csv_of(fine(1), fine(2)).encode(),
        csv_of(fine(1), fine(2)).replace("\n", "\r\n").encode(),
        csv_of(fine(1), "", fine(2)).rstrip().encode(),
        csv_of('payment,"10.00",EUR,0.30,9.70,"at_1",2026-10-03', fine(2)).encode(),
    ],
    ids=["plain", "with a BOM", "CRLF", "no last line end, and a blank line", "quoted"],
)
def test_line_ends_and_marks_make_no_difference(data: bytes) -> None:
    assert references(data) == ["at_1", "at_2"]


def test_a_quoted_cell_may_hold_line_ends_quotes_and_delimiters() -> None:
    lines = good(read(csv_of(FINE.format('"a ""b"",\nc"'), fine(2)), columns=MAPPING))

    assert [line.our_reference for line in lines] == ['a "b",\nc', "at_2"]
    # Numbers are those of an editor: the second record begins on line 4.
    assert [line.number for line in lines] == [2, 4]


def test_cells_that_look_like_formulas_are_text() -> None:
    hostile = ["=cmd|' /C calc'!A0", "+SUM(A1:A9)", "@now", "-2+3"]

    assert references(csv_of(*map(FINE.format, hostile))) == hostile


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (b"payment,10.00,EUR,0.30,9.70,at_\x00x,2026-10-03", "a NUL byte"),
        (b"payment,10.00,EUR,0.30,9.70,caf\xe9,2026-10-03", "not utf-8: byte 0xe9 at 32"),
        (b"payment,10.00,EUR,0.30,9.70,at_x", "6 cells where the header has 7"),
        (b"payment,10.00,EUR,0.30,9.70,at_x,2026-10-03,more", "8 cells where the header has 7"),
        (b'payment,10.00,EUR,0.30,9.70,"at"x,2026-10-03', "quotes that cannot be read"),
        (b'payment,10.00,EUR,0.30,9.70,"at_x,2026-10-03', "a quoted cell that does not end"),
        (b"payment,10.00,EUR,0.30,9.70,at\rx,2026-10-03", "quotes that cannot be read"),
        (b"payment,10.00,EUR,0.30,9.70," + b"x" * 9_000 + b",2026-10-03", "a cell of 9000"),
        (b"payment," * 2**21, "a line of more than 65536 bytes"),
        (b'"' * 70_000, "a line of more than 65536 bytes"),
        (b"payment,10.001,EUR,,,at_x,", "EUR has 2 decimals"),
        (b"payment,10.00,XYZ,,,at_x,", "unknown currency 'XYZ'"),
        (b"payment,1,000.00,EUR,0.30,9.70,at_x,2026-10-03", "8 cells"),
        (b"payment,9223372036854775807,EUR,,,at_x,", "no amount is larger than"),
        (b"payment,10.00,EUR,0.30,9.71,at_x,2026-10-03", "less a fee of 0.30 EUR is not 9.71 EUR"),
        (b"refund,10.00,EUR,,,at_x,2026-10-03", "must go out"),
        (b"payment,-10.00,EUR,,,at_x,2026-10-03", "must come in"),
        (b"gift,10.00,EUR,,,at_x,2026-10-03", "unknown kind 'gift'"),
        (b"payment,10.00,EUR,,,at_x,soon", "not a time: 'soon'"),
    ],
)
def test_a_bad_line_is_put_aside_and_the_reading_goes_on(bad: bytes, reason: str) -> None:
    whole = [fine(number).encode() for number in range(1, 60)]
    data = b"\n".join([HEADER.encode(), whole[0], bad, *whole[1:], b""])

    lines = read(data, columns=MAPPING)

    ((number, said),) = aside(lines).items()
    assert number == 3
    assert reason in said
    assert [line.our_reference for line in lines if isinstance(line, ReportLine)] == [
        f"at_{number}" for number in range(1, 60)
    ]


def test_what_was_put_aside_keeps_its_words_but_not_all_of_too_many() -> None:
    lines = read(
        csv_of("gift,1,EUR,,,x,", f"gift,1,EUR,,,{'y' * 900},", "gift,\0,EUR,,,x,,z"),
        columns=MAPPING,
    )

    first, second, third = (line.raw for line in lines)
    assert first == dict(zip(HEADER.split(","), ["gift", "1", "EUR", "", "", "x", ""], strict=True))
    assert len(second["ref"]) == 501
    # PostgreSQL keeps no NUL, so none may come this far.
    assert (third["gross"], third["column 8"]) == ("␀", "z")


@pytest.mark.parametrize("end", [",at_2", ",at_2,2026-10-0", ',"at_2'])
def test_a_file_that_ends_inside_a_line_is_noticed(end: str) -> None:
    data = csv_of(fine(1)) + "payment,10.00,EUR,0.30,9.70" + end

    lines = read(data, columns=MAPPING)

    (reason,) = aside(lines).values()
    assert "cut off" in reason or "does not end" in reason or "not a time" in reason


# Half an amount reads like an amount. Seen to fail without the guard for a last column of money.
def test_an_amount_at_the_very_end_of_a_file_may_be_half_of_one() -> None:
    mapping = {"kind": "=payment", "currency": "=EUR", "amount": "gross"}

    assert aside(read("ref,gross\nat_1,12.34\nat_2,12.3", columns=mapping)) == {
        3: "the file ends inside this line: it was cut off"
    }


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "the file is empty"),
        (b"a,b,c\n1,2,3\n", "with what, gross, ccy, fee, net, ref, when in its header; found a, b"),
        (b"PK\x03\x04\x14\x00rest", "a zip archive or a spreadsheet: unpack it first"),
        (b"\x1f\x8b\x08rest", "a gzip archive"),
        (HEADER.encode("utf-16"), "UTF-16"),
        (b"x" * 200_000, "a line of more than 65536 bytes"),
        (b'"what,gross\n', "a quoted cell that does not end"),
        (b"\xff\xfe\xfd,a\n", "UTF-16"),
        (b"\xfd,a\n", "found not utf-8: byte 0xfd"),
        (f"{HEADER},gross\n".encode(), "more than once"),
    ],
)
def test_a_file_of_another_kind_is_refused_before_any_line(data: bytes, words: str) -> None:
    with pytest.raises(NotThatFormat) as caught:
        read(data, columns=MAPPING)

    assert words in caught.value.message


@pytest.mark.parametrize("name", ["utf-16", "utf-7", "rot13", "unicode_escape", "idna", "x" * 99])
def test_an_encoding_in_which_wholecannot_be_told_apart_is_refused(name: str) -> None:
    with pytest.raises(NotThatFormat, match="cannot read the encoding"):
        read(csv_of(), columns=MAPPING, encoding=name)


@pytest.mark.parametrize("name", ["latin-1", "cp1252", "GB18030", "utf-8-sig", "Shift_JIS"])
def test_an_encoding_that_is_declared_is_used(name: str) -> None:
    word = {"GB18030": "茶具", "Shift_JIS": "茶碗"}.get(name, "café")

    assert references(csv_of(FINE.format(word)).encode(name), encoding=name) == [word]


def test_text_in_another_encoding_costs_the_wholethat_show_it() -> None:
    data = csv_of(fine(1), FINE.format("茶具"), fine(3)).encode("gb18030")

    lines = read(data, columns=MAPPING)

    assert list(aside(lines)) == [3]
    assert [line.number for line in lines] == [2, 3, 4]


@settings(deadline=None, max_examples=200)
@given(st.binary(max_size=400), st.lists(st.sampled_from([b'"', b",", b"\n", b"\r", b"a"])))
def test_no_bytes_at_all_make_it_stumble(junk: bytes, marks: list[bytes]) -> None:
    """After at most fifty lines that a quote may swallow, a good line is read as it stands."""
    rest = "".join(f"{fine(number)}\n" for number in range(60))
    data = HEADER.encode() + b"\n" + junk + b"".join(marks) + b"\n" + rest.encode()

    lines = read(data, columns=MAPPING)

    assert isinstance(lines[-1], ReportLine)
    assert lines[-1].our_reference == "at_59"
    assert all(line.reason for line in lines if isinstance(line, Unreadable))
    assert len({line.number for line in lines}) == len(lines)
