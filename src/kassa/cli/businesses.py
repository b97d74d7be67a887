"""`kassa business`: the places and brands of a company."""

import json as json_module
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from kassa.cli.common import Company, Config, DatabaseUrl, DataDir, guarded, load_settings

if TYPE_CHECKING:
    from kassa.base.usecases.core import Core
    from kassa.identity.domain.principals import Company as Side

business_app = typer.Typer(
    no_args_is_help=True, help="Businesses: places or brands of a company, each with its ledger."
)


def add_to(app: typer.Typer) -> None:
    """Register these commands."""
    app.add_typer(business_app, name="business")


@business_app.command("add")
def business_add(
    name: Annotated[str, typer.Argument(help="As payers read it on the cashier page.")],
    business: Annotated[str, typer.Option("--id", help="Its id.  [default: made]")] = "",
    company: Company = "",
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
    config: Config = None,
) -> None:
    """Add a business, or give the one of that id another name; prints its id.

    Requests name it as business_id (orders) or businessId (gateway), filters of the business
    interface among businessIds; kassa credential add --business makes credentials that need not.

    \b
    Examples:  kassa business add "Lantern Tea House, Harbour"
               kassa business add "Lantern Tea House, Station" --id biz_station
    """
    settings = load_settings(data_dir=data_dir, database_url=database_url, config=config)
    from kassa.base.usecases.ids import new_id  # noqa: PLC0415
    from kassa.cli.running import told  # noqa: PLC0415
    from kassa.identity.domain.principals import Business  # noqa: PLC0415
    from kassa.identity.usecases.businesses import add_business  # noqa: PLC0415

    async def work(core: "Core", side: "Side") -> str:
        made = await add_business(core, side, Business(business or new_id("biz"), name))
        return made.id

    typer.echo(guarded(lambda: told(settings, company, work)))


@business_app.command("list")
def business_list(
    json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
    company: Company = "",
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
    config: Config = None,
) -> None:
    """Show the company's businesses: its own first, then the others, oldest first.

    Example:  kassa business list
    """
    settings = load_settings(data_dir=data_dir, database_url=database_url, config=config)
    from kassa.cli.running import told, with_side  # noqa: PLC0415
    from kassa.identity.usecases.businesses import list_businesses  # noqa: PLC0415

    async def work(core: "Core", side: "Side") -> str:
        found = await list_businesses(core, side)
        if json:
            rows = [{"mode": side.mode, **asdict(one)} for one in found]
            return json_module.dumps(rows, indent=2, ensure_ascii=False)
        width = max(len(one.id) for one in found)
        return "\n".join(f"{one.id:<{width}}  {one.name}" for one in found)

    # JSON is for programs, and has no heading.
    typer.echo(guarded(lambda: (with_side if json else told)(settings, company, work)))
