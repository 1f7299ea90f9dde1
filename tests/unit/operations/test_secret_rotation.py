"""`kamal secrets rotate`: which containers it reboots, and what comes of the others, on hosts in memory."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from pykamal.config.models import Accessory, Boot, Builder, Config, Credential, Env, Registry
from pykamal.core.errors import KamalError
from pykamal.operations.context import Context
from pykamal.operations.execution.recording import RecordingExecutor
from pykamal.operations.hosts.facts import Container, HostFacts
from pykamal.operations.secrets.rotate import rotate
from tests.unit.memory_fleet import MemoryFleet
from tests.unit.samples import config, context, role

pytestmark = pytest.mark.unit

A, B = "10.0.0.1", "10.0.0.2"
KEY = Env(secrets=("KEY",))
SHOP = config(
    role("web", A, B, env=KEY),
    role("worker", B),
    accessories=(Accessory("db", "app-db", "db:1", (A,), env=Env(secrets=("PASSWORD:DB_PASSWORD",))),),
    registry=Registry("ghcr.io", Credential("user"), Credential(secret="REGISTRY_PASSWORD")),
    builder=Builder(("amd64",), secrets=("BUILD_TOKEN",)),
)
VALUES = dict.fromkeys(("KEY", "DB_PASSWORD", "BUILD_TOKEN"), "hush")


def running(*names: str) -> tuple[Container, ...]:
    def container(name: str) -> Container:
        service, of = ("app-db", "") if name == "app-db" else ("app", name.split("-")[1])
        return Container(name, "running", "acme/app", service, of)

    return (Container("kamal-proxy", "running", "basecamp/kamal-proxy:v0.9.2"), *map(container, names))


DEPLOYED = {A: running("app-web-v1", "app-db"), B: running("app-web-v1", "app-worker-v1")}


def planned(
    *names: str, configuration: Config = SHOP, hosts: dict[str, tuple[Container, ...]] | None = None
) -> list[tuple[str, str]]:
    """Return host and name of the steps that bring these secrets to the hosts."""
    executor = RecordingExecutor()
    fleet = MemoryFleet({host: HostFacts(host, each) for host, each in (hosts or DEPLOYED).items()})
    run: Context = replace(
        context(configuration, version="v9", secrets=VALUES),
        executor=executor,
        fleet=fleet,  # type: ignore[arg-type]
        local=fleet.local,  # type: ignore[arg-type]
    )
    asyncio.run(rotate(run, names=names))
    return [(t.host, step.name) for phase in executor.plan("").phases for t in phase.tasks for step in t.script]


def test_only_users_are_rebooted() -> None:
    """Roles and accessories without the secret are left alone; nothing is pulled, built or tagged."""
    steps = planned("KEY")
    assert [each for each in steps if each[1].startswith(("start ", "run "))] == [(A, "start web"), (B, "start web")]
    assert not any(word in name for _, name in steps for word in ("worker", "db", "pull", "tag", "prune", "login"))
    assert [host for host, name in steps if name == "remove old container"] == [A, B]
    assert [each for each in planned("DB_PASSWORD") if each[1].startswith(("start ", "run "))] == [(A, "run db")]


def test_hosts_come_one_after_the_other() -> None:
    """The first host is done before the second begins, unless `boot/limit` says otherwise (spec/config.md 11)."""
    hosts = [host for host, _ in planned("KEY")]
    first = hosts.index(B)
    assert set(hosts[:first]) == {A}
    together = planned("KEY", configuration=replace(SHOP, boot=Boot(limit=2)))
    names = [name for _, name in together if name in ("start web", "stop old web")]
    assert names == ["start web", "stop old web", "start web", "stop old web"]


def test_the_running_version_is_taken() -> None:
    """It is that of each host, and the one behind a container that was renamed; not that of the commit."""
    hosts = {A: running("app-web-v1_replaced_0123456789abcdef"), B: running("app-web-v2")}
    executor = RecordingExecutor()
    fleet = MemoryFleet({host: HostFacts(host, each) for host, each in hosts.items()})
    run = replace(context(SHOP, version="v9", secrets=VALUES), executor=executor, fleet=fleet, local=fleet.local)  # type: ignore[arg-type]
    asyncio.run(rotate(run, names=["KEY"]))
    booted = {
        task.host: step.command.display_text()
        for phase in executor.plan("").phases
        for task in phase.tasks
        for step in task.script
        if step.name == "start web"
    }
    assert "acme/app:v1 " in f"{booted[A]} "
    assert "acme/app:v2 " in f"{booted[B]} "


def test_a_registry_password_is_logged_in_with() -> None:
    """Here first, then on every host; no container is touched."""
    assert planned("REGISTRY_PASSWORD") == [(host, "registry login") for host in ("localhost", A, B)]


def test_there_is_nothing_to_do_for_a_build_secret() -> None:
    """The next build reads it."""
    assert planned("BUILD_TOKEN") == []


def test_an_unknown_name() -> None:
    """It is refused before any host is asked, with the name that was meant."""
    with pytest.raises(KamalError, match="names no secret DB_PASWORD") as caught:
        planned("DB_PASWORD")
    assert caught.value.hint == "did you mean DB_PASSWORD?"


def test_a_key_in_deploy_yml_is_no_name() -> None:
    """The hint lists the names that there are, and no private key (spec/config.md 10 accepts one)."""
    key = "-----BEGIN OPENSSH PRIVATE KEY-----\nhush\n"
    with pytest.raises(KamalError) as caught:
        planned("OTHER", configuration=replace(SHOP, ssh=replace(SHOP.ssh, key_data=(key, "SSH_KEY"))))
    assert caught.value.hint == "it names BUILD_TOKEN, DB_PASSWORD, KEY, REGISTRY_PASSWORD, SSH_KEY"
