"""Failures, error pages and protocol details: spec/proxy.md 23.10 (cases 163 to 175), sections 15 to 17."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.conformance.proxy_process import IS_OURS, Proxy, wait_until
from tests.conformance.raw_http import WEBSOCKET, Headers, head
from tests.conformance.scripted_target import Target

BUFFERS = ("--buffer-requests", "--buffer-responses")

either_way = pytest.mark.parametrize("flags", [(), BUFFERS], ids=["streamed", "buffered"])


@either_way
@pytest.mark.parametrize("path", ["/die", "/garbage"])
def test_case_163_targets_that_give_no_answer(proxy: Proxy, t1: Target, flags: tuple[str, ...], path: str) -> None:
    """502 with its page, for every method."""
    proxy.deploy("s", t1, *flags)
    for method in ("GET", "POST"):
        response = proxy.ask(path, method=method)
        assert response.status == 502
        assert "502 — Bad Gateway" in response.body.decode()


def test_case_163_a_target_that_is_gone(proxy: Proxy, t1: Target) -> None:
    """502 when the connection is refused."""
    proxy.deploy("s", t1)
    t1.close()
    assert proxy.ask().status == 502


@either_way
def test_case_164_the_target_timeout(proxy: Proxy, t1: Target, flags: tuple[str, ...]) -> None:
    """504 when no headers come in time; a response and an upload may take longer."""
    proxy.deploy("s", t1, "--target-timeout", "1s", *flags)
    started = time.monotonic()
    response = proxy.ask("/sleep?s=3")
    assert response.status == 504
    assert "504 — Gateway Timeout" in response.body.decode()
    assert 0.9 < time.monotonic() - started < 1.6
    assert proxy.ask("/stream?n=4&d=0.5").complete
    with proxy.connect() as connection:
        connection.send(head("POST", "/echo", headers=[("Content-Length", "2")]) + b"a")
        time.sleep(1.5)
        connection.send(b"b")
        assert connection.read().status == 200


@either_way
@pytest.mark.parametrize("asked", [WEBSOCKET, [("Accept", "text/event-stream")]], ids=["upgrade", "events"])
def test_case_164_what_may_last_must_begin_in_time(
    proxy: Proxy, t1: Target, flags: tuple[str, ...], asked: Headers
) -> None:
    """The target timeout applies to the 101 and to the head of an event stream (15 and 17); the client may go on."""
    proxy.deploy("s", t1, "--target-timeout", "500ms", *flags)
    with proxy.connect() as connection:
        response = connection.ask(path="/sleep?s=3", headers=asked)
        assert (response.status, 0.4 < response.seconds < 1.5) == (504, True)
        assert connection.ask().status == 200


def test_case_165_no_timeout(proxy: Proxy, t1: Target) -> None:
    """0 waits for ever."""
    proxy.deploy("s", t1, "--target-timeout", "0s")
    assert proxy.ask("/sleep?s=1").status == 200


def test_websockets_outlive_the_target_timeout(proxy: Proxy, t1: Target) -> None:
    """Silence on an upgraded connection has no limit (17)."""
    proxy.deploy("s", t1, "--target-timeout", "500ms")
    with proxy.connect() as websocket:
        websocket.ask(path="/ws", headers=WEBSOCKET)
        websocket.reader.readline()
        time.sleep(1.2)
        websocket.send(b"still\n")
        assert websocket.reader.readline() == b"still\n"


def test_either_side_of_an_upgrade_closes_the_other(proxy: Proxy, t1: Target) -> None:
    """17."""
    proxy.deploy("s", t1)
    with proxy.connect() as websocket:
        websocket.ask(path="/ws", headers=WEBSOCKET)
        websocket.reader.readline()
    wait_until(lambda: t1.lost_clients == 1)


@either_way
def test_case_166_a_client_that_leaves(proxy: Proxy, t1: Target, flags: tuple[str, ...]) -> None:
    """The target sees its connection closed, the log says 499."""
    proxy.deploy("s", t1, *flags)
    path = f"/left{len(flags)}/sleep"
    with proxy.connect() as connection:
        connection.send(head("GET", f"{path}?s=5"))
        wait_until(lambda: t1.requests)
    wait_until(lambda: t1.lost_clients == 1, 2)
    assert [record["status"] for record in proxy.access_log(path)] == [499]


def test_case_167_custom_pages(proxy: Proxy, t1: Target, tmp_path: Path) -> None:
    """The stop message is the only variable, and it is escaped."""
    (tmp_path / "503.html").write_text("X [{{ .Message }}]")
    proxy.deploy("s", t1, "--error-pages", str(tmp_path))
    proxy.succeed("stop", "s", "--message", "m<1>")
    assert proxy.ask().body == b"X [m&lt;1&gt;]"
    proxy.succeed("stop", "s")
    response = proxy.ask()
    assert response.body == b"X []"
    assert response.header("Content-Type") == "text/html; charset=utf-8"


def test_case_168_only_the_proxys_own_errors_use_them(proxy: Proxy, t1: Target, tmp_path: Path) -> None:
    """A status without a file falls back to the built-in page; unrouted requests never use them."""
    (tmp_path / "502.html").write_text("{{ if .Message }}yes{{ else -}}  no {{- end }}")
    (tmp_path / "404.html").write_text("custom")
    proxy.deploy("s", t1, "--error-pages", str(tmp_path), "--host", "a.com", "--target-timeout", "200ms")
    assert proxy.ask("/die", host="a.com").body == b"no"
    assert proxy.ask("/status?c=502", host="a.com").body == b"as asked"
    assert "504 — Gateway Timeout" in proxy.ask("/sleep?s=1", host="a.com").body.decode()
    assert proxy.ask(host="other.com").body != b"custom"


def test_case_169_pages_are_read_at_deploy(proxy: Proxy, t1: Target, tmp_path: Path) -> None:
    """A change needs a redeploy; what cannot be used is refused."""
    page = tmp_path / "502.html"
    page.write_text("old")
    proxy.deploy("s", t1, "--error-pages", str(tmp_path))
    page.write_text("new")
    assert proxy.ask("/die").body == b"old"
    proxy.deploy("s", t1, "--error-pages", str(tmp_path))
    assert proxy.ask("/die").body == b"new"
    deploy = ("deploy", "s", "--target", t1.address, "--error-pages")
    page.write_text("{{ if .Message }} never closed")
    assert proxy.refuse(*deploy, str(tmp_path)) == "unable to load error pages"
    page.unlink()
    assert proxy.refuse(*deploy, str(tmp_path)) == "unable to load error pages"
    assert proxy.refuse(*deploy, str(tmp_path / "missing")) == "unable to load error pages"


def test_case_170_head_gets_no_body(proxy: Proxy, t1: Target) -> None:
    """Status and type only."""
    proxy.deploy("s", t1)
    with proxy.connect() as connection:
        response = connection.ask("HEAD", "/die")
        assert (response.status, response.header("Content-Type")) == (502, "text/html; charset=utf-8")
        assert connection.ask().status == 200


def test_case_171_a_target_that_stops_in_the_middle(proxy: Proxy, t1: Target) -> None:
    """The client's connection is cut, since no status can be sent any more (15)."""
    proxy.deploy("s", t1)
    assert not proxy.ask("/halfway").complete


