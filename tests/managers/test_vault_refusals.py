"""Refusals of a real OpenBao, and its states: each has an error of its own."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pykamal.core.errors import KamalError
from pykamal.secrets.adapters.vault.engines import find_mounts
from tests.managers.certificates import Authority
from tests.managers.openbao import OpenBao, free_port
from tests.managers.openbao_pair import OpenBaoPair
from tests.managers.scripted_http import ScriptedServer, reply
from tests.managers.vault_fetch import CANARY, At, fetch

NAME = "secret/refused/a"
OTHER = "secret/refused-too/a"


@pytest.fixture(scope="module")
def readable(openbao: OpenBao) -> OpenBao:
    store(openbao)
    return openbao


def store(server: OpenBao) -> None:
    """Store two secrets, and a policy that lets read them."""
    for path in ("refused", "refused-too"):
        server.call("POST", f"secret/data/{path}", {"data": {"a": "1"}})
    server.allow_reading("refused", "secret/data/refused", "secret/data/refused-too")


def test_a_token_that_may_not_even_look_itself_up(readable: OpenBao, at: At) -> None:
    """A missing permission is told by the words of the refusal, where `lookup-self` is forbidden too."""
    readable.call("PUT", "sys/policies/acl/nothing", {"policy": 'path "x" { capabilities = ["deny"] }'})
    token = readable.call("POST", "auth/token/create", {"policies": ["nothing"], "no_default_policy": True})
    at(readable.address, token["auth"]["client_token"])
    with pytest.raises(KamalError, match=r"no permission to read secret/refused \(policies: unknown\)"):
        fetch(NAME)


@pytest.mark.parametrize(
    ("words", "meaning"),
    [
        ("1 error occurred:\\n\\t* permission denied\\n\\n", "no permission"),
        ("2 errors occurred:\\n\\t* permission denied\\n\\t* invalid token\\n\\n", "does not know the token"),
    ],
)
def test_the_words_of_hashicorp_vault(at: At, words: str, meaning: str) -> None:
    """HashiCorp Vault adds `invalid token` to the words for a missing permission."""
    with ScriptedServer(reply(403, f'{{"errors":["{words}"]}}')) as server:
        at(server.address, "token")
        with pytest.raises(KamalError, match=meaning):
            fetch(NAME)


def test_a_token_that_is_used_up_in_the_middle(readable: OpenBao, at: At) -> None:
    """It was valid for the first request, so it is of this server and namespace: the error leaves these out."""
    at(readable.address, readable.create_token("refused", num_uses=1))
    assert fetch(NAME) == {NAME: "1"}
    at(readable.address, readable.create_token("refused", num_uses=1))
    with pytest.raises(KamalError, match="token of VAULT_TOKEN ended while secrets were read from Vault") as caught:
        fetch(NAME, OTHER)
    assert "expired, was revoked or had no uses left" in caught.value.message


@pytest.mark.parametrize(
    ("role", "reason"),
    [
        ({"token_num_uses": 1}, "it was revoked, or its 1 uses are used up"),
        ({"token_ttl": "60s"}, "it was revoked"),
        ({"token_ttl": "1s"}, "it expired, for it lived 1 seconds"),
    ],
)
def test_a_login_that_ends_in_the_middle(
    own_openbao: OpenBao, at: At, monkeypatch: pytest.MonkeyPatch, role: dict[str, object], reason: str
) -> None:
    """A login tells how long its token lives and how often it can be used, so the error can say which it was."""
    server = own_openbao
    store(server)
    server.enable_approle()
    server.call("POST", "auth/approle/role/shop", {"token_policies": "refused", **role})
    identifier = server.call("GET", "auth/approle/role/shop/role-id")["data"]["role_id"]
    secret = server.call("POST", "auth/approle/role/shop/secret-id", {})["data"]["secret_id"]
    at(server.address, ROLE_ID=identifier, SECRET_ID=secret)

    def end_meanwhile(*arguments: object, known: object = ()) -> object:
        found = find_mounts(*arguments, known=known)  # type: ignore[arg-type]
        if role.get("token_ttl") == "60s":
            for accessor in server.call("LIST", "auth/token/accessors")["data"]["keys"]:
                looked_up = server.call("POST", "auth/token/lookup-accessor", {"accessor": accessor})["data"]
                if "refused" in looked_up["policies"]:
                    server.call("POST", "auth/token/revoke-accessor", {"accessor": accessor})
        elif role.get("token_ttl") == "1s":
            time.sleep(1.3)
        return found

    monkeypatch.setattr("pykamal.secrets.adapters.vault.find_mounts", end_meanwhile)
    with pytest.raises(KamalError, match=f"token of the login with AppRole ended .*: {reason}"):
        fetch(NAME, OTHER)


def test_a_quota(own_openbao: OpenBao, at: At) -> None:
    """A server that refuses for a while (429, without Retry-After) is asked again; all values arrive."""
    for number in range(60):
        own_openbao.call("POST", f"secret/data/quota/{number}", {"data": {"v": str(number)}})
    own_openbao.call("POST", "sys/quotas/rate-limit/slow", {"rate": 30, "interval": "1s"})
    at(own_openbao.address, own_openbao.token)
    assert list(fetch(*(f"secret/quota/{n}/v" for n in range(60))).values()) == [str(n) for n in range(60)]


def test_a_quota_without_end(own_openbao: OpenBao, at: At, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that refuses every time is told as that."""
    monkeypatch.setattr("pykamal.secrets.adapters.http.time.sleep", lambda _: None)
    own_openbao.call("POST", "sys/quotas/rate-limit/none", {"rate": 1, "interval": "1h"})
    at(own_openbao.address, own_openbao.token)
    with pytest.raises(KamalError, match="limits the rate of requests"):
        fetch("secret/x/a")


