"""What keeps the name of whoever acts with a privilege, taken away piece by piece."""

from tests.sown.sowing import Mutation, one

AUDIT = "tests/identity/test_audit.py"
VERBS, STORE = "identity/usecases/audit.py", "identity/store/audits.py"

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
        "a repeated refund is written down again",
        f"{AUDIT}::test_a_refund_by_a_person_is_written_down_once_and_a_programs_is_not",
        (
            "modifications/usecases/asked_by_people.py",
            "None if replayed else replace(asked, after=said)",
            "replace(asked, after=said)",
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
        "the values of secrets are written down",
        f"{AUDIT}::test_no_secret_and_no_personal_data_is_written_down",
        (
            "providers/usecases/provider_accounts.py",
            '                "settings_changed": changed,',
            '                "settings_changed": {one: settings[one] for one in changed},',
        ),
    ),
)
