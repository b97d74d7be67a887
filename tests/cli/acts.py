"""What each command writes down of what it does with a privilege."""

import asyncio
import os
import pwd
from typing import Any

import asyncpg

from kassa.identity.domain.audit import Act

ME = f"os:{pwd.getpwuid(os.getuid()).pw_name}"

ACTS = {
    "refund": Act.REFUNDED,
    "capture": Act.CAPTURED,
    "void": Act.VOIDED,
    "record": Act.RECORDED,
    "reconcile": Act.REPORT_IMPORTED,
    "route --set": Act.ROUTES_SET,
    "settle": Act.SETTLEMENT_CLOSED,
    "settlement paid": Act.PAYOUT_RECORDED,
    "settlement failed": Act.PAYOUT_FAILED,
    "fee add": Act.FEE_ADDED,
    "fee end": Act.FEE_ENDED,
    "breaks assign": Act.BREAK_ASSIGNED,
    "breaks resolve": Act.BREAK_RESOLVED,
    "payee add": Act.PAYEE_PUT,
    "payee disable": Act.PAYEE_DISABLED,
    "business add": Act.BUSINESS_PUT,
    "export trial-balance": Act.BOOKS_EXPORTED,
    "export journal": Act.BOOKS_EXPORTED,
    "export settlement": Act.BOOKS_EXPORTED,
    "export customer": Act.CUSTOMER_EXPORTED,
    "erase customer": Act.CUSTOMER_ERASED,
    "provider add": Act.ACCOUNT_ADDED,
    "provider renew": Act.ACCOUNT_CHANGED,
    "provider disable": Act.ACCOUNT_DISABLED,
    "provider enable": Act.ACCOUNT_ENABLED,
    "provider rotate-keys": Act.KEYS_ROTATED,
    "credential add": Act.CREDENTIAL_PUT,
    "credential disable": Act.CREDENTIAL_DISABLED,
    "credential enable": Act.CREDENTIAL_ENABLED,
    "credential rotate": Act.CREDENTIAL_ROTATED,
    "credential key": Act.CREDENTIAL_CHANGED,
    "webhook-secret": Act.SECRET_SHOWN,
    "wallet add": Act.WALLET_USER_ADDED,
    "wallet top-up": Act.WALLET_TOPPED_UP,
    "wallet status": Act.WALLET_USER_CHANGED,
    "wallet code": Act.WALLET_CODE_MADE,
    "wallet agree": Act.WALLET_CODE_MADE,
    "wallet secret": Act.WALLET_CODE_MADE,
    "wallet revoke": Act.WALLET_CODE_REVOKED,
    "wallet client": Act.CREDENTIAL_CHANGED,
    "company add": Act.COMPANY_ADDED,
    "company sandbox": Act.SANDBOX_CHANGED,
    "company close": Act.COMPANY_CLOSED,
    "company open": Act.COMPANY_OPENED,
    "verify --accept-head": Act.HEADS_ACCEPTED,
    "audit --export": Act.AUDIT_EXPORTED,
    "events resend": Act.EVENT_SENT_AGAIN,
    "events replay": Act.EVENTS_REPLAYED,
    "staff add": Act.STAFF_ADDED,
    "staff role": Act.ROLE_SET,
    "staff invite": Act.STAFF_INVITED,
    "staff disable": Act.STAFF_DISABLED,
    "staff end-sessions": Act.SESSIONS_ENDED,
}
"""By command, what it writes down. A new command stands here or below."""

ELSEWHERE = {
    "staff accept": "tests/cli/test_staffing.py",
    "staff sign-in": "tests/cli/test_staffing.py",
    "staff sign-out": "tests/cli/test_staffing.py",
    "staff enable": "tests/cli/test_staffing.py",
    "company side": "tests/cli/test_companies.py; it adds a company as company add does",
    "keys rotate": "tests/keys/test_rotation.py reads what it writes down",
    "keys rewrap": "tests/keys/test_rotation.py reads what it writes down",
    "keys retire": "tests/keys/test_rotation.py reads what it writes down",
    "breaks match": "tests/reconciliation/test_transfers_at_once.py walks it",
}
"""Commands with a privilege that need more than a command to be tried."""

READS = {
    "explain", "events list", "events show", "verify", "compare", "breaks", "audit", "route",
    "settlement list",
    "settlement show", "fee list", "fee variance", "payee list", "business list", "dispute list",
    "provider list", "provider test", "wallet show", "wallet codes", "wallet agreements",
    "company list", "company show", "connectors list", "keys list", "credential list",
    "credential show", "staff list", "staff show",
}  # fmt: skip
"""They show what there is, and change nothing."""

OWN = {
    "serve": "starts processes",
    "work": "starts processes",
    "migrate": "the schema's own table says which migration ran when",
    "demo": "shows the demo company's credentials, which move no money",
    "try": "calls the demo as its clients do",
    "simulate": "plays providers, and knows nothing of us",
    "connectors new": "writes a folder of source",
    "provider report": "downloads a file, which reconcile imports",
}
"""They act on no company."""


def act_of(line: str) -> Act | None:
    """What a typed line has to have written down; None: nothing."""
    found = [one for one in ACTS if f"{line} ".startswith(f"{one} ")]
    return ACTS[max(found, key=len)] if found else None


class Written:
    """What was written down since it was last asked."""

    def __init__(self, owner_url: str) -> None:
        self._url = owner_url
        self._known: set[str] = set()
        self.fresh()

    def fresh(self) -> set[tuple[str, str, str]]:
        """(act, who, from where)s."""
        rows = asyncio.run(self._rows())
        new = {tuple(row)[1:] for row in rows if row["id"] not in self._known}
        self._known |= {row["id"] for row in rows}
        return new

    async def _rows(self) -> list[Any]:
        connection = await asyncpg.connect(self._url)
        try:
            found: list[Any] = await connection.fetch("select id, act, actor, address from audit")
            return found
        finally:
            await connection.close()

    def lacks(self, line: str, *, again: bool = False) -> str:
        """What is wrong with what a typed line wrote down; "" when nothing is. `again`: it had been
        done before."""
        new, act = self.fresh(), act_of(line)
        if act is None:
            return f"{line} wrote {new}" if new else ""
        done = (act.value, ME, "local") in new
        return "" if done or (again and not new) else f"{line} wrote {new}, and not {act}"
