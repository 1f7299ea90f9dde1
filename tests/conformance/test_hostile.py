"""Hostile clients: the right status, no crash, nothing for the wrong service, and the proxy works on."""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conformance.abandoned import abandon
from tests.conformance.proxy_process import IS_OURS, Proxy, child_processes, find_child, wait_until
from tests.conformance.raw_http import Connection, head
from tests.conformance.scripted_target import Target

HIDDEN = b"GET /hidden HTTP/1.1\r\nHost: b.com\r\n\r\n"
"""A request inside a request, which the target must not take for one of its own."""

CHUNKED = b"Transfer-Encoding: chunked\r\n"


@dataclass
class Answers:
    """The answers to one client: the statuses in order, and the end of the connection."""

    statuses: list[int]
    closed: bool


@pytest.fixture(scope="module")
def site() -> Iterator[tuple[Proxy, Target, Target]]:
    """a.com is T1, streamed; buffered.com is T1 too; b.com is T2."""
    proxy, t1, t2 = Proxy().start(), Target("T1"), Target("T2")
    proxy.deploy("a", t1, "--host", "a.com")
    proxy.deploy("buffered", t1, "--host", "buffered.com", "--buffer-requests", "--buffer-responses")
    proxy.deploy("b", t2, "--host", "b.com")
    yield proxy, t1, t2
    for disposable in (proxy.dispose, t1.close, t2.close):
        disposable()


@pytest.fixture
def two_services(site: tuple[Proxy, Target, Target]) -> Iterator[Proxy]:
    """The proxy of `site`, with targets that saw nothing yet; all services must be well afterwards."""
    proxy, t1, t2 = site
    t1.requests.clear()
    t2.requests.clear()
    yield proxy
    assert [proxy.ask(host=host).served_by for host in ("a.com", "buffered.com", "b.com")] == ["T1", "T1", "T2"]
    if IS_OURS:
        assert proxy.log_lines("Data plane ended; starting it again") == []


@pytest.fixture
def t1(site: tuple[Proxy, Target, Target]) -> Target:
    return site[1]


@pytest.fixture
def t2(site: tuple[Proxy, Target, Target]) -> Target:
    return site[2]


def shot(proxy: Proxy, request: bytes, wait_s: float = 0.3) -> Answers:
    """Sends raw bytes on a connection of its own; ends when the proxy closes or says nothing for a while."""
    received, closed = b"", False
    with proxy.connect() as connection:
        connection.socket.settimeout(wait_s)
        try:
            connection.send(request)
            while data := connection.socket.recv(65536):
                received += data
            closed = True
        except TimeoutError:
            pass
        except ConnectionError:
            closed = True
    return Answers([int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3}) ", received)], closed)


def post(*lines: bytes, body: bytes = b"", host: bytes = b"a.com", version: bytes = b"1.1") -> bytes:
    return b"POST /x HTTP/" + version + b"\r\nHost: " + host + b"\r\n" + b"".join(lines) + b"\r\n" + body


def get(*lines: bytes, path: bytes = b"/x", host: bytes = b"a.com") -> bytes:
    return b"GET " + path + b" HTTP/1.1\r\nHost: " + host + b"\r\n" + b"".join(lines) + b"\r\n"


# -- one request that is two

