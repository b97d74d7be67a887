-- A charge that its payer's bank returned is no dispute: nobody contests it, and nobody can answer.
-- It was kept as a dispute that was lost at once, under the charge's name with a mark behind it.
alter table dispute add column kind text not null default 'dispute'
  constraint dispute_kind_check check (kind in ('dispute', 'return'));

update dispute set kind = 'return' where provider_reference like '%/failed\_later';

alter table dispute
  alter column kind drop default,
  -- There is nothing to decide, and no second time.
  add constraint dispute_return_ended
    check (kind = 'dispute' or (closed_at is not null and status = 'lost'));
create unique index dispute_return_of_attempt on dispute (company_id, attempt_id)
  where kind = 'return';
