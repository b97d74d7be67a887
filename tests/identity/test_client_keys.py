"""A client's keys: several versions, each believed in its time, and revoked for good."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from tests.faces.wallet.calls import PAY, Merchant, an_order
from tests.shop import Shop

from kassa.base.domain.errors import IllegalTransition, InvalidRequest, NotFound
from kassa.base.usecases.core import Core
from kassa.identity.domain.audit import Act, AuditQuery
from kassa.identity.domain.client_keys import ClientKey, KeyState, believed, terms_of
from kassa.identity.usecases.audit import list_audit
from kassa.identity.usecases.authenticate import find_wallet_client
from kassa.identity.usecases.client_keys import add_client_key, set_client_key
from kassa.identity.usecases.companies import put_wallet_client

pytestmark = pytest.mark.anyio
NOW = datetime(2026, 11, 30, tzinfo=UTC)
DAY = timedelta(days=1)
S = KeyState


def good(keys: Sequence[ClientKey]) -> list[str]:
    return list(believed({one.version: one.pem for one in keys}, terms_of(list(keys)), NOW))


def key(version: str, state: KeyState, order: int = 0, **times: datetime) -> ClientKey:
    return ClientKey(version=version, pem=f"pem {version}", state=state, order=order, **times)


def test_what_is_believed_depends_on_state_and_time_and_the_newest_active_stands_last() -> None:
    assert good([key("1", S.ACTIVE, 1), key("2", S.ACTIVE, 2)]) == ["1", "2"]
    assert good([key("9", S.ACTIVE, 2), key("10", S.ACTIVE, 1)]) == ["10", "9"]
    assert good([key("1", S.ACTIVE, 1), key("2", S.RETIRING, 2)]) == ["2", "1"]
    assert good([key("1", S.PENDING), key("2", S.REVOKED), key("3", S.ACTIVE)]) == ["3"]
    assert good([key("1", S.RETIRING, not_after=NOW), key("2", S.ACTIVE)]) == ["2"]
    assert good([key("1", S.RETIRING, not_after=NOW + DAY), key("2", S.ACTIVE)]) == ["1", "2"]
    assert good([key("1", S.ACTIVE, not_before=NOW + DAY)]) == []


def test_keys_from_before_there_were_states_are_believed_as_they_stand() -> None:
    assert believed({"1": "a", "2": "b"}, {}, NOW) == {"1": "a", "2": "b"}


def test_a_key_that_is_revoked_stays_so() -> None:
    for state in S:
        with pytest.raises(IllegalTransition):
            key("1", S.REVOKED).move(state)
    key("1", S.PENDING).move(S.ACTIVE)
    key("1", S.RETIRING).move(S.ACTIVE)


class Keys:
    """A wallet client of the shop, with keys made as they are needed."""

    def __init__(self, shop: Shop) -> None:
        self.core: Core = shop.core
        self.shop = shop

    async def begin(self) -> "Keys":
        await put_wallet_client(self.core, self.shop.company, "5X1", {"1": fresh()})
        return self

    async def believed(self) -> list[str]:
        self.core.gatherers.clear()
        found = await find_wallet_client(self.core, "5X1")
        assert found is not None
        return list(found.keys)


def fresh() -> str:
    public = rsa.generate_private_key(65_537, 2048).public_key()
    return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


@pytest.fixture
async def keys(shop: Shop) -> Keys:
    return await Keys(shop).begin()


async def test_a_key_is_rotated_with_both_good_for_a_while(keys: Keys) -> None:
    made = await add_client_key(keys.core, "wallet:5X1", fresh(), "2", overlap=DAY)

    assert [(one.version, one.state) for one in made] == [("1", S.RETIRING), ("2", S.ACTIVE)]
    assert await keys.believed() == ["1", "2"]
    await set_client_key(keys.core, "wallet:5X1", "1", S.REVOKED)
    assert await keys.believed() == ["2"]
    [rotated, *_] = [
        row
        for row in await list_audit(keys.core, AuditQuery(object="wallet:5X1"))
        if row.act == Act.CREDENTIAL_CHANGED
    ]
    assert rotated.after["states"] == {"1": "revoked", "2": "active"}
    assert await keys.shop.faults() == []


async def test_a_pending_key_is_believed_once_it_is_made_active(keys: Keys) -> None:
    await add_client_key(keys.core, "wallet:5X1", fresh(), "2", overlap=None, pending=True)
    await add_client_key(keys.core, "wallet:5X1", fresh(), "3", overlap=None)
    assert await keys.believed() == ["1", "3"]

    await set_client_key(keys.core, "wallet:5X1", "2", S.ACTIVE)

    assert await keys.believed() == ["1", "3", "2"]
    await set_client_key(keys.core, "wallet:5X1", "1", S.RETIRING, until=datetime.now(UTC) - DAY)
    assert await keys.believed() == ["3", "2"]


async def test_what_cannot_be_a_key_or_is_not_there_is_refused(keys: Keys) -> None:
    async def add(pem: str, version: str, client: str = "wallet:5X1") -> None:
        await add_client_key(keys.core, client, pem, version, overlap=DAY)

    good_one = fresh()
    for pem, version in ((good_one, "1"), (good_one, ""), (good_one, "2,3"), ("no key", "2")):
        with pytest.raises(InvalidRequest):
            await add(pem, version)
    other = await keys.shop.other_company()
    for client in ("wallet:nobody", "key:sk_x", "\x00"):
        with pytest.raises(NotFound):
            await add(good_one, "2", client)
    with pytest.raises(NotFound):
        await add_client_key(keys.core, "wallet:5X1", good_one, "2", overlap=DAY, company=other)
    with pytest.raises(NotFound):
        await set_client_key(keys.core, "wallet:5X1", "7", S.REVOKED)
    assert await keys.believed() == ["1"]


async def test_a_merchant_signs_with_the_next_key_and_not_with_a_revoked_one(
    client: object, core: Core, shop: Shop
) -> None:
    first, second = (rsa.generate_private_key(65_537, 2048) for _ in range(2))

    def pem(private: rsa.RSAPrivateKey) -> str:
        public = private.public_key()
        return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()

    async def code(private: rsa.RSAPrivateKey, version: str) -> str:
        core.gatherers.clear()
        said = await Merchant(client, core, "5X1", private, version).ask(PAY, an_order())
        return str(said["result"]["resultCode"])

    await put_wallet_client(core, shop.company, "5X1", {"1": pem(first)})
    assert await code(second, "2") == "INVALID_SIGNATURE"
    await add_client_key(core, "wallet:5X1", pem(second), "2", overlap=DAY)

    assert [await code(first, "1"), await code(second, "2")] == ["SUCCESS", "SUCCESS"]
    await set_client_key(core, "wallet:5X1", "1", S.REVOKED)
    assert [await code(first, "1"), await code(second, "2")] == ["INVALID_SIGNATURE", "SUCCESS"]
