"""Agreement pay: asking a user for it, getting tokens for it, ending it."""

from collections.abc import Mapping
from typing import Annotated, Any

from msgspec import Meta

from kassa.base.domain.errors import InvalidRequest
from kassa.base.usecases.core import Core
from kassa.faces import edge
from kassa.faces.wallet import reading
from kassa.faces.wallet.contract import Answer, WalletResult, write_result, write_time
from kassa.faces.wallet.reading import NOT_THIS_API, Members, Shape
from kassa.identity.domain.principals import WalletClient
from kassa.wallet.domain.agreements import PAY, SCOPES, USER_ID
from kassa.wallet.domain.wallet_codes import CodeKind
from kassa.wallet.usecases.agreements import (
    NewAgreement,
    Tokens,
    ask_agreement,
    end_by_token,
    exchange,
)

NOT_GRANTED = "grant_type"
"""Reason of a refusal of a grantType that there is not."""

TOKEN_RESULT: Mapping[str, str] = {
    "code_unknown": "INVALID_CODE",
    "code_used": "USED_CODE",
    "code_expired": "EXPIRED_CODE",
    "refresh_token_unknown": "INVALID_REFRESH_TOKEN",
    "refresh_token_used": "USED_REFRESH_TOKEN",
    "refresh_token_expired": "EXPIRED_REFRESH_TOKEN",
    NOT_GRANTED: "AUTH_CLIENT_UNSUPPORTED_GRANT_TYPE",
}
REVOKE_RESULT: Mapping[str, str] = {"token_unknown": "INVALID_ACCESS_TOKEN"}
"""Each API's own codes, by the reason of a refusal; contract.py has those of all APIs."""

_GRANTS: Mapping[str, tuple[str, CodeKind]] = {
    "AUTHORIZATION_CODE": ("authCode", CodeKind.AUTH_CODE),
    "REFRESH_TOKEN": ("refreshToken", CodeKind.REFRESH_TOKEN),
}
_NEEDED = ("customerBelongsTo", "authRedirectUrl", "scopes", "authState")

Name = Annotated[str, Meta(min_length=1, max_length=64)]
Token = Annotated[str, Meta(min_length=1, max_length=128)]


class ConsultRequest(Shape):
    customer_belongs_to: Name
    auth_redirect_url: Annotated[str, Meta(min_length=1, max_length=1024)]
    scopes: Annotated[list[Annotated[str, Meta(max_length=32)]], Meta(min_length=1, max_length=4)]
    auth_state: Annotated[str, Meta(min_length=1, max_length=256)]
    auth_client_id: Annotated[str, Meta(max_length=64)] = ""
    auth_notify_url: Annotated[str, Meta(max_length=1024)] = ""


class ApplyTokenRequest(Shape):
    grant_type: Annotated[str, Meta(max_length=32)]
    customer_belongs_to: Annotated[str, Meta(max_length=64)] = ""
    auth_code: Annotated[str, Meta(max_length=64)] = ""
    refresh_token: Annotated[str, Meta(max_length=128)] = ""


class RevokeRequest(Shape):
    access_token: Token


async def consult(core: Core, client: WalletClient, members: Members) -> Answer:
    """The address of a page on which the wallet's user agrees, or does not."""
    reading.require(members, _NEEDED)
    sent = edge.convert(members, ConsultRequest)
    asked = await ask_agreement(
        core,
        NewAgreement(
            company=client.company,
            business_id=client.business_id,
            client_id=client.client_id,
            belongs_to=sent.customer_belongs_to,
            auth_client_id=sent.auth_client_id,
            scopes=_read_scopes(sent.scopes),
            redirect_url=_read_redirect(sent.auth_redirect_url),
            notify_url=sent.auth_notify_url,
            auth_state=sent.auth_state,
        ),
    )
    url = f"{core.policy.base_url}/agree/{asked.token}"
    return write_result(WalletResult("SUCCESS")) | {"authUrl": url, "normalUrl": url}


def _read_scopes(sent: list[str]) -> list[str]:
    """In our order, each once."""
    for name in sent:
        if name not in SCOPES:
            raise InvalidRequest(
                f"this wallet offers the scopes {' and '.join(SCOPES)}",
                field="scopes",
                reason=NOT_THIS_API,
            )
    if PAY not in sent:
        raise InvalidRequest(f"scopes must hold {PAY}", field="scopes", reason=NOT_THIS_API)
    return [name for name in SCOPES if name in sent]


def _read_redirect(url: str) -> str:
    """What follows a # would swallow the code."""
    reading.check_web_address(url, "authRedirectUrl")
    if "#" in url:
        raise InvalidRequest(
            "authRedirectUrl must have no fragment", field="authRedirectUrl", reason="url_refused"
        )
    return url


async def apply_token(core: Core, client: WalletClient, members: Members) -> Answer:
    """Tokens for the code that came back with the user, or newer ones for a refresh token."""
    reading.require(members, ("grantType",))
    sent = edge.convert(members, ApplyTokenRequest)
    if sent.grant_type not in _GRANTS:
        raise InvalidRequest(
            f"grantType must be {' or '.join(_GRANTS)}", field="grantType", reason=NOT_GRANTED
        )
    name, kind = _GRANTS[sent.grant_type]
    reading.require(members, (name,))
    made = await exchange(
        core,
        client.company.id,
        client.client_id,
        kind,
        sent.auth_code if kind is CodeKind.AUTH_CODE else sent.refresh_token,
        belongs_to=sent.customer_belongs_to,
    )
    return write_result(WalletResult("SUCCESS")) | write_tokens(made)


def write_tokens(made: Tokens) -> Answer:
    """A pair with its times, and who agreed, where they agreed to be known."""
    agreement = made.agreement
    written: dict[str, Any] = {
        "accessToken": made.access_token,
        "refreshToken": made.refresh_token,
    }
    if agreement.access_expires_at is not None:
        written["accessTokenExpiryTime"] = write_time(agreement.access_expires_at)
    if agreement.refresh_expires_at is not None:
        written["refreshTokenExpiryTime"] = write_time(agreement.refresh_expires_at)
    if agreement.may(USER_ID):
        written["customerId"] = agreement.user_id
    return written


async def revoke(core: Core, client: WalletClient, members: Members) -> Answer:
    """The whole agreement ends, with all its tokens."""
    reading.require(members, ("accessToken",))
    sent = edge.convert(members, RevokeRequest)
    await end_by_token(
        core, client.company.id, client.client_id, sent.access_token, by=client.actor
    )
    return write_result(WalletResult("SUCCESS"))


def write_agreement(type_: str, told: Answer) -> Answer:
    """A notification's body; only what went well is told."""
    return {"authorizationNotifyType": type_, **told} | write_result(WalletResult("SUCCESS"))
