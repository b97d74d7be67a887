-- What a provider says of a dispute is kept, so that it comes to the same in whatever order its
-- notifications come; and what was booked for it stands beside what it is about, which may be in
-- another currency.

alter table dispute
  add column taken_minor bigint not null default 0 check (taken_minor >= 0),
  add column booked_currency text not null default '',
  add column tells_taken boolean not null default false,
  add column said jsonb not null default '{}';

update dispute set
  taken_minor = case when withdrawn then amount_minor else 0 end, booked_currency = currency;

alter table dispute
  alter column taken_minor drop default,
  alter column booked_currency drop default,
  add constraint dispute_booked_currency check (booked_currency ~ '^[A-Z]{3}$'),
  add constraint dispute_withdrawn check (withdrawn = (taken_minor > 0)),
  -- What is asked about may be nothing any more, and less than what had left.
  drop constraint dispute_amount_minor_check,
  add constraint dispute_amount_minor_check check (amount_minor >= 0),
  drop constraint dispute_check,
  add constraint dispute_double_paid
    check (double_paid_minor between 0 and greatest(amount_minor, taken_minor));