SMUGGLED = {
    "content-length and chunked": post(b"Content-Length: 6\r\n", CHUNKED, body=b"0\r\n\r\nG"),
    "chunked and content-length": post(CHUNKED, b"Content-Length: 4\r\n", body=b"29\r\n" + HIDDEN + b"\r\n0\r\n\r\n"),
    "xchunked": post(b"Transfer-Encoding: xchunked\r\n", body=b"0\r\n\r\n" + HIDDEN),
    "chunked, identity": post(b"Transfer-Encoding: chunked, identity\r\n", body=b"0\r\n\r\n" + HIDDEN),
    "identity, chunked": post(b"Transfer-Encoding: identity, chunked\r\n", body=b"0\r\n\r\n" + HIDDEN),
    "gzip, chunked": post(b"Transfer-Encoding: gzip, chunked\r\n", body=b"0\r\n\r\n" + HIDDEN),
    "identity": post(b"Transfer-Encoding: identity\r\n", b"Content-Length: 0\r\n", body=HIDDEN),
    "chunked twice": post(CHUNKED, CHUNKED, body=b"0\r\n\r\n" + HIDDEN),
    "chunked, then identity": post(CHUNKED, b"Transfer-Encoding: identity\r\n", body=b"0\r\n\r\n" + HIDDEN),
    "space before the colon": post(b"Transfer-Encoding : chunked\r\n", body=b"0\r\n\r\n" + HIDDEN),
    "vertical tab before": post(b"Transfer-Encoding: \x0bchunked\r\n", body=b"0\r\n\r\n" + HIDDEN),
    "vertical tab after": post(b"Transfer-Encoding: chunked\x0b\r\n", body=b"0\r\n\r\n" + HIDDEN),
    "quoted": post(b'Transfer-Encoding: "chunked"\r\n', body=b"0\r\n\r\n" + HIDDEN),
    "empty coding": post(b"Transfer-Encoding: \r\n", b"Content-Length: 0\r\n", body=HIDDEN),
    "folded": post(b"Transfer-Encoding:\r\n chunked\r\n", body=b"0\r\n\r\n" + HIDDEN),
    "folded value": post(b"X: a\r\n Content-Length: 41\r\n", b"Content-Length: 0\r\n", body=HIDDEN),
    "folded first header": b"GET /x HTTP/1.1\r\n Host: b.com\r\nHost: a.com\r\n\r\n",
    "bare CR": get(b"X: a\rTransfer-Encoding: chunked\r\n"),
    "chunked in HTTP/1.0": post(CHUNKED, body=b"0\r\n\r\n" + HIDDEN, version=b"1.0"),
    "length twice": post(b"Content-Length: 0\r\n", b"Content-Length: 41\r\n", body=HIDDEN),
    "length as a list": post(b"Content-Length: 0, 0\r\n", body=HIDDEN),
    "length with a plus": post(b"Content-Length: +0\r\n", body=HIDDEN),
    "negative length": post(b"Content-Length: -1\r\n", body=HIDDEN),
    "hexadecimal length": post(b"Content-Length: 0x0\r\n", body=HIDDEN),
    "length in two words": post(b"Content-Length: 0 0\r\n", body=HIDDEN),
    "no length": post(b"Content-Length: \r\n", body=HIDDEN),
    "endless length": post(b"Content-Length: 99999999999999999999\r\n", body=HIDDEN),
    "length before a space": post(b"Content-Length : 0\r\n", body=HIDDEN),
    "two hosts": get(b"Host: b.com\r\n"),
    "host before a space": get(b"Host : b.com\r\n"),
    "zero byte in a name": get(b"X\0Y: a\r\n"),
    "zero byte in a value": get(b"X: a\0b\r\n"),
    "control byte in a name": get(b"X\x01Y: a\r\n"),
    "space in a name": get(b"X Y: a\r\n"),
    "no name": get(b": a\r\n"),
    "no colon": get(b"X\r\n"),
    "no colon, line feed": get(b"X\n"),
    "no colon after a length": post(b"Content-Length\r\n", body=HIDDEN),
    "no colon after a coding": post(b"Transfer-Encoding\r\n", body=HIDDEN),
    "no colon after Connection": get(b"Connection\r\n"),
    "no colon after a host": b"GET /x HTTP/1.1\r\nHost\r\n\r\n",
    "no colon, in the last line": get(b"X: \r\nA: b\r\nUpgrade-Insecure-Requests\r\n"),
    "tab in a name": get(b"X\tY: a\r\n"),
    "tab before the colon": get(b"X\t: a\r\n"),
    "tab before the host": b"GET /x HTTP/1.1\r\nHost:\ta.com\r\n\r\n",
    "length after a tab": post(b"Content-Length:\t0\r\n", body=HIDDEN),
    "coding after a tab": post(b"Transfer-Encoding:\tchunked\r\n", body=b"0\r\n\r\n" + HIDDEN),
    "coding before a tab": post(b"Transfer-Encoding: chunked\t\r\n", body=b"0\r\n\r\n" + HIDDEN),
    "carriage return before the last line": b"GET /x HTTP/1.1\r\nHost: a.com\r\n\r\r\n",
}


@pytest.mark.parametrize("host", [b"a.com", b"buffered.com"])
@pytest.mark.parametrize("name", SMUGGLED)
def test_ambiguous_requests_are_refused(two_services: Proxy, t1: Target, t2: Target, name: str, host: bytes) -> None:
    """One 4xx or 501 and the end of the connection; the targets hear nothing of it."""
    answers = shot(two_services, SMUGGLED[name].replace(b"a.com", host))
    if IS_OURS:
        assert len(answers.statuses) == 1
        assert answers.statuses[0] in (400, 501)
        assert answers.closed
        assert (t1.requests, t2.requests) == ([], [])
    assert "/hidden" not in [request.target for request in t1.requests]


