"""The short-lived side: sends one call to the server's unix socket and waits for its answer.

Every deploy step starts one of these inside the container, so nothing heavy is imported here.
"""

from __future__ import annotations

import json
import os
import socket
import time
from typing import Any

from pykamal.proxy.arguments import Call
from pykamal.proxy.commands import default_acme_cache_path
from pykamal.proxy.errors import ProxyError
from pykamal.proxy.runtime_paths import socket_path

_CHUNK_BYTES = 65536
_REFUSED_S = 3.0
"""A socket that nobody answers is that of a server that starts, or of a control plane that is started again."""
_REFUSED_PAUSE_S = 0.02


def call_server(call: Call) -> str:
    """Return the output of the command (empty for most). Raises ProxyError with the server's message."""
    values: dict[str, Any] = dict(call.values)
    if call.command.words == "deploy" and "tls-acme-cache-path" not in call.given:
        values["tls-acme-cache-path"] = default_acme_cache_path()
    request = {
        "command": call.command.words,
        "service": call.arguments[0] if call.arguments else "",
        "values": values,
        "given": call.given,
    }
    try:
        line = json.dumps(request, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise ProxyError("arguments must be UTF-8") from None
    try:
        answer = json.loads(exchange(socket_path(), line))
    except ProxyError:
        _validate(call.command.words, values, call.given)
        raise
    if answer["error"]:
        raise ProxyError(answer["error"])
    return str(answer["output"])


def _validate(words: str, values: dict[str, Any], given: list[str]) -> None:
    """Check the options here, where no server does: what is wrong with them is told first.

    Raises ProxyError.
    """
    if words == "deploy":
        from pykamal.proxy.service_options import options_from_flags

        options_from_flags(values, given)


def exchange(path: str, request: bytes) -> bytes:
    """Sends one line over the unix socket at `path`, returns the line that comes back. Raises ProxyError."""
    try:
        connection = _connected(path)
    except OSError as problem:
        reason = (os.strerror(problem.errno) if problem.errno else str(problem)).lower()
        raise ProxyError(f"dial unix {path}: connect: {reason}") from None
    with connection:
        try:
            connection.sendall(request + b"\n")
            answer = b""
            while not answer.endswith(b"\n") and (chunk := connection.recv(_CHUNK_BYTES)):
                answer += chunk
        except OSError:
            answer = b""
    if not answer.endswith(b"\n"):
        raise ProxyError("unexpected EOF")
    return answer


def _connected(path: str) -> socket.socket:
    deadline = time.monotonic() + _REFUSED_S
    while True:
        connection = socket.socket(socket.AF_UNIX)
        try:
            connection.connect(path)
        except ConnectionRefusedError:
            connection.close()
            if time.monotonic() > deadline:
                raise
            time.sleep(_REFUSED_PAUSE_S)
        except OSError:
            connection.close()
            raise
        else:
            return connection
