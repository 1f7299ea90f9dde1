"""Headers: spec/proxy.md 23.9 (cases 152 to 162) and section 14."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.conformance.proxy_process import Proxy
from tests.conformance.raw_http import WEBSOCKET, Headers
from tests.conformance.scripted_target import Target

FORWARDED: Headers = [
    ("X-Forwarded-For", "9.9.9.9"),
    ("X-Forwarded-Proto", "https"),
    ("X-Forwarded-Host", "evil"),
]
BUFFERS = ("--buffer-requests", "--buffer-responses")

either_way = pytest.mark.parametrize("flags", [(), BUFFERS], ids=["streamed", "buffered"])


@either_way
def test_case_152_forwarding_on(proxy: Proxy, t1: Target, flags: tuple[str, ...]) -> None:
    """Received values are trusted and the client's address is added."""
    proxy.deploy("s", t1, *flags)
    response = proxy.ask(headers=[*FORWARDED, ("X-Forwarded-For", "8.8.8.8")])
    assert response.seen_header("X-Forwarded-For") == "9.9.9.9, 8.8.8.8, 127.0.0.1"
    assert response.seen_header("X-Forwarded-Proto") == "https"
    assert response.seen_header("X-Forwarded-Host") == "evil"


@either_way
def test_case_153_forwarding_off(proxy: Proxy, t1: Target, flags: tuple[str, ...]) -> None:
    """Received values are replaced by what the proxy knows itself."""
    proxy.deploy("s", t1, "--forward-headers=false", *flags)
    response = proxy.ask(headers=FORWARDED, host="example.com:99")
    assert response.seen_header("X-Forwarded-For") == "127.0.0.1"
    assert response.seen_header("X-Forwarded-Proto") == "http"
    assert response.seen_header("X-Forwarded-Host") == "example.com:99"
    assert response.seen_header("Host") == "example.com:99"


@pytest.mark.parametrize("forwards", [True, False])
def test_case_154_tls_services_forward_only_when_told(
    proxy: Proxy, t1: Target, certificates: Callable[[str], tuple[Path, Path]], forwards: bool
) -> None:
    """The default is off with `--tls`."""
    certificate, key = certificates("example.com")
    files = ("--tls-certificate-path", str(certificate), "--tls-private-key-path", str(key))
    flags = ("--forward-headers",) if forwards else ()
    proxy.deploy("s", t1, "--tls", "--host", "example.com", *files, *flags)
    response = proxy.ask(headers=FORWARDED, server_name="example.com")
    assert response.seen_header("X-Forwarded-For") == ("9.9.9.9, 127.0.0.1" if forwards else "127.0.0.1")
    assert response.seen_header("X-Forwarded-Proto") == "https"


@either_way
def test_case_155_forwarded_is_removed_the_rest_passes(proxy: Proxy, t1: Target, flags: tuple[str, ...]) -> None:
    """X-Real-IP, X-Forwarded-Port, Via and unknown headers are untouched."""
    proxy.deploy("s", t1, *flags)
    others = {"X-Real-IP": "1.2.3.4", "X-Forwarded-Port": "444", "Via": "1.1 a", "X_Under": "1", "Any": "thing"}
    response = proxy.ask(headers=[("Forwarded", "for=1"), *others.items()])
    assert response.seen_header("Forwarded") is None
    assert {name: response.seen_header(name) for name in others} == others


@either_way
def test_case_156_request_id_and_start(proxy: Proxy, t1: Target, flags: tuple[str, ...]) -> None:
    """Kept when given, made when not: a UUID of version 4, and Unix milliseconds."""
    proxy.deploy("s", t1, *flags)
    made = proxy.ask()
    uuid4 = r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
    assert re.fullmatch(uuid4, made.seen_header("X-Request-ID") or "")
    assert made.seen_header("X-Request-ID") != proxy.ask().seen_header("X-Request-ID")
    start = re.fullmatch(r"t=(\d{13})", made.seen_header("X-Request-Start") or "")
    assert start
    assert abs(int(start[1]) / 1000 - time.time()) < 2
    kept = proxy.ask(headers=[("X-Request-ID", "mine"), ("X-Request-Start", "t=1")])
    assert (kept.seen_header("X-Request-ID"), kept.seen_header("X-Request-Start")) == ("mine", "t=1")


