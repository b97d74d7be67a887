"""Agreements between wallet users and merchants; sealed, with a record of each version."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from kassa.base.store.connection import Connection
from kassa.base.store.mapping import reader
from kassa.base.store.queries import Command, Queries, Rows
from kassa.proof.store.resealing import resealed
from kassa.wallet.domain.agreements import Agreement

_HOME, _ONE = "wallet_agreement", "t.company_id = $1 and t.id = $2"


class LockedAgreement(NamedTuple):
    """`now`: the hour, once nobody else was changing it."""

    agreement: Agreement
    now: datetime


class Sql(Queries, readers=[reader(LockedAgreement, prefixes={"agreement": ""})]):
    add: Command
    find: Rows[Agreement]
    at_place: Rows[Agreement]
    lock: Rows[LockedAgreement]
    save: Command
    listed: Rows[Agreement]


async def add(connection: Connection, agreement: Agreement) -> None:
    async with resealed(connection, _HOME, _ONE, agreement.company_id, agreement.id):
        await Sql.add.run(
            connection,
            agreement.company_id,
            agreement.id,
            agreement.business_id,
            agreement.client_id,
            agreement.place_hash,
            agreement.belongs_to,
            agreement.auth_client_id,
            agreement.scopes,
            agreement.redirect_url,
            agreement.notify_url,
            agreement.auth_state,
            agreement.created_at,
            agreement.expires_at,
            agreement.status,
        )


async def find(connection: Connection, company_id: str, agreement_id: str) -> Agreement | None:
    return await Sql.find.first(connection, company_id, agreement_id)


async def at_place(
    connection: Connection, company_id: str, hashes: Sequence[bytes]
) -> Agreement | None:
    """The one that is answered on the page of the address with one of these hashes."""
    return await Sql.at_place.first(connection, company_id, list(hashes))


async def lock(
    connection: Connection, company_id: str, agreement_id: str
) -> LockedAgreement | None:
    """The agreement; nobody else changes it before this transaction has ended."""
    return await Sql.lock.first(connection, company_id, agreement_id)


async def save(connection: Connection, agreement: Agreement) -> None:
    """What has changed of one that is locked."""
    async with resealed(connection, _HOME, _ONE, agreement.company_id, agreement.id):
        await Sql.save.run(
            connection,
            agreement.company_id,
            agreement.id,
            agreement.status,
            agreement.user_id,
            agreement.answered_at,
            agreement.code_expires_at,
            agreement.generation,
            agreement.access_expires_at,
            agreement.refresh_expires_at,
            agreement.ended_at,
            agreement.ended_by,
            agreement.version,
            agreement.key_version,
        )


async def listed(
    connection: Connection, company_id: str, user_id: str, *, limit: int
) -> list[Agreement]:
    """Those that this user ("": that anybody) agreed to, newest first."""
    return await Sql.listed.all(connection, company_id, user_id, limit)
