"""What is of one mode is refused on the side of the other: keys, hosts, and what was stored."""

import re
from dataclasses import replace

import asyncpg
import pytest
from tests.connectors.contract.plug import plugs

from kassa import assembly
from kassa.base.domain.errors import InvalidRequest
from kassa.base.usecases.core import Core
from kassa.connectors.catalog import kinds
from kassa.connectors.kind import Field, Kind
from kassa.identity.domain.principals import Mode
from kassa.identity.usecases.companies import NewCompany, add_company
from kassa.providers.usecases.provider_accounts import NewAccount, put_account, refresh
from kassa.settings import Settings

_PLUGS = {plug.name: plug for plug in plugs()}
_ADDABLE = [kind for kind in kinds().values() if kind.name in _PLUGS]
_ANYWHERE = {plug.name for plug in plugs() if plug.modes.anywhere}
_MARKED = [(plug.name, field) for plug in plugs() for field in plug.modes.marked]


def marked(name: str, field: str, *, live: bool) -> tuple[str, ...]:
    """Values of the setting that say the mode."""
    return _PLUGS[name].modes.marked[field][live]


def host_of(name: str, *, live: bool) -> str:
    modes = _PLUGS[name].modes
    return modes.live_host if live else modes.test_host


def settings_of(kind: Kind, *, live: bool, **changes: str) -> dict[str, str]:
    plug = _PLUGS[kind.name]
    known = {field: marked(kind.name, field, live=live)[0] for field in plug.modes.marked}
    return {**plug.settings, **known, "base_url": host_of(kind.name, live=live), **changes}


@pytest.mark.parametrize("live", [False, True])
@pytest.mark.parametrize("kind", _ADDABLE, ids=lambda kind: kind.name)
def test_an_account_of_the_right_mode_is_taken(kind: Kind, live: bool) -> None:
    given = settings_of(kind, live=live)

    assert kind.read(given, live=live)["base_url"] == given["base_url"]
    if kind.name not in _ANYWHERE:  # and the right address stands for one that nobody gave
        del given["base_url"]
        assert _url(kind).value_in(kind.read(given, live=live), live=live) == host_of(
            kind.name, live=live
        )


def _url(kind: Kind) -> Field:
    return next(one for one in kind.fields if one.name == "base_url")


@pytest.mark.parametrize("kind", _ADDABLE, ids=lambda kind: kind.name)
def test_every_kind_says_where_real_money_moves(kind: Kind) -> None:
    for field in kind.fields:
        if field.name.endswith("_url") and kind.name not in _ANYWHERE:
            assert field.live_hosts, f"{kind.name} does not name its live hosts"
            assert field.test_hosts, f"{kind.name} does not name its test hosts"
        if re.search(r"_(test|live)_|^TEST", "".join(field.test_prefix + field.live_prefix)):
            assert field.test_prefix


@pytest.mark.parametrize("spelled", ["{}", "{}.", "{}:443", "eu.{}"])
@pytest.mark.parametrize("kind", _ADDABLE, ids=lambda kind: kind.name)
def test_a_production_address_is_refused_on_a_test_side(kind: Kind, spelled: str) -> None:
    field = _url(kind)
    for host in sorted(field.live_hosts - field.test_hosts):
        for name in (host, host.upper(), f"openapi.{host}"):
            address = f"https://{spelled.format(name)}/x"
            with pytest.raises(InvalidRequest, match="real money"):
                kind.read(settings_of(kind, live=False, base_url=address), live=False)


@pytest.mark.parametrize(
    "address",
    [
        "https://127.0.0.1",
        "https://localhost",
        "https://a.localhost",
        "https://10.1.2.3",
        "https://[::1]",
        "https://169.254.169.254",
        "http://api.example.com",
    ],
)
@pytest.mark.parametrize("kind", _ADDABLE, ids=lambda kind: kind.name)
def test_an_inner_or_open_address_is_refused_on_a_live_side(kind: Kind, address: str) -> None:
    with pytest.raises(InvalidRequest):
        kind.read(settings_of(kind, live=True, base_url=address), live=True)


