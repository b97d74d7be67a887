-- The last net under amounts: far below what 64 bits hold, so that no sum of a few of them is
-- beyond that. Doors refuse sooner, by a setting. What a table holds already stays as it is: its
-- bound is as wide as that, so that an old row can still be ended and given back.
do $$
declare
  bound record;
  held numeric;
begin
  for bound in select * from (values
      ('orders',         'amount_minor',  1000000000000000),
      ('payment',        'amount_minor',  1000000000000000),
      ('attempt',        'amount_minor',  1000000000000000),
      ('modification',   'amount_minor',  1000000000000000),
      ('dispute',        'amount_minor',  1000000000000000),
      ('fee_rule',       'fixed_minor',   1000000000000000),
      ('payment',        'fee_minor',     1000000000000000000),
      ('payment',        'surplus_minor', 1000000000000000000),
      ('entry',          'amount_minor',  1000000000000000000),
      ('wallet_balance', 'balance_minor', 1000000000000000000),
      ('settlement',     'net_minor',     1000000000000000000)
    ) as b(home, name, most)
  loop
    execute format('select max(abs(%I::numeric)) from %I', bound.name, bound.home) into held;
    execute format('alter table %I add constraint %I check (%I between -%s and %s)',
      bound.home, bound.home || '_' || bound.name || '_most', bound.name,
      greatest(bound.most, held), greatest(bound.most, held));
  end loop;
end $$;
