"""The admin server on a real loopback port, asked by the standard library's client."""

import json
import socket
from collections.abc import Callable, Iterator
from http.client import HTTPConnection, HTTPException, HTTPResponse
from threading import Thread
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from bot.admin.server import AdminPages, AdminServer
from domain.errors import ConfigInvalid
from domain.modes import Mode
from monitoring.health import Health, HealthInputs, assess
from monitoring.measure import Measurements

TIMEOUT = 10


class House:
    """What the pages read, to be changed by a test."""

    def __init__(self) -> None:
        self.measurements = Measurements({})
        self.mode = Mode.TRADING
        self.seen = {"BTC": 1}
        self.status: Callable[[], Any] = lambda: {"equity": "10000"}
        self.failed: list[str] = []

    def health(self) -> Health:
        return assess(
            HealthInputs(now_ns=1, mode=self.mode, step_age_ns=0, market_seen_ns=self.seen, market_age_ns_max=5)
        )

    def tell(self) -> Any:
        return self.status()

    def pages(self) -> AdminPages:
        return AdminPages(
            metrics=lambda accept: self.measurements.exposition(1, accept),
            health=self.health,
            status=self.tell,
            failed=self.failed.append,
        )


@pytest.fixture
def house() -> House:
    return House()


@pytest.fixture
def server(house: House) -> Iterator[AdminServer]:
    started = AdminServer(house.pages())
    started.start()
    yield started
    started.stop()


def port(server: AdminServer) -> int:
    return int(server.url.rsplit(":", 1)[1])


def ask(server: AdminServer, path: str, method: str = "GET", **headers: str) -> tuple[HTTPResponse, bytes]:
    connection = HTTPConnection("127.0.0.1", port(server), timeout=TIMEOUT)
    connection.request(method, path, headers=headers)
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer, body


def test_metrics_are_what_prometheus_reads(server: AdminServer, house: House) -> None:
    house.measurements.set_health(0.75)
    answer, body = ask(server, "/metrics")
    assert (200, True) == (answer.status, answer.headers["Content-Type"].startswith("text/plain; version="))
    families = {family.name: family for family in text_string_to_metric_families(body.decode())}
    assert 0.75 == families["system_health"].samples[0].value
    assert "orders_placed" in families


def test_metrics_speak_openmetrics_when_asked(server: AdminServer) -> None:
    answer, body = ask(server, "/metrics", Accept="application/openmetrics-text; version=1.0.0")
    assert answer.headers["Content-Type"].startswith("application/openmetrics-text")
    assert body.endswith(b"# EOF\n")


def test_health_is_200_while_it_can_trade_and_503_when_it_cannot(server: AdminServer, house: House) -> None:
    answer, body = ask(server, "/health")
    assert (200, "healthy", "application/json") == (
        answer.status,
        json.loads(body)["status"],
        answer.headers["Content-Type"],
    )
    house.mode = Mode.REDUCING
    answer, body = ask(server, "/health")
    assert (200, "degraded") == (answer.status, json.loads(body)["status"])
    house.seen = {"BTC": 0}
    answer, body = ask(server, "/health?verbose=1")
    assert (503, "unhealthy") == (answer.status, json.loads(body)["status"])


def test_status_serves_what_the_callable_gives(server: AdminServer) -> None:
    answer, body = ask(server, "/status/")
    assert (200, {"equity": "10000"}) == (answer.status, json.loads(body))


def test_root_and_unknown_paths_name_the_pages(server: AdminServer) -> None:
    answer, body = ask(server, "/")
    assert (200, b"/metrics\n/health\n/status\n") == (answer.status, body)
    answer, body = ask(server, "/../etc/passwd")
    assert (404, b"/metrics\n/health\n/status\n") == (answer.status, body)


