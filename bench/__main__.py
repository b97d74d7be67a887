"""`python -m bench`: one run of all parts against a fresh gateway; writes what it found."""

import argparse
import sys
from datetime import UTC, datetime
from pathlib import Path

from bench import machine, report, seals
from bench.gateway import Gateway
from bench.parts import Bench, Part

_ROUNDS = 3
_QUICK_SECONDS, _QUICK_ROUNDS = 1.0, 2
_SEALED, _QUICK_SEALED = 6_400, 1_280  # orders created to see what their seals cost


def main() -> int:
    asked = _arguments()
    seconds = _QUICK_SECONDS if asked.quick else asked.seconds
    described = machine.describe()
    _say(f"Measuring on {described.cpu}, {described.cores} cores; {seconds:g} s a part")
    with Gateway() as gateway:
        memory = {"at start": gateway.memory_kib()}
        parts = Bench(gateway, seconds).run(_QUICK_ROUNDS if asked.quick else _ROUNDS)
        memory["at the end"] = gateway.memory_kib()
        _say("  kassa verify")
        # Not the limit's company: this program wrote nothing of it, and so it carries no seals.
        verified = gateway.kassa("verify", "--company", gateway.demo["company_id"])
        stopped_after = gateway.stop()
    _say("  seals of what a create writes")
    sealing = seals.measure(_QUICK_SEALED if asked.quick else _SEALED)
    rates = {part.key: part.per_s for part in parts}
    create_us = next(part.median.cpu_us["http"] for part in parts if part.key == "create")
    results = report.Results(
        create_per_s=rates["create"],
        limit_per_s=rates["limit"],
        create_ratio=round(rates["create"] / rates["limit"], 3),
        limit_one_statement_per_s=rates["limit_one_statement"],
        create_ratio_one_statement=round(rates["create"] / rates["limit_one_statement"], 3),
        get_rest_ratio=round(rates["get_rest"] / rates["select_rest"], 3),
        get_grpc_ratio=round(rates["get_grpc"] / rates["select_grpc"], 3),
        list_rest_per_s=rates["list_rest"],
        sealing_us_per_create=sealing.sealing_us,
        sealing_share=round(sealing.sealing_us / create_us, 3),
        measured_on=f"{datetime.now(UTC):%Y-%m-%d}",
        seconds_per_part=seconds,
        machine=described,
        parts=parts,
        memory_kib=memory,
        stopped_after_ms=int(stopped_after * 1000),
        books=_books(verified.stdout or verified.stderr),
        books_are_sound=verified.returncode == 0,
    )
    report.write(results, asked.out)
    _say(
        f"create {results.create_per_s:,.0f}/s, limit {results.limit_per_s:,.0f}/s,"
        f" ratio {results.create_ratio:.2f}, seals {results.sealing_share:.1%};"
        f" {results.books}; written to {asked.out}/RESULTS.md"
    )
    return 0 if results.books_are_sound and not _wrong(parts) else 1


def _books(said: str) -> str:
    lines = said.strip().splitlines() or ["it said nothing"]
    counted = next((line for line in lines if " orders, " in line), lines[0])
    return f"{lines[-1]} ({counted})"


def _wrong(parts: list[Part]) -> int:
    return sum(part.errors for part in parts)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("--seconds", type=float, default=8.0, help="length of each part")
    parser.add_argument("--quick", action="store_true", help="rough figures in under a minute")
    parser.add_argument(
        "--out", type=Path, default=Path(__file__).parent, help="where the results are written"
    )
    return parser.parse_args()


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
