"""Send a payer on to a provider's page that wants a form, and take the payer back from it.

Both addresses are open to strangers. What they ask for is looked up in our own store first; only
for a charge that waits for its payer the provider is asked, by the one question that everybody
shares: at most once in `policy.query_interval`, over all processes.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from kassa.base.domain.errors import NotFound
from kassa.base.domain.lifecycle import AttemptStatus, PaymentStatus
from kassa.base.usecases.core import Core
from kassa.base.usecases.ids import company_number_of
from kassa.connectors.forms import FormCharge, FormSource
from kassa.identity.domain.principals import Mode
from kassa.identity.usecases.authenticate import company_by_number
from kassa.payments.domain.payments import Attempt
from kassa.payments.store import attempts, payments
from kassa.payments.usecases.find_payments import View, get_payment
from kassa.payments.usecases.submit_payment import PAYER
from kassa.payments.usecases.sync_payment import sync_payment
from kassa.providers.usecases.provider_accounts import account_of, kind_of_account, refresh

_REFERENCE = re.compile(r"[A-Za-z0-9_-]{4,64}")


@dataclass(frozen=True, slots=True)
class Handover:
    """What the payer's browser posts to `action`. `provider`: its name, for the payer. `is_test`:
    no real money moves there."""

    provider: str
    action: str
    fields: Mapping[str, str]
    is_test: bool


@dataclass(frozen=True, slots=True)
class _Found:
    source: FormSource
    attempt: Attempt
    view: View

    @property
    def waits(self) -> bool:
        """Whether its payer is awaited at the provider's page, as far as we know."""
        payment = self.view.payment
        return (
            payment.status is PaymentStatus.REQUIRES_ACTION
            and f"/providers/{payment.connector}/pay/" in payment.redirect_url
            and self.attempt.status is AttemptStatus.DISPATCHED
            and self.attempt.connector == payment.connector
            and datetime.now(UTC) < payment.expires_at
        )


async def handover(core: Core, account: str, reference: str, *, query: str = "") -> Handover:
    """The form that leads on to the provider's page. `query`: the payer's language, to be kept.

    Raises: NotFound, also where nothing is to be paid any more.
    """
    found = await _find(core, account, reference)
    if found.waits and not _was_asked(core, found.attempt):
        attempt = found.attempt
        await sync_payment(core, attempt.company_id, attempt.payment_id, actor=PAYER)
        found = await _find(core, account, reference)
    if not found.waits:
        raise NotFound("no such payment")
    charge = FormCharge(
        reference=found.attempt.provider_reference,
        amount=found.attempt.amount,
        returns_to=f"{core.policy.base_url}/providers/{account}/paid/{found.attempt.id}{query}",
        back=_result_page(core, found, query),
    )
    form = found.source.form(charge)
    used = account_of(core, account)
    kind = kind_of_account(used)
    title = kind.title if kind else account
    return Handover(title, form.action, form.fields, is_test=used.mode is Mode.TEST)


async def way_back(
    core: Core, account: str, reference: str, fields: Mapping[str, str], *, query: str = ""
) -> str:
    """Where a payer goes on to who comes back from the provider's page with `fields`. What became
    of the payment, they do not decide: it is asked for there.

    Raises: NotFound.
    """
    found = await _find(core, account, reference)
    if not found.source.came_back(found.attempt.provider_reference, fields):
        raise NotFound("no such payment")
    return _result_page(core, found, query)


def _was_asked(core: Core, attempt: Attempt) -> bool:
    """Just now: then there is nothing to find out, and no lock is taken for it."""
    asked = attempt.last_query_at
    return asked is not None and datetime.now(UTC) - asked < core.policy.query_interval


def _result_page(core: Core, found: _Found, query: str) -> str:
    return f"{core.policy.base_url}/pay/{found.view.order.session_token}/result{query}"


async def _find(core: Core, account: str, reference: str) -> _Found:
    """Our own charge at that account, by our reference, or by the provider's.

    Raises: NotFound, in the same words whatever is wrong.
    """
    await refresh(core)
    source = core.connectors.get(account)
    if source is None or not isinstance(source, FormSource) or not _REFERENCE.fullmatch(reference):
        raise NotFound("no such payment")
    attempt = await _attempt(core, account, reference)
    if attempt is None:
        raise NotFound("no such payment")
    return _Found(source, attempt, await get_payment(core, attempt.company_id, attempt.payment_id))


async def _attempt(core: Core, account: str, reference: str) -> Attempt | None:
    owner = account_of(core, account).company_id
    number = company_number_of(reference, "at")
    company = await company_by_number(core, number) if number is not None else None
    async with core.db.connection() as connection:
        if company is None:
            [found] = await attempts.of_references(connection, [(owner, account, reference)])
            return found
        found = await payments.find_attempt(connection, company.id, reference)
    ours = found is not None and found.connector == account and owner in ("", company.id)
    return found if ours else None
