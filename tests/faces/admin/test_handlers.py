"""The admin interface as a company's program meets it, on a real database."""

import json
from pathlib import Path
from typing import Any

import pytest
from tests.asgi import Answer, Client
from tests.company import DemoCompany

import kassa.faces.admin
from kassa import installation
from kassa.base.usecases.core import Core
from kassa.identity.domain.audit import Act, AuditQuery
from kassa.identity.usecases.audit import list_audit
from kassa.identity.usecases.companies import CredentialTerms, get_company, put_api_key
from kassa.providers.usecases.payees import NewPayee, register_payee

pytestmark = pytest.mark.anyio
EXAMPLES = Path(kassa.faces.admin.__file__).parent / "examples"
ALL = "/admin/v1/credentials"


def example(name: str) -> Any:
    return json.loads((EXAMPLES / f"{name}.json").read_text())


class Program:
    def __init__(self, client: Client, key: str) -> None:
        self._client, self._key = client, key

    async def ask(self, method: str, path: str, said: Any = None) -> Answer:
        headers = {"authorization": f"Bearer {self._key}"}
        return await self._client.request(method, path, headers=headers, json=said)

    async def get(self, path: str) -> Any:
        answer = await self._client.request(
            "GET", path, headers={"authorization": f"Bearer {self._key}"}
        )
        assert answer.status == 200, answer.text
        assert answer.headers["cache-control"] == "no-store"
        return answer.json()


async def program(core: Core, client: Client, demo: DemoCompany, *may: str) -> Program:
    name = f"sk_test_{'_'.join(may).replace(':', '').replace('_', '')}"
    company = await get_company(core, demo.company_id)
    await put_api_key(core, company, f"{name}_secret", CredentialTerms(permissions=may))
    return Program(client, f"{name}_secret")


@pytest.fixture
async def admin(core: Core, client: Client, demo: DemoCompany) -> Program:
    return await program(core, client, demo, "admin")


async def test_a_company_sees_itself_and_whether_its_payees_are_required(
    core: Core, admin: Program, demo: DemoCompany
) -> None:
    said = await admin.get(f"/admin/v1/companies/{demo.company_id}")

    assert said == example("company_answer")
    assert await admin.get("/admin/v1/companies") == {"companies": [said]}
    payee = NewPayee(company_id=demo.company_id, account_type="bank", account_number="12345678")
    await register_payee(core, payee)
    assert (await admin.get("/admin/v1/companies"))["companies"][0]["payees_required"] is True
    assert (await admin.ask("GET", "/admin/v1/companies/cmp_other")).status == 404


async def test_businesses_are_added_and_listed(admin: Program, demo: DemoCompany) -> None:
    made = await admin.ask("POST", "/admin/v1/businesses", {"name": "Harbour", "id": "biz_h"})
    own = {"id": demo.business_id, "name": "Kassa Demo Shop"}

    assert (made.status, made.json()) == (200, {"id": "biz_h", "name": "Harbour"})
    assert await admin.get("/admin/v1/businesses") == {"businesses": [own, made.json()]}
    invented = await admin.ask("POST", "/admin/v1/businesses", {"name": "Station"})
    assert invented.json()["id"].startswith("biz_")


async def test_a_key_is_given_shown_rotated_and_taken_back(
    core: Core, client: Client, admin: Program
) -> None:
    made = (await admin.ask("POST", ALL, example("add_credential_request"))).json()
    shown = await admin.get(f"{ALL}/{made['id']}")
    rotated = (await admin.ask("POST", f"{ALL}/{made['id']}/rotate", {"overlap_hours": 1})).json()
    gone = (await admin.ask("POST", f"{ALL}/{made['id']}/disable")).json()

    assert set(made) == set(example("add_credential_answer")) == set(rotated)
    assert made["secret"].startswith(made["name"])
    assert rotated["secret"] != made["secret"]
    assert set(shown) == set(example("credential_answer"))
    for member in ("kind", "mode", "status", "permissions", "networks", "keys"):
        assert shown[member] == example("credential_answer")[member]
    assert shown["created_by"] == "api_key:sk_test_admin"
    assert (gone["status"], gone["earlier_until"]) == ("disabled", rotated["earlier_until"])
    assert (await admin.ask("POST", f"{ALL}/{made['id']}/enable")).json()["status"] == "active"
    assert made["secret"] not in str(await admin.get(ALL))

    rows = await list_audit(core, AuditQuery(object=made["id"]))
    assert [row.act for row in rows] == [
        Act.CREDENTIAL_ENABLED,
        Act.CREDENTIAL_DISABLED,
        Act.CREDENTIAL_ROTATED,
        Act.CREDENTIAL_PUT,
    ]
    assert {(row.actor, row.address) for row in rows} == {("api_key:sk_test_admin", "127.0.0.1")}


