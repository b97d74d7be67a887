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
    one(
        "a transfer that its bank reversed is nobody's loss",
        f"{AMOUNTS}::test_a_transfer_that_the_bank_reversed_is_a_charge_that_came_back",
        (
            "reconciliation/usecases/report_transfers.py",
            "        if _is_reversal(line) and (whole :=",
            "        if False and (whole :=",
        ),
    ),
    one(
        "what a bank took of surplus counts as refunded",
        "tests/faces/test_surplus_taken_by_banks.py"
        "::test_the_wallet_tells_what_the_bank_has_beside_what_was_refunded",
        (
            "payments/domain/taken_back.py",
            "        surplus = payment.surplus_returned_minor - self.of_surplus(payment).minor\n",
            "        surplus = payment.surplus_returned_minor\n",
        ),
    ),
    one(
        "a dispute that moved nothing is told by nobody",
        "tests/reconciliation/test_compare.py"
        "::test_a_dispute_that_moved_nothing_of_ours_is_found_by_its_name",
        (
            "reconciliation/usecases/compare.py",
            "            found += unheard(theirs, known, found)\n",
            "",
        ),
    ),
)
