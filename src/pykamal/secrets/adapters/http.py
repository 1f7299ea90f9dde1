"""HTTP of the secret managers: proxies from the environment, private CAs, time limits, retries (docs/secrets.md).

No error holds a header, a body or the query of a request: any of them may be a credential or a value.
"""

from __future__ import annotations

import contextlib
import http.client
import random
import re
import resource
import socket
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from email.utils import parsedate_to_datetime
from typing import Final

from pykamal.core.errors import KamalError
from pykamal.secrets.adapters.http_addresses import login_headers, proxy_for, server_address
from pykamal.secrets.adapters.http_tls import Authorities, Certificate, ManagerUnreachable, TlsConnection, tls_context

TRANSIENT: Final = frozenset({429, 500, 502, 503, 504})
_WANTS_CERTIFICATE: Final = re.compile(r"CERTIFICATE_REQUIRED|ALERT_BAD_CERTIFICATE|ALERT_UNKNOWN_CA|HANDSHAKE_FAILURE")
_HEADER: Final = re.compile(r"[ -~]*")
_MAX_BODY: Final = 32 << 20
_TOO_MANY: Final = 429
_LIMITED_AT_A_TIME: Final = 8
"""How many requests try again at a time where the manager limits their rate."""

_MOST_AT_A_TIME: Final = 256
_SHARE_OF_FILES: Final = 4
"""One in so many of the files that this process may open can be a connection to one manager."""

