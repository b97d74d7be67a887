"""Send a payer on to a provider's page that wants a form, and take the payer back from it."""

from collections.abc import Mapping
from dataclasses import dataclass

from kassa.connectors.base import Connector, InDoubt, NotSent, Unknown
from kassa.connectors.forms import Form, FormSource
from kassa.domain.errors import NotFound, ProviderUnavailable
from kassa.usecases.core import Core
from kassa.usecases.provider_accounts import account_of, kind_of_account, refresh
from kassa.usecases.provider_calls import Task, ask_provider


@dataclass(frozen=True, slots=True)
class Handover:
    """What the payer's browser posts to `action`. `provider`: its name, for the payer."""

    provider: str
    action: str
    fields: Mapping[str, str]


async def handover(core: Core, account: str, reference: str) -> Handover:
    """The form that leads on to the provider's page.

    Raises: NotFound, also where nothing is to be paid any more; ProviderUnavailable.
    """
    await _find(core, account)

    async def ask(connector: Connector) -> Form | NotSent | InDoubt | Unknown:
        if not isinstance(connector, FormSource):
            return Unknown(reason="its page needs no form")
        return await connector.form(reference)

    form = await ask_provider(core, account, Task.QUERY, ask)
    if not isinstance(form, Form):
        raise _failed(form)
    kind = kind_of_account(account_of(core, account))
    return Handover(kind.title if kind else account, form.action, form.fields)


async def way_back(core: Core, account: str, reference: str, fields: Mapping[str, str]) -> str:
    """Where a payer goes on to who comes back from the provider's page with `fields`. What became
    of the payment, they do not decide: it is asked for there.

    Raises: NotFound, ProviderUnavailable.
    """
    await _find(core, account)

    async def ask(connector: Connector) -> str | NotSent | InDoubt | Unknown:
        if not isinstance(connector, FormSource):
            return Unknown(reason="nobody comes back from there")
        return await connector.came_back(reference, fields)

    address = await ask_provider(core, account, Task.QUERY, ask)
    if not isinstance(address, str):
        raise _failed(address)
    return address


async def _find(core: Core, account: str) -> None:
    await refresh(core)
    if account not in core.connectors:
        raise NotFound("no such payment")


def _failed(told: NotSent | InDoubt | Unknown) -> NotFound | ProviderUnavailable:
    if isinstance(told, Unknown):
        return NotFound("no such payment")
    return ProviderUnavailable("the provider cannot be asked now; try again")
