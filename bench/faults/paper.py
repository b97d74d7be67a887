"""What a scenario found: for machines (found/*.json), and for people (bench/FAULTS.md)."""

from pathlib import Path

import msgspec

from bench.machine import Machine

FOUND = Path(__file__).parent / "found"
PAPER = Path(__file__).parent.parent / "FAULTS.md"

_HEAD = """\
# What accidents and attackers come to

Written by `python -m bench.faults`, one section a scenario, each against a fresh gateway of its own
and each with the machine and the hour it was measured on. Times depend on the machine and on who
else used it; the ratios within one run are what to compare. `held` says whether a scenario met what
it asks for.
"""


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """`seconds`: how long the scenario's main part lasts."""

    seconds: float


class Table(msgspec.Struct, kw_only=True):
    """The first column is words, the others are figures."""

    head: list[str]
    rows: list[list[str]]

    def __str__(self) -> str:
        lines = [_row(self.head), "|---|" + "---:|" * (len(self.head) - 1)]
        return "\n".join(lines + [_row(row) for row in self.rows])


class Goal(msgspec.Struct, kw_only=True):
    """One thing that must be so, and what was found."""

    wanted: str
    found: str
    held: bool


class Section(msgspec.Struct, kw_only=True):
    """`place`: its order in the paper. `about`: what is done, and to what. `tables`: by caption.

    `notes`: what a reader must know to read the figures, one paragraph each.
    """

    title: str
    place: int
    about: str
    goals: list[Goal]
    tables: dict[str, Table]
    notes: list[str]
    seconds: float
    measured_on: str
    machine: Machine
    load_after: str

    @property
    def held(self) -> bool:
        return all(goal.held for goal in self.goals)


def keep(key: str, section: Section) -> None:
    """Write down what a scenario found, and the paper with it."""
    FOUND.mkdir(exist_ok=True)
    text = msgspec.json.format(msgspec.json.encode(section), indent=2)
    (FOUND / f"{key}.json").write_bytes(text + b"\n")
    PAPER.write_text(paper())


def paper() -> str:
    """The whole of FAULTS.md, from what is kept."""
    found = {
        file.stem: msgspec.json.decode(file.read_bytes(), type=Section)
        for file in sorted(FOUND.glob("*.json"))
    }
    ordered = sorted(found.items(), key=lambda one: (one[1].place, one[0]))
    return "\n".join([_HEAD, *(prose(key, section) for key, section in ordered)])


def prose(key: str, section: Section) -> str:
    """The section as the paper has it."""
    machine = section.machine
    parts = [
        f"## {section.title}",
        f"`python -m bench.faults {key} --seconds {section.seconds:g}`",
        section.about,
        str(_goals(section.goals)),
        *(f"**{caption}**\n\n{table}" for caption, table in section.tables.items()),
        *section.notes,
        f"Measured on {section.measured_on}: {machine.cpu}, {machine.cores} cores,"
        f" {machine.memory_mib:,} MiB, {machine.kernel}, {machine.python},"
        f" PostgreSQL {machine.postgresql}; load average {machine.load_before} before and"
        f" {section.load_after} after.",
    ]
    return "\n\n".join(part.strip() for part in parts if part) + "\n"


def _goals(goals: list[Goal]) -> Table:
    rows = [[one.wanted, one.found, "held" if one.held else "**not held**"] for one in goals]
    return Table(head=["asked for", "found", ""], rows=rows)


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"
