"""What happened, in words for people: the one catalog. Nothing reads a word of it."""

from collections.abc import Mapping

from kassa.base.domain.lifecycle import DisputeStatus, PaymentEvent
from kassa.payments.domain import facts
from kassa.payments.domain.disputes import DisputeEffect
from kassa.payments.domain.fact import Fact

_WORDS: Mapping[type[Fact], str] = {
    facts.PaymentCreated: "create",
    facts.PaymentRequested: "payment requested",
    facts.PaymentOpened: "opened by the customer",
    facts.AttemptStarted: "submit",
    facts.AttemptRerouted: "reroute",
    facts.ActionRequired: "action_needed",
    facts.RedirectRenewed: "redirect renewed",
    facts.AttemptAccepted: "accepted by the provider",
    facts.AttemptDoubted: "in doubt",
    facts.AttemptLeft: "left, because it is paid otherwise",
    facts.AmountDiffers: "the provider says another amount",
    facts.PaymentAuthorized: "authorize",
    facts.AuthorizedTooLate: "reserved too late",
    facts.PaymentCaptured: "capture",
    facts.PaidTwice: "paid twice",
    facts.TransferReceived: "a part came by transfer",
    facts.TransferReversed: "that part went back",
    facts.TransferOverpaid: "more came by transfer than was owed",
    facts.PaymentCanceled: "cancel",
    facts.PaymentExpired: "expire",
    facts.OrderCanceled: "canceled after its end",
    facts.ModificationAmountDiffers: "another amount was moved",
    facts.CaptureCompleted: "capture",
    facts.CaptureUnowed: "capture",
    facts.CaptureUnbooked: "captured after it was let go",
    facts.LateReservationReleased: "late reservation let go",
    facts.RefundCompleted: "refunded",
    facts.OverpaymentReturned: "surplus returned",
    facts.RefundReversed: "refund came back",
    facts.RefundUnbooked: "refunded although it had failed, beyond what is left",
    facts.ChargeReturned: "charge returned by the payer's bank",
    facts.DisputeEventLate: "late news of a dispute",
    facts.DisputeNotOurs: "a dispute that cannot be ours",
}


def words(fact: Fact) -> str:
    """A short name of what happened, in English."""
    match fact:
        case facts.AttemptNotSent():
            return "not_sent" if fact.decisive else "not sent"
        case facts.AttemptDeclined():
            return "decline" if fact.decisive else "an attempt was declined"
        case facts.ModificationRequested():
            return f"{_name(fact)} requested"
        case facts.FoundAtProvider():
            return f"{fact.what} made at the provider"
        case facts.ModificationRefused():
            return f"{_name(fact)} refused"
        case facts.ReservationReleased():
            return "what was reserved is let go" if fact.how is PaymentEvent.NOTE else fact.how
        case facts.DisputeMoved():
            return _of_dispute(fact)
        case facts.Reported():
            return _of_report(fact)
        case facts.Remark():
            return fact.text or "note"
    return _WORDS[type(fact)]


def _name(fact: "facts.ModificationRequested | facts.ModificationRefused") -> str:
    return "surplus return" if fact.surplus and fact.what == "refund" else fact.what


def _of_dispute(fact: facts.DisputeMoved) -> str:
    if fact.foreign:
        foreign = " and ".join(fact.foreign)
        return f"dispute {fact.status}: not booked, in another currency: {foreign}"
    if fact.effect is DisputeEffect.WITHDRAWN:
        return "disputed"
    if fact.effect is DisputeEffect.RETURNED and fact.status is DisputeStatus.WON:
        return "dispute won"
    if fact.effect is DisputeEffect.RETURNED:
        return "dispute closed" if not fact.taken or not fact.taken.minor else "dispute reduced"
    return f"dispute {fact.status}"


def _of_report(fact: facts.Reported) -> str:
    if fact.settles:
        return "settle" if fact.file else "settle: all of it was reported, nothing is reserved"
    return "reported in part" if fact.counted_minor else "the provider's own fee"
