"""Limits of the whole proxy, which only `run` sets: time for headers and bodies, and the PROXY protocol."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conformance.proxy_process import IS_OURS, Proxy
from tests.conformance.raw_http import head
from tests.conformance.scripted_target import Target

pytestmark = pytest.mark.skipif(not IS_OURS, reason="the reference has no protections")

BODY_TIMEOUT = {"KAMAL_PROXY_CLIENT_BODY_TIMEOUT": "2s", "KAMAL_PROXY_PROXY_PROTOCOL_FROM": ""}


def test_header_and_body_timeouts(own_proxy: Proxy, t1: Target) -> None:
    """A client that drips is cut off; one that pauses for less is served (`run` flags)."""
    own_proxy.start("--client-header-timeout", "1s", environment=BODY_TIMEOUT)
    own_proxy.deploy("s", t1, "--buffer-requests")
    with own_proxy.connect() as headers, own_proxy.connect() as body, own_proxy.connect() as fine:
        body.send(head("POST", "/echo", headers=[("Content-Length", "3")]) + b"a")
        fine.send(head("POST", "/echo", headers=[("Content-Length", "2")]) + b"a")
        headers.send(b"GET / HTTP/1.1\r\n")
        for number in range(5):
            time.sleep(0.25)
            if number == 2:
                fine.send(b"b")
            try:
                headers.send(b"X-%d: drip\r\n" % number)
            except OSError:
                break
        assert headers.is_closed_within(5)
        assert body.is_closed_within(5)
        assert fine.read().status == 200
    assert [request.body for request in t1.requests] == [b"ab"]
    assert {record["status"] for record in own_proxy.access_log("/echo")} == {200, 408}


def test_wrong_limits_do_not_start(own_proxy: Proxy) -> None:
    """Exit 1 with the reason, before anything listens."""
    assert own_proxy.refuse("run", "--client-header-timeout", "0s") == "client-header-timeout must be at least 1ms"
    message = 'invalid network "x" for "--proxy-protocol-from" flag'
    assert own_proxy.refuse("run", "--proxy-protocol-from", "x") == message


PROXY_LINE = b"PROXY TCP4 192.0.2.9 127.0.0.1 4444 80\r\n"


def test_proxy_protocol(own_proxy: Proxy, t1: Target, certificates: Callable[[str], tuple[Path, Path]]) -> None:
    """The client's address comes from the header of a trusted peer, in both versions and under TLS."""
    certificate, key = map(str, certificates("a.com"))
    own_proxy.start(environment={"KAMAL_PROXY_PROXY_PROTOCOL_FROM": "127.0.0.1, 10.0.0.0/8"})
    own_proxy.deploy("s", t1, "--deny", "192.0.2.8")
    tls = ("--tls", "--tls-certificate-path", certificate, "--tls-private-key-path", key)
    own_proxy.deploy("secure", t1, "--host", "a.com", *tls)
    version_2 = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c" + socket.inet_aton("192.0.2.9") + b"\x7f\0\0\x01\x11\x5c\0\x50"
    for preface in (PROXY_LINE, version_2):
        with own_proxy.connect(preface=preface) as connection:
            assert connection.ask().seen_header("X-Forwarded-For") == "192.0.2.9"
    with own_proxy.connect(preface=PROXY_LINE, server_name="a.com") as connection:
        assert connection.ask(host="a.com").seen_header("X-Forwarded-For") == "192.0.2.9"
    with own_proxy.connect(preface=PROXY_LINE.replace(b".9 ", b".8 ")) as connection:
        assert connection.ask().status == 403


def test_proxy_protocol_from_elsewhere(own_proxy: Proxy, t1: Target) -> None:
    """Its claim is not believed; a connection without the header is closed."""
    own_proxy.start("--proxy-protocol-from", "127.0.0.2").deploy("s", t1)
    with own_proxy.connect(preface=PROXY_LINE) as connection:
        assert connection.ask().seen_header("X-Forwarded-For") == "127.0.0.1"
    with own_proxy.connect() as connection, pytest.raises(ConnectionError):
        connection.ask()


def test_proxy_protocol_in_all_its_forms(own_proxy: Proxy, t1: Target) -> None:
    """IPv6, IPv4 written as IPv6, and what names no client; a header that is none ends the connection."""
    own_proxy.start("--proxy-protocol-from", "127.0.0.1").deploy("s", t1, "--deny", "198.51.100.0/24")

    def second(command: int, family: int, addresses: bytes) -> bytes:
        return b"\r\n\r\n\0\r\nQUIT\n" + bytes([0x20 | command, family]) + len(addresses).to_bytes(2) + addresses

    ipv6 = socket.inet_pton(socket.AF_INET6, "2001:db8::9") * 2
    forms = {
        b"PROXY TCP6 2001:db8::9 ::1 4444 80\r\n": (200, "2001:db8::9"),
        second(1, 0x21, ipv6 + b"\x11\x5c\0\x50" + b"\x04\0\x03abc"): (200, "2001:db8::9"),
        b"PROXY TCP6 ::ffff:198.51.100.7 ::1 4444 80\r\n": (403, None),
        b"PROXY UNKNOWN\r\n": (200, "127.0.0.1"),
        second(0, 0, b""): (200, "127.0.0.1"),
    }
    for preface, (status, client) in forms.items():
        with own_proxy.connect(preface=preface) as connection:
            answer = connection.ask()
        assert answer.status == status, preface
        assert client is None or answer.seen_header("X-Forwarded-For") == client
    # What nginx 1.22 cannot read in two parts (docs/proxy.md, What differs).
    with own_proxy.connect(preface=PROXY_LINE[:20]) as connection:
        assert connection.is_closed_within(5)
    broken = (
        b"PROXY TCP4 nobody 127.0.0.1 1 2\r\n",
        b"PROXY UDP4 1.1.1.1 2.2.2.2 1 2\r\n",
        second(1, 0x11, b"\1\2\3\4"),
    )
    for preface in broken:
        with own_proxy.connect(preface=preface) as connection, pytest.raises(ConnectionError):
            connection.ask()
