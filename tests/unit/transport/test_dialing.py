"""TCP connections to the addresses of a name."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Sequence

import pytest

from pykamal.core.errors import HostUnreachable
from pykamal.events import Bus
from pykamal.transport.dialing import Dialer, label_of

pytestmark = pytest.mark.unit


def dialed(
    monkeypatch: pytest.MonkeyPatch, addresses: Sequence[str], *, listening: str | None, silent: Sequence[str] = ()
) -> str:
    """The address that answered, of a name that has `addresses`, where only `listening` accepts connections."""

    async def body() -> str:
        loop = asyncio.get_running_loop()
        server = await asyncio.start_server(lambda _reader, writer: writer.close(), listening or "127.0.0.9", 0)
        port = server.sockets[0].getsockname()[1]
        look_ups: list[str] = []

        async def look_up(name: str, _port: int, **_: object) -> list[tuple[object, ...]]:
            look_ups.append(name)
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in addresses]

        really_connect = loop.sock_connect

        async def connect(sock: socket.socket, address: tuple[str, int]) -> None:
            if address[0] in silent:
                await asyncio.sleep(60)
            await really_connect(sock, address)

        monkeypatch.setattr(loop, "getaddrinfo", look_up)
        monkeypatch.setattr(loop, "sock_connect", connect)
        try:
            transport, _ = await Dialer("web1", Bus(), dns_retries=0, connect_seconds=1).create_connection(
                asyncio.Protocol, "web1", port
            )
            peer: str = transport.get_extra_info("peername")[0]
            transport.close()
            return peer
        finally:
            assert look_ups == ["web1"], "a name is looked up once"
            server.close()
            await server.wait_closed()

    return asyncio.run(body())


def test_an_address_that_refuses_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """The next address of the name is tried at once."""
    assert dialed(monkeypatch, ["127.0.0.1", "127.0.0.2"], listening="127.0.0.2") == "127.0.0.2"


@pytest.mark.process
def test_an_address_that_does_not_answer_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """The next address is tried beside it after a quarter of a second (RFC 8305 section 5)."""
    silent = ["127.0.0.3"]
    assert dialed(monkeypatch, ["127.0.0.3", "127.0.0.2"], listening="127.0.0.2", silent=silent) == "127.0.0.2"


def test_all_addresses_refuse(monkeypatch: pytest.MonkeyPatch) -> None:
    """Several refusals are a refusal."""
    with pytest.raises(HostUnreachable, match="web1 refuses connections on port") as caught:
        dialed(monkeypatch, ["127.0.0.1", "127.0.0.2"], listening=None)
    assert caught.value.label == "Errno::ECONNREFUSED"


@pytest.mark.process
def test_no_address_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """The time limit is for all addresses together."""
    with pytest.raises(HostUnreachable, match=r"No answer from web1 \(port \d+\) within 1 seconds") as caught:
        dialed(monkeypatch, ["127.0.0.3", "127.0.0.4"], listening=None, silent=["127.0.0.3", "127.0.0.4"])
    assert caught.value.label == "Net::SSH::ConnectionTimeout"


@pytest.mark.parametrize(
    ("error", "label"),
    [
        (OSError(errno.EHOSTUNREACH, "No route to host"), "Errno::EHOSTUNREACH"),
        (ConnectionResetError(errno.ECONNRESET, "reset"), "Errno::ECONNRESET"),
        (EOFError("closed"), "Net::SSH::Disconnect"),
    ],
)
def test_other_failures_are_named_by_their_kind(error: Exception, label: str) -> None:
    """spec/cli.md 4.5: the names that scripts search for."""
    assert label_of(error) == label


@pytest.mark.parametrize(
    ("host", "said"),
    [
        ("web..example.com", "Cannot find the address of web..example.com: it is no name"),
        ("a" * 64, "it is no name, for a part between two dots is empty or too long"),
        ("", "Cannot find the address of a host with an empty name"),
    ],
)
def test_what_is_no_name(host: str, said: str) -> None:
    """A mistyped name is a host without an address, with the place to correct it, and no failure of this program."""
    with pytest.raises(HostUnreachable) as caught:
        asyncio.run(Dialer(host, Bus(), dns_retries=0).create_connection(asyncio.Protocol, host, 22))
    assert said in caught.value.message
    assert (caught.value.label, "deploy.yml" in str(caught.value.hint)) == ("SocketError", True)
