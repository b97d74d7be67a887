"""The transactions of a day."""

from collections.abc import Sequence

from kassa_simulator.frame import Books
from kassa_simulator.lines import Line, as_csv
from kassa_simulator.odd_rows import Names, spoiled


def settlement_file(books: Books, lines: Sequence[Line], odd: Sequence[str]) -> bytes:
    """Transactions with their sign, in whole minor units."""
    kinds = {"charge": "PAYMENT", "refund": "REFUND", "dispute": "DISPUTE"}
    rows = [
        {
            "transactionType": kinds[line.movement.kind]
            + ("_REVERSAL" if line.movement.amount_minor < 0 else ""),
            "transactionId": line.refund_id or line.movement.charge_id,
            "transactionRequestId": line.reference,
            "paymentId": line.movement.charge_id,
            "amountValue": str(line.signed),
            "amountCurrency": line.movement.currency,
            "feeValue": str(line.movement.fee_minor),
            "transactionTime": line.movement.at.isoformat(),
        }
        for line in lines
    ]
    rows = spoiled(books, rows, _NAMES, odd)
    return as_csv(_COLUMNS, rows).encode(errors="surrogateescape")


_COLUMNS = (
    "transactionType transactionId transactionRequestId paymentId amountValue amountCurrency"
    " feeValue transactionTime"
).split()
_NAMES = Names("transactionType", "amountValue", "amountCurrency", "transactionRequestId")
