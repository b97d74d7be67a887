"""Lies of somebody who knows how history is chained, and has no key."""

_TO_THE_QUEUE = (
    "insert into unchained (company_id, kind, keys, numbers)"
    " values ('cmp_shop', '{kind}', array['{key}'], array[{number}])"
)


def queue(kind: str, key: str, number: int = 0) -> str:
    return (
        _TO_THE_QUEUE.replace("{kind}", kind).replace("{key}", key).replace("{number}", str(number))
    )


_FORGED_POSTING = (
    "insert into posting values ('cmp_shop', 'po_extra', 'adjustment', 'CNY', '', now());"
    " insert into entry values ('cmp_shop', 'po_extra', 1, 'cash', 'CNY', 5),"
    " ('cmp_shop', 'po_extra', 2, 'suspense', 'CNY', -5);"
)
_FORGED_EVENT = (
    "insert into payment_event select company_id, payment_id, 2, 'note', 'created', 'created',"
    " actor, evidence, now(), {seal} from payment_event where payment_id = '{open}';"
    " update payment set version = 2 where id = '{open}';"
)
_OURS = "what waits for the chain is ours"
_ALL_AGAIN = (
    "delete from chain_block; delete from chain_link; insert into unchained (company_id, kind,"
    " keys, numbers) select company_id, 'event', array_agg(payment_id), array_agg(seq)"
    " from payment_event group by company_id; insert into unchained (company_id, kind, keys,"
    " numbers) select company_id, 'posting', array_agg(id), array_agg(0::bigint) from posting"
    " group by company_id;"
)

LIES: dict[str, tuple[str, str, str]] = {
    "a posting was forged and waits for its link": (
        _OURS,
        "po_extra",
        _FORGED_POSTING + queue("posting", "po_extra"),
    ),
    "a forged posting carries another's seal": (
        _OURS,
        "po_extra",
        _FORGED_POSTING
        + "update posting set seal = (select seal from posting where id = '{cash capture}')"
        " where id = 'po_extra';" + queue("posting", "po_extra"),
    ),
    "an event was forged and waits for its link": (
        _OURS,
        "{open} event 2",
        _FORGED_EVENT.replace("{seal}", "null") + queue("event", "{open}", 2),
    ),
    "a forged event carries the seal of the one before": (
        _OURS,
        "{open} event 2",
        _FORGED_EVENT.replace("{seal}", "seal") + queue("event", "{open}", 2),
    ),
    "an event carries the seal of a posting": (
        _OURS,
        "{open} event 2",
        _FORGED_EVENT.replace("{seal}", "(select seal from posting where id = '{cash capture}')")
        + queue("event", "{open}", 2),
    ),
    "entries moved between two postings that wait": (
        _OURS,
        "{cash capture}",
        _ALL_AGAIN + "update entry set posting_id = 'aside' where posting_id = '{cash capture}'"
        " and leg = 1; update entry set posting_id = '{cash capture}'"
        " where posting_id = '{card capture}' and leg = 1;"
        " update entry set posting_id = '{card capture}' where posting_id = 'aside'",
    ),
    "history is to be chained anew, falsified": (
        _OURS,
        "{cash 2} event 2",
        "update payment_event set actor = 'operator:eve'"
        " where payment_id = '{cash 2}' and seq = 2;" + _ALL_AGAIN,
    ),
    "history is to be chained anew": (
        "the chain is whole",
        "block {blocks}",
        _ALL_AGAIN.rstrip(";"),
    ),
    "a company is gone, with all its rows": (
        "the chain is whole",
        "block {blocks}",
        ";".join(
            f"delete from {table} where company_id = 'cmp_shop'"
            for table in (
                "chain_block",
                "chain_link",
                "payment_event",
                "entry",
                "posting",
                "settlement_line",
                "attempt",
                "modification",
                "dispute",
                "payment",
                "orders",
                "settlement",
                "wallet_balance",
                "wallet_day",
                "wallet_user",
                "wallet_code",
                "wallet_agreement",
            )
        )
        + ";delete from company where id = 'cmp_shop'",
    ),
    "the newest block is gone, with all that it sealed": (
        "the chain is whole",
        "block {blocks}",
        "delete from chain_block where seq = {blocks}; delete from chain_link"
        " where seq >= {second}; delete from payment_event where payment_id = '{late}';"
        " delete from payment where id = '{late}'; delete from orders where id = '{late order}'",
    ),
}
