-- part: payee
company_id, id, account_type, account_shown, account_name, bank_name, provider_account,
  status = {payee.active} as is_active

-- name: put
-- Register a payee, or give the one of that account number new particulars.
insert into payee (company_id, id, account_type, account_hash, account_shown, account_name,
  bank_name, provider_account)
values ($1, $2, $3, $4, $5, $6, $7, $8)
on conflict (company_id, account_hash) do update
set status = {payee.active}, account_name = excluded.account_name,
  bank_name = excluded.bank_name, provider_account = excluded.provider_account
returning id

-- name: find
-- The payee whose account number has one of these hashes.
select {payee} from payee where company_id = $1 and account_hash = any($2::bytea[])

-- name: hash_of
-- Under which of these hashes a payee is kept.
select account_hash from payee where company_id = $1 and account_hash = any($2::bytea[])

-- name: has_some
-- Whether the company has registered any at all.
select exists (select from payee where company_id = $1)

-- name: listed
-- The company's payees, oldest first.
select {payee} from payee where company_id = $1 order by created_at, id

-- name: set_status
-- Let a payee be paid, or no longer.
update payee set status = $3 where company_id = $1 and id = $2 returning true
