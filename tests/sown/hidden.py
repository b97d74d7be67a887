"""What keeps keys, cards and people from whoever should not have them, taken away bit by bit."""

from tests.sown.sowing import Mutation, one

ROTATION = "tests/keys/test_rotation.py"
STORES = "tests/keys/test_key_stores.py"
PEOPLE = "tests/orders/test_people.py"
CARDS = "tests/base/test_card_numbers.py"

MUTATIONS: tuple[Mutation, ...] = (
    one(
        "a secret prints itself",
        f"{STORES}::test_a_secret_tells_nobody_what_it_is",
        (
            "base/domain/secret.py",
            '        return "Secret(hidden)"\n',
            "        return str(self._value)\n",
        ),
    ),
    one(
        "a hash of another version fits",
        f"{ROTATION}::test_a_hash_says_its_version_and_fits_no_other",
        (
            "base/usecases/keyed.py",
            "    return right and known is not None\n",
            "    return right\n",
        ),
    ),
    one(
        "a new version is used before everybody knows it",
        f"{STORES}::test_a_new_version_is_read_at_once_and_used_once_everybody_knows_it",
        (
            "base/usecases/keyring.py",
            "        due = [one for one in known if one.used_from <= now]\n",
            "        due = known\n",
        ),
    ),
    one(
        "a version that rows need is retired",
        f"{ROTATION}::test_a_secret_is_hashed_under_the_newest_pepper_when_it_is_next_used",
        ("keys/usecases/key_versions.py", "    if rows:\n", "    if False:\n"),
    ),
    one(
        "history's keys are retired",
        f"{ROTATION}::test_a_version_in_use_and_what_history_hangs_on_are_not_retired",
        (
            "keys/usecases/key_versions.py",
            "    if why := FOR_EVER.get(purpose):\n",
            "    if why := '':\n",
        ),
    ),
    one(
        "a secret stays under the old pepper for ever",
        f"{ROTATION}::test_a_secret_is_hashed_under_the_newest_pepper_when_it_is_next_used",
        (
            "identity/usecases/authenticate.py",
            "        _hash_anew(core, lookup, right, secret)\n",
            "        pass\n",
        ),
    ),
    one(
        "news is signed with the newest secret alone",
        f"{ROTATION}::test_news_is_signed_with_the_old_secret_too_until_its_time_is_over",
        (
            "faces/orders/notify.py",
            "for one in secrets]\n",
            "for one in secrets[:1]]\n",
        ),
    ),
    one(
        "a company of before gets another webhook secret",
        f"{ROTATION}::test_a_company_of_before_keeps_the_webhook_secret_that_its_receivers_have",
        ("webhooks_out/usecases/signing.py", "    if derived:\n", "    if False:\n"),
    ),
    one(
        "a process with keys leaves a core file",
        f"{STORES}::test_a_process_with_keys_leaves_no_core_file",
        ("installation.py", "    keep_no_core()\n", "    pass\n"),
    ),
    one(
        "a card number in a text is taken",
        f"{CARDS}::test_a_card_number_is_found_however_it_is_written",
        (
            "base/domain/card_numbers.py",
            "    return check_digit_fits(digits) and _is_of_an_issuer(digits)\n",
            "    return False\n",
        ),
    ),
    one(
        "numbers of no issuer are cards",
        f"{CARDS}::test_what_programs_call_things_is_hardly_ever_taken_for_a_card",
        (
            "base/domain/card_numbers.py",
            "    return check_digit_fits(digits) and _is_of_an_issuer(digits)\n",
            "    return check_digit_fits(digits)\n",
        ),
    ),
    one(
        "no interface asks whether a text holds a card",
        "tests/faces/test_card_data.py::test_a_text_with_card_data_is_refused_by_every_interface",
        (
            "orders/usecases/create_order.py",
            "    refuse_card_data(dict(zip(_TEXTS, _texts(wanted), strict=True)), _TEXTS)\n",
            "",
        ),
    ),
    one(
        "what an order says of a person is stored openly",
        f"{PEOPLE}::test_nobody_reads_in_the_database_who_an_order_is_for",
        ("payments/store/personal.py", "        if any(known):\n", "        if False:\n"),
    ),
    one(
        "what is sealed opens in any row",
        f"{PEOPLE}::test_what_is_sealed_opens_in_its_own_row_alone",
        (
            "payments/store/personal.py",
            '    return f"orders|personal|{company_id}|{order_id}"\n',
            '    return "orders|personal"\n',
        ),
    ),
    one(
        "a falsified row is made genuine when it is sealed",
        f"{PEOPLE}::test_a_row_that_was_falsified_before_stays_a_finding",
        (
            "proof/store/resealing.py",
            '        if is_genuine(seals, home, "birth", said, birth)\n',
            "",
        ),
    ),
    one(
        "who is erased can still be read",
        f"{PEOPLE}::test_who_is_erased_is_nobodys_to_read_and_the_books_are_whole",
        (
            "orders/usecases/people.py",
            "        many = await people.erase(connection, company_id, customer_id)\n",
            "        many = 2\n",
        ),
    ),
)