UNAMBIGUOUS = {
    "capitals": post(b"Transfer-Encoding: CHUNKED\r\n", body=b"0\r\n\r\n" + HIDDEN),
    "chunk extensions": post(CHUNKED, body=b"1;a=b;c\r\na\r\n0;d\r\n\r\n" + HIDDEN),
    "trailers": post(CHUNKED, body=b"0\r\nHost: a.com\r\nContent-Length: 5\r\n\r\n" + HIDDEN),
    "bare line feeds": post(b"X: X\nTransfer-Encoding: chunked\r\n", body=b"0\r\n\r\n" + HIDDEN),
    "a length with GET": get(b"Content-Length: 1\r\n") + b"a" + HIDDEN,
    "Connection names the length": post(b"Connection: Content-Length\r\nContent-Length: 1\r\n", body=b"a" + HIDDEN),
    "Connection names the coding": post(b"Connection: Transfer-Encoding\r\n", CHUNKED, body=b"0\r\n\r\n" + HIDDEN),
    "empty lines before": b"\r\n\r\n" + get() + HIDDEN,
    "a header without a value": get(b"X:\r\nY: \r\n") + HIDDEN,
    "chunk extensions without a name": post(CHUNKED, body=b"1 zz\r\na\r\n0\r\n\r\n") + HIDDEN,
    "bare line feeds between chunks": post(CHUNKED, body=b"1\na\n0\n\n") + HIDDEN,
    "leading zeros": post(CHUNKED, body=b"0000000000000000000001\r\na\r\n000\r\n\r\n") + HIDDEN,
    "a trailer without a colon": post(CHUNKED, body=b"0\r\nX\r\n\r\n") + HIDDEN,
    "HTTP/1.2": get().replace(b"HTTP/1.1", b"HTTP/1.2") + HIDDEN,
    "HTTP/1.2 with a body": post(b"Content-Length: 1\r\n", body=b"a", version=b"1.2") + HIDDEN,
    "HTTP/1.0, kept alive": post(b"Connection: keep-alive\r\nContent-Length: 1\r\n", body=b"a", version=b"1.0")
    + HIDDEN,
}


@pytest.mark.parametrize("host", [b"a.com", b"buffered.com"])
@pytest.mark.parametrize("name", UNAMBIGUOUS)
def test_what_follows_is_routed_by_itself(two_services: Proxy, t1: Target, t2: Target, name: str, host: bytes) -> None:
    """A second request on the same connection goes where its own Host says, never along with the first."""
    answers = shot(two_services, UNAMBIGUOUS[name].replace(b"a.com", host))
    assert [request.target for request in t1.requests] == ["/x"]
    assert "/hidden" not in [request.target for request in t1.requests]
    if IS_OURS:
        assert answers.statuses == [200, 200]
        assert [request.target for request in t2.requests] == ["/hidden"]


CHUNKS = {
    "too large for a number": b"10000000000000001\r\na\r\n0\r\n\r\n",
    "the largest number": b"ffffffffffffffff\r\na\r\n0\r\n\r\n",
    "negative": b"-1\r\na\r\n0\r\n\r\n",
    "with a prefix": b"0x1\r\na\r\n0\r\n\r\n",
    "with a plus": b"+1\r\na\r\n0\r\n\r\n",
    "no number": b"\r\na\r\n0\r\n\r\n",
    "longer than said": b"1\r\naa0\r\n\r\n",
    "no line end": b"1\r\na0\r\n\r\n",
    "after a space": b" 1\r\na\r\n0\r\n\r\n",
    "carriage return in an extension": b"1;a\rb\r\na\r\n0\r\n\r\n",
    "line end in an extension": b'1;a="\r\nb"\r\na\r\n0\r\n\r\n',
}


@pytest.mark.parametrize("host", [b"a.com", b"buffered.com"])
@pytest.mark.parametrize("name", CHUNKS)
def test_broken_chunks(two_services: Proxy, t1: Target, t2: Target, name: str, host: bytes) -> None:
    """400, the connection ends, and nothing after the broken chunk is a request (case 151)."""
    answers = shot(two_services, post(CHUNKED, body=CHUNKS[name] + HIDDEN, host=host))
    assert answers.statuses in ([400], [])
    assert answers.closed
    assert not [request for request in t1.requests + t2.requests if request.target == "/hidden"]
    if IS_OURS:
        assert answers.statuses == [400]


