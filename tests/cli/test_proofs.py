"""What `kassa verify` finds is told in sentences, and what to do next once."""

import pytest

from kassa.cli.proofs import _as_text
from kassa.identity.domain.principals import Mode
from kassa.proof.store.checks import Violation
from kassa.proof.usecases.chain import WHAT_TO_DO
from kassa.proof.usecases.verify import CHECKS, COMPARE, EXPLAIN, Proof, _with_next_step

COUNTS = {"orders": 1, "links": 2, "blocks": 1}
MODES = {"cmp_1": Mode.TEST}


def told(*violations: Violation) -> list[str]:
    checks = tuple({one.check: (one.check, "a promise") for one in violations}.values())
    return _as_text(Proof(COUNTS, checks, violations), MODES).splitlines()


@pytest.mark.parametrize(
    ("violation", "sentence"),
    [
        (Violation("c", "", "the head file", "is missing"), "the head file is missing"),
        (
            Violation("c", "cmp_1", "block 3", "was the newest block, and is gone"),
            "block 3 of cmp_1 (test) was the newest block, and is gone",
        ),
        (
            Violation("c", "cmp_1", "py_1", "captured 5, but 4"),
            "py_1 of cmp_1 (test): captured 5, but 4",
        ),
        (
            Violation("c", "cmp_9", "py_1", "has no order"),
            "py_1 of cmp_9 (there is no such company) has no order",
        ),
    ],
)
def test_a_finding_is_a_sentence(violation: Violation, sentence: str) -> None:
    assert f"  counter-example of 'c': {sentence}" in told(violation)


def test_what_to_do_next_is_said_once_for_findings_of_a_kind() -> None:
    lines = told(
        *(Violation("c", "cmp_1", f"py_{number}", "has", todo=EXPLAIN) for number in range(3)),
        Violation("d", "", "the head file", "is missing", todo=WHAT_TO_DO),
    )

    assert [one for one in lines if one.startswith("  next")] == [
        f"  next    {EXPLAIN}",
        f"  next    {WHAT_TO_DO}",
    ]
    assert lines[-1] == "the books are NOT sound"


def test_every_check_has_a_next_step() -> None:
    steps = {one.title: _with_next_step(Violation(one.title, "", "x", "is")).todo for one in CHECKS}

    assert all(steps.values())
    assert steps["the timeline is chained"] == COMPARE
    assert steps["postings balance"] == EXPLAIN
