"""Deploying through a registry on the operator's own machine (spec/cli.md 14.9 and 15.6, spec/config.md 6.3)."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from threading import Thread

import pytest

from pykamal.config.load import load
from pykamal.core.errors import ConnectionFailed, HostErrors
from pykamal.events import Bus, Event, Level, Log, Message
from pykamal.operations.context import Context, Settings
from pykamal.operations.execution.executor import ActingExecutor
from pykamal.operations.images import port_forwarding
from pykamal.operations.local.local_system import LocalSystem
from pykamal.operations.run import run_context
from pykamal.sandbox.host import Host
from pykamal.sandbox.sandbox import Sandbox
from pykamal.secrets.store import Secrets
from tests.e2e import local_registry
from tests.e2e.application import Application, wait_until
from tests.e2e.local_registry import PORT, SERVER

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def image(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> None:
    local_registry.provide_image(sandbox, tmp_path_factory.mktemp("registry") / "image")


@pytest.fixture
def at_workstation(application: Application, image: None) -> Iterator[Application]:
    """The example application with a local registry, which is not running yet."""
    local_registry.use(application)
    local_registry.remove(application.sandbox)
    yield application
    local_registry.remove(application.sandbox)


def listening(host: Host, port: int) -> bool:
    """Tell if a process listens on a port of the host."""
    return host.run(["ss", "-Hltn", f"sport = :{port}"]) != ""


def test_the_registry_is_started_and_removed(at_workstation: Application) -> None:
    """spec/cli.md 14.9: made, started again, removed, only with -L left out; no host is connected to."""
    application = at_workstation
    application.hook("pre-connect", "touch connected")
    application.kamal("registry", "setup", "--skip-local")
    assert local_registry.running(application.sandbox) == []
    application.kamal("registry", "setup")
    expected = [f"registry:3 127.0.0.1:{PORT}->5000/tcp running"]
    assert local_registry.running(application.sandbox) == expected
    application.sandbox.docker("stop", local_registry.CONTAINER)
    application.kamal("registry", "setup", "--skip-remote")
    assert local_registry.running(application.sandbox) == expected
    application.kamal("registry", "remove", "-L")
    assert local_registry.running(application.sandbox) == expected
    application.kamal("registry", "remove")
    assert local_registry.running(application.sandbox) == []
    application.kamal("registry", "remove")  # what is not there need not be removed
    assert not (application.folder / "connected").exists()


def test_logging_in_and_out_is_refused(application: Application) -> None:
    """spec/cli.md 14.9: the texts say what to use instead; nothing is run."""
    application.configure(registry={"server": SERVER})
    for command, instead in (("login", "setup"), ("logout", "remove")):
        outcome = application.kamal("registry", command, expect=1)
        expected = (
            f"  ERROR (RuntimeError): Cannot use {command} command with a local registry. "
            f"Use `kamal registry {instead}` instead.\n"
        )
        assert outcome.stdout == expected


def test_deploying_through_it(at_workstation: Application) -> None:
    """spec/cli.md 15.3, 15.4, 15.6: started for the build, in reach of the hosts while they pull and not longer."""
    application = at_workstation
    outcome = application.kamal("setup")
    version = application.git("rev-parse", "HEAD")
    addresses = ", ".join(host.address for host in application.hosts)
    assert f"Setting up local registry port forwarding to {addresses}...\n" in outcome.stdout
    assert "docker login" not in outcome.stdout
    assert local_registry.running(application.sandbox) != []
    for host in application.hosts:
        assert application.version_served(host) == version
        assert f"{SERVER}/hello/app:{version}" in host.docker("image", "ls", "--format", "{{.Repository}}:{{.Tag}}")
        assert not listening(host, PORT)


def test_a_port_that_is_taken_on_a_host(at_workstation: Application) -> None:
    """spec/cli.md 15.6: which host, why, and what to do; the other host's forwarding ends too."""
    application = at_workstation
    first, second = application.hosts
    take = f"socat TCP-LISTEN:{PORT},bind=127.0.0.1,reuseaddr /dev/null > /dev/null 2>&1 & echo $! > /run/taker"
    first.run(["sh", "-c", take])
    wait_until(lambda: listening(first, PORT), what="another program on the port")
    try:
        outcome = application.kamal("build", "deliver", expect=1)
    finally:
        first.run(["sh", "-c", "kill $(cat /run/taker)"])
    assert f" ERROR Error setting up port forwarding to {first.address}: " in outcome.stdout
    assert f"Could not forward port {PORT} of {first.address} to this machine" in outcome.stdout
    assert "AllowTcpForwarding" in outcome.stdout
    assert not listening(second, PORT)