def test_head_has_the_length_and_no_body(server: AdminServer) -> None:
    answer, body = ask(server, "/status", "HEAD")
    assert (200, b"", len(b'{"equity":"10000"}\n')) == (answer.status, body, int(answer.headers["Content-Length"]))


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_server_changes_nothing(server: AdminServer, method: str) -> None:
    answer, _ = ask(server, "/status", method)
    assert answer.status == 501


@pytest.mark.parametrize(("host", "code"), [("evil.example", 403), ("10.0.0.1:80", 403), ("", 403)])
def test_foreign_host_is_refused_on_loopback(server: AdminServer, host: str, code: int) -> None:
    answer, _ = ask(server, "/status", Host=host)
    assert code == answer.status


@pytest.mark.parametrize("host", ["localhost:9090", "127.0.0.1", "[::1]:80", "127.0.0.5"])
def test_loopback_host_is_answered(server: AdminServer, host: str) -> None:
    answer, _ = ask(server, "/status", Host=host)
    assert answer.status == 200


def test_host_is_not_looked_at_on_a_public_address(house: House) -> None:
    server = AdminServer(house.pages(), "0.0.0.0")
    server.start()
    answer, _ = ask(server, "/status", Host="bot.example")
    server.stop()
    assert answer.status == 200


def test_page_that_raises_is_reported_and_the_server_goes_on(
    server: AdminServer, house: House, capfd: pytest.CaptureFixture[str]
) -> None:
    def broken() -> None:
        raise KeyError("equity")

    house.status = broken
    with pytest.raises((HTTPException, ConnectionError)):
        ask(server, "/status")
    assert ["KeyError: 'equity'"] == house.failed
    assert ask(server, "/health")[0].status == 200
    assert "Traceback" not in capfd.readouterr().err


def test_client_that_goes_away_is_no_error(
    server: AdminServer, house: House, capfd: pytest.CaptureFixture[str]
) -> None:
    house.status = lambda: "x" * 50_000_000
    with socket.create_connection(("127.0.0.1", port(server)), timeout=TIMEOUT) as client:
        client.sendall(b"GET /status HTTP/1.1\r\nHost: localhost\r\n\r\n")
        client.recv(1)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
    house.status = lambda: "still here"
    assert b'"still here"\n' == ask(server, "/status")[1]
    assert ([], "") == (house.failed, capfd.readouterr().err)


def test_nonsense_is_answered_with_an_error(server: AdminServer) -> None:
    with socket.create_connection(("127.0.0.1", port(server)), timeout=TIMEOUT) as client:
        client.sendall(b"\x16\x03\x01 nonsense\r\n\r\n")
        assert b"400" in client.recv(1_000)


def test_many_clients_are_answered_at_once(server: AdminServer) -> None:
    codes: list[int] = []
    threads = [Thread(target=lambda: codes.append(ask(server, "/metrics")[0].status)) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(TIMEOUT)
    assert [200] * 16 == codes


def test_port_in_use_is_a_setting_that_cannot_be_used(server: AdminServer, house: House) -> None:
    with pytest.raises(ConfigInvalid) as refused:
        AdminServer(house.pages(), port=port(server))
    assert str(refused.value) == (
        f"monitoring.port = '127.0.0.1:{port(server)}': expected a free address (Address already in use); "
        "choose another with --port, 0 takes any free one"
    )


@pytest.mark.parametrize("wrong", [-1, 65_536])
def test_port_out_of_range_is_refused(house: House, wrong: int) -> None:
    with pytest.raises(ConfigInvalid, match="expected 0 to 65535"):
        AdminServer(house.pages(), port=wrong)


def test_host_that_is_not_ours_is_refused(house: House) -> None:
    with pytest.raises(ConfigInvalid, match=r"192\.0\.2\.1:0"):
        AdminServer(house.pages(), "192.0.2.1")


def test_port_is_free_again_after_stop(house: House) -> None:
    server = AdminServer(house.pages())
    server.start()
    taken = port(server)
    server.stop()
    again = AdminServer(house.pages(), port=taken)
    assert taken == port(again)
    again.stop()
