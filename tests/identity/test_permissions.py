"""The words for what a credential may do, and what each preset comes to."""

import pytest

from kassa.base.domain.errors import InvalidRequest, PermissionDenied
from kassa.identity.domain.networks import is_from, read_networks
from kassa.identity.domain.permissions import (
    INTERFACES,
    PRESETS,
    Permission,
    demand,
    granted,
    words_of,
)

P = Permission


def test_every_permission_is_of_an_interface_that_some_kind_of_credential_opens() -> None:
    named = {name for names in INTERFACES.values() for name in names}

    assert {one.interface for one in P} == named


@pytest.mark.parametrize(
    ("kind", "words", "may"),
    [
        ("api_key", ["full"], "business:read gateway:create gateway:read gateway:refund"),
        ("api_key", ["read-only"], "business:read gateway:read"),
        ("api_key", ["checkout-server"], "business:read gateway:create gateway:read"),
        ("api_key", ["refund-desk"], "business:read gateway:read gateway:refund"),
        ("api_key", ["admin"], "admin:read admin:credentials admin:businesses"),
        (
            "api_key",
            ["gateway:*", "admin:read"],
            "gateway:create gateway:read gateway:refund admin:read",
        ),
        ("orders_client", ["checkout-server"], "orders:create orders:read"),
        ("orders_client", ["refund-desk"], "orders:read orders:refund"),
        (
            "orders_client",
            ["back-office"],
            "orders:read orders:cancel orders:capture orders:void orders:refund",
        ),
        ("jwt_key", ["full"], "checkout:create checkout:read"),
        ("jwt_key", ["read-only"], "checkout:read"),
        ("wallet_client", ["checkout-server"], "wallet:create wallet:read wallet:agree"),
        ("wallet_client", ["wallet:void"], "wallet:void"),
    ],
)
def test_presets_and_words_come_to_permissions(kind: str, words: list[str], may: str) -> None:
    assert granted(kind, words_of(kind, words)) == {P(word) for word in may.split()}


def test_no_preset_but_admin_administers() -> None:
    for kind in INTERFACES:
        for preset in ("full", *PRESETS):
            assert all(one.interface != "admin" for one in granted(kind, words_of(kind, [preset])))


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("api_key", ["everything"]),
        ("api_key", ["orders:read"]),
        ("api_key", ["*"]),
        ("api_key", ["gateway:pay"]),
        ("orders_client", ["admin"]),
        ("orders_client", ["gateway:*"]),
        ("jwt_key", [""]),
        ("wallet_client", []),
    ],
)
def test_what_a_kind_of_credential_cannot_have_is_refused(kind: str, words: list[str]) -> None:
    with pytest.raises(InvalidRequest) as caught:
        words_of(kind, words)

    assert caught.value.field == "permissions"


def test_words_in_the_database_that_nobody_knows_are_worth_nothing() -> None:
    assert (
        granted("api_key", ["gateway:everything", "full", "*", "orders:*", "wallet:read"]) == set()
    )
    assert granted("no kind", ["gateway:*"]) == set()


def test_what_is_needed_is_one_of_several() -> None:
    demand({P.ORDERS_VOID}, (P.ORDERS_CAPTURE, P.ORDERS_VOID))

    with pytest.raises(
        PermissionDenied, match="has not the permission orders:capture or orders:void"
    ):
        demand({P.ORDERS_READ}, (P.ORDERS_CAPTURE, P.ORDERS_VOID))


@pytest.mark.parametrize(
    ("host", "is_in"),
    [
        ("192.0.2.7", True),
        ("192.0.3.7", False),
        ("2001:db8::1", True),
        ("2001:db9::1", False),
        ("", False),
        ("unix", False),
        ("fe80::1%eth0", False),
    ],
)
def test_an_address_is_in_a_network_or_not(host: str, is_in: bool) -> None:
    assert is_from(host, read_networks(["192.0.2.0/24", "2001:db8::/32"])) is is_in


@pytest.mark.parametrize("wrong", ["", "192.0.2.7/24", "example.com", "10.0.0.0/33", "é"])
def test_what_is_no_network_is_refused(wrong: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        read_networks([wrong])

    assert caught.value.field == "networks"


def test_a_bare_address_is_a_network_of_one_and_stands_once() -> None:
    assert read_networks(["192.0.2.7", " 192.0.2.7/32 "]) == ("192.0.2.7/32",)
    with pytest.raises(InvalidRequest, match="at most"):
        read_networks([f"10.0.0.{number}" for number in range(60)])
