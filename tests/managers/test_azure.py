"""The adapter `azure` against a server that the vendor's own client reads the same secrets from."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from pykamal.core.errors import KamalError
from pykamal.secrets.adapters.azure import AzureKeyVault
from pykamal.secrets.adapters.settings import Settings
from tests.managers.azure_cloud import (
    CLIENT,
    EXPIRED_SECRET,
    OTHER_TENANT,
    TENANT,
    Azure,
    application_certificate,
    forbidden,
)
from tests.managers.internet import Internet, Reply, vendors_client

CANARY = "canary-6b21"
ODD = "line\nquote\"' $HOME `x` ü \0 \\"

AZ = """\
#!/bin/sh
# A stand-in for the Azure CLI: the one command that azure-identity runs, by its documented output.
[ "$1 $2" = "account get-access-token" ] || exit 2
[ -n "$AZ_TOKEN" ] || { echo "Please run 'az login' to setup account." >&2; exit 1; }
echo "{\\"accessToken\\": \\"$AZ_TOKEN\\", \\"expires_on\\": 4070908800}"
"""


@pytest.fixture
def azure(clouds: Internet, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Azure:
    """A cloud of the test's own, and an environment that leads there and has no login."""
    for name in [
        name for name in os.environ if name.startswith(("AZURE_", "IDENTITY_", "MSI_")) or "proxy" in name.lower()
    ]:
        monkeypatch.delenv(name)
    for name, value in clouds.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AZURE_POD_IDENTITY_AUTHORITY_HOST", "http://127.0.0.1:1")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PATH", "/usr/bin/nothing")
    clouds.asked.clear()
    return Azure(clouds)


