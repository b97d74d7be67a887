"""What keeps test and live apart, and one customer's order from another, taken away piece by
piece."""

from tests.sown.sowing import Mutation, one

SIDES = "tests/identity/test_sides.py"
KINDS = "tests/connectors/test_modes.py"
MODES = "tests/faces/test_modes.py"
OWNER = "tests/orders/test_order_owner.py"
SANDBOX = "tests/connectors/sandbox/test_sandbox_pages.py"
SIDES_SQL = "base/store/migrations/0013_sides.sql"

_SIDES = (
    one(
        "the sandbox is there for every test side",
        f"{SIDES}::test_no_road_leads_to_the_sandbox_who_was_not_given_it",
        (
            "providers/domain/providers.py",
            "        return company.sandbox or not self.only_given\n",
            "        return True\n",
        ),
    ),
    one(
        "an account takes payments of either mode",
        f"{SIDES}::test_no_account_of_one_mode_takes_a_payment_of_the_other",
        (
            "providers/domain/providers.py",
            "        if self.mode is not company.mode:\n",
            "        if False:\n",
        ),
    ),
    one(
        "an account takes payments of other companies",
        "tests/providers/test_provider_accounts.py::test_no_company_is_routed_to_anothers_account",
        (
            "providers/domain/providers.py",
            "            return self.company_id == company.id\n",
            "            return True\n",
        ),
    ),
    one(
        "a charge is not looked at once more before it is sent",
        f"{SIDES}::test_no_road_leads_a_live_order_to_the_sandbox",
        (
            "payments/usecases/submit_payment.py",
            "        await require_serving(core, account, wanted.company_id)\n",
            "        pass\n",
        ),
    ),
    one(
        "a live side is made where no real money moves",
        f"{SIDES}::test_no_live_side_without_real_money_and_no_sandbox_on_one",
        (
            "identity/usecases/companies.py",
            "    if wanted.mode is Mode.LIVE and not core.policy.live:\n",
            "    if False:\n",
        ),
    ),
    one(
        "a live side is given the sandbox",
        f"{SIDES}::test_no_live_side_without_real_money_and_no_sandbox_on_one",
        (
            "identity/usecases/companies.py",
            "    if wanted.mode is Mode.LIVE and wanted.sandbox:\n",
            "    if False:\n",
        ),
        (
            SIDES_SQL,
            "  add constraint company_sandbox_is_for_tests check (mode = 'test' or not sandbox);",
            "  add constraint company_sandbox_is_for_tests check (true);",
        ),
    ),
    one(
        "the database takes the sandbox on a live side",
        f"{SIDES}::test_the_database_itself_keeps_the_sides_apart",
        (
            SIDES_SQL,
            "  add constraint company_sandbox_is_for_tests check (mode = 'test' or not sandbox);",
            "  add constraint company_sandbox_is_for_tests check (true);",
        ),
    ),
    one(
        "the database takes an account of the other mode",
        f"{SIDES}::test_the_database_itself_keeps_the_sides_apart",
        (
            SIDES_SQL,
            "foreign key (company_id, active_mode) references company (id, mode)",
            "foreign key (company_id) references company (id)",
        ),
    ),
    one(
        "a side may change its mode",
        f"{SIDES}::test_the_database_itself_keeps_the_sides_apart",
        (
            SIDES_SQL,
            "  when ((old.id, old.number, old.public_id, old.mode)\n"
            "        is distinct from (new.id, new.number, new.public_id, new.mode))\n",
            "  when ((old.id, old.number, old.public_id)\n"
            "        is distinct from (new.id, new.number, new.public_id))\n",
        ),
    ),
    one(
        "a live credential is served where no real money moves",
        f"{MODES}::test_a_live_credential_is_told_that_no_real_money_is_moved_here",
        ("identity/usecases/sides.py", "    if not is_served(core, company):\n", "    if False:\n"),
    ),
    one(
        "letters of live sides go out where no real money moves",
        "tests/workers/test_live_chores.py::test_the_worker_of_an_installation_without_real"
        "_money_leaves_it_alone",
        (
            "webhooks_out/usecases/deliver.py",
            "            live=core.policy.live,\n",
            "            live=True,\n",
        ),
    ),
    one(
        "an answer does not say whether money is real",
        f"{MODES}::test_every_answer_to_a_credential_says_its_mode",
        ("observe.py", "                    *_MODE_HEADERS.get(MODE.get(), ()),\n", ""),
    ),
    one(
        "a letter does not say whether money is real",
        f"{MODES}::test_every_letter_says_its_mode",
        (
            "webhooks_out/usecases/deliver.py",
            "{**letter.headers, MODE_HEADER: company.mode.value}",
            "{**letter.headers}",
        ),
    ),
    one(
        "a production address is taken on the test side",
        f"{KINDS}::test_a_production_address_is_refused_on_a_test_side",
        ("connectors/kind.py", "        if field.is_production(value):\n", "        if False:\n"),
    ),
    one(
        "a stranger's address is taken on the live side",
        f"{KINDS}::test_a_sandboxs_or_strangers_address_is_refused_on_a_live_side",
        (
            "connectors/kind.py",
            "if not _is_below(host, field.live_hosts) and (is_test or field.live_hosts):",
            "if is_test:",
        ),
    ),
    one(
        "an inner address is taken on the live side",
        f"{KINDS}::test_an_inner_or_open_address_is_refused_on_a_live_side",
        ("connectors/kind.py", "    if _is_inside(host):\n", "    if False:\n"),
    ),
    one(
        "a key of the other mode is taken",
        f"{KINDS}::test_a_key_of_the_other_mode_is_refused_and_not_repeated",
        ("connectors/kind.py", "    if value.startswith(wrong):\n", "    if False:\n"),
        (
            "connectors/kind.py",
            "    if field.is_marked and not value.startswith(right):\n",
            "    if False:\n",
        ),
    ),
    one(
        "what was stored against the rule is used",
        f"{KINDS}::test_what_was_stored_against_the_rule_is_not_loaded",
        (
            "providers/usecases/provider_accounts.py",
            "        kind_of(account.connector).check_mode(settings, live=account.mode is"
            " Mode.LIVE)\n",
            "",
        ),
    ),
    one(
        "news of the other mode decides at Stripe",
        "tests/connectors/stripe/test_stripe_notifications.py::test_news_of_the_other_mode_"
        "is_foreign",
        (
            "connectors/stripe/notifications.py",
            '        if event.flag("livemode") is not live:\n',
            "        if False:\n",
        ),
    ),
    one(
        "the sandbox's books are open to everybody",
        "tests/faces/test_limits.py::test_who_shows_no_credential_is_counted_by_address",
        (
            "app.py",
            "        edge.core_of(request).admission.unproved()\n        return None\n",
            '        return ""\n',
        ),
    ),
    one(
        "the sandbox's books show a merchant everybody's charges",
        f"{SANDBOX}::test_a_merchant_sees_their_own_charges_and_nobody_elses",
        (
            "connectors/sandbox/report.py",
            '"substr(key, 1, length(:keys)) = :keys"',
            '":keys = :keys"',
        ),
    ),
)

