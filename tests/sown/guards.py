"""What keeps money where a commit lasts, amounts within bounds, and doors shut, taken away piece
by piece."""

from tests.sown.sowing import Mutation, one

DURABLE = "tests/base/test_durability.py"
ISOLATION = "tests/identity/test_isolation.py"
BOUNDS = "tests/base/test_bounds.py"
CLOSED = "tests/identity/test_closed_company.py"
DOOR = "tests/faces/test_grpc_door.py"
LOG = "tests/test_observe.py"
PROCESS = "tests/cli/test_process.py"
BOUNDS_SQL = "base/store/migrations/0012_amount_bounds.sql"

_DURABLE = (
    one(
        "a commit whose wait for the standby was canceled counts as done",
        f"{DURABLE}::test_a_commit_whose_wait_for_the_standby_was_cut_short_is_unknown",
        (
            "base/store/wire.py",
            'message.sqlstate in ("01000", "57P01")',
            'message.sqlstate == "57P01"',
        ),
    ),
    one(
        "a commit whose wait for the standby was ended with its connection counts as done",
        f"{DURABLE}::test_a_commit_whose_wait_for_the_standby_was_cut_short_is_unknown",
        (
            "base/store/wire.py",
            'message.sqlstate in ("01000", "57P01")',
            'message.sqlstate == "01000"',
        ),
        (
            "base/store/db.py",
            "            if writes and trouble.is_lost(error):\n",
            "            if False:\n",
        ),
    ),
    one(
        "no warning about the standby is heeded",
        f"{DURABLE}::test_a_commit_whose_wait_for_the_standby_was_cut_short_is_unknown",
        ("base/store/wire.py", "    wire.add_log_listener(_heed)\n", ""),
    ),
    one(
        "real money is taken where a commit may be lost",
        f"{DURABLE}::test_each_setting_that_may_lose_commits_is_named",
        (
            "base/store/server.py",
            '    "data_checksums": ("on",),\n',
            '    "data_checksums": ("on", "off"),\n',
        ),
    ),
    one(
        "real money is taken where commits are not waited for",
        f"{DURABLE}::test_a_change_of_the_server_stops_it_from_taking_money_within_seconds",
        (
            "base/store/server.py",
            '"synchronous_commit": ("on", "remote_apply"),',
            '"synchronous_commit": ("on", "remote_apply", "off"),',
        ),
    ),
    one(
        "real money is taken on a standby",
        f"{DURABLE}::test_a_standby_takes_no_money_and_sound_servers_do",
        ("base/store/server.py", "    if found.standby:\n", "    if False:\n"),
    ),
    one(
        "standbys may be others than the settings name",
        f"{DURABLE}::test_standbys_have_to_be_those_that_the_settings_name",
        (
            "base/store/server.py",
            "if demands.standbys and _bare(names) != _bare(demands.standbys):",
            "if False:",
        ),
    ),
    one(
        "what is set for a role is not looked at",
        f"{DURABLE}::test_what_is_set_for_a_role_counts",
        ("base/store/db.py", "            if refusal:\n", "            if False:\n"),
    ),
    one(
        "a change of the server's settings goes unnoticed",
        f"{DURABLE}::test_a_change_of_the_server_stops_it_from_taking_money_within_seconds",
        (
            "base/store/pulse.py",
            "        self.refusal = server.refusal(state, self._demands) if self._demands"
            ' is not None else ""\n',
            "",
        ),
    ),
    one(
        "with real money it starts on any database",
        "tests/cli/test_serving.py::test_with_real_money_it_does_not_start_on_a_database_th"
        "at_may_lose_commits",
        (
            "base/store/server.py",
            "    for name, words in shortcomings(found, demands).items():\n",
            "    for name, words in ():\n",
        ),
    ),
)

