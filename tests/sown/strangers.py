"""What keeps a request that needs no credentials from costing more than it is worth, taken away
piece by piece."""

from tests.sown.sowing import Mutation, one

LOG = "tests/test_observe.py"
EDGE = "tests/faces/test_edge.py"
INTAKE = "tests/faces/test_intake.py"
DOOR = "tests/faces/test_grpc_door.py"
PEER = "tests/faces/test_peer.py"
CONNECTIONS = "tests/cli/test_connections.py"
PAGE = "tests/connectors/razorpay/test_page.py"
STRANGERS = "tests/connectors/razorpay/test_strangers.py"
LETTERS = "tests/webhooks_out/test_in_turn.py"
NAMES = "tests/connectors/test_resolver.py"
OPENING = "tests/checkout/test_open_payment.py"
ADDRESSES = "tests/cashier/test_addresses.py"

_ON_THE_WIRE = (
    one(
        "the log searches long values whole",
        f"{LOG}::test_no_half_of_a_secret_shows_where_a_long_value_is_cut",
        ("observe.py", "        if len(value) <= longest:\n", "        if True:\n"),
    ),
    one(
        "the log shows the half of a secret at the cut",
        f"{LOG}::test_no_half_of_a_secret_shows_where_a_long_value_is_cut",
        (
            "observe.py",
            '_SECRET_SHAPES.sub("[hidden]", _cut(value, longest))',
            '_SECRET_SHAPES.sub("[hidden]", value[:longest])',
        ),
    ),
    one(
        "a pattern of the log looks for the end of a name from every place",
        "tests/test_patterns.py::test_patterns_that_are_put_together_at_run_time_are_sound_too",
        ("observe.py", r"[^\s/@]{1,2048}+(?=@)", r"[^\s/@]+(?=@)"),
    ),
    one(
        "a pattern of the log tries a token's parts in every way",
        f"{LOG}::test_no_text_makes_a_line_expensive",
        (
            "observe.py",
            r"|eyJ[\w-]{10,}+(?>(?:\.[\w-]*+){0,4})",
            r"|eyJ[\w-]{10,}(?:\.[\w-]*){1,4}\.",
        ),
    ),
    one(
        "a pattern in the source has a repeat without an end",
        "tests/test_tidy.py::test_no_pattern_can_be_made_to_run_for_long_by_what_it_reads",
        ("checkout/usecases/handover.py", "[A-Za-z0-9_-]{4,64}", "(?:[A-Za-z0-9_-]+)+"),
    ),
    one(
        "names of members are compared each with all",
        f"{EDGE}::test_no_body_takes_longer_than_its_length_warrants",
        (
            "faces/edge.py",
            "        for name, _ in pairs:\n            if name in seen:\n",
            "        names = [name for name, _ in pairs]\n        for name in names:\n"
            "            if names.count(name) > 1:\n",
        ),
        ("faces/edge.py", "_MOST_MEMBERS = 1000 ", "_MOST_MEMBERS = 100_000 "),
    ),
    one(
        "JSON may be as deep as it likes",
        f"{EDGE}::test_more_depth_is_refused_before_it_is_read",
        ("faces/edge.py", "            if len(parts) > _MOST_DEPTH:\n", "            if False:\n"),
    ),
    one(
        "an object may have as many members as it likes",
        f"{EDGE}::test_more_parts_are_refused_before_they_are_read",
        (
            "faces/edge.py",
            "if parts[-1] > _MOST_MEMBERS or total > _MOST_PARTS:",
            "if total > _MOST_PARTS:",
        ),
    ),
    one(
        "a body may have as many parts as it likes in all",
        f"{EDGE}::test_more_parts_are_refused_before_they_are_read",
        (
            "faces/edge.py",
            "if parts[-1] > _MOST_MEMBERS or total > _MOST_PARTS:",
            "if parts[-1] > _MOST_MEMBERS:",
        ),
    ),
    one(
        "a member may stand twice",
        f"{EDGE}::test_a_member_that_stands_twice_is_named_wherever_it_is",
        ("faces/edge.py", "    if len(members) != len(pairs):\n", "    if False:\n"),
    ),
    one(
        "a body is waited for without an end",
        f"{INTAKE}::test_a_body_that_never_ends_is_given_up_and_its_connection_closed",
        (
            "faces/intake.py",
            "if waited > min(self._longest, _FIRST_SECONDS + body.size / _LEAST_BYTES):",
            "if False:",
        ),
    ),
    one(
        "a body may come a byte at a time",
        f"{INTAKE}::test_a_body_that_drips_is_not",
        (
            "faces/intake.py",
            "min(self._longest, _FIRST_SECONDS + body.size / _LEAST_BYTES)",
            "self._longest",
        ),
    ),
    one(
        "a body that keeps the pace is waited for without an end",
        f"{INTAKE}::test_a_body_that_drips_is_not",
        (
            "faces/intake.py",
            "min(self._longest, _FIRST_SECONDS + body.size / _LEAST_BYTES)",
            "_FIRST_SECONDS + body.size / _LEAST_BYTES",
        ),
    ),
    one(
        "one address may send as many slow bodies as there are places",
        f"{INTAKE}::test_one_address_has_few_slow_bodies_and_others_are_still_read",
        ("faces/intake.py", " or self._slow[body.address] >= SLOW_OF_ONE:", ":"),
    ),
    one(
        "there may be any number of slow bodies in all",
        f"{INTAKE}::test_one_address_has_few_slow_bodies_and_others_are_still_read",
        ("faces/intake.py", "self._slow.total() >= SLOW_AT_ONCE or ", ""),
    ),
    one(
        "the places of slow bodies are not given back",
        f"{INTAKE}::test_one_address_has_few_slow_bodies_and_others_are_still_read",
        (
            "faces/intake.py",
            "                self._slow[body.address] -= 1\n",
            "                pass\n",
        ),
    ),
    one(
        "who sent half a body keeps the connection",
        f"{INTAKE}::test_a_body_that_never_ends_is_given_up_and_its_connection_closed",
        ("faces/intake.py", ', (b"connection", b"close")]', "]"),
    ),
    one(
        "a connection that was given up and not closed is left alone",
        f"{CONNECTIONS}::test_what_was_given_up_and_is_still_open_is_closed_all_the_same",
        (
            "cli/places.py",
            "        doomed = self._given_up_by(now) & held.keys()\n",
            "        doomed = self._given_up_by(now) - held.keys()\n",
        ),
    ),
    one(
        "one address may hold all connections",
        f"{CONNECTIONS}::test_an_address_keeps_its_share_of_idle_connections_and_all_that"
        "_are_served",
        (
            "cli/places.py",
            "        doomed |= self._beyond_their_share(held)\n",
            "",
        ),
    ),
    one(
        "connections that serve somebody are closed for their address",
        f"{CONNECTIONS}::test_an_address_keeps_its_share_of_idle_connections_and_all_that"
        "_are_served",
        (
            "cli/places.py",
            "                idle = [who for who in all_of_them if who not in self.busy]\n",
            "                idle = all_of_them[::-1]\n",
        ),
        ("cli/places.py", "for who in doomed if who not in self.busy)", "for who in doomed)"),
    ),
    one(
        "silent connections take all places of a process",
        f"{CONNECTIONS}::test_when_places_are_few_who_has_sent_no_whole_request_for_longest_goes"
        "_first",
        ("cli/places.py", "        doomed |= self._waiting_too_long(held, now)\n", ""),
    ),
    one(
        "a head is waited for without an end",
        f"{CONNECTIONS}::test_what_says_nothing_is_closed",
        (
            "cli/connections.py",
            "header_read_timeout=int(head_seconds * 1000), ",
            "header_read_timeout=60_000, ",
        ),
    ),
    one(
        "a head may be of any size",
        f"{CONNECTIONS}::test_a_head_has_a_largest_size_and_a_largest_number_of_lines",
        ("cli/connections.py", "max_buffer_size=HEAD_BYTES", "max_buffer_size=64 * HEAD_BYTES"),
    ),
    one(
        "whoever asks is believed about whom he asks for",
        f"{PEER}::test_a_stranger_is_who_connects_whatever_he_says",
        ("faces/peer.py", "if not trusted or not is_in(nearest, trusted):", "if False:"),
    ),
    one(
        "what a client forges left of our proxies is believed",
        f"{PEER}::test_what_a_client_forges_further_left_is_not_believed",
        ("faces/peer.py", "        if not is_in(address, trusted):\n            break\n", ""),
    ),
    one(
        "each address of a household of IPv6 counts for itself",
        f"{PEER}::test_addresses_of_one_household_are_one",
        ("faces/peer.py", "_HOUSEHOLD = 64 ", "_HOUSEHOLD = 128 "),
    ),
    one(
        "gRPC takes messages of four megabytes",
        f"{DOOR}::test_a_message_that_is_too_large_is_refused_and_counted",
        ("faces/grpc_door.py", '    ("grpc.max_receive_message_length", edge.BODY_LIMIT),\n', ""),
    ),
    one(
        "gRPC reads a message before it knows who sends it",
        f"{DOOR}::test_who_asks_is_known_before_the_message_is_looked_at",
        (
            "faces/grpc_service.py",
            "        call = await _announced(face, context)\n"
            "        said = await work(_parsed(kind, await read_message(context)), call)\n",
            "        read = _parsed(kind, await read_message(context))\n"
            "        call = await _announced(face, context)\n"
            "        said = await work(read, call)\n",
        ),
    ),
    one(
        "a gRPC message is waited for without an end",
        f"{DOOR}::test_a_caller_who_sends_no_message_is_not_waited_for",
        (
            "faces/grpc_door.py",
            "_Wait(_DOOR.get(), _READING_SECONDS)",
            "_Wait(_DOOR.get(), 60)",
        ),
    ),
    one(
        "a gRPC call without a deadline has none",
        f"{DOOR}::test_a_call_without_a_deadline_has_one_all_the_same",
        (
            "faces/grpc_door.py",
            "Limit(self._door.glances, LONGEST_CALL):",
            "Limit(self._door.glances, 60):",
        ),
    ),
    one(
        "watchers of one address may take every place of gRPC",
        f"{DOOR}::test_watchers_of_one_address_cannot_take_every_place",
        ("faces/grpc_door.py", "Few(_STREAMS, _STREAMS_OF_ONE)", "Few(_STREAMS, _STREAMS)"),
    ),
    one(
        "one address may have every place of gRPC messages that are late",
        f"{DOOR}::test_of_callers_whose_messages_are_late_only_some_are_waited_for",
        (
            "faces/grpc_door.py",
            "Few(_LATE_AT_ONCE, _LATE_OF_ONE)",
            "Few(_LATE_AT_ONCE, _LATE_AT_ONCE)",
        ),
    ),
)

