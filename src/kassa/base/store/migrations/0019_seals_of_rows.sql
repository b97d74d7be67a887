-- Rows that no chained history covers carry seals as well: `birth` over what never changes, made
-- with the row; `seal` over what the program changes, made anew each time. Null: from before; such
-- rows are sealed once, as they are found.
alter table orders add column birth bytea;
alter table payment add column birth bytea, add column seal bytea;
alter table attempt add column seal bytea;
alter table modification add column seal bytea;
alter table dispute add column seal bytea;
alter table announcement add column birth bytea, add column seal bytea;
alter table provider_news add column birth bytea, add column seal bytea;
alter table provider_answer add column birth bytea;
alter table route_rules add column birth bytea;
alter table company add column seal bytea;
alter table credential add column seal bytea;
alter table provider_account add column seal bytea;
alter table company_key add column seal bytea;
alter table fee_rule add column seal bytea;
alter table payee add column seal bytea;
alter table wallet_user add column seal bytea;
alter table wallet_code add column birth bytea, add column seal bytea;
alter table settlement add column seal bytea;
alter table report_file add column seal bytea;
alter table report_break add column seal bytea;

-- A resolved break still gets the seal of its last change.
drop trigger report_break_history on report_break;
create trigger report_break_history before update on report_break
  for each row when (old.status = 'resolved'
    and to_jsonb(old) - 'seal' is distinct from to_jsonb(new) - 'seal')
  execute function resolved_break_stays();

do $$
begin
  if exists (select from pg_roles where rolname = 'kassa_app') then
    grant update (seal) on company, provider_account, company_key, payee, report_break
      to kassa_app;
    grant update (birth, seal) on wallet_code to kassa_app;
  end if;
end $$;