# -- hosts


HOSTS = {
    b"a.com": "T1",
    b"A.CoM": "T1",
    b"a.com:80": "T1",
    b"a.com.": "T1",
    b"a.com.:8080": "T1",
    b"a.com:": "T1",
    b"a.com:b.com": 400,
    b"a.com:@b.com": 400,
    b"a.com:80:90": 400,
    b"a.com/b.com": 400,
    b"a.com b.com": 400,
    b"a.com\0b.com": 400,
    b"a..com": 400,
    b"": 400,
    b"x@a.com": 404,
    b"a.com,b.com": 404,
    b"[::1]": 404,
    b"[::1]:80": 404,
    b"127.0.0.1": 404,
    b"*.com": 404,
    b"*": 404,
    b"a" * 5000: 404,
}


@pytest.mark.parametrize("host", HOSTS, ids=lambda host: repr(host[:20]))
def test_odd_hosts(two_services: Proxy, t1: Target, host: bytes) -> None:
    """A host is its name, whatever the case, the port and a final dot; everything else is no host of anybody."""
    expected = HOSTS[host]
    answers = shot(two_services, get(host=host))
    if not IS_OURS:
        assert len(answers.statuses) == 1
        return
    assert answers.statuses == [200 if expected == "T1" else expected]
    assert len(t1.requests) == (expected == "T1")


@pytest.mark.skipif(not IS_OURS, reason="the reference takes them for hosts")
@pytest.mark.parametrize(
    "request_", [get(host=b"a.com:b.com"), b"GET http://b.com:x/ HTTP/1.1\r\nHost: a.com\r\n\r\n", b"GET /\r\n"]
)
def test_malformed_requests_are_nobodys(two_services: Proxy, request_: bytes) -> None:
    """400 as plain text and the end of the connection; such a request is neither routed nor logged (15)."""
    with two_services.connect() as connection:
        connection.send(request_)
        response = connection.read()
        assert (response.status, response.header("Content-Type")) == (400, "text/plain; charset=utf-8")
        assert response.header("Connection") == "close"
        assert connection.is_closed_within(1)
    time.sleep(0.25)
    assert [
        record for record in two_services.log_lines("Request") if record["status"] == 400 and not record["service"]
    ] == []


def test_an_absolute_target_replaces_the_host(two_services: Proxy, t1: Target, t2: Target) -> None:
    """For routing and for what the target sees alike (5); one with a user, or with a wrong port, is refused."""
    request = b"GET http://b.com:81/x?y HTTP/1.1\r\nHost: a.com\r\n\r\n"
    assert shot(two_services, request).statuses == [200]
    assert t1.requests == []
    assert t2.requests[0].target == "/x?y"
    assert t2.requests[0].header("Host") == "b.com:81"
    assert t2.requests[0].header("X-Forwarded-Host") == "b.com:81"
    if IS_OURS:
        for target in (b"http://a.com@b.com/x", b"http://b.com:a.com/x", b"http:///x", b"http://b.com\\@a.com/x"):
            assert shot(two_services, request.replace(b"http://b.com:81/x?y", target)).statuses == [400], target
    assert len(t2.requests) == 1


def test_connection_does_not_take_the_host_along(two_services: Proxy, t1: Target) -> None:
    """Nor what other proxies wrote: only what really belongs to the connection (14.1)."""
    names = b"Connection: Host, X-Forwarded-For, X-Forwarded-Proto, X-Own, close\r\n"
    assert shot(
        two_services, get(names, b"X-Forwarded-For: 9.9.9.9\r\nX-Forwarded-Proto: https\r\nX-Own: 1\r\n")
    ).statuses == [200]
    assert t1.requests[0].header("Host") == "a.com"
    if IS_OURS:
        assert t1.requests[0].header("X-Forwarded-For") == "9.9.9.9, 127.0.0.1"
        assert t1.requests[0].header("X-Forwarded-Proto") == "https"
    assert t1.requests[0].header("X-Own") is None


