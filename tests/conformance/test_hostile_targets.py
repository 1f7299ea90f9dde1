"""Targets that answer anything but HTTP: 502 or a cut, and never a word of it in another answer."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest

from tests.conformance.proxy_process import IS_OURS, Proxy
from tests.conformance.raw_http import Response
from tests.conformance.raw_target import GOOD, RawTarget

pytestmark = pytest.mark.skipif(not IS_OURS, reason="the reference differs in what it takes for an answer")

EVIL = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nEVIL"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
HOSTS = ("streamed.com", "buffered.com")


@pytest.fixture(scope="module")
def site() -> Iterator[tuple[Proxy, RawTarget]]:
    """One target behind two services, one with both buffers."""
    proxy, target = Proxy().start(), RawTarget()
    flags = ("--target", target.address, "--target-timeout", "1s")
    proxy.succeed("deploy", "streamed", *flags, "--host", "streamed.com")
    proxy.succeed("deploy", "buffered", *flags, "--host", "buffered.com", "--buffer-requests", "--buffer-responses")
    yield proxy, target
    proxy.dispose()
    target.close()


@pytest.fixture(params=HOSTS)
def ask(request: pytest.FixtureRequest, site: tuple[Proxy, RawTarget]) -> Iterator[Ask]:
    """Asks one of the services; afterwards both answer well, on connections that the bad answer may have left."""
    proxy, target = site
    yield Ask(proxy, target, request.param)
    target.holds = False
    for host, _ in itertools.product(HOSTS, range(4)):
        assert proxy.ask("/fine", host=host).body == b"fine"
    assert proxy.log_lines("Data plane ended; starting it again") == []


class Ask:
    """Asks for an answer of the target's, given as bytes."""

    def __init__(self, proxy: Proxy, target: RawTarget, host: str) -> None:
        self.proxy = proxy
        self.target = target
        self.host = host

    def __call__(self, reply: bytes, *, method: str = "GET", holds: bool = False) -> Response | None:
        """None when the connection ended without an answer. `holds` leaves the target's end open."""
        self.target.reply, self.target.holds = reply, holds
        try:
            return self.proxy.ask("/bad", host=self.host, method=method)
        except ConnectionError:
            return None


NO_ANSWER = {
    "nothing": b"",
    "text (HTTP/0.9)": b"just text",
    "a page (HTTP/0.9)": b"<html>\r\n\r\n</html>",
    "another protocol": b"SSH-2.0-OpenSSH_9\r\n",
    "a TLS alert": b"\x15\x03\x01\x00\x02\x02\x0a",
    "binary": bytes(range(256)) * 100,
    "HTTP/2": b"HTTP/2 200 OK\r\nContent-Length: 2\r\n\r\nOK",
    "no status": b"HTTP/1.1 abc X\r\nContent-Length: 2\r\n\r\nOK",
    "two digits": b"HTTP/1.1 99 X\r\nContent-Length: 2\r\n\r\nOK",
    "four digits": b"HTTP/1.1 1000 X\r\nContent-Length: 2\r\n\r\nOK",
    "status zero": b"HTTP/1.1 000 X\r\nContent-Length: 2\r\n\r\nOK",
    "half a head": b"HTTP/1.1 200 OK\r\nContent-Le",
    "a zero byte": b"HTTP/1.1 200 OK\r\nX: a\0b\r\nContent-Length: 2\r\n\r\nOK",
    "a space in a name": b"HTTP/1.1 200 OK\r\nX Y: a\r\nContent-Length: 2\r\n\r\nOK",
    "a folded header": b"HTTP/1.1 200 OK\r\nX: a\r\n b\r\nContent-Length: 2\r\n\r\nOK",
    "a bare CR": b"HTTP/1.1 200 OK\r\nX: a\rSet-Cookie: x=y\r\nContent-Length: 2\r\n\r\nOK",
    "a giant header": b"HTTP/1.1 200 OK\r\nX: " + b"a" * 3_000_000,
    "only 100": b"HTTP/1.1 100 Continue\r\n\r\n",
    "100, then 200": b"HTTP/1.1 100 Continue\r\n\r\n" + GOOD,
    "102, then 200": b"HTTP/1.1 102 Processing\r\n\r\n" + GOOD,
    "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nContent-Length: 50\r\n\r\nfine" + EVIL,
    "two lengths, the smaller last": b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\nContent-Length: 4\r\n\r\nfine" + EVIL,
    "two lengths, the last none": b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nContent-Length: 0\r\n\r\nfine",
    "lengths in one line": b"HTTP/1.1 200 OK\r\nContent-Length: 4, 4\r\n\r\nfine",
    "a length that is no number": b"HTTP/1.1 200 OK\r\nContent-Length: four\r\n\r\nfine",
    "a length with a sign": b"HTTP/1.1 200 OK\r\nContent-Length: +4\r\n\r\nfine",
    "a negative length": b"HTTP/1.1 200 OK\r\nContent-Length: -4\r\n\r\nfine",
    "a hexadecimal length": b"HTTP/1.1 200 OK\r\nContent-Length: 0x4\r\n\r\nfine",
    "a length with a fraction": b"HTTP/1.1 200 OK\r\nContent-Length: 4.0\r\n\r\nfine",
    "no length": b"HTTP/1.1 200 OK\r\nContent-Length: \r\n\r\nfine",
    "a length beyond all numbers": b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\nfine",
    "an unknown coding": CHUNKED.replace(b"chunked", b"xchunked") + b"4\r\nfine\r\n0\r\n\r\n",
    "two codings": CHUNKED.replace(b"chunked", b"gzip, chunked") + b"4\r\nfine\r\n0\r\n\r\n",
    "chunked twice": CHUNKED.replace(b"chunked", b"chunked, chunked") + b"4\r\nfine\r\n0\r\n\r\n",
    "chunked, then another": CHUNKED.replace(b"chunked", b"chunked, identity") + b"4\r\nfine\r\n0\r\n\r\n",
    "another coding": CHUNKED.replace(b"chunked", b"gzip") + b"4\r\nfine\r\n0\r\n\r\n",
    "another coding and a length": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\nContent-Length: 4\r\n\r\nfine",
    "101 that nobody asked for": b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\nraw",
}


