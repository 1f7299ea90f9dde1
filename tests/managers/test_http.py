"""The HTTP of all managers: retries, time limits, proxies, CAs, and errors without values."""

from __future__ import annotations

import contextlib
import resource
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from email.utils import formatdate
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from pykamal.core.errors import KamalError
from pykamal.secrets.adapters.http import Client, Limits, requests_at_a_time, retry_after
from pykamal.secrets.adapters.http_addresses import proxy_for
from pykamal.secrets.adapters.http_tls import ManagerUnreachable
from tests.managers.openbao import OpenBao, free_port
from tests.managers.scripted_http import Answer, ScriptedServer, drip, reply, stay_silent

CANARY = "canary-5e0d"


CLIENTS: list[Client] = []


@pytest.fixture(autouse=True)
def closed_clients() -> Iterator[None]:
    yield
    while CLIENTS:
        CLIENTS.pop().close()


def client(
    address: str,
    pauses: list[float] | None = None,
    *,
    environment: Mapping[str, str] | None = None,
    total: float = 60,
    ca: str | None = None,
    sleep: Callable[[float], None] | None = None,
    server_name: str | None = None,
) -> Client:
    CLIENTS.append(
        Client(
            address,
            manager="Manager",
            environment=environment or {},
            ca=ca,
            ca_variable="VAULT_CACERT",
            server_name=server_name,
            limits=Limits(connect=2, total=total),
            sleep=sleep or ([] if pauses is None else pauses).append,
        )
    )
    return CLIENTS[-1]


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_transient_answers_are_waited_for(status: int) -> None:
    """Without Retry-After the pauses double from 0.2 s, each shortened by up to half at random."""
    pauses: list[float] = []
    with ScriptedServer(reply(status), reply(status), reply(status), reply(200, "ok")) as server:
        answer = client(server.address, pauses).request("GET", "/x")
    assert (answer.status, answer.body) == (200, b"ok")
    assert len(pauses) == 3
    assert all(longest / 2 <= pause <= longest for pause, longest in zip(pauses, (0.2, 0.4, 0.8), strict=True))


def test_a_server_that_says_how_long_is_believed() -> None:
    """Retry-After in seconds is kept, and never shortened."""
    pauses: list[float] = []
    with ScriptedServer(reply(429, "{}", "Retry-After: 3"), reply(200)) as server:
        assert client(server.address, pauses).request("GET", "/x").status == 200
    assert 3 <= pauses[0] <= 3.1


def test_waiting_longer_than_the_limit_is_not_begun() -> None:
    """A Retry-After beyond the time limit ends the request at once with the answer as it is."""
    pauses: list[float] = []
    with ScriptedServer(reply(429, "{}", "Retry-After: 3600"), reply(200)) as server:
        assert client(server.address, pauses).request("GET", "/x").status == 429
    assert pauses == []


def test_attempts_have_an_end() -> None:
    """A server that stays overloaded has its last answer returned after six attempts."""
    with ScriptedServer(reply(503)) as server:
        assert client(server.address).request("GET", "/x").status == 503
        assert len(server.requests) == 6


def test_few_try_again_at_a_time_where_the_rate_is_limited() -> None:
    """Forty requests that were too many at once come again eight at a time, and all of them are answered."""
    sleeping: list[None] = []
    most: list[int] = []

    def sleep(_: float) -> None:
        sleeping.append(None)
        most.append(len(sleeping))
        time.sleep(0.01)
        sleeping.pop()

    with ScriptedServer(*[reply(429)] * 40, reply(200)) as server:
        asked = client(server.address, sleep=sleep)
        with ThreadPoolExecutor(40) as pool:
            answers = list(pool.map(lambda _: asked.request("GET", "/x"), range(40)))
    assert {answer.status for answer in answers} == {200}
    assert 1 < max(most) <= 8


def test_a_limit_without_end_is_found_out_once() -> None:
    """A server that refuses every attempt of one request is not asked as often for each of the others."""
    with ScriptedServer(reply(429)) as server:
        asked = client(server.address)
        with ThreadPoolExecutor(40) as pool:
            answers = list(pool.map(lambda _: asked.request("GET", "/x"), range(40)))
        assert {answer.status for answer in answers} == {429}
        assert len(server.requests) <= 40 + 8 * 5


def test_requests_leave_files_for_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """A manager has a part of the files of a process that may open few, as on macOS."""
    limits = {"files": 1024}
    monkeypatch.setattr("resource.getrlimit", lambda _: (limits["files"], resource.RLIM_INFINITY))
    assert requests_at_a_time() >= 200
    limits["files"] = 256
    assert 1 <= requests_at_a_time() <= 64
    limits["files"] = resource.RLIM_INFINITY
    assert requests_at_a_time() >= 200


