"""What a notification is about: many are looked up at once."""

from collections.abc import Sequence
from dataclasses import dataclass

from kassa.base.domain.errors import NotFound
from kassa.base.usecases.batch import batched
from kassa.base.usecases.core import Core
from kassa.base.usecases.ids import company_number_of
from kassa.connectors.base import AnyNews, ModificationEvent, UnreadEvent
from kassa.identity.usecases.authenticate import company_by_number
from kassa.modifications.domain.captures import PREFIX
from kassa.modifications.store import modifications
from kassa.payments.domain.modifications import Modification
from kassa.payments.domain.payments import Attempt
from kassa.payments.store import attempts
from kassa.providers.usecases.provider_accounts import account_of, serves

About = Attempt | Modification


@dataclass(frozen=True, slots=True)
class Found:
    """`company_id`: whom it is for; "" while an account that serves everybody names a charge by its
    own reference only, None for nobody here. `about`: None while nothing of that is known."""

    company_id: str | None
    about: About | None = None


@dataclass(frozen=True, slots=True)
class _Told:
    """`company_id` None: it has to be found out."""

    account: str
    news: AnyNews
    company_id: str | None


@dataclass(frozen=True, slots=True)
class _Names:
    """What names it: a change, or a charge by our key, or by the provider's own reference."""

    company_id: str
    account: str
    change: str = ""
    charge: str = ""
    reference: str = ""


async def look_up(
    core: Core, account: str, news: AnyNews, *, company_id: str | None = None
) -> Found:
    """What the news is about. `company_id`: whose it is, where that is known already.

    All of it happens in the batch, and nothing is awaited by one letter alone: so letters leave it
    in the order in which they came.
    Raises: NotFound where it is another account's, or another company's: it is misaddressed.
    """
    return await _find(core, _Told(account, news, company_id))


async def _company_of(core: Core, account: str, news: AnyNews) -> str | None:
    """Whose it is. Our references name their company; what names only the provider's is the
    account's company's, or "" where the account serves everybody. None: nobody's here."""
    receiver = account_of(core, account)
    changes = (*PREFIX.values(),)
    by_own_key = isinstance(news, ModificationEvent) and bool(news.key)
    key, prefixes = (news.key, changes) if by_own_key else (_charge_key_of(news), ("at",))
    if isinstance(news, UnreadEvent):
        prefixes = ("at", *changes)
    for prefix in prefixes:
        number = company_number_of(key, prefix)
        if number is not None:
            company = await company_by_number(core, number)
            return company.id if company and receiver.serves(company) else None
    if by_own_key or not news.charge_reference:
        return None
    return receiver.company_id


def _charge_key_of(news: AnyNews) -> str:
    """Our reference of the charge that the news is about, where it has it."""
    return news.charge_key if isinstance(news, ModificationEvent) else news.key


def _names(company_id: str, account: str, news: AnyNews) -> _Names:
    if (isinstance(news, ModificationEvent) and news.key) or _names_a_change(news):
        return _Names(company_id, account, change=news.key)
    charge = _charge_key_of(news) if company_id else ""
    return _Names(company_id, account, charge=charge, reference=news.charge_reference)


def _names_a_change(news: AnyNews) -> bool:
    """Whether what could not be read names a capture, void or refund. Other news may be keyed by a
    name that the provider made, and says itself what it is about."""
    return isinstance(news, UnreadEvent) and bool(news.key) and not news.key.startswith("at")


async def _find_many(core: Core, wanted: Sequence[_Told]) -> list[Found | NotFound]:
    owners = [
        await _company_of(core, one.account, one.news) if one.company_id is None else one.company_id
        for one in wanted
    ]
    names = [
        None if owner is None else _names(owner, one.account, one.news)
        for owner, one in zip(owners, wanted, strict=True)
    ]
    abouts = await _read(core, [one for one in names if one is not None])
    return [
        Found(None) if name is None else await _checked(core, name, abouts[name]) for name in names
    ]


async def _checked(core: Core, names: _Names, about: About | None) -> Found | NotFound:
    if about is not None and (
        about.connector != names.account
        or not await serves(core, account_of(core, names.account), about.company_id)
    ):
        return NotFound(f"{about.id} is not the account {names.account}'s")
    return Found(names.company_id, about)


async def _read(core: Core, wanted: Sequence[_Names]) -> dict[_Names, About | None]:
    """A charge by our key, and where nobody has that, by the reference."""
    async with core.db.connection() as connection:
        changes = await modifications.by_ids(
            connection, [(one.company_id, one.change) for one in wanted if one.change]
        )
        charges = await attempts.of_ids(
            connection, [(one.company_id, one.charge) for one in wanted if one.charge]
        )
        left = [
            one for one in wanted if one.reference and (one.company_id, one.charge) not in charges
        ]
        referred = await attempts.of_references(
            connection, [(one.company_id, one.account, one.reference) for one in left]
        )
    by_reference = dict(zip(left, referred, strict=True))
    return {
        one: changes.get((one.company_id, one.change))
        if one.change
        else charges.get((one.company_id, one.charge)) or by_reference.get(one)
        for one in wanted
    }


_find = batched(_find_many)
