"""The adapter `gcp_api` against a server that the vendor's own client reads the same secrets from."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from pykamal.core.errors import KamalError
from pykamal.secrets.adapters.gcp_api import GoogleSecretManagerApi, crc32c
from pykamal.secrets.adapters.settings import Settings
from tests.managers.fetching import failure_of, fetch_with
from tests.managers.google_cloud import OTHER_ACCOUNT, REGION, GoogleCloud, forbidden, throttled
from tests.managers.internet import Internet, Reply, vendors_client

CANARY = "canary-2d90"
ODD = "line\nquote\"' $HOME `x` ü \0 \\"
KAMAL = Path(sys.executable).with_name("kamal")


@pytest.fixture
def google(clouds: Internet, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> GoogleCloud:
    """A cloud of the test's own, and an environment that leads there and has no login."""
    own = ("GOOGLE_", "CLOUDSDK_", "GCE_", "GCLOUD_")
    for name in [name for name in os.environ if name.startswith(own) or "proxy" in name.lower()]:
        monkeypatch.delenv(name)
    for name, value in clouds.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    monkeypatch.setenv("HOME", str(tmp_path))
    clouds.asked.clear()
    return GoogleCloud(clouds)


@pytest.fixture
def log_in(google: GoogleCloud, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Path]:
    """Name a file of credentials, which are a service account's without any."""

    def name_file(credentials: dict[str, object] | None = None) -> Path:
        file = tmp_path / "credentials.json"
        file.write_text(json.dumps(google.service_account() if credentials is None else credentials))
        monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(file))
        return file

    return name_file


def fetch(*names: str, source: str | None = None, account: str | None = None) -> dict[str, str | None]:
    return fetch_with(GoogleSecretManagerApi(), *names, account=account, source=source)


def failure(*names: str, account: str | None = None) -> KamalError:
    return failure_of(GoogleSecretManagerApi(), *names, canary=CANARY, account=account)


VENDORS_CLIENT = """\
import base64, json, sys
from google.api_core.exceptions import GoogleAPICallError
from google.cloud import secretmanager

client = secretmanager.SecretManagerServiceClient(transport="rest")
found = {}
for name in sys.argv[1:]:
    try:
        payload = client.access_secret_version(name=name, retry=None).payload
        found[name] = [base64.b64encode(payload.data).decode(), payload.data_crc32c]
    except GoogleAPICallError as error:
        found[name] = [error.code, error.reason]
print(json.dumps(found))
"""


def test_the_vendors_client_reads_the_same(google: GoogleCloud, log_in: Callable[..., Path]) -> None:
    """google-cloud-secret-manager finds its protocol in the server: the login, values, checksums, errors."""
    log_in()
    google.put("shop/odd", ODD.encode())
    google.put("shop/bytes", b"\xff\x00")
    google.put("shop/off", CANARY.encode(), state="DISABLED")
    google.refusals["foreign"] = forbidden()
    google.refusals["unused"] = forbidden("SERVICE_DISABLED")
    prefix = ("GOOGLE_", "SSL_", "REQ", "HTTPS", "NO_GCE")
    variables = {name: value for name, value in os.environ.items() if name.startswith(prefix)}
    secrets = ("odd", "bytes", "off", "foreign", "unused", "never")
    names = [f"projects/shop/secrets/{name}/versions/latest" for name in secrets]
    answered = vendors_client(VENDORS_CLIENT, *names, environment=variables)
    assert [answered[name] for name in names] == [
        [base64.b64encode(ODD.encode()).decode(), crc32c(ODD.encode())],
        ["/wA=", crc32c(b"\xff\x00")],
        [400, None],
        [403, None],
        [403, "SERVICE_DISABLED"],
        [404, None],
    ]
    assert fetch(names[0]) == {names[0]: ODD}


def test_the_checksum() -> None:
    """The examples of RFC 3720 B.4, and the check value of the polynomial."""
    assert crc32c(bytes(32)) == 0x8A9136AA
    assert crc32c(b"\xff" * 32) == 0x62A8AB43
    assert crc32c(b"123456789") == 0xE3069283


def test_values(google: GoogleCloud, log_in: Callable[..., Path]) -> None:
    """Odd, empty and large values (64 KiB is the limit) arrive as they are, in the order asked for."""
    log_in()
    values = {"odd": ODD, "empty": "", "large": "x" * 65536, "json": '{"a": 1}'}
    for name, value in values.items():
        google.put(f"shop/{name}", value.encode())
    assert fetch(*reversed(values), source="shop") == {f"shop/{name}": values[name] for name in reversed(values)}


def test_a_value_that_is_no_text(google: GoogleCloud, log_in: Callable[..., Path]) -> None:
    """An environment cannot hold it: it is refused, not mended."""
    log_in()
    google.put("shop/bytes", CANARY.encode() + b"\xff")
    assert "base64" in str(failure("shop/bytes").hint)