def test_case_172_http_1_0_clients(proxy: Proxy, t1: Target) -> None:
    """A chunked response is sent unframed and the connection closed."""
    proxy.deploy("s", t1)
    with proxy.connect() as connection:
        response = connection.ask(path="/stream?n=2&d=0", version="HTTP/1.0")
    assert response.header("Transfer-Encoding") is None
    assert response.body == b"data: part 0\n\ndata: part 1\n\n"


@either_way
def test_case_173_expect_continue(proxy: Proxy, t1: Target, flags: tuple[str, ...]) -> None:
    """100, then the answer."""
    proxy.deploy("s", t1, *flags)
    with proxy.connect() as connection:
        connection.send(head("POST", "/echo", headers=[("Content-Length", "2"), ("Expect", "100-continue")]))
        assert connection.read().status == 100
        connection.send(b"ok")
        assert connection.read().seen["body_bytes"] == 2


def test_case_174_unknown_methods_are_forwarded(proxy: Proxy, t1: Target) -> None:
    """17."""
    proxy.deploy("s", t1)
    assert proxy.ask(method="BREW").seen["method"] == "BREW"


def test_case_175_early_hints(proxy: Proxy, t1: Target) -> None:
    """103 reaches the client before 200; with nginx it becomes 502 (N5)."""
    proxy.deploy("s", t1)
    with proxy.connect() as connection:
        first = connection.ask(path="/hints")
        if IS_OURS:
            assert first.status == 502
        else:
            assert (first.status, connection.read().status) == (103, 200)


def test_large_headers(proxy: Proxy, t1: Target) -> None:
    """About a megabyte is fine, more is 431 (15)."""
    proxy.deploy("s", t1)
    several = [(f"X-Big-{number}", "v" * 60_000) for number in range(8)]
    assert proxy.ask(headers=several).status == 200
    with proxy.connect() as connection:
        connection.send(head("GET", "/", headers=[("X-Huge", "v" * 1_500_000)]))
        assert connection.read().status == 431


def test_keep_alive_after_errors(proxy: Proxy, t1: Target) -> None:
    """An error page does not end the client's connection, and a body that was not read does not spoil it."""
    proxy.deploy("s", t1, "--host", "example.com")
    with proxy.connect() as connection:
        for host, path, status in (("no.com", "/", 404), ("example.com", "/die", 502), ("example.com", "/echo", 200)):
            assert connection.ask("POST", path, host=host, body=b"GET / HTTP/1.1\r\n\r\n").status == status


def test_what_is_not_routed_is_not_logged(own_proxy: Proxy, t1: Target) -> None:
    """Malformed heads, and `OPTIONS *`, which the server answers by itself with 200 and no body (5 and 15)."""
    own_proxy.start().deploy("s", t1)
    for line, status in ((b"GARBAGE", 400), (b"GET /%zz HTTP/1.1", 400), (b"OPTIONS * HTTP/1.1", 200)):
        with own_proxy.connect() as connection:
            connection.send(line + b"\r\nHost: a.com\r\n\r\n")
            response = connection.read()
            assert (response.status, status == 400) == (status, bool(response.body))
    own_proxy.ask("/after")
    own_proxy.access_log("/after")
    assert [record["path"] for record in own_proxy.log_lines("Request")] == ["/after"]
    assert t1.requests[-1].target == "/after"
    assert len(t1.requests) == 1
