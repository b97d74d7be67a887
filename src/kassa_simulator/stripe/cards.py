"""What each test card does. Source: https://docs.stripe.com/testing"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Decline:
    code: str
    decline_code: str
    message: str


GENERIC = Decline("card_declined", "generic_decline", "Your card was declined.")

DECLINES: Mapping[str, Decline] = {
    "pm_card_chargeDeclined": GENERIC,
    "pm_card_visa_chargeDeclined": GENERIC,
    "pm_card_chargeDeclinedInsufficientFunds": Decline(
        "card_declined", "insufficient_funds", "Your card has insufficient funds."
    ),
    "pm_card_visa_chargeDeclinedInsufficientFunds": Decline(
        "card_declined", "insufficient_funds", "Your card has insufficient funds."
    ),
    "pm_card_visa_chargeDeclinedLostCard": Decline(
        "card_declined", "lost_card", "Your card was declined."
    ),
    "pm_card_visa_chargeDeclinedStolenCard": Decline(
        "card_declined", "stolen_card", "Your card was declined."
    ),
    "pm_card_chargeDeclinedFraudulent": Decline(
        "card_declined", "fraudulent", "Your card was declined."
    ),
    "pm_card_chargeDeclinedExpiredCard": Decline(
        "expired_card", "expired_card", "Your card has expired."
    ),
    "pm_card_chargeDeclinedIncorrectCvc": Decline(
        "incorrect_cvc", "incorrect_cvc", "Your card's security code is incorrect."
    ),
    "pm_card_chargeDeclinedProcessingError": Decline(
        "processing_error",
        "processing_error",
        "An error occurred while processing your card. Try again in a little bit.",
    ),
}
AUTHENTICATES = frozenset(
    {
        "pm_card_authenticationRequired",
        "pm_card_authenticationRequiredOnSetup",
        "pm_card_threeDSecure2Required",
        "pm_card_threeDSecureRequired",
    }
)
"""The payer has to say yes at the bank's page first."""
DISPUTES = frozenset({"pm_card_createDispute", "pm_card_createDisputeInquiry"})

ZERO_DECIMAL = frozenset("BIF CLP DJF GNF JPY KMF KRW MGA PYG RWF VND VUV XAF XOF XPF".split())
"""Their amounts are whole units. Source: https://docs.stripe.com/currencies#zero-decimal"""
THREE_DECIMAL = frozenset("BHD JOD KWD OMR TND".split())

_OTHERS = frozenset(
    "USD EUR GBP AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BRL BSD BWP BYN"
    " BZD CAD CDF CHF CNY COP CRC CVE CZK DKK DOP DZD EGP ETB FJD FKP GEL GIP GMD GTQ GYD HKD"
    " HNL HTG HUF IDR ILS INR ISK JMD KES KGS KHR KYD KZT LAK LBP LKR LRD LSL MAD MDL MKD MMK"
    " MNT MOP MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON"
    " RSD RUB SAR SBD SCR SEK SGD SHP SLE SOS SRD STD SZL THB TJS TOP TRY TTD TWD TZS UAH UGX"
    " UYU UZS WST XCD YER ZAR ZMW".split()
)
CURRENCIES = _OTHERS | ZERO_DECIMAL | THREE_DECIMAL
LOWEST: Mapping[str, int] = {
    "USD": 50, "EUR": 50, "GBP": 30, "JPY": 50, "CHF": 50, "CAD": 50, "AUD": 50, "HKD": 400,
    "SGD": 50, "INR": 50, "CNY": 400, "MXN": 1000, "NZD": 50, "SEK": 300, "NOK": 300, "DKK": 250,
}  # fmt: skip


def decimals(currency: str) -> int:
    """How many decimals an amount has in Stripe's smallest unit."""
    return 0 if currency in ZERO_DECIMAL else 3 if currency in THREE_DECIMAL else 2
