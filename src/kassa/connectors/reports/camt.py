"""A bank's statement, report of the day, or advice: ISO 20022 camt.053 (BankToCustomerStatement),
camt.052 (BankToCustomerAccountReport) and camt.054 (BankToCustomerDebitCreditNotification),
versions 02 to 12. They say the same in the same words; the same movement may stand in all three.

One line per booked transaction. An entry that gathers many transactions gives as many lines, if
they add up to it; otherwise it is put aside as a whole. Lines are numbered in their order, since
a line of XML is not a line of the statement. What the account moved by is `amount` less `fee`:
charges (Chrgs) are taken to be within the entry unless ChrgInclInd says that they are not.
The sign is CdtDbtInd's, also for a reversal (RvslInd): it already says which way the money went.

A bank knows nothing of payments and refunds. A line is a payout, or a payout's return, unless the
bank's own code of the transaction says that it is a charge: then it is a fee. Who collects card
payments through a bank account itself has another report for them.

Whatever stands in a transaction or its entry and may name what it is about is kept as the line's
texts: references of every kind, structured and free remittance, what the bank adds in words.

Opening and closing balances are compared with the entries between them. What does not add up
comes at the end, as one Unreadable of line 0. Entries that are not booked moved nothing: each is a
line that says so, and nobody's work.
"""

import re
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

from lxml import etree
from lxml.etree import _Element

from kassa.base.domain.errors import InvalidRequest
from kassa.connectors.reports.declaration import Declaration, Lines, NotThatFormat
from kassa.connectors.reports.statement import BankStatement, Entry, Words, charges_of, words_of
from kassa.connectors.reports.words import shown, zone_of
from kassa.reconciliation.domain.reports import Unreadable

_NAMESPACE = re.compile(r"urn:iso:std:iso:20022:tech:xsd:(camt\.05[234])\.001\.(?:0[2-9]|1[0-2])")
_MOST_OPENING = 65_536  # bytes before the first element
_MOST_HELD = 4 * 2**20  # bytes of XML between two transactions: what has to be held in memory
_CHUNK = 32_768
_MOST_COMPLAINTS = 10


class _Message(NamedTuple):
    """One of the messages. `whole`: what the document holds; `part`: that of one account."""

    name: str
    word: str
    whole: str
    part: str

    @property
    def expected(self) -> str:
        return f"a {self.name} {self.word} ({self.name}.001.02 to .12)"


MESSAGES = {
    one.name: one
    for one in (
        _Message("camt.053", "statement", "BkToCstmrStmt", "Stmt"),
        _Message("camt.052", "account report", "BkToCstmrAcctRpt", "Rpt"),
        _Message("camt.054", "notification", "BkToCstmrDbtCdtNtfctn", "Ntfctn"),
    )
}
"""By the name of the format."""


def read_camt(file: BinaryIO, declaration: Declaration) -> Lines:
    """Raises: NotThatFormat, before any line."""
    zone = zone_of(declaration.time_zone)
    message = MESSAGES[declaration.format]
    opening, namespace = _open(file, message)
    source = _Source(opening, file)
    statement = BankStatement(zone)
    return _Reading(source, f"{{{namespace}}}", message, statement).lines()


def _open(file: BinaryIO, message: _Message) -> tuple[bytes, str]:
    """The first bytes, up to the first element at least, and the document's namespace.

    Raises: NotThatFormat, also for a document type: no bank sends one, and entities live there.
    """
    parser = etree.XMLPullParser(
        events=("start",), resolve_entities=False, no_network=True, huge_tree=False
    )
    opening = b""
    while len(opening) < _MOST_OPENING:
        data = file.read(4_096)
        if not data:
            break
        opening += data
        broken = ""
        try:
            parser.feed(data)
        except etree.XMLSyntaxError as error:
            broken = shown(str(error), 200)
        # What broke after the first element is told where it stands, after the lines before it.
        event = next(iter(parser.read_events()), None)
        if event is not None:
            return opening, _namespace_of(event[1], message)
        if broken:
            raise NotThatFormat(f"{message.expected} was expected: {broken}")
    found = "nothing that begins an XML document" if opening else "an empty file"
    raise NotThatFormat(f"{message.expected} was expected, found {found}")


def _namespace_of(root: _Element, message: _Message) -> str:
    info = root.getroottree().docinfo
    if info.doctype or info.internalDTD is not None:
        raise NotThatFormat(f"{message.expected} was expected, without a document type (DOCTYPE)")
    # By hand: QName refuses the braces that a hostile namespace may have in it.
    namespace, _, name = str(root.tag).removeprefix("{").rpartition("}")
    known = _NAMESPACE.fullmatch(namespace)
    if name != "Document" or known is None or known[1] != message.name:
        found = shown(f"{name} of {namespace or 'no namespace'}", 200)
        raise NotThatFormat(f"{message.expected} was expected, found {found}")
    return namespace