@either_way
def test_case_157_the_target_is_named(proxy: Proxy, t1: Target, flags: tuple[str, ...]) -> None:
    """Appended to a received value with forwarding, alone without."""
    proxy.deploy("s", t1, *flags)
    assert proxy.ask().seen_header("X-Kamal-Target") == t1.address
    assert proxy.ask(headers=[("X-Kamal-Target", "p")]).seen_header("X-Kamal-Target") == f"p, {t1.address}"
    for method in ("GET", "POST"):
        response = proxy.ask(method=method, headers=[("X-Kamal-Target", "p"), ("X-Kamal-Target", "q, r")])
        assert response.seen_header("X-Kamal-Target") == f"p, q, r, {t1.address}"
    proxy.deploy("s", t1, "--forward-headers=false", *flags)
    assert proxy.ask(headers=[("X-Kamal-Target", "p")]).seen_header("X-Kamal-Target") == t1.address


@either_way
def test_case_158_hop_by_hop_headers_are_removed(proxy: Proxy, t1: Target, flags: tuple[str, ...]) -> None:
    """With those that Connection names; `TE: trailers` is the exception."""
    proxy.deploy("s", t1, *flags)
    hops = ["X-Foo", "Keep-Alive", "Proxy-Authorization", "Proxy-Authenticate", "Proxy-Connection", "Trailer"]
    headers = [("Connection", "X-Foo, keep-alive"), ("TE", "trailers"), *((name, "v") for name in hops)]
    response = proxy.ask(headers=headers)
    assert {name: response.seen_header(name) for name in hops} == dict.fromkeys(hops)
    assert response.seen_header("TE") == "trailers"
    assert response.seen_header("Connection") in (None, "keep-alive", "close")


@either_way
@pytest.mark.parametrize(
    "lines", [("keep-alive", "X-Foo"), ("X-Foo", "close"), ("close", "X-Bar", "X-Foo, keep-alive")]
)
def test_case_158_in_several_lines(proxy: Proxy, t1: Target, flags: tuple[str, ...], lines: tuple[str, ...]) -> None:
    """Connection may come in several lines, which count together."""
    proxy.deploy("s", t1, *flags)
    for method in ("GET", "POST"):
        headers = [("X-Foo", "v"), *(("Connection", line) for line in lines)]
        assert proxy.ask(method=method, headers=headers).seen_header("X-Foo") is None


@either_way
def test_an_upgrade_in_several_lines(proxy: Proxy, t1: Target, flags: tuple[str, ...]) -> None:
    """Another proxy in front may write `Connection: keep-alive` and `Connection: Upgrade`."""
    proxy.deploy("s", t1, *flags)
    with proxy.connect() as websocket:
        assert websocket.ask(path="/ws", headers=[("Connection", "keep-alive"), *WEBSOCKET]).status == 101


@pytest.mark.parametrize("name", ["X-Client", "X_Client"])
def test_case_159_client_ip_header(proxy: Proxy, t1: Target, name: str) -> None:
    """It replaces the received X-Forwarded-For, and is passed too."""
    proxy.deploy("s", t1, "--client-ip-header", name)
    response = proxy.ask(headers=[(name, "7.7.7.7"), *FORWARDED])
    assert response.seen_header("X-Forwarded-For") == "7.7.7.7, 127.0.0.1"
    assert response.seen_header(name) == "7.7.7.7"
    assert proxy.ask(headers=FORWARDED).seen_header("X-Forwarded-For") == "9.9.9.9, 127.0.0.1"


@either_way
def test_case_160_nothing_is_invented(proxy: Proxy, t1: Target, flags: tuple[str, ...]) -> None:
    """No User-Agent, no Accept-Encoding, no framing for a request without body."""
    proxy.deploy("s", t1, *flags)
    response = proxy.ask()
    for name in ("User-Agent", "Accept-Encoding", "Content-Length", "Transfer-Encoding", "X-Real-IP", "Via"):
        assert response.seen_header(name) is None, name


