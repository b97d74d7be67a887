"""What the entries of a bank's statement say, and whether they add up."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, tzinfo
from typing import NamedTuple

from lxml.etree import _Element

from kassa.base.domain.errors import InvalidRequest
from kassa.base.domain.money import Money
from kassa.connectors.reports.words import MAX_CELL, MAX_SHOWN, amount_of, moment_of, shown
from kassa.reconciliation.domain.reports import LineKind, ReportLine, Unreadable

Words = Mapping[str, str]
"""An element's texts by their path below it: "Refs/EndToEndId", "Amt", "Amt@Ccy"."""

Entry = list[Callable[[int], ReportLine | Unreadable]]
"""The lines of an entry, each waiting for its number."""

_MOST_WORDS = 400
_MOST_TRANSACTIONS = 50_000  # of one entry: they wait in memory until their sum is known
_NOT_GIVEN = "NOTPROVIDED"  # what a bank writes where an end-to-end reference is obligatory
_SIGNS = {"CRDT": 1, "DBIT": -1}
_CHARGES = frozenset({"CHRG", "COMM", "FEES"})  # of ISO's bank transaction codes, the last part
_TEXTS = (  # where may stand what a movement is about; what ends in "/" has more below it
    "Refs/",
    "RmtInf/",
    "RltdRmtInf/",
    "RtrInf/AddtlInf",
    "Purp/Prtry",
    "AddtlTxInf",
    "AddtlNtryInf",
    "AcctSvcrRef",
    "NtryRef",
)
_NO_TEXTS = ("Amt", "Dt", "@Ccy", "Tp/Cd", "Tp/CdOrPrtry/Cd", "CdtDbtInd")
_MOST_TEXTS, _LONGEST_TEXT = 60, 1_000
_BALANCES = ("OPBD", "PRCD", "CLBD")


class _Transaction(NamedTuple):
    """One of an entry. `sign`: 0 where it is the entry's, as in the oldest versions."""

    words: Words
    amount: Money | None
    sign: int
    charges: Sequence[Words]


_NO_TRANSACTION = _Transaction({}, None, 0, ())


def words_of(element: _Element, prefix: str) -> dict[str, str]:
    """`element` without its transactions. Raises: InvalidRequest: it is too large."""
    words: dict[str, str] = {}
    _gather(element, prefix, "", words)
    return words


def _gather(element: _Element, prefix: str, path: str, words: dict[str, str]) -> None:
    for child in element:
        name = f"{path}{child.tag.removeprefix(prefix)}"
        if name == "NtryDtls":
            continue
        if len(child):
            _gather(child, prefix, f"{name}/", words)
            continue
        text = (child.text or "").strip()
        if len(text) > MAX_CELL or len(words) >= _MOST_WORDS:
            raise InvalidRequest(
                f"too much in one entry: {_MOST_WORDS} texts of {MAX_CELL} characters are allowed"
            )
        key, count = name, 1
        while key in words:
            count += 1
            key = f"{name} {count}"
        words[key] = text
        if name.endswith("Amt"):
            words[f"{key}@Ccy"] = child.get("Ccy", "")


def charges_of(element: _Element, prefix: str) -> list[Words]:
    """The charges inside an entry or a transaction: records where there are any, else totals.

    Raises: InvalidRequest.
    """
    found: list[Words] = []
    for charges in element.findall(f"{prefix}Chrgs"):
        records = charges.findall(f"{prefix}Rcrd") or [charges]
        found += [words_of(record, prefix) for record in records]
    return found


