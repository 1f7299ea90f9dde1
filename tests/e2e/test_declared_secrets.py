"""Secrets of deploy.yml from a real OpenBao to the containers (docs/secrets.md, "Declared in deploy.yml")."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.application import Application
from tests.managers.openbao import OpenBao, free_port

pytestmark = pytest.mark.e2e

CANARY = "canary-b07e"


@pytest.fixture
def openbao(tmp_path: Path) -> Iterator[OpenBao]:
    server = OpenBao(tmp_path / "openbao")
    yield server.start()
    server.stop()


@pytest.fixture
def declaring(application: Application, openbao: OpenBao) -> Application:
    """The application, whose registry's password and variable come from OpenBao. It has no secrets file."""
    settings = application.settings()
    password = settings["registry"]["password"][0]
    value = application.sandbox.manifest.registry_password
    openbao.call("POST", "secret/data/hello", {"data": {"token": CANARY, "registry": value}})
    (application.folder / ".kamal/secrets").unlink()
    application.configure(
        **{
            "env": {"secret": ["TOKEN"]},
            "x-pykamal": {
                **settings["x-pykamal"],
                "secrets": {
                    "providers": {
                        "vault": {"adapter": "vault", "address": openbao.address, "auth": {"token_from": "CI_TOKEN"}}
                    },
                    "from": {password: "vault:secret/hello#registry", "TOKEN": "vault:secret/hello#token"},
                },
            },
        }
    )
    application.environment["CI_TOKEN"] = openbao.token
    application.commit("declared secrets")
    return application


def test_a_deploy_without_a_secrets_file(declaring: Application) -> None:
    """Values come from OpenBao, reach the containers, and are in no output."""
    done = declaring.kamal("setup", "-v")
    for host in declaring.hosts:
        (container,) = (name for name in declaring.containers(host) if name.startswith("hello-web"))
        assert f"TOKEN={CANARY}" in host.docker("exec", container, "env").splitlines()
        assert CANARY not in host.read("/root/.kamal/hello-audit.log")
    assert CANARY not in done.text
    assert declaring.environment["CI_TOKEN"] not in done.text


def test_a_manager_of_a_secrets_file_that_is_down(application: Application) -> None:
    """A command in `.kamal/secrets` that fails is told before any connection is made, too."""
    down = f"http://127.0.0.1:{free_port()}"
    application.configure(env={"secret": ["TOKEN"]})
    with (application.folder / ".kamal/secrets").open("a") as file:
        file.write("TOKEN=$(kamal secrets fetch --adapter vault secret/hello/token)\n")
    for host in application.hosts:
        host.clear_sshd_log()
    done = application.kamal("deploy", expect=1, environment={"VAULT_ADDR": down, "VAULT_TOKEN": "t"})
    assert f"Vault at {down} cannot be asked: Connection refused" in done.text
    assert ".kamal/secrets:" in done.text
    assert not any("Connection from" in host.sshd_log() for host in application.hosts)


def test_a_manager_that_is_down(declaring: Application, openbao: OpenBao) -> None:
    """The run ends before any connection is made, so no lock is taken; a command without secrets still works."""
    openbao.stop()
    for host in declaring.hosts:
        host.clear_sshd_log()
    for command in ("setup", "deploy", "redeploy", "app boot", "registry login", "deploy --plan"):
        done = declaring.kamal(*command.split(), expect=1)
        assert f"Vault at {openbao.address} cannot be asked: Connection refused" in done.text
        assert "the provider vault was asked for " in done.text
    for host in declaring.hosts:
        assert "Connection from" not in host.sshd_log()
        assert not declaring.locked(host)
    declaring.kamal("app", "details")
    assert any("Connection from" in host.sshd_log() for host in declaring.hosts), "a connection would have been seen"
