"""Harnesses of the adapters for Azure, Google Cloud and Infisical, over the tests' own servers."""

from __future__ import annotations

import json
import os
import sys
import time
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import pytest

from pykamal.secrets.adapters import adapter
from pykamal.secrets.adapters.http import Client, Limits
from pykamal.secrets.adapters.protocol import Adapter
from pykamal.secrets.conformance import Fault, Harness
from tests.managers import azure_cloud, google_cloud, infisical_server
from tests.managers.internet import Asked, Internet, Reply, Service

NO_FIELDS = "a name is a secret, which has no fields"
TEXT_ONLY = "the API has values as JSON texts, and no other way to store one"
WRONG = "refused-0d4c1b7e9a"
NAMES = (*azure_cloud.NAMES, *google_cloud.NAMES, *infisical_server.NAMES)
OWN_VARIABLES = (
    "AZURE_",
    "IDENTITY_",
    "MSI_",
    "GOOGLE_",
    "CLOUDSDK_",
    "GCE_",
    "GCP_",
    "INFISICAL_",
    "ACTIONS_",
    "GITHUB_",
)


class CloudHarness(Harness):
    """An adapter, and the service that it reads secrets from, which breaks on demand."""

    adapter_name: ClassVar[str]
    extra: ClassVar[str | None] = None
    servers: ClassVar[str]
    """The pattern of the names of the servers that have the secrets."""

    not_applicable: ClassVar[Mapping[str, str]] = {"missing field": NO_FIELDS, "not UTF-8": TEXT_ONLY}

    def __init__(self, request: pytest.FixtureRequest) -> None:
        self.folder: Path = request.getfixturevalue("tmp_path")
        self.monkeypatch: pytest.MonkeyPatch = request.getfixturevalue("monkeypatch")
        self.internet: Internet = request.getfixturevalue("clouds")
        for name in list(os.environ):
            if name.startswith(OWN_VARIABLES) or "proxy" in name.lower():
                self.monkeypatch.delenv(name)
        nothing = {"NO_GCE_CHECK": "true", "AZURE_POD_IDENTITY_AUTHORITY_HOST": "http://127.0.0.1:1"}
        for name, value in {
            **self.internet.environment,
            **nothing,
            "HOME": str(self.folder),
            "PATH": "/nothing",
        }.items():
            self.monkeypatch.setenv(name, value)
        self.internet.asked.clear()
        self.service = self.serve()

    @abstractmethod
    def serve(self) -> Service:
        """Start a service of the case's own, log in to it, and return what has the secrets there."""

    @abstractmethod
    def log_out(self) -> None:
        """Take the login out of the environment."""

    @abstractmethod
    def spoil_login(self) -> None:
        """Make the login wrong."""

    def adapter(self) -> Adapter:
        return type(adapter(self.adapter_name))()

    def cause(self, fault: Fault) -> None:
        match fault:
            case Fault.MISSING_TOOL:
                assert self.extra
                self.monkeypatch.setitem(sys.modules, self.extra, None)
            case Fault.NOT_LOGGED_IN:
                self.log_out()
            case Fault.WRONG_PASSWORD:
                self.spoil_login()
            case Fault.NO_ANSWER:
                limits = Limits(connect=1, total=1)
                self.monkeypatch.setitem(Client.__init__.__kwdefaults__, "limits", limits)  # type: ignore[arg-type]
                self.internet.serve(self.servers, lambda asked: self._broken(fault, asked))
            case _:
                self.internet.serve(self.servers, lambda asked: self._broken(fault, asked))

    def _broken(self, fault: Fault, asked: Asked) -> Reply:
        reply = self.service(asked)
        if "/auth/" in asked.path:  # the login, which one of these servers has too
            return reply
        match fault:
            case Fault.EXPIRED_LOGIN:
                return self.service(replace(asked, headers={**asked.headers, "authorization": "Bearer expired"}))
            case Fault.RATE_LIMIT:
                return Reply(429, {}, {"Retry-After": "0"})
            case Fault.SERVER_GONE:
                return replace(reply, cut_off=True)
            case Fault.HALF_AN_ANSWER:
                return replace(reply, body=reply.content[: len(reply.content) // 2])
            case _:
                time.sleep(2)
                return reply

    def requests(self) -> int:
        return len(self.internet.asked)


class AzureHarness(CloudHarness):
    adapter_name, extra, servers, source = "azure", "azure.identity", "*.vault.azure.net", "shop"
    not_applicable: ClassVar[Mapping[str, str]] = {
        **CloudHarness.not_applicable,
        "one megabyte": "a value has 25 kB at most",
    }

    def serve(self) -> Service:
        self.azure = azure_cloud.Azure(self.internet)
        self.monkeypatch.setenv("AZURE_TENANT_ID", azure_cloud.TENANT)
        self.monkeypatch.setenv("AZURE_CLIENT_ID", azure_cloud.CLIENT)
        self.monkeypatch.setenv("AZURE_CLIENT_SECRET", self.azure.client_secret)
        return self.azure.vault

    def store(self, values: Mapping[str, str | bytes]) -> None:
        for name, value in values.items():
            assert isinstance(value, str)
            self.azure.put(name, value)

    def log_out(self) -> None:
        self.monkeypatch.delenv("AZURE_CLIENT_SECRET")

    def spoil_login(self) -> None:
        self.monkeypatch.setenv("AZURE_CLIENT_SECRET", WRONG)

    def credentials(self) -> tuple[str, ...]:
        return (self.azure.client_secret, WRONG)

    def most_requests(self, secrets: int) -> int:
        return 3 + secrets  # where to log in, in two requests, and the login


class GoogleHarness(CloudHarness):
    adapter_name, extra, servers, source = "gcp_api", "google.auth", "secretmanager.*", "shop"
    not_applicable: ClassVar[Mapping[str, str]] = {
        "missing field": NO_FIELDS,
        "one megabyte": "a value has 64 KiB at most",
    }

    def serve(self) -> Service:
        self.google = google_cloud.GoogleCloud(self.internet)
        (self.folder / "credentials.json").write_text(json.dumps(self.google.user()))
        self.monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(self.folder / "credentials.json"))
        return self.google.secret_manager

    def store(self, values: Mapping[str, str | bytes]) -> None:
        for name, value in values.items():
            self.google.put(f"shop/{name}", value.encode() if isinstance(value, str) else value)

    def log_out(self) -> None:
        self.monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS")

    def spoil_login(self) -> None:
        self.google.refresh_token, spoiled = WRONG, self.google.refresh_token
        (self.folder / "credentials.json").write_text(json.dumps(self.google.user()))
        self.google.refresh_token = spoiled

    def credentials(self) -> tuple[str, ...]:
        return (self.google.refresh_token, WRONG)

    def most_requests(self, secrets: int) -> int:
        return 1 + secrets


class InfisicalHarness(CloudHarness):
    adapter_name, servers, source = "infisical", "app.infisical.com", f"{infisical_server.SLUG}/prod"
    not_applicable: ClassVar[Mapping[str, str]] = {
        **CloudHarness.not_applicable,
        "missing tool": "there is no program, and no package of an extra",
    }

    def serve(self) -> Service:
        self.server = infisical_server.InfisicalServer(self.internet)
        self.monkeypatch.setenv("INFISICAL_UNIVERSAL_AUTH_CLIENT_ID", self.server.client_id)
        self.monkeypatch.setenv("INFISICAL_UNIVERSAL_AUTH_CLIENT_SECRET", self.server.client_secret)
        return self.server

    def store(self, values: Mapping[str, str | bytes]) -> None:
        for name, value in values.items():
            assert isinstance(value, str)
            self.server.put(name, value)

    def log_out(self) -> None:
        self.monkeypatch.delenv("INFISICAL_UNIVERSAL_AUTH_CLIENT_SECRET")

    def spoil_login(self) -> None:
        self.monkeypatch.setenv("INFISICAL_UNIVERSAL_AUTH_CLIENT_SECRET", WRONG)

    def credentials(self) -> tuple[str, ...]:
        return (self.server.client_secret, WRONG)

    def most_requests(self, secrets: int) -> int:
        return 2


HARNESSES: Mapping[str, type[CloudHarness]] = {
    harness.adapter_name: harness for harness in (AzureHarness, GoogleHarness, InfisicalHarness)
}
