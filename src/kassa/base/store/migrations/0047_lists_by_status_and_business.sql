-- Lists of payments in chosen statuses, and of chosen businesses, newest first: each reads as many
-- entries as its page has, however many payments there are. One of businesses asks for every status
-- by itself, so that both need no index more. Not company first: a planner without statistics would
-- look by them for one payment, where the primary key finds it.
create index payment_by_status on payment (status, company_id, id);
create index payment_by_business on payment (business_id, company_id, status, id);

-- What is at a provider stands together in the first of them.
drop index payment_processing;