def test_a_damaged_value(google: GoogleCloud, log_in: Callable[..., Path]) -> None:
    """The checksum of the server is compared."""
    log_in()
    google.put("shop/a", CANARY.encode())
    google.versions["shop/a/latest"]["payload"]["dataCrc32c"] = "7"
    assert "arrived damaged" in failure("shop/a").message


def test_two_hundred_secrets(google: GoogleCloud, log_in: Callable[..., Path], clouds: Internet) -> None:
    """All of them arrive in order, with one login and one request each."""
    log_in()
    for number in range(200):
        google.put(f"shop/many-{number}", str(number).encode())
    assert list(fetch(*(f"many-{number}" for number in range(200)), source="shop").values()) == [*map(str, range(200))]
    assert [asked.host for asked in clouds.asked].count("oauth2.googleapis.com") == 1
    assert [asked.host for asked in clouds.asked].count("secretmanager.googleapis.com") == 200


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("a", "2"),
        ("shop-project/a", "2"),
        ("shop-project/a/1", "1"),
        ("shop-project/a/latest", "2"),
        ("projects/shop-project/secrets/a", "2"),
        ("projects/shop-project/secrets/a/versions/1", "1"),
    ],
)
def test_spellings(name: str, value: str, google: GoogleCloud, log_in: Callable[..., Path]) -> None:
    """A name has a project and a version, or those of the credentials and the latest."""
    log_in()
    google.put("shop-project/a", b"1", version="1")
    google.put("shop-project/a", b"2", version="2")
    assert fetch(name) == {name: value}


@pytest.mark.parametrize("name", ["", "a/b/c/d", "/a", "shop/..", "shop/a?x=1", "shop/a b"])
def test_names_that_are_none(name: str, google: GoogleCloud, log_in: Callable[..., Path], clouds: Internet) -> None:
    """They are refused before anything is asked."""
    log_in()
    assert "names no secret of Google Cloud" in failure(name).message
    assert clouds.asked == []