def test_dates_of_retry_after() -> None:
    """Both forms of RFC 9110 10.2.3; what is neither counts as absent, and the past is now."""
    now = 1_800_000_000.0
    assert retry_after("7", now) == 7
    assert retry_after(formatdate(now + 5, usegmt=True), now) == 5
    assert retry_after(formatdate(now - 5, usegmt=True), now) == 0
    assert retry_after("soon", now) is None
    assert retry_after(None, now) is None


@pytest.mark.parametrize(
    ("host", "no_proxy", "direct"),
    [
        ("10.1.2.3", "10.0.0.0/8", True),
        ("10.1.2.3", "localhost, 10.1.2.3/32", True),
        ("11.1.2.3", "10.0.0.0/8", False),
        ("10.1.2.3", "10.1.2.3:8200", True),
        ("[fd00::7]", "fd00::/8", True),
        ("[fd00::7]", "[fd00::7]", True),
        ("[fe00::7]", "fd00::/8", False),
        ("10.1.2.3", "10.0.0.0/nothing", False),
    ],
)
def test_networks_without_a_proxy(host: str, no_proxy: str, direct: bool) -> None:
    """Entries of `no_proxy` may be networks of IPv4 and IPv6, and addresses."""
    environment = {"https_proxy": "http://proxy:1", "no_proxy": no_proxy}
    assert (proxy_for(urlsplit(f"https://{host}:8200"), environment) is None) == direct


@pytest.mark.parametrize("address", ["http://vault.internal:8200", "http://10.1.2.3", "http://localhost.evil.example"])
def test_plain_http_leaves_this_machine_only_where_that_is_said(address: str) -> None:
    """Whoever is between would read the token and the secrets; the host has to be named."""
    with pytest.raises(KamalError, match="over plain http") as caught:
        client(address)
    assert "KAMAL_SECRETS_PLAIN_HTTP=" in (caught.value.hint or "")
    client(address, environment={"KAMAL_SECRETS_PLAIN_HTTP": f"other, {urlsplit(address).hostname}"})


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.8.9.1", "[::1]", "vault.localhost"])
def test_plain_http_within_this_machine(host: str) -> None:
    """A server for development, and an agent beside kamal."""
    client(f"http://{host}:8200")


