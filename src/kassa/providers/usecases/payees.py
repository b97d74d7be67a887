"""Payees: only those that a company has registered may direct a payment."""

import re
from dataclasses import dataclass

from kassa.base.domain.errors import InvalidRequest, NotFound
from kassa.base.domain.lifecycle import PayeeStatus
from kassa.base.usecases import keyed
from kassa.base.usecases.core import Core
from kassa.base.usecases.keyring import Purpose
from kassa.identity.domain.audit import Act
from kassa.identity.usecases import audit
from kassa.identity.usecases.authenticate import forget, remembered
from kassa.providers.domain.payees import Payee
from kassa.providers.store import payees as store
from kassa.providers.usecases.provider_accounts import own_account

_GROUPING = re.compile(r"[\s-]")
_LONGEST = 64
_SHOWABLE = 8  # characters; of a shorter number the last four would give most of it away
_SHOWN = 4


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class NewPayee:
    """`account_number`: as printed; spaces and hyphens do not matter."""

    company_id: str
    account_type: str
    account_number: str
    account_name: str = ""
    bank_name: str = ""
    provider_account: str = ""


def _bare(number: str) -> str:
    return _GROUPING.sub("", number)


def _hashes(core: Core, company_id: str, number: str) -> list[bytes]:
    """All that it may be kept as, the newest first. Keyed: account numbers are few enough to be
    guessed from a bare hash."""
    text = f"payee|{company_id}|{_bare(number)}".encode("utf-8", "surrogatepass")
    return keyed.every(core.secrets.of(Purpose.FINGERPRINTS), text, keyed.blake2b)


async def register_payee(core: Core, wanted: NewPayee) -> Payee:
    """Register the payee, or give the one of that account number new particulars.

    Raises: InvalidRequest, NotFound (no such provider account).
    """
    bare = _bare(wanted.account_number)
    if not bare or len(bare) > _LONGEST or not bare.isprintable():
        raise InvalidRequest(f"the account number must have 1 to {_LONGEST} characters")
    if wanted.provider_account:
        await own_account(core, wanted.company_id, wanted.provider_account)
    payee = Payee(
        company_id=wanted.company_id,
        id=core.new_id("payee"),
        account_type=wanted.account_type,
        account_shown="****" + (bare[-_SHOWN:] if len(bare) >= _SHOWABLE else ""),
        account_name=wanted.account_name,
        bank_name=wanted.bank_name,
        provider_account=wanted.provider_account,
    )
    async with core.db.transaction() as connection:
        hashes = _hashes(core, wanted.company_id, bare)
        kept = await store.hash_of(connection, wanted.company_id, hashes) or hashes[0]
        await store.put(connection, payee, kept)
        found, _ = await store.find(connection, wanted.company_id, [kept])
        assert found is not None
        said = {
            "account": found.account_shown,
            "type": found.account_type,
            "through": found.provider_account or None,
        }
        await audit.note(core, connection, Act.PAYEE_PUT, found.company_id, found.id, after=said)
    forget(core, _has_none(wanted.company_id))
    return found


def _has_none(company_id: str) -> str:
    return f"no payees:{company_id}"


async def requires_payees(core: Core, company_id: str) -> bool:
    """Whether a payment request may name registered payees only: from the first one on, also when
    all of them are disabled."""
    return bool(await list_payees(core, company_id))


async def list_payees(core: Core, company_id: str) -> list[Payee]:
    async with core.db.connection() as connection:
        return await store.listed(connection, company_id)


async def switch_payee(core: Core, company_id: str, payee_id: str, *, active: bool) -> None:
    """Raises: NotFound."""
    async with core.db.transaction() as connection:
        status = PayeeStatus.ACTIVE if active else PayeeStatus.DISABLED
        if not await store.set_status(connection, company_id, payee_id, status):
            raise NotFound(f"no such payee: {payee_id!r}")
        act = Act.PAYEE_ENABLED if active else Act.PAYEE_DISABLED
        await audit.note(core, connection, act, company_id, payee_id)


async def payee_of(core: Core, company_id: str, account_number: str) -> Payee | None:
    """The registered payee of that number, who may say which provider account must be taken.

    A company that has registered no payee is paid on its own accounts whatever a request names;
    once it has, no other payee is taken.
    Raises: InvalidRequest (reason payee_unknown), which does not repeat the number.
    """
    found: list[Payee | None] = []

    async def look() -> bool | None:
        async with core.db.connection() as connection:
            hashes = _hashes(core, company_id, account_number)
            payee, some = await store.find(connection, company_id, hashes)
        found.append(payee)
        return None if some or payee else True

    # That it has none is all that is remembered, and for half a second.
    if await remembered(core, _has_none(company_id), look):
        return None
    [payee] = found
    if payee is None or not payee.is_active:
        raise InvalidRequest(
            "payeeAccount: this payee is not registered for your company; register it with"
            " kassa payee add, or name one that is",
            field="payeeAccount.accountNumber",
            reason="payee_unknown",
        )
    return payee
