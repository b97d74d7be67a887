-- What the payer paid, where a report's line is in another currency.
alter table report_line
  add column presented_minor bigint,
  add column presented_currency text,
  add constraint report_line_presented
    check ((presented_minor is null) = (presented_currency is null));
