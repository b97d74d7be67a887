"""`kassa credential`: what proves who asks."""

import json as json_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kassa.cli.common import Company, Config, DatabaseUrl, DataDir, guarded, load_settings

if TYPE_CHECKING:
    from datetime import timedelta

    from kassa.base.usecases.core import Core
    from kassa.identity.domain.principals import Company as Side
    from kassa.identity.usecases.credentials import CredentialView
    from kassa.settings import Settings

credential_app = typer.Typer(
    no_args_is_help=True, help="Credentials: add, list, show, disable, enable, rotate, key."
)
_Credential = Annotated[str, typer.Argument(help="key:sk_…, client:…, wallet:… or jwt:…")]
_Json = Annotated[bool, typer.Option("--json", help="As JSON.")]
_May = Annotated[
    list[str] | None,
    typer.Option(
        help="full, read-only, checkout-server, refund-desk, back-office, admin, or a"
        " permission such as gateway:refund; again for more.  [default: full]"
    ),
]
_From = Annotated[
    list[str] | None,
    typer.Option(
        "--from", help="An address or network that it works from; again for more.  [anywhere]"
    ),
]
_PublicKey = Annotated[
    str, typer.Option(help="PEM file: RSA for a wallet client, P-256 for a JWT key.")
]
_Issuer = Annotated[
    str, typer.Option(help="Of a JWT key: the iss that its tokens need.  [default: any]")
]
_Longest = Annotated[
    int | None, typer.Option(help="Of a JWT key: seconds from iat to exp at most.  [default: any]")
]
_Business = Annotated[
    str, typer.Option(help="Which business it is for.  [default: the company's own]")
]
_OVERLAP_HOURS = 24
_MOST_HOURS = 30 * 24


def add_to(app: typer.Typer) -> None:
    """Register these commands."""
    app.add_typer(credential_app, name="credential")


@credential_app.command("add")
def credential_add(
    kind: Annotated[str, typer.Argument(help="api-key, orders-client, wallet-client or jwt-key")],
    company: Company = "",
    may: _May = None,
    days: Annotated[
        int | None, typer.Option(help="Good for so many.  [default: until it is disabled]")
    ] = None,
    network: _From = None,
    public_key: _PublicKey = "",
    key_version: Annotated[str, typer.Option(help="Of a wallet client's key.")] = "1",
    issuer: _Issuer = "",
    audience: Annotated[str, typer.Option(help="Of a JWT key: the aud.")] = "kassa",
    longest: _Longest = None,
    business: _Business = "",
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
    config: Config = None,
) -> None:
    """Make a credential and show it once, as JSON.

    full is all that its kind is for; admin, for api-key, is the company's credentials and
    businesses over /admin/v1 and nothing else.

    \b
    Examples:  kassa credential add api-key --company cmp_01kb…
               kassa credential add api-key --may refund-desk --days 90 --from 192.0.2.0/24
               kassa credential add orders-client --may orders:create --may orders:read
               kassa credential add wallet-client --public-key merchant.pem
               kassa credential add jwt-key --public-key tokens.pem --longest 900
               kassa credential add orders-client --business biz_station
    """
    settings = load_settings(data_dir=data_dir, database_url=database_url, config=config)
    from kassa.cli.operations import told_once  # noqa: PLC0415
    from kassa.cli.running import with_side  # noqa: PLC0415
    from kassa.identity.domain.token_terms import TokenTerms  # noqa: PLC0415
    from kassa.identity.usecases.credentials import (  # noqa: PLC0415
        WantedCredential,
        make_credential,
    )

    wanted = WantedCredential(
        kind=kind.replace("-", "_"),
        business_id=business,
        permissions=may or ["full"],
        networks=network or [],
        days=days,
        public_key=_pem(kind, public_key),
        key_version=key_version,
        token_terms=TokenTerms(issuer=issuer, audience=audience, longest_seconds=longest),
    )

    async def work(core: "Core", side: "Side") -> str:
        made = await make_credential(core, side, wanted)
        shown: dict[str, Any] = {"company_id": side.public_id, "mode": side.mode, "id": made.id}
        if business:
            shown["business_id"] = business
        return json_module.dumps({**shown, **told_once(made)}, indent=2)

    typer.echo(guarded(lambda: with_side(settings, company, work)))


def _pem(kind: str, path: str) -> str:
    from kassa.base.domain.errors import InvalidRequest  # noqa: PLC0415

    if kind not in ("wallet-client", "jwt-key"):
        return ""
    if not path:
        raise InvalidRequest("--public-key is needed: a PEM file with the client's public key")
    try:
        return Path(path).read_bytes().decode("ascii", "replace")
    except OSError as error:
        raise InvalidRequest(f"cannot read {path}: {error.strerror}") from None