@pytest.mark.parametrize("name", NO_ANSWER)
def test_no_answer_at_all(ask: Ask, name: str) -> None:
    """502 with its page, whether or not the target ends its connection (15; N5 for 1xx)."""
    for method in ("GET", "POST", "HEAD"):
        response = ask(NO_ANSWER[name], method=method)
        assert response is not None
        assert response.status == 502
        assert method == "HEAD" or "502 — Bad Gateway" in response.body.decode()


@pytest.mark.parametrize("name", NO_ANSWER)
def test_the_client_knows_whether_its_connection_goes_on(ask: Ask, name: str) -> None:
    """A client that was not told otherwise may send its next request on the same connection."""
    ask.target.reply, ask.target.holds = NO_ANSWER[name], False
    with ask.proxy.connect() as connection:
        response = connection.ask(path="/bad", host=ask.host)
        if response.header("Connection") == "close":
            assert connection.is_closed_within(1)
        else:
            assert connection.ask(path="/fine", host=ask.host).body == b"fine"


def test_a_date_is_all_that_is_added(ask: Ask) -> None:
    """Nothing names the proxy's own server (14.2)."""
    response = ask(GOOD)
    assert response is not None
    assert sorted(name for name, _ in response.headers) == ["Connection", "Content-Length", "Date"]


def test_headers_without_end(ask: Ask) -> None:
    """A target that never finishes its head gets 502 once that is too long, and 504 once it takes too long."""
    endless = (b"X-%d: %s\r\n" % (number, b"v" * 1000) for number in range(10_000))
    ask.target.reply = itertools.chain([b"HTTP/1.1 200 OK\r\n"], endless)
    assert ask.proxy.ask("/bad", host=ask.host).status == 502
    response = ask(b"HTTP/1.1 200 OK\r\nX: a\r\n", holds=True)
    assert response is not None
    assert response.status == 504


MORE_THAN_ONE = {
    "two answers": GOOD + EVIL,
    "two chunked ones": CHUNKED + b"4\r\nfine\r\n0\r\n\r\n" + EVIL,
    "a body with 204": b"HTTP/1.1 204 No\r\nContent-Length: 46\r\n\r\n" + EVIL,
    "a body with 304": b"HTTP/1.1 304 No\r\nContent-Length: 46\r\n\r\n" + EVIL,
    "chunked and a length": b"HTTP/1.1 200 OK\r\nContent-Length: 60\r\nTransfer-Encoding: chunked\r\n"
    b"\r\n4\r\nfine\r\n0\r\n\r\n" + EVIL,
}


