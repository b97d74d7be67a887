"""Companies and what proves their clients: made, shown once, closed, disabled."""

import pytest

from kassa.base.domain.errors import NotFound, Unauthenticated
from kassa.base.usecases.core import Core
from kassa.identity.usecases import companies
from kassa.identity.usecases.authenticate import authenticate_api_key, authenticate_client
from kassa.identity.usecases.companies import NewCompany
from kassa.identity.usecases.credentials import switch_credential

pytestmark = pytest.mark.anyio
WANTED = NewCompany(id="cmp_tea", business_id="biz_tea", name="Lantern Tea House", currency="CNY")


async def test_a_company_is_made_once_and_its_key_opens_it(core: Core) -> None:
    company = await companies.add_company(core, WANTED)
    again = await companies.add_company(core, WANTED)
    await companies.put_api_key(core, company, "sk_a1_secret")

    principal = await authenticate_api_key(core, "sk_a1_secret")

    assert again == company
    assert principal.company == company


@pytest.mark.parametrize("secret", ["sk_a1_other", "sk_a1", "", "sk_b2_secret", "sk_a1_secret "])
async def test_another_secret_opens_nothing(core: Core, secret: str) -> None:
    company = await companies.add_company(core, WANTED)
    await companies.put_api_key(core, company, "sk_a1_secret")

    with pytest.raises(Unauthenticated):
        await authenticate_api_key(core, secret)


async def test_an_orders_secret_is_no_api_key(core: Core) -> None:
    company = await companies.add_company(core, WANTED)
    await companies.put_orders_client(core, company, "sk_a1", "sk_a1_secret")

    assert (await authenticate_client(core, "sk_a1", "sk_a1_secret")).company == company
    with pytest.raises(Unauthenticated):
        await authenticate_api_key(core, "sk_a1_secret")


async def test_closing_the_company_and_disabling_the_key_shut_the_door(core: Core) -> None:
    company = await companies.add_company(core, WANTED)
    await companies.put_api_key(core, company, "sk_a1_secret")
    await companies.close_company(core, company.id)
    with pytest.raises(Unauthenticated):
        await authenticate_api_key(core, "sk_a1_secret")
    core.gatherers.clear()  # as a second later
    await companies.close_company(core, company.id, closed=False)
    await switch_credential(core, "key:sk_a1", active=False)

    with pytest.raises(Unauthenticated):
        await authenticate_api_key(core, "sk_a1_secret")


async def test_what_is_not_there_is_not_found(core: Core) -> None:
    with pytest.raises(NotFound):
        await companies.close_company(core, "cmp_nobody")
    with pytest.raises(NotFound):
        await switch_credential(core, "key:sk_nobody", active=False)
    with pytest.raises(NotFound):
        await companies.get_company(core, "cmp_nobody")
