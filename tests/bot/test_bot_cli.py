"""The `hat` command as a user meets it: real processes, real files, real ports."""

import json
import signal
import socket
import sqlite3
import subprocess
import sys
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Event, Thread

import pytest

from engine.journal import Kind, read_records
from tests.bot_runs import ROOT, environment, hat, started_hat, summary_of, write_recording

KEYS = {
    "orders", "fills", "canceled", "rejected", "denied", "maker_ratio", "fill_rate", "volume", "pnl",
    "order_list_hash", "events", "seconds", "ledger", "log",
}  # fmt: skip
CAUSES = {"realized", "unrealized", "funding", "fees", "rebates", "slippage", "liquidation", "net"}
PAPER = ("run", "--for", "90s", "--speed", "max", "--port", "0", "--json")


@pytest.fixture(scope="module")
def paper(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, object], Path]:
    """Return the summary of a paper run and its state directory."""
    state_dir = tmp_path_factory.mktemp("paper")
    return summary_of(hat(*PAPER, "--state-dir", state_dir)), state_dir


def test_paper_run_trades_both_sides_and_says_what_it_did(paper: tuple[dict[str, object], Path]) -> None:
    summary, _ = paper

    assert set(summary) >= KEYS
    assert summary["mode"] == "stopping"
    assert summary["buys"] and summary["sells"]  # noqa: PT018
    assert Path(str(summary["ledger"])).exists()
    assert Path(str(summary["log"])).exists()


def test_pnl_by_cause_adds_up_to_the_last_unit(paper: tuple[dict[str, object], Path]) -> None:
    pnl = paper[0]["pnl"]
    assert isinstance(pnl, dict)
    assert set(pnl) == CAUSES
    amount = {cause: Decimal(text) for cause, text in pnl.items()}

    parts = amount["realized"] + amount["unrealized"] + amount["funding"] - amount["fees"] + amount["rebates"]

    assert amount["net"] == parts
    assert amount["fees"] >= 0
    assert amount["rebates"] >= 0


def test_ledger_tells_the_same_as_the_run(paper: tuple[dict[str, object], Path]) -> None:
    summary, state_dir = paper

    found = summary_of(hat("ledger", "summary", "--json", "--state-dir", state_dir))

    pnl = dict(found["pnl"])
    pnl.pop("equity")
    assert pnl == summary["pnl"]
    assert found["fills"] == summary["fills"]
    assert found["volume"] == summary["volume"]
    assert found["is_ended"]


def test_every_order_row_carries_its_trace_and_no_order_is_left_open(paper: tuple[dict[str, object], Path]) -> None:
    with sqlite3.connect(str(paper[0]["ledger"])) as database:
        rows = database.execute("SELECT client_order_id, trace_id, state FROM orders").fetchall()

    assert len(rows) == paper[0]["orders"]
    assert all(trace == order[2:] for order, trace, _ in rows)
    assert {state for _, _, state in rows} <= {"filled", "canceled", "rejected", "denied", "expired"}


def test_journal_holds_every_event_and_command_of_the_run(paper: tuple[dict[str, object], Path]) -> None:
    records = list(read_records(Path(str(paper[0]["journal"])).read_bytes()))

    events = [record.event() for record in records if record.kind is Kind.EVENT]
    places = [record for record in records if record.kind is Kind.COMMAND and "PlaceOrder" in str(record.command())]
    assert records[0].kind is Kind.HEADER
    assert len(events) == paper[0]["events"]
    assert len(places) == paper[0]["orders"]


def test_log_lines_have_the_shape_of_the_runbook(paper: tuple[dict[str, object], Path]) -> None:
    lines = [json.loads(line) for line in Path(str(paper[0]["log"])).read_text().splitlines()]

    assert all(list(line) == ["timestamp", "level", "component", "event_type", "data"] for line in lines)
    moved = [line for line in lines if line["event_type"] == "state_transition"]
    assert {"from_state", "to_state", "signal_id", "duration_ms"} <= set(moved[0]["data"])


