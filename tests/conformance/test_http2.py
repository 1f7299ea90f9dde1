"""Hostile clients over HTTP/2: malformed requests, frames without end, and what nginx 1.22 makes of them (RFC 9113)."""

from __future__ import annotations

import contextlib
import re
import struct
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conformance.http2 import (
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    HEADERS,
    PING,
    PRIORITY,
    RESET,
    SETTINGS,
    WINDOW_UPDATE,
    Fields,
    Http2,
    frame,
    header_block,
)
from tests.conformance.proxy_process import IS_OURS, Proxy, child_processes, find_child
from tests.conformance.raw_target import RawTarget
from tests.conformance.scripted_target import Target

only_ours = pytest.mark.skipif(not IS_OURS, reason="about nginx's HTTP/2")

HOSTS = ("a.tls", "buffered.tls")

MakeCertificate = Callable[[str], tuple[Path, Path]]


class Site:
    """a.tls and buffered.tls are T1, b.tls is T2, raw.tls answers with bytes of the test's choice."""

    def __init__(self, proxy: Proxy, certificates: MakeCertificate) -> None:
        self.proxy = proxy
        self.t1, self.t2, self.raw = Target("T1"), Target("T2"), RawTarget()
        buffers = ("--buffer-requests", "--buffer-responses")
        for name, address, flags in (
            ("a.tls", self.t1.address, ()),
            ("buffered.tls", self.t1.address, buffers),
            ("b.tls", self.t2.address, ()),
            ("raw.tls", self.raw.address, buffers),
        ):
            certificate, key = map(str, certificates(name))
            files = ("--tls-certificate-path", certificate, "--tls-private-key-path", key)
            proxy.succeed("deploy", name, "--target", address, "--host", name, "--tls", *files, *flags)

    def connect(self, host: str = "a.tls") -> contextlib.closing[Http2]:
        return contextlib.closing(Http2(self.proxy.https_port, host))

    def workers(self) -> dict[int, str]:
        return child_processes(find_child(self.proxy, "nginx: master"))

    def close(self) -> None:
        for disposable in (self.proxy.dispose, self.t1.close, self.t2.close, self.raw.close):
            disposable()


@pytest.fixture(scope="module")
def shared_site(certificates: MakeCertificate) -> Iterator[Site]:
    site = Site(Proxy().start(), certificates)
    yield site
    site.close()


@pytest.fixture
def site(shared_site: Site) -> Iterator[Site]:
    """With targets that saw nothing yet; no worker must have died of the test, and another service must be well."""
    shared_site.t1.requests.clear()
    shared_site.t2.requests.clear()
    before = shared_site.workers() if IS_OURS else {}
    yield shared_site
    assert shared_site.proxy.ask(host="b.tls", server_name="b.tls").served_by == "T2"
    if IS_OURS:
        assert shared_site.workers() == before


def request(*more: tuple[str, str], host: str = "a.tls", method: str = "GET", path: str = "/x") -> Fields:
    return [(":method", method), (":scheme", "https"), (":authority", host), (":path", path), *more]


# -- fields of a connection


CONNECTION_FIELDS = {
    "upgrade": [("connection", "upgrade"), ("upgrade", "websocket")],
    "upgrade alone": [("upgrade", "websocket")],
    "keep-alive": [("connection", "keep-alive")],
    "close": [("connection", "close")],
    "named field": [("connection", "x-own"), ("x-own", "1")],
    "empty": [("connection", "")],
    "Keep-Alive": [("keep-alive", "timeout=5")],
    "Proxy-Connection": [("proxy-connection", "keep-alive")],
    "chunked": [("transfer-encoding", "chunked")],
    "identity": [("transfer-encoding", "identity")],
    "TE": [("te", "gzip")],
    "TE with trailers": [("te", "trailers, gzip")],
}


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("name", CONNECTION_FIELDS)
def test_fields_of_a_connection_are_refused(site: Site, name: str, method: str, host: str) -> None:
    """A request with one of them is malformed (RFC 9113, 8.2.2): its stream is refused, the others go on."""
    with site.connect(host) as connection:
        other = connection.open(request(host=host, path="/sleep?s=0.1"))
        assert connection.ask(request(*CONNECTION_FIELDS[name], host=host, method=method)) in (None, "400", "501")
        assert connection.answer_to(other).status == "200"
        assert connection.ask(request(host=host)) == "200"
    assert [seen.target for seen in site.t1.requests] == ["/sleep?s=0.1", "/x"]


def test_a_client_may_read_trailers(site: Site) -> None:
    """The one value that `te` may have (RFC 9113, 8.2.2); the target hears of it (14.1)."""
    with site.connect() as connection:
        assert connection.ask(request(("te", "trailers"))) == "200"
    assert site.t1.requests[0].header("TE") == "trailers"


