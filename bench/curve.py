"""`python -m bench.curve`: what more HTTP processes are worth, and a second machine's.

Orders are created at one gateway after the other, in turns: with one, two and four HTTP processes,
and at two `kassa serve` that share one database and one set of secrets, each with one. All of them
are on this machine, with PostgreSQL and the load generator: beyond its cores nothing is to be won.
"""

import argparse
import shutil
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from statistics import median

from bench import calls, load
from bench.gateway import Gateway
from bench.load import Load
from bench.parts import CONNECTIONS

_PROCESSES = (1, 2, 4)
_CREATES = 20_000
_OK = b'"order_id":"'
# A node that makes no demo has the limits of a company that only tries things out.
_AS_IN_THE_DEMO = """\
database_url = "{url}"
test_requests_per_second = 20000
test_requests_burst = 40000
address_requests_per_second = 20000
address_requests_burst = 40000
company_calls = 2000
process_calls = 4000
late_milliseconds = 10000
"""


class Node(Gateway):
    """A second `kassa serve` on the database of another, with its secrets; it makes no demo."""

    def __init__(self, first: Gateway) -> None:
        super().__init__("--workers", "1")
        self._first = first

    def _demo_flags(self) -> list[str]:
        self.data_dir.mkdir(parents=True)
        shutil.copytree(self._first.data_dir / "secrets", self.data_dir / "secrets")
        config = self.data_dir / "node.toml"
        config.write_text(_AS_IN_THE_DEMO.format(url=self._first.database_urls["owner_url"]))
        return ["--config", str(config)]

    def _read_demo(self) -> None:
        self.demo, self.database_urls = self._first.demo, self._first.database_urls


def _creates(gateway: Gateway, callers: int, seconds: float) -> Load:
    return Load(
        host="127.0.0.1",
        port=gateway.port,
        connections=callers,
        seconds=seconds,
        warm_up_seconds=0.5,
        requests=calls.create_orders(gateway, _CREATES),
        expect=_OK,
    )


def _rate(nodes: list[Gateway], seconds: float) -> tuple[float, int]:
    """Created each second by all of them at once, and how many answers were no orders."""
    with ThreadPoolExecutor() as pool:
        found = list(
            pool.map(lambda one: load.run(_creates(one, CONNECTIONS // len(nodes), seconds)), nodes)
        )
    return sum(one.per_s for one in found), sum(sum(one.errors.values()) for one in found)


def main() -> int:
    parser = argparse.ArgumentParser(prog="bench.curve", description=__doc__)
    parser.add_argument("--seconds", type=float, default=4.0, help="length of each part")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "CURVE.md")
    asked = parser.parse_args()
    with ExitStack() as stack:
        rows: dict[str, list[Gateway]] = {}
        for number in _PROCESSES:
            title = f"{number} HTTP process{'es' if number > 1 else ''}"
            rows[title] = [stack.enter_context(Gateway("--workers", str(number)))]
        first = stack.enter_context(Gateway("--workers", "1"))
        rows["2 nodes of 1"] = [first, stack.enter_context(Node(first))]
        found: dict[str, list[float]] = {title: [] for title in rows}
        wrong = 0
        for _ in range(asked.rounds):
            for title, nodes in rows.items():
                rate, errors = _rate(nodes, asked.seconds)
                found[title].append(rate)
                wrong += errors
                print(f"  {title:18} {rate:9.1f}/s", file=sys.stderr, flush=True)
        verified = rows["2 nodes of 1"][0].kassa("verify")
    base = median(next(iter(found.values())))
    lines = ["| | created per second | of one process | rounds |", "|---|---:|---:|---|"]
    for title, rates in found.items():
        told = ", ".join(f"{one:,.0f}" for one in rates)
        lines.append(f"| {title} | {median(rates):,.0f} | {median(rates) / base:.2f} | {told} |")
    said = (verified.stdout.strip() or verified.stderr.strip()).splitlines()[-1]
    text = "\n".join(["# More processes, and a second node", "", *lines, "", _TEXT, said, ""])
    asked.out.write_text(text)
    print(text, file=sys.stderr)
    return 1 if wrong or verified.returncode else 0


_TEXT = """\
Medians, in turns; `python -m bench.curve`. 64 callers, all on one machine with PostgreSQL and the
load generator. `kassa verify` of what the two nodes wrote:
"""

if __name__ == "__main__":
    sys.exit(main())
