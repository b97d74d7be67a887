"""What a credential may do: a closed list of words, each an interface and an action.

A route or call names what it needs in `criticality.py`; a credential has some of these words, or
`gateway:*` for all of an interface, also those that it gets later.
"""

from collections.abc import Collection, Iterable, Mapping
from enum import StrEnum

from kassa.base.domain.errors import InvalidRequest, PermissionDenied


class Permission(StrEnum):
    BUSINESS_READ = "business:read"

    ORDERS_READ = "orders:read"
    ORDERS_CREATE = "orders:create"
    ORDERS_CANCEL = "orders:cancel"  # end an order that nobody paid
    ORDERS_CAPTURE = "orders:capture"
    ORDERS_VOID = "orders:void"
    ORDERS_REFUND = "orders:refund"

    CHECKOUT_READ = "checkout:read"
    CHECKOUT_CREATE = "checkout:create"  # begin to pay, or begin again

    GATEWAY_READ = "gateway:read"
    GATEWAY_CREATE = "gateway:create"
    GATEWAY_REFUND = "gateway:refund"

    WALLET_READ = "wallet:read"
    WALLET_CREATE = "wallet:create"
    WALLET_CANCEL = "wallet:cancel"
    WALLET_CAPTURE = "wallet:capture"
    WALLET_VOID = "wallet:void"
    WALLET_REFUND = "wallet:refund"
    WALLET_AGREE = "wallet:agree"  # ask users for agreements, take their tokens, end them

    ADMIN_READ = "admin:read"
    ADMIN_CREDENTIALS = "admin:credentials"  # add, disable, enable and rotate them
    ADMIN_BUSINESSES = "admin:businesses"

    @property
    def interface(self) -> str:
        return self.value.partition(":")[0]

    @property
    def action(self) -> str:
        return self.value.partition(":")[2]


class Bearer(StrEnum):
    """What opens a route that needs no permission, for it is no credential's."""

    NOBODY = "nobody"  # it tells nothing: health, style sheets, "there is nothing here"
    PAYER = "payer"  # a session, or a page's own address
    WALLET_USER = "wallet user"  # the secret of a user, or a code of theirs
    PROVIDER = "provider"  # a signature of the provider's


NOTHING: frozenset[Permission] = frozenset()
_ALL = ":*"

INTERFACES: Mapping[str, tuple[str, ...]] = {
    "api_key": ("business", "gateway", "admin"),
    "orders_client": ("orders",),
    "jwt_key": ("checkout",),
    "wallet_client": ("wallet",),
}
"""Which interfaces take a credential of that kind."""

FULL = "full"
PRESETS: Mapping[str, frozenset[str]] = {
    "read-only": frozenset({"read"}),
    "checkout-server": frozenset({"read", "create", "agree"}),
    "refund-desk": frozenset({"read", "refund"}),
    "back-office": frozenset({"read", "cancel", "capture", "void", "refund"}),
}
"""Actions at whatever interfaces a credential is for. Beside them there are `full`, all that its
kind has been able to do since there are permissions, and `admin`."""
_ADMIN = "admin"


def _of(interface: str) -> frozenset[Permission]:
    return frozenset(one for one in Permission if one.interface == interface)


_OF: Mapping[str, frozenset[Permission]] = {
    **{one.value: frozenset({one}) for one in Permission},
    **{f"{one}{_ALL}": _of(one) for names in INTERFACES.values() for one in names},
}


def granted(kind: str, words: Iterable[str]) -> frozenset[Permission]:
    """What a credential of that kind may do by these words. A word that is not known, or is of an
    interface that does not take this kind, is worth nothing."""
    its = INTERFACES.get(kind, ())
    found = (_OF.get(word, NOTHING) for word in words)
    return frozenset(one for some in found for one in some if one.interface in its)


def words_of(kind: str, asked: Iterable[str]) -> tuple[str, ...]:
    """The words to keep for what somebody asks for: a preset's name, permissions, or both.

    Raises: InvalidRequest.
    """
    its = INTERFACES[kind]
    kept: set[str] = set()
    for word in asked:
        if word == FULL:
            kept |= {f"{one}{_ALL}" for one in its if one != _ADMIN}
        elif word == _ADMIN and _ADMIN in its:
            kept.add(f"{_ADMIN}{_ALL}")
        elif word in PRESETS:
            kept |= {
                one.value
                for one in Permission
                if one.interface in its and one.interface != _ADMIN and one.action in PRESETS[word]
            }
        elif word in _OF and word.partition(":")[0] in its:
            kept.add(word)
        else:
            raise _unknown(kind, word)
    if not kept:
        raise InvalidRequest("a credential needs a permission", field="permissions")
    return tuple(sorted(kept))


def _unknown(kind: str, word: str) -> InvalidRequest:
    presets = [FULL, *PRESETS, *([_ADMIN] if _ADMIN in INTERFACES[kind] else [])]
    own = [one.value for one in Permission if one.interface in INTERFACES[kind]]
    return InvalidRequest(
        f"this kind of credential cannot have {word[:60]!r}: it has one of"
        f" {', '.join(presets)}, or some of {', '.join(own)}",
        field="permissions",
        reason="permission_unknown",
    )


def demand(may: Collection[Permission], needed: Collection[Permission]) -> None:
    """See that one of `needed` is there.

    Raises: PermissionDenied, in the same words for whatever is asked about.
    """
    for one in needed:
        if one in may:
            return
    wanted = " or ".join(sorted(needed))
    raise PermissionDenied(
        f"this credential may not do that: it has not the permission {wanted}",
        reason="permission_missing",
    )
