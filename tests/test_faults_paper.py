"""bench/FAULTS.md is written by a program, and says what was measured."""

from bench.faults import paper


def test_the_paper_says_what_the_scenarios_found() -> None:
    assert paper.PAPER.read_text() == paper.paper(), "python -m bench.faults --paper"
