-- How a wallet client wants to be spoken to: the prefix of its paths, A for what was accepted, and
-- how far its clock may be from ours.
alter table credential add column settings jsonb not null default '{}';