_AMOUNTS = (
    one(
        "an order may be of any amount",
        f"{BOUNDS}::test_every_door_of_the_core_says_what_one_amount_may_be_at_most",
        (
            "orders/usecases/create_order.py",
            "payable(within(core, wanted.amount))",
            "payable(wanted.amount)",
        ),
    ),
    one(
        "a top-up may be of any amount",
        f"{BOUNDS}::test_every_door_of_the_core_says_what_one_amount_may_be_at_most",
        ("wallet/usecases/wallet_users.py", "payable(within(core, amount))", "payable(amount)"),
    ),
    one(
        "a fee may be of any amount",
        f"{BOUNDS}::test_every_door_of_the_core_says_what_one_amount_may_be_at_most",
        ("fees/usecases/fees.py", '    within(core, fixed, field="fixed")\n', ""),
    ),
    one(
        "an adjustment may be of any amount",
        f"{BOUNDS}::test_every_door_of_the_core_says_what_one_amount_may_be_at_most",
        (
            "reconciliation/usecases/breaks.py",
            "        within(core, adjustment.amount)\n",
            "        pass\n",
        ),
    ),
    one(
        "the limit of an agreement may be of any amount",
        f"{BOUNDS}::test_every_door_of_the_core_says_what_one_amount_may_be_at_most",
        (
            "wallet/usecases/wallet_codes.py",
            "payable(within(core, wanted.limit))",
            "payable(wanted.limit)",
        ),
    ),
    one(
        "a currency has no bound of its own",
        f"{BOUNDS}::test_a_lower_bound_of_one_currency_leaves_the_others",
        (
            "base/usecases/bounds.py",
            "policy.amount_limits.get(currency, policy.amount_limit_minor)",
            "policy.amount_limit_minor",
        ),
    ),
    one(
        "a balance may be of any size",
        f"{BOUNDS}::test_a_balance_has_an_end_too",
        (
            "wallet/usecases/wallet_users.py",
            "        if held + amount.minor > LARGEST_SUM:\n",
            "        if False:\n",
        ),
    ),
    one(
        "a provider's news is believed whatever it names",
        f"{BOUNDS}::test_news_of_an_absurd_amount_becomes_a_work_item",
        (
            "base/usecases/bounds.py",
            "        if abs(amount.minor) > most(core, amount.currency).minor:\n",
            "        if False:\n",
        ),
    ),
    one(
        "a line of a report is believed whatever it names",
        f"{BOUNDS}::test_an_absurd_line_of_a_report_is_put_aside_and_the_others_count",
        (
            "base/usecases/bounds.py",
            "if max(abs(item.amount.minor), abs(item.fee.minor)) <= bound:",
            "if True:",
        ),
    ),
    one(
        "the tables take any amount",
        f"{BOUNDS}::test_the_tables_take_no_amount_beyond_all_settings",
        (
            BOUNDS_SQL,
            "greatest(bound.most, held), greatest(bound.most, held));",
            "9223372036854775807, 9223372036854775807);",
        ),
    ),
    one(
        "a table that holds more cannot be migrated",
        f"{BOUNDS}::test_a_table_that_holds_more_already_can_be_migrated_and_goes_on",
        (
            BOUNDS_SQL,
            "greatest(bound.most, held), greatest(bound.most, held));",
            "bound.most, bound.most);",
        ),
    ),
    one(
        "sums of money in doubt are cast to 64 bits",
        f"{ISOLATION}::test_sums_beyond_64_bits_are_counted_to_the_digit",
        (
            "reconciliation/store/unknown_outcomes.sql",
            "sum(x.amount_minor) as minor,",
            "sum(x.amount_minor)::bigint as minor,",
        ),
    ),
    one(
        "a gauge that fails spoils the others",
        f"{ISOLATION}::test_a_gauge_that_fails_fails_alone",
        ("operations/store/backlogs.py", "            found[name] = None\n", "            raise\n"),
    ),
    one(
        "money that nobody can reckon with spoils the others' gauges",
        f"{ISOLATION}::test_a_gauge_that_fails_fails_alone",
        (
            "reconciliation/store/unknown_outcomes.py",
            "    except (asyncpg.DataError, asyncpg.FeatureNotSupportedError):\n"
            "        return None\n",
            "    except ZeroDivisionError:\n        return None\n",
        ),
    ),
    one(
        "one company's settlement stops those of the others",
        f"{ISOLATION}::test_a_settlement_too_large_is_refused_and_the_others_are_closed",
        (
            "settlement/usecases/settlements.py",
            "            failure = error\n",
            "            raise\n",
        ),
    ),
    one(
        "one company's breaks stop those of the others",
        f"{ISOLATION}::test_breaks_that_one_company_cannot_have_keep_no_others_from_theirs",
        (
            "reconciliation/usecases/stuck_money.py",
            '            _log.exception("breaks could not be opened", company=company_id)\n',
            "            raise\n",
        ),
    ),
)

