"""Jobs of GitHub and GitLab log in to Azure, Google Cloud and Infisical by their ID tokens, as they do to Vault."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from pykamal.core.errors import KamalError
from pykamal.secrets.credentials import known_credentials
from tests.managers import google_cloud, infisical_server
from tests.managers.cloud_harnesses import AzureHarness, CloudHarness, GoogleHarness, InfisicalHarness
from tests.managers.id_tokens import GitHub

PROVIDER = google_cloud.POOL.removeprefix("//iam.googleapis.com/")


class Issuer:
    """Signs nothing: the tokens of a job are those that the test server takes."""

    def __init__(self, token: str) -> None:
        self._token = token
        self.audiences: list[object] = []

    def token(self, *, aud: str, **_claims: object) -> str:
        self.audiences.append(aud)
        return self._token


@dataclass(frozen=True)
class Cloud:
    """A cloud in a job that has no other login: its variables, and the token that it takes from the job."""

    harness: Any
    gitlab_variable: str
    settings: dict[str, str]
    accepted: str
    audience: str


def azure(harness: Any) -> Cloud:
    audience = "api://AzureADTokenExchange"
    return Cloud(harness, "AZURE_ID_TOKEN", {}, harness.azure.federated_token, audience)


def google(harness: Any) -> Cloud:
    settings = {"GCP_WORKLOAD_IDENTITY_PROVIDER": PROVIDER}
    return Cloud(harness, "GCP_ID_TOKEN", settings, harness.google.subject_token, f"https:{google_cloud.POOL}")


def infisical(harness: Any) -> Cloud:
    settings = {"INFISICAL_MACHINE_IDENTITY_ID": infisical_server.IDENTITY}
    return Cloud(harness, "INFISICAL_JWT", settings, harness.server.jwt, "https://github.com/acme")


KINDS: dict[type[CloudHarness], Callable[[Any], Cloud]] = {
    AzureHarness: azure,
    GoogleHarness: google,
    InfisicalHarness: infisical,
}


@pytest.fixture(params=KINDS, ids=lambda kind: kind.adapter_name)
def cloud(request: pytest.FixtureRequest) -> Cloud:
    """A cloud with one secret, without the login that its harness has."""
    harness = request.param(request)
    harness.store({"one": "a value"})
    harness.log_out()
    found = KINDS[request.param](harness)
    for name, value in found.settings.items():
        harness.monkeypatch.setenv(name, value)
    return found


@pytest.fixture
def job(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> Iterator[Issuer]:
    """A job of GitHub with the permission for ID tokens."""
    issuer = Issuer(cloud.accepted)
    with GitHub(issuer, "bearer-of-the-job") as service:  # type: ignore[arg-type]
        for name, value in service.variables.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        yield issuer


def fetched(cloud: Cloud) -> list[str | None]:
    harness = cloud.harness
    found = harness.adapter().fetch([harness.name("one")], account=None, source=harness.source)
    return [value.reveal() for value in found.values()]


def test_a_job_of_gitlab(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """The token is in a variable; one that the cloud does not take is not repeated."""
    monkeypatch.setenv(cloud.gitlab_variable, cloud.accepted)
    assert fetched(cloud) == ["a value"]
    monkeypatch.setenv(cloud.gitlab_variable, "canary-2f70-token")
    with pytest.raises(KamalError) as caught:
        fetched(cloud)
    assert "canary-2f70" not in f"{caught.value.message} {caught.value.details} {caught.value.hint}"


def test_a_job_of_github(cloud: Cloud, job: Issuer) -> None:
    """GitHub is asked for a token with the audience that the cloud expects, and all output hides it."""
    assert fetched(cloud) == ["a value"]
    assert job.audiences == [cloud.audience]
    assert {cloud.accepted, "bearer-of-the-job"} <= {each.reveal() for each in known_credentials()}


def test_another_audience(cloud: Cloud, job: Issuer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A setting has it, where the cloud was set up for one of its own."""
    monkeypatch.setenv(f"{cloud.gitlab_variable}_AUDIENCE", "shop.example")
    assert fetched(cloud) == ["a value"]
    assert job.audiences == ["shop.example"]


def test_a_job_without_the_permission(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error says what the job needs."""
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    with pytest.raises(KamalError) as caught:
        fetched(cloud)
    assert "permissions: {id-token: write}" in (caught.value.hint or "")
