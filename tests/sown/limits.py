"""What keeps one caller from taking what is everybody's, taken away piece by piece."""

from tests.sown.sowing import Mutation, one

LIMITS = "tests/faces/test_limits.py"
SHEDDING = "tests/faces/test_shedding.py"
BRAKES = "tests/base/test_rate_limits.py"

MUTATIONS: tuple[Mutation, ...] = (
    one(
        "a credential has no rate",
        f"{LIMITS}::test_a_caller_beyond_its_rate_is_told_so_in_the_words_of_the_face",
        (
            "base/usecases/admission.py",
            'self._take(visit, self._credentials[test], f"{name} {caller}", "credential_rate")',
            "pass",
        ),
    ),
    one(
        "the rate of a company's credentials is one",
        f"{LIMITS}::test_one_credential_beyond_its_rate_harms_no_other",
        (
            "base/usecases/admission.py",
            'f"{name} {caller}", "credential_rate"',
            'company, "credential_rate"',
        ),
    ),
    one(
        "who shows no credential has no rate",
        f"{LIMITS}::test_who_shows_no_credential_is_counted_by_address",
        ("base/usecases/admission.py", "        if traits.public:\n", "        if False:\n"),
    ),
    one(
        "an answer does not say how much is left",
        f"{LIMITS}::test_a_caller_beyond_its_rate_is_told_so_in_the_words_of_the_face",
        (
            "base/usecases/admission.py",
            "        if quota is None:\n",
            "        if quota is quota:\n",
        ),
    ),
    one(
        "who is refused is told to come back too soon",
        f"{BRAKES}::test_who_comes_back_when_told_is_let_in",
        (
            "base/domain/rate_limits.py",
            "return Level(wait, left, missing)",
            "return Level(wait / 2, left, missing)",
        ),
    ),
    one(
        "wrong credentials bring no pause",
        f"{LIMITS}::test_wrong_keys_in_a_row_bring_growing_pauses",
        (
            "base/usecases/admission.py",
            "            self._wrong.failed(visit.address, self._clock())\n",
            "            pass\n",
        ),
    ),
    one(
        "pauses do not grow",
        f"{BRAKES}::test_pauses_double_after_what_is_free_and_are_forgiven",
        ("base/domain/rate_limits.py", "min(1 << min(over, 30), self._longest)", "1"),
    ),
    one(
        "a guesser makes everybody behind the same address wait",
        f"{LIMITS}::test_a_credential_proved_before_is_not_harmed_by_a_guesser_at_its_address",
        (
            "base/usecases/admission.py",
            'if wait and self._proved.get(f"{visit.address} {shown}") is None:',
            "if wait:",
        ),
    ),
    one(
        "whoever knows a credential's name may guess its secret",
        f"{LIMITS}::test_another_secret_for_a_name_that_was_proved_is_a_guess_like_any_other",
        ("base/usecases/admission.py", "test, caller, shown or name)", "test, caller, name)"),
        (
            "base/usecases/admission.py",
            "        self._allowing(self._try, shown)",
            '        self._allowing(self._try, shown.partition(" ")[0])',
        ),
    ),
    one(
        "a company may have any number of calls at once",
        f"{SHEDDING}::test_a_company_has_so_many_calls_at_once_and_gets_its_places_back",
        (
            "base/usecases/admission.py",
            "if not self._companies.enter(company, visit.came):",
            "if not self._companies.enter(str(id(visit)), visit.came):",
        ),
    ),
    one(
        "the places of a company's calls are not given back",
        f"{SHEDDING}::test_a_company_has_so_many_calls_at_once_and_gets_its_places_back",
        (
            "base/usecases/admission.py",
            "            self._companies.leave(visit.company, visit.came, now)\n",
            "",
        ),
    ),
    one(
        "nothing is given up when there is too much to do",
        f"{SHEDDING}::test_when_there_is_too_much_to_do_money_and_notifications_get_through",
        (
            "base/domain/rate_limits.py",
            "    return busy >= SHED_FROM[criticality]",
            "    return False",
        ),
    ),
    one(
        "the test side is not given up before the live one",
        f"{SHEDDING}::test_the_test_side_is_given_up_first",
        (
            "base/usecases/admission.py",
            "if is_shed(visit.criticality, visit.busy, test=test):",
            "if is_shed(visit.criticality, visit.busy, test=False):",
        ),
    ),
    one(
        "notifications are given up like anything else",
        f"{SHEDDING}::test_when_there_is_too_much_to_do_money_and_notifications_get_through",
        (
            "base/domain/rate_limits.py",
            "Criticality.NOTIFICATION: 2.00,",
            "Criticality.NOTIFICATION: 0.95,",
        ),
    ),
    one(
        "lists are given up last",
        f"{BRAKES}::test_what_matters_least_is_given_up_first",
        ("base/domain/rate_limits.py", "Criticality.LIST: 0.85,", "Criticality.LIST: 1.85,"),
    ),
    one(
        "a limiter that breaks keeps everybody out",
        f"{SHEDDING}::test_a_limiter_that_breaks_lets_everybody_in",
        (
            "base/usecases/admission.py",
            '            _log.exception("unexpected")\n',
            "            raise\n",
        ),
    ),
    one(
        "what is remembered of strangers has no bound",
        f"{BRAKES}::test_the_memory_is_bounded_and_keeps_who_is_refused",
        (
            "base/domain/rate_limits.py",
            "        if len(self._kept) > self._most:\n",
            "        if False:\n",
        ),
    ),
    one(
        "whoever speaks to a live installation in the clear is served",
        "tests/faces/test_peer.py"
        "::test_where_money_is_real_nobody_is_served_in_the_clear_from_elsewhere",
        (
            "faces/peer.py",
            "    return (*LOOPBACK, *trusted) if live else ()\n",
            "    return ()\n",
        ),
    ),
    one(
        "whoever calls a live installation in the clear is served",
        "tests/faces/test_grpc_door.py"
        "::test_a_call_in_the_clear_from_elsewhere_is_refused_and_one_from_here_is_served",
        (
            "faces/grpc_door.py",
            "        if host and not is_in(host, self._in_clear):\n",
            "        if False:\n",
        ),
    ),
)
