"""The adapter `vault` against a real OpenBao."""

from __future__ import annotations

import socket
import threading
import time
from pathlib import Path

import pytest

from pykamal.core.errors import KamalError
from pykamal.secrets.adapters.vault import Vault
from tests.managers.openbao import OpenBao
from tests.managers.scripted_http import ScriptedServer, reply
from tests.managers.vault_fetch import CANARY, At, fetch


def test_both_versions_of_kv(openbao: OpenBao, at: At) -> None:
    """The server says which version a mount is; odd values arrive as they are, in the order asked for."""
    at(openbao.address, openbao.token)
    openbao.call("POST", "sys/mounts/one", {"type": "kv", "options": {"version": "1"}})
    odd = "line\nquote\"' $HOME `x` ü \0"
    openbao.call("POST", "one/shop", {"a": odd, "b": ""})
    openbao.call("POST", "secret/data/shop/web", {"data": {"url": "u", "x/y": "slash", "n": 3}})
    assert fetch("b", "a", source="one/shop") == {"one/shop/b": "", "one/shop/a": odd}
    assert list(fetch("url", "n", source="secret/shop/web").values()) == ["u", "3"]
    assert fetch("secret/shop/web#x/y") == {"secret/shop/web#x/y": "slash"}


def test_a_path_is_read_once(at: At) -> None:
    """Two fields of one path cost one question for the mount and one for the values."""
    mount = reply(200, '{"data":{"path":"kv/","type":"kv","options":{"version":"1"}}}')
    with ScriptedServer(mount, reply(200, '{"data":{"a":"1","b":"2"}}')) as server:
        at(server.address, "token")
        assert list(fetch("a", "b", source="kv/x").values()) == ["1", "2"]
        assert len(server.requests) == 2


def test_a_mount_is_asked_for_once_in_a_run(at: At) -> None:
    """A later fetch of the same engine costs one request for each path."""
    mount = reply(200, '{"data":{"path":"kv/","type":"kv","options":{"version":"1"}}}')
    with ScriptedServer(mount, reply(200, '{"data":{"a":"1"}}')) as server:
        at(server.address, "token")
        run = Vault()
        for path in ("kv/x", "kv/y"):
            assert list(fetch("a", source=path, run=run).values()) == ["1"]
        assert len(server.requests) == 3


def test_two_hundred_paths_wait_together(at: At) -> None:
    """No read waits for another: a server that answers none before it was asked for all is no obstacle."""
    all_asked = threading.Barrier(200)

    def answer(connection: socket.socket) -> None:
        all_asked.wait(60)
        connection.sendall(reply(200, '{"data":{"v":"1"}}'))

    mount = reply(200, '{"data":{"path":"kv/","type":"kv","options":{"version":"1"}}}')
    with ScriptedServer(mount, answer) as server:
        at(server.address, "token")
        assert list(fetch(*(f"kv/{number}/v" for number in range(200))).values()) == ["1"] * 200
        assert len(server.requests) == 201


def test_two_hundred_paths(openbao: OpenBao, at: At) -> None:
    """All of them arrive, in order."""
    at(openbao.address, openbao.token)
    for number in range(200):
        openbao.call("POST", f"secret/data/many/{number}", {"data": {"v": str(number)}})
    names = [f"secret/many/{number}/v" for number in range(200)]
    assert list(fetch(*names).values()) == [str(number) for number in range(200)]


def test_what_is_not_there(openbao: OpenBao, at: At) -> None:
    """A missing path, a deleted version and a missing field are three errors."""
    at(openbao.address, openbao.token)
    openbao.call("POST", "secret/data/gone", {"data": {"a": CANARY}})
    with pytest.raises(KamalError, match="secret/gone in Vault has no field b") as caught:
        fetch("secret/gone/b")
    assert CANARY not in str(caught.value.hint)
    openbao.call("DELETE", "secret/data/gone")
    with pytest.raises(KamalError, match="current version of secret/gone in Vault is deleted"):
        fetch("secret/gone/a")
    with pytest.raises(KamalError, match="nothing at secret/never"):
        fetch("secret/never/a")


def test_a_missing_permission_is_no_unknown_token(openbao: OpenBao, at: At) -> None:
    """The server gives one 403 for both; `lookup-self` tells them apart."""
    openbao.call("POST", "secret/data/private", {"data": {"a": "1"}})
    at(openbao.address, openbao.create_token())
    with pytest.raises(KamalError, match="no permission to read secret/private"):
        fetch("secret/private/a")
    expired, revoked = openbao.create_token(ttl="1s"), openbao.create_token()
    openbao.call("POST", "auth/token/revoke", {"token": revoked})
    time.sleep(1.5)
    for token in (expired, revoked, "s.wrong"):
        at(openbao.address, token)
        with pytest.raises(KamalError, match="expired, was revoked, or is of another server"):
            fetch("secret/private/a")