def test_settings_of_a_provider(
    google: GoogleCloud, log_in: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A provider of deploy.yml comes before the variables; regional secrets have a server of their own."""
    file = log_in()
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", "/of/somebody/else")
    google.put("shop/a", b"1")
    said = {"project": "shop", "location": REGION, "auth/credentials_file": str(file)}
    settings = Settings(GoogleSecretManagerApi.settings, provider="google", declared=said)
    found = GoogleSecretManagerApi().configured(settings).fetch(["a"], account=None, source=None)
    assert found["a"] is not None
    assert found["a"].reveal() == "1"


# -- ways to log in


def test_a_user(google: GoogleCloud, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, clouds: Internet) -> None:
    """The file that gcloud writes is found; requests count for its project; no gcloud is started."""
    folder = tmp_path / ".config" / "gcloud"
    folder.mkdir(parents=True)
    (folder / "application_default_credentials.json").write_text(json.dumps(google.user()))
    (tmp_path / "gcloud").write_text(f"#!/bin/sh\ntouch {tmp_path}/started\n")
    (tmp_path / "gcloud").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    google.put("shop/a", b"1")
    assert fetch("shop/a") == {"shop/a": "1"}
    assert clouds.asked[-1].headers["x-goog-user-project"] == "shop-quota"
    assert not (tmp_path / "started").exists()
    assert "project of the secret a is not known" in failure("a").message
    google.refresh_token = "revoked meanwhile"
    assert "Google refused the login: invalid_grant" in failure("shop/a").message


@pytest.mark.parametrize("impersonate", [False, True])
def test_a_workload_identity(
    impersonate: bool, google: GoogleCloud, log_in: Callable[..., Path], tmp_path: Path
) -> None:
    """The token of CI is exchanged, directly or for one of a service account."""
    token = tmp_path / "token"
    token.write_text(google.subject_token)
    log_in(google.workload_identity(str(token), impersonate=impersonate))
    google.put("shop/a", b"1")
    assert fetch("shop/a") == {"shop/a": "1"}
    assert (OTHER_ACCOUNT in google.tokens.values()) == impersonate
    token.write_text(CANARY)
    assert "Google refused the login: invalid_grant" in failure("shop/a").message
    token.unlink()
    assert failure("shop/a").hint


def test_acting_as_a_service_account(google: GoogleCloud, log_in: Callable[..., Path]) -> None:
    """--account names it; the error of a login that may not has the role."""
    log_in()
    google.put("shop/a", b"1")
    assert fetch("shop/a", account=OTHER_ACCOUNT) == {"shop/a": "1"}
    assert OTHER_ACCOUNT in google.tokens.values()
    google.forbidden_impersonation = True
    error = failure("shop/a", account=OTHER_ACCOUNT)
    assert f"may not act as {OTHER_ACCOUNT}" in error.message
    assert "serviceAccountTokenCreator" in str(error.hint)


@pytest.mark.parametrize("on_google", [True, False])
def test_a_machine_of_google_cloud(on_google: bool, google: GoogleCloud, clouds: Internet, tmp_path: Path) -> None:
    """The metadata service gives the token and the project; without it the error says how to log in.

    The library reads the variables of the service when it is imported, so this is a process of its own.
    """
    google.put("shop-project/a", b"1")
    google.on_google = on_google
    service = clouds.address.removeprefix("http://")
    done = subprocess.run(
        [KAMAL, "secrets", "fetch", "--adapter", "gcp_api", "a"],
        env={
            "PATH": "/bin",
            "HOME": str(tmp_path),
            "GCE_METADATA_HOST": service,
            "GCE_METADATA_IP": service,
            **clouds.environment,
        },
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    if on_google:
        assert (done.returncode, json.loads(done.stdout)) == (0, {"a": "1"}), done.stderr
    else:
        assert done.returncode == 1
        assert "Not logged in to Google Cloud" in done.stderr + done.stdout
        assert "metadata server" not in done.stderr + done.stdout, "a library's own warning"


def test_nobody_logged_in(google: GoogleCloud) -> None:
    """The error says how to."""
    assert "gcloud auth application-default login" in str(failure("shop/a").hint)


@pytest.mark.parametrize("text", [None, "", "[]", "{}", '{"type": "service_account", "private_key": "' + CANARY + '"}'])
def test_a_file_that_is_none(text: str | None, google: GoogleCloud, log_in: Callable[..., Path]) -> None:
    """The error names the setting, and has nothing of the file."""
    file = log_in()
    if text is None:
        file.unlink()
    else:
        file.write_text(text)
    assert "GOOGLE_APPLICATION_CREDENTIALS" in str(failure("shop/a").hint)


def test_a_key_that_is_not_the_account_s(google: GoogleCloud, log_in: Callable[..., Path], clouds: Internet) -> None:
    """A deleted key is refused by the login server."""
    log_in()
    GoogleCloud(clouds)  # takes the place of the server whose key the file has
    assert "Google refused the login: invalid_grant" in failure("shop/a").message


def test_the_login_server_is_out_of_reach(
    google: GoogleCloud, log_in: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A proxy that nobody answers at is told as such, not as a wrong login."""
    log_in()
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    assert "login servers cannot be asked" in failure("shop/a").message


# -- what Secret Manager refuses


@pytest.mark.parametrize(
    ("reason", "message", "hint"),
    [
        (None, "No permission to read shop/a", "roles/secretmanager.secretAccessor"),
        ("IAM_PERMISSION_DENIED", "No permission to read shop/a", "roles/secretmanager.secretAccessor"),
        ("SERVICE_DISABLED", "is not enabled in the project shop", "gcloud services enable"),
        ("SECURITY_POLICY_VIOLATED", "service perimeter", "access levels"),
    ],
)
def test_the_meanings_of_403(
    reason: str | None, message: str, hint: str, google: GoogleCloud, log_in: Callable[..., Path]
) -> None:
    """A role, an API that is off and a service perimeter each have their own remedy."""
    log_in()
    google.refusals["a"] = forbidden(reason)
    error = failure("shop/a")
    assert message in error.message
    assert hint in str(error.hint)


def test_what_is_not_there(google: GoogleCloud, log_in: Callable[..., Path]) -> None:
    """Unknown, disabled and destroyed are three errors."""
    log_in()
    google.put("shop/off", CANARY.encode(), state="DISABLED")
    google.put("shop/gone", CANARY.encode(), state="DESTROYED")
    assert "has no shop/never of version latest" in failure("shop/never").message
    assert "gcloud secrets versions enable" in str(failure("shop/off").hint)
    assert "Version 1 of shop/gone in Google Secret Manager is destroyed" in failure("shop/gone/1").message


@pytest.mark.parametrize(
    ("reply", "message"),
    [
        (Reply(401), "does not take the token"),
        (throttled(), "limits the rate of requests"),
        (Reply(500, {}, {"Retry-After": "0"}), "answered with HTTP status 500"),
        (Reply(200, b'{"payload": {"data": "' + CANARY.encode()), "is not Google Secret Manager, or"),
        (Reply(200, b"<html>"), "is not Google Secret Manager, or"),
        (Reply(200, {"payload": {"data": "%%%"}}), "is not Google Secret Manager, or"),
        (Reply(200, {"payload": {"data": 7}}), "is not Google Secret Manager, or"),
        (Reply(200, {}), "is not Google Secret Manager, or"),
    ],
)
def test_other_answers(reply: Reply, message: str, google: GoogleCloud, log_in: Callable[..., Path]) -> None:
    """Each has an error of its own, without a word of the answer."""
    log_in()
    google.refusals["a"] = reply
    assert message in failure("shop/a").message
