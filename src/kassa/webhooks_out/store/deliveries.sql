-- name: lease
-- Take due letters, so many ($1); one that nobody reports back on is due again after $2. Each
-- company by a step through the index, not by reading all that is due; then its oldest, at most $6
-- of those whose address is none of $5, and of one payment only the oldest undelivered version's
-- first try before a newer one's. Companies ($3) and addresses ($8) have so many under way ($4,
-- $9), and may have $7 and $10. The companies take turns, those with the fewest under way first;
-- $11 places are for those that have none. $12: also of sides that take real money.
with recursive waiting(company_id) as (
  (select company_id from announcement where state = 'waiting' order by company_id limit 1)
  union all
  select (select a.company_id from announcement a
           where a.state = 'waiting' and a.company_id > w.company_id
           order by a.company_id limit 1)
    from waiting w where w.company_id is not null),
due as (
  select d.company_id, d.id, d.url, d.next_at, coalesce(u.many, 0) as under_way
    from waiting w
    left join unnest($3::text[], $4::int[]) as u(company_id, many) using (company_id)
    cross join lateral (
      select a.company_id, a.id, a.url, a.next_at from announcement a
       where a.company_id = w.company_id and a.state = 'waiting' and a.next_at <= now()
         and a.url <> all($5)
         and not exists (select from announcement b where b.company_id = a.company_id
           and b.payment_id = a.payment_id and b.version < a.version
           and b.state = 'waiting' and b.tries = 0)
       order by a.next_at limit $6) d
   where coalesce(u.many, 0) < $7
     and ($12::boolean or not exists (select from company served
           where served.id = w.company_id and served.mode = 'live'))),
spread as (
  select d.*, row_number() over (partition by d.url order by d.next_at)
      + coalesce(u.many, 0) as at_address
    from due d left join unnest($8::text[], $9::int[]) as u(url, many) using (url)),
turns as (
  select company_id, id, next_at, under_way
      + row_number() over (partition by company_id order by next_at) as turn
    from spread where at_address <= $10),
chosen as (
  select company_id, id, turn, row_number() over (order by turn, next_at) as place
    from turns where turn <= $7),
taken as (
  select a.company_id, a.id from announcement a
    join chosen c on c.company_id = a.company_id and c.id = a.id
   where c.place <= $1 and (c.turn = 1 or c.place <= $1 - $11)
     and a.state = 'waiting' and a.next_at <= now()
     for update of a skip locked)
update announcement t set next_at = now() + $2, epoch = t.epoch + 1, tries = t.tries + 1
  from taken, company c
 where t.company_id = taken.company_id and t.id = taken.id and c.id = t.company_id
returning t.company_id, t.id, coalesce(t.payment_id, '') as payment_id, t.version, t.kind, t.url,
  t.event_type, t.created_at as at, coalesce(t.agreement_id, '') as agreement_id,
  coalesce(t.content, '') as content, t.recipient, t.tries, t.epoch,
  c.number as company_number

-- name: report
-- How a delivery went: the try is kept in any case. Of the letter nothing where somebody else has
-- taken it over since. Without a next try it is dead.
with tried as (
  insert into delivery (company_id, announcement_id, epoch, milliseconds, status, error, answer)
  values ($1, $2, $3, $9, $6, $7, $10) on conflict do nothing)
update announcement
set state = $4, next_at = case when $4 = 'waiting' then now() + $5::interval end,
  last_status = $6, last_error = $7,
  delivered_at = case when $4 = 'delivered' then now() end, seal = $8
where company_id = $1 and id = $2 and epoch = $3 and state = 'waiting'
returning true