def test_an_approle(openbao: OpenBao, at: At) -> None:
    """Role id and secret id log in; a wrapped secret id is good once."""
    openbao.enable_approle()
    openbao.call("POST", "secret/data/role", {"data": {"a": "1"}})
    openbao.allow_reading("role", "secret/data/role")
    openbao.call("POST", "auth/approle/role/shop", {"token_policies": "role"})
    role = openbao.call("GET", "auth/approle/role/shop/role-id")["data"]["role_id"]
    secret = openbao.call("POST", "auth/approle/role/shop/secret-id", {})["data"]["secret_id"]
    at(openbao.address, ROLE_ID=role, SECRET_ID=secret)
    assert fetch("secret/role/a") == {"secret/role/a": "1"}
    at(openbao.address, ROLE_ID=role, SECRET_ID=CANARY)
    with pytest.raises(KamalError, match="refused the login") as caught:
        fetch("secret/role/a")
    assert CANARY not in f"{caught.value} {caught.value.hint}"
    wrapped = openbao.call("POST", "auth/approle/role/shop/secret-id", {}, headers={"X-Vault-Wrap-TTL": "60s"})
    at(openbao.address, ROLE_ID=role, SECRET_ID="", WRAPPED_SECRET_ID=wrapped["wrap_info"]["token"])
    assert fetch("secret/role/a") == {"secret/role/a": "1"}
    with pytest.raises(KamalError, match="it was used, or it expired"):
        fetch("secret/role/a")


def test_namespaces(openbao: OpenBao, at: At) -> None:
    """VAULT_NAMESPACE is where the path is looked for."""
    openbao.call("POST", "sys/namespaces/team", {})
    inside = {"X-Vault-Namespace": "team"}
    openbao.call("POST", "sys/mounts/kv", {"type": "kv", "options": {"version": "1"}}, headers=inside)
    openbao.call("POST", "kv/shop", {"a": "team's"}, headers=inside)
    at(openbao.address, openbao.token, NAMESPACE="team")
    assert fetch("kv/shop/a") == {"kv/shop/a": "team's"}
    at(openbao.address, openbao.token, NAMESPACE="nobody")
    with pytest.raises(KamalError, match="no such namespace"):
        fetch("kv/shop/a")


def test_a_sealed_server(own_openbao: OpenBao, at: At) -> None:
    """It is told at once, without attempts that cannot help."""
    own_openbao.call("PUT", "sys/seal")
    at(own_openbao.address, own_openbao.token)
    with pytest.raises(KamalError, match="is sealed"):
        fetch("secret/x/a")


def test_tls_of_a_private_ca(openbao_tls: OpenBao, at: At) -> None:
    """VAULT_CACERT names the authority."""
    openbao_tls.call("POST", "secret/data/x", {"data": {"a": "1"}})
    at(openbao_tls.address, openbao_tls.token, CACERT=str(openbao_tls.ca))
    assert fetch("secret/x/a") == {"secret/x/a": "1"}


def test_the_other_settings_of_tls(openbao_tls: OpenBao, at: At, tmp_path: Path) -> None:
    """VAULT_CAPATH is a folder of authorities, VAULT_TLS_SERVER_NAME the name of the certificate."""
    openbao_tls.call("POST", "secret/data/x", {"data": {"a": "1"}})
    assert openbao_tls.ca is not None
    at(openbao_tls.address, openbao_tls.token, CAPATH=str(openbao_tls.ca.parent), TLS_SERVER_NAME="localhost")
    assert fetch("secret/x/a") == {"secret/x/a": "1"}
    at(openbao_tls.address, openbao_tls.token, CAPATH=str(openbao_tls.ca.parent), TLS_SERVER_NAME="other.example")
    with pytest.raises(KamalError, match="certificate is not trusted"):
        fetch("secret/x/a")
    at(openbao_tls.address, openbao_tls.token, CAPATH=str(tmp_path / "missing"))
    with pytest.raises(KamalError, match="cannot be read") as caught:
        fetch("secret/x/a")
    assert "VAULT_CAPATH" in (caught.value.hint or "")


@pytest.mark.parametrize("answer", [reply(200, '{"data": {"' + CANARY), reply(200, "[]"), reply(200, "<html>")])
def test_half_a_document(answer: bytes, at: At) -> None:
    """Nothing of it is in the error."""
    with ScriptedServer(answer) as server:
        at(server.address, "token")
        with pytest.raises(KamalError, match="is not Vault, or") as caught:
            fetch("kv/x/a")
    assert CANARY not in f"{caught.value} {caught.value.hint}"


def test_nobody_logged_in(at: At) -> None:
    """The error says how to."""
    at("http://127.0.0.1:1")
    with pytest.raises(KamalError, match="Not logged in to Vault") as caught:
        fetch("kv/x/a")
    assert "VAULT_TOKEN" in str(caught.value.hint)
