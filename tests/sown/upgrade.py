"""What keeps the history that an older release wrote readable, taken away piece by piece."""

from tests.sown.sowing import Mutation, one

UPGRADE = "tests/upgrade/test_upgrade.py"
TOLD = f"{UPGRADE}::test_every_moment_is_told_as_the_release_of_before_told_it"
READ = f"{UPGRADE}::test_nobody_who_reads_a_story_misses_anything"

MUTATIONS: tuple[Mutation, ...] = (
    one(
        "a note of before is not understood any more",
        f"{UPGRADE}::test_every_event_of_before_is_read_as_what_it_was",
        ("payments/domain/older_events.py", '    "paid twice": _paid_twice,\n', ""),
    ),
    one(
        "each line of an old report takes all of its file's corrections",
        TOLD,
        ("payments/domain/older_rows.py", "] = _borne(own)", "] = sum(map(_borne, here))"),
    ),
    one(
        "what an old report confirmed in part is not counted",
        TOLD,
        ("payments/domain/older_events.py", '== "reported in part"', '== "in part"'),
    ),
    one(
        "the evidence of before is not shown to machines",
        READ,
        ("cli/telling.py", '        "evidence": event.evidence,\n', ""),
    ),
    one(
        "what no fact has is not told to people",
        READ,
        ("cli/telling.py", "{**event.told, **event.evidence}", "event.told"),
    ),
)
