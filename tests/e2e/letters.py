"""Letters of the simulated Stripe: genuine ones as it would have sent them, and forged ones."""

import json
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from tests.e2e.providers import rows
from tests.e2e.server import Server
from tests.e2e.wire import Call

from kassa_simulator.frame import Letter, Merchant, Told
from kassa_simulator.protocols import protocols

READ = frozenset({"payment_intent.succeeded", "refund.created", "charge.refunded"})
"""The events that say something to us, of those that a charge and a refund by token make."""

_LONG_AGO = timedelta(hours=1)


@dataclass(frozen=True)
class Event:
    """Something that happened at Stripe. `key`: our reference in it."""

    told: Told
    key: str

    @property
    def name(self) -> str:
        return self.told.event


@dataclass(frozen=True)
class Account:
    """An account at Stripe, as both sides know it. `name`: ours of it."""

    name: str
    secret: str

    def letter(self, event: Event, *, secret: str = "", at: datetime | None = None) -> Letter:
        credentials = {"webhook_secret": secret or self.secret}
        url = f"/providers/{self.name}"
        merchant = Merchant(provider="stripe", name=self.name, credentials=credentials)
        told = replace(event.told, url=url)
        now = at or datetime.now(UTC)
        return protocols()["stripe"].write(merchant, told, now=now, forged=False)


def secrets_of(server: Server) -> dict[str, str]:
    """What the demo's account at Stripe was given."""
    kept: dict[str, dict[str, str]] = json.loads(
        (server.data_dir / "demo" / "provider_keys.json").read_text()
    )
    return kept["stripe"]


def events(server: Server) -> list[Event]:
    """All that happened there and would be told."""
    found = []
    for name, event, charge_id, data, at in rows(
        server,
        "SELECT id, event, charge_id, data, at FROM letters WHERE provider = 'stripe'"
        " ORDER BY number",
    ):
        content = json.loads(data)
        told = Told(
            id=name,
            event=event,
            charge_id=charge_id,
            data=content,
            at=datetime.fromtimestamp(at / 1_000_000, UTC),
            url="",
        )
        metadata = content["object"].get("metadata") or {}
        found.append(Event(told, metadata.get("kassa_key", "")))
    return found


def call_of(letter: Letter) -> Call:
    """To be made when it is posted: a signature is good for five minutes."""
    return Call("POST", letter.url, letter.headers, letter.body)


Forger = Callable[["Forge", Event, str], Letter]


@dataclass(frozen=True)
class Forge:
    """Makes copies that must have no effect. `account`: who is lied about; `other`: an account of
    the same company, with which the forger could be in league; `keys`: references that exist."""

    luck: random.Random
    account: Account
    other: Account
    keys: list[str]

    def copy(self, event: Event) -> tuple[str, Callable[[], Call]]:
        """How it is forged, and what makes the forgery at the moment when it is posted."""
        how = self.luck.choice(sorted(FORGERIES))
        other = self.luck.choice([key for key in self.keys if key != event.key])
        return how, lambda: call_of(FORGERIES[how](self, event, other))

    def wrong_secret(self, event: Event, _: str) -> Letter:
        return self.account.letter(event, secret="whsec_guessed")

    def secret_of_another_account(self, event: Event, _: str) -> Letter:
        return self.account.letter(event, secret=self.other.secret)

    def told_to_another_account(self, event: Event, _: str) -> Letter:
        """Signed as it should be for that account, about what is not that account's."""
        return self.other.letter(event)

    def altered_amount(self, event: Event, _: str) -> Letter:
        return _altered(self.account.letter(event), b"29990", b"1")

    def altered_key(self, event: Event, other: str) -> Letter:
        return _altered(self.account.letter(event), event.key.encode(), other.encode())

    def another_event_in_its_place(self, event: Event, _: str) -> Letter:
        """A new event's name over an old signature."""
        name = event.told.id.encode()
        return _altered(self.account.letter(event), name, name[::-1])

    def stale(self, event: Event, _: str) -> Letter:
        return self.account.letter(event, at=datetime.now(UTC) - _LONG_AGO)

    def of_the_future(self, event: Event, _: str) -> Letter:
        return self.account.letter(event, at=datetime.now(UTC) + _LONG_AGO)

    def unsigned(self, event: Event, _: str) -> Letter:
        letter = self.account.letter(event)
        kept = {name: text for name, text in letter.headers.items() if "signature" not in name}
        return replace(letter, headers=kept)


def _altered(letter: Letter, old: bytes, new: bytes) -> Letter:
    assert old in letter.body, "a forgery that forges nothing proves nothing"
    return replace(letter, body=letter.body.replace(old, new))


FOREIGN = "told to another account"
FORGERIES: Mapping[str, Forger] = {
    "wrong secret": Forge.wrong_secret,
    "secret of another account": Forge.secret_of_another_account,
    FOREIGN: Forge.told_to_another_account,
    "altered amount": Forge.altered_amount,
    "altered key": Forge.altered_key,
    "another event": Forge.another_event_in_its_place,
    "stale": Forge.stale,
    "of the future": Forge.of_the_future,
    "unsigned": Forge.unsigned,
}
