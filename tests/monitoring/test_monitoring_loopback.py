"""Which hosts are this machine, and which only say so."""

import pytest

from monitoring.loopback import is_loopback, names_loopback


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.255.255.254", "::1"])
def test_loopback_is_known_without_a_name_server(host):
    assert is_loopback(host)


@pytest.mark.parametrize(
    "host", ["", "0.0.0.0", "::", "10.0.0.1", "localhost.example", "127.0.0.1.example", "127.1", "-"]
)
def test_everything_else_is_elsewhere(host):
    assert not is_loopback(host)
    assert not names_loopback(host)


@pytest.mark.parametrize("header", ["localhost", "LOCALHOST:80", "127.0.0.1:3001", "[::1]", "[::1]:3001"])
def test_host_header_names_this_machine_with_or_without_a_port(header):
    assert names_loopback(header)


@pytest.mark.parametrize("header", ["", ":80", "[", "[::1", "localhost@evil.example", "evil.example#localhost", "a b"])
def test_host_header_that_is_none_names_nobody(header):
    assert not names_loopback(header)
