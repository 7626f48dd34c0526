"""The admin HTTP server: `/metrics` for Prometheus, `/health` and `/status` as JSON. It reads and never changes.

Rule 1: loopback unless told otherwise; while on loopback, only requests that name a loopback host are answered, so a
web page elsewhere cannot read the account through a browser. Rule 2: what it serves comes from callables that only
read; it holds no state. Rule 3: a client that goes away or sends nonsense costs one thread for a bounded time.
"""

import sys
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from threading import Thread
from typing import Any, ClassVar
from urllib.parse import urlsplit

import msgspec

from domain.errors import ConfigInvalid
from monitoring.health import Health, Status
from monitoring.loopback import is_loopback, names_loopback

JSON = "application/json"
TEXT = "text/plain; charset=utf-8"
CLIENT_SECONDS_MAX = 10
STOP_POLL_SECONDS = 0.02
PORT_MAX = 65_535


class AdminPages(msgspec.Struct, frozen=True):
    """What is served; each callable is called on a thread of the server, so it only reads.

    metrics takes the Accept header and returns body and content type; status returns anything msgspec can encode;
    failed is told, in one line, about a page that raised.
    """

    metrics: Callable[[str], tuple[bytes, str]]
    health: Callable[[], Health]
    status: Callable[[], Any]
    failed: Callable[[str], None]


class AdminRequest(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    server_version = "hat"
    sys_version = ""
    timeout = CLIENT_SECONDS_MAX
    server: "AdminHttp"

    def do_GET(self) -> None:
        """Serve one page."""
        if not self.server.is_local(self.headers.get("Host", "")):
            self._answer(HTTPStatus.FORBIDDEN, TEXT, b"this address answers requests for a loopback host only\n")
            return
        path = urlsplit(self.path).path.rstrip("/")
        page = self._PAGES.get(path)
        if page is None:
            known = "".join(f"{name}\n" for name in self._PAGES)
            self._answer(HTTPStatus.OK if not path else HTTPStatus.NOT_FOUND, TEXT, known.encode())
            return
        page(self)

    def do_HEAD(self) -> None:
        """Serve the head of one page."""
        self.do_GET()

    def _metrics(self) -> None:
        body, content_type = self.server.pages.metrics(self.headers.get("Accept", ""))
        self._answer(HTTPStatus.OK, content_type, body)

    def _health(self) -> None:
        health = self.server.pages.health()
        code = HTTPStatus.SERVICE_UNAVAILABLE if health.status is Status.UNHEALTHY else HTTPStatus.OK
        self._answer(code, JSON, msgspec.json.encode(health.shape()) + b"\n")

    def _status(self) -> None:
        self._answer(HTTPStatus.OK, JSON, msgspec.json.encode(self.server.pages.status()) + b"\n")

    _PAGES: ClassVar[dict[str, Callable[["AdminRequest"], None]]] = {
        "/metrics": _metrics,
        "/health": _health,
        "/status": _status,
    }

    def _answer(self, code: HTTPStatus, content_type: str, body: bytes) -> None:
        self.send_response(code)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (named so in the standard library)
        """Say nothing: an access log of one's own scraper is noise."""


class AdminHttp(ThreadingHTTPServer):
    """The listening socket and its threads."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, address: tuple[str, int], pages: AdminPages) -> None:
        """Bind and listen; raises OSError when that is not possible."""
        self.pages = pages
        self._is_loopback = is_loopback(address[0])
        super().__init__(address, AdminRequest)

    def server_bind(self) -> None:
        """Bind without the standard library's reverse name lookup, which waits for a name server."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])

    def is_local(self, host: str) -> bool:
        """Say whether a Host header may be answered."""
        return not self._is_loopback or names_loopback(host)

    def handle_error(self, request: object, client_address: object) -> None:
        """Report a page that raised, without a traceback on the terminal; a client that left is no error."""
        del request, client_address
        raised = sys.exc_info()[1]
        if not isinstance(raised, ConnectionError | TimeoutError):
            self.pages.failed(f"{type(raised).__name__}: {raised}")


class AdminServer:
    """The running server."""

    def __init__(self, pages: AdminPages, host: str = "127.0.0.1", port: int = 0) -> None:
        """Listen; port 0 takes a free one.

        Raises: ConfigInvalid when the port is in use or the host is not ours.
        """
        if not 0 <= port <= PORT_MAX:
            raise ConfigInvalid("monitoring.port", port, f"0 to {PORT_MAX}")
        try:
            self._http = AdminHttp((host, port), pages)
        except OSError as refused:
            problem = refused.strerror or str(refused)
            expected = f"a free address ({problem}); choose another with --port, 0 takes any free one"
            raise ConfigInvalid("monitoring.port", f"{host}:{port}", expected) from refused
        self._thread = Thread(
            target=self._http.serve_forever, name="admin", kwargs={"poll_interval": STOP_POLL_SECONDS}, daemon=True
        )

    @property
    def url(self) -> str:
        """Where it listens."""
        host, port = self._http.server_address[:2]
        return f"http://{host!s}:{port}"

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()

    def stop(self) -> None:
        """Stop answering and free the port."""
        if self._thread.is_alive():
            self._http.shutdown()
            self._thread.join()
        self._http.server_close()
