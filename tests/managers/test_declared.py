"""Secrets that deploy.yml declares, from real OpenBao servers (docs/secrets.md, "Declared in deploy.yml")."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

import pytest
import yaml

from pykamal.config.load import load
from pykamal.core.errors import ConfigurationError, KamalError
from pykamal.operations.local.local_system import LocalSystem
from pykamal.secrets.adapters.http_tls import ManagerUnreachable
from pykamal.secrets.declared import Declared
from pykamal.secrets.store import Secrets
from tests.managers.openbao import OpenBao, free_port
from tests.managers.scripted_http import ScriptedServer, reply, stay_silent

CANARY = "canary-91be"
KAMAL = Path(sys.executable).with_name("kamal")
BASE = {
    "service": "app",
    "image": "me/app",
    "servers": ["127.0.0.1"],
    "registry": {"server": "localhost:5555"},
    "builder": {"arch": "amd64"},
    "env": {"secret": ["A"]},
    "ssh": {"port": 1},
}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty project, without a secrets file, whose environment knows of no manager."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in [name for name in os.environ if name.startswith(("VAULT_", "BAO_"))]:
        monkeypatch.delenv(name)
    return tmp_path


def secrets(
    project: Path, providers: Mapping[str, object], places: Mapping[str, str], environment: Mapping[str, str]
) -> Secrets:
    settings = {**BASE, "x-pykamal": {"secrets": {"providers": dict(providers), "from": dict(places)}}}
    (project / "config").mkdir(exist_ok=True)
    (project / "config/deploy.yml").write_text(yaml.safe_dump(settings, sort_keys=False))
    config = load(system=LocalSystem())
    return Secrets(declared=Declared(config, environment=environment))


def approle(server: OpenBao, *paths: str) -> tuple[str, str]:
    """A role that may read some paths, as a team has one for its pipeline: role id and secret id."""
    server.allow_reading("declared", *paths)
    server.enable_approle()
    server.call("POST", "auth/approle/role/declared", {"token_policies": ["declared"]})
    role = server.call("GET", "auth/approle/role/declared/role-id")["data"]["role_id"]
    return str(role), str(server.call("POST", "auth/approle/role/declared/secret-id")["data"]["secret_id"])


def test_two_servers(openbao: OpenBao, openbao_tls: OpenBao, project: Path) -> None:
    """The example of the documentation: an AppRole, and beside it a second server behind a private CA with a token."""
    openbao.call("POST", "secret/data/declared/production", {"data": {"database_url": CANARY, "n": 3}})
    openbao_tls.call("POST", "secret/data/declared", {"data": {"x/y": "second"}})
    role, secret = approle(openbao, "secret/data/declared/production")
    found = secrets(
        project,
        {
            "vault": {
                "adapter": "vault",
                "address": openbao.address,
                "auth": {"approle": {"role_id": role, "secret_id_from": "CI_SECRET_ID"}},
            },
            "other": {
                "adapter": "openbao",
                "address": openbao_tls.address,
                "ca": str(openbao_tls.ca),
                "auth": {"token_from": "OTHER_TOKEN"},
            },
        },
        {
            "DATABASE_URL": "vault:secret/declared/production#database_url",
            "NUMBER": "vault:secret/declared/production#n",
            "OTHER": "other:secret/declared#x/y",
        },
        {"CI_SECRET_ID": secret, "OTHER_TOKEN": openbao_tls.token},
    )
    values = {name: value.reveal() for name, value in found.all().items()}
    assert values == {"DATABASE_URL": CANARY, "NUMBER": "3", "OTHER": "second"}


def test_providers_wait_at_the_same_time(project: Path) -> None:
    """Each of two servers answers only when both were asked: one after the other would never end."""
    both = threading.Barrier(2)

    def meet(connection: socket.socket) -> None:
        both.wait(10)
        connection.sendall(reply(200, '{"data":{"path":"kv/","options":{"version":"1"}}}'))

    with ExitStack() as stack:
        servers = [stack.enter_context(ScriptedServer(meet, reply(200, '{"data":{"a":"1"}}'))) for _ in range(2)]
        found = secrets(
            project,
            {
                f"v{number}": {"adapter": "vault", "address": server.address, "auth": {"token_from": "T"}}
                for number, server in enumerate(servers)
            },
            {f"A{number}": f"v{number}:kv/x#a" for number in range(2)},
            {"T": "token"},
        )
        assert [value.reveal() for value in found.all().values()] == ["1", "1"]


def test_a_server_that_is_down(openbao: OpenBao, project: Path) -> None:
    """The error names the server and what comes from it; the other provider's values are not lost to an attempt."""
    openbao.call("POST", "secret/data/up", {"data": {"a": CANARY}})
    down = f"http://127.0.0.1:{free_port()}"
    login = {"auth": {"token_from": "T"}}
    found = secrets(
        project,
        {
            "up": {"adapter": "vault", "address": openbao.address, **login},
            "down": {"adapter": "vault", "address": down, **login},
        },
        {"A": "up:secret/up#a", "B": "down:secret/x#b", "C": "down:secret/x#c"},
        {"T": openbao.token},
    )
    with pytest.raises(ManagerUnreachable, match="Connection refused") as caught:
        found.read()
    assert "the provider down was asked for B, C" in str(caught.value.details)
    resolved = found.attempt()
    assert (set(resolved.values), set(resolved.failures)) == ({"A"}, {"B", "C"})
    assert CANARY not in f"{caught.value} {caught.value.details} {resolved}"


