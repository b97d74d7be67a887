"""`kassa explain`: a payment's story, for a person or as JSON."""

from typing import Annotated

import typer

from kassa.cli.common import Company, Config, DatabaseUrl, DataDir, guarded, load_settings


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command()(explain)


def explain(
    name: Annotated[
        str,
        typer.Argument(
            help="A payment, or an order, attempt, capture, void, refund, dispute or posting of"
            " it, or a provider's reference."
        ),
    ],
    as_of: Annotated[
        str | None, typer.Option(help="Tell it as it was then: 2026-11-22T10:30:00Z")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="As one JSON object.")] = False,
    company: Company = "",
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
    config: Config = None,
) -> None:
    """Tell a payment's story: every state, who caused it, the evidence, and where the money went.

    \b
    Examples:  kassa explain py_01k…
               kassa explain tea-1 --as-of 2026-11-22T10:30:00Z
               kassa explain re1_01k… --json
    """
    settings = load_settings(data_dir=data_dir, database_url=database_url, config=config)
    from kassa.base.usecases.core import Core  # noqa: PLC0415
    from kassa.cli import running, telling  # noqa: PLC0415 - help needs none of it
    from kassa.identity.domain.principals import Company as Side  # noqa: PLC0415
    from kassa.ledger.usecases.export import read_moment  # noqa: PLC0415
    from kassa.payments.usecases import explain as told  # noqa: PLC0415

    moment = None if as_of is None else read_moment(as_of)

    async def work(core: Core, side: Side) -> str:
        story = await told.explain(core, side.id, name, moment)
        if json:
            return telling.as_json(story, side.mode)
        return f"{running.heading(side)}\n{telling.as_text(story)}"

    typer.echo(guarded(lambda: running.with_side(settings, company, work)))
