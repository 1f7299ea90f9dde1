"""Logins of the adapter `vault`: real auth methods of OpenBao, signed tokens, stand-ins for GitHub and Kubernetes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pykamal.core.errors import KamalError
from pykamal.secrets.adapters.settings import Settings
from pykamal.secrets.adapters.vault import Vault
from pykamal.secrets.adapters.vault.settings import SETTINGS
from tests.managers.certificates import Authority
from tests.managers.id_tokens import GitHub, Issuer, Kubernetes, service_account
from tests.managers.openbao import OpenBao
from tests.managers.scripted_http import ScriptedServer, reply
from tests.managers.vault_fetch import CANARY, At, fetch

SECRET = {"secret/login/a": "1"}
NAME = "secret/login/a"


@pytest.fixture(scope="module")
def readable(openbao: OpenBao) -> OpenBao:
    """A server with a secret, and a policy that lets read it."""
    openbao.call("POST", "secret/data/login", {"data": {"a": "1"}})
    openbao.allow_reading("login", "secret/data/login")
    return openbao


@pytest.fixture(scope="module")
def issuer(readable: OpenBao) -> Issuer:
    """An issuer whose tokens `auth/ci` takes, for the role `shop` of one repository."""
    issuer = Issuer("https://ci.example.com")
    readable.call("POST", "sys/auth/ci", {"type": "jwt"})
    readable.call(
        "POST", "auth/ci/config", {"jwt_validation_pubkeys": [issuer.public_key], "bound_issuer": issuer.address}
    )
    role = {
        "role_type": "jwt",
        "user_claim": "sub",
        "bound_audiences": ["https://vault.example.com", readable.address],
        "bound_claims": {"repository": "acme/shop"},
        "token_policies": ["login"],
    }
    readable.call("POST", "auth/ci/role/shop", role)
    return issuer


@pytest.fixture
def github(issuer: Issuer) -> Iterator[GitHub]:
    with GitHub(issuer, "bearer-of-the-job", repository="acme/shop") as service:
        yield service


def in_job(monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)


def test_github_actions(readable: OpenBao, github: GitHub, at: At, monkeypatch: pytest.MonkeyPatch) -> None:
    """A job asks GitHub for a token made for the address of Vault, or for the audience that is set. Once for a run."""
    at(readable.address, JWT_ROLE="shop", JWT_MOUNT="ci")
    in_job(monkeypatch, github.variables)
    run = Vault()
    assert fetch(NAME, run=run) == fetch(NAME, run=run) == SECRET
    assert github.asked == 1
    at(readable.address, JWT_ROLE="shop", JWT_MOUNT="ci", JWT_AUDIENCE="https://vault.example.com")
    in_job(monkeypatch, github.variables)
    assert fetch(NAME) == SECRET


def test_a_job_without_the_permission(readable: OpenBao, at: At, monkeypatch: pytest.MonkeyPatch) -> None:
    """The hint names the permission that the workflow lacks."""
    at(readable.address, JWT_ROLE="shop")
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    with pytest.raises(KamalError, match="Not logged in") as caught:
        fetch(NAME)
    assert "id-token: write" in str(caught.value.hint)


def test_github_refuses(readable: OpenBao, github: GitHub, at: At, monkeypatch: pytest.MonkeyPatch) -> None:
    """An outdated bearer token is told as GitHub's refusal, and shown nowhere."""
    at(readable.address, JWT_ROLE="shop", JWT_MOUNT="ci")
    in_job(monkeypatch, {**github.variables, "ACTIONS_ID_TOKEN_REQUEST_TOKEN": CANARY})
    with pytest.raises(KamalError, match="GitHub gave no ID token for this job: HTTP status 401") as caught:
        fetch(NAME)
    assert CANARY not in f"{caught.value} {caught.value.hint} {caught.value.details}"


