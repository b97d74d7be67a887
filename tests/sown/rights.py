"""What a credential may do, until when and from where, taken away piece by piece."""

from tests.sown.sowing import Mutation, one

MATRIX = "tests/identity/test_matrix.py"
CREDENTIALS = "tests/identity/test_credentials.py"
KEYS = "tests/identity/test_client_keys.py"
WEAK = "tests/identity/test_public_keys.py"
TOKENS = "tests/identity/test_token_terms.py"

MUTATIONS: tuple[Mutation, ...] = (
    one(
        "no permission is asked for",
        f"{MATRIX}::test_each_preset_lets_in_what_it_names_and_nothing_else",
        (
            "identity/usecases/sides.py",
            "    if asked is not None and asked.needed:\n",
            "    if False:\n",
        ),
    ),
    one(
        "a door does not say what its route is",
        f"{MATRIX}::test_each_preset_lets_in_what_it_names_and_nothing_else",
        ("base/usecases/admission.py", "        ASKED.set(traits)\n", ""),
    ),
    one(
        "who may capture may void",
        f"{MATRIX}::test_who_may_capture_may_not_void_for_that",
        ("faces/orders/handlers.py", "    changes.demand_right(wanted, principal)\n", ""),
    ),
    one(
        "a credential works after its end",
        f"{CREDENTIALS}::test_a_credential_that_has_expired_proves_nothing",
        ("identity/usecases/authenticate.py", "        and not _is_over(credential)\n", ""),
    ),
    one(
        "a key works from anywhere while it is remembered",
        f"{CREDENTIALS}::test_a_known_key_is_refused_from_elsewhere",
        (
            "identity/usecases/authenticate.py",
            "        if known.networks and not _is_here(known.networks):\n",
            "        if False:\n",
        ),
    ),
    one(
        "the secret of before a rotation is good for ever",
        f"{CREDENTIALS}::test_after_a_rotation_two_secrets_are_good_for_a_while_and_never_three",
        (
            "identity/usecases/authenticate.py",
            "if credential and until and datetime.now(UTC) < until else None",
            "if credential and until else None",
        ),
    ),
    one(
        "whoever gives keys gives the right to administer",
        f"{CREDENTIALS}::test_nobody_gives_a_right_to_administer_that_he_has_not",
        (
            "identity/usecases/credentials.py",
            '        if giver is not None and one.interface == "admin":\n',
            "        if False:\n",
        ),
    ),
    one(
        "another company's credential is shown",
        f"{CREDENTIALS}::test_credentials_are_listed_page_by_page_and_of_one_company",
        (
            "identity/usecases/credentials.py",
            "    if found is None or (company is not None and found.company_id != company.id):\n",
            "    if found is None:\n",
        ),
    ),
    one(
        "a key that is revoked is believed",
        f"{KEYS}::test_a_key_is_rotated_with_both_good_for_a_while",
        (
            "identity/domain/client_keys.py",
            "            self.state in (KeyState.ACTIVE, KeyState.RETIRING)\n",
            "            self.state is not KeyState.PENDING\n",
        ),
    ),
    one(
        "primes may be close",
        f"{WEAK}::test_primes_that_are_too_close_are_refused",
        (
            "identity/usecases/public_keys.py",
            "    if _has_close_primes(modulus):\n",
            "    if False:\n",
        ),
    ),
    one(
        "a token is good for as long as it says",
        f"{TOKENS}::test_no_token_is_good_for_longer_than_its_key_allows",
        ("identity/usecases/tokens.py", "    terms.check_lifetime(claims)\n", ""),
    ),
)
