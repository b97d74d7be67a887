"""What keeps money from being lost or made, taken away piece by piece."""

from tests.sown.sowing import Mutation, one

MODIFY, BACK = (
    "tests/modifications/test_modify_payment.py",
    "tests/modifications/test_money_comes_back.py",
)
TOLD = "tests/disputes/test_disputes_as_told.py"
WALLET, SUBMIT = "tests/wallet/test_pay_from_wallet.py", "tests/payments/test_submit_payment.py"
LATE, THERE = (
    "tests/modifications/test_late_refunds.py",
    "tests/modifications/test_made_at_the_provider.py",
)
LEARN, RULES = "tests/payments/test_take_outcome.py", "tests/payments/test_constraints.py"
CORE_SQL = "base/store/migrations/0001_the_core.sql"
BALANCED_SQL = "base/store/migrations/0049_balanced_once.sql"
LOCKS = "base/store/migrations/0021_lock_and_read.sql"
MONEY_SQL = "base/store/migrations/0002_money_afterwards.sql"

MUTATIONS: tuple[Mutation, ...] = (
    one(
        "a leg may take the place of one that a posting has not",
        f"{RULES}::test_a_posting_has_its_first_two_legs",
        (BALANCED_SQL, "count(*) filter (where e.leg in (1, 2)) <> 2", "count(*) < 2"),
    ),
    one(
        "a leg may be added once its posting has been looked at",
        f"{RULES}::test_no_leg_is_added_to_what_has_been_balanced_already",
        (BALANCED_SQL, "when (new.leg not in (1, 2))", "when (new.leg > 3)"),
    ),
    one(
        "orders are not locked",
        f"{MODIFY}::test_fifty_refunds_at_once_on_two_processes_stay_within_bounds",
        (
            LOCKS,
            "order by o.company_id, o.id for update of o skip locked)",
            ")",
        ),
    ),
    one(
        "the row's bounds on refunds are gone",
        f"{MODIFY}::test_the_database_itself_refuses_to_give_back_too_much",
        (
            MONEY_SQL,
            "    and refunded_minor + refund_reserved_minor + disputed_minor\n"
            "      <= captured_minor + double_paid_minor\n",
            "",
        ),
    ),
    one(
        "open refunds reserve nothing",
        f"{MODIFY}::test_an_unknown_refund_keeps_its_reservation_until_the_provider_tells",
        (
            "payments/domain/payments.py",
            "self.refunded.minor + self.refund_reserved.minor + self.disputed_minor",
            "self.refunded.minor + self.disputed_minor",
        ),
    ),
    one(
        "more may be refunded than is left",
        f"{MODIFY}::test_refunds_add_up_to_what_was_captured_and_not_further",
        ("modifications/domain/refunds.py", "if asked.minor > left.minor:", "if False:"),
    ),
    one(
        "a negative refund is let through",
        "tests/money/test_guards.py::test_what_is_no_amount_is_never_given_back",
        (
            "modifications/usecases/unfit.py",
            "        payable(wanted.amount)\n",
            "        pass\n",
        ),
    ),
    one(
        "an open capture or void does not bar the next",
        f"{MODIFY}::test_capture_and_void_at_once_have_one_winner",
        (
            "modifications/domain/captures.py",
            "    if open_capture_or_void(case) is not None:",
            "    if False:",
        ),
    ),
    one(
        "nothing bars a second capture or void, not even the index",
        f"{MODIFY}::test_capture_and_void_at_once_have_one_winner",
        (
            "modifications/domain/captures.py",
            "    if open_capture_or_void(case) is not None:",
            "    if False:",
        ),
        (MONEY_SQL, "create unique index modification_one_claim", "create index no_claim"),
    ),
    one(
        "more may be captured than is held",
        f"{MODIFY}::test_what_cannot_be_claimed_is_refused_in_words",
        ("modifications/domain/captures.py", "    if claimed.minor > held.minor:", "    if False:"),
    ),
    one(
        "a last capture keeps the rest",
        f"{MODIFY}::test_parts_are_claimed_until_the_last_one_lets_go_of_the_rest",
        (
            "modifications/domain/captures.py",
            "    if modification.is_last and case.payment.held.minor:",
            "    if False:",
        ),
    ),
    one(
        "silence about a refund is a refusal",
        f"{MODIFY}::test_an_unknown_refund_keeps_its_reservation_until_the_provider_tells",
        (
            "modifications/usecases/modify_payment.py",
            "        case InDoubt():\n            _ask_later(case, modification)",
            "        case InDoubt():\n            refunds.refused(\n"
            '                case, modification, code="silence", message="", actor=actor,'
            " by=how\n            )",
        ),
    ),
    one(
        "a refund that the provider does not know has failed",
        "tests/money/test_guards.py::test_a_refund_that_was_lost_on_its_way_keeps_its_reservation",
        (
            "modifications/usecases/modify_payment.py",
            "        case NotSent() | Unknown():\n",
            "        case Unknown():\n            refunds.refused(\n"
            '                case, modification, code="unknown", message="", actor=actor,'
            " by=how\n            )\n        case NotSent():\n",
        ),
    ),
    one(
        "a refused refund keeps its reservation",
        f"{MODIFY}::test_a_refused_refund_frees_what_it_had_reserved",
        (
            "payments/domain/evolution_of_changes.py",
            "        payment = _reserved(payment, -old.amount, surplus=fact.surplus).recounted()\n",
            "        payment = payment.recounted()\n",
        ),
    ),
    one(
        "another amount than asked for is booked",
        f"{MODIFY}::test_another_amount_than_asked_is_noted_and_never_booked",
        (
            "modifications/usecases/modify_payment.py",
            "fee=fee) if amount != modification.amount or _is_absurd(fee):",
            "fee=fee) if _is_absurd(fee):",
        ),
    ),
    one(
        "one request id may mean two refunds",
        f"{MODIFY}::test_a_request_id_names_one_refund_for_ever",
        (
            "modifications/usecases/modify_payment.py",
            "if old.fingerprint != wanted.fingerprint:",
            "if False:",
        ),
    ),
    one(
        "money that may not be there is refunded",
        f"{MODIFY}::test_money_that_may_not_be_there_is_not_given_back",
        (
            "modifications/domain/refunds.py",
            "    if attempt is None or not payment.is_paid:",
            "    attempt = attempt or next(iter(case.attempts.values()))\n    if False:",
        ),
        (
            "payments/domain/payments.py",
            "max(0, self.captured.minor - self.gone_minor)",
            "max(0, self.amount.minor - self.gone_minor)",
        ),
    ),
    one(
        "what is let go does not return to the wallet",
        f"{MODIFY}::test_a_wallet_holds_claims_lets_go_and_refunds",
        (
            "payments/domain/postings.py",
            "ledger.move(held, reserve_account(attempt), fact.released)",
            "ledger.move(held, ledger.reserved_account(attempt.connector), fact.released)",
        ),
    ),
    one(
        "surplus goes back under an id of chance, as often as it is seen",
        f"{BACK}::test_late_money_goes_back_once_however_many_workers_see_it",
        (
            "modifications/usecases/return_overpayments.py",
            'request_id=attempt.id if number == 1 else f"{attempt.id}#{number}"',
            'request_id=core.new_id("rq")',
        ),
        (
            "modifications/domain/refunds.py",
            "    if not amount.minor:\n",
            "    if False:\n",
        ),
        (
            "modifications/domain/refunds.py",
            "    amount = returnable(case, attempt)\n",
            "    amount = attempt.amount\n",
        ),
    ),
    one(
        "a dispute does not block refunds",
        f"{BACK}::test_a_chargeback_takes_money_and_fee_and_blocks_refunds",
        (
            "payments/domain/payments.py",
            "self.refunded.minor + self.refund_reserved.minor + self.disputed_minor",
            "self.refunded.minor + self.refund_reserved.minor",
        ),
    ),
    one(
        "money that left twice is not counted",
        f"{BACK}::test_money_that_left_twice_is_counted_and_not_hidden",
        (
            "payments/domain/payments.py",
            "double_paid_minor=twice + max(0, -self.surplus_left.minor))",
            "double_paid_minor=self.double_paid_minor)",
        ),
    ),
    one(
        "an unsent refund outlives the chargeback",
        f"{BACK}::test_a_refund_that_was_not_sent_is_called_off_by_a_chargeback",
        (
            "disputes/domain/disputing.py",
            "        and item.status is ModificationStatus.REQUESTED\n",
            "        and False\n",
        ),
    ),
    one(
        "deadlines are acted upon when they are over",
        f"{BACK}::test_deadlines_are_met_before_they_pass",
        (
            "modifications/store/modifications.sql",
            "<= now() + $1::interval",
            "<= now() + 0 * $1::interval",
        ),
    ),
    one(
        "a reservation that comes too late is kept",
        f"{BACK}::test_a_reservation_that_comes_too_late_is_let_go",
        (
            "payments/domain/evolution_of_changes.py",
            "    return replace(changed, modifications=put(state.modifications, void))\n",
            "    return changed\n",
        ),
    ),
    one(
        "a wallet pays what it has not",
        f"{WALLET}::test_each_refusal_is_the_true_one",
        (
            "wallet/usecases/pay_from_wallet.py",
            "if purse.balance_minor < amount.minor:",
            "if False:",
        ),
    ),
    one(
        "no limit per day",
        "tests/money/test_guards.py::test_a_day_has_a_limit",
        (
            "wallet/usecases/pay_from_wallet.py",
            "if purse.spent_today_minor + amount.minor > core.policy.wallet_daily_limit_minor:",
            "if False:",
        ),
    ),
    one(
        "balances are not locked",
        "tests/wallet/test_wallet_balances.py::test_two_processes_keep_one_daily_limit",
        (
            "wallet/store/wallets.sql",
            "order by b.company_id, b.account, b.currency for update\n",
            "",
        ),
    ),
    one(
        "a balance may fall below nothing",
        f"{WALLET}::test_no_balance_goes_below_nothing_even_by_hand",
        (
            CORE_SQL,
            "balance_minor bigint not null check (balance_minor >= 0)",
            "balance_minor bigint not null",
        ),
    ),
    one(
        "silence about a charge is a refusal",
        f"{SUBMIT}::test_in_doubt_nothing_else_is_sent_until_the_truth_is_known",
        (
            "payments/usecases/take_outcome.py",
            "            _in_doubt(case, attempt, actor, reason, how)\n        case Unknown",
            '            gone = Declined(code="timeout", message=reason)\n'
            "            _declined(case, attempt, gone, actor, how)\n        case Unknown",
        ),
    ),
    one(
        "in doubt, another charge is sent",
        f"{SUBMIT}::test_in_doubt_nothing_else_is_sent_until_the_truth_is_known",
        (
            "payments/domain/aggregate.py",
            "    def _refuse_in_doubt(self) -> None:\n        if self.doubt is not None:",
            "    def _refuse_in_doubt(self) -> None:\n        if False:",
        ),
        (
            "payments/usecases/submit_payment.py",
            "status in AT_PROVIDER:",
            "status is PaymentStatus.AUTHORIZED:",
        ),
        (
            "base/domain/lifecycle.py",
            "    (_S.CREATED,         _E.SUBMIT):        _S.PROCESSING,\n",
            "    (_S.CREATED,         _E.SUBMIT):        _S.PROCESSING,\n"
            "    (_S.PROCESSING,      _E.SUBMIT):        _S.PROCESSING,\n",
        ),
        (
            "base/domain/lifecycle.py",
            "OPEN = frozenset({_S.CREATED, _S.REQUIRES_ACTION})",
            "OPEN = frozenset({_S.CREATED, _S.REQUIRES_ACTION, _S.PROCESSING})",
        ),
    ),
    one(
        "who dies before the call is never asked for",
        f"{SUBMIT}::test_dying_between_commit_and_call_leaves_what_the_poller_resolves",
        (
            "payments/domain/evolution_of_charges.py",
            "        next_query_at=event.at + SILENCE,",
            "        next_query_at=event.at + 400 * SILENCE,",
        ),
    ),
    one(
        "a charge of another amount is booked",
        f"{LEARN}::test_another_amount_is_shown_to_people_and_kept_apart",
        (
            "payments/usecases/take_outcome.py",
            "    if outcome.amount != attempt.amount and not"
            " _goes_back(case, attempt, outcome.amount):\n        # Somebody's money",
            "    if False:\n        # Somebody's money",
        ),
    ),
    one(
        "a refund that came back stays done",
        f"{LATE}::test_a_refund_that_comes_back_can_be_made_again",
        (
            "modifications/usecases/modify_payment.py",
            "    if isinstance(outcome, Declined):\n        refunds.came_back(",
            "    if False:\n        refunds.came_back(",
        ),
    ),
    one(
        "nobody asks whether a refund made at the provider came back",
        f"{LATE}::test_a_refund_made_there_is_asked_about_by_the_providers_name_of_it",
        (
            "modifications/usecases/found_changes.py",
            "            watch(core, case, found)",
            "            pass",
        ),
    ),
    one(
        "an overtaken success is believed",
        f"{LATE}::test_an_overtaken_success_is_asked_about_before_it_is_believed",
        (
            "modifications/usecases/found_changes.py",
            "    if modification.status is not ModificationStatus.FAILED or not",
            "    if True or not",
        ),
    ),
    one(
        "a refund at the provider goes beyond what was captured",
        f"{THERE}::test_beyond_what_was_captured_nothing_is_booked_and_somebody_looks",
        (
            "modifications/domain/refunds.py",
            "    if not 0 < amount.minor <= left:",
            "    if False:",
        ),
    ),
    one(
        "repeated news of a capture is booked again",
        f"{LEARN}::test_any_news_in_any_state_is_taken_lawfully_and_twice_is_once",
        (
            "payments/usecases/take_outcome.py",
            "    if attempt.status is AttemptStatus.SUCCEEDED:\n        in_parts",
            "    if False:\n        in_parts",
        ),
        (
            "payments/domain/aggregate.py",
            "        if attempt.status is AttemptStatus.SUCCEEDED:\n            return\n"
            "        again = facts.PaidTwice(",
            "        again = facts.PaidTwice(",
        ),
    ),
    one(
        "late money passes for owed money",
        f"{LEARN}::test_money_for_an_order_that_takes_none_is_surplus",
        (
            "payments/domain/aggregate.py",
            "            self.payment.status not in FUNDS_SECURED | ENDED\n"
            "            and not self.order_paid\n"
            "            and self.order.status is OrderStatus.ACTIVE\n",
            "            not self.order_paid\n",
        ),
    ),
    one(
        "what is paid at an older page leaves the newer ones open",
        "tests/checkout/test_closing.py::test_paid_at_an_older_page_every_other_page_is_closed",
        (
            "payments/domain/aggregate.py",
            "        if waited:\n            self.leave_pages(actor=actor, by=by)\n",
            "",
        ),
        (
            "modifications/domain/captures.py",
            "    if waited:\n        case.leave_pages(actor=actor, by=by)\n",
            "",
        ),
    ),
    one(
        "what is marked for people is nobody's work",
        "tests/reconciliation/test_work_items.py"
        "::test_another_currency_cannot_be_booked_and_is_a_persons_work",
        (
            "payments/usecases/change_payment.py",
            "    await _open_breaks(connection, cases)\n",
            "",
        ),
    ),
    one(
        "an order expires while its money is in doubt",
        "tests/money/test_guards.py::test_an_order_whose_money_is_in_doubt_stays_open",
        (
            "orders/usecases/expire_orders.py",
            "    if case.payment.status in OPEN:\n",
            "    if case.payment.status in {*OPEN, PaymentStatus.PROCESSING}:\n",
        ),
        (
            "orders/usecases/expire_orders.py",
            "import ENDED, OPEN, OrderStatus\n",
            "import ENDED, OPEN, OrderStatus, PaymentStatus\n",
        ),
        (
            "orders/store/orders.sql",
            "(p.status in {payment.at_provider}\n        or exists",
            "(false\n        and exists",
        ),
        (
            "payments/domain/aggregate.py",
            "        self._refuse_in_doubt()\n        self.expect_again(actor=actor)\n"
            "        self.record(end, actor=actor",
            "        self.record(end, actor=actor",
        ),
        (
            "base/domain/lifecycle.py",
            "    (_S.CREATED,         _E.EXPIRE):        _S.EXPIRED,\n",
            "    (_S.CREATED,         _E.EXPIRE):        _S.EXPIRED,\n"
            "    (_S.PROCESSING,      _E.EXPIRE):        _S.EXPIRED,\n",
        ),
    ),
    one(
        "a posting need not sum to zero",
        f"{RULES}::test_no_posting_that_does_not_sum_to_zero_is_ever_committed",
        (
            BALANCED_SQL,
            "coalesce(sum(e.amount_minor), 0) <> 0\n        or count(*)",
            "count(*)",
        ),
    ),
    one(
        "history can be edited",
        f"{RULES}::test_history_can_be_added_to_and_not_edited",
        (
            CORE_SQL,
            "create trigger entry_append_only before update or delete on entry",
            "create trigger entry_append_only before delete on entry",
        ),
    ),
    one(
        "an order may be paid twice",
        f"{RULES}::test_a_second_success_of_one_order_is_refused_unless_it_is_surplus",
        (CORE_SQL, "create unique index payment_one_success", "create index payment_one_success"),
    ),
    one(
        "news of a dispute counts in the order in which it came",
        f"{TOLD}::test_an_opening_letter_that_comes_after_the_dispute_was_won_takes_nothing",
        (
            "payments/domain/disputes.py",
            "sorted(self.tellings, key=lambda one: _when(one, order))",
            "list(self.tellings)",
        ),
    ),
    one(
        "a dispute in another currency is booked in the payment's",
        f"{TOLD}::test_a_dispute_in_another_currency_is_not_booked_and_is_a_persons_once",
        (
            "disputes/domain/disputing.py",
            "Money(max(0, sums.get(currency, 0)), currency)",
            "Money(max(0, sum(sums.values())), currency)",
        ),
    ),
    one(
        "a posting takes any currency",
        "tests/ledger/test_ledger.py::test_a_posting_moves_money_of_its_own_currency_alone",
        ("ledger/domain/ledger.py", "if entry.currency != self.currency:", "if False:"),
    ),
)
