"""What keeps one event of a provider's from being taken for another, or from not being heard."""

from tests.sown.sowing import Mutation, one

EVENTS = "tests/reconciliation/test_second_events.py"
MATCHING = "tests/reconciliation/test_matching.py"
COMPARE = "tests/reconciliation/test_compare.py"

MUTATIONS: tuple[Mutation, ...] = (
    one(
        "a refund under other names takes ours of its amount",
        f"{EVENTS}::test_a_refund_by_other_names_does_not_take_ours_of_the_same_amount",
        (
            "reconciliation/domain/matching.py",
            "        if line.kind is not LineKind.PAYMENT:\n",
            "        if line.kind is LineKind.PAYMENT:\n",
        ),
    ),
    one(
        "a name of any form proves that it is another",
        f"{MATCHING}::test_a_name_of_another_form_is_no_proof_of_another_refund",
        (
            "reconciliation/domain/references.py",
            "    return of_refund or _form_of(theirs) == _form_of(mine)\n",
            "    return of_refund or bool(_form_of(theirs))\n",
        ),
    ),
    one(
        "a dispute that was lost again is a line told twice",
        f"{EVENTS}::test_a_dispute_that_was_won_and_lost_again_has_no_line_twice",
        (
            "reconciliation/usecases/repeated_lines.py",
            "        if not found or self.file.connector == BANK:\n",
            "        if found or self.file.connector == BANK:\n",
        ),
    ),
    one(
        "a fee that was given back alone is no fee",
        f"{EVENTS}::test_a_fee_of_a_dispute_that_is_given_back_alone_is_booked",
        (
            "reconciliation/domain/matching.py",
            "        if not line.amount.minor and line.fee.minor and subject.exact and of_it:\n",
            "        if line.amount.minor and line.fee.minor and subject.exact and of_it:\n",
        ),
    ),
    one(
        "a dispute in another currency is not told by the list",
        f"{COMPARE}::test_a_dispute_in_another_currency_of_which_no_letter_came_is_found"
        "_and_is_work",
        (
            "reconciliation/usecases/compare.py",
            "    for held in one.disputed_abroad:\n",
            "    for held in one.disputed_abroad[:0]:\n",
        ),
    ),
    one(
        "a dispute in another currency that was heard of is a difference for ever",
        f"{COMPARE}::test_a_dispute_in_another_currency_that_was_heard_of_is_no_difference"
        "_until_it_ends",
        (
            "reconciliation/usecases/compare.py",
            "            for held in dispute.abroad:\n",
            "            for held in dispute.abroad[:0]:\n",
        ),
    ),
    one(
        "of two that were reserved the wrong one is believed captured",
        "tests/modifications/test_overtaken_news.py"
        "::test_of_two_that_the_payer_reserved_the_one_that_was_captured_there_is_named",
        (
            "payments/usecases/take_outcome.py",
            "        if not before and case.came(paid):  # of two",
            "        if before and case.came(paid):  # of two",
        ),
    ),
    one(
        "what a returned charge is called is forgotten where it was never paid here",
        "tests/modifications/test_overtaken_news.py"
        "::test_a_refund_of_what_was_returned_before_its_success_is_work_at_once",
        (
            "payments/usecases/take_outcome.py",
            '    if reference not in ("", ended.provider_reference):\n',
            "    if reference != reference:\n",
        ),
    ),
)
