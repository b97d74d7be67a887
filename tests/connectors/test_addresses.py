"""An address that leads inside is never called, however it is written."""

import ipaddress

import pytest

from kassa.connectors.addresses import BLOCKED, may_call

INSIDE = """
    0.0.0.0 0.1.2.3 10.0.0.1 10.255.255.255 100.64.0.1 100.100.100.200 100.127.255.255 127.0.0.1
    127.255.255.254 169.254.169.254 172.16.0.1 172.31.255.255 192.0.0.1 192.0.0.192 192.0.2.1
    192.31.196.1 192.52.193.1 192.88.99.1 192.168.1.1 192.175.48.1 198.18.0.1 198.19.255.255
    198.51.100.7 203.0.113.9 224.0.0.1 239.255.255.255 240.0.0.1 255.255.255.255
    :: ::1 ::169.254.169.254 ::127.0.0.1 ::2 ::ffff:127.0.0.1 ::ffff:10.0.0.1
    ::ffff:169.254.169.254 ::ffff:100.100.100.200 ::ffff:7f00:1 ::ffff:0:127.0.0.1
    64:ff9b::a9fe:a9fe 64:ff9b::10.0.0.1 64:ff9b::8.8.8.8 64:ff9b:1::1 100::1 2001::1 2001:10::1
    2001:20::1 2001:db8::1 2002:a9fe:a9fe::1 2002:7f00:1:: 3fff::1 3fff:fff::1 4000::1 5f00::1
    fc00::1 fd00:ec2::254 fe80::1 fe80::1%1 fec0::1 feff::1 ff02::1 ff0e::1
""".split()
PUBLIC = """
    1.1.1.1 8.8.8.8 9.255.255.255 11.0.0.1 100.63.255.255 100.128.0.1 126.255.255.255 128.0.0.1
    169.253.0.1 172.15.255.255 172.32.0.1 192.0.1.1 192.167.0.1 192.169.0.1 198.17.0.1 198.20.0.1
    223.255.255.255 ::ffff:8.8.8.8 2001:200::1 2001:4860:4860::8888 2400:cb00::1 2606:4700::1111
    2a00:1450::1 3ffe:ffff::1
""".split()


@pytest.mark.parametrize("address", INSIDE)
def test_an_address_that_leads_inside_is_refused(address: str) -> None:
    assert not may_call(address, allow_loopback=False)


@pytest.mark.parametrize("address", PUBLIC)
def test_a_public_address_may_be_called(address: str) -> None:
    assert may_call(address, allow_loopback=False)


@pytest.mark.parametrize("network", BLOCKED, ids=str)
def test_every_blocked_network_is_refused_to_its_edges(network: ipaddress.IPv4Network) -> None:
    assert not may_call(str(network[0]), allow_loopback=False)
    assert not may_call(str(network[-1]), allow_loopback=False)


@pytest.mark.parametrize("address", ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"])
def test_loopback_may_be_called_when_allowed(address: str) -> None:
    assert may_call(address, allow_loopback=True)


@pytest.mark.parametrize(
    "address", ["0.0.0.0", "::", "10.0.0.1", "169.254.169.254", "192.168.1.1", "::ffff:10.0.0.1"]
)
def test_allowing_loopback_allows_nothing_else(address: str) -> None:
    assert not may_call(address, allow_loopback=True)


@pytest.mark.parametrize("address", ["", "localhost", "0177.0.0.1", "2130706433", "127.1"])
def test_what_is_no_plain_ip_address_is_refused(address: str) -> None:
    assert not may_call(address, allow_loopback=True)


def test_a_public_network_of_our_own_is_refused() -> None:
    ours = [ipaddress.ip_network("8.8.8.0/24")]

    assert not may_call("8.8.8.8", allow_loopback=False, also_blocked=ours)
    assert not may_call("::ffff:8.8.8.8", allow_loopback=False, also_blocked=ours)
    assert may_call("8.8.4.4", allow_loopback=False, also_blocked=ours)
