"""`kamal secrets doctor`: as whom real managers and test servers know us, what is missing, and how to get it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest

from pykamal.core.errors import DependencyError, KamalError
from pykamal.secrets import doctor
from pykamal.secrets.adapters.protocol import Diagnosable
from pykamal.secrets.adapters.vault import Vault
from pykamal.secrets.conformance import Fault
from tests.managers import azure_cloud, google_cloud
from tests.managers.keyring_session import Session
from tests.managers.openbao import OpenBao
from tests.managers.test_conformance import HARNESSES
from tests.managers.vault_fetch import At, fetch


def harness(name: str, request: pytest.FixtureRequest) -> Any:
    return cast("Callable[[pytest.FixtureRequest], Any]", HARNESSES[name])(request)


def status(adapter: object) -> str | None:
    assert isinstance(adapter, Diagnosable)
    return adapter.status(account=None)


@pytest.mark.parametrize(
    ("name", "known_as"),
    [
        ("aws", "arn:aws:iam::"),
        ("aws-ssm", "arn:aws:iam::"),
        ("azure", azure_cloud.CLIENT),
        ("infisical", "the machine identity of "),
        ("sops", "the age identities in "),
        ("age", "age1"),
        ("vault", "token (conform-"),
    ],
)
def test_a_login_that_is_there(name: str, known_as: str, request: pytest.FixtureRequest) -> None:
    """The manager is asked, or the settings tell, and no secret is fetched."""
    assert (status(harness(name, request).adapter()) or "").startswith(known_as)


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        *((name, Fault.NOT_LOGGED_IN) for name in ("aws", "aws-ssm", "azure", "gcp_api", "infisical", "vault", "age")),
        *((name, Fault.WRONG_PASSWORD) for name in ("aws", "azure", "gcp_api", "infisical", "vault")),
        *((name, Fault.MISSING_TOOL) for name in ("aws", "azure", "gcp_api", "sops", "age")),
    ],
)
def test_something_is_missing(name: str, fault: Fault, request: pytest.FixtureRequest) -> None:
    """The error says how to get it, and holds no credential."""
    broken = harness(name, request)
    broken.store({"one": "value"})
    broken.cause(fault)
    with pytest.raises(KamalError) as caught:
        status(broken.adapter())
    assert caught.value.hint
    assert isinstance(caught.value, DependencyError) == (fault is Fault.MISSING_TOOL)
    told = f"{caught.value.message} {caught.value.details} {caught.value.hint}"
    assert not any(each in told for each in broken.credentials())


def test_a_service_account_of_google(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file of credentials names it; that of a user does not."""
    google = harness("gcp_api", request)
    assert status(google.adapter()) is None
    file = google.folder / "service-account.json"
    file.write_text(json.dumps(google.google.service_account()))
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(file))
    assert status(google.adapter()) == google_cloud.SERVICE_ACCOUNT


def test_a_token_of_vault_that_may_not_look_at_itself(openbao: OpenBao, at: At) -> None:
    """It is usable, and nothing is told of it; one that the server does not know is another case."""
    at(openbao.address, openbao.create_token(no_default_policy=True, policies=["nothing"]))
    assert status(Vault()) is None
    at(openbao.address, "wrong")
    with pytest.raises(KamalError, match="does not know the token"):
        status(Vault())


def test_a_wrapped_secret_id_is_not_used_up(openbao: OpenBao, at: At) -> None:
    """It is good for one login, which is the deploy's."""
    openbao.enable_approle()
    openbao.call("POST", "secret/data/looked-at", {"data": {"a": "1"}})
    openbao.allow_reading("looked-at", "secret/data/looked-at")
    openbao.call("POST", "auth/approle/role/looked-at", {"token_policies": "looked-at"})
    role = openbao.call("GET", "auth/approle/role/looked-at/role-id")["data"]["role_id"]
    wrapped = openbao.call("POST", "auth/approle/role/looked-at/secret-id", {}, headers={"X-Vault-Wrap-TTL": "60s"})
    at(openbao.address, ROLE_ID=role, WRAPPED_SECRET_ID=wrapped["wrap_info"]["token"])
    assert status(Vault()) == "an AppRole, by a wrapped secret id that was not used yet"
    assert fetch("secret/looked-at/a") == {"secret/looked-at/a": "1"}
    with pytest.raises(KamalError, match="it was used, or it expired"):
        status(Vault())


def test_a_keyring(gnome: Session, request: pytest.FixtureRequest) -> None:
    """Its kind is told; a locked one is not usable, and nobody is asked to unlock it."""
    keyring = harness("keyring", request)
    assert "SecretService" in (status(keyring.adapter()) or "")
    gnome.lock()
    with pytest.raises(KamalError, match="The keyring is locked"):
        status(keyring.adapter())


def test_an_adapter_that_does_not_answer(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The others are told all the same, after a time limit."""

    class Silent:
        def status(self, *, account: str | None) -> str | None:
            time.sleep(30)
            return account

    monkeypatch.setattr(doctor, "SECONDS", 1.0)
    use = doctor.Use("vault", None, None, Silent, provider="slow")  # type: ignore[arg-type]
    monkeypatch.setattr(doctor, "MODULES", {"test": "test"})
    silent, other = doctor.examine([use])
    assert silent.problem is not None
    assert "did not answer within 1 seconds" in silent.problem.message
    assert (other.name, other.problem) == ("test", None)
