"""`hat check connectivity` and its script: each link of the way to the venue, broken once."""

import os
import socket
import ssl
import threading
import time
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from bot.clock import now_ns
from bot.config import load
from bot.connectivity import age_told, check_connectivity, days_left
from domain.errors import ConfigInvalid
from monitoring.health import Status
from tests.asked_venue import asked_venue, book


@pytest.fixture
def venue():
    with asked_venue() as venue:
        yield venue


@pytest.fixture
def checked(venue, tmp_path, monkeypatch):
    for name in [one for one in os.environ if one.startswith("HAT_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)

    def run(url="", coin="BTC", seconds=3.0, **sections):
        overrides = {
            "bot": {"state_dir": str(tmp_path / "state")},
            "market": {"instruments": [coin]},
            "network": {"name": "local", "url": url or venue.url},
            **sections,
        }
        run.report = check_connectivity(load(None, overrides), seconds)
        return {one.name: (one.condition.value, one.detail) for one in run.report.links}

    return run


@contextmanager
def server_of(serve):
    """Serve each connection by a function, on loopback; it must end when the socket does."""
    with socket.create_server(("127.0.0.1", 0)) as door:
        door.settimeout(20)
        lines = []

        def loop():
            while True:
                try:
                    line, _ = door.accept()
                except OSError:
                    return
                lines.append(line)
                serve(line)

        thread = threading.Thread(target=loop, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{door.getsockname()[1]}"
        door.shutdown(socket.SHUT_RDWR)
        thread.join(10)
        for line in lines:
            line.close()


def test_healthy_way_is_told_link_by_link(checked, venue):
    found = checked()
    assert ["dns", "tcp", "tls", "http", "websocket", "market data", "database", "telemetry"] == list(found)
    assert {"ready"} == {condition for condition, _ in found.values()}, found
    assert Status.HEALTHY is checked.report.status
    assert found["dns"][1].startswith("127.0.0.1 is 127.0.0.1, ")
    assert "none: the network is spoken to in the clear" == found["tls"][1]
    assert "(p50 of 5, worst " in found["http"][1]
    assert "/ws opens in " in found["websocket"][1]
    assert found["market data"][1].startswith("first BTC book after ")
    assert [{"type": "l2Book", "coin": "BTC"}] * 5 == venue.asked


def test_simulated_network_has_no_way_to_try(checked, venue):
    found = checked(network={"name": "simulated"})
    assert ("ready", "not tried: network.name is simulated") == found["venue"]
    assert [] == venue.asked


def test_port_where_nobody_listens_ends_the_chain(checked):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{probe.getsockname()[1]}"
    found = checked(url=url)
    assert ("ready", "failed") == (found["dns"][0], found["tcp"][0])
    assert "ConnectionRefusedError" in found["tcp"][1]
    untried = ("failed", "not tried: the step before it failed")
    assert {untried} == {found[name] for name in ("tls", "http", "websocket", "market data")}
    assert Status.UNHEALTHY is checked.report.status


def test_name_nobody_knows_ends_the_chain(checked):
    found = checked(url="http://no-such-host.invalid:3001")
    assert "failed" == found["dns"][0]
    assert "failed" == found["market data"][0]


def test_server_without_tls_fails_at_tls(checked):
    with server_of(lambda line: line.close()) as url:
        found = checked(url=url.replace("http:", "https:"))
    assert ("ready", "failed") == (found["tcp"][0], found["tls"][0])


def certificate(folder, days):
    """Write a certificate of 127.0.0.1 and its key into one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.fromtimestamp(now_ns() // 10**9, tz=UTC)
    signed = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=days, hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    plain = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    place = folder / "server.pem"
    place.write_bytes(signed.public_bytes(Encoding.PEM) + plain)
    return place


@pytest.mark.parametrize(("days", "condition"), [(30, "ready"), (3, "degraded")])
def test_certificate_near_its_end_degrades(checked, tmp_path, monkeypatch, days, condition):
    place = certificate(tmp_path, days)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(place)
    monkeypatch.setenv("SSL_CERT_FILE", str(place))

    def greet(line):
        with suppress(OSError), server.wrap_socket(line, server_side=True) as inside:
            inside.recv(1)

    with server_of(greet) as url:
        found = checked(url=url.replace("http:", "https:"))
    assert condition == found["tls"][0]
    assert found["tls"][1].startswith("TLSv1.3 in ")
    assert found["tls"][1].endswith(f", certificate good for {days} days")


def test_certificate_nobody_vouches_for_fails(checked, tmp_path):
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(certificate(tmp_path, 30))

    def greet(line):
        with suppress(OSError), server.wrap_socket(line, server_side=True) as inside:
            inside.recv(1)

    with server_of(greet) as url:
        found = checked(url=url.replace("http:", "https:"))
    assert "failed" == found["tls"][0]
    assert "certificate verify failed" in found["tls"][1]


def test_silent_server_is_given_up_step_by_step_in_time(checked):
    before = time.monotonic()
    with server_of(lambda _: None) as url:
        found = checked(url=url, seconds=0.2)
    assert ("failed", "nothing within 0.2 s") == found["http"]
    assert ("failed", "nothing within 0.2 s") == found["websocket"]
    assert time.monotonic() - before < 8


def test_http_in_trouble_fails_and_the_socket_is_still_tried(checked, venue):
    venue.status = 502
    found = checked()
    assert ("failed", "/info answers HTTP 502") == found["http"]
    assert ("ready", "ready") == (found["websocket"][0], found["market data"][0])


def test_other_server_is_not_a_venue(checked, venue):
    venue.answers["l2Book"] = lambda _: None
    found = checked(coin="NOPE")
    assert ("failed", "no book of NOPE but 'null': is it a venue, and does it list NOPE?") == found["http"]


def test_socket_that_says_nothing_fails(checked, venue):
    venue.is_mute = True
    found = checked(seconds=0.5)
    assert ("failed", "nothing within 0.5 s") == found["websocket"]
    assert ("failed", "not tried: the step before it failed") == found["market data"]


def test_socket_that_answers_pings_but_has_no_book_fails_at_the_data(checked, venue):
    async def refuse(line, _frame, _group, _pushing):
        await line.send_str('{"channel":"pong"}')
        await line.send_str('{"channel":"error","data":"Invalid subscription {}"}')

    venue._take = refuse
    found = checked()
    assert "ready" == found["websocket"][0]
    assert ("failed", 'the venue says "Invalid subscription {}"') == found["market data"]


def test_old_book_degrades(checked, venue, monkeypatch):
    monkeypatch.setattr("tests.asked_venue.book", lambda coin: book(coin, now_ns() // 1_000_000 - 60_000))
    found = checked()
    assert "degraded" == found["market data"][0]
    assert " ms old" in found["market data"][1]
    assert Status.DEGRADED is checked.report.status


@pytest.mark.parametrize(
    ("age_ms", "told"), [(12.4, "12 ms old"), (0.0, "0 ms old"), (-7.4, "stamped 7 ms ahead of our clock")]
)
def test_age_of_a_book_is_never_below_zero(age_ms, told):
    assert told == age_told(age_ms)


def test_collector_that_is_away_degrades_and_a_database_that_is_away_fails(checked):
    found = checked(monitoring={"otlp_endpoint": "http://127.0.0.1:1"})
    assert "degraded" == found["telemetry"][0]
    assert Status.DEGRADED is checked.report.status
    found = checked(ledger={"url": "postgresql://nobody@127.0.0.1:1/none"})
    assert "failed" == found["database"][0]


def test_mainnet_in_the_clear_is_refused_before_anything_is_tried(checked):
    with pytest.raises(ConfigInvalid, match=r"network\.url"):
        checked(network={"name": "mainnet", "url": "http://127.0.0.1:1"})


@pytest.mark.parametrize(
    ("until", "days"),
    [("Nov 24 05:00:00 2026 GMT", 2), ("Nov 20 05:00:00 2026 GMT", -2), ("", 0), ("never", 0)],
)
def test_certificate_is_told_in_days(until, days):
    assert days == days_left(until, 1_795_323_600_000_000_000 - 3_600_000_000_000)