class BankStatement:
    """The statement that is being read: its entries one by one, and their running sum."""

    def __init__(self, zone: tzinfo):
        self._zone = zone
        self.message = ""
        self.begin()

    def begin(self) -> None:
        self.account = ""
        self._balances: dict[str, Money] = {}
        self._moved: dict[str, int] = {}
        self._uncounted = 0
        self._waiting: list[_Transaction] = []
        self._trouble = ""

    def balance(self, words: Words) -> None:
        """Of a kind that repeats, the first opens and the last closes."""
        kind = words.get("Tp/CdOrPrtry/Cd", "")
        if kind not in _BALANCES or (kind != "CLBD" and kind in self._balances):
            return
        try:
            self._balances[kind] = _signed(words, _sign(words))
        except InvalidRequest:
            self._uncounted += 1

    def transaction(self, words: Words, charges: Sequence[Words], trouble: str) -> None:
        """One of the entry that is still to come."""
        if self._trouble:
            return
        try:
            if trouble:
                raise InvalidRequest(trouble)
            if len(self._waiting) >= _MOST_TRANSACTIONS:
                raise InvalidRequest(f"more than {_MOST_TRANSACTIONS} transactions in one entry")
            amount = _amount_of_transaction(words)
            sign = _sign(words) if "CdtDbtInd" in words else 0
            self._waiting.append(_Transaction(words, amount, sign, charges))
        except InvalidRequest as error:
            self._trouble = f"transaction {len(self._waiting) + 1} of the entry: {error.message}"
            self._waiting = []

    def entry(self, words: Words, charges: Sequence[Words], trouble: str) -> Entry:
        transactions, self._waiting = self._waiting, []
        within, self._trouble = self._trouble, ""
        try:
            if trouble:
                raise InvalidRequest(trouble)
            status = words.get("Sts") or words.get("Sts/Cd") or words.get("Sts/Prtry", "")
            if status not in ("BOOK", ""):
                reason = f"not booked ({shown(status, 40)}): nothing moved"
                return [self._aside(reason, words, is_pending=True)]
            amount = _signed(words, _sign(words))
        except InvalidRequest as error:
            self._uncounted += 1
            return [self._aside(error.message, words)]
        self._moved[amount.currency] = self._moved.get(amount.currency, 0) + amount.minor
        try:
            if within:
                raise InvalidRequest(within)
            fee = _fee(charges, amount.currency)
            if len(transactions) > 1:
                return self._batch(words, amount, fee, transactions)
            return [self._single(words, amount, fee, transactions)]
        except InvalidRequest as error:
            return [self._aside(error.message, words)]

    def end(self) -> str:
        """What is wrong with the statement's own totals, if something is."""
        opening = self._balances.get("OPBD") or self._balances.get("PRCD")
        closing = self._balances.get("CLBD")
        name = shown(self.account, 40) or "an account"
        if self._uncounted:
            return f"the balances of {name} cannot be checked: {self._uncounted} had no amount"
        if opening is None or closing is None:
            return ""
        if {opening.currency, closing.currency, *self._moved} != {opening.currency}:
            return f"the balances of {name} cannot be checked: there are several currencies"
        moved = self._moved.get(opening.currency, 0)
        if opening.minor + moved == closing.minor:
            return ""
        gap = closing.minor - opening.minor - moved
        return (
            f"the balances of {name} do not fit its entries: {opening} to {closing}, "
            f"and the entries are {abs(gap)} minor units too {'low' if gap > 0 else 'high'}"
        )

    def _single(
        self, words: Words, booked: Money, fee: int, transactions: Sequence[_Transaction]
    ) -> Callable[[int], ReportLine]:
        known = transactions[0] if transactions else _NO_TRANSACTION
        fee = _fee(known.charges, booked.currency) or fee
        own = known.amount
        if own is not None and own.currency == booked.currency:
            minor = own.minor * (known.sign or _direction(booked))
            # Before charges or after them: banks differ. What the entry says has moved.
            if minor not in (booked.minor, booked.minor + fee):
                raise InvalidRequest(
                    f"an entry of {booked} whose transaction is {minor} minor units"
                )
        return self._line(words, known.words, Money(booked.minor + fee, booked.currency), fee)

    def _batch(
        self, words: Words, booked: Money, fee: int, transactions: Sequence[_Transaction]
    ) -> Entry:
        currency = booked.currency
        amounts = [
            item.amount.minor * (item.sign or _direction(booked))
            for item in transactions
            if item.amount is not None and item.amount.currency == currency
        ]
        count, total = len(transactions), sum(amounts)
        if len(amounts) != count:
            missing = count - len(amounts)
            raise InvalidRequest(
                f"an entry of {booked}: {missing} of its {count} transactions have no amount in it"
            )
        fees = [_fee(item.charges, currency) for item in transactions]
        lines: Entry = []
        if total == booked.minor:  # amounts after charges
            amounts = [amount + part for amount, part in zip(amounts, fees, strict=True)]
        elif total - sum(fees) != booked.minor:
            if not fee or total - fee != booked.minor:
                raise InvalidRequest(
                    f"an entry of {booked} whose {count} transactions are "
                    f"{abs(total - booked.minor)} minor units "
                    f"{'more' if total > booked.minor else 'less'}"
                )
            fees = [0] * count  # one charge for all of them together
            lines.append(self._line(words, {}, Money(-fee, currency), 0, LineKind.FEE))
        for item, amount, part in zip(transactions, amounts, fees, strict=True):
            lines.append(self._line(words, item.words, Money(amount, currency), part))
        return lines

    def _line(
        self, entry: Words, own: Words, amount: Money, fee: int, kind: LineKind | None = None
    ) -> Callable[[int], ReportLine]:
        code = "BkTxCd/Domn/Fmly/SubFmlyCd"
        if kind is None and (own.get(code) or entry.get(code)) in _CHARGES:
            kind, amount, fee = LineKind.FEE, Money(amount.minor - fee, amount.currency), 0
        kept = Money(fee, amount.currency)
        moment = _booked_at(entry, self._zone)
        ours = _named(own, "Refs/EndToEndId", "RmtInf/Strd/CdtrRefInf/Ref", "Refs/InstrId")
        theirs = _named(own, "Refs/TxId", "Refs/AcctSvcrRef")
        theirs = theirs or _named(entry, "AcctSvcrRef", "NtryRef")
        payout = _named(own, "Refs/EndToEndId", "RmtInf/Strd/CdtrRefInf/Ref", "RmtInf/Ustrd")
        texts = _texts(own, entry)
        marks, account = _marks(own, entry), self.account

        def make(number: int) -> ReportLine:
            return ReportLine(
                number=number,
                kind=kind or LineKind.PAYOUT,
                amount=amount,
                fee=kept,
                our_reference=ours,
                provider_reference=theirs,
                payout_reference="" if kind is LineKind.FEE else payout,
                texts=texts,
                account=account,
                marks=marks,
                occurred_at=moment,
                raw=self._raw(entry, own),
            )

        return make

    def _aside(
        self, reason: str, words: Words, *, is_pending: bool = False
    ) -> Callable[[int], Unreadable]:
        raw = self._raw(words, {})
        return lambda number: Unreadable(
            number=number, reason=reason, raw=raw, is_pending=is_pending
        )

    def _raw(self, entry: Words, own: Words) -> dict[str, str]:
        raw = {"GrpHdr/MsgId": self.message, "Acct": self.account, **entry}
        raw |= {f"TxDtls/{path}": text for path, text in own.items()}
        if max(map(len, raw.values())) > MAX_SHOWN:
            return {path: shown(text) for path, text in raw.items()}
        return raw


