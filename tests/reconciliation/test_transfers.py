"""References of expected transfers: as banks check them, however people write them."""

import pytest

from kassa.base.domain.money import Money
from kassa.base.usecases.ids import new_id
from kassa.reconciliation.domain.reports import LineKind, ReportLine
from kassa.reconciliation.domain.transfers import is_reference, names_in, reference_for


def line(text: str) -> ReportLine:
    nothing = Money(0, "EUR")
    return ReportLine(
        number=1, kind=LineKind.PAYOUT, amount=nothing, fee=nothing, payout_reference=text
    )


@pytest.mark.parametrize("good", ["RF18539007547034", "RF712348231"])
def test_check_digits_are_those_of_the_standard(good: str) -> None:
    assert is_reference(good)
    assert not is_reference(good[:-1] + str((int(good[-1]) + 1) % 10))


def test_each_attempt_has_its_own_of_twenty_characters() -> None:
    made = [reference_for(new_id("at1")) for _ in range(200)]

    assert len(set(made)) == len(made)
    assert {len(one) for one in made} == {20}
    assert all(is_reference(one) for one in made)


@pytest.mark.parametrize(
    "write", [str.upper, str.lower, lambda one: " ".join(one[i : i + 4] for i in range(0, 20, 4))]
)
def test_a_statement_s_line_names_it_however_it_was_written(write) -> None:
    reference = reference_for("at1_01kb2m3n4p5q6r7s8t9v0w1x2y")

    names = list(names_in(line(f"INVOICE 7 {write(reference)} THANKS")))

    assert (reference, True) in names


def test_one_that_was_mistyped_names_nothing() -> None:
    reference = reference_for("at1_01kb2m3n4p5q6r7s8t9v0w1x2y")
    wrong = reference[:-1] + ("A" if reference[-1] != "A" else "B")

    assert (wrong, True) not in list(names_in(line(f"pay {wrong} now")))
