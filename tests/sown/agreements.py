"""What keeps agreement pay from whoever did not agree, or is not the merchant, taken away piece by
piece."""

from tests.sown.sowing import Mutation, one

WIRE = "tests/faces/wallet/test_agreements.py"
NEWS = "tests/faces/wallet/test_agreement_news.py"
PAGE = "tests/cashier/test_agreeing.py"
VERBS, RULES = "wallet/usecases/agreements.py", "wallet/domain/agreements.py"
CODES = "wallet/domain/wallet_codes.py"

MUTATIONS: tuple[Mutation, ...] = (
    one(
        "a pay code agrees",
        f"{WIRE}::test_no_code_or_token_serves_as_another",
        (CODES, "self.kind is CodeKind.CONSENT_CODE and", "self.kind in PAYING and"),
    ),
    one(
        "a refresh token pays",
        f"{WIRE}::test_no_code_or_token_serves_as_another",
        (
            CODES,
            "PAYING = frozenset({CodeKind.PAY_CODE, CodeKind.AGREEMENT})",
            "PAYING = frozenset(CodeKind) - {CodeKind.SECRET}",
        ),
    ),
    one(
        "one kind of code is exchanged as another",
        f"{WIRE}::test_no_code_or_token_serves_as_another",
        (VERBS, " or found.kind is not kind or ", " or "),
    ),
    one(
        "an authorization code serves again",
        f"{WIRE}::test_an_authorization_code_becomes_tokens_once",
        (VERBS, "        if code.used_for:\n", "        if False:\n"),
        (
            VERBS,
            "        await _use(connection, code, agreement.id, now)\n        return",
            "        return",
        ),
    ),
    one(
        "a code is exchanged by another client",
        f"{WIRE}::test_codes_and_tokens_of_another_client_are_as_unknown_ones",
        (
            VERBS,
            " or found.client_id != client_id:\n            raise wrong",
            ":\n            raise wrong",
        ),
    ),
    one(
        "another client ends an agreement",
        f"{WIRE}::test_codes_and_tokens_of_another_client_are_as_unknown_ones",
        (
            VERBS,
            " or code.client_id != client_id:\n        raise NotFound",
            ":\n        raise NotFound",
        ),
    ),
    one(
        "a consent code agrees twice",
        f"{WIRE}::test_a_consent_code_agrees_once",
        (CODES, "self.is_good(now) and not self.used_for", "self.is_good(now)"),
        (VERBS, "        await _use(connection, locked, agreement.id, now)\n", ""),
    ),
    one(
        "an authorization code never runs out",
        f"{WIRE}::test_what_has_run_out_says_so_to_its_own_client",
        (VERBS, "        if not code.is_good(now):\n", "        if False:\n"),
    ),
    one(
        "a page is answered again and again",
        f"{WIRE}::test_of_a_user_who_agrees_while_it_is_refused_one_answer_counts",
        (RULES, "        if not self.is_open(now):\n", "        if False:\n"),
        (RULES, "next_agreement_status(self.status, wanted)", "wanted"),
    ),
    one(
        "a page never runs out",
        f"{WIRE}::test_a_page_that_ran_out_is_answered_by_nobody",
        (
            RULES,
            "self.status is AgreementStatus.ASKED and now < self.expires_at",
            "self.status is AgreementStatus.ASKED",
        ),
    ),
    one(
        "a refresh token outlives its agreement",
        f"{WIRE}::test_a_refresh_token_gives_a_newer_pair_once_and_the_older_token_lasts_its_time",
        (
            VERBS,
            "        await wallet_codes.revoke_all(connection, company_id, agreement_id)\n",
            "",
        ),
    ),
    one(
        "a frozen user agrees",
        f"{WIRE}::test_a_frozen_user_cannot_agree_and_their_agreements_do_not_pay",
        (VERBS, "user is None or user.status != WalletUserStatus.ACTIVE", "user is None"),
    ),
    one(
        "wrong consent codes are free",
        f"{WIRE}::test_wrong_consent_codes_are_slowed",
        (
            "wallet/usecases/wallet_codes.py",
            "        await _count(core, connection, _blamed(shown, code, subjects))\n",
            "        pass\n",
        ),
    ),
    one(
        "the user's id is told to whoever asks",
        f"{WIRE}::test_the_users_id_is_told_where_they_agreed_to_that_alone",
        ("faces/wallet/agreements.py", "    if agreement.may(USER_ID):\n", "    if True:\n"),
    ),
    one(
        "a code is led to behind a fragment",
        "tests/faces/wallet/test_bad_agreements.py::test_a_bad_question_is_refused_in_words",
        ("faces/wallet/agreements.py", '    if "#" in url:\n', "    if False:\n"),
    ),
    one(
        "a late letter says that tokens are good",
        f"{NEWS}::test_who_hears_late_hears_how_it_stands",
        (
            "faces/wallet/notify_agreement.py",
            "    elif agreement.status is AgreementStatus.ACTIVE:\n",
            "    elif agreement.generation:\n",
        ),
    ),
    one(
        "a user ends another user's agreement",
        f"{WIRE}::test_a_user_sees_and_ends_in_their_app_what_they_agreed_to",
        (VERBS, "found is None or found.user_id != holder.user_id:", "found is None:"),
    ),
    one(
        "another site's form answers",
        f"{PAGE}::test_a_form_of_another_site_agrees_to_nothing",
        (
            "cashier/agreeing.py",
            '    if not same or request.headers.get("sec-fetch-site")',
            '    if request.headers.get("sec-fetch-site")',
        ),
    ),
)