def test_gitlab(readable: OpenBao, issuer: Issuer, at: At) -> None:
    """The ID token comes in VAULT_ID_TOKEN, or in the variable that a provider of deploy.yml names."""
    token = issuer.token(aud="https://vault.example.com", repository="acme/shop")
    at(readable.address, JWT_ROLE="shop", JWT_MOUNT="ci", ID_TOKEN=token)
    assert fetch(NAME) == SECRET
    declared = {"address": readable.address, "auth/jwt/role": "shop", "auth/jwt/mount": "ci"}
    settings = Settings(
        SETTINGS,
        environment={"SHOP_TOKEN": token},
        provider="vault",
        declared={**declared, "auth/jwt/token_from": "SHOP_TOKEN"},
    )
    assert fetch(NAME, run=Vault(settings)) == SECRET


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        ({"repository": "evil/shop"}, "has another claim `repository` than the role wants"),
        ({}, "has another claim `repository` than the role wants"),
        ({"repository": "acme/shop", "aud": CANARY}, "for another audience than the role wants"),
        ({"repository": "acme/shop", "iss": CANARY}, "has another issuer"),
        ({"repository": "acme/shop", "exp": 1_700_000_000}, "has expired"),
        ({"repository": "acme/shop", "nbf": 4_000_000_000}, "is not valid yet"),
    ],
)
def test_an_id_token_that_does_not_fit(
    readable: OpenBao, issuer: Issuer, at: At, claims: dict[str, object], reason: str
) -> None:
    """The error names what does not fit, and nothing that was sent."""
    token = issuer.token(**{"aud": "https://vault.example.com", **claims})
    at(readable.address, JWT_ROLE="shop", JWT_MOUNT="ci", ID_TOKEN=token)
    with pytest.raises(KamalError, match=reason) as caught:
        fetch(NAME)
    told = f"{caught.value} {caught.value.hint}"
    assert CANARY not in told
    assert token.rpartition(".")[2] not in told


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"JWT_ROLE": "nobody", "JWT_MOUNT": "ci"}, "there is no such role"),
        ({"JWT_ROLE": "shop", "JWT_MOUNT": "nowhere"}, "or the method is not mounted there"),
    ],
)
def test_a_wrong_role_and_a_wrong_mount(
    readable: OpenBao, issuer: Issuer, at: At, settings: dict[str, str], reason: str
) -> None:
    """Each has its reason, and the settings to look at."""
    at(readable.address, ID_TOKEN=issuer.token(aud="https://vault.example.com", repository="acme/shop"), **settings)
    with pytest.raises(KamalError, match=reason) as caught:
        fetch(NAME)
    assert "VAULT_JWT_ROLE, VAULT_JWT_MOUNT" in str(caught.value.hint)


def test_an_id_token_of_another_key(readable: OpenBao, issuer: Issuer, at: At) -> None:
    """A signature of somebody else is told as such."""
    stranger = Issuer(issuer.address).token(aud="https://vault.example.com", repository="acme/shop")
    at(readable.address, JWT_ROLE="shop", JWT_MOUNT="ci", ID_TOKEN=stranger)
    with pytest.raises(KamalError, match="not signed with a key that the method knows"):
        fetch(NAME)


def test_a_server_that_echoes_the_id_token(issuer: Issuer, at: At) -> None:
    """The words of a lying server are not shown."""
    token = issuer.token(aud="x")
    with ScriptedServer(reply(400, f'{{"errors": ["claim \\"{token[:50]}\\" is wrong: {token}"]}}')) as server:
        at(server.address, JWT_ROLE="shop", ID_TOKEN=token)
        with pytest.raises(KamalError, match="refused the login with JWT") as caught:
            fetch(NAME)
    assert token[:20] not in f"{caught.value} {caught.value.hint}"


@pytest.fixture
def cluster(readable: OpenBao, tmp_path: Path) -> Iterator[Issuer]:
    """The issuer of a cluster whose TokenReview `auth/kubernetes` asks, with a role for one service account."""
    issuer = Issuer("https://kubernetes.default.svc")
    authority = Authority(tmp_path / "cluster")
    reviewer = service_account(issuer, "vault", "reviewer")
    with Kubernetes(issuer, reviewer, authority.issue("kubernetes")) as service:
        readable.call("POST", "sys/auth/kubernetes", {"type": "kubernetes"})
        configuration = {
            "kubernetes_host": service.address,
            "kubernetes_ca_cert": authority.file.read_text(),
            "token_reviewer_jwt": reviewer,
            "disable_local_ca_jwt": True,
        }
        readable.call("POST", "auth/kubernetes/config", configuration)
        role = {
            "bound_service_account_names": ["kamal"],
            "bound_service_account_namespaces": ["deploys"],
            "token_policies": ["login"],
        }
        readable.call("POST", "auth/kubernetes/role/shop", role)
        yield issuer
        readable.call("DELETE", "sys/auth/kubernetes")


