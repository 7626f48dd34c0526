"""The health script, started as an operator starts it, against a real server on loopback."""

import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest

from bot.admin.server import AdminPages, AdminServer
from domain.modes import Mode
from monitoring.health import Health, HealthInputs, assess
from scripts.monitoring.check_system_health import NoAnswerError, ask, find_url, main

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "monitoring" / "check_system_health.py"


class Bot:
    """A bot reduced to its health."""

    def __init__(self) -> None:
        self.mode = Mode.TRADING
        self.seen = 1
        self.server = AdminServer(AdminPages(lambda _: (b"", ""), self.health, lambda: None, lambda _: None))
        self.server.start()

    def health(self) -> Health:
        return assess(
            HealthInputs(
                now_ns=1, mode=self.mode, step_age_ns=0, market_seen_ns={"BTC": self.seen}, market_age_ns_max=5
            )
        )


@pytest.fixture
def bot() -> Iterator[Bot]:
    running = Bot()
    yield running
    running.server.stop()


def run(*arguments: str | Path, **environment: str) -> tuple[int, str]:
    """Run the script in an isolated Python: it must need neither the project nor its packages."""
    done = subprocess.run(
        [sys.executable, "-I", "-S", SCRIPT, *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env=environment,
    )
    assert done.stderr == ""
    return done.returncode, done.stdout


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_healthy_bot_gives_a_line_per_component_and_zero(bot: Bot) -> None:
    code, out = run("--url", bot.server.url)
    *components, whole = out.splitlines()
    assert code == 0
    assert 9 == len(components)
    assert all(line.startswith("ready ") for line in components)
    assert f"healthy, score 1.00, mode trading, {bot.server.url}" == whole


def test_degraded_bot_gives_one(bot: Bot) -> None:
    bot.mode = Mode.PAUSED
    code, out = run("--url", bot.server.url)
    assert (1, True) == (code, out.startswith("degraded  process "))


def test_unhealthy_bot_gives_two_and_still_tells_why(bot: Bot) -> None:
    bot.seen = 0
    code, out = run("--url", bot.server.url + "/")
    assert code == 2
    assert "failed    market_data    stale: BTC never seen" in out


@pytest.mark.parametrize(("seen", "expected", "status"), [(1, 0, "healthy"), (0, 2, "unhealthy")])
def test_json_is_one_object(bot: Bot, seen: int, expected: int, status: str) -> None:
    bot.seen = seen
    code, out = run("--json", "--url", bot.server.url)
    shape = json.loads(out)
    assert (expected, status, bot.server.url, 9) == (code, shape["status"], shape["url"], len(shape["components"]))


def test_address_comes_from_the_state_directory(bot: Bot, tmp_path: Path) -> None:
    (tmp_path / "bot.json").write_text(json.dumps({"pid": 1, "url": bot.server.url}))
    assert 0 == run("--state-dir", tmp_path)[0]
    assert 0 == run(HAT_BOT__STATE_DIR=str(tmp_path))[0]


def test_proxy_of_the_environment_is_not_used(bot: Bot) -> None:
    assert 0 == run("--url", bot.server.url, http_proxy=f"http://127.0.0.1:{free_port()}")[0]


def test_no_running_bot_gives_two_and_one_sentence(tmp_path: Path) -> None:
    code, out = run("--state-dir", tmp_path)
    assert (2, f"no running bot: {tmp_path / 'bot.json'} does not exist\n") == (code, out)


def test_stopped_bot_gives_two_and_one_sentence() -> None:
    url = f"http://127.0.0.1:{free_port()}"
    code, out = run("--url", url, "--json")
    found = json.loads(out)
    assert (2, "unreachable") == (code, found["status"])
    assert found["detail"].startswith(f"{url}/health does not answer: ")
    assert "refused" in found["detail"]


def test_note_of_a_killed_bot_gives_two_and_one_sentence(bot: Bot, tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as gone:
        gone.wait()
    (tmp_path / "bot.json").write_text(json.dumps({"pid": gone.pid, "url": bot.server.url}))
    code, out = run("--state-dir", tmp_path)
    assert (2, 1) == (code, len(out.splitlines()))
    assert f"process {gone.pid}, which did not stop in order" in out


@pytest.mark.parametrize("text", ["", "{", "[]", '{"pid": 1}', '{"url": 5}'])
def test_broken_note_gives_two_and_one_sentence(tmp_path: Path, text: str) -> None:
    (tmp_path / "bot.json").write_text(text)
    code, out = run("--state-dir", tmp_path)
    assert (2, 1) == (code, len(out.splitlines()))
    assert str(tmp_path / "bot.json") in out


@pytest.mark.parametrize("body", [b"<html>", b"[]", b'{"status": "fine"}', b'{"status": "healthy"}'])
def test_other_server_on_the_port_is_not_a_bot(body: bytes, capsys: pytest.CaptureFixture[str]) -> None:
    class Other(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Other) as http:
        thread = Thread(target=http.handle_request)
        thread.start()
        assert 2 == main(["--url", f"http://127.0.0.1:{http.server_address[1]}"])
        thread.join()
    assert "not with a health report" in capsys.readouterr().out


def test_silent_server_is_given_up_after_the_timeout(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        assert 2 == main(["--url", url, "--timeout", "0.1"])
    assert "does not answer" in capsys.readouterr().out


@pytest.mark.parametrize("url", ["file:///etc/passwd", "127.0.0.1:80", "nonsense"])
def test_address_that_is_not_http_is_refused(url: str) -> None:
    with pytest.raises(NoAnswerError, match="no http or https address"):
        ask(url, 1)


def test_note_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    (tmp_path / "bot.json").mkdir()
    with pytest.raises(NoAnswerError, match="cannot be read"):
        find_url(tmp_path)


def test_main_prints_lines_for_a_running_bot(bot: Bot, capsys: pytest.CaptureFixture[str]) -> None:
    assert 0 == main(["--url", bot.server.url])
    assert 0 == main(["--url", bot.server.url, "--json"])
    assert 11 == len(capsys.readouterr().out.splitlines())
