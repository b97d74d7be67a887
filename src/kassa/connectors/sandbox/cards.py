"""The test cards and tokens, and the story each of them plays."""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum


class SandboxState(StrEnum):
    """What the provider's books say of a charge."""

    AUTHORIZED = "authorized"  # the money is reserved, and nothing was taken
    CAPTURED = "captured"  # the money was taken, or a first part of what was reserved
    VOIDED = "voided"  # what was reserved was let go, and nothing was taken
    DECLINED = "declined"  # it will never be taken under this key
    ACTION_NEEDED = "action_needed"  # the payer has to visit the challenge page
    PENDING = "pending"  # decided later, on its own
    LOST = "lost"  # the request never arrived; the books deny the charge until they close it
    RETURNED = "returned"  # it was taken, and the payer's bank has taken it back


class CardAnswer(StrEnum):
    """What the caller gets to hear of the call itself."""

    PROMPT = "prompt"
    SLOW = "slow"
    NEVER = "never"


class DisputeState(StrEnum):
    """What the provider's books say of a dispute."""

    COMING = "coming"  # the payer has not complained yet
    NEEDS_RESPONSE = "needs_response"  # the money was withdrawn; the merchant may answer
    UNDER_REVIEW = "under_review"
    WON = "won"  # the money and the fee were returned
    LOST = "lost"


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """How a card's bank takes what is asked after the charge.

    `arrives`: False loses the first request under each key on its way; a repeat arrives.
    `refusal`: why it is refused, if it is. `after`: how long it stays pending; then it tells.
    `comes_back`: how long after it was done it fails after all, and tells; 0: never.
    """

    answer: CardAnswer = CardAnswer.PROMPT
    arrives: bool = True
    refusal: str = ""
    after: timedelta = timedelta(0)
    comes_back: timedelta = timedelta(0)


