-- The address that a merchant named for the news of one refund; "" where only the payment's hears
-- of it.
alter table modification add column notify_url text not null default '';