def _texts(*parts: Words) -> tuple[str, ...]:
    """Everything that may name what the movement is about, the longest free text whole as well: a
    bank cuts it where it likes."""
    found: dict[str, None] = {}
    for words in parts:
        free = [text for path, text in words.items() if path.startswith("RmtInf/Ustrd") and text]
        if len(free) > 1:
            found[shown(" ".join(free), _LONGEST_TEXT)] = None
        for path, text in words.items():
            name = path.partition(" ")[0]
            if text and name.startswith(_TEXTS) and not name.endswith(_NO_TEXTS):
                found[shown(text, _LONGEST_TEXT)] = None
    found.pop(_NOT_GIVEN, None)
    return tuple(found)[:_MOST_TEXTS]


def _marks(own: Words, entry: Words) -> tuple[str, ...]:
    """What the bank itself calls the transaction; else what it is called otherwise. Not NtryRef,
    which counts the entries of one file."""
    if mark := _named(own, "Refs/AcctSvcrRef"):
        return (mark,)
    names = ("Refs/TxId", "Refs/EndToEndId", "Refs/InstrId", "RmtInf/Ustrd", "AddtlTxInf")
    found = (_named(entry, "AcctSvcrRef"), *(_named(own, name) for name in names))
    return found if any(found) else (_named(entry, "AddtlNtryInf"),)


def _named(words: Words, *paths: str) -> str:
    """The first of `paths` that says something; a remittance text may stand in several lines."""
    for path in paths:
        text = words.get(path, "")
        if not text or text == _NOT_GIVEN:
            continue
        if path == "RmtInf/Ustrd":
            more = (words.get(f"{path} {number}", "") for number in range(2, 6))
            text = " ".join(" ".join((text, *more)).split())
        return shown(text)
    return ""


def _sign(words: Words) -> int:
    said = words.get("CdtDbtInd", "")
    if said not in _SIGNS:
        raise InvalidRequest(f"CdtDbtInd is CRDT or DBIT, got {shown(said, 40)!r}")
    return _SIGNS[said]


def _signed(words: Words, sign: int, path: str = "Amt") -> Money:
    """Raises: InvalidRequest."""
    amount = amount_of(words.get(path, ""), words.get(f"{path}@Ccy", ""))
    if amount.minor < 0:
        raise InvalidRequest(f"an amount of {amount}: its sign is said by CdtDbtInd")
    return Money(amount.minor * sign, amount.currency)


def _amount_of_transaction(words: Words) -> Money | None:
    """Without its sign. Raises: InvalidRequest."""
    for path in ("Amt", "AmtDtls/TxAmt/Amt"):
        if path in words:
            return _signed(words, 1, path)
    return None


def _direction(booked: Money) -> int:
    return -1 if booked.minor < 0 else 1


def _fee(charges: Sequence[Words], currency: str) -> int:
    """What the bank kept, in minor units; negative when it gave something back.

    Raises: InvalidRequest: not in `currency`.
    """
    total = 0
    for words in charges:
        if words.get("ChrgInclInd", "") in ("false", "0"):
            continue  # booked as an entry of its own
        path = "Amt" if "Amt" in words else "TtlChrgsAndTaxAmt"
        if path not in words:
            continue
        charge = _signed(words, -1 if words.get("CdtDbtInd") == "CRDT" else 1, path)
        if charge.minor and charge.currency != currency:
            raise InvalidRequest(f"a charge of {charge} on an amount in {currency}")
        total += charge.minor
    return total


def _booked_at(words: Words, zone: tzinfo) -> datetime | None:
    for path in ("BookgDt", "ValDt"):
        if text := words.get(f"{path}/DtTm"):
            return moment_of(text, zone)
        if text := words.get(f"{path}/Dt"):
            return moment_of(text[:10], zone)  # a date may carry a zone, which says nothing here
    return None
