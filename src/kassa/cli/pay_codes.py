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
    wallet_app.command("revoke")(revoke)


def code(
    user: User = "",
    client: Client = "",
    company: Company = "",
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Print a pay code: it pays once, and runs out within a minute (a setting).

    Example:  kassa wallet code wu_ann
    """
    settings = load_settings(data_dir=data_dir, database_url=database_url)
    from kassa.usecases.wallet_codes import make_pay_code  # noqa: PLC0415

    wanted = _wanted(settings, company, user, client)
    made = _with_core(settings, lambda core: make_pay_code(core, wanted))
    typer.echo(made.text)
    ends = made.code.expires_at.astimezone().isoformat(timespec="seconds")
    typer.echo(f"{made.code.id}: for one payment by {made.code.user_id}, until {ends}", err=True)


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
    from kassa.domain.money import Money  # noqa: PLC0415
    from kassa.usecases.wallet_codes import make_agreement  # noqa: PLC0415

    most = guarded(lambda: Money.from_major(limit, currency)) if limit else None
    wanted = _wanted(settings, company, user, client, most)
    made = _with_core(settings, lambda core: make_agreement(core, wanted))
    typer.echo(made.text)
    typer.echo(f"{made.code.id}: of {made.code.user_id}, until it is revoked", err=True)


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
    from kassa.usecases.wallet_codes import make_secret  # noqa: PLC0415

    wanted = _wanted(settings, company, user, "")
    made = _with_core(settings, lambda core: make_secret(core, wanted))
    typer.echo(made.text)
    typer.echo(f"{made.code.id}: of {made.code.user_id}, until it is revoked", err=True)


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
    from kassa.usecases.wallet_codes import list_codes  # noqa: PLC0415

    wanted = _wanted(settings, company, user, "")
    found = _with_core(settings, lambda core: list_codes(core, wanted.company_id, wanted.user_id))
    for one in found:
        typer.echo(_line(one))
    if not found:
        typer.echo(f"{wanted.user_id} has no codes")


def revoke(
    code_id: Annotated[str, typer.Argument(help="As kassa wallet codes names it: wc_…")],
    company: Company = "",
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Revoke a pay code, an agreement or a secret; payments already made stay.

    Example:  kassa wallet revoke wc_01kb3v5y7d9f2h4j6k8m0n1p2q
    """
    settings = load_settings(data_dir=data_dir, database_url=database_url)
    from kassa.cli.operations import company_id_of  # noqa: PLC0415
    from kassa.usecases.wallet_codes import revoke_code  # noqa: PLC0415

    company_id = guarded(lambda: company_id_of(settings, company))
    _with_core(settings, lambda core: revoke_code(core, company_id, code_id))
    typer.echo("revoked")


def _line(one: Any) -> str:
    parts = [one.id, one.kind.value.replace("_", " "), f"since {one.created_at:%Y-%m-%d %H:%M}"]
    if one.client_id:
        parts.append(f"for {one.client_id}")
    if one.limit is not None:
        parts.append(f"at most {one.limit} a payment")
    if one.expires_at is not None:
        parts.append(f"until {one.expires_at:%H:%M:%S}")
    if one.revoked_at is not None:
        parts.append(f"revoked {one.revoked_at:%Y-%m-%d %H:%M}")
    return "  ".join(parts)


def _wanted(settings: Any, company: str, user: str, client: str, limit: Any = None) -> Any:
    from kassa import demo  # noqa: PLC0415
    from kassa.cli.operations import company_id_of  # noqa: PLC0415
    from kassa.usecases.wallet_codes import NewCode  # noqa: PLC0415

    company_id = guarded(lambda: company_id_of(settings, company))
    if company and not user:
        fail("name the wallet user")
    user = user or guarded(lambda: demo.shown(settings))["wallet_user"]["user_id"]
    return NewCode(company_id=company_id, user_id=user, client_id=client, limit=limit)


def _with_core(settings: Any, work: Any) -> Any:
    from kassa.cli.operations import with_core  # noqa: PLC0415

    return guarded(lambda: with_core(settings, work))