_CHUNK: Final = 1 << 16


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds that things may take, and how often things are tried.

    `total` is for one request with all its retries; `back_off` is the first pause. `attempts` counts transient answers,
    `connections` those that were lost or not made.
    """

    connect: float = 10.0
    total: float = 60.0
    back_off: float = 0.2
    longest_pause: float = 10.0
    attempts: int = 6
    connections: int = 3


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer. Its text never shows in `repr`."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class _Request:
    method: str
    path: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes | None = field(repr=False)
    deadline: float


class Client:
    """Requests to one server from any number of threads, over connections that are kept.

    `manager` names it in errors. `ca` is a file, or a folder of files, of the authorities to trust instead of the
    system's; `server_name` is what its certificate has to name instead of the host in the address. `certificate` and
    `key` are files of a certificate of ours, for servers that want one; without `key`, both are in the first. The
    settings that hold them, for hints, are `ca_variable` and `certificate_variable`. `final` tells that an answer stays
    as it is although its status is transient, such as a sealed server's.
    """

    def __init__(
        self,
        address: str,
        *,
        manager: str,
        environment: Mapping[str, str],
        ca: str | None = None,
        ca_variable: str = "SSL_CERT_FILE",
        certificate: str | None = None,
        key: str | None = None,
        certificate_variable: str = "",
        server_name: str | None = None,
        limits: Limits = Limits(),
        final: Callable[[Answer], bool] = lambda _: False,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.address = address.rstrip("/")
        self._manager = manager
        self._url = server_address(address, manager, environment)
        self._proxy = proxy_for(self._url, environment)
        self._authorities = Authorities(ca or environment.get("SSL_CERT_FILE") or None, ca_variable)
        self._certificate = Certificate(certificate, key, certificate_variable)
        self._server_name = server_name
        self._limits = limits
        self._final = final
        self._sleep = sleep
        self._idle: list[http.client.HTTPConnection] = []
        self._lock = threading.Lock()
        self._rate_limited = threading.BoundedSemaphore(_LIMITED_AT_A_TIME)
        self._refuses_all = False
        self._tls: ssl.SSLContext | None = None

    def request(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        repeatable: bool = True,
    ) -> Answer:
        """Send one request and return the answer, whatever its status.

        Transient answers are waited for. A request that was sent and not answered is sent again only when it is
        `repeatable`. Raises `ManagerUnreachable`.
        """
        asked = _Request(method, path, self._headers(_sendable(headers or {}, self._manager)), body, self._deadline())
        attempt = 0
        with contextlib.ExitStack() as turn:
            while True:
                attempt += 1
                answer, failure = self._attempt(asked)
                if failure is not None and not (failure.worth_repeating and (repeatable or not failure.sent)):
                    raise self._unreachable(failure)
                if answer is not None and (answer.status not in TRANSIENT or self._final(answer)):
                    return answer
                if attempt == 1 and answer is not None and answer.status == _TOO_MANY:
                    turn.enter_context(self._rate_limited)  # all together they would be too many again
                    asked = replace(asked, deadline=self._deadline())
                pause = self._pause(attempt, answer)
                attempts = self._limits.attempts if answer is not None else self._limits.connections
                if attempt >= attempts or time.monotonic() + pause > asked.deadline or self._refuses_all:
                    if failure is not None:
                        raise self._unreachable(failure)
                    assert answer is not None
                    self._refuses_all |= answer.status == _TOO_MANY  # the others need not find that out again
                    return answer
                self._sleep(pause)

    def close(self) -> None:
        """Close the connections that are kept."""
        with self._lock:
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def _deadline(self) -> float:
        return time.monotonic() + self._limits.total

    def _pause(self, attempt: int, answer: Answer | None) -> float:
        asked = retry_after(answer.headers.get("retry-after"), time.time()) if answer is not None else None
        longest = min(self._limits.longest_pause, self._limits.back_off * 2 ** (attempt - 1))
        jitter = random.uniform(0.5, 1.0) * longest  # noqa: S311 - spreads clients, hides nothing
        return jitter if asked is None else asked + random.uniform(0, 0.1)  # noqa: S311 - likewise

    def _attempt(self, asked: _Request) -> tuple[Answer | None, _Lost | None]:
        try:
            return self._exchange(asked), None
        except _Lost as lost:
            return None, lost

    def _exchange(self, asked: _Request) -> Answer:
        connection, kept = self._connection(asked.deadline)
        try:
            return self._exchange_over(connection, asked)
        except _Lost as lost:
            if not kept or not lost.unanswered:
                raise
        # The server had closed the connection that was kept: it did not see the request.
        fresh, _ = self._connection(asked.deadline, fresh=True)
        return self._exchange_over(fresh, asked)

    def _exchange_over(self, connection: http.client.HTTPConnection, asked: _Request) -> Answer:
        sent = answered = False
        try:
            if connection.sock is None:
                connection.connect()
            connection.sock.settimeout(_left(asked.deadline))
            sent = True
            connection.request(asked.method, self._target(asked.path), body=asked.body, headers=dict(asked.headers))
            response = connection.getresponse()
            answered = True
            with response:  # the connection can be used again only when it is closed
                text = _read(connection, response, asked.deadline)
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            raise _Lost(error, sent=sent, answered=answered) from None
        if response.will_close:
            connection.close()
        else:
            with self._lock:
                self._idle.append(connection)
        return Answer(response.status, {name.lower(): value for name, value in response.getheaders()}, text)

    def _connection(self, deadline: float, *, fresh: bool = False) -> tuple[http.client.HTTPConnection, bool]:
        if not fresh:
            with self._lock:
                if self._idle:
                    return self._idle.pop(), True
        limit = min(self._limits.connect, _left(deadline))
        target = self._url if self._proxy is None else self._proxy
        secure = self._url.scheme == "https"
        host, port = target.hostname or "", target.port or (443 if target.scheme == "https" else 80)
        if not secure:
            return http.client.HTTPConnection(host, port, timeout=limit), False
        connection = TlsConnection(host, port, limit, self._context(), self._server_name)
        if self._proxy is not None:
            connection.set_tunnel(self._url.hostname or "", self._url.port or 443, login_headers(self._proxy))
        return connection, False

    def _context(self) -> ssl.SSLContext:
        with self._lock:
            if self._tls is None:
                self._tls = tls_context(self._manager, self._authorities, self._certificate)
            return self._tls

    def _target(self, path: str) -> str:
        through_proxy = self._proxy is not None and self._url.scheme == "http"
        return f"{self.address if through_proxy else self._url.path.rstrip('/')}{path}"

    def _headers(self, headers: Mapping[str, str]) -> Mapping[str, str]:
        if self._proxy is not None and self._url.scheme == "http":
            return {**login_headers(self._proxy), **headers}
        return headers

    def _unreachable(self, lost: _Lost) -> ManagerUnreachable:
        error, place = lost.error, f"{self._url.scheme}://{self._url.netloc}"
        way = f" through the proxy {self._proxy.hostname}:{self._proxy.port}" if self._proxy is not None else ""
        hint = "look whether the address is right and the server is up" + (", and the proxy" if way else "")
        if isinstance(error, ssl.SSLCertVerificationError):
            reason = f"its certificate is not trusted: {error.verify_message}"
            hint = f"name the file of its certificate authority in {self._authorities.variable}"
        elif isinstance(error, ssl.SSLError) and _WANTS_CERTIFICATE.search(error.reason or ""):
            reason = "it accepts no client without a certificate that it trusts"
            if self._certificate.variable:
                hint = f"name the files of yours in {self._certificate.variable}, and its key"
        elif isinstance(error, _TooLarge):
            reason = f"its answer is larger than {_MAX_BODY >> 20} MiB"
        elif lost.answered:
            reason = "it closed the connection in the middle of its answer"
            if isinstance(error, TimeoutError):
                reason = f"its answer was not complete after {self._limits.total:g} seconds"
        elif isinstance(error, TimeoutError):
            reason = f"it did not answer within {self._limits.total if lost.sent else self._limits.connect:g} seconds"
        elif isinstance(error, http.client.RemoteDisconnected | ConnectionResetError | BrokenPipeError):
            reason = "it closed the connection without an answer"
        elif isinstance(error, http.client.HTTPException):
            reason = "what answers there does not speak HTTP"
        else:
            reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
        return ManagerUnreachable(f"{self._manager} at {place}{way} cannot be asked: {reason}", hint=hint)


class _TooLarge(http.client.HTTPException):
    """An answer beyond the limit."""


class _Lost(Exception):
    """A request that has no whole answer."""

    def __init__(self, error: OSError | http.client.HTTPException, *, sent: bool, answered: bool) -> None:
        super().__init__()
        self.error = error
        self.sent = sent
        self.answered = answered

    @property
    def worth_repeating(self) -> bool:
        """Tell that the next attempt may end otherwise: not for a name that is unknown, nor for a wrong certificate."""
        lasting = isinstance(self.error, socket.gaierror | ssl.SSLError | _TooLarge)
        return not lasting and not isinstance(self.error, TimeoutError)

    @property
    def unanswered(self) -> bool:
        """Tell that the connection was closed before any of the answer came."""
        closed = (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError)
        return not self.answered and isinstance(self.error, closed)


def retry_after(header: str | None, now: float) -> float | None:
    """Return the seconds that a `Retry-After` asks for: a number, or a date. None without one that can be read."""
    if header is None:
        return None
    if header.strip().isdecimal():
        return float(header)
    with contextlib.suppress(ValueError, OverflowError):
        return max(0.0, parsedate_to_datetime(header).timestamp() - now)
    return None


def requests_at_a_time() -> int:
    """Return how many requests may wait for one manager at a time, each over a connection of its own."""
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = _MOST_AT_A_TIME if files == resource.RLIM_INFINITY else files // _SHARE_OF_FILES
    return max(1, min(_MOST_AT_A_TIME, most))


def authorities(environment: Mapping[str, str], ca: str | None) -> str | bool:
    """Return the authorities that `Client` trusts, for a library's own HTTP: a file or a folder, True for its own."""
    system = ssl.get_default_verify_paths()
    return ca or environment.get("SSL_CERT_FILE") or system.cafile or system.capath or True


def _sendable(headers: Mapping[str, str], manager: str) -> Mapping[str, str]:
    """Return the headers. The library's error for what it does not send quotes it, and it may be a credential."""
    for name, value in headers.items():
        if not _HEADER.fullmatch(value):
            raise KamalError(
                f"{manager}: a line break or another character that HTTP does not carry is in the header {name}",
                hint="copy the token or the setting anew: a line break at the end of a CI variable is a common cause",
            )
    return headers


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def _read(connection: http.client.HTTPConnection, response: http.client.HTTPResponse, deadline: float) -> bytes:
    """Read a body to its end. The time limit holds for all of it, however slowly it comes."""
    parts: list[bytes] = []
    size = 0
    while True:
        left = _left(deadline)
        if connection.sock is not None:
            connection.sock.settimeout(left)
        part = response.read1(_CHUNK)
        if not part:
            break
        size += len(part)
        if size > _MAX_BODY:
            raise _TooLarge
        parts.append(part)
    if response.length:
        raise http.client.IncompleteRead(b"", response.length)
    return b"".join(parts)
