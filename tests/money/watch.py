"""Comparing what the database shows with the model: each change must be allowed, and be true.

What a provider decides is not foretold: the model waits until the gateway says it knows, and then
asks the provider's own books whether that is so.
"""

import json
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from tests.money import invariants
from tests.money.model import Change, Charge, Model, Paying
from tests.money.world import Tenant, World

CHARGE = {
    "prepared": "open",
    "dispatched": "open",
    "in_doubt": "open",
    "succeeded": "done",
    "declined": "refused",
    "abandoned": "left",
}
CHANGE = {"requested": "open", "processing": "open", "succeeded": "done", "failed": "failed"}
WAYS = {"credit_card": "card", "wallet": "wallet", "cash": "cash", "check": "cash"}


@dataclass
class Allowed:
    """What the step that was just made may bring. `last`: of a capture."""

    charge: Paying | None = None
    change: tuple[Paying, str, int] | None = None
    last: bool = True
    cancel: Paying | None = None
    workers: bool = False


@dataclass
class Watch:
    world: World
    tenant: Tenant
    model: Model
    tally: Counter[str]
    stories: dict[str, str] = field(default_factory=dict)

    def look(self, allowed: Allowed) -> None:
        """Take in what changed, then compare everything."""
        company = self.tenant.company.id
        text = self.world.run(invariants.seen(self.world.owner, company))
        rows = json.loads(text)
        broken = self.world.run(invariants.broken(self.world.owner, company))
        assert not broken, broken
        assert not self.world.errors, self.world.errors
        for row in rows["payments"]:
            paying = self.model.payments[row["id"]]
            paying.overdue = _is_over(row["expires_at"])
            mine = [one for one in rows["attempts"] if one["payment_id"] == paying.id]
            changes = [one for one in rows["changes"] if one["payment_id"] == paying.id]
            self._meet(paying, row, mine, changes, allowed)
            self._charges(paying, mine, late=False)
            self._changes(paying, changes)
            self._lapse(paying, row)
            self._end(paying, row, rows["orders"][paying.order_id], allowed)
            self._charges(paying, mine, late=True)
            disputes = [one for one in rows["disputes"] if one["payment_id"] == paying.id]
            self._disputes(paying, disputes)
            self._compare(paying, row, rows["orders"][paying.order_id])
        for user, purse in self.model.purses.items():
            assert rows["balances"].get(f"wallet:{user}", 0) == purse.balance, user
        self._provider(rows)
        assert allowed.charge is None, "no attempt was made"
        assert allowed.change is None, "what was asked for was not kept"

    def _meet(
        self, paying: Paying, row: Any, mine: list[Any], changes: list[Any], allowed: Allowed
    ) -> None:
        """New attempts and modifications: were they asked for?"""
        for one in mine:
            if one["id"] in paying.charges:
                continue
            assert allowed.charge is paying, ("an attempt nobody asked for", one)
            allowed.charge = None
            assert one["amount_minor"] == paying.amount
            for old in paying.charges.values():
                old.state = "left" if old.state == "open" else old.state
            way, user = WAYS[one["method"]], one["instrument"]
            paying.charges[one["id"]] = Charge(one["id"], way, user if way == "wallet" else "")
            paying.status = "processing"
        for one in changes:
            if one["id"] in paying.changes:
                continue
            change = Change(
                one["id"],
                one["kind"],
                one["amount_minor"],
                one["attempt_id"],
                last=one["is_last"],
                surplus=one["surplus"],
            )
            self._permit(paying, row, change, allowed)
            paying.changes[change.id] = change

    def _permit(self, paying: Paying, row: Any, change: Change, allowed: Allowed) -> None:
        if allowed.change == (paying, change.kind, change.amount) and not change.surplus:
            allowed.change = None
            assert change.last == (allowed.last or change.amount == paying.held)
            return
        if change.kind == "refund":
            assert allowed.workers, "a refund nobody asked for"
            assert change.surplus
            before = [c for c in paying.changes.values() if c.charge == change.charge]
            assert all(c.state == "failed" for c in before if c.surplus), "surplus goes back twice"
            assert change.amount == paying.amount
            self.tally["surplus is returned"] += 1
            return
        assert change.kind == "void", "a capture nobody asked for"
        if change.surplus:
            self.tally["a late reservation is let go"] += 1
            return
        assert allowed.workers or allowed.cancel is paying, "a void nobody asked for"
        # Who cancels asks the provider first, and may learn of the reservation only now.
        assert paying.held > 0 or allowed.cancel is paying, "nothing was reserved"
        self.tally["a deadline is met"] += allowed.workers

    def _charges(self, paying: Paying, mine: list[Any], *, late: bool) -> None:
        for one in mine:
            charge, state = paying.charges[one["id"]], CHARGE[one["status"]]
            if state == charge.state or (state == "done" and one["surplus"] is not late):
                continue
            # News of a reservation may come after it has run out; then it is let go at once.
            outdated = paying.manual and charge.state == "refused" and late
            assert outdated or charge.state not in ("done", "refused"), (charge, state)
            if charge.way == "card":
                self._ask_provider(paying, charge.id, state)
            if state == "done":
                self.model.took(paying, charge)
                assert charge.late is one["surplus"], "owed money is not surplus"
                self.tally["money comes late"] += late and not paying.manual
            elif state == "refused":
                self.model.refused(paying, charge)
            else:
                charge.state = state

    def _ask_provider(self, paying: Paying, key: str, state: str) -> None:
        """Is it true that the charge brought, or did not bring, what we say?"""
        taken = [one.units for one in self.world.books.charges_of(key)]
        found = self.world.books.find(key, now=self.world.provider.time())
        if state == "done" and not paying.manual:
            assert taken == [paying.amount], (key, taken)
        elif state == "done":
            assert found is not None
            assert found.state in ("authorized", "captured", "voided")
        elif state == "refused":
            assert taken == [], "refused, and the provider has the money"
            assert found is None or found.state in ("declined", "voided"), found

    def _changes(self, paying: Paying, changes: list[Any]) -> None:
        for one in changes:
            change, state = paying.changes[one["id"]], CHANGE[one["status"]]
            assert change.amount == one["amount_minor"]
            if state == change.state:
                continue
            came_back = change.state == "done"
            if came_back:
                assert (change.kind, state) == ("refund", "failed"), "what is done stays done"
                assert sum(self._moved(change)) == 0, "it was not sent back"
                self.tally["a refund comes back"] += 1
            elif paying.charges[change.charge].way == "card":
                # One that comes back may be known to be done, and not yet to have come back.
                moved = sum(one for one in self._moved(change) if one > 0 or state == "failed")
                wanted = change.amount if state == "done" and change.kind != "void" else 0
                assert moved == wanted, (change, state, moved)
            if state == "done":
                self.model.done(paying, change)
            change.state = state
            self.tally[f"{change.kind} {state}"] += 1

    def _lapse(self, paying: Paying, row: Any) -> None:
        """The provider let a reservation go by its own clock, and we have come to know of it."""
        holder = paying.holder
        if holder is None or row["released_minor"] != paying.released + paying.held:
            return
        if paying.held and holder.way == "card":
            found = self.world.books.find(holder.id, now=self.world.provider.time())
            assert found is not None
            assert found.state != "authorized", "let go while the provider holds it"
            self.model.lapsed(paying)
            self.tally["a reservation ended unseen"] += 1

    def _moved(self, change: Change) -> list[int]:
        """Minor units, by the provider's own books; less than zero for what came back."""
        books = self.world.books
        moved = books.refunds_of if change.kind == "refund" else books.charges_of
        return [one.units for one in moved(change.id)]

    def _end(self, paying: Paying, row: Any, order: str, allowed: Allowed) -> None:
        """Canceled or expired: by somebody who may."""
        for said in {row["status"], order} & {"canceled", "expired"}:
            before, now = (paying.status, paying.order), (row["status"], order)
            if all(was == said for was, is_now in zip(before, now, strict=True) if is_now == said):
                continue  # it had ended; money may have come late since
            by_void = any(
                change.kind == "void" and change.state == "done" and not change.surplus
                for change in paying.changes.values()
            )
            assert not paying.in_doubt or paying.status == "requires_action", "ended in doubt"
            assert paying.overdue if said == "expired" else allowed.cancel is paying or by_void
            self.model.ended(paying, said)
            for charge in paying.charges.values():
                charge.state = "left" if charge.state == "open" else charge.state
            self.tally[f"an order is {said}"] += 1

    def _disputes(self, paying: Paying, disputes: list[Any]) -> None:
        for one in disputes:
            withdrawn = one["amount_minor"] if one["withdrawn"] else 0
            if paying.disputed.get(one["id"]) != withdrawn:
                taken = sum(c.units for c in self.world.books.charges_of(one["attempt_id"]))
                assert 0 < one["amount_minor"] <= taken
                paying.disputed[one["id"]] = withdrawn
                self.tally[f"a dispute is {one['status']}"] += 1

    def _compare(self, paying: Paying, row: Any, order: str) -> None:
        if row["status"] == "requires_action" and paying.status == "processing":
            last = list(paying.charges.values())[-1]
            assert (self.stories.get(last.id, "action_needed"), last.state) == (
                "action_needed",
                "open",
            )
            paying.status = "requires_action"
        assert (row["status"], order) == (paying.status, paying.order), paying
        assert {name: row[name] for name in paying.figures()} == paying.figures(), paying
        assert row["surplus"] is paying.surplus
        paying.lapsed = _is_over(row["authorization_expires_at"])

    def _provider(self, rows: Any) -> None:
        """Our account at the provider is exactly what it has moved and we know of."""
        done = {
            one["id"]
            for one in (*rows["attempts"], *rows["changes"])
            if one["status"] == "succeeded"
        }
        with self.world.books._using() as books:
            takings = books.execute("SELECT claim, units - fee_units FROM takings").fetchall()
            givings = books.execute("SELECT refund, -units FROM givings").fetchall()
        back = [(key, units) for key, units in givings if units > 0]
        moved = [*map(tuple, takings), *((key, units) for key, units in givings if units < 0)]
        assert len({key for key, _ in moved}) == len(moved), "moved twice under one key"
        assert len({key for key, _ in back}) == len(back), "came back twice"
        assert {(key, -units) for key, units in back} <= set(moved), "more came back"
        known = sum(units for key, units in moved if key in done)
        disputes = sum(
            one["withdrawn"] * one["amount_minor"] + one["fee_minor"] for one in rows["disputes"]
        )
        assert rows["provider"] == known - disputes, "our account at the provider"


def _is_over(until: str | None) -> bool:
    return until is not None and datetime.fromisoformat(until) <= datetime.now(UTC)
