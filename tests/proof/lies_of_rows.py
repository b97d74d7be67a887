"""Lies in rows that no ledger and no timeline repeats: whose, where to, when, by which name."""

_PAYMENTS = "orders and payments are as this program left them"
_ROWS = "all other rows are as this program left them"
_TIMES = "times equal their events"
_HISTORY = "no row is older than its history"

LIES: dict[str, tuple[str, str, str]] = {
    # Orders.
    "letters of an order go to a thief": (
        _PAYMENTS,
        "{card order}",
        "update orders set notify_url = 'https://thief.example/' where id = '{card order}'",
    ),
    "a payer is sent back to a thief": (
        _PAYMENTS,
        "{open order}",
        "update orders set return_url = 'https://thief.example/' where id = '{open order}'",
    ),
    "an order expires later": (
        _PAYMENTS,
        "{open order}",
        "update orders set expires_at = expires_at + interval '1 year' where id = '{open order}'",
    ),
    "two orders changed their sessions": (
        _PAYMENTS,
        "{open order}",
        "update orders set session_token = 'aside' where id = '{open order}';"
        " update orders set session_token = 'stolen' where id = '{card order}'",
    ),
    "an order has another customer": (
        _PAYMENTS,
        "{open order}",
        "update orders set customer_id = 'eve' where id = '{open order}'",
    ),
    "an order carries another's seal": (
        _PAYMENTS,
        "{open order}",
        "update orders set description = 'gold', birth = (select birth from orders"
        " where id = '{card order}') where id = '{open order}'",
    ),
    "an order was changed in days to come": (
        _TIMES,
        "{open order}",
        "update orders set updated_at = '2099-01-01' where id = '{open order}'",
    ),
    # Payments.
    "an unpaid order took the paid one's payment": (
        _PAYMENTS,
        "{cash}",
        "update payment set order_id = '{open order}' where id = '{cash}';"
        " update payment set order_id = '{cash order}' where id = '{open}'",
    ),
    "an unpaid amount became a cent": (
        _PAYMENTS,
        "{open}",
        "update payment set amount_minor = 1 where id = '{open}';"
        " update orders set amount_minor = 1 where id = '{open order}'",
    ),
    "two payments changed their references": (
        _PAYMENTS,
        "{card}",
        "update payment set provider_reference = 'ref of another' where id = '{card}'",
    ),
    "somebody else paid": (
        _PAYMENTS,
        "{card}",
        "update payment set payer = 'eve' where id = '{card}'",
    ),
    "it was paid in another way": (
        _PAYMENTS,
        "{cash}",
        "update payment set method = 'check' where id = '{cash}'",
    ),
    "a payer is led elsewhere to pay": (
        _PAYMENTS,
        "{open}",
        "update payment set redirect_url = 'https://thief.example/' where id = '{open}'",
    ),
    "a payment expires later": (
        _PAYMENTS,
        "{open}",
        "update payment set expires_at = expires_at + interval '1 year' where id = '{open}'",
    ),
    "a payment was taken in days to come": (
        _TIMES,
        "{card}",
        "update payment set captured_at = '2099-01-01', updated_at = '2099-01-01'"
        " where id = '{card}'",
    ),
    "a payment was made before it was": (
        _TIMES,
        "{open}",
        "update payment set created_at = created_at - interval '1 day' where id = '{open}'",
    ),
    "an older version of a payment was put back": (
        _TIMES,
        "{refunded}",
        "update payment set updated_at = captured_at - interval '1 microsecond'"
        " where id = '{refunded}'",
    ),
    "a payment has no seal": (
        _PAYMENTS,
        "{card}",
        "update payment set seal = null where id = '{card}'",
    ),
    # Attempts, changes, disputes.
    "two attempts changed their references": (
        _ROWS,
        "{card attempt}",
        "update attempt set provider_reference = 'ref of another' where id = '{card attempt}'",
    ),
    "an attempt was made with another card": (
        _ROWS,
        "{card attempt}",
        "update attempt set instrument = '•••• 0000' where id = '{card attempt}'",
    ),
    "an older version of an attempt was put back": (
        _HISTORY,
        "{card attempt}",
        "update attempt set updated_at = created_at - interval '1 microsecond'"
        " where id = '{card attempt}'",
    ),
    "a refund has another reason": (
        _ROWS,
        "{refunded change}",
        "update modification set reason = 'a present' where id = '{refunded change}'",
    ),
    "somebody else asked for a refund": (
        _ROWS,
        "{refunded change}",
        "update modification set actor = 'operator:eve' where id = '{refunded change}'",
    ),
    "a refund has another request id": (
        _ROWS,
        "{refunded change}",
        "update modification set request_id = 'another' where id = '{refunded change}'",
    ),
    "a refund has another reference": (
        _ROWS,
        "{refunded change}",
        "update modification set provider_reference = 'elsewhere' where id = '{refunded change}'",
    ),
    "an older version of a refund was put back": (
        _HISTORY,
        "{refunded change}",
        "update modification set updated_at = created_at - interval '1 microsecond'"
        " where id = '{refunded change}'",
    ),
    "a dispute may be answered later": (
        _ROWS,
        "{disputed dispute}",
        "update dispute set respond_by = '2099-01-01' where id = '{disputed dispute}'",
    ),
    "a dispute was told of otherwise": (
        _ROWS,
        "{disputed dispute}",
        "update dispute set said = '{{}}' where id = '{disputed dispute}'",
    ),
    "a dispute has another reason": (
        _ROWS,
        "{disputed dispute}",
        "update dispute set reason = 'duplicate' where id = '{disputed dispute}'",
    ),
    "a dispute was won on paper": (
        _ROWS,
        "{disputed dispute}",
        "update dispute set status = 'under_review' where id = '{disputed dispute}'",
    ),
    # Letters and notifications.
    "a letter goes to a thief": (
        _ROWS,
        "{letter}",
        "update announcement set url = 'https://thief.example/' where id = '{letter}'",
    ),
    "a letter says that it was delivered": (
        _ROWS,
        "{letter}",
        "update announcement set state = 'delivered', next_at = null, delivered_at = now()"
        " where id = '{letter}'",
    ),
    "a letter tells of something else": (
        _ROWS,
        "{letter}",
        "update announcement set event_type = 'payment.failed' where id = '{letter}'",
    ),
    "a notification says something else": (
        _ROWS,
        "scripted news 1",
        "update provider_news set body = 'forged' where dedupe_key = 'news 1'",
    ),
    "a notification was understood otherwise": (
        _ROWS,
        "scripted news 1",
        "update provider_news set news = '{{\"kind\": \"captured\"}}' where dedupe_key = 'news 1'",
    ),
    "a notification was forged": (
        _ROWS,
        "scripted news 2",
        "insert into provider_news (company_id, account, dedupe_key, attempt_id, body)"
        " values ('cmp_shop', 'scripted', 'news 2', '', 'forged')",
    ),
    # What operators set up.
    "a fee costs less": (
        _ROWS,
        "{fee rule}",
        "update fee_rule set rate_ppm = 1 where id = '{fee rule}'",
    ),
    "a credential has another secret": (
        _ROWS,
        "{credential}",
        "update credential set secret_hash = sha256('eve') where lookup = '{credential}'",
    ),
    "a credential is another company's": (
        _ROWS,
        "{credential}",
        "update credential set company_id = 'cmp_2' where lookup = '{credential}'",
    ),
    "a credential was slipped in": (
        _ROWS,
        "key:eve",
        "insert into credential (lookup, company_id, business_id, kind, name, secret_hash)"
        " values ('key:eve', 'cmp_shop', 'biz_shop', 'api_key', 'eve', sha256('eve'))",
    ),
    "a provider account is another merchant's": (
        _ROWS,
        "shop_stripe",
        'update provider_account set settings = \'{{"merchant": "eve"}}\''
        " where name = 'shop_stripe'",
    ),
    "a provider account has other secrets": (
        _ROWS,
        "shop_stripe",
        "update provider_account set sealed = 'forged' where name = 'shop_stripe'",
    ),
    "a payee has another account": (
        _ROWS,
        "{payee}",
        "update payee set account_hash = sha256('eve') where id = '{payee}'",
    ),
    "a company has another name": (
        _ROWS,
        "cmp_2",
        "update company set name = 'Eve' where id = 'cmp_2'",
    ),
    "a business has another name": (
        _ROWS,
        "biz_harbour",
        "update business set name = 'Eve' where id = 'biz_harbour'",
    ),
    "a route rule prefers another account": (
        _ROWS,
        "1",
        'update route_rules set rules = \'[{{"use": ["eve"]}}]\' where version = 1',
    ),
    "a frozen wallet is active": (
        _ROWS,
        "{user}",
        "update wallet_user set status = 'closed' where id = '{user}'",
    ),
    "a wallet code moved to a thief": (
        _ROWS,
        "wu_thief",
        "insert into wallet_user (company_id, id, status)"
        " values ('cmp_shop', 'wu_thief', 'active');"
        " update wallet_code set user_id = 'wu_thief' where user_id = '{user}'",
    ),
    "an agreement is another user's": (
        _ROWS,
        "wa_1",
        "insert into wallet_user (company_id, id, status)"
        " values ('cmp_shop', 'wu_thief', 'active');"
        " update wallet_agreement set user_id = 'wu_thief' where id = 'wa_1'",
    ),
    "who agrees is sent to a thief": (
        _ROWS,
        "wa_1",
        "update wallet_agreement set redirect_url = 'https://thief.example/' where id = 'wa_1'",
    ),
    "a wallet code is of an agreement": (
        _ROWS,
        "{user}",
        "update wallet_code set agreement_id = 'wa_1' where user_id = '{user}'",
    ),
    "a settlement has another bank reference": (
        _ROWS,
        "{settlement}",
        "update settlement set payout_reference = 'elsewhere' where id = '{settlement}'",
    ),
    "a settlement was paid in days to come": (
        _ROWS,
        "{settlement}",
        "update settlement set paid_at = '2099-01-01' where id = '{settlement}'",
    ),
}