def test_a_missing_field_is_told_by_name(openbao: OpenBao, project: Path) -> None:
    """A call that fails for one of its names is made again for each, so the others have their values."""
    openbao.call("POST", "secret/data/some", {"data": {"a": "1", "c": "3"}})
    found = secrets(
        project,
        {"vault": {"adapter": "vault", "address": openbao.address, "auth": {"token_from": "T"}}},
        {"A": "vault:secret/some#a", "B": "vault:secret/some#b", "C": "vault:secret/some#c"},
        {"T": openbao.token},
    )
    with pytest.raises(KamalError, match="secret/some in Vault has no field b"):
        found.read()
    resolved = found.attempt()
    assert (set(resolved.values), set(resolved.failures)) == ({"A", "C"}, {"B"})


def test_a_name_in_both_places(project: Path) -> None:
    """It is refused without asking the server, which is not even there."""
    (project / ".kamal").mkdir()
    (project / ".kamal/secrets").write_text("A=1\n")
    down = {"vault": {"adapter": "vault", "address": f"http://127.0.0.1:{free_port()}"}}
    with pytest.raises(
        ConfigurationError, match=r"\.kamal/secrets:1:1: A is defined here and declared at config/deploy"
    ):
        secrets(project, down, {"A": "vault:secret/some#a"}, {}).all()


def kamal(project: Path, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [KAMAL, *words],
        cwd=project,
        env={**os.environ, **variables},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_the_commands(openbao: OpenBao, project: Path) -> None:
    """`secrets print` has declared secrets; `config validate` asks nobody; a fetched name with `#` is extracted."""
    openbao.call("POST", "secret/data/printed", {"data": {"a": CANARY}})
    provider = {"vault": {"adapter": "vault", "address": openbao.address, "auth": {"token_from": "T"}}}
    secrets(project, provider, {"A": "vault:secret/printed#a"}, {})
    assert kamal(project, "secrets", "print", T=openbao.token).stdout == f"A={CANARY}\n"
    assert kamal(project, "config", "validate").stdout == "config/deploy.yml is valid.\n"
    fetched = kamal(
        project, "secrets", "fetch", "-a", "vault", "secret/printed#a", VAULT_ADDR=openbao.address, T="",
        VAULT_TOKEN=openbao.token,
    )  # fmt: skip
    assert kamal(project, "secrets", "extract", "a", fetched.stdout).stdout == f"{CANARY}\n"


def test_a_run_that_waits_for_a_manager_is_stopped(project: Path) -> None:
    """Ctrl-C ends it at once, although the server would keep it for a minute."""
    with ScriptedServer(stay_silent) as server:
        provider = {"vault": {"adapter": "vault", "address": server.address, "auth": {"token_from": "T"}}}
        secrets(project, provider, {"A": "vault:secret/never#a"}, {})
        run = subprocess.Popen(
            [KAMAL, "app", "boot", "--version", "1"],
            env={**os.environ, "T": "token"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        deadline = time.monotonic() + 30
        while not server.requests and time.monotonic() < deadline:
            time.sleep(0.05)
        run.send_signal(signal.SIGINT)
        output, _ = run.communicate(timeout=20)
    assert run.returncode == 130
    assert "ERROR (Interrupt): Interrupted" in output
    assert "Traceback" not in output


def test_what_was_fetched_is_masked(openbao: OpenBao, project: Path) -> None:
    """A value and the token of its manager are masked in what is printed, such as the output of a hook."""
    openbao.call("POST", "secret/data/masked", {"data": {"a": CANARY}})
    provider = {"vault": {"adapter": "vault", "address": openbao.address, "auth": {"token_from": "T"}}}
    secrets(project, provider, {"A": "vault:secret/masked#a"}, {})
    hook = project / ".kamal/hooks/pre-connect"
    hook.parent.mkdir(parents=True)
    hook.write_text('#!/bin/sh\necho "have $A and $T"\nexit 1\n')
    hook.chmod(0o755)
    done = kamal(project, "app", "boot", "--version", "1", "-v", T=openbao.token)
    printed = done.stdout + done.stderr
    assert "have [REDACTED] and [REDACTED]" in printed
    assert CANARY not in printed
    assert openbao.token not in printed
