"""A real OTLP/HTTP collector on loopback: decodes the protobuf it is sent; can refuse, or hold an answer back."""

from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Lock, Thread
from typing import Self

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

PATIENCE_SECONDS = 20


class Collector:
    """Use as a context manager; `spans` holds what arrived, decoded."""

    def __init__(self, status: int = 200, *, is_slow: bool = False) -> None:
        self.spans: list = []
        self.resources: list = []
        self.paths: list[str] = []
        self.asked = Event()
        self.release = Event()
        if not is_slow:
            self.release.set()
        lock = Lock()
        collector = self

        class Request(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                collector.asked.set()
                collector.release.wait(PATIENCE_SECONDS)
                if status == 200:
                    decoded = ExportTraceServiceRequest.FromString(body)
                    with lock:
                        collector.paths.append(self.path)
                        for resource in decoded.resource_spans:
                            collector.resources.append(
                                {one.key: one.value.string_value for one in resource.resource.attributes}
                            )
                            for scope in resource.scope_spans:
                                collector.spans.extend(scope.spans)
                answer = ExportTraceServiceResponse().SerializeToString()
                try:
                    self.send_response(status)
                    self.send_header("Content-Type", "application/x-protobuf")
                    self.send_header("Content-Length", str(len(answer)))
                    self.end_headers()
                    self.wfile.write(answer)
                except ConnectionError:
                    pass

            def log_message(self, *args: object) -> None:
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Request)
        self._http.daemon_threads = True
        self._thread = Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.01})

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._http.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *raised: object) -> None:
        self.release.set()
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()
