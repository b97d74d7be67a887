-- A session is used when it begins.
alter table staff_session alter column last_seen_at set default now();
