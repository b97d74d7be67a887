-- Letters take turns by company: each company's due ones are found by themselves, however many
-- another's are.
create index announcement_waiting on announcement (company_id, next_at) where state = 'waiting';
drop index announcement_due;

-- Whether news of the same payment that is older has not set out yet.
create index announcement_first on announcement (company_id, payment_id, version)
  where state = 'waiting' and tries = 0;