HALF = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{" + CANARY.encode()
HALF_CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\n{" + CANARY.encode()


@pytest.mark.parametrize("lost", [HALF, b"", HALF_CHUNKED])
def test_half_an_answer_is_none(lost: Answer) -> None:
    """A read is repeated, also twice; what does not get better is an error without a word of the answer."""
    with ScriptedServer(lost, lost, reply(200, "whole")) as server:
        assert client(server.address).request("GET", "/x").body == b"whole"
    with ScriptedServer(lost) as server, pytest.raises(ManagerUnreachable) as caught:
        client(server.address).request("GET", "/x")
    assert "it closed the connection" in caught.value.message
    assert CANARY not in f"{caught.value.message} {caught.value.hint} {caught.value.details}"
    assert caught.value.__cause__ is None


def test_what_may_not_be_repeated_is_sent_once() -> None:
    """A login with a credential that is good for one use is not sent again when its answer was lost."""
    with ScriptedServer(b"") as server:
        with pytest.raises(ManagerUnreachable):
            client(server.address).request("POST", "/x", body=b"{}", repeatable=False)
        assert len(server.requests) == 1


@pytest.mark.parametrize("slow", [stay_silent, drip])
def test_no_answer_takes_longer_than_the_limit(slow: Answer) -> None:
    """Neither silence nor a byte now and then keeps a request alive."""
    started = time.monotonic()
    with ScriptedServer(slow) as server, pytest.raises(ManagerUnreachable, match=r"within 0\.5 s|after 0\.5 s"):
        client(server.address, total=0.5).request("GET", "/x")
    assert time.monotonic() - started < 5


def test_nobody_there() -> None:
    """The error names the address and what to look at."""
    port = free_port()
    with pytest.raises(ManagerUnreachable, match=f"at http://127.0.0.1:{port} cannot be asked: Connection refused"):
        client(f"http://127.0.0.1:{port}").request("GET", "/x")


def test_what_does_not_speak_http() -> None:
    """An SSH server at the address is told as such, not shown."""
    with (
        ScriptedServer(b"SSH-2.0-OpenSSH_9.2\r\n") as server,
        pytest.raises(ManagerUnreachable, match="not speak HTTP"),
    ):
        client(server.address).request("GET", "/x")


def test_an_endless_answer_is_refused() -> None:
    """No server can fill the memory."""
    huge = b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * (33 << 20)
    with ScriptedServer(huge) as server, pytest.raises(ManagerUnreachable, match="larger than 32 MiB"):
        client(server.address).request("GET", "/x")


@pytest.mark.parametrize("address", ["", "vault:8200", "ftp://vault", "http://", "http://vault:port"])
def test_addresses_that_are_none(address: str) -> None:
    """They are refused before anything is sent."""
    with pytest.raises(KamalError, match="no http or https URL"):
        client(address)


@pytest.mark.parametrize("address", [f"https://user:{CANARY}@vault:8200", f"https://{CANARY}@vault"])
def test_an_address_with_a_login_is_refused(address: str) -> None:
    """Addresses are shown in errors and audit logs, and no login uses this one: nothing of it is repeated."""
    with pytest.raises(KamalError, match="a user name or a password in it") as caught:
        client(address)
    assert_without_canary(caught.value)


@pytest.mark.parametrize(
    "token", [f"{CANARY}\n", f"{CANARY}\r\nX: y", f"\0{CANARY}", f"{CANARY}\u2019", f"{CANARY}\udcff"]
)
def test_a_credential_that_http_does_not_carry_is_not_repeated(token: str) -> None:
    """The library quotes such a header in its error: the request is refused before it is asked to send it."""
    with (
        ScriptedServer() as server,
        pytest.raises(KamalError, match="does not carry is in the header X-Vault-Token") as caught,
    ):
        client(server.address).request("GET", "/x", headers={"X-Vault-Token": token})
    assert_without_canary(caught.value)
    assert server.requests == []


@pytest.mark.parametrize("character", ["#", "/", "?"])
def test_a_proxy_whose_password_cuts_it_off_is_not_repeated(character: str) -> None:
    """A password that is not percent-encoded is taken for a port by the library, whose error quotes it."""
    for password in (f"{CANARY}{character}x", f"80{character}{CANARY}"):
        with pytest.raises(KamalError, match="is no URL") as caught:
            client("https://vault", environment={"https_proxy": f"http://me:{password}@proxy:3128"})
        assert_without_canary(caught.value)


def assert_without_canary(error: KamalError) -> None:
    """Nothing of a credential is in an error, nor in what led to it."""
    seen: BaseException | None = error
    while seen is not None:
        assert CANARY not in repr((seen, vars(seen)))
        seen = seen.__cause__ or seen.__context__


def test_a_private_ca(openbao_tls: OpenBao) -> None:
    """A certificate of a private CA is refused, unless the CA is named, in the setting or in SSL_CERT_FILE."""
    with pytest.raises(ManagerUnreachable, match="certificate is not trusted") as caught:
        client(openbao_tls.address).request("GET", "/v1/sys/health")
    assert "VAULT_CACERT" in str(caught.value.hint)
    named = client(openbao_tls.address, ca=str(openbao_tls.ca))
    assert named.request("GET", "/v1/sys/health").status == 200
    from_environment = client(openbao_tls.address, environment={"SSL_CERT_FILE": str(openbao_tls.ca)})
    assert from_environment.request("GET", "/v1/sys/health").status == 200


def test_a_folder_of_authorities(openbao_tls: OpenBao, tmp_path: Path) -> None:
    """Every file in it counts, as Vault reads VAULT_CAPATH; a folder without one is told, and trusts nobody."""
    folder = tmp_path / "authorities"
    folder.mkdir()
    with pytest.raises(ManagerUnreachable, match="there is no file in it"):
        client(openbao_tls.address, ca=str(folder)).request("GET", "/v1/sys/health")
    assert openbao_tls.ca is not None
    (folder / "company.crt").write_bytes(openbao_tls.ca.read_bytes())
    assert client(openbao_tls.address, ca=str(folder)).request("GET", "/v1/sys/health").status == 200


def test_a_certificate_with_another_name(openbao_tls: OpenBao) -> None:
    """The server's certificate is not for this address: it has to have the name that is given, and no other."""
    listener = socket.create_server(("127.0.0.2", 0))
    threading.Thread(target=relay, args=(listener, openbao_tls.port), daemon=True).start()
    address = f"https://127.0.0.2:{listener.getsockname()[1]}"
    try:
        for name in (None, "vault.evil.example"):
            with pytest.raises(ManagerUnreachable, match="certificate is not trusted"):
                client(address, ca=str(openbao_tls.ca), server_name=name).request("GET", "/v1/sys/health")
        named = client(address, ca=str(openbao_tls.ca), server_name="localhost")
        assert named.request("GET", "/v1/sys/health").status == 200
    finally:
        listener.close()


def relay(listener: socket.socket, port: int) -> None:
    while True:
        try:
            client_side, _ = listener.accept()
        except OSError:
            return
        threading.Thread(target=converse, args=(client_side, port), daemon=True).start()


def converse(client_side: socket.socket, port: int) -> None:
    with client_side, socket.create_connection(("127.0.0.1", port)) as server_side:
        threading.Thread(target=pump, args=(server_side, client_side), daemon=True).start()
        pump(client_side, server_side)


def test_a_ca_file_that_is_none(tmp_path: Path) -> None:
    """Missing and broken files are told with the variable that names them."""
    (tmp_path / "broken.pem").write_text("nothing")
    for name in ("missing.pem", "broken.pem"):
        with pytest.raises(ManagerUnreachable, match=name) as caught:
            client("https://127.0.0.1:1", ca=str(tmp_path / name)).request("GET", "/")
        assert "VAULT_CACERT" in str(caught.value.hint)


def test_plain_requests_through_a_proxy() -> None:
    """The proxy gets the whole address and its own login, decoded."""
    with ScriptedServer(reply(200, "by proxy")) as proxy:
        environment = {"http_proxy": f"http://me:p%40ss@127.0.0.1:{proxy.port}"}
        environment["KAMAL_SECRETS_PLAIN_HTTP"] = "vault.internal"
        through = client("http://vault.internal:8200", environment=environment)
        assert through.request("GET", "/v1/x").body == b"by proxy"
    lines = proxy.requests[0].split("\r\n")
    assert lines[0] == "GET http://vault.internal:8200/v1/x HTTP/1.1"
    assert "Proxy-Authorization: Basic bWU6cEBzcw==" in lines


def test_tls_goes_through_a_proxy_in_a_tunnel(openbao_tls: OpenBao) -> None:
    """CONNECT, then TLS with the server itself; a proxy that refuses is named."""
    with ScriptedServer(lambda connection: tunnel(connection, openbao_tls.port)) as proxy:
        environment = {"HTTPS_PROXY": proxy.address}
        through = client(openbao_tls.address, environment=environment, ca=str(openbao_tls.ca))
        assert through.request("GET", "/v1/sys/health").status == 200
    assert proxy.requests[0].startswith(f"CONNECT 127.0.0.1:{openbao_tls.port} HTTP/1.")
    with ScriptedServer(reply(407)) as proxy:
        refused = client("https://vault.internal", environment={"https_proxy": proxy.address})
        with pytest.raises(ManagerUnreachable, match=f"through the proxy 127.0.0.1:{proxy.port} .*407"):
            refused.request("GET", "/")


def tunnel(client_side: socket.socket, port: int) -> None:
    with socket.create_connection(("127.0.0.1", port)) as server_side:
        client_side.sendall(b"HTTP/1.1 200 Connected\r\n\r\n")
        threading.Thread(target=pump, args=(server_side, client_side), daemon=True).start()
        pump(client_side, server_side)


def pump(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while part := source.recv(1 << 16):
            sink.sendall(part)


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, None),
        ({"https_proxy": "proxy:3128"}, "http://proxy:3128"),
        ({"HTTPS_PROXY": "http://proxy"}, "http://proxy:8080"),
        ({"ALL_PROXY": "http://proxy:1"}, "http://proxy:1"),
        ({"http_proxy": "http://proxy:1"}, None),
        ({"https_proxy": "http://proxy:1", "no_proxy": "vault.internal"}, None),
        ({"https_proxy": "http://proxy:1", "NO_PROXY": "a, .internal"}, None),
        ({"https_proxy": "http://proxy:1", "NO_PROXY": "*"}, None),
        ({"https_proxy": "http://proxy:1", "NO_PROXY": "10.0.0.0/8"}, "http://proxy:1"),
        ({"https_proxy": "http://proxy:1", "no_proxy": "vault.internal:8200"}, None),
        ({"https_proxy": "http://proxy:1", "no_proxy": "vault.internal:443,ault.internal"}, "http://proxy:1"),
    ],
)
def test_proxies_of_the_environment(environment: dict[str, str], expected: str | None) -> None:
    """As curl reads them: small letters first, `no_proxy` by suffix at a dot and by port."""
    found = proxy_for(urlsplit("https://vault.internal:8200"), environment)
    assert (found.geturl() if found else None) == expected


def test_a_proxy_variable_that_a_request_could_set_is_ignored() -> None:
    """HTTP_PROXY in capitals may come from a request's header (httpoxy)."""
    assert proxy_for(urlsplit("http://vault"), {"HTTP_PROXY": "http://proxy:1"}) is None


def test_a_connection_that_the_server_closed_meanwhile_is_made_anew(openbao: OpenBao) -> None:
    """Connections are kept between requests; one that died while idle costs no failure, not even of a login."""
    kept = client(openbao.address)
    assert kept.request("GET", "/v1/sys/health").status == 200
    for connection in kept._idle:
        connection.sock.shutdown(2)
    assert kept.request("GET", "/v1/sys/health", repeatable=False).status == 200