def test_kubernetes(readable: OpenBao, cluster: Issuer, at: At, tmp_path: Path) -> None:
    """The token of the pod's service account logs in, after OpenBao had the cluster review it."""
    file = tmp_path / "token"
    at(readable.address, KUBERNETES_ROLE="shop", KUBERNETES_TOKEN_FILE=str(file))
    file.write_text(service_account(cluster, "deploys", "kamal") + "\n")
    assert fetch(NAME) == SECRET
    for token, reason in (
        (service_account(cluster, "deploys", "stranger"), "the role is not for this service account"),
        (service_account(cluster, "elsewhere", "kamal"), "the role is not for the service account's namespace"),
        (service_account(cluster, "deploys", "kamal", exp=int(time.time()) - 600), "the token has expired"),
        (service_account(Issuer(cluster.address), "deploys", "kamal"), "does not accept"),
    ):
        file.write_text(token)
        with pytest.raises(KamalError, match=reason):
            fetch(NAME)
    file.unlink()
    with pytest.raises(KamalError, match=r"token cannot be read from .*: No such file") as caught:
        fetch(NAME)
    assert "VAULT_KUBERNETES_TOKEN_FILE" in str(caught.value.hint)


def test_a_pod_with_another_mount(readable: OpenBao, at: At, tmp_path: Path) -> None:
    """The mount is a setting; a method that is not there is told by its path."""
    (tmp_path / "token").write_text("a.b.c")
    at(
        readable.address,
        KUBERNETES_ROLE="shop",
        KUBERNETES_TOKEN_FILE=str(tmp_path / "token"),
        KUBERNETES_MOUNT="clusters/one",
    )
    with pytest.raises(KamalError, match="login with Kubernetes at auth/clusters/one"):
        fetch(NAME)


def test_a_wrapped_secret_id_is_used_once_for_a_run(readable: OpenBao, at: At) -> None:
    """Two fetches of one run log in once, so that a secret id good for one use is enough."""
    readable.call("POST", "sys/auth/deploys", {"type": "approle"})
    readable.call("POST", "auth/deploys/role/shop", {"token_policies": "login", "secret_id_num_uses": 1})
    role = readable.call("GET", "auth/deploys/role/shop/role-id")["data"]["role_id"]
    wrapped = readable.call("POST", "auth/deploys/role/shop/secret-id", {}, headers={"X-Vault-Wrap-TTL": "60s"})
    settings = {"ROLE_ID": role, "WRAPPED_SECRET_ID": wrapped["wrap_info"]["token"], "APPROLE_MOUNT": "deploys"}
    at(readable.address, **settings)
    run = Vault()
    assert fetch(NAME, run=run) == fetch(NAME, run=run) == SECRET
    with pytest.raises(KamalError, match="it was used, or it expired"):
        fetch(NAME)


def test_a_token_that_ended_between_two_fetches(readable: OpenBao, at: At) -> None:
    """A run whose login has expired logs in again."""
    readable.call("POST", "sys/auth/short", {"type": "approle"})
    role = {"token_policies": "login", "token_ttl": "1s", "bind_secret_id": False, "token_bound_cidrs": "127.0.0.1/32"}
    readable.call("POST", "auth/short/role/shop", {**role, "secret_id_bound_cidrs": "127.0.0.1/32"})
    identifier = readable.call("GET", "auth/short/role/shop/role-id")["data"]["role_id"]
    at(readable.address, ROLE_ID=identifier, APPROLE_MOUNT="short")
    run = Vault()
    assert fetch(NAME, run=run) == SECRET
    time.sleep(1.2)
    assert fetch(NAME, run=run) == SECRET


def test_the_login_by_hand(readable: OpenBao, at: At, tmp_path: Path) -> None:
    """Without a credential in the environment, the token that `vault login` kept counts, although a role is set."""
    for settings in ({}, {"JWT_ROLE": "shop"}, {"KUBERNETES_ROLE": "shop"}, {"ROLE_ID": "shop"}):
        at(readable.address, **settings)
        (tmp_path / ".vault-token").write_text(readable.token + "\n")
        assert fetch(NAME) == SECRET


def test_a_token_helper(readable: OpenBao, at: At, tmp_path: Path) -> None:
    """The helper that `~/.vault` names is asked with `get`, and gets the address; it takes the place of the file."""
    at(readable.address)
    (tmp_path / ".vault-token").write_text("not this one")
    helper = tmp_path / "helper"
    helper.write_text(f'#!/bin/sh\n[ "$1 $VAULT_ADDR" = "get {readable.address}" ] && echo {readable.token}\n')
    helper.chmod(0o755)
    (tmp_path / ".vault").write_text(f'token_helper = "{helper}"\n')
    assert fetch(NAME) == SECRET
    helper.write_text("#!/bin/sh\necho the keyring is locked >&2; exit 3\n")
    with pytest.raises(KamalError, match=r"token helper .* failed") as caught:
        fetch(NAME)
    assert "the keyring is locked" in caught.value.details
    (tmp_path / ".vault").write_text('token_helper = "/nowhere/helper"\n')
    with pytest.raises(KamalError, match="token helper /nowhere/helper of Vault is not installed"):
        fetch(NAME)
