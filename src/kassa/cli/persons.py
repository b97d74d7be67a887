"""What the commands about customers do."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from kassa.base.usecases.core import Core
from kassa.cli.running import heading, with_side
from kassa.identity.domain.principals import Company
from kassa.orders.usecases.people import customer_named, erase_customer, export_customer
from kassa.settings import Settings


def _json(content: Mapping[str, Any], side: Company) -> str:
    return json.dumps({**content, "mode": side.mode}, indent=2, default=str, ensure_ascii=False)


def erase(settings: Settings, company: str, customer: str) -> tuple[str, str]:
    async def work(core: Core, side: Company) -> tuple[str, str]:
        named = await customer_named(core, side.id, customer)
        certificate = await erase_customer(core, side.id, named)
        return _json(asdict(certificate), side), heading(side)

    return with_side(settings, company, work)


def export(settings: Settings, company: str, customer: str) -> tuple[str, str]:
    async def work(core: Core, side: Company) -> tuple[str, str]:
        named = await customer_named(core, side.id, customer)
        return _json(await export_customer(core, side.id, named), side), heading(side)

    return with_side(settings, company, work)