@pytest.fixture
def log_in(azure: Azure, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Set the variables of a login, which are a client secret's without any."""

    def set_variables(**variables: str) -> None:
        known = {"TENANT_ID": TENANT, "CLIENT_ID": CLIENT}
        for name, value in {**known, **(variables or {"CLIENT_SECRET": azure.client_secret})}.items():
            monkeypatch.setenv(f"AZURE_{name}", value)

    return set_variables


def fetch(*names: str, source: str | None = None) -> dict[str, str | None]:
    found = AzureKeyVault().fetch(names, account=None, source=source)
    return {name: value.reveal() if value is not None else None for name, value in found.items()}


def failure(*names: str, source: str | None = None) -> KamalError:
    """The error of a fetch, which has nothing of a value or of a login's secret."""
    with pytest.raises(KamalError) as caught:
        fetch(*names, source=source)
    error = caught.value
    told = f"{error.message} {error.hint} {error.details}"
    assert error.hint
    assert CANARY not in told
    assert error.__cause__ is None
    return error


VENDORS_CLIENT = """\
import json, os, sys
from azure.core.exceptions import HttpResponseError
from azure.identity import EnvironmentCredential
from azure.keyvault.secrets import SecretClient

client = SecretClient("https://shop.vault.azure.net", EnvironmentCredential())
found = {}
for name in sys.argv[1:]:
    try:
        found[name] = client.get_secret(*name.split("/")).value
    except HttpResponseError as error:
        found[name] = [error.status_code, error.error.code, error.error.innererror.get("code")]
try:
    found["deleted"] = client.get_deleted_secret("gone").recovery_id
except HttpResponseError as error:
    found["deleted"] = error.status_code
print(json.dumps(found))
"""


def test_the_vendors_client_reads_the_same(azure: Azure, log_in: Callable[..., None], clouds: Internet) -> None:
    """azure-keyvault-secrets finds its protocol in the server: the challenge, the login, values, versions, errors."""
    log_in()
    azure.put("odd", ODD)
    azure.put("old/0123456789abcdef0123456789abcdef", "first")
    azure.put("off", CANARY, enabled=False)
    azure.put("gone", CANARY)
    azure.deleted["shop.vault.azure.net"] = {"gone"}
    azure.refusals["foreign"] = forbidden("ForbiddenByRbac")
    azure.throttled["odd"] = 1
    variables = {
        name: value for name, value in os.environ.items() if name.startswith(("AZURE_", "SSL_", "REQ", "HTTPS"))
    }
    names = ("odd", "old/0123456789abcdef0123456789abcdef", "off", "gone", "foreign", "never")
    assert vendors_client(VENDORS_CLIENT, *names, environment=variables) == {
        "odd": ODD,
        "old/0123456789abcdef0123456789abcdef": "first",
        "off": [403, "Forbidden", "SecretDisabled"],
        "gone": [404, "SecretNotFound", None],
        "foreign": [403, "Forbidden", "ForbiddenByRbac"],
        "never": [404, "SecretNotFound", None],
        "deleted": "https://shop.vault.azure.net/deletedsecrets/gone",
    }
    azure.throttled["odd"] = 1
    assert list(fetch("odd", "old/0123456789abcdef0123456789abcdef", source="shop").values()) == [ODD, "first"]


def test_values(azure: Azure, log_in: Callable[..., None]) -> None:
    """Odd, empty and large values (25 kB is the limit) arrive as they are, in the order asked for."""
    log_in()
    values = {"odd": ODD, "empty": "", "large": "x" * 25_000, "json": '{"a": 1}'}
    for name, value in values.items():
        azure.put(name, value)
    assert fetch(*reversed(values), source="shop") == {f"shop/{name}": values[name] for name in reversed(values)}


def test_two_hundred_secrets(azure: Azure, log_in: Callable[..., None], clouds: Internet) -> None:
    """All of them arrive in order, with one login and one request each."""
    log_in()
    for number in range(200):
        azure.put(f"many-{number}", str(number))
    assert list(fetch(*(f"many-{number}" for number in range(200)), source="shop").values()) == [*map(str, range(200))]
    assert sum(asked.path.startswith("/secrets/") for asked in clouds.asked) == 200
    assert sum(asked.path.endswith("/oauth2/v2.0/token") for asked in clouds.asked) == 1


def test_one_login_for_all_fetches_of_a_run(azure: Azure, log_in: Callable[..., None], clouds: Internet) -> None:
    """The token is kept in memory."""
    log_in()
    azure.put("a", "1")
    adapter = AzureKeyVault()
    for _ in range(2):
        adapter.fetch(["shop/a"], account=None, source=None)
    assert len(azure.tokens) == 1


@pytest.mark.parametrize(
    ("name", "host"),
    [
        ("shop/a", "shop.vault.azure.net"),
        ("Shop/a", "shop.vault.azure.net"),
        ("shop.vault.azure.cn/a", "shop.vault.azure.cn"),
        ("shop.vault.usgovcloudapi.net/a", "shop.vault.usgovcloudapi.net"),
        ("https://shop.vault.azure.net/secrets/a", "shop.vault.azure.net"),
        ("https://shop.vault.azure.net/a", "shop.vault.azure.net"),
    ],
)
def test_clouds_and_spellings(name: str, host: str, azure: Azure, log_in: Callable[..., None]) -> None:
    """A vault is a name or a host; each cloud has its own login and resource."""
    log_in()
    azure.put("a", host, vault=host)
    assert fetch(name) == {name: host}


def test_two_vaults_in_one_fetch(azure: Azure, log_in: Callable[..., None]) -> None:
    """Each name is read from its own vault."""
    log_in()
    azure.put("a", "1")
    azure.put("a", "2", vault="other.vault.azure.net")
    assert fetch("shop/a", "other/a") == {"shop/a": "1", "other/a": "2"}


@pytest.mark.parametrize(
    "name",
    ["a", "shop/", "/a", "shop/a/b/c", "evil.example.com/a", "https://evil.example.com/secrets/a", "x@y/a", "shop/a/?"],
)
def test_names_that_are_none(name: str, azure: Azure, log_in: Callable[..., None], clouds: Internet) -> None:
    """They are refused before anything is asked: a token never goes to a host that is no vault."""
    log_in()
    assert "names no secret of Azure Key Vault" in failure(name).message
    assert clouds.asked == []


def test_a_name_with_an_underscore(azure: Azure, log_in: Callable[..., None]) -> None:
    """Key Vault has no such names: the error proposes one."""
    log_in()
    assert "DATABASE-URL" in str(failure("shop/DATABASE_URL").hint)


def test_settings_of_a_provider(azure: Azure, monkeypatch: pytest.MonkeyPatch) -> None:
    """A provider of deploy.yml comes before the variables; the secret itself is in a variable that it names."""
    monkeypatch.setenv("AZURE_CLIENT_ID", "of somebody else")
    monkeypatch.setenv("OURS", azure.client_secret)
    azure.put("a", "1")
    said = {
        "vault": "shop",
        "auth/tenant_id": TENANT,
        "auth/client_id": CLIENT,
        "auth/client_secret_from": "OURS",
    }
    settings = Settings(AzureKeyVault.settings, provider="vault", declared=said)
    found = AzureKeyVault().configured(settings).fetch(["a"], account=None, source=None)
    assert found["a"] is not None
    assert found["a"].reveal() == "1"


# -- ways to log in


@pytest.mark.parametrize("password", [None, "of the file"])
def test_a_certificate(password: str | None, azure: Azure, log_in: Callable[..., None], tmp_path: Path) -> None:
    """The application signs with its private key, which may be locked with a password."""
    azure.certificate, file = application_certificate(tmp_path, password=password)
    azure.put("a", "1")
    log_in(CLIENT_CERTIFICATE_PATH=str(file), CLIENT_CERTIFICATE_PASSWORD=password or "")
    assert fetch("shop/a") == {"shop/a": "1"}
    azure.certificate, _ = application_certificate(tmp_path / "..")
    assert "does not have the certificate" in failure("shop/a").message


def test_a_certificate_file_that_is_none(azure: Azure, log_in: Callable[..., None], tmp_path: Path) -> None:
    """A missing file and one without a key are errors that name the setting."""
    (tmp_path / "broken.pem").write_text(CANARY)
    for name in ("missing.pem", "broken.pem"):
        log_in(CLIENT_CERTIFICATE_PATH=str(tmp_path / name))
        assert "AZURE_CLIENT_CERTIFICATE_PATH" in str(failure("shop/a").hint)


def test_a_workload_identity(azure: Azure, log_in: Callable[..., None], tmp_path: Path) -> None:
    """The token of Kubernetes or CI is read from its file, and exchanged."""
    azure.put("a", "1")
    file = tmp_path / "token"
    file.write_text(azure.federated_token)
    log_in(FEDERATED_TOKEN_FILE=str(file))
    assert fetch("shop/a") == {"shop/a": "1"}
    file.write_text(CANARY)
    assert "fits the token's subject" in failure("shop/a").message
    file.unlink()
    assert "AZURE_FEDERATED_TOKEN_FILE" in str(failure("shop/a").hint)


def test_a_managed_identity(
    azure: Azure, clouds: Internet, log_in: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A virtual machine asks its metadata service; the client id chooses an identity that a user assigned."""
    azure.put("a", "1")
    monkeypatch.setenv("AZURE_POD_IDENTITY_AUTHORITY_HOST", clouds.address)
    assert fetch("shop/a") == {"shop/a": "1"}
    monkeypatch.setenv("AZURE_CLIENT_ID", azure.managed_identity)
    assert fetch("shop/a") == {"shop/a": "1"}
    monkeypatch.setenv("AZURE_CLIENT_ID", "unknown")
    assert "Not logged in to Azure" in failure("shop/a").message


def test_a_managed_identity_of_app_service(azure: Azure, clouds: Internet, monkeypatch: pytest.MonkeyPatch) -> None:
    """IDENTITY_ENDPOINT and IDENTITY_HEADER come before the metadata service."""
    azure.put("a", "1")
    monkeypatch.setenv("IDENTITY_ENDPOINT", f"{clouds.address}/msi/token")
    monkeypatch.setenv("IDENTITY_HEADER", azure.managed_identity)
    assert fetch("shop/a") == {"shop/a": "1"}


def test_the_login_of_az(azure: Azure, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A stand-in for az: its token is used, and its missing login told."""
    azure.put("a", "1")
    (tmp_path / "az").write_text(AZ)
    (tmp_path / "az").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    monkeypatch.setenv("AZURE_TOKEN_CREDENTIALS", "AzureCliCredential")
    assert failure("shop/a").hint == "run `az login`"
    monkeypatch.setenv("AZ_TOKEN", str(azure.issue(TENANT, "https://vault.azure.net")["access_token"]))
    assert fetch("shop/a") == {"shop/a": "1"}


def test_nobody_logged_in(azure: Azure) -> None:
    """The error says how to, and what was tried; no library writes to standard error."""
    error = failure("shop/a")
    assert error.message == "Not logged in to Azure"
    assert "ManagedIdentityCredential, AzureCliCredential" in error.details[0]


def test_libraries_log_nothing(azure: Azure, capfd: pytest.CaptureFixture[str]) -> None:
    """Their warnings would be shown between the lines of a deploy, with the text of answers."""
    failure("shop/a")
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"CLIENT_SECRET": CANARY}, "the client secret is wrong (AADSTS7000215)"),
        ({"CLIENT_SECRET": EXPIRED_SECRET}, "the client secret expired (AADSTS7000222)"),
        ({"CLIENT_SECRET": "x", "CLIENT_ID": TENANT}, "no such application (AADSTS700016)"),
        ({"CLIENT_SECRET": "x", "TENANT_ID": CLIENT}, "no such tenant"),
        ({"CLIENT_SECRET": "x", "TENANT_ID": ""}, "lacks tenant_id"),
    ],
)
def test_a_login_that_is_refused(
    variables: dict[str, str], message: str, azure: Azure, log_in: Callable[..., None]
) -> None:
    """Each reason of Entra is told in words; the server here repeats the secret, and the error does not."""
    log_in(**variables)
    assert message in failure("shop/a").message


