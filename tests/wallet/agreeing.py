"""An agreement made by the verbs alone, without a page."""

from typing import Any

from kassa.base.usecases.core import Core
from kassa.identity.domain.principals import Company
from kassa.wallet.domain.agreements import PAY, Agreement
from kassa.wallet.domain.wallet_codes import CodeKind
from kassa.wallet.usecases.agreements import (
    AgreementPage,
    AskedAgreement,
    NewAgreement,
    Tokens,
    agree,
    ask_agreement,
    auth_code_of,
    exchange,
    open_agreement,
)
from kassa.wallet.usecases.wallet_codes import NewCode, Presented, make_pay_code
from kassa.wallet.usecases.wallet_users import add_wallet_user

USER = "wu_agreed"


async def asked(core: Core, company: Company, client_id: str, **changes: Any) -> AskedAgreement:
    wanted: dict[str, Any] = {
        "company": company,
        "business_id": company.business_id,
        "client_id": client_id,
        "belongs_to": "KASSA",
        "auth_client_id": "",
        "scopes": (PAY,),
        "redirect_url": "https://shop.example/agreed",
        "notify_url": "",
        "auth_state": "s1",
    }
    return await ask_agreement(core, NewAgreement(**wanted | changes))


async def consented(core: Core, page: AgreementPage, user: str = USER) -> Agreement:
    wanted = NewCode(company_id=page.company.id, user_id=user)
    code = await make_pay_code(core, wanted, CodeKind.CONSENT_CODE)
    shown = Presented(
        company_id=page.company.id,
        code=code.text,
        user_id=user,
        client_id=page.agreement.client_id,
    )
    return await agree(core, page, shown)


async def tokens(core: Core, company: Company, client_id: str, **changes: Any) -> Tokens:
    await add_wallet_user(core, company.id, USER)
    made = await asked(core, company, client_id, **changes)
    agreement = await consented(core, await open_agreement(core, made.token))
    code = auth_code_of(core, agreement)
    return await exchange(core, company.id, client_id, CodeKind.AUTH_CODE, code)


async def an_agreement(core: Core, company: Company, client_id: str) -> str:
    """The user who agreed."""
    await tokens(core, company, client_id)
    return USER
