-- What bank transfers brought of a payment while more is owed; it is nobody's until the rest comes.
alter table payment
  add column unapplied_minor bigint not null default 0
    constraint payment_unapplied check (unapplied_minor between 0 and 1000000000000000000);

-- Transfers that are expected: the one that a payer mistyped is looked for among them.
create index attempt_transfer_expected on attempt (company_id, amount_minor)
  where method = 'bank_transfer' and status in ('dispatched', 'in_doubt', 'abandoned');