_SMALLER = (
    one(
        "a closed company's new order can be paid at once",
        "tests/orders/test_begin_payment.py::test_a_closed_company_begins_nothing",
        (
            "orders/usecases/begin_payment.py",
            "closed=order.company_id in before.closed,",
            "closed=False,",
        ),
    ),
    one(
        "a closed company's order can be paid",
        f"{CLOSED}::test_nobody_begins_to_pay_a_company_that_is_closed",
        (
            "payments/domain/aggregate.py",
            "        if self.company_closed and not self.payment.is_paid:\n",
            "        if False:\n",
        ),
    ),
    one(
        "an address of a closed company's order is signed",
        f"{CLOSED}::test_nobody_begins_to_pay_a_company_that_is_closed",
        ("checkout/usecases/open_payment.py", "        case.refuse_closed()\n", ""),
        (
            "payments/domain/aggregate.py",
            "        self.refuse_closed()\n        if not by_staff",
            "        if not by_staff",
        ),
    ),
    one(
        "an order's restriction is kept by no interface",
        "tests/faces/gateway/test_again.py::test_an_order_s_restriction_holds_here_too",
        (
            "payments/domain/aggregate.py",
            "            self.refuse_method(method)\n",
            "            pass\n",
        ),
        ("checkout/usecases/request_payment.py", "        case.refuse_method(wanted.method)\n", ""),
    ),
    one(
        "an order that nobody can pay is made",
        "tests/faces/orders/test_orders_again.py"
        "::test_what_nobody_can_pay_is_refused_when_it_is_made",
        (
            "orders/usecases/create_order.py",
            "    if wanted.payment_methods and (why := await _why_unpayable(core, wanted)):",
            '    if (why := ""):',
        ),
    ),
    one(
        "an ended order that is sent again looks like a fresh one",
        "tests/faces/orders/test_orders_again.py"
        "::test_an_ended_order_sent_again_says_that_it_has_ended",
        (
            "orders/usecases/create_order.py",
            "    if made.replayed and wanted.request_id is None and",
            "    if False and",
        ),
    ),
    one(
        "another request is answered under a key of the gateway",
        "tests/faces/gateway/test_again.py::test_other_content_under_the_key_is_refused",
        ("faces/gateway/handlers.py", 'order="sorted")\n', 'order="sorted")[:0]\n'),
    ),
    one(
        "of two credentials over gRPC one is taken",
        f"{DOOR}::test_of_two_credentials_none_is_taken",
        (
            "faces/grpc_door.py",
            "        elif name in _CREDENTIALS:\n"
            '            raise Unauthenticated(f"{name} must be given once")\n        else:\n'
            '            headers[name] = f"{headers[name]}, {value}"\n',
            "        else:\n            headers[name] = value\n",
        ),
    ),
    one(
        "the wallet says which check of a signature failed",
        "tests/faces/wallet/test_bad_requests.py::test_which_check_of_a_signature_failed_is"
        "_told_to_nobody",
        (
            "faces/wallet/handlers.py",
            '    return Unauthenticated("")\n',
            "    return Unauthenticated(why)\n",
        ),
    ),
    one(
        "a gRPC call leaves no line in the log",
        f"{DOOR}::test_every_call_has_an_id_a_line_and_a_count",
        (
            "faces/grpc_door.py",
            '        if not self._quiet or status not in ("OK", "CANCELLED"):\n',
            "        if False:\n",
        ),
    ),
    one(
        "a gRPC call is not counted",
        f"{DOOR}::test_every_call_has_an_id_a_line_and_a_count",
        ("faces/grpc_door.py", "        observe.count_request(self._face, status, took)\n", ""),
    ),
    one(
        "a gRPC call has no id",
        f"{DOOR}::test_a_call_that_succeeds_says_its_id_too",
        (
            "faces/grpc_service.py",
            "    context.set_trailing_metadata(trailing())\n    return Call",
            "    return Call",
        ),
        ("faces/grpc_door.py", "        context.set_trailing_metadata(trailing())\n", ""),
    ),
    one(
        "gRPC health says SERVING while readiness says 503",
        f"{DOOR}::TestHealth::test_is_what_readyz_says",
        (
            "faces/grpc_health.py",
            '    following = asyncio.create_task(_follow(state, ("", *names), ready))\n',
            "    following = asyncio.create_task(asyncio.sleep(3600))\n",
        ),
    ),
    one(
        "metrics stand on the payers' port",
        f"{LOG}::test_payers_are_told_whether_we_are_ready_and_nothing_else",
        (
            "app.py",
            "        *handover.routes,\n        *_health(),\n",
            "        *handover.routes,\n        *_ops(),\n",
        ),
    ),
    one(
        "payers are told what is wrong with the database",
        f"{LOG}::test_payers_are_told_whether_we_are_ready_and_nothing_else",
        (
            "app.py",
            '        return JSONResponse({"ready": ready}, 200 if ready else 503)\n',
            "        found = await _ready(request.app.state.core)\n"
            '        return JSONResponse({"ready": ready, "checks": found.checks}, 200 if'
            " ready else 503)\n",
        ),
    ),
    one(
        "reflection is there for everybody",
        f"{PROCESS}::test_grpc_tells_what_it_serves_only_where_that_is_wanted",
        ("app.py", "    if settings.grpc_reflection or settings.demo:\n", "    if True:\n"),
    ),
    one(
        "the operators' port listens on every network",
        "tests/cli/test_serving.py::test_operators_have_the_usual_port_or_another",
        ("settings.py", '    ops_host: str = "127.0.0.1"\n', '    ops_host: str = "0.0.0.0"\n'),
    ),
)
CHANGES, BUSINESSES = "tests/payments/test_list_changes.py", "tests/identity/test_businesses.py"
_TOLD = (
    one(
        "a payment stands in a list of changes where an older change does",
        f"{CHANGES}::test_each_payment_stands_where_its_last_change_does",
        ("payments/store/summaries.sql", "    and p.version = l.number\n", ""),
    ),
    one(
        "a place that the chain has not come to is taken for the end",
        f"{CHANGES}::test_a_place_that_the_chain_has_not_come_to_is_refused",
        ("payments/usecases/find_payments.py", "if place > head.seq:", "if False:"),
    ),
    one(
        "a clock that was set back puts newer blocks before older ones",
        f"{CHANGES}::test_blocks_stay_in_their_order_when_the_clock_is_set_back",
        ("proof/usecases/chain.py", "at=max(at, head.at) if head else at,", "at=at,"),
    ),
    one(
        "what has no link yet is said to have been told",
        f"{CHANGES}::test_what_is_not_linked_yet_is_said_to_be_missing",
        (
            "payments/store/summaries.sql",
            "coalesce(w.at, statement_timestamp())",
            "statement_timestamp()",
        ),
    ),
    one(
        "a token is good for another filter",
        "tests/faces/business/test_listing.py::test_a_token_is_good_for_its_filter_alone",
        (
            "faces/business/listing.py",
            "        content.append(wanted.narrowed.wanted)\n",
            "        pass\n",
        ),
    ),
    one(
        "a business that the company has not is taken",
        f"{BUSINESSES}::test_an_unknown_business_is_refused_by_the_name_it_came_in",
        (
            "identity/usecases/businesses.py",
            "if await find_business(core, asked_by.company, business_id) is None:",
            "if False:",
        ),
    ),
    one(
        "a list is of a business that the company has not",
        f"{BUSINESSES}::test_several_are_all_known_or_all_refused",
        (
            "identity/usecases/businesses.py",
            "    if found != others:\n",
            "    if not found:\n",
        ),
    ),
    one(
        "the gateway pays an order of another business",
        "tests/faces/gateway/test_businesses.py"
        "::test_an_order_of_another_business_is_not_paid_for_this_one",
        (
            "checkout/usecases/request_payment.py",
            "if wanted.business_id not in (view.order.business_id, wanted.company.business_id):",
            "if False:",
        ),
    ),
    one(
        "what nobody owed is told as captured",
        "tests/faces/test_face_sums.py"
        "::test_money_that_nobody_owed_is_told_apart_from_what_was_earned",
        (
            "payments/domain/summaries.py",
            "return 0 if self.surplus else self.captured_minor",
            "return self.captured_minor",
        ),
    ),
)
OVERTAKEN = "tests/modifications/test_overtaken_news.py"
UNOWED = "tests/disputes/test_disputes_of_surplus.py"
_OVERTAKEN: tuple[Mutation, ...] = (
    one(
        "what was captured of a late reservation at the provider is nobody's",
        f"{OVERTAKEN}::test_a_late_reservation_that_was_captured_there_goes_back",
        (
            "modifications/domain/captured_there.py",
            "    if attempt.surplus:\n",
            "    if False:\n",
        ),
    ),
    one(
        "what a bank took of surplus goes back once more",
        f"{UNOWED}::test_what_the_bank_has_taken_does_not_go_back_once_more",
        (
            "payments/domain/evolution_of_changes.py",
            "    if surplus:\n        return replace(payment, surplus_returned_minor",
            "    if False:\n        return replace(payment, surplus_returned_minor",
        ),
    ),
    one(
        "what shows that a refused charge was paid waits and is not asked about",
        f"{OVERTAKEN}::test_what_shows_that_a_charge_was_paid_has_it_asked_about",
        (
            "webhooks_in/usecases/apply.py",
            "    if attempt.status in UNDECIDED or isinstance(news, ChargeEvent):",
            "    if True:",
        ),
    ),
)

MUTATIONS: tuple[Mutation, ...] = (*_DURABLE, *_AMOUNTS, *_SMALLER, *_TOLD, *_OVERTAKEN)