def test_versions_that_are_gone(readable: OpenBao, at: At) -> None:
    """A deleted version can be brought back, with its number; a destroyed one cannot."""
    readable.call("POST", "secret/data/gone-again", {"data": {"a": CANARY}})
    readable.call("POST", "secret/data/gone-again", {"data": {"a": CANARY}})
    readable.call("DELETE", "secret/data/gone-again")
    at(readable.address, readable.token)
    with pytest.raises(KamalError, match="is deleted") as caught:
        fetch("secret/gone-again/a")
    assert "-versions=2 secret/gone-again" in str(caught.value.hint)
    readable.call("PUT", "secret/destroy/gone-again", {"versions": [2]})
    with pytest.raises(KamalError, match="is destroyed") as caught:
        fetch("secret/gone-again/a")
    assert "undelete" not in str(caught.value.hint)


def test_values_that_are_no_texts(readable: OpenBao, at: At) -> None:
    """Numbers, lists and objects arrive as JSON without spaces; null is no value."""
    data = {"port": 5432, "big": 9007199254740991, "on": True, "list": [1, "a"], "object": {"k": "ü"}, "none": None}
    readable.call("POST", "secret/data/kinds", {"data": data})
    at(readable.address, readable.token)
    expected = ["5432", "9007199254740991", "true", '[1,"a"]', '{"k":"ü"}', None]
    assert list(fetch(*data, source="secret/kinds").values()) == expected


def test_mounts_with_common_beginnings(readable: OpenBao, at: At) -> None:
    """Engines at `teams/a` and `teams/b` and one with `teams` in its name are told apart."""
    for mount in ("teams/a", "teams/b", "teams-old"):
        readable.call("POST", f"sys/mounts/{mount}", {"type": "kv", "options": {"version": "1"}})
        readable.call("POST", f"{mount}/shop", {"k": mount})
    at(readable.address, readable.token)
    names = [f"{mount}/shop/k" for mount in ("teams/a", "teams-old", "teams/b")]
    assert list(fetch(*names, NAME).values()) == ["teams/a", "teams-old", "teams/b", "1"]


def test_one_question_for_each_engine(at: At) -> None:
    """The engine of a mount is asked for once, for any number of paths."""
    mount = reply(200, '{"data":{"path":"kv/","type":"kv","options":{"version":"1"}}}')
    with ScriptedServer(mount, reply(200, '{"data":{"a":"1"}}')) as server:
        at(server.address, "token")
        fetch(*(f"kv/{n}/a" for n in range(30)))
        assert len(server.requests) == 31


def test_a_server_that_was_never_initialised(tmp_path: Path, at: At) -> None:
    """It answers as if it were sealed, but unsealing would not help."""
    server = OpenBao(tmp_path / "new")
    server.configure(
        f'storage "inmem" {{}}\nlistener "tcp" {{ address = "127.0.0.1:{server.port}" tls_disable = true }}\n'
    ).start()
    try:
        at(server.address, "token", NAMESPACE="team")
        with pytest.raises(KamalError, match="was never initialised"):
            fetch(NAME)
    finally:
        server.stop()


