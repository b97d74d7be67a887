-- Money that nobody owes is looked for every second: without this by reading every attempt.
create index attempt_with_surplus on attempt (company_id, payment_id) where surplus;
