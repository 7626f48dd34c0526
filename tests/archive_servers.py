"""Servers `hat data` is tested against, on loopback: an S3 with a line that can be bad, and a venue's `/info`."""

import http.client
import json
import os
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import boto3
from moto.server import ThreadedMotoServer

from backtest.importers.archive_keys import PLACES
from tests.bot_runs import ROOT, environment

SECRET = "wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY"
KEY_ID = "AKIAIOSFODNN7EXAMPLE"
CREDENTIALS = {"AWS_ACCESS_KEY_ID": KEY_ID, "AWS_SECRET_ACCESS_KEY": SECRET}
HAT_DATA = """
from bot import cli
from bot.cli_data import data_app
if all(group.name != "data" for group in cli.app.registered_groups):
    cli.app.add_typer(data_app, name="data")
cli.main()
"""
PATIENCE_SECONDS = 60
CHUNK = 4096


@contextmanager
def serving(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    """Serve on a free port of loopback until the end."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class Line:
    """The line to the bucket: what went over it, and what goes wrong on it."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, dict[str, str]]] = []
        self.refuse: Callable[[str, str], int] = lambda _method, _path: 0
        self.cut_after = 0
        self.stall_after = 0
        self.flip = False
        self.let_go = threading.Event()

    def of(self, method: str) -> list[tuple[str, dict[str, str]]]:
        return [(path, headers) for how, path, headers in self.asked if how == method]


class Bucket:
    """Both buckets of the archive in one moto server, reached over a line."""

    def __init__(self, url: str, line: Line, client: Any) -> None:
        self.url, self.line, self._client = url, line, client

    def put(self, dataset: Any, key: str, content: bytes) -> bytes:
        self._client.put_object(Bucket=PLACES[dataset].bucket, Key=key, Body=content)
        return content


@contextmanager
def archive_bucket() -> Iterator[Bucket]:
    """Start an S3 with the archive's two buckets, empty."""
    moto = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    moto.start()
    host, port = moto.get_host_and_port()
    line = Line()
    try:
        client = boto3.client(
            "s3",
            endpoint_url=f"http://{host}:{port}",
            region_name="us-east-1",
            aws_access_key_id=KEY_ID,
            aws_secret_access_key=SECRET,
        )
        for name in sorted({place.bucket for place in PLACES.values()}):
            client.create_bucket(Bucket=name)
        with serving(_line_handler(line, host, port)) as url:
            yield Bucket(url, line, client)
            line.let_go.set()
        for name in sorted({place.bucket for place in PLACES.values()}):
            for found in client.list_objects_v2(Bucket=name).get("Contents", ()):
                client.delete_object(Bucket=name, Key=found["Key"])
            client.delete_bucket(Bucket=name)
        client.close()
    finally:
        moto.stop()


def _line_handler(line: Line, host: str, port: int) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_HEAD(self) -> None:
            self._pass()

        def do_GET(self) -> None:
            self._pass()

        def log_message(self, *_: object) -> None:
            return

        def _pass(self) -> None:
            headers = {name.lower(): value for name, value in self.headers.items()}
            line.asked.append((self.command, self.path, headers))
            status = line.refuse(self.command, self.path)
            if status:
                body = b"<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"
                self.send_response(status)
                self.send_header("Content-Type", "application/xml")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body if self.command == "GET" else b"")
                return
            self._forward()

        def _forward(self) -> None:
            behind = http.client.HTTPConnection(host, port, timeout=PATIENCE_SECONDS)
            behind.request(self.command, self.path, headers=dict(self.headers.items()))
            answer = behind.getresponse()
            content = answer.read()
            behind.close()
            self.send_response(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in {"date", "server", "connection", "transfer-encoding"}:
                    self.send_header(name, value)
            self.end_headers()
            if self.command == "GET":
                self._send(content)

        def _send(self, content: bytes) -> None:
            if line.flip and content:
                content = bytes([content[0] ^ 1]) + content[1:]
            for start in range(0, len(content), CHUNK):
                if line.cut_after and start >= line.cut_after:
                    self.close_connection = True
                    return
                try:
                    self.wfile.write(content[start : start + CHUNK])
                    self.wfile.flush()
                except OSError:
                    self.close_connection = True
                    return
                if line.stall_after and start + CHUNK >= line.stall_after:
                    line.let_go.wait(PATIENCE_SECONDS)

    return Handler


class Info:
    """A venue's `/info` with candles and funding of one coin, its limits, and its moods."""

    def __init__(self) -> None:
        self.now_ms = int(time.time() * 1000)
        self.candles: dict[str, list[dict[str, Any]]] = {}
        self.fundings: list[dict[str, Any]] = []
        self.kept = 5000
        self.page = 500
        self.answers: list[tuple[int, bytes]] = []
        """Given first, before any real answer."""
        self.busy_every = 0
        self.asked: list[dict[str, Any]] = []
        self.told: Counter[int] = Counter()
        self.stall_at = 0
        self.let_go = threading.Event()

    def fill(self, coin: str = "BTC", hours: int = 1700, interval: str = "1h", length_ms: int = 3_600_000) -> None:
        """Make candles up to the one that is open now, and funding of as many hours."""
        newest = self.now_ms // length_ms * length_ms
        self.candles[interval] = [
            {
                "t": open_ms, "T": open_ms + length_ms - 1, "s": coin, "i": interval, "o": "100.0", "c": "101.5",
                "h": "102.0", "l": "99.25", "v": f"{number}.00125", "n": number,
            }
            for number, open_ms in enumerate(range(newest - (hours - 1) * length_ms, newest + 1, length_ms))
        ]  # fmt: skip
        hour = self.now_ms // 3_600_000
        self.fundings = [
            {"coin": coin, "fundingRate": "0.0000125", "premium": f"-0.{number:010d}", "time": at * 3_600_000 + 48}
            for number, at in enumerate(range(hour - hours + 1, hour + 1))
        ]

    def answer(self, body: dict[str, Any]) -> tuple[int, bytes]:
        self.asked.append(body)
        if self.answers:
            return self.answers.pop(0)
        if self.busy_every and len(self.asked) % self.busy_every == 0:
            return 429, b"null"
        if body["type"] == "candleSnapshot":
            asked = body["req"]
            rows = self.candles.get(asked["interval"], [])[-self.kept :]
            rows = [
                row
                for row in rows
                if row["T"] >= asked["startTime"] and row["t"] <= asked["endTime"] and row["s"] == asked["coin"]
            ]
            return 200, json.dumps(rows[: self.kept]).encode()
        if body["type"] == "fundingHistory":
            rows = [
                row
                for row in self.fundings
                if body["startTime"] <= row["time"] <= body["endTime"] and row["coin"] == body["coin"]
            ]
            return 200, json.dumps(rows[: self.page]).encode()
        return 422, b"Failed to deserialize the JSON body into the target type"


@contextmanager
def info_server(info: Info) -> Iterator[str]:
    """Serve a venue's `/info`."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            is_right = self.path == "/info" and self.headers["Content-Type"] == "application/json"
            status, content = info.answer(json.loads(body)) if is_right else (404, b"")
            if info.stall_at and len(info.asked) >= info.stall_at:
                info.let_go.wait(PATIENCE_SECONDS)
            info.told[status] += 1
            try:
                self.send_response(status)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)
            except OSError:
                self.close_connection = True

        def log_message(self, *_: object) -> None:
            return

    with serving(Handler) as url:
        try:
            yield url
        finally:
            info.let_go.set()


def data_environment(home: Path, **changes: str) -> dict[str, str]:
    """Return an environment with our AWS credentials only; the machine's own are not there."""
    kept = {name: value for name, value in environment().items() if not name.startswith("AWS_")}
    alone = {"HOME": str(home), "AWS_EC2_METADATA_DISABLED": "true", "AWS_MAX_ATTEMPTS": "2"}
    return {**kept, **alone, **CREDENTIALS, **changes}


def started_data(home: Path, *arguments: object, **changes: str) -> "subprocess.Popen[str]":
    """Start `hat data` in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-c", HAT_DATA, "data", *(str(one) for one in arguments)],
        cwd=ROOT,
        env=data_environment(home, **changes),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


class Done:
    """How a command ended."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err

    @property
    def told(self) -> dict[str, Any]:
        """The object on the last line."""
        found: dict[str, Any] = json.loads(self.out.splitlines()[-1])
        return found


def data(home: Path, *arguments: object, **changes: str) -> Done:
    """Run `hat data` to its end; whatever it said, no secret is in it."""
    process = started_data(home, *arguments, **changes)
    try:
        out, err = process.communicate(timeout=PATIENCE_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        out, err = process.communicate()
        raise AssertionError(f"still running: {out} {err}") from None
    assert SECRET not in out + err
    assert "Traceback" not in err, err
    return Done(process.returncode, out, err)


def until(condition: Callable[[], Any], process: "subprocess.Popen[str]") -> Any:
    """Wait until something is so, while a process runs."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        found = condition()
        if found:
            return found
        assert process.poll() is None, process.communicate()
        os.sched_yield()
        threading.Event().wait(0.01)
    process.kill()
    raise AssertionError(f"it did not happen: {process.communicate()}")
