"""Basic authentication of a service: who passes, what is remembered, what guessing costs."""

from __future__ import annotations

import base64
import contextlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import bcrypt
import pytest

from tests.conformance.proxy_process import IS_OURS, Proxy
from tests.conformance.raw_http import basic, head
from tests.conformance.scripted_target import Target

pytestmark = pytest.mark.skipif(not IS_OURS, reason="the reference has no protections")

OTHER = "127.0.0.2"
BUFFERS = ("--buffer-requests", "--buffer-responses")

either_way = pytest.mark.parametrize("flags", [(), BUFFERS], ids=["streamed", "buffered"])


@either_way
def test_basic_authentication(proxy: Proxy, t1: Target, users: Path, flags: tuple[str, ...]) -> None:
    """401 with a challenge; the right password passes, and does not reach the target."""
    realm = ("--basic-auth-realm", 'The "Staging"')
    proxy.deploy(f"basic{len(flags)}", t1, "--basic-auth-file", str(users), *realm, *flags)
    for method in ("GET", "POST"):
        refused = proxy.ask(method=method)
        assert refused.status == 401
        assert refused.header("WWW-Authenticate") == 'Basic realm="The \\"Staging\\"", charset="UTF-8"'
    assert "401 — Unauthorized" in refused.body.decode()
    for user, password in (("alice", "wonder"), ("alice", ""), ("nobody", "wonder land"), ("", ""), ("alice", "x:y")):
        assert proxy.ask(headers=basic(user, password), source=OTHER).status == 401
    passed = proxy.ask(headers=basic("alice", "wonder land"))
    assert passed.status == 200
    assert passed.seen_header("Authorization") is None
    with proxy.connect() as connection:
        for _ in range(3):
            assert connection.ask("POST", headers=basic("alice", "wonder land"), body=b"b").status == 200
    assert len(t1.requests) == 4


def test_what_is_no_password(proxy: Proxy, t1: Target, users: Path) -> None:
    """Other schemes, broken encodings, zero bytes and giants are 401 and cost nothing."""
    proxy.deploy("s", t1, "--basic-auth-file", str(users))
    encoded = base64.b64encode(b"alice:wonder land\0").decode()
    for value in ("Bearer abc", "Basic", "Basic !!!", "Basic YWxpY2U=", f"Basic {encoded}", "Basic " + "A" * 5000):
        assert proxy.ask(headers=[("Authorization", value)]).status == 401, value
    assert proxy.ask(headers=basic("bob", "builder")).status == 200
    assert proxy.ask(headers=[("Authorization", basic("bob", "builder")[0][1].replace("Basic", "bAsIc"))]).status == 200


def test_paths_without_password(proxy: Proxy, t1: Target, users: Path) -> None:
    """Exactly these, decoded: neither what lies below nor what looks alike."""
    proxy.deploy("s", t1, "--basic-auth-file", str(users), "--basic-auth-except", "/up,/hook")
    statuses = {
        "/up": 200,
        "/hook?x=1": 200,
        "/%68ook": 200,
        "/hook/": 401,
        "/hook/x": 401,
        "//hook": 401,
        "/Hook": 401,
    }
    for path, status in statuses.items():
        assert proxy.ask(path).status == status, path


def test_paths_without_password_below_a_prefix(proxy: Proxy, t1: Target, users: Path) -> None:
    """They may be written as clients ask for them, or as the app sees them once the prefix is removed."""
    proxy.deploy(
        "s", t1, "--path-prefix", "/api", "--basic-auth-file", str(users), "--basic-auth-except", "/up,/api/hook"
    )
    statuses = {"/api/up": 200, "/api/up?x=1": 200, "/api/hook": 200, "/api": 401, "/api/up/": 401, "/api/hook/up": 401}
    for path, status in statuses.items():
        assert proxy.ask(path).status == status, path


