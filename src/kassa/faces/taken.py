"""What a payer's bank has of a payment, in the English of the interfaces: one place for all."""

from collections.abc import Mapping

from kassa.payments.domain.taken_back import TakenBack, Taking

_WORDS: Mapping[Taking, str] = {
    Taking.DISPUTED: "{} is held by the payer's bank in a dispute",
    Taking.DISPUTE_LOST: "{} was taken back by the payer's bank in a dispute that was lost",
    Taking.CHARGE_RETURNED: "{} was taken back by the payer's bank, which returned the charge",
}


def taken_in_words(taken: TakenBack) -> list[str]:
    """A clause for each amount: "40.00 EUR is held by the payer's bank in a dispute"."""
    return [_WORDS[taking].format(amount) for taking, amount in taken.amounts]
