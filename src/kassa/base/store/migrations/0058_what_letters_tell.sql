-- What a letter tells is kept as it was when it happened. Letters of releases before have none, and
-- tell how things stand when they are posted; so do those of agreements, whose tokens are not kept.
alter table announcement
  add column content bytea,
  add column recipient text not null default '';

create function announcement_is_kept() returns trigger language plpgsql as $$
begin
  if row(old.company_id, old.id, old.payment_id, old.agreement_id, old.version, old.kind, old.url,
         old.event_type, old.created_at, old.content, old.recipient)
     is distinct from
     row(new.company_id, new.id, new.payment_id, new.agreement_id, new.version, new.kind, new.url,
         new.event_type, new.created_at, new.content, new.recipient) then
    raise exception 'a letter is delivered, and nothing else becomes of it'
      using errcode = 'insufficient_privilege';
  end if;
  return new;
end $$;

create trigger announcement_is_kept before update on announcement
  for each row execute function announcement_is_kept();
