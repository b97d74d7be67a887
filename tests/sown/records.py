"""What shows that a row without events is gone, set back or forged, and by which list of columns a
row was sealed, taken away piece by piece."""

from tests.sown.sowing import Mutation, one

LIES = "tests/proof/test_corruption.py::test_every_planted_lie_is_found_and_located"
RECORDS, VERSIONS = "tests/proof/test_records.py", "tests/proof/test_seal_versions.py"
COVER = "tests/proof/test_cover.py"

_RECORDS = (
    one(
        "a row that is gone is not missed",
        LIES,
        (
            "proof/store/records.py",
            "  full join (select company_id, key",
            "  left join (select company_id, key",
        ),
    ),
    one(
        "a row that was set back is not missed",
        LIES,
        (
            "proof/store/records.py",
            "(r.key is not null and t.digest is distinct from r.digest)",
            "(r.key is not null and t.key is null)",
        ),
    ),
    one(
        "a row without a record is not named",
        LIES,
        ("proof/store/records.py", "(r.key is null and $3)", "(r.key is null and $3 and false)"),
    ),
    one(
        "a gap between the records of a row is not named",
        LIES,
        ("proof/store/records.py", "    or r.many <> r.version\n", "    or r.many is null\n"),
    ),
    one(
        "records are in no chain",
        LIES,
        (
            "proof/store/checks_chain.sql",
            "    from row_record) e\n",
            "    from row_record where false) e\n",
        ),
    ),
    one(
        "a forged record gets its link",
        LIES,
        (
            "proof/usecases/chain.py",
            "    return one.digest is None or seals",
            '    return one.kind == "record" or one.digest is None or seals',
        ),
    ),
    one(
        "a row that was set back is recorded as it is with its next change",
        f"{RECORDS}::test_a_row_that_was_set_back_is_not_made_genuine_by_the_next_change",
        (
            "proof/store/resealing.py",
            "        and known.get((company_id, key), (0, said))[1] == said\n",
            "        and known is not None and key is not None\n",
        ),
    ),
    one(
        "a row that was deleted and made anew is as good as before",
        f"{RECORDS}::test_a_row_that_was_deleted_is_missed_even_when_the_program_makes_it_again",
        ("proof/store/resealing.py", "last in (None, said) or was_updated", "True"),
    ),
    one(
        "who waited for the making of a row takes it for one that was deleted",
        f"{RECORDS}::test_the_same_new_credential_put_by_many_at_once_has_its_records_in_order",
        ("proof/store/resealing.py", "last in (None, said) or was_updated", "last in (None, said)"),
    ),
    one(
        "a row that was slipped in is recorded by the first worker",
        f"{RECORDS}::test_rows_from_before_the_records_are_recorded_once_as_they_are",
        (
            "proof/store/records.py",
            " or is_genuine(seals, home, part, said, seal)\n",
            " or seals\n",
        ),
    ),
    one(
        "after another database was accepted nobody records its rows",
        f"{RECORDS}::test_after_another_database_was_accepted_rows_without_records_get_theirs",
        (
            "proof/usecases/verify.py",
            "    await asyncio.to_thread(core.heads.forget_rows_recorded)\n",
            "",
        ),
    ),
)
_VERSIONS = (
    one(
        "a column that came later is whatever somebody wrote into an old row",
        f"{VERSIONS}::test_an_old_row_that_was_falsified_in_the_new_column_is_found_and_not_healed",
        ("proof/store/cover.py", "{' and '.join(kept) or 'true'}", "true"),
    ),
    one(
        "all rows are verified by the newest list of columns",
        f"{VERSIONS}::test_old_rows_stay_sound_and_get_the_new_version_when_they_are_written",
        (
            "proof/store/cover.py",
            "    if newest == 1:\n        return digest_sql(home, part)\n",
            "    if newest:\n        return digest_sql(home, part)\n",
        ),
    ),
    one(
        "seals are of the first version for ever",
        f"{VERSIONS}::test_old_rows_stay_sound_and_get_the_new_version_when_they_are_written",
        (
            "proof/store/covering.py",
            "            newest = self.newest(part)\n",
            "            newest = 1\n",
        ),
        ("proof/store/cover.py", "version or cover.newest(part))", "version or 1)"),
        (
            "proof/store/cover.py",
            "in cover.columns(part, version))\n    said",
            "in cover.columns(part, version or 1))\n    said",
        ),
    ),
    one(
        "a list of columns that has sealed rows is changed",
        f"{COVER}::test_no_list_of_columns_that_sealed_rows_ever_changes",
        (
            "proof/store/cover.py",
            'seal=_words("status created_at")',
            'seal=_words("created_at status")',
        ),
    ),
)
MUTATIONS: tuple[Mutation, ...] = (*_RECORDS, *_VERSIONS)
