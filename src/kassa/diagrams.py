"""The diagrams of the papers, drawn from the tables themselves: `python -m kassa.diagrams`.

Each is Mermaid text between two comments of a paper; a test says when it is not up to date.
"""

import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

from kassa.base.domain.lifecycle import (
    AGREEMENT_TRANSITIONS,
    ATTEMPT_TRANSITIONS,
    DISPUTE_TRANSITIONS,
    MODIFICATION_TRANSITIONS,
    ORDER_TRANSITIONS,
    SETTLEMENT_TRANSITIONS,
    TRANSITIONS,
    AgreementStatus,
    AttemptStatus,
    DisputeStatus,
    ModificationStatus,
    OrderStatus,
    PaymentStatus,
    SettlementStatus,
)
from kassa.ledger.domain.ledger import ADJUSTABLE, FLOWS, PostingKind

Status = TypeVar("Status", bound=StrEnum)

PAPERS = ("docs/states.md", "docs/ledger.md", "README.md")
_MARKED = re.compile(
    r"(<!-- diagram: ([a-z]{1,32}+(?>(?: [a-z]{1,32}+){0,3})) -->\n)"
    r"(.{0,4900}?)(<!-- end of diagram -->)",
    flags=re.DOTALL,
)

# Whom what stands on an account belongs to, or is with; the colors of the picture.
_GROUPS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "payers": ("fill:#d9ecff,stroke:#4a7fb0", ("wallet_funding", "wallet", "cash", "transit")),
    "providers": ("fill:#ffe8c7,stroke:#b07a2a", ("reserved", "provider")),
    "merchants": ("fill:#d8f3d8,stroke:#3f8f4f", ("held", "merchant")),
    "ourselves": (
        "fill:#eeeeee,stroke:#777777",
        ("bank", "exchange", "surplus", "unapplied", "fee_income", "fee_expense"),
    ),
}
_ASSETS = frozenset({"wallet_funding", "cash", "transit", "reserved", "provider", "bank"})
_LABELS: Mapping[str, str] = {
    "wallet": "wallet:user",
    "reserved": "reserved:connector",
    "provider": "provider:connector",
    "held": "held:business",
    "merchant": "merchant:business",
}
_BEGINS: Sequence[tuple[str, str]] = (
    ("payment", PaymentStatus.CREATED),
    ("attempt", AttemptStatus.DISPATCHED),
    ("modification", ModificationStatus.REQUESTED),
    ("dispute", DisputeStatus.NEEDS_RESPONSE),
    ("settlement", SettlementStatus.OPEN),
    ("order", OrderStatus.ACTIVE),
    ("agreement", AgreementStatus.ASKED),
)


def payment_states() -> str:
    """Every move of a payment; what leads the same way shares an arrow."""
    ways: dict[tuple[str, str], list[str]] = {}
    for (before, event), after in TRANSITIONS.items():
        ways.setdefault((before, after), []).append(event)
    return _states(
        PaymentStatus.CREATED,
        [f"{before} --> {after}: {', '.join(events)}" for (before, after), events in ways.items()],
    )


def _plain_states(first: str, table: Mapping[Status, Iterable[Status]]) -> str:
    """A machine whose arrows need no names; in the order of its enumeration."""
    lines = [
        f"{before} --> {after}"
        for before, reachable in table.items()
        for after in type(before)
        if after in reachable
    ]
    return _states(first, lines)


def _states(first: str, lines: Iterable[str]) -> str:
    return _text("stateDiagram-v2", ["direction LR", f"[*] --> {first}", *lines])


def money_flow() -> str:
    """Accounts and the postings between them, each arrow the way that money goes.

    That is from debit to credit, as for what a provider collects for a merchant; but between two
    assets from credit to debit, as for a payout.
    """
    ways: dict[tuple[str, str], list[str]] = {}
    for flow in FLOWS:
        way = flow.debit, flow.credit
        if {*way} <= _ASSETS:
            way = flow.credit, flow.debit
        if flow.kind is not PostingKind.ADJUSTMENT:
            ways.setdefault(way, []).append(_words(flow.kind))
    lines = []
    for group, (fill, accounts) in _GROUPS.items():
        lines += [f'{account}["{_LABELS.get(account, account)}"]:::{group}' for account in accounts]
        lines.append(f"classDef {group} {fill},color:#111")
    drawn_already: set[tuple[str, str]] = set()
    for (source, target), kinds in ways.items():
        if (target, source) in drawn_already:
            continue
        drawn_already.add((source, target))
        back = ways.get((target, source), [])
        arrow = "<-->" if back else "-->"
        words = [f"→ {', '.join(kinds)}", f"← {', '.join(back)}"] if back else kinds
        lines.append(f'{source} {arrow}|"{"<br/>".join(words)}"| {target}')
    return _text("flowchart LR", lines)


def _words(kind: PostingKind) -> str:
    return kind.replace("_", " ")


def _text(head: str, lines: Iterable[str]) -> str:
    return "\n".join(["```mermaid", head, *(f"  {line}" for line in lines), "```", ""])


def _legend() -> str:
    """How to read the picture of the money, and what it leaves out."""
    assets = ", ".join(f"`{name}`" for name in sorted(_ASSETS))
    names = ", ".join(f"`{name}`" for name in ADJUSTABLE)
    return (
        "\nEach arrow goes the way of the money: from the account that is debited to the one that"
        " is credited,\n"
        f"and between two assets ({assets}) the other way round.\n"
        "Blue: payers; orange: providers; green: merchants; gray: ourselves."
        f" An `{PostingKind.ADJUSTMENT}` may go between any two of\n{names}.\n"
    )


def diagrams() -> dict[str, str]:
    """Each diagram by the name that its place in a paper gives."""
    first = dict(_BEGINS)
    return {
        "payment states": payment_states(),
        "attempt states": _plain_states(first["attempt"], ATTEMPT_TRANSITIONS),
        "modification states": _plain_states(first["modification"], MODIFICATION_TRANSITIONS),
        "dispute states": _plain_states(first["dispute"], DISPUTE_TRANSITIONS),
        "settlement states": _plain_states(first["settlement"], SETTLEMENT_TRANSITIONS),
        "order states": _plain_states(first["order"], ORDER_TRANSITIONS),
        "agreement states": _plain_states(first["agreement"], AGREEMENT_TRANSITIONS),
        "money flow": money_flow() + _legend(),
    }


def drawn(paper: str) -> str:
    """The text of a paper with each of its diagrams as it is now.

    Raises: KeyError for a place whose diagram does not exist.
    """
    current = diagrams()
    return _MARKED.sub(lambda found: f"{found[1]}{current[found[2]]}{found[4]}", paper)


def main(root: Path) -> None:
    for name in PAPERS:
        path = root / name
        old = path.read_text()
        new = drawn(old)
        if new != old:
            path.write_text(new)
        sys.stdout.write(f"{name}: {'drawn' if new != old else 'as it was'}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "."))
