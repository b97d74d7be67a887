"""The payees that a company has registered."""

from kassa.domain.lifecycle import PayeeStatus
from kassa.domain.payees import Payee
from kassa.store.connection import Connection, Row
from kassa.store.resealing import resealed
from kassa.store.statuses import one

_COLUMNS = (
    "company_id, id, account_type, account_shown, account_name, bank_name, provider_account, status"
)


def _payee(row: Row) -> Payee:
    return Payee(
        company_id=row[0],
        id=row[1],
        account_type=row[2],
        account_shown=row[3],
        account_name=row[4],
        bank_name=row[5],
        provider_account=row[6],
        is_active=row[7] == PayeeStatus.ACTIVE,
    )


async def put(connection: Connection, payee: Payee, account_hash: bytes) -> str:
    """Register it, or give the payee of that account number new particulars; returns its id."""
    async with resealed(
        connection,
        "payee",
        "t.company_id = $1 and t.account_hash = $2",
        payee.company_id,
        account_hash,
    ):
        kept: str = await connection.fetchval(
            "insert into payee (company_id, id, account_type, account_hash, account_shown,"
            " account_name, bank_name, provider_account) values ($1, $2, $3, $4, $5, $6, $7, $8)"
            " on conflict (company_id, account_hash)"
            f" do update set status = {one(PayeeStatus.ACTIVE)},"
            " account_name = excluded.account_name, bank_name = excluded.bank_name,"
            " provider_account = excluded.provider_account returning id",
            payee.company_id,
            payee.id,
            payee.account_type,
            account_hash,
            payee.account_shown,
            payee.account_name,
            payee.bank_name,
            payee.provider_account,
        )
        return kept


async def find(
    connection: Connection, company_id: str, account_hash: bytes
) -> tuple[Payee | None, bool]:
    """The payee of that account number, and whether the company has registered any at all."""
    row = await connection.fetchrow(
        f"select {_COLUMNS} from payee where company_id = $1 and account_hash = $2",
        company_id,
        account_hash,
    )
    if row is not None:
        return _payee(row), True
    some = await connection.fetchval(
        "select exists (select from payee where company_id = $1)", company_id
    )
    return None, bool(some)


async def listed(connection: Connection, company_id: str) -> list[Payee]:
    rows = await connection.fetch(
        f"select {_COLUMNS} from payee where company_id = $1 order by created_at, id", company_id
    )
    return [_payee(row) for row in rows]


async def set_status(connection: Connection, company_id: str, payee_id: str, status: str) -> bool:
    async with resealed(
        connection, "payee", "t.company_id = $1 and t.id = $2", company_id, payee_id
    ):
        done = await connection.fetchval(
            "update payee set status = $3 where company_id = $1 and id = $2 returning true",
            company_id,
            payee_id,
            status,
        )
        return bool(done)
