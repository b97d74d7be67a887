-- part: try
t.company_id, t.id, t.settlement_id, t.number, t.reference, t.amount_minor, t.currency,
  t.status, t.begun_at, t.ended_at, t.posting_id, t.return_posting_id, t.why

-- name: of_settlement
-- The tries of a settlement's payout, the first one first.
select {try} from payout t where t.company_id = $1 and t.settlement_id = $2 order by t.number

-- name: add
-- A new try.
insert into payout (company_id, id, settlement_id, number, reference, currency, amount_minor,
  status, begun_at, ended_at, posting_id, return_posting_id, why)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)

-- name: end_try
-- It was sent back, or never arrived.
update payout set status = $3, ended_at = $4, return_posting_id = $5, why = $6
where company_id = $1 and id = $2