# -- the forwarding itself


class Forwarding:
    """Forwards a port of the hosts to a server of this process. `told` are the messages and log lines."""

    def __init__(self, application: Application) -> None:
        self.application = application
        self.told: list[str] = []
        self.errors: list[str] = []

    def run(self, *hosts: str, port: int) -> list[str]:
        """Return each host's answer on that port while the forwarding is up."""

        def tell(event: Event) -> None:
            if isinstance(event, Message):
                self.told.append(event.text)
            elif isinstance(event, Log) and event.level is Level.ERROR:
                self.errors.append(event.text)

        async def main() -> list[str]:
            config = load(self.application.folder / "config" / "deploy.yml", destination=None, system=LocalSystem())
            run = run_context(
                config,
                Settings(),
                Bus(tell),
                Secrets(),
                operation="build push",
                executor=ActingExecutor(),
                connects=False,
            )
            async with run as context:
                return await self._hear(context, hosts, port)

        return asyncio.run(main())

    async def _hear(self, context: Context, hosts: tuple[str, ...], port: int) -> list[str]:
        async with port_forwarding.forwarded(context, port, hosts):
            return [
                await asyncio.to_thread(host.run, ["socat", "-u", f"TCP:127.0.0.1:{port}", "-"])
                for host in self.application.hosts
            ]


@pytest.fixture
def forwarding(application: Application, monkeypatch: pytest.MonkeyPatch) -> Forwarding:
    monkeypatch.chdir(application.folder)
    return Forwarding(application)


@pytest.fixture
def served() -> Iterator[int]:
    """A port of this machine that greets whoever comes."""

    async def greet(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"registry here\n")
        writer.close()

    loop = asyncio.new_event_loop()
    server = loop.run_until_complete(asyncio.start_server(greet, "127.0.0.1", 0))
    thread = Thread(target=loop.run_forever)
    thread.start()
    yield int(server.sockets[0].getsockname()[1])
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    server.close()
    loop.run_until_complete(server.wait_closed())
    loop.close()


def test_a_builder_is_reached_with_the_settings_of_the_configuration(forwarding: Forwarding, served: int) -> None:
    """spec/cli.md 22, 20: user and port of the builder's URL, the keys of deploy.yml (Ruby Kamal ignores those)."""
    first, second = forwarding.application.hosts
    builders = (f"root@{first.address}:22", f"root@{second.address}")
    assert forwarding.run(*builders, port=served) == ["registry here\n"] * 2
    assert forwarding.told == [f"Setting up local registry port forwarding to {', '.join(builders)}..."]
    assert not any(listening(host, served) for host in (first, second))


def test_a_host_that_is_away(forwarding: Forwarding, served: int) -> None:
    """spec/cli.md 15.6: a failure names the host and is raised; the other's forwarding ends."""
    first, second = forwarding.application.hosts
    first.stop_sshd()
    with pytest.raises(ConnectionFailed, match=first.address):
        forwarding.run(first.address, second.address, port=served)
    (error,) = (text for text in forwarding.errors if text.startswith("Error setting up port forwarding"))
    assert error.startswith(f"Error setting up port forwarding to {first.address}: Errno::ECONNREFUSED: ")
    assert not listening(second, served)


def test_several_hosts_that_are_away(forwarding: Forwarding, served: int) -> None:
    """spec/cli.md 6.4: every host's failure is told."""
    for host in forwarding.application.hosts:
        host.stop_sshd()
    with pytest.raises(HostErrors, match="Exceptions on 2 hosts"):
        forwarding.run(*(host.address for host in forwarding.application.hosts), port=served)


def test_a_host_that_never_answers(forwarding: Forwarding, monkeypatch: pytest.MonkeyPatch) -> None:
    """spec/cli.md 15.6: all forwardings must stand within 30 seconds."""
    assert port_forwarding.FORWARDING_SECONDS == 30
    monkeypatch.setattr(port_forwarding, "FORWARDING_SECONDS", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        with pytest.raises(ConnectionFailed, match="Timed out waiting for port forwarding to be established"):
            forwarding.run(f"root@127.0.0.1:{port}", port=PORT)