@credential_app.command("list")
def credential_list(
    json: _Json = False,
    company: Company = "",
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
    config: Config = None,
) -> None:
    """Show a company's credentials: what each may do, until when, and when it was last used.

    Example:  kassa credential list
    """
    settings = load_settings(data_dir=data_dir, database_url=database_url, config=config)
    from kassa.cli.running import heading, with_side  # noqa: PLC0415
    from kassa.identity.usecases.credentials import PAGE, list_credentials  # noqa: PLC0415

    async def work(core: "Core", side: "Side") -> str:
        found = await list_credentials(core, side)
        while len(found) % PAGE == 0 and found:
            more = await list_credentials(core, side, after=found[-1].id)
            if not more:
                break
            found += more
        if json:
            return json_module.dumps([_plain(one) for one in found], indent=2)
        return "\n".join([heading(side), *_table(found)])

    typer.echo(guarded(lambda: with_side(settings, company, work)))


def _table(found: "list[CredentialView]") -> list[str]:
    if not found:
        return ["no credentials; add one with kassa credential add"]
    rows = [("CREDENTIAL", "STATUS", "EXPIRES", "LAST USED", "MAY")]
    for one in found:
        expires = f"{one.expires_at:%Y-%m-%d}" if one.expires_at else "-"
        used = f"{one.last_used_at:%Y-%m-%d %H:%M}" if one.last_used_at else "never"
        rows.append((one.id, one.status, expires, used, " ".join(one.permissions)))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


@credential_app.command("show")
def credential_show(
    credential: _Credential,
    json: _Json = False,
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
    config: Config = None,
) -> None:
    """Show one credential: who made it, what it may do, from where, until when. Never its secret.

    Example:  kassa credential show key:sk_test_1f2e3d4c5b6a
    """
    settings = load_settings(data_dir=data_dir, database_url=database_url, config=config)
    from kassa.cli.running import heading, with_core  # noqa: PLC0415
    from kassa.identity.usecases.credentials import show_credential  # noqa: PLC0415

    found = guarded(lambda: with_core(settings, lambda core: show_credential(core, credential)))
    if json:
        typer.echo(json_module.dumps(_plain(found), indent=2))
        return
    typer.echo(heading(found.company))
    for name, value in _plain(found).items():
        text = " ".join(map(_word, value)) if isinstance(value, list) else value
        typer.echo(f"{name:15} {text if text is not None and text != '' else '-'}")


def _word(value: Any) -> str:
    if not isinstance(value, dict):
        return str(value)
    until = f" until {value['not_after']}" if value["not_after"] else ""
    return f"{value['version']}:{value['state']}{until}"


def _plain(one: "CredentialView") -> dict[str, Any]:
    def moment(at: Any) -> str | None:
        return at.isoformat(timespec="seconds") if at is not None else None

    return {
        "id": one.id,
        "kind": one.kind.replace("_", "-"),
        "company_id": one.company.public_id,
        "mode": one.company.mode.value,
        "business_id": one.business_id,
        "status": one.status,
        "permissions": list(one.permissions),
        "networks": list(one.networks),
        "keys": [
            {
                "version": key.version,
                "state": key.state.value,
                "not_before": moment(key.not_before),
                "not_after": moment(key.not_after),
            }
            for key in one.keys
        ],
        "issuer": one.token_terms.issuer,
        "audience": one.token_terms.audience if one.kind == "jwt_key" else None,
        "longest_seconds": one.token_terms.longest_seconds,
        "created_at": moment(one.created_at),
        "created_by": one.created_by,
        "expires_at": moment(one.expires_at),
        "earlier_until": moment(one.earlier_until),
        "last_used_at": moment(one.last_used_at),
    }


@credential_app.command("disable")
def credential_disable(
    credential: _Credential,
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
    config: Config = None,
) -> None:
    """Disable one credential, within a second.

    Example:  kassa credential disable wallet:5X00000000000000
    """
    settings = load_settings(data_dir=data_dir, database_url=database_url, config=config)
    _switch(settings, credential, active=False)
    typer.echo("disabled")


@credential_app.command("enable")
def credential_enable(
    credential: _Credential,
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
    config: Config = None,
) -> None:
    """Enable a disabled credential again.

    Example:  kassa credential enable wallet:5X00000000000000
    """
    settings = load_settings(data_dir=data_dir, database_url=database_url, config=config)
    _switch(settings, credential, active=True)
    typer.echo("enabled")


def _switch(settings: "Settings", credential: str, *, active: bool) -> None:
    from kassa.cli.running import with_core  # noqa: PLC0415
    from kassa.identity.usecases.credentials import switch_credential  # noqa: PLC0415

    guarded(
        lambda: with_core(settings, lambda core: switch_credential(core, credential, active=active))
    )