AS_ASKED = Manner()


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One card. `state`: how the charge is booked at first; `reason`: of a decline, now or later.

    `turns_to`, `turns_after`: what the charge becomes on its own; `tells`: whether a notification
    is sent then. Where it says captured, a charge that shall only reserve becomes authorized.
    `claims`: its captures and voids; `refunds`: its refunds. `dispute`: what becomes of a dispute,
    and how long after the money was taken; `returns`: how long after that its bank takes all of
    it back, 0: never. `happens`, `happens_zh`: the story, for people.
    """

    name: str
    number: str
    happens: str
    happens_zh: str
    state: SandboxState
    reason: str = ""
    answer: CardAnswer = CardAnswer.PROMPT
    turns_to: SandboxState | None = None
    turns_after: timedelta = timedelta(0)
    tells: bool = True
    claims: Manner = AS_ASKED
    refunds: Manner = AS_ASKED
    dispute: tuple[tuple[timedelta, DisputeState], ...] = ()
    returns: timedelta = timedelta(0)

    @property
    def token(self) -> str:
        """What a caller may give in place of the number."""
        return f"pm_sandbox_{self.name}"

    @property
    def spaced_number(self) -> str:
        """The number as it is printed on a card."""
        return " ".join(self.number[at : at + 4] for at in range(0, len(self.number), 4))


SLOW_ANSWER = timedelta(seconds=3)
_SOON = timedelta(seconds=2)
_OPENED = (_SOON, DisputeState.NEEDS_RESPONSE)
_REVIEWED = (2 * _SOON, DisputeState.UNDER_REVIEW)

SCENARIOS: tuple[Scenario, ...] = (
    Scenario(
        name="paid",
        number="4242424242424242",
        happens="Paid at once",
        happens_zh="立即支付成功",
        state=SandboxState.CAPTURED,
    ),
    Scenario(
        name="declined",
        number="4000000000000002",
        happens="Declined by the bank",
        happens_zh="银行拒绝",
        state=SandboxState.DECLINED,
        reason="card_declined",
    ),
    Scenario(
        name="insufficient_funds",
        number="4000000000009995",
        happens="Declined: not enough money",
        happens_zh="拒绝：余额不足",
        state=SandboxState.DECLINED,
        reason="insufficient_funds",
    ),
    Scenario(
        name="expired_card",
        number="4000000000000069",
        happens="Declined: the card has expired",
        happens_zh="拒绝：卡已过期",
        state=SandboxState.DECLINED,
        reason="expired_card",
    ),
    Scenario(
        name="incorrect_cvc",
        number="4000000000000127",
        happens="Declined: wrong security code",
        happens_zh="拒绝：安全码错误",
        state=SandboxState.DECLINED,
        reason="incorrect_cvc",
    ),
    Scenario(
        name="action_needed",
        number="4000000000003220",
        happens="Asks the payer to approve on the provider's own page",
        happens_zh="需要付款人在银行页面上确认",
        state=SandboxState.ACTION_NEEDED,
        reason="authentication_expired",
        turns_to=SandboxState.DECLINED,
    ),
    Scenario(
        name="paid_later",
        number="4000000000000259",
        happens="Pending, then paid by a notification after 2 seconds",
        happens_zh="处理中，2 秒后通知支付成功",
        state=SandboxState.PENDING,
        turns_to=SandboxState.CAPTURED,
        turns_after=_SOON,
    ),
    Scenario(
        name="declined_later",
        number="4000000000000341",
        happens="Pending, then declined by a notification after 2 seconds",
        happens_zh="处理中，2 秒后通知被拒绝",
        state=SandboxState.PENDING,
        reason="card_declined",
        turns_to=SandboxState.DECLINED,
        turns_after=_SOON,
    ),
    Scenario(
        name="paid_but_silent",
        number="4000000000000077",
        happens="Charged, but the answer is lost and no notification comes: only a query tells",
        happens_zh="已扣款，但应答丢失且没有通知：只能查询得知",
        state=SandboxState.CAPTURED,
        answer=CardAnswer.NEVER,
    ),
    Scenario(
        name="lost",
        number="4000000000000119",
        happens="No answer and not charged: unknown for 5 seconds, then a query says declined",
        happens_zh="没有应答也未扣款：5 秒内查无此单，之后查询显示被拒绝",
        state=SandboxState.LOST,
        reason="never_arrived",
        answer=CardAnswer.NEVER,
        turns_to=SandboxState.DECLINED,
        turns_after=timedelta(seconds=5),
        tells=False,
    ),
    Scenario(
        name="slow",
        number="4000000000005126",
        happens="Paid, but the answer takes 3 seconds",
        happens_zh="支付成功，但应答需要 3 秒",
        state=SandboxState.CAPTURED,
        answer=CardAnswer.SLOW,
    ),
    Scenario(
        name="refund_slow",
        number="4000000000006017",
        happens="Paid; a refund is done, but its answer takes 3 seconds",
        happens_zh="支付成功；退款成功，但应答需要 3 秒",
        state=SandboxState.CAPTURED,
        refunds=Manner(answer=CardAnswer.SLOW),
    ),
    Scenario(
        name="refund_lost_answer",
        number="4000000000006025",
        happens="Paid; a refund is done, but its answer is lost: only a query tells",
        happens_zh="支付成功；退款成功，但应答丢失：只能查询得知",
        state=SandboxState.CAPTURED,
        refunds=Manner(answer=CardAnswer.NEVER),
    ),
    Scenario(
        name="refund_never_arrived",
        number="4000000000006033",
        happens="Paid; the first request for a refund is lost on its way, a repeat arrives",
        happens_zh="支付成功；第一次退款请求未到达，重发后到达",
        state=SandboxState.CAPTURED,
        refunds=Manner(arrives=False),
    ),
    Scenario(
        name="refund_pending",
        number="4000000000006041",
        happens="Paid; a refund is pending, then done by a notification after 2 seconds",
        happens_zh="支付成功；退款处理中，2 秒后通知退款成功",
        state=SandboxState.CAPTURED,
        refunds=Manner(after=_SOON),
    ),
    Scenario(
        name="refund_refused",
        number="4000000000006058",
        happens="Paid; a refund is refused",
        happens_zh="支付成功；退款被拒绝",
        state=SandboxState.CAPTURED,
        refunds=Manner(refusal="refund_refused"),
    ),
    Scenario(
        name="refund_refused_later",
        number="4000000000006066",
        happens="Paid; a refund is pending, then refused by a notification after 2 seconds",
        happens_zh="支付成功；退款处理中，2 秒后通知被拒绝",
        state=SandboxState.CAPTURED,
        refunds=Manner(refusal="refund_refused", after=_SOON),
    ),
    Scenario(
        name="refund_returned",
        number="4000000000006074",
        happens="Paid; a refund is done, and fails by a notification after 2 seconds",
        happens_zh="支付成功；退款成功，2 秒后通知退款失败，款项退回",
        state=SandboxState.CAPTURED,
        refunds=Manner(comes_back=_SOON),
    ),
    Scenario(
        name="capture_lost_answer",
        number="4000000000007015",
        happens="Paid; a capture or void is done, but its answer is lost: only a query tells",
        happens_zh="支付成功；请款或撤销成功，但应答丢失：只能查询得知",
        state=SandboxState.CAPTURED,
        claims=Manner(answer=CardAnswer.NEVER),
    ),
    Scenario(
        name="capture_never_arrived",
        number="4000000000007023",
        happens="Paid; the first request to capture or void is lost on its way, a repeat arrives",
        happens_zh="支付成功；第一次请款或撤销请求未到达，重发后到达",
        state=SandboxState.CAPTURED,
        claims=Manner(arrives=False),
    ),
    Scenario(
        name="capture_refused",
        number="4000000000007031",
        happens="Paid, or reserved; what is reserved can only be voided: a capture is refused",
        happens_zh="支付或预授权成功；请款被拒绝，只能撤销",
        state=SandboxState.CAPTURED,
        claims=Manner(refusal="capture_refused"),
    ),
    Scenario(
        name="disputed",
        number="4000000000008013",
        happens="Paid, then disputed after 2 seconds; the dispute stays open",
        happens_zh="支付成功，2 秒后付款人提出争议；争议保持未决",
        state=SandboxState.CAPTURED,
        dispute=(_OPENED,),
    ),
    Scenario(
        name="dispute_won",
        number="4000000000008021",
        happens="Paid, then disputed after 2 seconds; won 4 seconds later",
        happens_zh="支付成功，2 秒后付款人提出争议；再过 4 秒商户胜诉",
        state=SandboxState.CAPTURED,
        dispute=(_OPENED, _REVIEWED, (3 * _SOON, DisputeState.WON)),
    ),
    Scenario(
        name="dispute_lost",
        number="4000000000008039",
        happens="Paid, then disputed after 2 seconds; lost 4 seconds later",
        happens_zh="支付成功，2 秒后付款人提出争议；再过 4 秒商户败诉",
        state=SandboxState.CAPTURED,
        dispute=(_OPENED, _REVIEWED, (3 * _SOON, DisputeState.LOST)),
    ),
    Scenario(
        name="returned",
        number="4000000000008047",
        happens="Paid, then taken back by the payer's bank after 2 seconds, for good",
        happens_zh="支付成功，2 秒后被付款人的银行收回，且不再返还",
        state=SandboxState.CAPTURED,
        returns=_SOON,
    ),
)
"""Every documented card, in the order to show them."""

RETURNED_REFUND = "refund_returned"
RETURNED_CHARGE = "returned_by_bank"

MESSAGES: Mapping[str, str] = {
    "card_declined": "The card was declined by the bank that issued it.",
    "insufficient_funds": "There is not enough money on the card.",
    "expired_card": "The card has expired.",
    "incorrect_cvc": "The security code is not correct.",
    "invalid_card_number": "This is not a valid card number.",
    "not_a_sandbox_card": "This is not a sandbox card: use one of the documented test numbers.",
    "authentication_refused": "The payer refused the payment.",
    "authentication_expired": "The payer did not approve the payment in time.",
    "never_arrived": "The request never arrived and was closed; nothing was charged.",
    "voided": "The payment was canceled before it was collected.",
    "authorization_expired": "The reservation ran out before the payment was collected.",
    "no_such_charge": "There is no such charge.",
    "currency_mismatch": "The charge was made in another currency.",
    "not_authorized": "Nothing is reserved for this charge.",
    "already_captured": "All that was reserved has been captured or let go.",
    "already_voided": "What was reserved has been let go already.",
    "capture_too_large": "This is more than what is still reserved.",
    "capture_refused": "The bank refused to pay what it had reserved.",
    "not_captured": "Nothing was taken, so that nothing can be given back.",
    "refund_too_large": "This is more than what was taken and not given back yet.",
    "refund_refused": "The bank refused to take the money back.",
    RETURNED_REFUND: "The bank sent the money that was given back to us again.",
    RETURNED_CHARGE: "The payer's bank has taken the money back.",
}
"""Each reason why something was refused or let go, in words a payer may read."""

REFUSED_BY_PAYER = "authentication_refused"

_BY_INSTRUMENT: Mapping[str, Scenario] = {
    key: scenario for scenario in SCENARIOS for key in (scenario.number, scenario.token)
}
_BY_NAME: Mapping[str, Scenario] = {scenario.name: scenario for scenario in SCENARIOS}
_LONGEST = 64


def _declined(name: str) -> Scenario:
    """A story for what is no test card; it has no number of its own."""
    words = MESSAGES[name]
    return Scenario(
        name=name,
        number="",
        happens=words,
        happens_zh=words,
        state=SandboxState.DECLINED,
        reason=name,
    )


_NOT_OURS = _declined("not_a_sandbox_card")
_NOT_A_CARD = _declined("invalid_card_number")


def scenario_for(instrument: str) -> Scenario:
    """The story of a card number (spaces and dashes do not matter) or a token."""
    compact = _compact(instrument)
    if compact.startswith("pm_"):
        return _BY_INSTRUMENT.get(instrument.strip(), _NOT_OURS)
    if not _is_card_number(compact):
        return _NOT_A_CARD
    return _BY_INSTRUMENT.get(compact, _NOT_OURS)


def story_named(name: str) -> Scenario:
    """The story that a charge was booked with; a plain one for a name of former times."""
    return _BY_NAME.get(name, SCENARIOS[0])


def mask(instrument: str) -> str:
    """What may be kept: a known token whole, of anything with a number's length four digits."""
    if instrument.strip() in _BY_INSTRUMENT and instrument.strip().startswith("pm_"):
        return instrument.strip()
    compact = _compact(instrument)
    return f"•••• {compact[-4:]}" if _is_card_number(compact) else "••••"


def _compact(instrument: str) -> str:
    if len(instrument) > _LONGEST:
        return ""
    # NFKC turns the full-width digits of a Chinese keyboard into ordinary ones.
    return re.sub(r"[\s-]", "", unicodedata.normalize("NFKC", instrument))


def _is_card_number(compact: str) -> bool:
    """Whether it is 12 to 19 digits with a correct check digit (ISO/IEC 7812-1)."""
    if not re.fullmatch(r"[0-9]{12,19}", compact):
        return False
    doubled = (int(digit) * (1 + at % 2) for at, digit in enumerate(reversed(compact)))
    return sum(value // 10 + value % 10 for value in doubled) % 10 == 0
