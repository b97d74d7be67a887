"""Every failure raised on purpose, as one short tree; each class has a stable `code`."""

from collections.abc import Mapping
from typing import ClassVar

from kassa.base.domain.rate_limits import Quota


class KassaError(Exception):
    """A refusal or failure with words a caller may read: it names objects and carries no secret."""

    code: ClassVar[str] = "internal"

    def __init__(self, message: str, *, field: str | None = None, reason: str | None = None):
        """`field`: the request member at fault, dotted. `reason`: a finer lower_snake code."""
        super().__init__(message)
        self.message = message
        self.field = field
        self.reason = reason or self.code


class InvalidRequest(KassaError):
    """Cannot be read as a request; nothing happened."""

    code = "invalid_request"


class Unauthenticated(KassaError):
    """Nobody known is asking: missing, wrong, expired or revoked credentials."""

    code = "unauthenticated"


class PermissionDenied(KassaError):
    """Known, but this is not theirs to do."""

    code = "permission_denied"


class NotFound(KassaError):
    """No such object, or it belongs to somebody else: the two are never told apart."""

    code = "not_found"


class IdempotencyMismatch(KassaError):
    """The same request id came with other content; nothing happened."""

    code = "idempotency_mismatch"


class InProgress(KassaError):
    """The same request is being worked on at this moment."""

    code = "in_progress"


class IllegalTransition(KassaError):
    """The object is not in a state that allows this."""

    code = "illegal_transition"


class AmountTooLarge(KassaError):
    """More than a limit, a balance or what is left allows."""

    code = "amount_too_large"


class UnsupportedOperation(KassaError):
    """The chosen method or connector cannot do that."""

    code = "unsupported"


class RateLimited(KassaError):
    """Too much at once; `retry_after_seconds` says when to come back.

    `quota`: what is used up, where that is the caller's own. `many`: others are told the same
    moment, and had better not all come at it.
    """

    code = "rate_limited"

    def __init__(
        self,
        message: str,
        *,
        retry_after_seconds: int = 1,
        reason: str = "",
        quota: Quota | None = None,
        many: bool = False,
    ):
        super().__init__(message, reason=reason)
        self.retry_after_seconds = retry_after_seconds
        self.quota = quota
        self.many = many


class Overloaded(RateLimited):
    """Nothing is wrong with the request, but there is more to do than can be done; it was given
    up so that what matters more is not."""

    code = "overloaded"


class ProviderUnavailable(KassaError):
    """The provider cannot be reached and nothing was sent to it. `retry_after_seconds`: until when
    it will not be tried either, where that is known."""

    code = "provider_unavailable"

    def __init__(
        self,
        message: str,
        *,
        field: str | None = None,
        reason: str | None = None,
        retry_after_seconds: int = 1,
    ):
        super().__init__(message, field=field, reason=reason)
        self.retry_after_seconds = retry_after_seconds


class AmbiguousCommit(KassaError):
    """The database connection broke during COMMIT: re-read by key before anything else."""

    code = "ambiguous_commit"


DATABASE_UNAVAILABLE = "database_unavailable"
"""The reason of a ProviderUnavailable that is the database's."""

RETRYABLE = frozenset(
    {"in_progress", "rate_limited", "overloaded", "provider_unavailable", "ambiguous_commit"}
)
"""Codes after which the same request may be sent again unchanged."""

ERRORS: Mapping[str, type[KassaError]] = {
    kind.code: kind
    for kind in (
        InvalidRequest,
        Unauthenticated,
        PermissionDenied,
        NotFound,
        IdempotencyMismatch,
        InProgress,
        IllegalTransition,
        AmountTooLarge,
        UnsupportedOperation,
        RateLimited,
        Overloaded,
        ProviderUnavailable,
        AmbiguousCommit,
    )
}
"""Every class by its code: each wire's error table is tested to cover these keys."""
