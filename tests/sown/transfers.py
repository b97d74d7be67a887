"""What keeps the money of bank transfers from being lost, or counted twice."""

from tests.sown.sowing import Mutation, one

AMOUNTS = "tests/reconciliation/test_transfers_of_another_amount.py"

MUTATIONS: tuple[Mutation, ...] = (
    one(
        "a line that waited for a lock is booked although another file has had it by then",
        "tests/reconciliation/test_transfers_at_once.py"
        "::test_what_waited_for_a_lock_while_another_file_had_it_is_not_booked_again",
        (
            "reconciliation/usecases/report_batch.py",
            "        is_held = turn is BatchTurn.HELD\n",
            "        is_held = False\n",
        ),
    ),
    one(
        "a movement under another name of the bank's is booked again",
        f"{AMOUNTS}::test_a_transfer_in_the_days_report_and_under_another_name_in_the_statement"
        "_counts_once",
        (
            "reconciliation/usecases/report_transfers.py",
            "elif not self.by_hand and (again",
            "elif self.by_hand and (again",
        ),
    ),
    one(
        "a part that came of what is over is nobody's work",
        f"{AMOUNTS}::test_a_part_of_what_is_owed_no_more_is_work_and_not_lost",
        (
            "payments/domain/aggregate.py",
            "        self.announce_end()\n        self.part_unowed(actor=actor, by=by)\n",
            "        self.announce_end()\n",
        ),
    ),
    one(
        "a part that came is taken for the whole by itself",
        f"{AMOUNTS}::test_less_than_was_asked_waits_for_the_rest",
        (
            "payments/domain/receipts.py",
            "    if came.minor < missing.minor:\n",
            "    if False:\n",
        ),
    ),
)
