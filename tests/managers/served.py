"""HTTP servers of the tests, which answer in a thread for the time of a `with`."""

from __future__ import annotations

import threading
from http.server import HTTPServer
from typing import Self


class Served:
    """Something with an HTTP server, `_server`."""

    _server: HTTPServer

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(self, *raised: object) -> None:
        self._server.shutdown()
        self._server.server_close()