@credential_app.command("rotate")
def credential_rotate(
    credential: _Credential,
    overlap: Annotated[
        int, typer.Option(help="Hours for which what proved it before is good as well.")
    ] = _OVERLAP_HOURS,
    public_key: Annotated[
        str, typer.Option(help="PEM file: the next key of a wallet client.")
    ] = "",
    key_version: Annotated[str, typer.Option(help="Of that key.")] = "",
    pending: Annotated[
        bool, typer.Option("--pending", help="Believe it once kassa credential key says so.")
    ] = False,
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
    config: Config = None,
) -> None:
    """Give an API key or an orders client another secret, shown once, as JSON; or a wallet client
    another key.

    The id stays, and for a while both are good: give the new one to whoever uses it, see that it
    works, and that is all. With --overlap 0 the old one is dead within a second.

    \b
    Examples:  kassa credential rotate key:sk_test_1f2e3d4c5b6a
               kassa credential rotate client:client_live_00ff00ff00ff00ff --overlap 0
               kassa credential rotate wallet:5X00000000000000 --public-key next.pem --key-version 2
    """
    settings = load_settings(data_dir=data_dir, database_url=database_url, config=config)
    from datetime import timedelta  # noqa: PLC0415

    hours = timedelta(hours=overlap)
    if credential.startswith("wallet:"):
        pem = _pem("wallet-client", public_key)
        _add_key(settings, credential, pem, key_version, None if pending else hours)
        return
    from kassa.cli.operations import told_once  # noqa: PLC0415
    from kassa.cli.running import with_core  # noqa: PLC0415
    from kassa.identity.usecases.credentials import rotate_secret  # noqa: PLC0415

    made = guarded(lambda: with_core(settings, lambda core: rotate_secret(core, credential, hours)))
    until = made.earlier_until
    shown = {
        "id": made.id,
        "earlier_until": until.isoformat(timespec="seconds") if until else None,
        **told_once(made),
    }
    typer.echo(json_module.dumps(shown, indent=2))


def _add_key(
    settings: "Settings", client: str, pem: str, version: str, overlap: "timedelta | None"
) -> None:
    """`overlap`: None for a key that is believed later."""
    from kassa.cli.running import with_core  # noqa: PLC0415
    from kassa.identity.usecases.client_keys import add_client_key  # noqa: PLC0415

    async def work(core: "Core") -> str:
        await add_client_key(core, client, pem, version, overlap=overlap, pending=overlap is None)
        return await _shown_keys(core, client)

    typer.echo(guarded(lambda: with_core(settings, work)))


async def _shown_keys(core: "Core", client: str) -> str:
    from kassa.identity.usecases.credentials import show_credential  # noqa: PLC0415

    shown = _plain(await show_credential(core, client))
    return json_module.dumps({"id": client, "keys": shown["keys"]}, indent=2)


@credential_app.command("key")
def credential_key(
    client: Annotated[str, typer.Argument(help="wallet:5X…")],
    version: Annotated[str, typer.Argument(help="Of the client's key.")],
    state: Annotated[str, typer.Argument(help="active, retiring or revoked")],
    hours: Annotated[
        int, typer.Option(help="How long one that is retiring is good.")
    ] = _OVERLAP_HOURS,
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
    config: Config = None,
) -> None:
    """Begin to believe a version of a wallet client's key, let it run out, or revoke it for good.

    \b
    Examples:  kassa credential key wallet:5X00000000000000 2 active
               kassa credential key wallet:5X00000000000000 1 revoked
    """
    settings = load_settings(data_dir=data_dir, database_url=database_url, config=config)
    from datetime import UTC, datetime, timedelta  # noqa: PLC0415

    from kassa.base.domain.errors import InvalidRequest  # noqa: PLC0415
    from kassa.cli.running import with_core  # noqa: PLC0415
    from kassa.identity.domain.client_keys import KeyState  # noqa: PLC0415
    from kassa.identity.usecases.client_keys import set_client_key  # noqa: PLC0415

    if state not in ("active", "retiring", "revoked"):
        raise InvalidRequest(f"a key is made active, retiring or revoked, not {state!r}")
    if not 0 <= hours <= _MOST_HOURS:
        raise InvalidRequest(f"--hours is 0 to {_MOST_HOURS}")

    async def work(core: "Core") -> str:
        until = datetime.now(UTC) + timedelta(hours=hours)
        await set_client_key(core, client, version, KeyState(state), until=until)
        return await _shown_keys(core, client)

    typer.echo(guarded(lambda: with_core(settings, work)))
