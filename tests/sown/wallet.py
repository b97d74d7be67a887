"""What keeps wallet users' codes from whoever guesses or repeats them, taken away piece by
piece."""

from tests.sown.sowing import Mutation, one

CODES = "tests/wallet/test_wallet_codes.py"
BEGUN = "tests/orders/test_begin_payment.py"
AT_API = "tests/faces/wallet/test_pay_codes.py"
PAGES = "tests/cashier/test_pages.py"
CODES_SQL = "base/store/migrations/0048_agreements_by_request.sql"

MUTATIONS: tuple[Mutation, ...] = (
    one(
        "an order that somebody makes first is paid a second time",
        f"{BEGUN}::test_who_is_overtaken_makes_nothing_and_moves_nothing",
        ("orders/usecases/begin_payment.py", "        raise _Overtaken\n", "        pass\n"),
    ),
    one(
        "an order that exists is begun again",
        f"{BEGUN}::test_what_was_made_before_is_left_to_the_ordinary_road",
        (
            "orders/usecases/begin_payment.py",
            " if place not in taken]",
            "]",
        ),
    ),
    one(
        "who has to wait after wrong codes pays a new order all the same",
        f"{BEGUN}::test_who_has_to_wait_after_wrong_codes_gets_nowhere_with_a_pay_code",
        (
            "wallet/usecases/wallet_codes.py",
            "None if some & waiting else code for",
            "code for",
        ),
    ),
    one(
        "a pay code pays again and again",
        f"{CODES}::test_a_pay_code_pays_once_and_the_same_payment_again_is_the_same",
        (
            "wallet/domain/wallet_codes.py",
            "        if self.kind is CodeKind.PAY_CODE and not self.used_for:\n",
            "        if False:\n",
        ),
    ),
    one(
        "of two payments at once by one code both are made",
        f"{CODES}::test_fifty_payments_at_once_by_one_code_in_two_processes_are_one",
        (
            "wallet/usecases/pay_from_wallet.py",
            "        if once and not _is_unspent(case, purse, wanted):\n",
            "        if False:\n",
        ),
        (
            CODES_SQL,
            "     or (old.used_at is not null and row(old.used_at, old.used_for)\n"
            "         is distinct from row(new.used_at, new.used_for))\n",
            "",
        ),
    ),
    one(
        "a pay code never runs out",
        f"{CODES}::test_every_code_that_does_not_pay_is_refused_in_the_same_way",
        (
            "wallet/domain/wallet_codes.py",
            " and (self.expires_at is None or now < self.expires_at)",
            "",
        ),
    ),
    one(
        "a pay code is good for a day",
        f"{CODES}::test_a_pay_code_runs_out_after_a_minute_and_what_lasts_does_not",
        (
            "wallet/usecases/wallet_codes.py",
            "now + core.policy.wallet_code_lifetime if",
            "now + timedelta(days=1) if",
        ),
    ),
    one(
        "a code that was refused is not spent",
        f"{CODES}::test_a_code_is_spent_when_it_was_presented_also_where_it_could_not_pay",
        (
            "wallet/usecases/pay_from_wallet.py",
            "            _spend(case, purse)\n            raise _soft(refusal)\n",
            "            raise _soft(refusal)\n",
        ),
    ),
    one(
        "what was revoked goes on paying",
        f"{CODES}::test_an_agreement_pays_until_it_is_revoked_and_never_over_its_limit",
        ("wallet/domain/wallet_codes.py", "self.revoked_at is None and ", ""),
    ),
    one(
        "an agreement has no limit",
        f"{CODES}::test_an_agreement_pays_until_it_is_revoked_and_never_over_its_limit",
        ("wallet/usecases/pay_from_wallet.py", " or not code.covers(amount):", ":"),
    ),
    one(
        "a code made for one client pays another",
        f"{AT_API}::test_a_code_made_for_one_client_is_nothing_to_another",
        (
            "wallet/domain/wallet_codes.py",
            '            and self.client_id in ("", client_id)\n',
            "",
        ),
    ),
    one(
        "a user's secret pays",
        f"{CODES}::test_every_code_that_does_not_pay_is_refused_in_the_same_way",
        (
            "wallet/domain/wallet_codes.py",
            "PAYING = frozenset({CodeKind.PAY_CODE, CodeKind.AGREEMENT})",
            "PAYING = frozenset({CodeKind.PAY_CODE, CodeKind.AGREEMENT, CodeKind.SECRET})",
        ),
    ),
    one(
        "another user's code pays for whoever signs in",
        f"{CODES}::test_every_code_that_does_not_pay_is_refused_in_the_same_way",
        (
            "wallet/usecases/wallet_codes.py",
            '    owned = shown.user_id in ("", code.user_id)\n',
            "    owned = True\n",
        ),
    ),
    one(
        "a spent code can be made good again",
        f"{CODES}::test_whose_a_code_is_cannot_be_changed_and_it_is_spent_once",
        (
            CODES_SQL,
            "     or (old.used_at is not null and row(old.used_at, old.used_for)\n"
            "         is distinct from row(new.used_at, new.used_for))\n",
            "",
        ),
    ),
    one(
        "a code can be moved to another user",
        f"{CODES}::test_whose_a_code_is_cannot_be_changed_and_it_is_spent_once",
        (
            CODES_SQL,
            "  if row(old.company_id, old.code_hash, old.user_id, old.id,",
            "  if row(old.company_id, old.code_hash, new.user_id, old.id,",
        ),
    ),
    one(
        "wrong codes are not counted",
        f"{AT_API}::test_sixty_wrong_guesses_are_not_sixty_answers",
        (
            "wallet/usecases/wallet_codes.py",
            "        await _count(core, connection, _blamed(shown, code, subjects))\n",
            "        pass\n",
        ),
    ),
    one(
        "who asks what a code would pay is not counted",
        f"{CODES}::test_asking_what_a_code_would_pay_costs_as_much_as_paying_with_it",
        (
            "wallet/usecases/wallet_codes.py",
            "        await _count(core, connection, _blamed(shown, code, subjects))\n",
            "        if shown.payment_id:\n"
            "            await _count(core, connection, _blamed(shown, code, subjects))\n",
        ),
    ),
    one(
        "an address may guess codes",
        f"{CODES}::test_an_address_and_an_order_have_to_wait_likewise",
        (
            "wallet/usecases/wallet_codes.py",
            '    if shown.address:\n        found.append(("", f"address:{shown.address}"))\n',
            "",
        ),
    ),
    one(
        "who guesses for a named user has no fewer tries",
        f"{CODES}::test_who_guesses_for_a_named_user_has_to_wait_sooner_from_wherever",
        (
            "wallet/usecases/wallet_codes.py",
            "    if shown.user_id:\n"
            '        found.append((shown.company_id, f"user:{shown.user_id}"))\n',
            "",
        ),
    ),
    one(
        "a right code ends the wait",
        f"{CODES}::test_a_client_that_guesses_has_to_wait_with_right_codes_too",
        (
            "wallet/usecases/wallet_codes.py",
            "        if wait:\n            raise _too_many(core, wait)\n        if right:\n"
            "            return code\n",
            "        if right:\n            return code\n        if wait:\n"
            "            raise _too_many(core, wait)\n",
        ),
    ),
    one(
        "an agreement waits for what others guessed",
        f"{CODES}::test_a_client_that_guesses_has_to_wait_with_right_codes_too",
        (
            "wallet/usecases/wallet_codes.py",
            "        if right and shown.code.startswith(ACCESS_TOKEN):\n",
            "        if False:\n",
        ),
    ),
    one(
        "pauses after wrong codes do not grow",
        f"{CODES}::test_pauses_double_up_to_an_end_and_are_kept_in_the_database",
        (
            "wallet/store/wallet_codes.sql",
            "$5::interval * power(2, ceil({misses} - $3::float8) - 1)",
            "$5::interval",
        ),
    ),
    one(
        "who shows a user's spent code stops the user",
        f"{CODES}::test_a_code_that_was_one_is_no_guess_so_nobody_can_stop_its_user_with_it",
        (
            "wallet/usecases/wallet_codes.py",
            "    return set(subjects) if code is None or shown.user_id else set()\n",
            "    return set(subjects)\n",
        ),
    ),
    one(
        "who guesses a user's secret does not wait",
        f"{AT_API}::test_wrong_secrets_are_slowed_by_address",
        (
            "wallet/usecases/wallet_codes.py",
            "        if not known and wait:\n",
            "        if False:\n",
        ),
    ),
    one(
        "codes are kept as they are",
        f"{CODES}::test_codes_are_random_long_enough_and_kept_as_keyed_hashes_only",
        (
            "wallet/usecases/wallet_codes.py",
            "        code_hash=hash_code(core, text),\n",
            "        code_hash=text.encode(),\n",
        ),
    ),
    one(
        "the cashier counts guesses for nobody",
        f"{PAGES}::test_a_payer_who_guesses_wallet_codes_has_to_wait_and_may_pay_otherwise",
        (
            "wallet/usecases/wallet_codes.py",
            "        await _count(core, connection, _blamed(shown, code, subjects))\n",
            "        if not shown.user_id:\n"
            "            await _count(core, connection, _blamed(shown, code, subjects))\n",
        ),
    ),
)