class _Source:
    """The bytes already read and then the file's, never too many without a `release`."""

    def __init__(self, opening: bytes, file: BinaryIO):
        self._opening = opening
        self._file = file
        self._held = 0

    def read(self, size: int) -> bytes:
        data, self._opening = self._opening, b""
        data = data or self._file.read(size)
        self._held += len(data)
        if self._held > _MOST_HELD:
            raise InvalidRequest(
                f"more than {_MOST_HELD // 2**20} MiB of XML without a transaction in it"
            )
        return data

    def release(self) -> None:
        self._held = 0


class _Reading:
    """One way through the document; each part is forgotten when it has been read."""

    def __init__(self, source: _Source, prefix: str, message: _Message, statement: BankStatement):
        self._source = source
        self._prefix = prefix
        self._whole, self._part = message.whole, message.part
        self._statement = statement
        self._number = 0
        self._statements = 0
        self._complaints: list[str] = []

    def lines(self) -> Lines:
        try:
            for event, element in self._events():
                if event == "start":
                    if element.tag == f"{self._prefix}{self._part}":
                        self._statements += 1
                        self._statement.begin()
                    continue
                for make in self._take(element):
                    self._number += 1
                    yield make(self._number)
        except (etree.XMLSyntaxError, InvalidRequest) as error:
            yield self._broken(error)
        else:
            if not self._statements:
                self._complaints.append("the document has no statement in it")
        if self._complaints:
            more = len(self._complaints) - _MOST_COMPLAINTS
            reason = "; ".join(self._complaints[:_MOST_COMPLAINTS])
            yield Unreadable(number=0, reason=reason + (f"; and {more} more" if more > 0 else ""))

    def _events(self) -> Iterator[tuple[str, _Element]]:
        parts = ("GrpHdr", self._part, "Acct", "Bal", "Ntry", "TxDtls")
        parser = etree.iterparse(
            self._source,
            events=("start", "end"),
            tag=[f"{self._prefix}{part}" for part in parts],
            # Without a document type nothing can be declared. A False would have lxml pass over
            # an unknown entity, and begin what follows it as a new document, DOCTYPE and all.
            resolve_entities="internal",
            load_dtd=False,
            no_network=True,
            huge_tree=False,
            remove_comments=True,
            remove_pis=True,
            chunk_size=_CHUNK,
        )
        yield from parser

    def _take(self, element: _Element) -> Entry:
        """What the part that ended here means: the makers of its lines, mostly none."""
        part = str(element.tag).removeprefix(self._prefix)
        parent = element.getparent()
        above = "" if parent is None else str(parent.tag).removeprefix(self._prefix)
        above = {self._whole: "whole", self._part: "part"}.get(above, above)
        makers: Entry = []
        match above, part:
            case "whole", "GrpHdr":
                self._statement.message = words_of(element, self._prefix).get("MsgId", "")
            case "part", "Acct":
                words = words_of(element, self._prefix)
                self._statement.account = words.get("Id/IBAN") or words.get("Id/Othr/Id", "")
            case "part", "Bal":
                self._statement.balance(words_of(element, self._prefix))
            case "NtryDtls", "TxDtls":
                self._statement.transaction(*self._read(element))
            case "part", "Ntry":
                makers = self._statement.entry(*self._read(element))
            case "whole", self._part:
                if complaint := self._statement.end():
                    self._complaints.append(complaint)
        if part in ("Bal", "TxDtls", "Ntry", self._part):
            self._forget(element)
        return makers

    def _read(self, element: _Element) -> tuple[Words, list[Words], str]:
        """An entry's or a transaction's words, its charges, and why they cannot be read."""
        try:
            return words_of(element, self._prefix), charges_of(element, self._prefix), ""
        except InvalidRequest as error:
            return {}, [], error.message

    def _forget(self, element: _Element) -> None:
        element.clear()
        parent = element.getparent()
        while parent is not None and element.getprevious() is not None:
            del parent[0]
        self._source.release()

    def _broken(self, error: etree.XMLSyntaxError | InvalidRequest) -> Unreadable:
        self._number += 1
        where = ""
        if isinstance(error, etree.XMLSyntaxError):
            line, column = error.position
            where = f" at line {line}, column {column}"
        reason = f"the document cannot be read on{where}: {shown(str(error), 200)}"
        return Unreadable(number=self._number, reason=reason)