@pytest.mark.skipif(not IS_OURS, reason="the reference passes any upgrade on")
@pytest.mark.parametrize("protocol", [b"h2c", b"H2C", b"websocket, h2c"])
def test_no_tunnel_for_http2(two_services: Proxy, t1: Target, protocol: bytes) -> None:
    """Inside such a tunnel requests would reach the target without any of the proxy's rules."""
    lines = b"Connection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\nUpgrade: " + protocol
    assert shot(two_services, get(lines + b"\r\n", path=b"/echo")).statuses == [200]
    assert [t1.requests[0].header(name) for name in ("Upgrade", "HTTP2-Settings", "Connection")] == [None] * 3


@pytest.mark.skipif(not IS_OURS, reason="the reference passes them on")
@pytest.mark.parametrize("forwarding", ["true", "false"])
def test_underscores_do_not_stand_in_for_hyphens(proxy: Proxy, t1: Target, forwarding: str) -> None:
    """Applications that read both alike would believe the client's word for the proxy's."""
    proxy.deploy("s", t1, f"--forward-headers={forwarding}")
    names = (
        "X_Forwarded_For",
        "X_FORWARDED-PROTO",
        "x-forwarded_host",
        "X_Kamal-Target",
        "Transfer_Encoding",
        "X_Other",
    )
    for chosen in (names, *([name] for name in names)):
        seen = proxy.ask(headers=[(name, "forged") for name in chosen]).seen["headers"]
        assert {name for name, value in seen if "forged" in value} <= {"X_Other"}
    assert ["X_Other", "forged"] in seen


@pytest.mark.skipif(not IS_OURS, reason="the reference forwards it")
def test_a_length_with_an_underscore_is_none(proxy: Proxy, t1: Target) -> None:
    """It gets no body past a limit (13)."""
    proxy.deploy("s", t1, "--buffer-requests", "--max-request-body", "1000")
    chunks = b"7d0\r\n" + b"c" * 2000 + b"\r\n0\r\n\r\n"
    for framing, body in ((("Transfer-Encoding", "chunked"), chunks), (("Content-Length", "2000"), b"c" * 2000)):
        assert proxy.ask(method="POST", headers=[("Content_Length", "5"), framing], body=body).status == 413


# -- request lines

LINES = {
    b"GET /x": 400,
    b"GET /x HTTP/2.0": 505,
    b"GET /x http/1.1": 400,
    b"GET /x HTTP/1.1 HTTP/1.1": 400,
    b"GET  HTTP/1.1": 400,
    b"GET x HTTP/1.1": 400,
    b"GET * HTTP/1.1": 400,
    b"GET /a b HTTP/1.1": 400,
    b"GET\t/a HTTP/1.1": 400,
    b"GET /a\x01b HTTP/1.1": 400,
    b"GET /a\0b HTTP/1.1": 400,
    b"GET /../../etc/passwd HTTP/1.1": 400,
    b"GET /%2e%2e/%2e%2e/x HTTP/1.1": 400,
    b"GET /%zz HTTP/1.1": 400,
    b"GET /%00 HTTP/1.1": 400,
    b"GET /" + b"a" * 1_100_000 + b" HTTP/1.1": 431,
    b"CONNECT b.com:443 HTTP/1.1": 400,
    b"CONNECT /x HTTP/1.1": 405,
    b"TRACE /x HTTP/1.1": 405,
    b"PRI * HTTP/2.0": 400,
    b"\x16\x03\x01\x02\x00\x01": 400,
    b"GET /a%2f..%2fb HTTP/1.1": 200,
    b"GET /a\\..\\b HTTP/1.1": 200,
    b"GET /a%0d%0aX:%20y HTTP/1.1": 200,
    b"GET /.internal/error HTTP/1.1": 200,
    b"GET /@held_held HTTP/1.1": 200,
    b"G-E_T /x HTTP/1.1": 200,
}


@pytest.mark.skipif(not IS_OURS, reason="24.2, N7: nginx reads the first line more strictly")
@pytest.mark.parametrize("line", LINES, ids=lambda line: repr(line[:30]))
def test_odd_request_lines(two_services: Proxy, t1: Target, line: bytes) -> None:
    """An invalid request line never reaches a target; an odd but valid one is passed on as it came."""
    answers = shot(two_services, line + b"\r\nHost: a.com\r\n\r\n")
    assert answers.statuses[:1] == [LINES[line]]
    if LINES[line] == 200:
        assert f"{t1.requests[0].method} {t1.requests[0].target}".encode() == line.removesuffix(b" HTTP/1.1")
    else:
        assert t1.requests == []


