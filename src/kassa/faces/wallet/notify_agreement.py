"""The notification of an agreement, as posted to authNotifyUrl."""

from kassa.base.domain.lifecycle import AgreementStatus
from kassa.base.usecases.core import Core, WebhookRequest
from kassa.faces import edge
from kassa.faces.wallet.agreements import write_agreement, write_tokens
from kassa.faces.wallet.contract import Answer
from kassa.faces.wallet.notify import SignedNotifications
from kassa.payments.domain.changes import WebhookEvent
from kassa.wallet.domain.agreements import USER_ID, Agreement
from kassa.wallet.usecases.agreements import auth_code_of, tokens_of


class AgreementNotifications(SignedNotifications):
    """It tells how the agreement stands when it is sent: that it has ended, once it has."""

    def write(self, core: Core, announcement: WebhookEvent, agreement: Agreement) -> WebhookRequest:
        body = edge.to_json(write_notification(core, agreement))
        return self._signed(core, announcement, agreement.client_id, body)


def write_notification(core: Core, agreement: Agreement) -> Answer:
    """Codes and tokens are made again here: the database holds none."""
    told: Answer = {}
    if agreement.auth_client_id:
        told["authClientId"] = agreement.auth_client_id
    if agreement.status is AgreementStatus.AGREED:
        type_ = "AUTHCODE_CREATED"
        told["authCode"] = auth_code_of(core, agreement)
    elif agreement.status is AgreementStatus.ACTIVE:
        type_ = "TOKEN_CREATED"
        told |= write_tokens(tokens_of(core, agreement))
    else:
        type_ = "TOKEN_CANCELED"
        if agreement.generation:
            told["accessToken"] = tokens_of(core, agreement).access_token
    told["authState"] = agreement.auth_state
    if agreement.may(USER_ID):
        told["userId"] = agreement.user_id
    return write_agreement(type_, told)