_AT_THE_PROVIDER = (
    one(
        "the page of a form asks the provider about whatever it is asked for",
        f"{PAGE}::test_strangers_cost_the_provider_nothing",
        (
            "checkout/usecases/handover.py",
            "    attempt = await _attempt(core, account, reference)\n    if attempt is None:\n",
            "    attempt = await _attempt(core, account, reference)\n    if attempt is None:\n"
            "        await core.connectors[account].query(reference)\n",
        ),
    ),
    one(
        "who opens the page of a form asks the provider each time",
        f"{PAGE}::test_many_who_ask_for_an_open_payment_cost_one_question_in_three_seconds",
        (
            "checkout/usecases/handover.py",
            "return asked is not None and datetime.now(UTC) - asked < core.policy.query_interval",
            "return False",
        ),
        (
            "payments/usecases/sync_payment.py",
            "if asked and case.now - max(asked) < core.policy.query_interval:",
            "if False:",
        ),
    ),
    one(
        "all who look at an open payment ask the provider each time",
        f"{STRANGERS}::test_all_doors_of_an_open_payment_together_cost_one_question",
        (
            "payments/usecases/sync_payment.py",
            "if asked and case.now - max(asked) < core.policy.query_interval:",
            "if False:",
        ),
    ),
    one(
        "one account's page shows another account's charge",
        f"{PAGE}::test_strangers_cost_the_provider_nothing",
        (
            "checkout/usecases/handover.py",
            "found is not None and found.connector == account and owner",
            "found is not None and owner",
        ),
        (
            "checkout/usecases/handover.py",
            '        raise NotFound("no such payment")\n    attempt = await',
            "        pass\n    attempt = await",
        ),
    ),
    one(
        "guesses at a provider's pages are not braked",
        f"{PAGE}::test_guesses_are_braked",
        ("cashier/handover.py", "        error = unknown(request)\n", "        pass\n"),
    ),
    one(
        "guesses at the cashier are not braked",
        f"{ADDRESSES}::test_guessing_is_slowed_down",
        ("cashier/visits.py", "    guard.missed(address)\n", ""),
    ),
    one(
        "a guesser locks out the payers behind the same address",
        f"{ADDRESSES}::test_a_guesser_does_not_lock_out_payers_of_the_same_address",
        (
            "cashier/visits.py",
            "    try:\n        session = await open_session(",
            "    if wait := _guard(request).wait_seconds(address_of(request)):\n"
            '        raise RateLimited("too many unknown payments", retry_after_seconds=wait)\n'
            "    try:\n        session = await open_session(",
        ),
    ),
    one(
        "a payer may try as often as they like",
        f"{STRANGERS}::test_a_payer_who_tries_again_and_again_is_slowed_down",
        (
            "payments/usecases/submit_payment.py",
            "            refuse_haste(case.attempts.values(), case.now)\n",
            "            pass\n",
        ),
    ),
    one(
        "an address of Alipay is signed each time somebody presses the button",
        f"{OPENING}::test_pressing_the_button_again_and_again_signs_one_address_a_second",
        (
            "checkout/usecases/open_payment.py",
            "        elif _is_fresh(case, channel):\n            return\n",
            "",
        ),
    ),
    one(
        "a name server that does not answer keeps its place without an end",
        f"{NAMES}::test_names_that_were_given_up_give_their_places_back",
        (
            "connectors/resolver.py",
            "asyncio.timeout(self._seconds), self._of",
            "asyncio.timeout(3600), self._of",
        ),
    ),
    one(
        "one company's names take the places of all",
        f"{NAMES}::test_eighty_names_that_hang_take_no_thread_and_no_place_of_another_company",
        ("connectors/resolver.py", "self._of(owner.get()):", 'self._of(""):'),
    ),
    one(
        "one company has as many names looked up at once as it likes",
        f"{NAMES}::test_eighty_names_that_hang_take_no_thread_and_no_place_of_another_company",
        ("connectors/resolver.py", "asyncio.Semaphore(AT_ONCE)", "asyncio.Semaphore(1_000)"),
    ),
    one(
        "letters go out by age alone",
        f"{LETTERS}::test_ten_thousand_letters_of_one_company_delay_no_letter_of_another",
        (
            "webhooks_out/store/deliveries.sql",
            "row_number() over (order by turn, next_at) as place",
            "row_number() over (order by next_at) as place",
        ),
        (
            "webhooks_out/store/deliveries.sql",
            "c.place <= $1 and (c.turn = 1 or c.place <= $1 - $11)",
            "c.place <= $1",
        ),
        (
            "webhooks_out/store/deliveries.sql",
            "    from turns where turn <= $7),",
            "    from turns),",
        ),
        (
            "webhooks_out/store/deliveries.sql",
            "       order by a.next_at limit $6) d\n",
            "       order by a.next_at limit 10 * $6) d\n",
        ),
    ),
    one(
        "one company may have all letters that are under way",
        f"{LETTERS}::test_ten_thousand_letters_of_one_company_delay_no_letter_of_another",
        (
            "webhooks_out/store/deliveries.sql",
            "    from turns where turn <= $7),",
            "    from turns),",
        ),
    ),
    one(
        "one address may have all letters of its company that are under way",
        f"{LETTERS}::test_companies_take_turns_and_addresses_keep_to_their_places",
        (
            "webhooks_out/store/deliveries.sql",
            "    from spread where at_address <= $10),",
            "    from spread),",
        ),
    ),
    one(
        "no places are kept for companies that have no letter under way",
        f"{LETTERS}::test_many_companies_with_slow_receivers_leave_places_for_one_that_has_none",
        ("webhooks_out/usecases/deliver.py", "kept=self._at_once // _KEPT,", "kept=0,"),
    ),
    one(
        "a receiver that drips is listened to without an end",
        "tests/connectors/test_egress.py::test_a_server_that_drips_runs_into_the_deadline",
        ("connectors/egress.py", "total_seconds=self._total_seconds,", "total_seconds=60,"),
    ),
)
MUTATIONS: tuple[Mutation, ...] = (*_ON_THE_WIRE, *_AT_THE_PROVIDER)