def forge_answer(site: Site) -> tuple[bytes, str | None]:
    """Send a client's request while another client's target answers with frames for that request.

    Returns that answer's body, and the status of the request that asked for an upgrade.
    """
    with site.connect("raw.tls") as connection:
        victim = connection.open(request(path="/sleep?s=0.5"))
        forged = frame(HEADERS, END_HEADERS, victim, b"\x88") + frame(DATA, END_STREAM, victim, b"forged")
        site.raw.reply = b"HTTP/1.1 101 S\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n" + forged
        site.raw.holds = True
        upgrading = connection.open(request(("connection", "upgrade"), ("upgrade", "x"), host="raw.tls"))
        body = connection.answer_to(victim).body
        return body, connection.answers[upgrading].status


@only_ours
def test_a_target_cannot_answer_other_streams(site: Site) -> None:
    """No byte of a target's reaches the connection but inside frames of the proxy's own."""
    body, status = forge_answer(site)
    assert b'"name": "T1"' in body
    assert status == "400"
    assert site.raw.received == []


@only_ours
def test_each_of_two_guards_keeps_a_target_from_other_streams(certificates: MakeCertificate) -> None:
    """The look at the request and that at the answer; without both, the forged answer is seen."""
    request_guard = ("lua/kamal/header_lines.lua", "if is_connection_field(line.key)", "if false")
    answer_guard = ("lua/kamal/response.lua", " and not record.is_http2 then", " then")
    for holes, forged in (([request_guard], False), ([answer_guard], False), ([request_guard, answer_guard], True)):
        proxy = Proxy()
        for hole in holes:
            proxy.plant(*hole)
        site = Site(proxy.start(), certificates)
        try:
            assert (forge_answer(site)[0] == b"forged") == forged
        finally:
            site.close()


# -- malformed requests


MALFORMED = {
    "line ends in a value": [("x", "a\r\nHost: b.com")],
    "line ends in the path": [(":path", "/x HTTP/1.1\r\nHost: b.com\r\nX: ")],
    "space in the path": [(":path", "/x y")],
    "no slash": [(":path", "x")],
    "empty path": [(":path", "")],
    "line ends in the method": [(":method", "GET /hidden HTTP/1.1\r\nHost: b.com\r\n\r\nGET")],
    "empty method": [(":method", "")],
    "capitals in a name": [("X-Own", "a")],
    "colon in a name": [("x:y", "a")],
    "space in a name": [("x y", "a")],
    "no name": [("", "a")],
    "zero byte": [("x", "a\0b")],
    "two hosts": [("host", "b.tls")],
    "two paths": [("again:path", "/y")],
    "two methods": [("again:method", "POST")],
    "two authorities": [("again:authority", "b.tls")],
    "two lengths": [("content-length", "0"), ("content-length", "9")],
    "no number": [("content-length", "+0")],
    "a length without a body": [("content-length", "9")],
    "authority with a line end": [(":authority", "a.tls\r\nX: y")],
    "unknown pseudo header": [(":own", "a")],
    "a status": [(":status", "200")],
    "CONNECT": [(":method", "CONNECT")],
    "a WebSocket": [(":method", "CONNECT"), (":protocol", "websocket")],
}


def malformed(name: str, host: str) -> Fields:
    fields = dict(request(host=host)) | {key: value for key, value in MALFORMED[name] if key.startswith(":")}
    more = [(key.removeprefix("again"), value) for key, value in MALFORMED[name] if not key.startswith(":")]
    return [*fields.items(), *more]


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("name", MALFORMED)
def test_malformed_requests(site: Site, name: str, host: str) -> None:
    """Refused on the stream or with the connection, and no target hears of them (RFC 9113, 8.1.1)."""
    with site.connect(host) as connection:
        assert connection.ask(malformed(name, host)) in (None, "400", "405", "501")
    assert (site.t1.requests, site.t2.requests) == ([], [])


@only_ours
def test_the_order_of_pseudo_headers_is_not_looked_at(site: Site) -> None:
    """As nginx 1.22 has it: what comes first means the same (docs/proxy.md, What differs)."""
    with site.connect() as connection:
        assert connection.ask([("x", "1"), *request()]) == "200"
    assert site.t1.requests[0].target == "/x"


