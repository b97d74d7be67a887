-- A bank may take back what nobody owed, also after it had been given back: what has left twice of
-- it counts as left twice. The bounds are wider than before, so that every row keeps them.
alter table payment drop constraint payment_bounds;
alter table payment add constraint payment_bounds check (
  authorized_minor between 0
    and case when surplus then greatest(amount_minor, surplus_minor) else amount_minor end
  and captured_minor >= 0 and released_minor >= 0
  and captured_minor + released_minor
    <= authorized_minor + case when surplus then surplus_minor else 0 end
  and refunded_minor >= 0 and refund_reserved_minor >= 0
  and disputed_minor >= 0 and double_paid_minor >= 0
  and refunded_minor + refund_reserved_minor + disputed_minor
    <= captured_minor + double_paid_minor
  and double_paid_minor <= disputed_minor + surplus_returned_minor
  and surplus_returned_minor >= 0 and surplus_reserved_minor >= 0
  and surplus_returned_minor + surplus_reserved_minor <= surplus_minor + double_paid_minor
  and settled_minor between 0 and captured_minor);