def test_case_161_cookie_paths_are_scoped(proxy: Proxy, t1: Target) -> None:
    """The stripped prefix is put in front, except for other domains (14.3)."""
    proxy.deploy("s", t1, "--path-prefix", "/app", "--scope-cookie-paths")
    cookies = [
        "a=1",
        "b=1; Path=/",
        "c=1; Path=/x/; HttpOnly",
        "d=1; Domain=other.com; Path=/q",
        "e=1; Domain=example.com",
        "f=1; Path=/old; Path=/new",
    ]
    query = "&".join(f"h=Set-Cookie%3D{quote(cookie, safe='')}" for cookie in cookies)
    response = proxy.ask(f"/app/hdrs?{query}")
    found = {cookie[0]: re.findall(r"[Pp]ath=([^;]*)", cookie) for cookie in response.all("Set-Cookie")}
    assert found == {"a": ["/app"], "b": ["/app"], "c": ["/app/x"], "d": ["/q"], "e": ["/app"], "f": ["/app/new"]}
    assert "HttpOnly" in response.all("Set-Cookie")[2]


def test_case_162_cookies_are_left_alone_without_the_flag(proxy: Proxy, t1: Target) -> None:
    """And where nothing was stripped."""
    proxy.deploy("s", t1, "--path-prefix", "/app")
    assert proxy.ask("/app/hdrs?h=Set-Cookie%3Da%3D1").all("Set-Cookie") == ["a=1"]
    proxy.deploy("s", t1, "--scope-cookie-paths")
    assert proxy.ask("/hdrs?h=Set-Cookie%3Da%3D1").all("Set-Cookie") == ["a=1"]


@either_way
def test_responses_pass_unchanged(proxy: Proxy, t1: Target, flags: tuple[str, ...]) -> None:
    """Nothing is added but Date, and nothing that a proxy might take as a command is obeyed (14.2, 24.1)."""
    proxy.deploy("s", t1, *flags)
    plain = proxy.ask()
    names = {name.lower() for name, _ in plain.headers}
    assert names == {"content-type", "content-length", "date", "connection"}
    given = {
        "Server": "mine",
        "Date": "Mon, 01 Jan 2001 00:00:00 GMT",
        "X-Accel-Redirect": "/echo",
        "X-Accel-Limit-Rate": "1",
        "Cache-Control": "no-store",
        "Location": "http://pooled/x",
        "Refresh": "0; url=http://127.0.0.1/",
        "Expires": "0",
        "ETag": '"a"',
    }
    query = "&".join(f"h={quote(f'{name}={value}', safe='')}" for name, value in given.items())
    response = proxy.ask(f"/hdrs?{query}")
    assert {name: response.header(name) for name in given} == given
    assert response.header("Content-Type") is None
    assert response.body == b"headers"


@either_way
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_hop_by_hop_headers_of_targets_end_here(proxy: Proxy, t1: Target, flags: tuple[str, ...], method: str) -> None:
    """Headers of the connection with the target are not sent to the client (14.2)."""
    proxy.deploy("s", t1, *flags)
    hops = ["Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization", "Proxy-Connection", "TE", "Trailer", "Upgrade"]
    query = "&".join(f"h={name}%3Dvalue" for name in hops)
    response = proxy.ask(f"/hdrs?{query}&h=Connection%3Dclose&h=X-Own%3D1", method=method)
    assert {name: response.header(name) for name in hops} == dict.fromkeys(hops)
    assert (response.header("X-Own"), response.header("Connection")) == ("1", "keep-alive")


@pytest.mark.parametrize("status", [404, 418, 500, 503])
def test_error_statuses_of_targets_pass(proxy: Proxy, t1: Target, status: int) -> None:
    """Status and body are never rewritten (14.2)."""
    proxy.deploy("s", t1)
    response = proxy.ask(f"/status?c={status}")
    assert (response.status, response.body) == (status, b"as asked")
