-- part: staff
s.id, s.login, s.status, s.created_at, s.created_by, s.signed_in_at

-- part: proving
s.id, s.login, s.status, s.password_hash, s.sealed, s.totp_step

-- name: add
-- Somebody new; nothing where the name is taken.
insert into staff (id, login, status, created_by) values ($1, $2, {staff.invited}, $3)
on conflict (login) do nothing
returning true

-- name: find
-- By id or by name.
select {staff} from staff s where s.id = $1 or s.login = $1

-- name: listed
-- All of them, or those with a role for that side.
select {staff}
from staff s
where $1::text is null or exists (select from staff_role r
  where r.staff_id = s.id and r.company_id = $1 and r.role <> 'none')
order by s.login

-- name: proofs
-- What somebody of that name proves who they are with; locked, so that nothing serves twice.
select {proving} from staff s where s.login = $1 for no key update of s

-- name: proofs_by_code
-- The same, of whom an invitation is for, that can still be used.
select {proving}
from staff s
join staff_code c on c.staff_id = s.id
where c.code_hash = any($1::bytea[]) and c.kind = 'invitation' and c.used_at is null
  and c.expires_at > statement_timestamp()
for no key update of s

-- name: set_status
-- Let them in, or no longer.
update staff set status = $2 where id = $1 returning true

-- name: set_proofs
-- A new password and a new secret of one-time codes.
update staff set password_hash = $2, sealed = $3, totp_step = 0 where id = $1

-- name: wipe_proofs
-- What somebody had to prove themselves with is worth nothing any more.
update staff set password_hash = '', sealed = null where id = $1

-- name: renew_proofs
-- The same password and secret, hashed and sealed as it is usual now.
update staff set password_hash = $2, sealed = $3 where id = $1

-- name: note_step
-- That a one-time code has served.
update staff set totp_step = $2 where id = $1 and totp_step < $2 returning true

-- name: note_sign_in
-- When they were let in last.
update staff set signed_in_at = $2 where id = $1

-- name: put_role
-- What somebody may do at one side, in place of what they might before.
insert into staff_role as r (staff_id, company_id, business_id, role, granted_by)
values ($1, $2, $3, $4, $5)
on conflict (staff_id, company_id, business_id) do update
set role = excluded.role, granted_by = excluded.granted_by, granted_at = statement_timestamp()

-- name: roles
-- What these may do, and where.
select r.staff_id, r.company_id, r.business_id, r.role
from staff_role r
where r.staff_id = any($1) and r.role <> 'none'
order by r.staff_id, r.company_id, r.business_id

-- name: add_code
-- What serves once.
insert into staff_code (staff_id, code_hash, kind, expires_at) values ($1, $2, $3, $4)

-- name: use_code
-- Such a code that can still be used, and no longer.
update staff_code set used_at = statement_timestamp()
where staff_id = $1
  and code_hash = any($2::bytea[]) and kind = $3 and used_at is null
  and (expires_at is null or expires_at > statement_timestamp())
returning true

-- name: end_codes
-- None of that kind serves any more.
update staff_code set used_at = statement_timestamp()
where staff_id = $1 and kind = $2 and used_at is null

-- name: codes_left
-- How many recovery codes somebody has.
select count(*) from staff_code where staff_id = $1 and kind = 'recovery' and used_at is null

-- part: session
t.id, t.staff_id, t.address, t.created_at, t.last_seen_at, t.expires_at, t.ended_at

-- name: add_session
-- Somebody is let in.
insert into staff_session
  (id, staff_id, secret_hash, address, created_at, expires_at, last_seen_at)
values ($1, $2, $3, $4, $5, $6, $5)

-- name: live_session
-- The session of that secret, if it has not ended, with whose it is.
select t.id, t.staff_id, t.last_seen_at, s.login
from staff_session t
join staff s on s.id = t.staff_id
where t.secret_hash = any($1::bytea[]) and t.ended_at is null
  and t.expires_at > statement_timestamp()
  and t.last_seen_at > statement_timestamp() - $2::interval and s.status = {staff.active}

-- name: seen
-- That a session is used.
update staff_session set last_seen_at = statement_timestamp() where id = $1

-- name: sessions
-- Somebody's sessions that can still be used, the newest first.
select {session}
from staff_session t
where t.staff_id = $1 and t.ended_at is null and t.expires_at > statement_timestamp()
  and t.last_seen_at > statement_timestamp() - $2::interval
order by t.created_at desc, t.id

-- name: ending
-- Those of somebody's sessions that `end_sessions` ends.
select t.id from staff_session t
where t.staff_id = $1 and ($2::text = '' or t.id = $2) and t.ended_at is null

-- name: end_sessions
-- End one session of somebody's, or with '' all of them.
update staff_session set ended_at = statement_timestamp()
where staff_id = $1 and ($2::text = '' or id = $2) and ended_at is null
returning id

-- name: wait
-- How long whoever tries as one of these still has to wait.
select greatest(max(g.blocked_until), statement_timestamp()) - statement_timestamp()
from wallet_guess g
where g.company_id = $1 and g.subject = any($2::text[])
