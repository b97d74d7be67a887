-- What nobody knows yet has a date on which somebody looks again. Rows that had none are due now,
-- spread over some minutes, so that no provider is asked about all of them at once.

update attempt set next_query_at = now() + random() * interval '10 minutes'
  where status in ('dispatched', 'in_doubt')
    and not coalesce(isfinite(next_query_at), false);
alter table attempt add constraint attempt_has_next_date check (
  status not in ('dispatched', 'in_doubt') or coalesce(isfinite(next_query_at), false));

update modification set next_query_at = now() + random() * interval '10 minutes'
  where status in ('requested', 'processing')
    and not coalesce(isfinite(next_query_at), false);
alter table modification add constraint modification_has_next_date check (
  status not in ('requested', 'processing') or coalesce(isfinite(next_query_at), false));

-- Given up is an end too, and has words.
update provider_news set next_at = now() + random() * interval '10 minutes'
  where applied_at is null and result = '' and not coalesce(isfinite(next_at), false);
alter table provider_news add constraint provider_news_has_next_date check (
  applied_at is not null or result <> '' or coalesce(isfinite(next_at), false));

update announcement set next_at = now() where state = 'waiting' and not isfinite(next_at);
alter table announcement add constraint announcement_has_next_date check (
  state <> 'waiting' or coalesce(isfinite(next_at), false));

update orders_termination set next_at = now() where not isfinite(next_at);
alter table orders_termination add constraint orders_termination_has_next_date check (
  isfinite(next_at));

-- A reservation on whose end its provider said nothing: seven days is what card schemes grant.
update payment set authorization_expires_at = greatest(now(), updated_at) + interval '7 days'
  where authorized_minor > captured_minor + released_minor
    and not coalesce(isfinite(authorization_expires_at), false);
alter table payment add constraint payment_reservation_ends check (
  authorized_minor <= captured_minor + released_minor
  or coalesce(isfinite(authorization_expires_at), false));

update orders set expires_at = now() where not isfinite(expires_at);
alter table orders add constraint orders_ends check (isfinite(expires_at));
