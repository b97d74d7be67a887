"""Normal traffic beside an attacker without credentials, in short; `python -m bench.faults soak` is
the long form, and measures."""

from bench.faults import soak

SECONDS = 12.0
ANSWERED = 0.98  # of the shop's requests: others use this machine too
SLOWEST = 10.0  # seconds, not money: p99, on a machine that others use


def test_an_attacker_without_credentials_neither_stops_nor_bloats_nor_loses_anything() -> None:
    found = soak.run(SECONDS)

    assert found.lost == []
    assert found.verified, found.verify
    assert found.guessed_calls == 0
    assert soak.grown(found.memory) == []
    answered = sum(len(found.beside[kind]) for kind in soak.PACE)
    assert answered >= ANSWERED * (answered + sum(found.failed.values())), found.failed
    assert all(found.beside[kind] for kind in soak.PACE)
    took = [one for kind in soak.PACE for one in found.beside[kind]]
    assert soak.percentile(took, 0.99) < SLOWEST
    assert len(found.beside["merchant's letter"]) >= len(found.beside["gateway card"])
    assert found.slow_lookups > 0
    assert all(found.report.tried.values())
