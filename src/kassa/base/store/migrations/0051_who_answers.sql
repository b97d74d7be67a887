-- Who is at a request under an idempotency key: an answer is kept for whoever holds the key still,
-- so that a lease can be short, and what a dead process left be taken over soon.

alter table orders_answer add column holder text not null default '';