def test_entra_is_out_of_reach(azure: Azure, log_in: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that nobody answers for is told as such, not as a wrong login."""
    log_in()
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    assert "login.microsoftonline.com cannot be asked" in failure("shop/a").message


# -- what a vault refuses


def test_a_token_of_another_tenant(azure: Azure, log_in: Callable[..., None]) -> None:
    """The challenge of the vault names the right one."""
    log_in(TENANT_ID=OTHER_TENANT, CLIENT_SECRET=azure.client_secret)
    azure.put("a", CANARY)
    error = failure("shop/a")
    assert "does not take the token" in error.message
    assert TENANT in str(error.hint)


@pytest.mark.parametrize(
    ("inner", "message", "hint"),
    [
        ("ForbiddenByRbac", "No permission to read a", "Key Vault Secrets User"),
        ("AccessDenied", "no access policy has it", "az keyvault set-policy"),
        ("ForbiddenByFirewall", "does not let this machine in", "network-rule"),
        ("ForbiddenByConnection", "no connections from public networks", "private endpoint"),
        ("SomethingNew", "No permission to read a", "Key Vault Secrets User"),
    ],
)
def test_the_meanings_of_403(inner: str, message: str, hint: str, azure: Azure, log_in: Callable[..., None]) -> None:
    """A role, an access policy, the firewall and the network each have their own remedy."""
    log_in()
    azure.refusals["a"] = forbidden(inner)
    error = failure("shop/a")
    assert message in error.message
    assert hint in str(error.hint)


def test_what_is_not_there(azure: Azure, log_in: Callable[..., None]) -> None:
    """Deleted, disabled, unknown and a version that is none are four errors."""
    log_in()
    azure.put("off", CANARY, enabled=False)
    azure.put("gone", CANARY)
    azure.deleted["shop.vault.azure.net"] = {"gone"}
    assert "az keyvault secret recover" in str(failure("shop/gone").hint)
    assert "off in the Azure Key Vault shop is disabled" in failure("shop/off").message
    assert "has no secret never" in failure("shop/never").message
    assert "has no secret off of version 1" in failure("shop/off/1").message


def test_dates(azure: Azure, log_in: Callable[..., None]) -> None:
    """Key Vault hands out expired secrets: the adapter refuses them, and those whose time has not come."""
    log_in()
    now = int(time.time())
    azure.put("old", CANARY, exp=now - 10)
    azure.put("new", CANARY, nbf=now + 1000)
    azure.put("good", "1", nbf=now - 10, exp=now + 1000)
    assert fetch("shop/good") == {"shop/good": "1"}
    assert "The secret old in the Azure Key Vault shop expired on 20" in failure("shop/old").message
    assert "is not valid before 20" in failure("shop/new").message


def test_a_vault_that_throttles(azure: Azure, log_in: Callable[..., None]) -> None:
    """It is asked again after the time that it names; not for ever."""
    log_in()
    azure.put("a", "1")
    azure.throttled["a"] = 2
    assert fetch("shop/a") == {"shop/a": "1"}
    azure.throttled["a"] = 99
    assert "limits the rate of requests" in failure("shop/a").message


def test_a_vault_that_is_broken(azure: Azure, log_in: Callable[..., None]) -> None:
    """Its status is told when no attempt gets another one."""
    log_in()
    azure.refusals["a"] = Reply(502, b"", {"Retry-After": "0"})
    assert "answered with HTTP status 502" in failure("shop/a").message


@pytest.mark.parametrize("body", [b"", b"[]", b"<html>", b'{"value": "' + CANARY.encode(), b'{"value": 7}'])
def test_half_a_document(body: bytes, azure: Azure, log_in: Callable[..., None]) -> None:
    """Nothing of it is in the error."""
    log_in()
    azure.refusals["a"] = Reply(200, body)
    assert "is not Azure Key Vault, or" in failure("shop/a").message
