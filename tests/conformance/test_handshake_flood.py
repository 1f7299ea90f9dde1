"""Floods of TLS handshakes, measured by the plain requests that are served beside them (spec/proxy.md 7.1)."""

from __future__ import annotations

import contextlib
import os
import socket
import ssl
import statistics
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.conformance.acme_authority import s_client
from tests.conformance.proxy_process import IS_OURS, Proxy
from tests.conformance.scripted_target import Target
from tests.conformance.test_handshakes import deploy_tls

MakeCertificate = Callable[[str], tuple[Path, Path]]
Flood = Callable[[Proxy, str], contextlib.AbstractContextManager[None]]

FFDHE_GROUPS = {"ffdhe2048": 0x0100, "ffdhe3072": 0x0101, "ffdhe4096": 0x0102, "ffdhe6144": 0x0103, "ffdhe8192": 0x0104}
CURVES = ("X25519", "prime256v1", "secp384r1", "secp521r1")
HELLOS = 24
"""So many hellos for ffdhe8192 stop a proxy that accepts the group for seconds."""
MOST_SLOWER = 20.0
"""How many times slower plain requests may be beside a flood. Behind hellos that cost it is hundreds of times."""

only_ours = pytest.mark.skipif(not IS_OURS, reason="the reference's TLS library has no such groups")


def client_hello(name: str, group: int, share: bytes) -> bytes:
    """A TLS 1.3 client hello (RFC 8446, 4.1.2) that offers one group and a key share for it."""

    def sized(data: bytes, length_bytes: int = 2) -> bytes:
        return len(data).to_bytes(length_bytes) + data

    def extension(number: int, data: bytes) -> bytes:
        return number.to_bytes(2) + sized(data)

    group_id = group.to_bytes(2)
    extensions = b"".join(
        (
            extension(0, sized(b"\0" + sized(name.encode()))),
            extension(10, sized(group_id)),
            extension(13, sized(bytes.fromhex("040308040401"))),
            extension(43, sized(b"\x03\x04", 1)),
            extension(51, sized(group_id + sized(share))),
        )
    )
    ciphers = sized(bytes.fromhex("130113021303"))
    body = b"\x03\x03" + os.urandom(32) + sized(os.urandom(32), 1) + ciphers + b"\1\0" + sized(extensions)
    return b"\x16\x03\x01" + sized(b"\1" + sized(body, 3))


def ffdhe8192_hello(name: str) -> bytes:
    """A public value of 8192 bits costs its sender nothing: any number will do."""
    return client_hello(name, FFDHE_GROUPS["ffdhe8192"], b"\x7f" + os.urandom(1023))


@contextlib.contextmanager
def hello_flood(proxy: Proxy, name: str) -> Iterator[None]:
    """HELLOS connections that have each sent a hello; ends when the proxy has answered them all."""
    with contextlib.ExitStack() as stack:
        connections = []
        for _ in range(HELLOS):
            connection = stack.enter_context(socket.create_connection(("127.0.0.1", proxy.https_port), timeout=60))
            connection.sendall(ffdhe8192_hello(name))
            connections.append(connection)
        yield
        assert all(connection.recv(1) for connection in connections)


@contextlib.contextmanager
def whole_handshakes(proxy: Proxy, name: str, per_second: float = 60) -> Iterator[None]:
    """Full handshakes at an even pace, none of which resumes a session."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    ends: list[float] = []

    def shake() -> int:
        count = 0
        while not ends:
            with socket.create_connection(("127.0.0.1", proxy.https_port)) as plain:
                context.wrap_socket(plain, server_hostname=name).close()
            count += 1
            time.sleep(1 / per_second)
        return count

    with ThreadPoolExecutor(1) as pool:
        count: Future[int] = pool.submit(shake)
        yield
        ends.append(time.monotonic())
        assert count.result() > 20


def slowdown(proxy: Proxy, flood: Flood) -> float:
    """Return the factor by which a flood slows plain requests, against the time before or after it."""
    before = latency(proxy, 0.5)
    with flood(proxy, "t.com"):
        beside = latency(proxy, 1)
    return beside / max(before, latency(proxy, 0.5))


def latency(proxy: Proxy, seconds: float) -> float:
    """The 90th percentile of plain requests, each on a connection of its own: whichever worker has it."""
    found: list[float] = []
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline or len(found) < 10:
        started = time.monotonic()
        assert proxy.ask().status == 200
        found.append(time.monotonic() - started)
    return statistics.quantiles(found, n=10)[-1]


def serve(proxy: Proxy, target: Target, certificates: MakeCertificate) -> Proxy:
    """t.com with TLS, everything else without."""
    proxy.start()
    proxy.deploy("plain", target)
    deploy_tls(proxy, "secure", target, certificates("t.com"), "t.com")
    return proxy


@only_ours
@pytest.mark.parametrize("flood", [hello_flood, whole_handshakes])
def test_plain_requests_are_served_beside_a_handshake_flood(
    own_proxy: Proxy, t1: Target, certificates: MakeCertificate, flood: Flood
) -> None:
    """Hellos with key shares of 8192 bits, or whole handshakes: others wait no longer than they did before."""
    proxy = serve(own_proxy, t1, certificates)
    assert slowdown(proxy, flood) < MOST_SLOWER
    assert proxy.ask(host="t.com", server_name="t.com").status == 200


@only_ours
def test_the_flood_stops_a_proxy_with_finite_field_groups(
    own_proxy: Proxy, t1: Target, certificates: MakeCertificate
) -> None:
    """The same flood and the same measure, against the library's own choice of groups: it would be seen."""
    own_proxy.plant("nginx.py", """f"        ssl_ecdh_curve {':'.join(_CURVES)};",""")
    assert slowdown(serve(own_proxy, t1, certificates), hello_flood) > MOST_SLOWER


@only_ours
@pytest.mark.parametrize("group", [*FFDHE_GROUPS, "X448", *CURVES])
def test_tls_1_3_agrees_on_curves_alone(proxy: Proxy, t1: Target, certificates: MakeCertificate, group: str) -> None:
    """X25519 and the three curves of NIST; no finite field, whose keys cost the proxy alone."""
    deploy_tls(proxy, "s", t1, certificates("t.com"), "t.com")
    said = s_client(proxy, "t.com", "-tls1_3", "-groups", group)
    assert ("Cipher is TLS_" in said) == (group in CURVES)


@only_ours
@pytest.mark.parametrize("cipher", ["DHE", "kRSA", "aNULL", "PSK", "SRP"])
def test_tls_1_2_agrees_on_curves_alone(proxy: Proxy, t1: Target, certificates: MakeCertificate, cipher: str) -> None:
    """There is no suite with another key exchange."""
    deploy_tls(proxy, "s", t1, certificates("t.com"), "t.com")
    assert "Cipher is (NONE)" in s_client(proxy, "t.com", "-tls1_2", "-cipher", f"{cipher}:@SECLEVEL=0")


@only_ours
def test_no_renegotiation(proxy: Proxy, t1: Target, certificates: MakeCertificate) -> None:
    """A client of TLS 1.2 cannot have handshake after handshake on one connection."""
    deploy_tls(proxy, "s", t1, certificates("t.com"), "t.com")
    said = s_client(proxy, "t.com", "-tls1_2", said="R\n")
    assert "no renegotiation" in said