def waited_for(path: Path, process: "subprocess.Popen[str]") -> dict[str, str]:
    """Return the note of a bot once it is written."""
    tick = Event()
    for _ in range(600):
        if path.exists() and (text := path.read_text()):
            found: dict[str, str] = json.loads(text)
            return found
        assert process.poll() is None, process.communicate()
        tick.wait(0.05)
    raise AssertionError(f"{path} was not written")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_signal_cancels_everything_flushes_and_exits_zero(number: signal.Signals, tmp_path: Path) -> None:
    with started_hat("run", "--speed", "50", "--port", "0", "--json", "--state-dir", tmp_path) as process:
        note = waited_for(tmp_path / "bot.json", process)
        running = hat("status", "--json", "--state-dir", tmp_path)
        health = subprocess.run(
            [sys.executable, "scripts/monitoring/check_system_health.py", "--url", note["url"], "--json"],
            cwd=ROOT, env=environment(), capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        process.send_signal(number)
        out, err = process.communicate(timeout=60)

    assert process.returncode == 0, err
    assert json.loads(running.stdout)["pid"] == process.pid
    assert health.returncode in {0, 1}, health.stdout
    summary = json.loads(out.splitlines()[-1])
    assert summary["ended"] == "signal"
    with sqlite3.connect(summary["ledger"]) as database:
        open_states = database.execute(
            "SELECT count(*) FROM orders WHERE state NOT IN ('filled','canceled','rejected','denied','expired')"
        ).fetchone()
    assert open_states == (0,)
    assert not (tmp_path / "bot.json").exists()


def test_backtest_of_two_paths_prints_both(tmp_path: Path) -> None:
    first = write_recording(tmp_path / "one", events=1_500, seed=3)
    second = write_recording(tmp_path / "two", events=1_500, seed=4)

    found = summary_of(hat("backtest", first, second, "--json", "--state-dir", tmp_path / "state"))

    assert [run["data"] for run in found["runs"]] != []
    assert found["runs"][0]["order_list_hash"] != found["runs"][1]["order_list_hash"]


def test_plain_output_is_readable_and_complete(tmp_path: Path) -> None:
    data = write_recording(tmp_path / "one", events=1_500)

    shown = hat("backtest", data, "--state-dir", tmp_path / "state")

    assert shown.returncode == 0, shown.stderr
    for word in ("realized", "unrealized", "funding", "fees", "rebates", "net", "order-list hash", "ledger", "log"):
        assert word in shown.stdout


def test_version_and_config_speak_json() -> None:
    assert summary_of(hat("version", "--json"))["version"]
    assert "risk" in summary_of(hat("config", "show", "--json"))
    assert hat("config", "show").returncode == 0


@pytest.mark.parametrize(
    ("arguments", "changes", "words"),
    [
        (("run", "--for", "soon"), {}, "--for = 'soon': expected a duration"),
        (("run", "--for", "-5s"), {}, "--for"),
        (("run", "--speed", "0"), {}, "--speed = '0'"),
        (("run", "--speed", "nan"), {}, "--speed = 'nan'"),
        (("run", "--config", "nowhere.toml"), {}, "nowhere.toml"),
        (("run", "--replay", "nowhere.csv"), {}, "nowhere.csv"),
        (("run", "--state-dir", "README.md/state"), {}, "bot.state_dir"),
        (("backtest", "README.md"), {}, "README.md"),
        (("backtest", "nowhere"), {}, "nowhere"),
        (("status", "--state-dir", "nowhere"), {}, "hat run"),
        (("status", "--url", "http://127.0.0.1:9"), {}, "--url"),
        (("ledger", "summary", "--url", "sqlite:///nowhere/x.db"), {}, "nowhere"),
        (("ledger", "summary", "--url", "no url"), {}, "no url"),
        (("config", "show"), {"HAT_RISK__LEVERAGE_MAXX": "2"}, "leverage_max"),
        (("config", "show"), {"HAT_RISK__DRAWDOWN_STOP_PERCENT": "-5"}, "drawdown_stop_percent"),
        (("config", "show"), {"HAT_VENUE__CASH_USD": "NaN"}, "cash_usd"),
        (("run",), {"HAT_MARKET__INSTRUMENTS": "NOPE"}, "NOPE"),
        (("run",), {"HAT_STRATEGY__NAME": "lucky"}, "two_sided"),
        (("run", "--for", "0s"), {}, "--for = '0s'"),
        (("run", "--speed", "1e9"), {}, "--speed = '1e9'"),
        (("run", "--seed", "-1"), {}, "bot.seed = '-1'"),
        (("run", "--seed", "x"), {}, "'--seed'"),
        (("run", "--port", "65536"), {}, "monitoring.port = '65536'"),
        (("run", "--coin", "NOPE"), {}, "market.instruments = 'NOPE'"),
        (("run", "--bogus"), {}, "hat run --help"),
        (("frob",), {}, "hat --help"),
        (("backtest",), {}, "DATA"),
        (("status", "--url", "ftp://somewhere"), {}, "http://127.0.0.1:8080"),
        (("config", "show"), {"HAT_BOT_SEED": "7"}, "HAT_BOT__SEED"),
    ],
)
def test_bad_input_is_one_sentence(
    arguments: tuple[str, ...], changes: dict[str, str], words: str, tmp_path: Path
) -> None:
    if arguments[0] == "run" and "--state-dir" not in arguments:
        arguments = (*arguments, "--state-dir", str(tmp_path))

    refused = hat(*arguments, **changes)

    assert refused.returncode == 2, refused.stderr
    assert words in refused.stderr
    assert "Traceback" not in refused.stderr
    assert len(refused.stderr.strip().splitlines()) == 1
    assert refused.stdout == ""


@pytest.mark.parametrize(
    "arguments", [("run", "--for", "soon"), ("run", "--bogus"), ("backtest", "nowhere"), ("frob",)]
)
def test_refusal_with_json_is_one_object_with_the_same_sentence(arguments: tuple[str, ...]) -> None:
    refused = hat(*arguments, "--json")

    assert refused.returncode == 2
    assert f"hat: {json.loads(refused.stdout)['error']}\n" == refused.stderr


def test_port_in_use_is_one_sentence(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()

        refused = hat("run", "--for", "1s", "--port", taken.getsockname()[1], "--state-dir", tmp_path)

    assert refused.returncode == 2
    assert "--port" in refused.stderr
    assert len(refused.stderr.splitlines()) == 1
    assert "holds no run" in hat("ledger", "summary", "--state-dir", tmp_path).stderr, "a refused bot left a run"


def test_second_bot_on_one_state_directory_is_refused_and_the_first_goes_on(tmp_path: Path) -> None:
    with started_hat("run", "--port", "0", "--json", "--state-dir", tmp_path) as process:
        waited_for(tmp_path / "bot.json", process)
        second = hat("run", "--port", "0", "--for", "1s", "--state-dir", tmp_path)
        running = hat("status", "--json", "--state-dir", tmp_path)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)

    assert second.returncode == 2
    assert f"process {process.pid} does" in second.stderr
    assert json.loads(running.stdout)["pid"] == process.pid
    assert process.returncode == 0


def test_killed_bot_is_said_to_be_gone_and_the_next_one_starts(tmp_path: Path) -> None:
    with started_hat("run", "--port", "0", "--state-dir", tmp_path) as process:
        waited_for(tmp_path / "bot.json", process)
        process.kill()
        process.communicate(timeout=60)

    asked = hat("status", "--state-dir", tmp_path)
    again = hat("run", "--port", "0", "--for", "5s", "--speed", "max", "--state-dir", tmp_path)

    assert asked.returncode == 2
    assert f"process {process.pid} is gone" in asked.stderr
    assert again.returncode == 0, again.stderr
    assert not (tmp_path / "bot.json").exists()


def test_coin_chooses_what_the_synthetic_market_trades(tmp_path: Path) -> None:
    arguments = ("run", "--coin", "DOGE", "--for", "5s", "--speed", "max", "--port", "0", "--state-dir", tmp_path)

    assert hat(*arguments).returncode == 0
    assert ["DOGE"] == list(summary_of(hat("ledger", "summary", "--json", "--state-dir", tmp_path))["instruments"])


def test_dead_collector_disturbs_neither_trading_nor_the_terminal(tmp_path: Path) -> None:
    endpoint = {"HAT_MONITORING__OTLP_ENDPOINT": "http://127.0.0.1:9"}
    done = hat("run", "--for", "20s", "--speed", "10", "--port", "0", "--json", "--state-dir", tmp_path, **endpoint)

    assert summary_of(done)["orders"] > 0
    assert len(done.stderr.splitlines()) == 1, done.stderr
    lines = [json.loads(line) for line in (tmp_path / "hat.log").read_text().splitlines()]
    said = [line["data"]["message"] for line in lines if line["component"] == "telemetry"]
    assert sum("refused" in message for message in said) == 1


def test_journal_that_cannot_grow_stops_the_bot_with_every_order_canceled(tmp_path: Path) -> None:
    """A limit of the shell on file sizes stands for a full disk; it holds for the ledger as well, which may lag."""
    bot = f"{sys.executable} -m bot run --for 10m --speed max --port 0 --json --state-dir {tmp_path}"
    done = subprocess.run(
        ["sh", "-c", f"ulimit -f 2400; exec {bot}"], cwd=ROOT, env=environment(),
        capture_output=True, text=True, timeout=100, check=False,
    )  # fmt: skip

    assert done.returncode == 3, done.stderr
    assert "the journal cannot be written" in json.loads(done.stdout)["error"]
    assert "0 orders are open" in done.stderr
    assert len(done.stderr.splitlines()) == 2
    journal = next((tmp_path / "journal").iterdir())
    assert len(list(read_records(journal.read_bytes()))) > 1


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs the device that is always full (Linux)")
@pytest.mark.parametrize("arguments", [("version",), ("version", "--json"), ("config", "show")])
def test_output_that_cannot_be_written_is_one_sentence(arguments: tuple[str, ...]) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "bot", *arguments], cwd=ROOT, env=environment(),
            stdout=full, stderr=subprocess.PIPE, text=True, timeout=60, check=False,
        )  # fmt: skip

    assert done.returncode == 3
    assert done.stderr == "hat: stopped: No space left on device\n"


