-- part: seconds
coalesce(extract(epoch from now() - min(created_at))::bigint, 0)

-- name: announcements_waiting
-- Letters that are to go out.
select count(*) from announcement where state = 'waiting'

-- name: attempts_undecided
-- Charges of which nobody knows yet.
select count(*) from attempt where next_query_at is not null

-- name: oldest_undecided_seconds
-- Since when the oldest of them is under way.
select {seconds} from attempt where next_query_at is not null

-- name: modifications_undecided
-- Captures, voids and refunds of which nobody knows yet.
select count(*) from modification where next_query_at is not null

-- name: oldest_modification_seconds
-- Since when the oldest of them is under way.
select {seconds} from modification where next_query_at is not null

-- name: payments_with_surplus
-- Payments with money that nothing is giving back.
select count(*) from payment
where surplus_minor > surplus_returned_minor + surplus_reserved_minor

-- name: disputes_open
-- Disputes that nobody has decided.
select count(*) from dispute where closed_at is null

-- name: provider_news_waiting
-- Providers' notifications that are not applied.
select count(*) from provider_news where applied_at is null

-- name: provider_news_lost
-- Those of them whose charge nobody looks for any more.
select count(*) from provider_news where applied_at is null and next_at is null
