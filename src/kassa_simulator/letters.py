"""Letters to merchants: queued with the faults that play on them, due, heard, sent again."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from kassa_simulator.books import SqliteBooks, micros, moment, packed
from kassa_simulator.desk import Desk
from kassa_simulator.faults import CODECS, rules_of_letter
from kassa_simulator.frame import Merchant, Told
from kassa_simulator.oddities import of_another, of_next_year

PAUSES = tuple(timedelta(seconds=seconds) for seconds in (2, 15, 120, 900))
"""Pause after the first, second, … failed try, by the simulator's clock; then it gives up."""

_OVERTAKEN = timedelta(seconds=1)
_MOST_COPIES = 5
_MOST_LISTED = 1000
_MOST_IN_HAND = 500
_COPIES = (
    "SELECT posts.number AS post, forged, tries, letters.* FROM posts"
    " JOIN letters ON letters.number = posts.letter"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Post:
    """One copy of a letter, on its way."""

    number: int
    provider: str
    merchant: str
    told: Told
    forged: bool
    tries: int


class Letterbox:
    """Over the same file as `books`; what writes is called within its deed.

    `early`: posts of the deed at hand that go out before the answer does; `usual`: the others.
    """

    def __init__(self, books: SqliteBooks, desk: Desk) -> None:
        self._books = books
        self._db = books.connection
        self._desk = desk
        self.early: list[int] = []
        self.usual: list[int] = []
        books.telling = self._queue

    def begin(self) -> None:
        self.early, self.usual = [], []

    def _queue(
        self, merchant: Merchant, event: str, charge_id: str, data: Mapping[str, Any], url: str
    ) -> None:
        now = self._books.clock.now()
        (before,) = self._db.execute(
            "SELECT count(*) FROM letters WHERE provider = ? AND charge_id = ?",
            (merchant.provider, charge_id),
        ).fetchone()
        nth = int(before) + 1
        about = (merchant.provider, charge_id, str(nth))
        faults = rules_of_letter(
            self._desk.rules,
            self._books.chance,
            provider=merchant.provider,
            reference=charge_id,
            nth=nth,
        )
        where, text = url or merchant.notify_url, packed(data)
        written = of_next_year(text) if "next_year" in faults else text
        letter = self._keep(merchant, event, about, written, where, sorted(faults))
        if not where or letter is None:
            return
        self._overtake(letter, now)
        if "foreign" in faults:
            others = of_another(text, *self._names_at(merchant.provider, charge_id))
            foreign = self._keep(merchant, event, (*about, "foreign"), others, where, ["stranger"])
            self._post(foreign, now, early="early" in faults)
        if "never" not in faults:
            copies = 1
            if "duplicated" in faults:
                share = self._books.chance("copies", *about)
                copies = 2 + int(share * (_MOST_COPIES - 1))
            held = "reordered" in faults
            lasting = [faults[name].lasts for name in ("late", "reordered") if name in faults]
            due = now + timedelta(seconds=max(lasting, default=0))
            for _ in range(copies):
                self._post(letter, due, held=held, early="early" in faults)
        if "forged" in faults:
            self._post(letter, now, forged=True, early="early" in faults)

    def _keep(
        self,
        merchant: Merchant,
        event: str,
        about: Sequence[str],
        text: str,
        url: str,
        faults: Sequence[str],
    ) -> int:
        """`about`: the provider, its charge, and what else tells the letter from others."""
        number = self._db.execute(
            "INSERT INTO letters (id, provider, merchant, event, charge_id, data, url, faults, at)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                self._books.new_id("evt_", "letter", *about, event),
                merchant.provider,
                merchant.name,
                event,
                about[1],
                text,
                url,
                packed(faults),
                micros(self._books.clock.now()),
            ),
        ).lastrowid
        assert number is not None, "a row was added"
        return number

    def _names_at(self, provider: str, charge_id: str) -> tuple[list[str], list[str]]:
        """By which keys of the merchant's, and which names of its own, a provider knows a charge
        and what was done to it."""
        rows = self._db.execute(
            "SELECT key, id FROM charges WHERE provider = ? AND id = ?"
            " UNION ALL SELECT key, id FROM changes WHERE provider = ? AND charge_id = ?",
            (provider, charge_id, provider, charge_id),
        ).fetchall()
        return [row["key"] for row in rows], [row["id"] for row in rows]

    def _overtake(self, letter: int, now: datetime) -> None:
        """Release what was held until a letter like this came."""
        self._db.execute(
            "UPDATE posts SET held = 0, due_at = ? WHERE held = 1 AND letter IN"
            " (SELECT old.number FROM letters AS old JOIN letters AS new ON new.number = ?"
            "  AND old.provider = new.provider AND old.charge_id = new.charge_id)",
            (micros(now + _OVERTAKEN), letter),
        )

    def _post(
        self,
        letter: int,
        due: datetime,
        *,
        forged: bool = False,
        held: bool = False,
        early: bool = False,
    ) -> None:
        number = self._db.execute(
            "INSERT INTO posts (letter, forged, held, due_at) VALUES (?, ?, ?, ?)",
            (letter, forged, held, micros(due)),
        ).lastrowid
        if number is not None:
            (self.early if early else self.usual).append(number)

    def again(self, letter_id: str, times: int) -> bool:
        """Post it so many times more, now; False where there is no such letter."""
        row = self._db.execute("SELECT number FROM letters WHERE id = ?", (letter_id,)).fetchone()
        if row is None:
            return False
        for _ in range(times):
            self._post(row["number"], self._books.clock.now())
        return True

    def due(self) -> list[Post]:
        """The copies that are due, in order, as many as anybody can have in hand."""
        rows = self._db.execute(
            f"{_COPIES} WHERE due_at <= ? ORDER BY due_at, posts.number LIMIT ?",
            (micros(self._books.clock.now()), _MOST_IN_HAND),
        )
        return [_post_in(row) for row in rows]

    def due_of(self, numbers: Iterable[int]) -> list[Post]:
        """Those of the copies that are due."""
        now = micros(self._books.clock.now())
        query = f"{_COPIES} WHERE posts.number = ? AND due_at <= ?"
        rows = (self._db.execute(query, (number, now)).fetchone() for number in sorted(numbers))
        return [_post_in(row) for row in rows if row is not None]

    def tried(self, post: Post, *, heard: bool, result: str) -> None:
        """A forged copy is posted once, whatever is answered; others until heard or given up."""
        due = None
        if not heard and not post.forged and post.tries < len(PAUSES):
            due = micros(self._books.clock.now() + PAUSES[post.tries])
        self._db.execute(
            "UPDATE posts SET tries = tries + 1, heard = ?, result = ?, due_at = ?, held = 0"
            " WHERE number = ?",
            (heard, result, due, post.number),
        )

    def listed(self, limit: int = _MOST_LISTED) -> list[dict[str, Any]]:
        """Every letter with what became of its copies, newest first."""
        letters = self._db.execute(
            "SELECT * FROM letters ORDER BY number DESC LIMIT ?", (limit,)
        ).fetchall()
        return [
            {
                "id": row["id"],
                "provider": row["provider"],
                "merchant": row["merchant"],
                "event": row["event"],
                "charge": row["charge_id"],
                "url": row["url"],
                "faults": json.loads(row["faults"]),
                "at": moment(row["at"]).isoformat(),
                "copies": [
                    {
                        "forged": bool(post["forged"]),
                        "tries": post["tries"],
                        "heard": bool(post["heard"]),
                        "result": post["result"],
                        "due_at": post["due_at"] and moment(post["due_at"]).isoformat(),
                    }
                    for post in self._db.execute(
                        "SELECT * FROM posts WHERE letter = ? ORDER BY number", (row["number"],)
                    )
                ],
            }
            for row in letters
        ]


def _post_in(row: Any) -> Post:
    faults = json.loads(row["faults"])
    return Post(
        number=row["post"],
        provider=row["provider"],
        merchant=row["merchant"],
        told=Told(
            id=row["id"],
            event=row["event"],
            charge_id=row["charge_id"],
            data=json.loads(row["data"]),
            at=moment(row["at"]),
            url=row["url"],
            codec=next((CODECS[one] for one in faults if one in CODECS), "utf-8"),
            next_year="next_year" in faults,
        ),
        forged=bool(row["forged"]),
        tries=row["tries"],
    )
