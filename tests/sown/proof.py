"""What lets `kassa verify` find whatever was falsified behind the program's back, taken away piece
by piece."""

from tests.sown.sowing import Mutation, one

SEALS, LIES = "tests/proof/test_seals.py", "tests/proof/test_corruption.py"
COVER, HEADS = "tests/proof/test_cover.py", "tests/proof/test_heads.py"
OLD = "tests/proof/test_old_rows.py"
_PLANTED = f"{LIES}::test_every_planted_lie_is_found_and_located"


def _uncovered(what: str, words: str, instead: str) -> Mutation:
    """Columns that are in no seal any more; nothing else is missed by who asks for them."""
    return one(f"nothing covers {what}", _PLANTED, ("proof/store/cover.py", words, instead))


_CHAIN = (
    one(
        "whatever stands in the queue gets its link",
        f"{SEALS}::test_what_the_role_of_the_program_slips_in_without_its_key_gets_no_link",
        (
            "proof/usecases/chain.py",
            "    return one.digest is None or seals.fits(_HOMES[one.kind], one.digest, one.seal)\n",
            "    return bool(_HOMES) or seals is None\n",
        ),
    ),
    one(
        "any seal is a good one",
        f"{SEALS}::test_what_the_role_of_the_program_slips_in_without_its_key_gets_no_link",
        (
            "base/store/seals.py",
            "        return self.of(home, digest) == seal or any(\n"
            "            older.fits(home, digest, seal) for older in self._older\n"
            "        )\n",
            "        return True\n",
        ),
    ),
    one(
        "what is refused is put on no list",
        f"{SEALS}::test_what_the_role_of_the_program_slips_in_without_its_key_gets_no_link",
        ("proof/usecases/chain.py", "        await chain.refuse(connection, refused)\n", ""),
    ),
    one(
        "the proof does not look at what waits for its link",
        f"{SEALS}::test_what_the_role_of_the_program_slips_in_without_its_key_gets_no_link",
        (
            "proof/usecases/verify.py",
            "        forged = [one for one in found if not is_ours(known.seals, one)]\n",
            '        forged = [one for one in found if one.seal == b""]\n',
        ),
    ),
    one(
        "a history without blocks is sealed from the start",
        f"{SEALS}::test_a_history_that_was_sealed_is_never_sealed_again_from_the_start",
        (
            "proof/usecases/chain.py",
            '        return "" if ours.sealed is None else f"is gone: it had'
            ' {ours.sealed[0]} blocks"\n',
            '        return ""\n',
        ),
    ),
    one(
        "a chain without its newest block goes on",
        f"{HEADS}::test_a_chain_whose_end_was_cut_off_does_not_go_on",
        (
            "proof/usecases/chain.py",
            '            return f"no longer has the block {ours.sealed[0]} that was its newest"\n',
            "            start, before = head.seq + 1, head.hash\n",
        ),
    ),
    one(
        "a block that another key sealed is built upon",
        f"{HEADS}::test_a_block_that_another_key_sealed_is_not_built_upon",
        (
            "proof/usecases/chain.py",
            "if block.seq != start or not is_sealed(keys, before, block):",
            "if block.seq != start:",
        ),
    ),
    one(
        "a chain that nobody adds to may be cut off",
        f"{SEALS}::test_an_idle_chain_that_is_cut_off_is_noticed_without_new_history",
        ("proof/usecases/chain.py", "else sorted({*last, *noted}):", "else sorted(last):"),
    ),
    one(
        "without its head file the chain begins to trust",
        f"{SEALS}::test_a_lost_head_file_stops_the_chain_until_somebody_accepts_it",
        (
            "proof/usecases/chain.py",
            "            unsealed_before = await chain.not_begun_since_the_upgrade(connection)\n"
            "            if unsealed_before is None:\n",
            "            if False:\n",
        ),
    ),
    one(
        "the proof does not miss a head file",
        f"{SEALS}::test_a_lost_head_file_stops_the_chain_until_somebody_accepts_it",
        (
            "proof/usecases/verify.py",
            "            if self.heads and await chain.not_begun_since_the_upgrade(lane)"
            " is None:\n",
            "            if False:\n",
        ),
    ),
    one(
        "a head file from a backup is believed",
        f"{SEALS}::test_an_older_head_file_stops_the_chain_until_somebody_accepts_it",
        (
            "proof/usecases/chain.py",
            "        if ours.sealed is not None and blocks and blocks[0].at < now - BESIDE_US:\n",
            "        if False:\n",
        ),
    ),
    one(
        "the proof believes a head file from a backup",
        f"{SEALS}::test_an_older_head_file_stops_the_chain_until_somebody_accepts_it",
        ("proof/usecases/verify.py", "            if at < until:\n", "            if False:\n"),
    ),
    one(
        "the proof does not look for the newest block",
        f"{SEALS}::test_a_database_restored_from_a_backup_is_told_and_accepted_on_demand",
        (
            "proof/usecases/verify.py",
            "            if company_id not in self._met:\n",
            "            if False:\n",
        ),
    ),
    one(
        "heads of a broken chain are accepted",
        f"{SEALS}::test_heads_of_a_chain_that_is_broken_are_not_accepted",
        (
            "proof/usecases/verify.py",
            "    if found:\n        raise InvalidRequest(\n",
            "    if not seal.heads:\n        raise InvalidRequest(\n",
        ),
    ),
    one(
        "a block is not announced before it is committed",
        f"{HEADS}::test_a_process_that_dies_between_its_commit_and_its_note_stops_no_chain",
        (
            "proof/usecases/chain.py",
            "            await asyncio.to_thread(core.heads.announce, heads)\n",
            "            pass\n",
        ),
    ),
    one(
        "processes that write the head file at once forget each other's",
        f"{SEALS}::test_processes_that_write_the_head_file_at_once_lose_nothing",
        ("proof/store/heads.py", "            fcntl.flock(handle, fcntl.LOCK_EX)\n", ""),
    ),
    one(
        "the head file can be read by others",
        f"{SEALS}::test_processes_that_write_the_head_file_at_once_lose_nothing",
        (
            "private_files.py",
            "os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)",
            "os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)",
        ),
    ),
    one(
        "whatever has no seal is taken for older than the seals",
        f"{HEADS}::test_what_was_written_since_the_upgrade_is_not_taken_over_without_a_seal",
        (
            "proof/usecases/chain.py",
            "one.seal is None and unsealed_before and one.at and one.at < unsealed_before",
            "one.seal is None and unsealed_before",
        ),
    ),
)
_ROWS = (
    one(
        "the proof does not look at rows without a seal",
        _PLANTED,
        (
            "proof/store/resealing.py",
            "            if seal is None and (is_exempt or not all_sealed):\n",
            "            if seal is None:\n",
        ),
    ),
    one(
        "the proof does not look at the seals of orders and payments",
        _PLANTED,
        (
            "proof/usecases/verify.py",
            "((PAYMENTS_SEALED, _HOMES), (ROWS_SEALED, some))",
            "((PAYMENTS_SEALED, ()), (ROWS_SEALED, some))",
        ),
    ),
    one(
        "the proof does not look at the seals of the other rows",
        _PLANTED,
        (
            "proof/usecases/verify.py",
            "((PAYMENTS_SEALED, _HOMES), (ROWS_SEALED, some))",
            "((PAYMENTS_SEALED, _HOMES), (ROWS_SEALED, some[:0]))",
        ),
    ),
    one(
        "a falsified row gets a genuine seal with its next change",
        f"{OLD}::test_a_row_that_was_falsified_gets_no_genuine_seal_by_its_next_change",
        (
            "proof/store/resealing.py",
            "        if not genuine.get(name, last in (None, said) or was_updated):\n",
            "        if genuine is None or was_updated is None:\n",
        ),
    ),
    one(
        "rows whose seals were taken away are sealed anew",
        f"{OLD}::test_rows_without_a_seal_get_one_once_and_never_without_the_head_file",
        (
            "proof/usecases/old_rows.py",
            "    if sealed and recorded:\n        return 0\n",
            "    sealed = recorded = False\n",
        ),
    ),
    one(
        "without a head file rows without a seal are sealed",
        f"{OLD}::test_rows_without_a_seal_get_one_once_and_never_without_the_head_file",
        (
            "proof/usecases/old_rows.py",
            "            if await chain.not_begun_since_the_upgrade(connection) is None:\n",
            "            if False:\n",
        ),
    ),
    one(
        "a payment may have been paid in days to come",
        _PLANTED,
        (
            "proof/store/checks_rows.sql",
            "  where p.created_at <> e.first or p.updated_at <> e.last or e.last >",
            "  where p.created_at <> e.first or e.last >",
        ),
    ),
    one(
        "an order may have been changed in days to come",
        _PLANTED,
        (
            "proof/store/checks_rows.sql",
            "    or o.updated_at > now() + interval '1 day')",
            "    or false)",
        ),
    ),
    one(
        "an older version of a row may be put back",
        _PLANTED,
        (
            "proof/store/checks_rows.sql",
            "where t.updated_at < t.at",
            "where t.updated_at < t.at and false",
        ),
    ),
    one(
        "a value beyond all bounds stops the proof",
        f"{LIES}::test_values_beyond_all_bounds_break_no_proof",
        (
            "proof/store/checks.py",
            "    except asyncpg.DataError as error:\n",
            "    except ZeroDivisionError as error:\n",
        ),
    ),
    one(
        "a new column is covered by nothing",
        f"{COVER}::test_every_column_is_covered_or_says_why_not",
        ("proof/store/cover.py", "payout_reference opened_at", "opened_at"),
    ),
    one(
        "a column that is sealed for good is written again",
        f"{COVER}::test_no_statement_changes_what_is_sealed_for_good",
        (
            "webhooks_out/store/deliveries.sql",
            "update announcement\nset state = $4, next_at",
            "update announcement\nset state = $4, url = url, next_at",
        ),
    ),
    one(
        "times are digested here in another way than there",
        f"{COVER}::test_a_row_is_digested_here_as_the_database_digests_it",
        (
            "proof/store/canon.py",
            "(at - _SINCE) // _MICROSECOND\n",
            "(at - _SINCE) // _MICROSECOND // 1000 * 1000\n",
        ),
    ),
    _uncovered("where an order's letters go", " return_url notify_url", " return_url"),
    _uncovered("where a payer is sent back to", " return_url notify_url", " notify_url"),
    _uncovered(
        "an order's customer", " module customer_id customer_number", " module customer_number"
    ),
    _uncovered(
        "an order's session", " payment_methods session_token face", " payment_methods face"
    ),
    _uncovered(
        "whose payment an order's is",
        '            "order_id business_id amount_minor',
        '            "business_id amount_minor',
    ),
    _uncovered(
        "a payment's amount",
        '"order_id business_id amount_minor currency',
        '"order_id business_id currency',
    ),
    _uncovered(
        "a payment's reference",
        '            " provider_reference instrument redirect_url',
        '            " instrument redirect_url',
    ),
    _uncovered("who paid", " surplus_minor payer subject", " surplus_minor subject"),
    _uncovered(
        "how it was paid",
        '            "status method authorized_minor',
        '            "status authorized_minor',
    ),
    _uncovered(
        "where a payer is led to pay",
        "instrument redirect_url redirect_expires_at",
        "instrument redirect_expires_at",
    ),
    _uncovered(
        "an attempt's reference",
        '            " provider_reference failure_code failure_message created_at'
        ' updated_at surplus"',
        '            " failure_code failure_message created_at updated_at surplus"',
    ),
    _uncovered(
        "why and by whom a refund was asked for", '" is_last reason actor face', '" is_last face'
    ),
    _uncovered(
        "until when a dispute may be answered",
        "double_paid_minor respond_by opened_at",
        "double_paid_minor opened_at",
    ),
    _uncovered(
        "where a letter goes",
        '"payment_id version kind url event_type created_at"',
        '"payment_id version kind event_type created_at"',
    ),
    _uncovered(
        "what a provider told",
        '        birth=_words("headers body"),',
        '        birth=_words("headers"),',
    ),
    _uncovered(
        "a credential's secret", "kind name secret_hash public_keys", "kind name public_keys"
    ),
    _uncovered(
        "a provider account's settings",
        '"connector mode status country settings sealed',
        '"connector mode status country sealed',
    ),
    _uncovered(
        "a payee's account",
        '"account_type account_hash account_shown',
        '"account_type account_shown',
    ),
    _uncovered("what a fee costs", "currency rate_ppm fixed_minor", "currency fixed_minor"),
    _uncovered("whose a wallet code is", 'birth=_words("id user_id kind', 'birth=_words("id kind'),
    _uncovered("where a settlement was paid to", "payout_reference opened_at", "opened_at"),
)

