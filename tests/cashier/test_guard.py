"""The brake on guessing payment addresses."""

from kassa.cashier.guard import MISSES, MissGuard


class Clock:
    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


def missed(guard: MissGuard, address: str, times: int) -> None:
    for _ in range(times):
        guard.missed(address)


def test_ten_misses_are_free_and_then_one_has_to_wait() -> None:
    guard = MissGuard(Clock())
    missed(guard, "192.0.2.1", MISSES - 1)
    before = guard.wait_seconds("192.0.2.1")
    missed(guard, "192.0.2.1", 1)

    assert (before, guard.wait_seconds("192.0.2.1")) == (0, 6)
    assert guard.wait_seconds("192.0.2.2") == 0


def test_who_waits_may_try_again_ten_times_a_minute() -> None:
    clock = Clock()
    guard = MissGuard(clock)
    missed(guard, "192.0.2.1", MISSES)
    clock.seconds += 6
    once = guard.wait_seconds("192.0.2.1")
    missed(guard, "192.0.2.1", 1)
    again = guard.wait_seconds("192.0.2.1")
    clock.seconds += 60

    assert (once, again, guard.wait_seconds("192.0.2.1")) == (0, 6, 0)


def test_one_network_of_ipv6_addresses_counts_as_one_client() -> None:
    guard = MissGuard(Clock())
    missed(guard, "2001:db8:1:2::1", MISSES)

    assert guard.wait_seconds("2001:db8:1:2:ffff::9") > 0
    assert guard.wait_seconds("2001:db8:1:3::1") == 0


def test_what_is_no_address_is_braked_too() -> None:
    guard = MissGuard(Clock())
    missed(guard, "", MISSES)

    assert guard.wait_seconds("") > 0


def test_the_memory_is_bounded_and_forgets_the_quiet_ones_first() -> None:
    guard = MissGuard(Clock(), addresses=3)
    missed(guard, "192.0.2.9", MISSES)
    for host in range(2):
        missed(guard, f"192.0.2.{host}", 1)
    missed(guard, "192.0.2.9", 1)
    missed(guard, "192.0.2.3", 1)

    assert len(guard) == 3
    assert guard.wait_seconds("192.0.2.9") > 0
