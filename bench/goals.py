"""What is wanted, what was reached, and whether that is enough: one row each."""

from collections.abc import Iterator, Mapping

import msgspec

from bench.parts import Part
from bench.starts import Starts


class Goal(msgspec.Struct, frozen=True, kw_only=True):
    what: str
    wanted: str
    reached: str
    met: bool


def goals(
    parts: Mapping[str, Part], starts: Starts, serving_kib: int, sealing_share: float
) -> list[Goal]:
    """`serving_kib`: an HTTP process's share of memory after all of it."""
    return [
        *_rates(parts),
        *_latencies(parts),
        _most("memory of a serving process after all of it", 110, serving_kib / 1024, "MiB"),
        _most("memory of `make run` at rest", 420, sum(starts.rest_kib.values()) / 1024, "MiB"),
        _most("second start until it answers", 1.5, starts.answers_again, "s"),
        _most("`kassa --help`", 0.3, starts.helps, "s"),
        _most("a data command, `kassa fee list`", 0.6, starts.lists, "s"),
        _most("seals: share of a create's processor time", 0.10, sealing_share, ""),
    ]


def _rates(parts: Mapping[str, Part]) -> Iterator[Goal]:
    limit = "the limit"
    one_statement = "the limit of one statement"
    yield _ratio(parts, "create an order", "create", 2.0, "limit", limit)
    yield _ratio(parts, "create an order", "create", 1.4, "limit_one_statement", one_statement)
    yield _ratio(parts, "create, one HTTP process", "create_alone", 2.0, "limit", limit)
    yield _ratio(parts, "wallet pay, RSA verified and signed", "pay_signed", 0.8, "limit", limit)
    yield _ratio(parts, "the same without RSA", "pay_unsigned", 0.8, "limit", limit)
    yield _ratio(parts, "card payment, 120 ms, and its notification", "card", 0.4, "limit", limit)
    select = "a bare SELECT of the row"
    yield _ratio(parts, "GetPayment, REST", "get_rest", 0.5, "select_rest", select)
    yield _ratio(parts, "GetPayment, gRPC", "get_grpc", 0.25, "select_grpc", select)
    reached = parts["list_rest"].per_s
    yield Goal(
        what="ListPayments of 20, REST",
        wanted="≥ 1,500/s",
        reached=f"{reached:,.0f}/s",
        met=reached >= 1500,
    )


def _latencies(parts: Mapping[str, Part]) -> Iterator[Goal]:
    half, one = (parts[key].median.timed for key in ("create_half", "create_one"))
    yield _most("create at half of the peak, p50", 8, half.p50_us / 1000, "ms")
    yield _most("create at half of the peak, p99", 40, half.p99_us / 1000, "ms")
    yield _most(
        "create, one caller alone, p50: an idle server adds no wait",
        half.p50_us / 1000,
        one.p50_us / 1000,
        "ms",
    )


def _ratio(
    parts: Mapping[str, Part], what: str, key: str, wanted: float, of: str, called: str
) -> Goal:
    reached = parts[key].per_s / max(parts[of].per_s, 1)
    return Goal(
        what=what, wanted=f"≥ {wanted} × {called}", reached=f"{reached:.2f}", met=reached >= wanted
    )


def _most(what: str, wanted: float, reached: float, unit: str) -> Goal:
    def shown(number: float) -> str:
        if not unit:
            return f"{number:.1%}"
        return f"{number:,.0f} {unit}" if number >= 50 else f"{number:.2f} {unit}"

    return Goal(
        what=what, wanted=f"≤ {shown(wanted)}", reached=shown(reached), met=reached <= wanted
    )


def table(wanted: list[Goal]) -> str:
    lines = ["| | goal | reached | |", "|---|---|---:|---|"]
    lines += [
        f"| {one.what} | {one.wanted} | {one.reached} | {'met' if one.met else '**not met**'} |"
        for one in wanted
    ]
    return "\n".join(lines)
