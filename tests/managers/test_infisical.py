"""The adapter `infisical` against a server that the vendor's own client reads the same secrets from."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from pykamal.core.errors import KamalError
from pykamal.secrets.adapters.infisical import Infisical
from pykamal.secrets.adapters.settings import Settings
from tests.managers.fetching import failure_of, fetch_with
from tests.managers.infisical_server import IDENTITY, PROJECT, SLUG, InfisicalServer, refusal
from tests.managers.internet import Internet, Reply, vendors_client

CANARY = "canary-91f4"
ODD = "line\nquote\"' $HOME `x` ü \0 \\"


@pytest.fixture
def server(clouds: Internet, monkeypatch: pytest.MonkeyPatch) -> InfisicalServer:
    """A server of the test's own, and an environment that leads there and has no login."""
    for name in [name for name in os.environ if name.startswith("INFISICAL_") or "proxy" in name.lower()]:
        monkeypatch.delenv(name)
    for name, value in clouds.environment.items():
        monkeypatch.setenv(name, value)
    clouds.asked.clear()
    return InfisicalServer(clouds)


@pytest.fixture
def log_in(server: InfisicalServer, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Set the variables of a login, which are those of Universal Auth without any."""

    def set_variables(**variables: str) -> None:
        universal = {"UNIVERSAL_AUTH_CLIENT_ID": server.client_id, "UNIVERSAL_AUTH_CLIENT_SECRET": server.client_secret}
        for name, value in (variables or universal).items():
            monkeypatch.setenv(f"INFISICAL_{name}", value)

    return set_variables


def fetch(*names: str, source: str | None = None) -> dict[str, str | None]:
    return fetch_with(Infisical(), *names, source=source)


def failure(*names: str, source: str | None = None) -> KamalError:
    return failure_of(Infisical(), *names, canary=CANARY, source=source)


VENDORS_CLIENT = """\
import json, sys
from infisical_sdk import InfisicalSDKClient
from infisical_sdk.infisical_requests import APIError

project, client_id, client_secret, jwt, identity = sys.argv[1:]
client = InfisicalSDKClient(host="https://app.infisical.com", cache_ttl=None)
client.auth.oidc_auth.login(identity_id=identity, jwt=jwt)
client.auth.universal_auth.login(client_id=client_id, client_secret=client_secret)
listed = client.secrets.list_secrets(project_id=project, environment_slug="prod", secret_path="/web")
found = {each.secretKey: [each.secretValue, each.secretValueHidden] for each in listed.secrets}
imports = listed.imports
found["imports"] = [[each.environment, each.secretPath, each.secrets[0]["secretKey"]] for each in imports]
try:
    client.secrets.list_secrets(project_id=project, environment_slug="prod", secret_path="/never")
except APIError as error:
    found["never"] = error.status_code
print(json.dumps(found))
"""


def test_the_vendors_client_reads_the_same(server: InfisicalServer, log_in: Callable[..., None]) -> None:
    """infisicalsdk finds its protocol in the server: both logins, values, hidden ones, imports, a missing folder."""
    log_in()
    server.put("ODD", ODD, folder="/web")
    server.put("HIDDEN", CANARY, folder="/web", hidden=True)
    server.put("SHARED", "s", folder="/shared")
    server.imports["prod", "/web"] = [("prod", "/shared")]
    variables = {name: value for name, value in os.environ.items() if name.startswith(("SSL_", "REQ", "HTTPS"))}
    words = (PROJECT, server.client_id, server.client_secret, server.jwt, IDENTITY)
    assert vendors_client(VENDORS_CLIENT, *words, environment=variables) == {
        "ODD": [ODD, False],
        "HIDDEN": ["<hidden-by-infisical>", True],
        "imports": [["prod", "/shared", "SHARED"]],
        "never": 404,
    }
    assert list(fetch("ODD", "SHARED", source=f"{PROJECT}/prod/web").values()) == [ODD, "s"]


def test_a_folder_is_one_request(server: InfisicalServer, log_in: Callable[..., None], clouds: Internet) -> None:
    """Two hundred secrets of a folder arrive in order, with one login and one request."""
    log_in()
    for number in range(200):
        server.put(f"MANY_{number}", str(number))
    names = [f"MANY_{number}" for number in range(200)]
    assert list(fetch(*names, source=f"{PROJECT}/prod").values()) == [*map(str, range(200))]
    assert [asked.path for asked in clouds.asked] == ["/api/v1/auth/universal-auth/login", "/api/v3/secrets/raw"]


def test_values(server: InfisicalServer, log_in: Callable[..., None]) -> None:
    """Odd, empty and large values arrive as they are, in the order asked for."""
    log_in()
    values = {"ODD": ODD, "EMPTY": "", "LARGE": "x" * 100_000, "JSON": '{"a": 1}'}
    for name, value in values.items():
        server.put(name, value)
    found = fetch(*reversed(values), source=f"{SLUG}/prod")
    assert found == {f"{SLUG}/prod/{name}": values[name] for name in reversed(values)}


def test_names_and_settings(
    server: InfisicalServer, log_in: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name says all by itself, or is in the project, environment and folder of the settings."""
    log_in()
    server.put("A", "prod")
    server.put("A", "dev", environment="dev")
    server.put("A", "deep", folder="/web/jobs")
    assert fetch(f"{SLUG}/dev/A", f"{SLUG}/prod/web/jobs/A") == {
        f"{SLUG}/dev/A": "dev",
        f"{SLUG}/prod/web/jobs/A": "deep",
    }
    for name in ("A", "/web/A", f"{SLUG}/A", f"{SLUG}/prod/"):
        assert "does not say where it is" in failure(name).message
    monkeypatch.setenv("INFISICAL_PROJECT_ID", PROJECT)
    monkeypatch.setenv("INFISICAL_ENVIRONMENT", "prod")
    assert fetch("A", "/web/jobs/A") == {"A": "prod", "/web/jobs/A": "deep"}
    assert fetch("A", source="/web/jobs") == {"/web/jobs/A": "deep"}
    monkeypatch.setenv("INFISICAL_SECRET_PATH", "/web/jobs")
    assert fetch("A", "/A") == {"A": "deep", "/A": "prod"}


def test_settings_of_a_provider(server: InfisicalServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A provider of deploy.yml comes before the variables; a server of one's own has its address there."""
    monkeypatch.setenv("INFISICAL_UNIVERSAL_AUTH_CLIENT_ID", "of somebody else")
    monkeypatch.setenv("OURS", server.client_secret)
    server.put("A", "1")
    said = {
        "address": "https://secrets.example.com/api",
        "project": PROJECT,
        "environment": "prod",
        "auth/universal/client_id": server.client_id,
        "auth/universal/client_secret_from": "OURS",
    }
    settings = Settings(Infisical.settings, provider="infisical", declared=said)
    found = Infisical().configured(settings).fetch(["A"], account=None, source=None)
    assert found["A"] is not None
    assert found["A"].reveal() == "1"


def test_imports(server: InfisicalServer, log_in: Callable[..., None]) -> None:
    """A folder's own secret comes before an imported one, and a later import before an earlier."""
    log_in()
    for name, folder in (("A", "/web"), ("A", "/one"), ("B", "/one"), ("B", "/two")):
        server.put(name, f"{name} of {folder}", folder=folder)
    server.imports["prod", "/web"] = [("prod", "/one"), ("prod", "/two")]
    assert list(fetch("A", "B", source=f"{SLUG}/prod/web").values()) == ["A of /web", "B of /two"]


def test_personal_values_are_not_deployed(server: InfisicalServer, log_in: Callable[..., None]) -> None:
    """A developer's own value of a shared secret stays theirs."""
    log_in()
    server.put("A", "mine", kind="personal")
    server.put("A", "shared")
    assert list(fetch(f"{SLUG}/prod/A").values()) == ["shared"]


# -- ways to log in


def test_logins(
    server: InfisicalServer, log_in: Callable[..., None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The token of CI, the one of Kubernetes, and an access token that is there already."""
    name = f"{SLUG}/prod/A"
    server.put("A", "1")
    log_in(MACHINE_IDENTITY_ID=IDENTITY, JWT=server.jwt)
    assert fetch(name) == {name: "1"}
    (tmp_path / "token").write_text(f"{server.jwt}\n")
    log_in(JWT="", KUBERNETES_SERVICE_ACCOUNT_TOKEN_PATH=str(tmp_path / "token"))
    assert fetch(name) == {name: "1"}
    log_in(MACHINE_IDENTITY_ID="", TOKEN=server.issue())
    assert fetch(name) == {name: "1"}


@pytest.mark.parametrize(
    "variables",
    [
        {"UNIVERSAL_AUTH_CLIENT_ID": "c1", "UNIVERSAL_AUTH_CLIENT_SECRET": CANARY},
        {"MACHINE_IDENTITY_ID": IDENTITY, "JWT": CANARY},
    ],
)
def test_a_login_that_is_refused(
    variables: dict[str, str], server: InfisicalServer, log_in: Callable[..., None]
) -> None:
    """The server here repeats the credentials, and the error does not."""
    log_in(**variables)
    assert "refused the login by" in failure(f"{SLUG}/prod/A").message


def test_nobody_logged_in(server: InfisicalServer, log_in: Callable[..., None]) -> None:
    """The error says how to; half of a login is none."""
    assert "INFISICAL_UNIVERSAL_AUTH_CLIENT_SECRET" in str(failure(f"{SLUG}/prod/A").hint)
    log_in(MACHINE_IDENTITY_ID=IDENTITY, KUBERNETES_SERVICE_ACCOUNT_TOKEN_PATH="/nowhere")
    assert "Not logged in to Infisical" in failure(f"{SLUG}/prod/A").message


# -- what the server refuses


def test_what_is_not_there(server: InfisicalServer, log_in: Callable[..., None]) -> None:
    """A secret, a folder and a project are three errors; a secret's has the names that there are."""
    log_in()
    server.put("A", CANARY)
    error = failure(f"{SLUG}/prod/B")
    assert f"{SLUG}/prod/ in Infisical has no secret B" in error.message
    assert error.hint == "it has A"
    assert "the folder is missing" in str(failure(f"{SLUG}/prod/never/A").hint)
    assert "the project is missing" in str(failure("other/prod/A").hint)


def test_a_value_that_may_not_be_seen(server: InfisicalServer, log_in: Callable[..., None]) -> None:
    """Infisical sends a word in its place, which must never be deployed."""
    log_in()
    server.put("A", CANARY, hidden=True)
    error = failure(f"{SLUG}/prod/A")
    assert "No permission to read the value of A" in error.message
    assert "Read Value" in str(error.hint)
    server.put("B", "<hidden-by-infisical>")
    assert "No permission to read the value of B" in failure(f"{SLUG}/prod/B").message


@pytest.mark.parametrize(
    ("reply", "message"),
    [
        (refusal(401), "does not take the token"),
        (refusal(403), "No permission to read"),
        (refusal(429), "limits the rate of requests"),
        (refusal(500), "answered with HTTP status 500"),
        (Reply(200, b'{"secrets": [{"secretKey": "A", "secretValue": "' + CANARY.encode()), "is not Infisical, or"),
        (Reply(200, b"<html>"), "is not Infisical, or"),
        (Reply(200, {"secrets": 7}), "is not Infisical, or"),
        (Reply(200, {"secrets": [{"secretKey": "A", "secretValue": 7}]}), "is not Infisical, or"),
        (Reply(200, {"secrets": [], "imports": [{"secrets": 7}]}), "is not Infisical, or"),
    ],
)
def test_other_answers(reply: Reply, message: str, server: InfisicalServer, log_in: Callable[..., None]) -> None:
    """Each has an error of its own, without a word of the answer."""
    log_in()
    server.refusal = reply
    assert message in failure(f"{SLUG}/prod/A").message
