"""Which provider account a payment takes, and which come next when that one cannot."""

from dataclasses import dataclass

from kassa.connectors.base import Capturer
from kassa.connectors.kind import Kind
from kassa.domain.errors import UnsupportedOperation
from kassa.domain.money import Money
from kassa.domain.payments import Method
from kassa.domain.providers import ProviderAccount
from kassa.usecases.core import Core
from kassa.usecases.provider_accounts import account_of, kind_of_account, refresh

NUMBER, TOKEN, REDIRECT = "number", "token", "redirect"
"""What the payer gives: a sandbox card number, a provider's token, or nothing but a click."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What a route depends on. `takes`: NUMBER, TOKEN or REDIRECT. `manual`: funds are to be
    reserved first. `account`: the one that must take it, where that is settled already (a payee's).
    `card_prefix`: up to eight first digits, where they are known. `key`: what decides a share by
    weight: the same key takes the same way. `any_currency`: where no account takes the currency,
    one that takes the method will do, to refuse it in its own words.
    """

    company_id: str
    method: Method
    amount: Money
    takes: str
    manual: bool = False
    country: str = ""
    card_prefix: str = ""
    customer_id: str = ""
    account: str = ""
    key: str = ""
    any_currency: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """`accounts`: the first takes the payment; the others follow, in this order, when nothing was
    sent or the refusal was soft. `because`: why, a sentence for each step of the choice.
    `version`: of the rules that decided, 0 where there are none."""

    accounts: tuple[str, ...]
    because: tuple[str, ...]
    version: int = 0


async def choose(core: Core, question: Question) -> Route:
    """The way this payment takes.

    Raises: UnsupportedOperation when no account can take it.
    """
    await refresh(core)
    able = candidates(core, question)
    if not able and question.any_currency:
        able = candidates(core, question, any_currency=True)
    if not able:
        raise UnsupportedOperation(
            f"no provider account of this company takes {question.method} in"
            f" {question.amount.currency} here",
            reason="method_off",
        )
    return Route(
        accounts=tuple(account.name for account in able),
        because=(f"{able[0].name} is the first account that can take it",),
    )


def candidates(
    core: Core, question: Question, *, any_currency: bool = False
) -> list[ProviderAccount]:
    """The accounts that can take it at all: the company's own first, oldest first."""
    able = [
        account
        for account in (account_of(core, name) for name in core.connectors)
        if why_not(core, account, question, any_currency=any_currency) == ""
    ]
    return sorted(able, key=lambda one: (one.company_id == "", _age(one), one.name))


def _age(account: ProviderAccount) -> str:
    return account.created_at.isoformat() if account.created_at else ""


def why_not(
    core: Core, account: ProviderAccount, question: Question, *, any_currency: bool = False
) -> str:
    """Why the account cannot take it, in a few words; "" when it can."""
    kind = kind_of_account(account)
    if not account.serves(question.company_id):
        return "belongs to another company"
    if question.account and account.name != question.account:
        return "is not the one that was asked for"
    if not account.is_active:
        return "is disabled"
    if kind is None:
        return "" if question.account == account.name else "has no kind"
    if (said := _unfit(kind, question, any_currency)) != "":
        return said
    if question.manual and not isinstance(core.connectors[account.name], Capturer):
        return "cannot reserve funds first and claim them later"
    return ""


def _unfit(kind: Kind, question: Question, any_currency: bool) -> str:
    if question.method not in kind.methods:
        return f"does not take {question.method}"
    if question.takes not in kind.takes:
        return f"does not take a payment by {question.takes}"
    known = kind.currencies is None or question.amount.currency in kind.currencies
    if not known and not any_currency:
        return f"does not take {question.amount.currency}"
    return ""


async def ways_to_pay(
    core: Core, company_id: str, amount: Money, *, manual: bool
) -> dict[Method, frozenset[str]]:
    """Each method that some account can take now, with what the payer may give for it."""
    await refresh(core)
    found: dict[Method, set[str]] = {}
    for name in list(core.connectors):
        account = account_of(core, name)
        kind = kind_of_account(account)
        for method in kind.methods if kind else ():
            for takes in kind.takes if kind else ():
                question = Question(
                    company_id=company_id,
                    method=method,
                    amount=amount,
                    takes=takes,
                    manual=manual,
                )
                if why_not(core, account, question) == "":
                    found.setdefault(method, set()).add(takes)
    return {method: frozenset(takes) for method, takes in found.items()}
