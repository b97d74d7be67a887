"""`python -m bench`: one run of all parts against a fresh gateway; writes what it found."""

import argparse
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from bench import goals, machine, report, seals, starts
from bench.gateway import Gateway
from bench.parts import Bench, Part

_ROUNDS = 5
_QUICK_SECONDS, _QUICK_ROUNDS = 1.0, 2
_SEALED, _QUICK_SEALED = 6_400, 1_280  # orders created to see what their seals cost
_REST_SECONDS = 10.0


def main() -> int:
    asked = _arguments()
    began = time.monotonic()
    rounds = _QUICK_ROUNDS if asked.quick else asked.rounds
    seconds = _QUICK_SECONDS if asked.quick else asked.seconds
    described = machine.describe()
    _say(f"Measuring on {described.cpu}, {described.cores} cores; {seconds:g} s a part")
    found = starts.measure(rounds, _REST_SECONDS)
    memory = {"at rest": found.rest_kib}
    with Gateway() as gateway:
        with Gateway("--workers", "1") as alone:
            parts = Bench(gateway, alone, seconds).run(rounds)
        memory["at the end"] = gateway.memory_kib()
        serving = memory["at the end"]["http"] // list(gateway.processes().values()).count("http")
        _say("  kassa verify")
        # Not the limit's company: this program wrote nothing of it, and so it carries no seals.
        verified = gateway.kassa("verify", "--company", gateway.demo["company_id"])
        stopped_after = gateway.stop()
    _say("  seals of what a create writes")
    sealing = seals.measure(_QUICK_SEALED if asked.quick else _SEALED)
    by_key = {part.key: part for part in parts}
    share = round(sealing.sealing_us / by_key["create"].median.cpu_us["http"], 3)
    results = report.Results(
        goals=goals.goals(by_key, found, serving, share),
        measured_on=f"{datetime.now(UTC):%Y-%m-%d}",
        took_seconds=round(time.monotonic() - began),
        rounds=rounds,
        seconds_per_part=seconds,
        machine=described,
        starts=found,
        parts=parts,
        memory_kib=memory,
        sealing_us_per_create=sealing.sealing_us,
        sealing_share=share,
        stopped_after_ms=int(stopped_after * 1000),
        books=_books(verified.stdout or verified.stderr),
        books_are_sound=verified.returncode == 0,
    )
    report.write(results, asked.out)
    _say(f"{goals.table(results.goals)}\n{results.books}; written to {asked.out}/RESULTS.md")
    return 0 if results.books_are_sound and not _wrong(parts) else 1


def _books(said: str) -> str:
    lines = said.strip().splitlines() or ["it said nothing"]
    counted = next((line for line in lines if " orders, " in line), lines[0])
    return f"{lines[-1]} ({counted})"


def _wrong(parts: list[Part]) -> int:
    return sum(part.errors for part in parts)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("--seconds", type=float, default=2.5, help="length of each part")
    parser.add_argument("--rounds", type=int, default=_ROUNDS, help="of which medians are taken")
    parser.add_argument("--quick", action="store_true", help="rough figures, sooner")
    parser.add_argument(
        "--out", type=Path, default=Path(__file__).parent, help="where the results are written"
    )
    return parser.parse_args()


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
