-- A credential says what it may do, until when, and from where; who made it, and when it was last
-- used; and after a rotation its earlier secret stays good for a while. Nobody loses a right:
-- what is here already may do all that its kind could. A credential for which a program of before
-- says nothing may do nothing.
-- `key_terms`: of a wallet client's keys by their version, and of a customer key: state, from when
-- and until when, and what a token must say.
alter table credential
  add column permissions   jsonb not null default '[]',
  add column networks      jsonb not null default '[]',
  add column key_terms     jsonb not null default '{}',
  add column created_by    text not null default '',
  add column expires_at    timestamptz,
  add column earlier_hash  bytea,
  add column earlier_until timestamptz,
  add column last_used_at  timestamptz,
  add constraint credential_earlier check ((earlier_hash is null) = (earlier_until is null));

update credential set permissions = case kind
  when 'api_key' then '["business:*", "gateway:*"]'::jsonb
  when 'orders_client' then '["orders:*"]'::jsonb
  when 'jwt_key' then '["checkout:*"]'::jsonb
  else '["wallet:*"]'::jsonb end;

create index credential_of_company on credential (company_id, lookup);