def test_a_standby(tmp_path: Path, at: At) -> None:
    """A standby hands requests on. One that may not, redirects: the active server is asked from then on."""
    with OpenBaoPair(tmp_path) as pair:
        pair.active.call("POST", "sys/mounts/secret", {"type": "kv", "options": {"version": "1"}})
        pair.active.call("POST", "secret/refused", {"a": "1"})
        pair.wait(lambda: bool(pair.standby.call("GET", "sys/internal/ui/mounts/secret/refused")))
        at(pair.standby.address, pair.standby.token)
        assert fetch(NAME) == {NAME: "1"}
        location = f"{pair.active.address}/v1/whatever"
        with ScriptedServer(reply(307, "", f"Location: {location}")) as server:
            at(server.address, pair.active.token)
            assert fetch(NAME) == {NAME: "1"}
            assert len(server.requests) == 1


@pytest.mark.parametrize("location", ["", "nonsense", "ftp://"])
def test_a_redirect_to_nowhere(at: At, location: str) -> None:
    """A redirect that cannot be followed is an error."""
    with ScriptedServer(reply(307, "", f"Location: {location}")) as server:
        at(server.address, "token")
        with pytest.raises(KamalError, match="cannot be followed"):
            fetch(NAME)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def with_certificates(tmp_path_factory: pytest.TempPathFactory, authority: Authority) -> Iterator[tuple[OpenBao, str]]:
    """A server, and the address at which it wants a certificate of the client."""
    pair, port = authority.issue("server"), free_port()
    listener = {
        "address": f"127.0.0.1:{port}",
        "tls_cert_file": pair.certificate,
        "tls_key_file": pair.key,
        "tls_client_ca_file": authority.file,
        "tls_require_and_verify_client_cert": "true",
    }
    lines = "\n".join(f'{key} = "{value}"' for key, value in listener.items())
    server = OpenBao(tmp_path_factory.mktemp("openbao-mtls")).configure(f'listener "tcp" {{\n{lines}\n}}\n').start()
    server.call("POST", "secret/data/refused", {"data": {"a": "1"}})
    yield server, f"https://127.0.0.1:{port}"
    server.stop()


def test_a_certificate_of_the_client(
    with_certificates: tuple[OpenBao, str], authority: Authority, at: At, tmp_path: Path
) -> None:
    """VAULT_CLIENT_CERT and VAULT_CLIENT_KEY name it; without one, and with one of a stranger, the error says so."""
    server, address = with_certificates
    client, stranger = authority.issue("client"), Authority(tmp_path / "stranger").issue("client")
    trusted = {"CACERT": str(authority.file)}
    at(address, server.token, **trusted, CLIENT_CERT=str(client.certificate), CLIENT_KEY=str(client.key))
    assert fetch(NAME) == {NAME: "1"}
    for settings in ({}, {"CLIENT_CERT": str(stranger.certificate), "CLIENT_KEY": str(stranger.key)}):
        at(address, server.token, **trusted, **settings)
        with pytest.raises(KamalError, match="accepts no client without a certificate that it trusts") as caught:
            fetch(NAME)
        assert "VAULT_CLIENT_CERT" in str(caught.value.hint)
    at(address, server.token, **trusted, CLIENT_CERT=str(client.certificate), CLIENT_KEY=str(stranger.key))
    with pytest.raises(KamalError, match="cannot be used with its key") as caught:
        fetch(NAME)
    assert "VAULT_CLIENT_CERT" in str(caught.value.hint)


@pytest.mark.parametrize("name", ["VAULT_SKIP_VERIFY", "BAO_SKIP_VERIFY"])
def test_the_certificate_is_always_checked(at: At, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """A request not to check it is refused, and does not silently count for nothing."""
    at("https://127.0.0.1:1", "token")
    monkeypatch.setenv(name, "true")
    with pytest.raises(KamalError, match=f"{name} is set, but") as caught:
        fetch(NAME)
    assert "VAULT_CACERT" in str(caught.value.hint)
    monkeypatch.setenv(name, "false")
    with pytest.raises(KamalError, match="cannot be asked"):
        fetch(NAME)