def test_a_changed_password_counts_at_once(proxy: Proxy, t1: Target, users: Path) -> None:
    """Nothing remembered survives the deploy that brings another file."""
    deploy = ("--basic-auth-file", str(users))
    proxy.deploy("s", t1, *deploy)
    assert proxy.ask(headers=basic("bob", "builder")).status == 200
    users.write_text(f"bob:{bcrypt.hashpw(b'other', bcrypt.gensalt(4)).decode()}\n")
    assert proxy.ask(headers=basic("bob", "builder")).status == 200  # read at deploy, like certificates
    proxy.deploy("s", t1, *deploy)
    assert proxy.ask(headers=basic("bob", "builder")).status == 401
    assert proxy.ask(headers=basic("bob", "other")).status == 200


def test_guessing_is_slowed_down(proxy: Proxy, t1: Target, users: Path) -> None:
    """After ten failures in a minute a client gets 429, unless its password is already known to be right."""
    proxy.deploy("guessed", t1, "--basic-auth-file", str(users), "--trusted-proxy", "127.0.0.1")

    def ask(client: str, password: str) -> int:
        return proxy.ask(headers=[*basic("alice", password), ("X-Forwarded-For", client)]).status

    assert ask("192.0.2.1", "wonder land") == 200
    assert [ask("192.0.2.1", f"guess {number}") for number in range(12)] == [401] * 10 + [429] * 2
    assert ask("192.0.2.1", "wonder land") == 200
    assert ask("192.0.2.2", "another guess") == 401


def test_hashing_holds_nobody_up(proxy: Proxy, t1: Target, tmp_path: Path) -> None:
    """While passwords are hashed, which takes a good part of a second, others are served; leavers do no harm."""
    users = tmp_path / "users"
    users.write_text(f"alice:{bcrypt.hashpw(b'right', bcrypt.gensalt(12)).decode()}\n")
    proxy.deploy("s", t1, "--host", "closed.com", "--basic-auth-file", str(users))
    proxy.deploy("open", t1)
    with contextlib.ExitStack() as opened:
        sources = (f"127.0.0.{number}" for number in range(10, 14))
        connections = [opened.enter_context(proxy.connect(source=source)) for source in sources]
        for connection in connections:
            connection.send(head("GET", "/echo", host="closed.com", headers=basic("alice", "wrong")))
        assert min(proxy.ask().seconds for _ in range(20)) < 0.3
        connections[-1].close()
        assert [connection.read().status for connection in connections[:-1]] == [401] * 3
    assert proxy.ask(host="closed.com", headers=basic("alice", "right")).status == 200


def test_a_password_that_comes_many_times_at_once_is_hashed_once(proxy: Proxy, t1: Target, tmp_path: Path) -> None:
    """As a browser sends it with all parts of a page, right after a deploy."""
    users = tmp_path / "users"

    def spent(requests: int) -> int:
        """Processor time of nginx in ticks for so many requests at once, with a hash that is new."""
        users.write_text(f"alice:{bcrypt.hashpw(b'right', bcrypt.gensalt(11)).decode()}\n")
        proxy.deploy("page", t1, "--basic-auth-file", str(users))
        before = proxy.worker_ticks()
        with ThreadPoolExecutor(requests) as pool:
            answers = pool.map(lambda _: proxy.ask(headers=basic("alice", "right")).status, range(requests))
            assert set(answers) == {200}
        return proxy.worker_ticks() - before

    assert spent(12) < 4 * spent(1)


def test_redirects_come_before_the_password(
    proxy: Proxy, t1: Target, users: Path, certificates: Callable[[str], tuple[Path, Path]]
) -> None:
    """Nobody is asked for a password over plain HTTP where the service has TLS."""
    certificate, key = map(str, certificates("a.com"))
    tls = ("--tls", "--tls-certificate-path", certificate, "--tls-private-key-path", key)
    proxy.deploy("s", t1, "--host", "a.com", *tls, "--basic-auth-file", str(users))
    assert proxy.ask(host="a.com").status == 301
    assert proxy.ask(host="a.com", server_name="a.com").status == 401
    assert proxy.ask(host="a.com", server_name="a.com", headers=basic("bob", "builder")).status == 200
