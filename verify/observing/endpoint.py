"""Metrics over HTTP, on a port of their own: what Prometheus collects, at any path.

Answers on threads of its own, beside the event loop that answers calls. What is answered identifies nobody, and needs
no token: whoever can reach the port may read it, which by default is this machine.
"""

import socket
import threading
from typing import Self
from wsgiref.simple_server import WSGIRequestHandler, make_server

from prometheus_client import CollectorRegistry, make_wsgi_app
from prometheus_client.exposition import ThreadingWSGIServer

from verify.bind_errors import cannot_listen

REQUEST_SECONDS = 10.0
"""For one request to arrive: who says nothing must not hold a thread for ever."""


class MetricsEndpoint:
    """Listens from the moment it is made until closed; `port` is the one it got.

    Raises
    ------
    AddressInUse : the address is taken, not this machine's, or not permitted.
    """

    def __init__(self, host: str, port: int, registry: CollectorRegistry) -> None:
        kind = _ServerV6 if ":" in host else ThreadingWSGIServer
        try:
            self._server = make_server(host, port, make_wsgi_app(registry), kind, handler_class=_Handler)
        except (OSError, OverflowError) as error:
            raise cannot_listen(f"for metrics on {host} port {port}", "metrics_port") from error
        self.port = int(self._server.server_port)
        self._thread = threading.Thread(
            target=self._server.serve_forever, name="countersign-metrics", daemon=True, kwargs={"poll_interval": 0.1}
        )
        self._thread.start()

    def close(self) -> None:
        """Stop listening; answers under way are finished by their threads."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _Handler(WSGIRequestHandler):
    timeout = REQUEST_SECONDS

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: what strangers send does not go into the log."""


class _ServerV6(ThreadingWSGIServer):
    address_family = socket.AF_INET6
