"""What keeps the name of whoever acts with a privilege, taken away piece by piece."""

from tests.sown.sowing import Mutation, one

AUDIT = "tests/identity/test_audit.py"
STAFF = "tests/identity/test_staff.py"
VERBS, SIGNING = "identity/usecases/audit.py", "identity/usecases/sign_in.py"
RULES, OF_STAFF = "identity/domain/staff.py", "identity/usecases/staff.py"

MUTATIONS: tuple[Mutation, ...] = (
    one(
        "an act that is gone is not missed",
        f"{AUDIT}::test_a_row_that_was_removed_or_altered_is_found",
        (
            "proof/store/cover.py",
            '        birth=_words("at actor act object before after reason request_id address"),\n'
            '        since="t.at",\n        appended=True,\n        recorded=True,',
            '        birth=_words("at actor act object before after reason request_id address"),\n'
            '        since="t.at",\n        appended=True,\n        recorded=False,',
        ),
    ),
    one(
        "who acted is in no seal",
        f"{AUDIT}::test_a_row_that_was_removed_or_altered_is_found",
        (
            "proof/store/cover.py",
            '"at actor act object before after reason request_id address"',
            '"at act object before after reason request_id address"',
        ),
    ),
    one(
        "an act of the installation stops its chain",
        f"{AUDIT}::test_acts_of_no_company_have_a_chain_of_their_own",
        ("proof/store/chain.sql", "union select ':installation' where", "union select '' where"),
    ),
    one(
        "what a person refunds is not written down",
        f"{AUDIT}::test_a_refund_by_a_person_is_written_down_once_and_a_programs_is_not",
        (
            "payments/usecases/change_payment.py",
            "    await audit.write(core, connection, _deeds(changes, done))\n",
            "",
        ),
    ),
    one(
        "an act is written down by itself",
        f"{AUDIT}::test_what_is_not_done_is_not_written_down_and_the_other_way_round",
        (
            VERBS,
            "        at = await audits.moment(connection)\n        await audits.add(connection, [",
            "        at = await audits.moment(connection)\n"
            "        async with core.db.connection() as other:\n"
            "            await audits.add(other, [",
        ),
    ),
    one(
        "who takes the audit away is not written down",
        f"{AUDIT}::test_an_export_has_all_in_order_and_is_written_down_itself",
        (
            VERBS,
            "    await note_alone(core, Act.AUDIT_EXPORTED, query.company_id or INSTALLATION,"
            " after=asked)\n",
            "",
        ),
    ),
    one(
        "a company is shown what others did",
        f"{AUDIT}::test_rows_are_found_by_who_what_object_and_time",
        (
            "identity/store/audits.sql",
            "($1::text is null or a.company_id = $1)",
            "($1::text is null or true)",
        ),
    ),
    one(
        "who acts may be anything",
        f"{AUDIT}::test_texts_that_no_database_keeps_are_cut",
        ("identity/domain/audit.py", "if deed.by.is_named else PROGRAM.who", "if True else ''"),
    ),
    one(
        "staff do what no role of theirs allows",
        f"{STAFF}::test_staff_do_what_their_role_names_and_nothing_else",
        (VERBS, "    if business_id is not None:\n        allowed(made, business_id)\n", ""),
    ),
    one(
        "a refund asks for no role",
        f"{STAFF}::test_a_refund_without_the_right_changes_nothing",
        (
            "modifications/usecases/asked_by_people.py",
            "        audit.allowed(asked, case.payment.business_id)\n",
            "",
        ),
    ),
    one(
        "a role for one business is one for all",
        f"{STAFF}::test_a_role_for_one_business_is_none_for_another",
        (RULES, '            and one.business_id in ("", business_id)\n', ""),
    ),
    one(
        "somebody raises their own role",
        f"{STAFF}::test_nobody_raises_their_own_role_or_lets_themselves_in_again",
        (
            OF_STAFF,
            '        raise PermissionDenied("nobody changes their own role"',
            '        PermissionDenied("nobody changes their own role"',
        ),
    ),
    one(
        "a one-time code serves again",
        f"{STAFF}::test_a_code_serves_once_even_for_two_at_the_same_moment",
        (
            SIGNING,
            "return step is not None and await staff.note_step(connection, known.id, step)",
            "return step is not None",
        ),
    ),
    one(
        "a recovery code serves again",
        f"{STAFF}::test_a_recovery_code_serves_once",
        (
            "identity/store/staff.sql",
            "and code_hash = any($2::bytea[]) and kind = $3 and used_at is null\n",
            "and code_hash = any($2::bytea[]) and kind = $3\n",
        ),
    ),
    one(
        "nobody waits after wrong passwords",
        f"{STAFF}::test_wrong_ones_make_the_next_wait_longer_and_longer",
        (SIGNING, "            await _wait(connection, subjects)\n", ""),
    ),
    one(
        "who is disabled stays signed in",
        f"{STAFF}::test_a_session_ends_at_once_by_itself_or_by_others",
        ("identity/store/staff.sql", " and s.status = {staff.active}\n", "\n"),
        (
            OF_STAFF,
            "            await staff.end_sessions(connection, member.id)\n"
            '            await staff.end_codes(connection, member.id, "invitation")',
            '            await staff.end_codes(connection, member.id, "invitation")',
        ),
    ),
    one(
        "an idle session goes on",
        f"{STAFF}::test_a_session_ends_at_once_by_itself_or_by_others",
        (
            "identity/store/staff.sql",
            "  and t.last_seen_at > statement_timestamp() - $2::interval and s.status",
            "  and ($2::interval is not null) and s.status",
        ),
    ),
    one(
        "the values of secrets are written down",
        f"{AUDIT}::test_no_secret_and_no_personal_data_is_written_down",
        (
            "providers/usecases/provider_accounts.py",
            '                "settings_changed": changed,',
            '                "settings_changed": {one: settings[one] for one in changed},',
        ),
    ),
)