@pytest.mark.parametrize("holds", [False, True], ids=["ends", "stays"])
@pytest.mark.parametrize("name", MORE_THAN_ONE)
def test_more_than_one_answer(ask: Ask, name: str, holds: bool) -> None:
    """The first counts; what follows is nobody's answer, on a connection that stays open neither."""
    response = ask(MORE_THAN_ONE[name], holds=holds)
    assert response is not None
    assert response.body in (b"fine", b"")
    for path in ("/fine", "/fine"):
        assert ask.proxy.ask(path, host=ask.host).body == b"fine"


def test_head_with_a_body(ask: Ask) -> None:
    """A body after HEAD is not taken for the next answer."""
    response = ask(b"HTTP/1.1 200 OK\r\nContent-Length: 46\r\n\r\n" + EVIL, method="HEAD", holds=True)
    assert response is not None
    assert response.status == 200


CUT = {
    "fewer bytes than announced": b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\nfine",
    "chunks without end": CHUNKED + b"4\r\nfine\r\n",
    "half a chunk": CHUNKED + b"9\r\nfine",
    "no chunk": CHUNKED + b"zz\r\nfine\r\n0\r\n\r\n",
    "a chunk beyond all numbers": CHUNKED + b"ffffffffffffffffff\r\nfine\r\n0\r\n\r\n",
}


@pytest.mark.parametrize("name", CUT)
def test_answers_that_stop_in_the_middle(ask: Ask, name: str) -> None:
    """The client can tell: the connection is cut, or there is no answer at all (15)."""
    response = ask(CUT[name])
    assert response is None or response.status == 502 or not response.complete


def test_odd_answers_that_are_answers(ask: Ask) -> None:
    """HTTP/1.0 without a length, line feeds alone, no reason, a status of one's own, headers without a value."""
    for reply in (
        b"HTTP/1.0 200 OK\r\n\r\nfine",
        b"HTTP/1.1 200 OK\nContent-Length: 4\n\nfine",
        b"HTTP/1.1 200\r\nContent-Length: 4\r\n\r\nfine",
        b"HTTP/1.1 299 Own\r\nX:\r\nContent-Length: 4\r\n\r\nfine",
        b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nContent-Length: 04\r\n\r\nfine",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding:\tCHUNKED\t\r\n\r\n4;a=b\r\nfine\r\n0\r\nX: y\r\n\r\n",
    ):
        response = ask(reply)
        assert response is not None
        assert response.status in (200, 299)
        assert response.body == b"fine"
        assert len(response.all("Content-Length")) <= 1


@pytest.mark.parametrize("line", [1000, 200_000], ids=["in many lines", "in one"])
@pytest.mark.parametrize(("size", "status"), [(100_000, 200), (200_000, 200), (400_000, 502)])
def test_giant_response_heads(ask: Ask, size: int, status: int, line: int) -> None:
    """As large as browsers take, a quarter of a megabyte; beyond that nothing of it is passed on."""
    length = min(size, line)
    lines = b"".join(b"X-%d: %s\r\n" % (number, b"v" * (length - 10)) for number in range(size // length))
    response = ask(GOOD.replace(b"\r\n", b"\r\n" + lines, 1))
    assert response is not None
    assert response.status == status
    assert (response.body == b"fine") == (status == 200)
    assert sum(len(value) for name, value in response.headers if name.startswith("X-")) >= size * 0.9 * (status == 200)


def test_orders_to_the_proxy(ask: Ask) -> None:
    """X-Accel-* are headers like any other: no redirect into the proxy, no change of its limits (24.1)."""
    orders = {
        "X-Accel-Redirect": "/fine",
        "X-Accel-Limit-Rate": "1",
        "X-Accel-Buffering": "no",
        "X-Accel-Charset": "koi8-r",
        "X-Accel-Expires": "1",
        "X-Sendfile": "/etc/passwd",
        "X-Reproxy-URL": "http://127.0.0.1/",
    }
    lines = "".join(f"{name}: {value}\r\n" for name, value in orders.items()).encode()
    response = ask(b"HTTP/1.1 200 OK\r\n" + lines + b"Content-Length: 1000\r\n\r\n" + b"x" * 1000)
    assert response is not None
    assert response.body == b"x" * 1000
    assert {name: response.header(name) for name in orders} == orders
    assert response.header("Content-Type") is None