@pytest.mark.skipif(not IS_OURS, reason="about nginx's own locations")
def test_internal_locations_cannot_be_asked_for(own_proxy: Proxy, make_target: Callable[[str], Target]) -> None:
    """The proxy's own pages lie behind a prefix that nobody can guess, and are internal besides."""
    target = make_target("T")
    own_proxy.start().deploy("s", target)
    (configuration,) = own_proxy.temporary.glob("kamal-proxy-*/nginx.conf")
    internal = re.search(r"location = (/\.[0-9a-f]{24})/error", configuration.read_text())
    assert internal is not None
    for name in ("error", "last", "healthy"):
        assert own_proxy.ask(f"{internal[1]}/{name}").status == 404
    assert target.requests == []


# -- too much, too slow


@pytest.mark.parametrize("line", [50_000, 4_000_000], ids=["in many lines", "in one"])
@pytest.mark.parametrize(("size", "status"), [(900_000, 200), (1_200_000, 431), (3_000_000, 431)])
@pytest.mark.parametrize("send", [get, post], ids=["GET", "POST"])
def test_giant_headers(two_services: Proxy, send: Callable[..., bytes], size: int, status: int, line: int) -> None:
    """About a megabyte is fine, beyond that it is 431 (15)."""
    length = min(size, line)
    lines = b"".join(b"X-%d: %s\r\n" % (number, b"v" * length) for number in range(size // length))
    answers = shot(two_services, send(lines), wait_s=1)
    # The end of a connection on which much is still coming may overtake the answer.
    assert answers.statuses == [status] or (answers.statuses == [] and status == 431)


@pytest.mark.parametrize(("count", "statuses"), [(900, [200]), (20_000, [431])])
def test_many_headers(two_services: Proxy, count: int, statuses: list[int]) -> None:
    """Hundreds of lines pass; many thousands are 431 as well."""
    answers = shot(two_services, get(b"".join(b"X-%d: b\r\n" % number for number in range(count))))
    assert answers.statuses == statuses


@pytest.mark.skipif(not IS_OURS, reason="about this implementation's processes")
def test_long_hosts_are_not_remembered(own_proxy: Proxy) -> None:
    """A worker does not keep what a client made up, however much of it there is."""
    own_proxy.start()
    workers = child_processes(find_child(own_proxy, "nginx: master"))

    def resident_kilobytes() -> int:
        status = "".join(Path(f"/proc/{worker}/status").read_text() for worker in workers)
        return sum(int(found) for found in re.findall(r"RssAnon:\s+(\d+)", status))

    before = resident_kilobytes()
    for number in range(400):
        with own_proxy.connect() as connection:
            connection.send(head("GET", "/", host=f"{number}." + "x" * 200_000))
            assert connection.read().status == 404
    assert resident_kilobytes() - before < 40_000


def test_slow_clients_hold_nobody_up(two_services: Proxy, t1: Target) -> None:
    """Hundreds of connections that drip headers or bodies, or only stand there: others are served as ever."""
    slow = [socket.create_connection(("127.0.0.1", two_services.http_port)) for _ in range(400)]
    try:
        for number, connection in enumerate(slow):
            connection.sendall((b"", get()[:20], post(b"Content-Length: 9\r\n")[:-2] + b"\r\na")[number % 3])
        for round_ in range(3):
            for number, connection in enumerate(slow):
                connection.sendall((b"", b"X", b"b")[number % 3])
            answers = [two_services.ask(host=host) for host in ("a.com", "b.com") for _ in range(5)]
            assert {answer.status for answer in answers} == {200}, round_
            assert min(answer.seconds for answer in answers) < 0.5
    finally:
        for connection in slow:
            connection.close()


def test_opens_and_closes(own_proxy: Proxy, t1: Target) -> None:
    """Thousands of connections that end at once, at every moment of a request: nothing stays behind.

    A hundred thousand are in tests/faults.
    """
    own_proxy.start("--metrics-port", str(own_proxy.metrics_port)).deploy("s", t1)
    abandon(own_proxy.http_port, 6000)
    assert own_proxy.ask().status == 200
    gauge = 'kamal_proxy_http_in_flight_requests{service="s"} 0'
    wait_until(lambda: gauge in _metrics(own_proxy), 10)
    started = time.monotonic()
    own_proxy.deploy("s", t1)
    assert time.monotonic() - started < 5  # no drain waits for what is gone


def _metrics(proxy: Proxy) -> str:
    with Connection(proxy.metrics_port) as connection:
        return connection.ask(path="/metrics").body.decode()