async def test_a_wallet_client_gets_its_next_key(admin: Program) -> None:
    first, second = (installation.public_pem(installation.rsa_pem()).decode() for _ in range(2))
    new = {"kind": "wallet_client", "permissions": ["full"], "public_key": first}
    made = (await admin.ask("POST", ALL, new)).json()
    path = f"{ALL}/{made['id']}/rotate"

    rotated = await admin.ask("POST", path, {"public_key": second, "key_version": "2"})

    assert made["secret"] is None
    assert [(one["version"], one["state"]) for one in rotated.json()["keys"]] == [
        ("1", "retiring"),
        ("2", "active"),
    ]
    assert (await admin.ask("POST", path, {"public_key": "x", "key_version": "3"})).status == 400
    assert (await admin.ask("POST", path, {})).status == 400


async def test_credentials_are_listed_page_by_page(admin: Program) -> None:
    every = (await admin.get(ALL))["credentials"]
    first = await admin.get(f"{ALL}?limit=2")
    rest = await admin.get(f"{ALL}?after={first['next']}")

    paged = first["credentials"] + rest["credentials"]
    for one in [*every, *paged]:
        del one["last_used_at"]  # of the key that asks: written behind its answers
    assert paged == every
    assert (await admin.get(ALL))["next"] is None
    for query in ("limit=0", "limit=101", "limit=x", "after=%00"):
        assert (await admin.ask("GET", f"{ALL}?{query}")).status == 400


async def test_what_a_key_may_not_do_is_refused_in_these_words(
    core: Core, client: Client, demo: DemoCompany, admin: Program
) -> None:
    ordinary = Program(client, demo.api_key)
    giver = await program(core, client, demo, "admin:credentials")
    refused = await ordinary.ask("GET", "/admin/v1/companies")

    assert (refused.status, refused.json()) == (403, example("refused_answer"))
    new = {"kind": "api_key", "permissions": ["admin"]}
    assert (await giver.ask("POST", ALL, new)).status == 403
    assert (await giver.ask("POST", f"{ALL}/key:sk_test_admin/rotate", {})).status == 403
    assert (await giver.ask("POST", ALL, {**new, "permissions": ["full"]})).status == 201


async def test_what_cannot_be_read_is_refused_by_the_member_at_fault(admin: Program) -> None:
    async def field(**members: Any) -> tuple[int, str | None]:
        said = {"kind": "api_key", "permissions": ["full"], **members}
        answer = await admin.ask("POST", ALL, said)
        return answer.status, answer.json()["error"]["field"]

    assert await field(kind="passport") == (400, "kind")
    assert await field(permissions=["all"]) == (400, "permissions")
    assert await field(permissions=[]) == (400, "permissions")
    assert await field(networks=["home"]) == (400, "networks")
    assert await field(days=0) == (400, "days")
    assert await field(kind="wallet_client") == (400, "public_key")
    assert (await field(company_id="cmp_002"))[0] == 400
    assert (await admin.ask("POST", ALL, {"kind": "api_key"})).status == 400


async def test_another_verb_or_address_is_told_in_these_words_too(admin: Program) -> None:
    verb = await admin.ask("DELETE", ALL)

    assert (verb.status, verb.headers["allow"]) == (405, "GET, HEAD, POST")
    assert verb.json()["error"]["reason"] == "method_not_allowed"
    assert (await admin.ask("GET", "/admin/v1/staff")).status == 404