_OWNERS = (
    one(
        "the first customer who names an order owns it",
        f"{OWNER}::test_who_knows_an_order_id_alone_opens_nothing_and_leaves_no_trace",
        ("orders/domain/ownership.py", "    return by_session\n", "    return True\n"),
    ),
    one(
        "whoever has the session opens an order made for another",
        f"{OWNER}::test_an_order_made_for_a_customers_id_is_theirs_alone",
        (
            "orders/domain/ownership.py",
            "    if named:\n        return named == (who.customer_id or who.name)\n",
            "    if named and named == (who.customer_id or who.name):\n        return True\n",
        ),
    ),
    one(
        "an order that somebody opened can be opened by another",
        f"{OWNER}::test_an_order_made_for_no_id_is_opened_by_whoever_shows_its_session",
        (
            "checkout/usecases/open_payment.py",
            "    if payment.number is not None:\n        return payment.payer == principal.name\n"
            "    if payment.payer:",
            "    if payment.number is None and payment.payer:",
        ),
    ),
    one(
        "of two who open an order at once both get it",
        f"{OWNER}::test_of_two_who_show_the_session_at_once_one_gets_the_order_and_one"
        "_leaves_no_trace",
        (
            "checkout/usecases/open_payment.py",
            "        _require_own(principal, case.payment, case.order, by_session=by_session)\n",
            "",
        ),
    ),
    one(
        "an address that nobody verified proves whose an order is",
        "tests/identity/test_authenticate.py::test_a_customers_token_says_which_orders_are_theirs",
        (
            "identity/usecases/authenticate.py",
            ' if claims.get("email_verified") is True else ""',
            "",
        ),
    ),
    one(
        "a customer without an address opens orders without one",
        f"{OWNER}::test_an_order_without_an_address_is_not_opened_by_a_customer_without_one",
        (
            "orders/domain/ownership.py",
            "    if who.email and who.email.casefold()",
            "    if who.email.casefold()",
        ),
    ),
    one(
        "an id made of the customer's data names the customer",
        f"{OWNER}::test_an_id_made_of_the_persons_data_names_nobody",
        (
            "checkout/usecases/open_payment.py",
            '    named = "" if customer.id == stable_id("cus", *about) else customer.id\n',
            "    assert about\n    named = customer.id\n",
        ),
    ),
    one(
        "another's order is told from none by what it takes to find out",
        f"{OWNER}::test_what_is_another_customers_costs_as_many_statements_as_what_is_not_there",
        (
            "checkout/usecases/open_payment.py",
            "    payment = view.payment\n    _require_own(",
            "    payment = view.payment\n"
            "    await find_by_number(core, principal.company.id, payment.number or 1)\n"
            "    _require_own(",
        ),
    ),
    one(
        "a customer's words stand on everybody's page of the order",
        f"{OWNER}::test_a_customers_words_are_shown_to_nobody_who_holds_the_session",
        (
            "cashier/screens.py",
            '        "item": order.description or',
            '        "item": payment.subject or order.description or',
        ),
    ),
    one(
        "a customer's words stand at Alipay for everybody",
        f"{OWNER}::test_alipay_opened_from_the_cashier_has_the_merchants_words_and_a"
        "_trade_of_its_own",
        (
            "checkout/usecases/open_payment.py",
            "        shown = own or not is_own_trade(case.payment, attempt.id)\n",
            "        shown = True\n",
        ),
    ),
)
MUTATIONS: tuple[Mutation, ...] = (*_SIDES, *_OWNERS)
