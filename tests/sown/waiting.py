"""What keeps anything from being waited for without an end, taken away piece by piece."""

from tests.sown.sowing import Mutation, one

CONTENTION, BATCH = "tests/payments/test_contention.py", "tests/base/test_batch.py"
SILENCE, TROUBLE = "tests/base/test_silence.py", "tests/base/test_trouble.py"
DB, DATES = "tests/base/test_db.py", "tests/payments/test_next_dates.py"
ANSWERS = "tests/orders/test_answer_once.py"
LOG, DEADLINES = "tests/test_observe.py", "tests/test_deadlines.py"
DATES_SQL = "base/store/migrations/0011_next_dates.sql"

_OTHERS = (
    one(
        "whoever comes last writes over the answer under a key",
        f"{ANSWERS}::test_who_was_silent_for_too_long_gives_the_others_answer",
        (
            "orders/store/answers.sql",
            "set status = $5, body = $6\n"
            "where company_id = $1 and scope = $2 and key = $3 and holder = $4 and status is null",
            "set status = $5, body = $6\n"
            "where company_id = $1 and scope = $2 and key = $3 and ($4::text is not null)",
        ),
    ),
    one(
        "a key is not held for as long as it is worked on",
        f"{ANSWERS}::test_who_is_at_it_for_long_keeps_the_key",
        (
            "orders/usecases/answer_once.py",
            "loop.call_later(_RENEWED_EVERY, begin)",
            "loop.call_later(3_600.0, begin)",
        ),
    ),
    one(
        "who wants a locked order waits for it in the batch",
        f"{CONTENTION}::test_no_backend_waits_for_an_order_or_a_balance_that_somebody_holds",
        (
            "base/store/migrations/0021_lock_and_read.sql",
            "for update of o skip locked)",
            "for update of o)",
        ),
    ),
    one(
        "who wants a locked balance waits for it in the batch",
        f"{CONTENTION}::test_no_backend_waits_for_an_order_or_a_balance_that_somebody_holds",
        (
            "wallet/store/wallets.sql",
            "b.account, b.currency for update skip locked)",
            "b.account, b.currency for update)",
        ),
    ),
    one(
        "a batch that waits is cut in halves, and each half waits",
        f"{BATCH}::test_a_batch_that_waited_for_an_unknown_lock_is_gone_through_one_by_one",
        (
            "base/usecases/batch.py",
            "        except InProgress as error:\n            if len(calls) == 1:\n"
            "                self._stick(calls[0].item)\n",
            "        except ZeroDivisionError as error:\n",
        ),
        (
            "base/usecases/batch.py",
            "        except KassaError as error:\n",
            "        except ArithmeticError as error:\n",
        ),
    ),
    one(
        "what the database cannot do now is tried again in halves",
        f"{BATCH}::test_what_the_database_cannot_do_now_is_not_tried_in_halves",
        (
            "base/usecases/batch.py",
            "        except KassaError as error:\n",
            "        except ArithmeticError as error:\n",
        ),
    ),
    one(
        "who waits for a lock is told to come again at once",
        f"{BATCH}::test_a_contended_item_is_tried_again_and_keeps_nobody_in_its_batch",
        (
            "base/usecases/batch.py",
            "                if isinstance(result, Contended):\n",
            "                if False:\n",
        ),
    ),
    one(
        "who waits for a lock is never told to come again",
        f"{CONTENTION}::test_who_waits_for_too_long_is_told_to_come_again",
        ("base/usecases/batch.py", "        if call.due > call.until:\n", "        if False:\n"),
    ),
    one(
        "what is known to wait is let into the batch again",
        f"{BATCH}::test_an_item_that_is_known_to_wait_is_not_let_into_a_batch",
        (
            "base/usecases/batch.py",
            "        if self.stuck and self._is_stuck(item):\n",
            "        if False:\n",
        ),
    ),
    one(
        "those that wait for nobody knows what take all connections",
        f"{BATCH}::test_those_that_wait_for_nobody_knows_what_hold_few_connections",
        ("base/usecases/batch.py", "_ALONE_AT_ONCE = 2 ", "_ALONE_AT_ONCE = 100 "),
    ),
    one(
        "a caller that goes away cancels the batch",
        f"{BATCH}::test_work_that_must_end_ends_though_nobody_waits_for_it",
        (
            "base/usecases/batch.py",
            "    return await asyncio.shield(task)",
            "    return await task",
        ),
    ),
)
_DATABASE = (
    one(
        "the server does not end a statement that takes too long",
        f"{TROUBLE}::test_each_connection_has_its_deadlines",
        ("base/store/wire.py", '            "statement_timeout": _ms(limits.statement),\n', ""),
    ),
    one(
        "a statement may wait for a lock as long as it lasts",
        f"{TROUBLE}::test_each_connection_has_its_deadlines",
        ("base/store/wire.py", '            "lock_timeout": _ms(limits.lock),\n', ""),
    ),
    one(
        "a transaction that is left open stays open",
        f"{TROUBLE}::test_each_connection_has_its_deadlines",
        (
            "base/store/wire.py",
            '            "idle_in_transaction_session_timeout": _ms(limits.idle),\n',
            "",
        ),
    ),
    one(
        "a server that says nothing is waited for without an end",
        f"{SILENCE}::test_a_statement_to_a_silent_server_ends_by_its_deadline",
        ("base/store/wire.py", "        command_timeout=limits.client,\n", ""),
    ),
    one(
        "a connection that does not come is waited for without an end",
        f"{SILENCE}::test_a_connection_to_a_silent_server_is_not_waited_for",
        ("base/store/wire.py", "        timeout=_CONNECT,\n", "        timeout=60,\n"),
    ),
    one(
        "a free connection is waited for without an end",
        f"{SILENCE}::test_a_free_connection_is_not_waited_for_without_an_end",
        (
            "base/store/pool.py",
            "            async with asyncio.timeout(patience):\n",
            "            async with asyncio.timeout(60):\n",
        ),
    ),
    one(
        "the kernel does not notice a server that is gone",
        f"{SILENCE}::test_the_kernel_notices_a_server_that_is_gone",
        ("base/store/wire.py", '        ("TCP_USER_TIMEOUT", _USER_TIMEOUT_MS),\n', ""),
    ),
    one(
        "connections have no keepalive",
        f"{SILENCE}::test_the_kernel_notices_a_server_that_is_gone",
        (
            "base/store/wire.py",
            "    found.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)\n",
            "",
        ),
    ),
    one(
        "connections that went silent are kept",
        f"{SILENCE}::test_after_a_failover_connections_that_went_silent_are_thrown_away",
        (
            "base/store/pulse.py",
            "                await self._replace(began)\n",
            "                pass\n",
        ),
    ),
    one(
        "idle connections that went silent are kept",
        f"{SILENCE}::test_idle_connections_that_went_silent_are_thrown_away",
        ("base/store/pulse.py", "            pool.discard_idle()\n", "            pass\n"),
    ),
    one(
        "connections that went silent while they were used are kept",
        f"{SILENCE}::test_after_a_failover_connections_that_went_silent_are_thrown_away",
        ("base/store/pulse.py", "            pool.discard_busy(since)\n", "            pass\n"),
    ),
    one(
        "readiness waits for the database",
        f"{SILENCE}::test_readiness_is_told_at_once_whatever_the_server_does",
        (
            "base/store/pulse.py",
            "        await asyncio.wait(asked, timeout=patience)\n",
            "        await asyncio.wait(asked, timeout=30)\n",
        ),
    ),
    one(
        "readiness tells what it knew before the database went silent",
        f"{SILENCE}::test_readiness_is_told_at_once_whatever_the_server_does",
        (
            "base/store/pulse.py",
            "            silent, self._wire = self._wire, None\n            self._found = None\n",
            "            silent, self._wire = self._wire, None\n",
        ),
    ),
    one(
        "readiness does not notice that nothing can be written",
        "tests/base/test_full_disk.py::test_a_full_disk_is_not_now_and_readiness_knows",
        (
            "base/store/pulse.py",
            '            self._written = f"nothing can be written: {said}"\n',
            "            assert said\n",
        ),
    ),
    one(
        "readiness does not notice a read-only database",
        f"{SILENCE}::test_readiness_notices_that_nothing_can_be_written",
        ("base/store/server.sql", "current_setting('transaction_read_only') = 'on'", "false"),
    ),
    one(
        "who leaves during a COMMIT cuts it short",
        f"{DB}::test_whoever_leaves_during_the_commit_does_not_cut_it_short",
        (
            "base/store/db.py",
            "            await asyncio.wait({commit}, timeout=_COMMIT)\n"
            "        except asyncio.CancelledError:\n",
            "            await asyncio.wait({commit}, timeout=_COMMIT)\n"
            "        except asyncio.CancelledError:\n            commit.cancel()\n",
        ),
    ),
    one(
        "who commits to a silent server waits without an end",
        f"{SILENCE}::test_who_commits_to_a_silent_server_is_told_that_it_is_unknown",
        (
            "base/store/db.py",
            "            await asyncio.wait({commit}, timeout=_COMMIT)\n"
            "        except asyncio.CancelledError:\n",
            "            await asyncio.wait({commit}, timeout=60)\n"
            "        except asyncio.CancelledError:\n",
        ),
    ),
    one(
        "a COMMIT that was not answered counts as not done",
        f"{SILENCE}::test_who_commits_to_a_silent_server_is_told_that_it_is_unknown",
        (
            "base/store/db.py",
            '            raise AmbiguousCommit("the database has not answered the COMMIT")',
            "            raise trouble.unavailable()",
        ),
    ),
    one(
        "a connection lost during a COMMIT counts as not done",
        f"{DB}::test_a_connection_lost_in_the_middle_of_the_commit_is_told_as_unknown",
        (
            "base/store/db.py",
            '            raise AmbiguousCommit("the connection broke during COMMIT") from error',
            "            raise trouble.unavailable() from error",
        ),
    ),
    one(
        "a COMMIT that rolled back counts as done",
        f"{TROUBLE}::test_an_error_that_nobody_heeded_is_no_commit",
        ("base/store/db.py", '        if commit.result() != "COMMIT":\n', "        if False:\n"),
    ),
    one(
        "what was lost while it wrote by itself counts as not done",
        f"{SILENCE}::test_what_is_lost_while_it_writes_by_itself_is_unknown",
        (
            "base/store/db.py",
            "            if writes and trouble.is_lost(error):\n",
            "            if False:\n",
        ),
    ),
    one(
        "a statement whose caller went away goes on",
        f"{SILENCE}::test_whoever_leaves_in_the_middle_of_a_statement_leaves_its_connection_usable",
        (
            "base/store/db.py",
            "            self._aside(self._mend(pool, taken))\n",
            "            pass\n",
        ),
    ),
    one(
        "a full disk is our bug",
        f"{TROUBLE}::test_trouble_that_passes_is_not_now",
        (
            "base/store/trouble.py",
            'frozenset({"08", "53", "57", "58"})',
            'frozenset({"08", "57", "58"})',
        ),
    ),
    one(
        "a statement that took too long is our bug",
        f"{TROUBLE}::test_a_statement_that_takes_too_long_is_ended_by_the_server",
        (
            "base/store/trouble.py",
            'frozenset({"08", "53", "57", "58"})',
            'frozenset({"08", "53", "58"})',
        ),
    ),
    one(
        "a read-only database is our bug",
        f"{TROUBLE}::test_a_read_only_server_is_not_now",
        (
            "base/store/trouble.py",
            'frozenset({"25006", "25P03", "25P04"})',
            'frozenset({"25P03", "25P04"})',
        ),
    ),
    one(
        "a deadlock is our bug",
        f"{TROUBLE}::test_contention_asks_to_come_again",
        (
            "base/store/trouble.py",
            'frozenset({"40001", "40P01", "55P03"})',
            'frozenset({"40001", "55P03"})',
        ),
    ),
    one(
        "each trouble of the database is a line in the log",
        f"{TROUBLE}::test_a_thousand_troubles_are_a_line_in_the_log",
        (
            "base/store/trouble.py",
            "        if now - self._said.get(kind, -_QUIET_SECONDS) < _QUIET_SECONDS:\n",
            "        if False:\n",
        ),
    ),
    one(
        "trouble that passes leaves a traceback",
        f"{LOG}::test_trouble_that_passes_leaves_no_traceback",
        ("observe.py", '        event["exc_info"] = None\n', ""),
    ),
    one(
        "everybody who met the database's trouble writes a line",
        f"{LOG}::test_trouble_that_passes_leaves_no_traceback",
        ("observe.py", "            raise structlog.DropEvent\n", "            pass\n"),
    ),
    one(
        "somewhere in the source a call waits without a deadline",
        f"{DEADLINES}::test_whatever_waits_says_how_long",
        (
            "base/store/pulse.py",
            "                await asyncio.wait({task}, timeout=_EVERY)\n",
            "                await asyncio.wait({task})\n",
        ),
    ),
    one(
        "somewhere in the source a connection is opened without deadlines",
        f"{DEADLINES}::test_connections_to_the_database_are_opened_with_their_deadlines",
        ("base/store/migrate.py", "wire.connect(url, wire.MIGRATING)", "asyncpg.connect(url)"),
    ),
)
_DATED = (
    one(
        "an attempt is begun without a date for its first question",
        f"{DATES}::test_an_address_that_nobody_was_given_leaves_the_payment_payable",
        (
            "payments/domain/evolution_of_charges.py",
            "        next_query_at=event.at + SILENCE,  # should whoever makes it die"
            " before the answer\n",
            "",
        ),
        (
            DATES_SQL,
            "alter table attempt add constraint attempt_has_next_date check (\n"
            "  status not in ('dispatched', 'in_doubt') or"
            " coalesce(isfinite(next_query_at), false));\n",
            "",
        ),
    ),
    one(
        "the database takes an undecided attempt without a date",
        f"{DATES}::test_the_database_takes_no_undecided_row_without_a_date",
        (
            DATES_SQL,
            "  status not in ('dispatched', 'in_doubt') or"
            " coalesce(isfinite(next_query_at), false));",
            "  true);",
        ),
    ),
    one(
        "the database takes an undecided change without a date",
        f"{DATES}::test_the_database_takes_no_undecided_row_without_a_date",
        (
            DATES_SQL,
            "  status not in ('requested', 'processing') or"
            " coalesce(isfinite(next_query_at), false));",
            "  true);",
        ),
    ),
    one(
        "the database takes news without a date",
        f"{DATES}::test_the_database_takes_no_undecided_row_without_a_date",
        (
            DATES_SQL,
            "  applied_at is not null or result <> '' or coalesce(isfinite(next_at), false));",
            "  true);",
        ),
    ),
    one(
        "the database takes a letter without a date",
        f"{DATES}::test_the_database_takes_no_undecided_row_without_a_date",
        (DATES_SQL, "  state <> 'waiting' or coalesce(isfinite(next_at), false));", "  true);"),
    ),
    one(
        "the database takes a wish to end an order without a date",
        f"{DATES}::test_the_database_takes_no_undecided_row_without_a_date",
        (
            DATES_SQL,
            "orders_termination_has_next_date check (\n  isfinite(next_at));",
            "orders_termination_has_next_date check (\n  true);",
        ),
    ),
    one(
        "the database takes a reservation without an end",
        f"{DATES}::test_the_database_takes_no_undecided_row_without_a_date",
        (
            DATES_SQL,
            "  authorized_minor <= captured_minor + released_minor\n"
            "  or coalesce(isfinite(authorization_expires_at), false));",
            "  true);",
        ),
    ),
    one(
        "the database takes an order without an end",
        f"{DATES}::test_the_database_takes_no_undecided_row_without_a_date",
        (DATES_SQL, "orders_ends check (isfinite(expires_at));", "orders_ends check (true);"),
    ),
    one(
        "rows of an earlier version stay without a date",
        f"{DATES}::test_rows_of_an_earlier_version_get_their_dates_when_it_is_migrated",
        (
            DATES_SQL,
            "update attempt set next_query_at = now() + random() * interval '10 minutes'\n",
            "update attempt set next_query_at = next_query_at\n",
        ),
    ),
    one(
        "the proof does not look at dates",
        f"{DATES}::test_verify_finds_what_would_be_asked_about_absurdly_late",
        (
            "proof/store/checks_dates.sql",
            "where t.due is null or t.due > t.latest",
            "where t.due is null",
        ),
    ),
    one(
        "questions end after thirty days",
        f"{DATES}::test_after_the_schedule_there_is_a_question_every_week_for_ever",
        (
            "base/domain/query_schedule.py",
            "    begun = since + SLOTS[-1][0]\n",
            "    return now + 100 * _WEEK\n    begun = since + SLOTS[-1][0]\n",
        ),
    ),
    one(
        "an address that was only signed counts as sent",
        f"{DATES}::test_an_address_that_nobody_was_given_leaves_the_payment_payable",
        (
            "payments/usecases/take_outcome.py",
            "        isinstance(connector, AddressSigner)\n",
            "        False\n",
        ),
    ),
    one(
        "an order that fails to end stands first in every round",
        f"{DATES}::test_an_order_that_fails_to_end_holds_up_no_other",
        ("orders/usecases/expire_orders.py", "        resting.failed(payment.order_id)\n", ""),
    ),
)
MUTATIONS: tuple[Mutation, ...] = (*_OTHERS, *_DATABASE, *_DATED)