EXCHANGES = "tests/proof/test_exchanges.py"
_SIDES = (
    one(
        "an exchange has one side only",
        f"{EXCHANGES}::test_where_the_report_is_silent_about_the_fee_it_is_as_it_was_known",
        (
            "reconciliation/usecases/report_batch.py",
            "            self.postings += made\n",
            "            self.postings += made[:1]\n",
        ),
    ),
    one(
        "an exchange is at another rate",
        f"{EXCHANGES}::test_a_side_that_is_gone_or_of_another_amount_is_found",
        (
            "reconciliation/domain/matching.py",
            "        fee = (2 * parts + whole) // (2 * whole)\n",
            "        fee = parts // whole\n",
        ),
    ),
    one(
        "the proof does not compare an exchange with the report",
        f"{EXCHANGES}::test_a_line_at_another_rate_is_found",
        (
            "proof/store/checks_afterwards.sql",
            "coalesce(g.minor, 0) not between s.least and s.most",
            "g.payment_id is null",
        ),
    ),
    one(
        "the proof does not compare a payout's try with what is booked",
        _PLANTED,
        (
            "proof/store/checks_afterwards.sql",
            "is distinct from ('payout', t.settlement_id, t.currency, t.amount_minor::numeric)",
            "is distinct from ('payout', t.settlement_id, t.currency, there.minor)",
        ),
    ),
    one(
        "the proof does not miss a payout's try",
        _PLANTED,
        (
            "proof/store/checks_afterwards.sql",
            "where t.posting_id is null\n  and g.at >=",
            "where t.posting_id is null and g.cause = ''\n  and g.at >=",
        ),
    ),
    one(
        "the proof takes what nobody owes for a claim on the reservation",
        "tests/modifications/test_overtaken_news.py"
        "::test_two_that_nobody_owes_are_let_go_side_by_side",
        (
            "proof/store/checks_afterwards.sql",
            "and not m.surplus and m.status in {modification.pending}) as claims",
            "and m.status in {modification.pending}) as claims",
        ),
    ),
    one(
        "the proof lets one reservation that nobody owes be let go twice at once",
        "tests/modifications/test_overtaken_news.py"
        "::test_two_that_nobody_owes_are_let_go_side_by_side",
        (
            "proof/store/checks_afterwards.sql",
            "group by m.company_id, m.payment_id, m.attempt_id having count(*) > 1",
            "group by m.company_id, m.payment_id, m.attempt_id having count(*) > 2",
        ),
    ),
)

MUTATIONS: tuple[Mutation, ...] = (*_CHAIN, *_ROWS, *_SIDES)