LENGTHS = {"longer": 2, "shorter": 9, "longer, in two frames": 4}


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("name", LENGTHS)
def test_a_body_of_another_length(site: Site, name: str, host: str) -> None:
    """400, and no target takes it for a whole request (RFC 9113, 8.1.1)."""
    with site.connect(host) as connection:
        length = ("content-length", str(LENGTHS[name]))
        stream = connection.open(request(length, host=host, method="POST"), ends=False)
        with contextlib.suppress(OSError):
            connection.send(frame(DATA, 0, stream, b"123") + frame(DATA, END_STREAM, stream, b"45"))
        assert connection.answer_to(stream).status in (None, "400")
        assert connection.ask(request(host=host)) == "200"
    assert all(len(seen.body) < LENGTHS[name] for seen in site.t1.requests)


@only_ours
def test_trailers_of_a_request_end_the_connection(site: Site) -> None:
    """nginx 1.22 takes them for a second request on the same stream (docs/proxy.md, What differs)."""
    with site.connect() as connection:
        stream = connection.open(request(method="POST"), ends=False)
        connection.send(frame(DATA, 0, stream, b"hello"))
        connection.send(frame(HEADERS, END_HEADERS | END_STREAM, stream, header_block([("x-checksum", "1")])))
        assert connection.answer_to(stream).status is None
        assert connection.goaway == 1


@only_ours
def test_an_empty_continuation_is_read_with_the_next_frame(site: Site) -> None:
    """nginx 1.22 goes on with a head that ends so when anything follows (docs/proxy.md, What differs)."""
    with site.connect() as connection:
        assert connection.ask(request()) == "200"
        stream = connection.next_stream()
        connection.send(frame(HEADERS, END_STREAM, stream, header_block(request(path="/late"))))
        connection.send(frame(CONTINUATION, END_HEADERS, stream))
        time.sleep(0.2)  # whether nothing comes can only be waited for
        assert [seen.target for seen in site.t1.requests] == ["/x"]
        connection.send(frame(PING, 0, 0, b"12345678"))
        assert connection.answer_to(stream).status == "200"


# -- floods


INDEXED = b"\xbe"
"""The field that was added last to the table of the connection, 62nd with those that are always there."""


def indexing(name: str, value: str) -> bytes:
    return b"\x40" + header_block([(name, value)])[1:]


def expanding(field: tuple[str, str], times: int) -> Iterator[bytes]:
    """A head of one byte for each of so many copies of a field, in as many frames as it takes."""
    block = header_block(request(path="/sleep?s=9")) + indexing(*field) + INDEXED * times
    for start in range(0, len(block), 16000):
        first, last = start == 0, start + 16000 >= len(block)
        kind, flags = (HEADERS if first else CONTINUATION), (END_STREAM if first else 0) | (END_HEADERS if last else 0)
        yield frame(kind, flags, 0, block[start : start + 16000])


def on_stream(frame_: bytes, stream: int) -> bytes:
    return frame_[:5] + stream.to_bytes(4) + frame_[9:]


EXPANDING = {
    "large fields": (("x", "b" * 3900), 500),
    "fewer large fields": (("x", "b" * 3900), 200),
    "cookies": (("cookie", "a"), 150_000),
    "empty cookies": (("cookie", ""), 9_000),
}


@only_ours
@pytest.mark.parametrize("name", EXPANDING)
def test_compressed_headers_do_not_fill_the_memory(site: Site, name: str) -> None:
    """Fields that a byte stands for are copied for each stream: 431, and nothing is kept for the target (15)."""
    before = resident_kilobytes(site.proxy)
    with site.connect() as connection:
        streams = []
        for _ in range(60):
            streams.append(connection.next_stream())
            connection.send(b"".join(on_stream(each, streams[-1]) for each in expanding(*EXPANDING[name])))
        assert {connection.answer_to(stream).status for stream in streams} == {"431"}
        assert resident_kilobytes(site.proxy) - before < 30_000
    assert site.t1.requests == []


@only_ours
def test_expanding_headers_that_are_let_pass_would_be_seen(certificates: MakeCertificate) -> None:
    """The same heads, where their weight is not looked at."""
    proxy = Proxy()
    proxy.plant("lua/kamal/header_lines.lua", "bytes > LARGE and", "false and")
    site = Site(proxy.start(), certificates)
    try:
        before = resident_kilobytes(proxy)
        with site.connect() as connection:
            for _ in range(60):
                stream = connection.next_stream()
                heads = expanding(*EXPANDING["fewer large fields"])
                connection.send(b"".join(on_stream(each, stream) for each in heads))
            assert connection.ask(request()) == "200"
            assert resident_kilobytes(proxy) - before > 30_000
    finally:
        site.close()


