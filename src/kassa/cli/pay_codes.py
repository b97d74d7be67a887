"""What merchants charge a wallet user with, made and revoked by a person at the keyboard."""

from typing import Annotated, Any

import typer

from kassa.cli.common import Company, DatabaseUrl, DataDir, fail, guarded, load_settings

User = Annotated[str, typer.Argument(help="The wallet user's id.  [default: the demo's]")]
Client = Annotated[str, typer.Option(help="The only wallet client that may use it.")]


def add_to(wallet_app: typer.Typer) -> None:
    """Register these commands."""
    wallet_app.command("code")(code)
    wallet_app.command("agree")(agree)
    wallet_app.command("secret")(secret)
    wallet_app.command("codes")(codes)
    wallet_app.command("agreements")(agreements)
    wallet_app.command("revoke")(revoke)
    wallet_app.command("client")(client_settings)


def code(
    user: User = "",
    client: Client = "",
    consent: Annotated[
        bool, typer.Option("--consent", help="To agree with, once, to what a merchant asks for.")
    ] = False,
    company: Company = "",
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Print a pay code: it pays once, and runs out within a minute (a setting).

    Examples:  kassa wallet code wu_ann
               kassa wallet code wu_ann --consent
    """
    settings = load_settings(data_dir=data_dir, database_url=database_url)
    from kassa.wallet.domain.wallet_codes import CodeKind  # noqa: PLC0415
    from kassa.wallet.usecases.wallet_codes import make_pay_code  # noqa: PLC0415

    kind = CodeKind.CONSENT_CODE if consent else CodeKind.PAY_CODE

    async def work(core: Any, wanted: Any) -> Any:
        return await make_pay_code(core, wanted, kind)

    made, whose = _for(settings, company, user, work, client)
    typer.echo(made.text)
    ends = made.code.expires_at.astimezone().isoformat(timespec="seconds")
    use = "for one agreement" if consent else "for one payment"
    typer.echo(f"{made.code.id}: {use} by {made.code.user_id}, until {ends}", err=True)
    typer.echo(whose, err=True)


def agree(
    user: User = "",
    client: Client = "",
    limit: Annotated[str, typer.Option(help="Most that one payment may move: 100.00")] = "",
    currency: Annotated[str, typer.Option(help="Of the limit.")] = "CNY",
    company: Company = "",
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Print an agreement's token: a merchant charges the user with it until it is revoked.

    It is shown this once.

    Example:  kassa wallet agree wu_ann --client 5X00000000000000 --limit 100.00
    """
    settings = load_settings(data_dir=data_dir, database_url=database_url)
    from kassa.wallet.usecases.wallet_codes import make_agreement  # noqa: PLC0415

    made, whose = _for(settings, company, user, make_agreement, client, (limit, currency))
    typer.echo(made.text)
    typer.echo(f"{made.code.id}: of {made.code.user_id}, until it is revoked", err=True)
    typer.echo(whose, err=True)


def secret(
    user: User = "",
    company: Company = "",
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Print a secret of the user's own, with which their app gets pay codes. It pays nothing.

    It is shown this once.

    Example:  kassa wallet secret wu_ann
    """
    settings = load_settings(data_dir=data_dir, database_url=database_url)
    from kassa.wallet.usecases.wallet_codes import make_secret  # noqa: PLC0415

    made, whose = _for(settings, company, user, make_secret)
    typer.echo(made.text)
    typer.echo(f"{made.code.id}: of {made.code.user_id}, until it is revoked", err=True)
    typer.echo(whose, err=True)


def codes(
    user: User = "",
    company: Company = "",
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
) -> None:
    """List the user's agreements, secrets, and pay codes that can still pay.

    Example:  kassa wallet codes wu_ann
    """
    settings = load_settings(data_dir=data_dir, database_url=database_url)
    from kassa.wallet.usecases.wallet_codes import list_codes  # noqa: PLC0415

    async def listed(core: Any, wanted: Any) -> str:
        found = await list_codes(core, wanted.company_id, wanted.user_id)
        return "\n".join(map(_line, found)) or f"{wanted.user_id} has no codes"

    lines, whose = _for(settings, company, user, listed)
    typer.echo(whose)
    typer.echo(lines)


def agreements(
    user: Annotated[str, typer.Argument(help="Of this wallet user alone.")] = "",
    company: Company = "",
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
) -> None:
    """List what wallet users agreed to when a merchant asked them.

    Example:  kassa wallet agreements wu_ann
    """
    settings = load_settings(data_dir=data_dir, database_url=database_url)
    from kassa.cli.running import told  # noqa: PLC0415
    from kassa.wallet.usecases.agreements import list_agreements  # noqa: PLC0415

    async def work(core: Any, side: Any) -> str:
        found = await list_agreements(core, side.id, user)
        return "\n".join(map(_agreement_line, found)) or "nobody agreed to anything"

    typer.echo(guarded(lambda: told(settings, company, work)))


def _agreement_line(one: Any) -> str:
    parts = [one.id, one.user_id, one.status.value, f"since {one.answered_at:%Y-%m-%d %H:%M}"]
    parts.append(f"for {one.client_id}")
    if one.auth_client_id:
        parts.append(f"({one.auth_client_id})")
    parts.append(one.scopes.replace(" ", ", "))
    if one.access_expires_at is not None and one.ended_at is None:
        parts.append(f"token until {one.access_expires_at:%Y-%m-%d %H:%M}")
    if one.ended_at is not None:
        parts.append(f"ended {one.ended_at:%Y-%m-%d %H:%M} by {one.ended_by}")
    return "  ".join(parts)


def revoke(
    code_id: Annotated[str, typer.Argument(help="As kassa wallet codes or agreements names it.")],
    company: Company = "",
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Revoke a code, a token or a secret, or end an agreement; payments already made stay.

    Examples:  kassa wallet revoke wc_01kb3v5y7d9f2h4j6k8m0n1p2q
               kassa wallet revoke wa_01kb3v5y7d9f2h4j6k8m0n1p2q
    """
    settings = load_settings(data_dir=data_dir, database_url=database_url)
    from kassa.cli.running import told, whoever_asks  # noqa: PLC0415
    from kassa.wallet.usecases.agreements import revoke as revoke_it  # noqa: PLC0415

    async def work(core: Any, side: Any) -> str:
        await revoke_it(core, side.id, code_id, by=whoever_asks())
        return "revoked"

    typer.echo(guarded(lambda: told(settings, company, work)))


def _line(one: Any) -> str:
    parts = [one.id, one.kind.value.replace("_", " "), f"since {one.created_at:%Y-%m-%d %H:%M}"]
    if one.client_id:
        parts.append(f"for {one.client_id}")
    if one.limit is not None:
        parts.append(f"at most {one.limit} a payment")
    if one.agreement_id:
        parts.append(f"of {one.agreement_id}")
    if one.expires_at is not None:
        lasts = one.kind.value in ("agreement", "refresh_token")
        parts.append(f"until {one.expires_at:{'%Y-%m-%d %H:%M' if lasts else '%H:%M:%S'}}")
    if one.revoked_at is not None:
        parts.append(f"revoked {one.revoked_at:%Y-%m-%d %H:%M}")
    return "  ".join(parts)


def _for(
    settings: Any,
    company: str,
    user: str,
    work: Any,
    client: str = "",
    limit: tuple[str, str] = ("", ""),
) -> tuple[Any, str]:
    """What `work` makes for this user, and whose side that is. `limit`: amount and currency as they
    were written."""
    from kassa import demo  # noqa: PLC0415
    from kassa.base.domain.money import Money  # noqa: PLC0415
    from kassa.cli.running import heading, with_side  # noqa: PLC0415
    from kassa.wallet.usecases.wallet_codes import NewCode  # noqa: PLC0415

    if company and not user:
        fail("name the wallet user")
    named = user or guarded(lambda: demo.here(settings).wallet_user_id)

    async def run(core: Any, side: Any) -> tuple[Any, str]:
        most = Money.from_major(*limit) if limit[0] else None
        wanted = NewCode(company_id=side.id, user_id=named, client_id=client, limit=most)
        return await work(core, wanted), heading(side)

    made: tuple[Any, str] = guarded(lambda: with_side(settings, company, run))
    return made


def client_settings(
    client: Annotated[str, typer.Argument(help="The wallet client's id: 5X…")],
    prefix: Annotated[
        str, typer.Option(help="What stands before /v1 in the paths it signs: /acl/api")
    ] = "",
    accepts: Annotated[
        bool, typer.Option("--accepts", help="Answer A ACCEPT, not S, for what waits.")
    ] = False,
    tolerance: Annotated[
        int, typer.Option(help="Seconds that its Request-Time may be off; 0: any.")
    ] = 0,
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Say how a wallet client is spoken to. What is not named here is as it is by default.

    Example:  kassa wallet client 5X00000000000000 --prefix /acl/api --accepts --tolerance 300
    """
    settings = load_settings(data_dir=data_dir, database_url=database_url)
    from kassa.cli.running import with_core  # noqa: PLC0415
    from kassa.identity.domain.principals import ClientSettings  # noqa: PLC0415
    from kassa.identity.usecases.companies import set_wallet_client  # noqa: PLC0415

    wanted = ClientSettings(
        path_prefix=prefix, says_accepted=accepts, time_tolerance_seconds=tolerance or None
    )
    guarded(lambda: with_core(settings, lambda core: set_wallet_client(core, client, wanted)))
    typer.echo(f"{client}: {wanted}")