def test_help_answers_without_loading_what_it_does_not_need() -> None:
    program = (
        "import sys, bot.cli; "
        "print(sorted({'pyarrow', 'numba', 'numpy', 'sqlalchemy', 'opentelemetry', 'pydantic'} & set(sys.modules)))"
    )
    found = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
    )  # fmt: skip

    assert found.stdout == "[]\n"
    for command in ((), ("run",), ("backtest",), ("status",), ("ledger", "summary"), ("config", "show"), ("version",)):
        assert hat(*command, "--help").returncode == 0
    assert "hat run --for 60s" in hat("run", "--help").stdout


def test_instruments_lists_the_built_in_table() -> None:
    found = summary_of(hat("instruments", "--json"))["instruments"]

    assert [one["symbol"] for one in found][:3] == ["BTC", "ETH", "SOL"]
    assert found[0]["size_step"] == "0.00001"
    assert "40x, 20x from 150,000,000" in hat("instruments").stdout


def test_instruments_asks_a_venue_through_the_official_sdk() -> None:
    """A loopback venue that lists one coin, and an address where nobody answers."""
    asked: list[object] = []

    class Venue(BaseHTTPRequestHandler):
        """Answers `meta`."""

        def do_POST(self) -> None:
            """Answer."""
            asked.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            body = b'{"universe":[{"name":"XYZ","szDecimals":1,"maxLeverage":5}]}'
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = HTTPServer(("127.0.0.1", 0), Venue)
    Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_address[1]}"

    found = summary_of(hat("instruments", "--from", url, "--json"))["instruments"]
    server.shutdown()
    server.server_close()
    refused = hat("instruments", "--from", url)

    assert [(one["symbol"], one["leverage_max"]) for one in found] == [("XYZ", 5)]
    assert asked == [{"type": "meta", "dex": ""}]
    assert refused.returncode == 2
    assert "cannot be reached" in refused.stderr
    assert "Traceback" not in refused.stderr
