"""Ways to falsify the books with the keys of the database in hand, and where each must be found."""

# What was done: by which check it must be found, at which object, and the statements that do it.
# {card} and the like are ids of payments, {card capture} of the posting that captured it.
LIES: dict[str, tuple[str, str, str]] = {
    # The ledger.
    "an entry grew": (
        "the ledger is chained",
        "{card capture}",
        "update entry set amount_minor = amount_minor + 1"
        " where posting_id = '{card capture}' and leg = 1",
    ),
    "a posting grew on both sides": (
        "payments equal the ledger",
        "{cash}",
        "update entry set amount_minor = amount_minor * 2 where posting_id = '{cash capture}'",
    ),
    "an entry does not balance": (
        "postings balance",
        "{card capture}",
        "update entry set amount_minor = amount_minor + 1"
        " where posting_id = '{card capture}' and leg = 1",
    ),
    "money was made": (
        "the books sum to zero",
        "CNY",
        "update entry set amount_minor = amount_minor + 1"
        " where posting_id = '{card capture}' and leg = 1",
    ),
    "an entry is gone": (
        "postings balance",
        "{card capture}",
        "delete from entry where posting_id = '{card capture}' and leg = 2",
    ),
    "an entry changed its currency": (
        "postings balance",
        "{cash capture}",
        "update entry set currency = 'EUR' where posting_id = '{cash capture}' and leg = 1",
    ),
    "an entry belongs to no posting": (
        "postings balance",
        "po_nowhere",
        "insert into entry values ('cmp_shop', 'po_nowhere', 1, 'cash', 'CNY', 5)",
    ),
    "entries of two postings changed places": (
        "the ledger is chained",
        "{cash capture}",
        "update entry set posting_id = 'aside' where posting_id = '{cash capture}' and leg = 1;"
        " update entry set posting_id = '{cash capture}' where posting_id = '{card capture}'"
        "  and leg = 1;"
        " update entry set posting_id = '{card capture}' where posting_id = 'aside'",
    ),
    "a posting is gone": (
        "payments equal the ledger",
        "{cash}",
        "delete from entry where posting_id = '{cash capture}';"
        " delete from posting where id = '{cash capture}'",
    ),
    "a posting is gone from the chain's view": (
        "the ledger is chained",
        "{cash capture}",
        "delete from entry where posting_id = '{cash capture}';"
        " delete from posting where id = '{cash capture}'",
    ),
    "a posting stands twice": (
        "payments equal the ledger",
        "{cash}",
        "insert into posting select company_id, 'po_twice', kind, currency, payment_id, at, cause"
        " from posting where id = '{cash capture}'; insert into entry select company_id,"
        " 'po_twice', leg, account, currency, amount_minor from entry"
        " where posting_id = '{cash capture}'",
    ),
    "a posting was slipped in": (
        "the ledger is chained",
        "po_extra",
        "insert into posting values ('cmp_shop', 'po_extra', 'adjustment', 'CNY', '', now());"
        " insert into entry values ('cmp_shop', 'po_extra', 1, 'cash', 'CNY', 5),"
        " ('cmp_shop', 'po_extra', 2, 'suspense', 'CNY', -5)",
    ),
    "a posting was dated back": (
        "the ledger is chained",
        "{cash capture}",
        "update posting set at = at - interval '1 year' where id = '{cash capture}'",
    ),
    "a posting names nobody's payment": (
        "postings belong to payments",
        "{cash capture}",
        "update posting set payment_id = 'py_nobody' where id = '{cash capture}'",
    ),
    "a posting is in another company": (
        "postings belong to payments",
        "{cash capture}",
        "update entry set company_id = 'cmp_2' where posting_id = '{cash capture}';"
        " update posting set company_id = 'cmp_2' where id = '{cash capture}'",
    ),
    "money went to another business": (
        "postings credit whom they should",
        "{cash capture}",
        "update entry set account = 'merchant:thief' where posting_id = '{cash capture}'"
        " and account like 'merchant:%'",
    ),
    "money was called surplus": (
        "postings credit whom they should",
        "{cash capture}",
        "update posting set kind = 'surplus' where id = '{cash capture}'",
    ),
    # Payments, orders, attempts.
    "a payment says it took less": (
        "payments equal the ledger",
        "{card}",
        "update payment set captured_minor = 9999 where id = '{card}'",
    ),
    "a payment says nothing was refunded": (
        "payments equal their changes",
        "{refunded}",
        "update payment set refunded_minor = 0 where id = '{refunded}'",
    ),
    "a payment says a refund is under way": (
        "payments equal their changes",
        "{card}",
        "update payment set refund_reserved_minor = 1 where id = '{card}'",
    ),
    "a fee changed": (
        "payments equal the ledger",
        "{card}",
        "update payment set fee_minor = fee_minor + 1 where id = '{card}'",
    ),
    "what is held was let go on paper": (
        "payments equal the ledger",
        "{reserved}",
        "update payment set released_minor = 1 where id = '{reserved}'",
    ),
    "a payment was settled by hand": (
        "payments equal their reports",
        "{card}",
        "update payment set settled_minor = captured_minor where id = '{card}'",
    ),
    "a payment's state was set by hand": (
        "states equal their events",
        "{open}",
        "update payment set status = 'processing' where id = '{open}'",
    ),
    "an order forgot that it is paid": (
        "orders equal their payments",
        "{card order}",
        "update orders set status = 'active' where id = '{card order}'",
    ),
    "an order says it is paid": (
        "orders equal their payments",
        "{open order}",
        "update orders set status = 'paid' where id = '{open order}'",
    ),
    "an order asks for another amount": (
        "orders end with their payments",
        "{open order}",
        "update orders set amount_minor = 1 where id = '{open order}'",
    ),
    "an order ended while its payment goes on": (
        "orders end with their payments",
        "{open order}",
        "update orders set status = 'expired' where id = '{open order}'",
    ),
    "an order goes on while its payment has ended": (
        "orders end with their payments",
        "{expired order}",
        "update orders set status = 'active' where id = '{expired order}'",
    ),
    "an attempt says it paid": (
        "attempts equal their payment",
        "{declined}",
        "update attempt set status = 'succeeded' where payment_id = '{declined}'",
    ),
    "an attempt forgot that it paid": (
        "attempts equal their payment",
        "{card}",
        "update attempt set status = 'declined' where payment_id = '{card}'",
    ),
    # The timeline.
    "an event's evidence was edited": (
        "the timeline is chained",
        "{card} event 3",
        'update payment_event set evidence = evidence || \'{{"by": "nobody"}}\''
        " where payment_id = '{card}' and seq = 3",
    ),
    "somebody else did it": (
        "the timeline is chained",
        "{card} event 2",
        "update payment_event set actor = 'operator:eve' where payment_id = '{card}' and seq = 2",
    ),
    "an event was dated back by a microsecond": (
        "the timeline is chained",
        "{card} event 2",
        "update payment_event set at = at - interval '1 microsecond'"
        " where payment_id = '{card}' and seq = 2",
    ),
    "an event is gone": (
        "states equal their events",
        "{card}",
        "delete from payment_event where payment_id = '{card}' and seq = 2",
    ),
    "the last event is gone, and the payment knows": (
        "the timeline is chained",
        "{refunded} event {refunded version}",
        "delete from payment_event where payment_id = '{refunded}' and seq = {refunded version};"
        " update payment set version = version - 1 where id = '{refunded}'",
    ),
    "all of a payment's events are gone": (
        "states equal their events",
        "{open}",
        "delete from payment_event where payment_id = '{open}'",
    ),
    "a payment is gone, its order too": (
        "the timeline is chained",
        "{open} event 1",
        "delete from payment_event where payment_id = '{open}';"
        " delete from payment where id = '{open}'; delete from orders where id = '{open order}'",
    ),
    "an event was slipped in": (
        "the timeline is chained",
        "{open} event 2",
        "insert into payment_event select company_id, payment_id, 2, 'note', 'created', 'created',"
        " actor, evidence, now() from payment_event where payment_id = '{open}';"
        " update payment set version = 2 where id = '{open}'",
    ),
    "an event leads where it cannot": (
        "timelines replay",
        "{card}",
        "update payment_event set event = 'cancel' where payment_id = '{card}' and seq = 3",
    ),
    "an event comes from nowhere": (
        "timelines replay",
        "{card}",
        "update payment_event set from_status = 'failed' where payment_id = '{card}' and seq = 3",
    ),
    "a state nobody knows": (
        "timelines replay",
        "{card}",
        "update payment_event set to_status = 'stolen' where payment_id = '{card}' and seq = 2",
    ),
    # Changes, disputes, settlements.
    "a refund grew": (
        "changes equal the ledger",
        "{refunded change}",
        "update modification set amount_minor = amount_minor + 1 where id = '{refunded change}'",
    ),
    "a refund never happened": (
        "payments equal their changes",
        "{refunded}",
        "delete from modification where id = '{refunded change}'",
    ),
    "a claim succeeded by hand": (
        "changes equal the ledger",
        "re_forged",
        'insert into modification select (jsonb_populate_record(m, \'{{"id": "re_forged",'
        " \"number\": 2}}')).* from modification m where id = '{refunded change}'",
    ),
    "a dispute's money is back": (
        "disputes equal the ledger",
        "{disputed dispute}",
        "update dispute set withdrawn = false where id = '{disputed dispute}'",
    ),
    "a dispute took less": (
        "payments equal their disputes",
        "{disputed}",
        "update dispute set taken_minor = taken_minor - 1 where id = '{disputed dispute}'",
    ),
    "a dispute was booked in another currency": (
        "currencies are those of what they are for",
        "{disputed dispute}",
        "update dispute set booked_currency = 'JPY' where id = '{disputed dispute}'",
    ),
    "a settlement's line changed its currency": (
        "currencies are those of what they are for",
        "{card capture}",
        "update settlement_line set currency = 'JPY' where posting_id = '{card capture}'",
    ),
    "a settlement comes to more": (
        "settlements equal their lines",
        "{settlement}",
        "update settlement set payments_minor = payments_minor + 1, net_minor = net_minor + 1"
        " where id = '{settlement}'",
    ),
    "a settlement's line is gone": (
        "settlement lines equal the ledger",
        "{card capture}",
        "delete from settlement_line where posting_id = '{card capture}'",
    ),
    "a line went to no settlement": (
        "settlements equal their lines",
        "{settlement}",
        "update settlement_line set settlement_id = null where posting_id = '{card capture}'",
    ),
    "a payout is gone": (
        "settlements equal their lines",
        "{settlement}",
        "delete from entry where posting_id in (select id from posting where kind = 'payout');"
        " delete from posting where kind = 'payout'",
    ),
    "a payout's try is of more": (
        "tries of payouts equal the ledger",
        "{payout}",
        "update payout set amount_minor = amount_minor + 1 where id = '{payout}'",
    ),
    "a payout came back a second time": (
        "tries of payouts equal the ledger",
        "po_back",
        "insert into posting select company_id, 'po_back', kind, currency, payment_id, at, cause"
        " from posting where kind = 'payout_return'; insert into entry select e.company_id,"
        " 'po_back', leg, account, e.currency, amount_minor from entry e join posting g"
        " on g.id = e.posting_id where g.kind = 'payout_return' and g.id <> 'po_back'",
    ),
    "money was changed, and no report told of it": (
        "exchanges equal their reports",
        "{card}",
        "insert into posting select company_id, 'po_changed', 'exchange', currency, payment_id, at,"
        " cause from posting where id = '{card capture}'; insert into entry values"
        " ('cmp_shop', 'po_changed', 1, 'exchange', 'CNY', 5),"
        " ('cmp_shop', 'po_changed', 2, 'provider:sandbox', 'CNY', -5)",
    ),
    # Wallets.
    "a balance grew": (
        "wallet balances equal the ledger",
        "wallet:{user}",
        "update wallet_balance set balance_minor = balance_minor + 1"
        " where account = 'wallet:{user}'",
    ),
    "a balance is gone": (
        "wallet balances equal the ledger",
        "wallet:{user}",
        "delete from wallet_balance where account = 'wallet:{user}'",
    ),
    "a balance from nowhere": (
        "wallet balances equal the ledger",
        "wallet:thief",
        "insert into wallet_balance values ('cmp_shop', 'wallet:thief', 'CNY', 1)",
    ),
    "a user spent less today": (
        "wallet days equal the ledger",
        "wallet:{user}",
        "update wallet_day set spent_minor = 0",
    ),
    # What stands between the tables and who reads them.
    "a policy hides rows from the proof": (
        "nothing stands between the tables and who reads them",
        "orders_answer",
        "create policy eve on orders_answer using (true)",
    ),
    "a rule eats what is written": (
        "nothing stands between the tables and who reads them",
        "provider_answer",
        "create rule eve as on insert to provider_answer do instead nothing",
    ),
    "a view stands beside the tables": (
        "nothing stands between the tables and who reads them",
        "eve",
        "create view eve as select 1 as one",
    ),
    "the order of a failed payment has expired": (
        "orders end when history says so",
        "{declined order}",
        "update orders set status = 'expired' where id = '{declined order}'",
    ),
    "the order of a failed payment was canceled": (
        "orders end when history says so",
        "{declined order}",
        "update orders set status = 'canceled' where id = '{declined order}'",
    ),
    "an event rests on an answer that nobody gave": (
        "what decided is still there",
        "{card}",
        'update payment_event set evidence = evidence || \'{{"answer": "an_nobody"}}\''
        " where payment_id = '{card}' and seq = 2",
    ),
    # The chain itself.
    "a link was edited": (
        "the chain is whole",
        "block 1 (links 1 to {links})",
        "update chain_link set digest = sha256(digest) where seq = 3",
    ),
    "an edited row got an edited link": (
        "the chain is whole",
        "block 1 (links 1 to {links})",
        "update payment_event set actor = 'operator:eve' where payment_id = '{card}' and seq = 2;"
        " update chain_link l set digest = event_digest(e.company_id, e.payment_id, e.seq,"
        " e.event, e.from_status, e.to_status, e.actor, e.evidence, e.at) from payment_event e"
        " where e.payment_id = '{card}' and e.seq = 2 and l.key = e.payment_id and l.number = 2",
    ),
    "an edited row got an edited link and block": (
        "the chain is whole",
        "block 1 (links 1 to {links})",
        "update payment_event set actor = 'operator:eve' where payment_id = '{card}' and seq = 2;"
        " update chain_link l set digest = event_digest(e.company_id, e.payment_id, e.seq,"
        " e.event, e.from_status, e.to_status, e.actor, e.evidence, e.at) from payment_event e"
        " where e.payment_id = '{card}' and e.seq = 2 and l.key = e.payment_id and l.number = 2;"
        " update chain_block b set root = (select sha256(string_agg(l.digest, ''::bytea"
        " order by l.seq)) from chain_link l where l.seq <= b.last_link), hash = sha256(hash)"
        " where b.seq = 1",
    ),
    "two links changed places": (
        "the chain is whole",
        "block 1 (links 1 to {links})",
        "update chain_link set seq = -seq where seq in (2, 3);"
        " update chain_link set seq = 5 + seq where seq < 0",
    ),
    "a link is gone, and its event": (
        "the chain is whole",
        "block 1 (links 1 to {links})",
        "delete from chain_link where key = '{open}'; delete from payment_event"
        " where payment_id = '{open}'; delete from payment where id = '{open}';"
        " delete from orders where id = '{open order}'",
    ),
    "a block is gone": (
        "the chain is whole",
        "block 2 (links {second} to {last})",
        "delete from chain_block where seq = 1 and company_id = 'cmp_shop'",
    ),
    "the last block is gone": (
        "the chain is whole",
        "links {second} to {last}",
        "delete from chain_block where seq = 2",
    ),
    "the last block and its links are gone": (
        "the timeline is chained",
        "{late} event 1",
        "delete from chain_block where seq = 2; delete from chain_link where seq >= {second}",
    ),
    "a block was dated back": (
        "the chain is whole",
        "block 2 (links {second} to {last})",
        "update chain_block set at = at - interval '1 day' where seq = 2",
    ),
    # What waits.
    "a reservation that never ends": (
        "what is undecided has a next date",
        "{reserved}",
        "update payment set authorization_expires_at = null where id = '{reserved}'",
    ),
    "a letter to be sent in our grandchildren's time": (
        "what is undecided has a next date",
        "ntf_never",
        "insert into announcement (company_id, id, payment_id, version, kind, url, event_type,"
        " next_at, created_at) values ('cmp_shop', 'ntf_never', '{card}', 1, 'standard', 'x', 'y',"
        " now() + interval '100 years', now())",
    ),
    "an end asked for and never looked at": (
        "what is undecided has a next date",
        "{open order}",
        "insert into orders_termination (company_id, order_id, payment_id, actor, tries, next_at,"
        " asked_at) values ('cmp_shop', '{open order}', '{open}', 'x', 0, 'infinity', now())",
    ),
}