def test_large_headers_that_are_sent_in_full_pass(site: Site) -> None:
    """Headers that are sent in full may have about a megabyte, as in HTTP/1; a field may be repeated (15)."""
    with site.connect() as connection:
        connection.send(frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", 2**30)))
        connection.send(frame(SETTINGS, 0, 0, struct.pack(">HI", 4, 2**30)))
        block = header_block(request(*((f"x-{number}", "v" * 15_000) for number in range(50))))
        stream = connection.next_stream()
        pieces = [block[start : start + 16000] for start in range(0, len(block), 16000)]
        connection.send(frame(HEADERS, END_STREAM, stream, pieces[0]))
        for number, piece in enumerate(pieces[1:], 2):
            connection.send(frame(CONTINUATION, END_HEADERS if number == len(pieces) else 0, stream, piece))
        assert connection.answer_to(stream).status == "200"
        cookie = "a" * 3000
        stream = connection.next_stream()
        connection.send(
            frame(HEADERS, END_STREAM | END_HEADERS, stream, header_block(request()) + indexing("cookie", cookie))
        )
        assert connection.answer_to(stream).status == "200"
        stream = connection.next_stream()
        connection.send(frame(HEADERS, END_STREAM | END_HEADERS, stream, header_block(request()) + INDEXED * 2))
        assert connection.answer_to(stream).status == "200"
    assert site.t1.requests[-1].header("Cookie") == f"{cookie}; {cookie}"


def resident_kilobytes(proxy: Proxy) -> int:
    workers = child_processes(find_child(proxy, "nginx: master"))
    statuses = "".join(Path(f"/proc/{worker}/status").read_text() for worker in workers)
    return sum(int(found) for found in re.findall(r"RssAnon:\s+(\d+)", statuses))


def endless_head(connection: Http2, continuation: bytes) -> Iterator[bytes]:
    stream = connection.next_stream()
    yield frame(HEADERS, END_STREAM, stream, header_block(request()))
    while True:
        yield frame(CONTINUATION, 0, stream, continuation)


def empty_data(connection: Http2) -> Iterator[bytes]:
    stream = connection.open(request(method="POST"), ends=False)
    while True:
        yield frame(DATA, 0, stream)


def same(frame_: bytes) -> Callable[[Http2], Iterator[bytes]]:
    def frames(_connection: Http2) -> Iterator[bytes]:
        while True:
            yield frame_

    return frames


FLOODS: dict[str, Callable[[Http2], Iterator[bytes]]] = {
    "pings": same(frame(PING, 0, 0, b"12345678")),
    "settings": same(frame(SETTINGS)),
    "settings with windows": same(frame(SETTINGS, 0, 0, struct.pack(">HI", 4, 65535) * 100)),
    "windows": same(frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", 1))),
    "priorities": same(frame(PRIORITY, 0, 1, struct.pack(">I", 5) + b"\x10")),
    "resets": same(frame(RESET, 0, 1, struct.pack(">I", 8))),
    "unknown frames": same(frame(0x77)),
    "empty data": empty_data,
    "empty continuations": lambda connection: endless_head(connection, b""),
    "continuations": lambda connection: endless_head(connection, header_block([("x", "y" * 100)])),
    "continuations of one byte a field": lambda connection: endless_head(connection, b"\x82" * 1000),
    "continuations of cookies": lambda connection: endless_head(connection, header_block([("cookie", "a")])),
    "continuations of table sizes": lambda connection: endless_head(connection, b"\x20" * 1000),
}


@only_ours
@pytest.mark.parametrize("name", FLOODS)
def test_frames_without_a_request_end_the_connection(site: Site, name: str) -> None:
    """Any mix of such frames ends it after about eight megabytes; until then memory stays low and others are served."""
    before, sent, asked = resident_kilobytes(site.proxy), 0, 0
    with site.connect() as connection, contextlib.suppress(OSError):
        frames = FLOODS[name](connection)
        while connection.is_open() and sent < 24_000_000:
            piece = b"".join(next(frames) for _ in range(200))
            connection.send(piece)
            sent += len(piece)
            if sent > 2_000_000 * asked:
                assert site.proxy.ask(host="b.tls", server_name="b.tls").status == 200
                asked += 1
    assert sent < 24_000_000, "the connection goes on"
    assert resident_kilobytes(site.proxy) - before < 30_000


def test_streams_that_are_reset_at_once(site: Site) -> None:
    """Requests by the thousand, each taken back at once, keep the proxy from nothing and do not stay in flight."""
    with site.connect() as connection:
        for _ in range(2000):
            if not connection.ask_and_reset(request(path="/sleep?s=5")):
                break
    assert site.proxy.ask(host="b.tls", server_name="b.tls").status == 200
    started = time.monotonic()
    site.proxy.succeed("pause", "a.tls")
    assert time.monotonic() - started < 3  # the drain has nothing to wait for
    site.proxy.succeed("resume", "a.tls")
