"""Credentials that a login to a real manager or to a test server gives are known, and so hidden in all output."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from urllib.error import HTTPError

import pytest

from pykamal.secrets.adapters import adapter_calls
from pykamal.secrets.conformance import Harness
from pykamal.secrets.credentials import known_credentials
from tests.managers.cloud_harnesses import AzureHarness, CloudHarness, GoogleHarness, InfisicalHarness
from tests.managers.openbao import OpenBao
from tests.managers.test_conformance import HARNESSES
from tests.managers.vault_fetch import At, fetch


def known() -> set[str]:
    return {line for each in known_credentials() for line in each.reveal().splitlines()}


def fetched(harness: Harness) -> Harness:
    harness.store({"one": "a value of this test"})
    adapter_calls.fetch(harness.adapter(), "it", [harness.name("one")], account=harness.account, source=harness.source)
    return harness


@pytest.mark.parametrize("name", ["vault", "aws", "doppler", "ansible_vault", "age"])
def test_what_the_environment_logs_in_with(name: str, request: pytest.FixtureRequest) -> None:
    """Tokens, keys and passwords of variables and files, of adapters that read them or start a program that does."""
    harness = fetched(HARNESSES[name](request))  # type: ignore[call-arg]
    assert set(harness.credentials()[:1]) <= known()


def test_what_a_login_to_vault_gives(openbao: OpenBao, at: At) -> None:
    """The secret id that was wrapped, and the token of the role."""
    openbao.enable_approle()
    openbao.call("POST", "secret/data/hidden", {"data": {"a": "1"}})
    openbao.allow_reading("hidden", "secret/data/hidden")
    openbao.call("POST", "auth/approle/role/hidden", {"token_policies": "hidden"})
    role = openbao.call("GET", "auth/approle/role/hidden/role-id")["data"]["role_id"]
    wrapped = openbao.call("POST", "auth/approle/role/hidden/secret-id", {}, headers={"X-Vault-Wrap-TTL": "60s"})
    before = known()
    at(openbao.address, ROLE_ID=role, WRAPPED_SECRET_ID=wrapped["wrap_info"]["token"])
    fetch("secret/hidden/a")
    new = known() - before
    assert wrapped["wrap_info"]["token"] in new
    assert any("hidden" in policies_of(openbao, each) for each in new)
    assert len(new) == 3  # the wrapping token, the secret id and the token of the login


def policies_of(openbao: OpenBao, token: str) -> list[str]:
    try:
        return list(openbao.call("GET", "auth/token/lookup-self", token=token)["data"]["policies"])
    except HTTPError:
        return []


CLOUDS: Mapping[type[CloudHarness], Callable[[Any], set[str]]] = {
    AzureHarness: lambda harness: {*harness.azure.tokens, harness.azure.client_secret},
    GoogleHarness: lambda harness: {*harness.google.tokens, harness.google.refresh_token},
    InfisicalHarness: lambda harness: {*harness.server.tokens, harness.server.client_secret},
}


@pytest.mark.parametrize("kind", CLOUDS, ids=lambda kind: kind.__name__)
def test_what_a_login_to_a_cloud_gives(kind: type[CloudHarness], request: pytest.FixtureRequest) -> None:
    """The access token, and the secret that it was got with."""
    harness = fetched(kind(request))
    issued = CLOUDS[kind](harness)
    assert len(issued) > 1
    assert issued <= known()