@pytest.mark.parametrize("kind", _ADDABLE, ids=lambda kind: kind.name)
def test_a_sandboxs_or_strangers_address_is_refused_on_a_live_side(kind: Kind) -> None:
    if kind.name in _ANYWHERE:
        return
    for host in (*(_url(kind).test_hosts - _url(kind).live_hosts), "provider.example.com"):
        with pytest.raises(InvalidRequest, match="live account must be at"):
            kind.read(settings_of(kind, live=True, base_url=f"https://{host}/x"), live=True)
    for near in _url(kind).live_hosts:  # names that only look alike
        for host in (f"not{near}", f"{near}.example.com"):
            with pytest.raises(InvalidRequest, match="live account must be at"):
                kind.read(settings_of(kind, live=True, base_url=f"https://{host}"), live=True)


@pytest.mark.parametrize("live", [False, True])
@pytest.mark.parametrize(("name", "field"), _MARKED)
def test_a_key_of_the_other_mode_is_refused_and_not_repeated(
    name: str, field: str, live: bool
) -> None:
    kind = kinds()[name]
    right, wrong = marked(name, field, live=live), marked(name, field, live=not live)
    for value in right:
        assert kind.read(settings_of(kind, live=live, **{field: value}), live=live)
    if field in _PLUGS[name].modes.mistakable and not live:
        return
    for value in wrong:
        with pytest.raises(InvalidRequest) as refused:
            kind.read(settings_of(kind, live=live, **{field: f"{value}secret"}), live=live)
        assert f"{value}secret" not in refused.value.message


@pytest.mark.parametrize("value", ["1", "test", "pk_test_1", "whatever"])
@pytest.mark.parametrize("live", [False, True])
@pytest.mark.parametrize("kind", _ADDABLE, ids=lambda kind: kind.name)
def test_a_key_that_does_not_say_its_mode_is_refused_where_all_do(
    kind: Kind, value: str, live: bool
) -> None:
    for field in kind.fields:
        if field.is_marked:
            with pytest.raises(InvalidRequest, match="begins with"):
                kind.read(settings_of(kind, live=live, **{field.name: value}), live=live)


@pytest.mark.anyio
@pytest.mark.parametrize("name", sorted(_PLUGS))
async def test_what_was_stored_against_the_rule_is_not_loaded(
    core: Core, settings: Settings, database_url: str, owner_url: str, name: str
) -> None:
    if name in _ANYWHERE:
        return
    kind = kinds()[name]
    core.policy = replace(core.policy, live=True)
    for mode in Mode:
        side = await add_company(
            core,
            NewCompany(id="cmp_a", business_id="b", name="A", currency="CNY", mode=mode),
        )
        live = mode is Mode.LIVE
        await put_account(
            core,
            NewAccount(
                company_id=side.id,
                name=f"my-{mode}",
                connector=name,
                settings=settings_of(kind, live=live),
                live=live,
            ),
        )
    await _swap_addresses(owner_url)

    async with assembly.open_core(settings, database_url) as other:
        other.policy = core.policy
        await refresh(other, now=True)
        loaded = {one for one in other.connectors if one.startswith("my-")}

    both = bool(_url(kind).live_hosts & _url(kind).test_hosts)
    assert loaded == ({"my-test"} if both else set())


async def _swap_addresses(owner_url: str) -> None:
    """Each account gets what may not be there: the other's address, or a stranger's."""
    connection: asyncpg.Connection[asyncpg.Record] = await asyncpg.connect(owner_url)
    try:
        await connection.execute(
            "update provider_account a set version = nextval('provider_account_version'),"
            " settings = jsonb_set(a.settings, '{base_url}', case"
            "  when a.mode = 'live' then '\"https://127.0.0.1/x\"'"
            "  else b.settings->'base_url' end)"
            " from provider_account b where b.mode <> a.mode"
        )
    finally:
        await connection.close()
