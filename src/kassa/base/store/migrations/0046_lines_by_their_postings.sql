-- A payment's lines of settlements are found by its postings, which have an index over payments.
-- One index less is kept up to date for each movement, and for each line that a report puts.
drop index settlement_line_of_payment;
