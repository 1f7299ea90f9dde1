"""A sandbox as a whole: up, status, down, and what tests and the demo ask of it."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import secrets
import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from pykamal.core.errors import SandboxError
from pykamal.sandbox import network, project, registry, seeds
from pykamal.sandbox.engine import Engine
from pykamal.sandbox.host import Host
from pykamal.sandbox.manifest import Journal, Machine, Manifest, boot_identifier, load
from pykamal.sandbox.namespaces import NamespaceProvider
from pykamal.sandbox.paths import DEFAULT_NAME, Paths, cache, home
from pykamal.sandbox.provider import Provider
from pykamal.sandbox.python_image import REPOSITORY

WORKSTATION = "workstation"
MOST_HOSTS = 50


@dataclass(frozen=True, slots=True)
class Status:
    """`hosts` and `services` say for each name whether it is alive; `project` holds the ready deploy.yml."""

    name: str
    up: bool
    hosts: dict[str, bool]
    services: dict[str, bool]
    addresses: dict[str, str]
    registry: str
    project: Path


def default_images(say: Callable[[str], None] = lambda _: None) -> list[Path]:
    """What hosts have before anything is deployed: the proxy's image, built from Debian packages the first time."""
    from pykamal.proxy.errors import ProxyError
    from pykamal.proxy.image import build_image

    try:
        return [build_image(cache() / "proxy", say)]
    except ProxyError as error:
        raise SandboxError(f"The proxy's image cannot be built: {error}") from error


class Sandbox:
    """The sandbox of one name on this machine, whether it is up or not. Methods block; they may run in threads."""

    def __init__(self, name: str = DEFAULT_NAME, *, provider: Provider | None = None) -> None:
        self.paths = Paths.of(name)
        self.name = name
        self._provider = provider or NamespaceProvider()
        self._journal: Journal | None = None

    def up(
        self, *, hosts: int = 2, images: Sequence[Path] | None = None, say: Callable[[str], None] = lambda _: None
    ) -> bool:
        """Bring it up with these docker-archives on every host (None: the proxy's); False when it was up already.

        Remains of a sandbox that died are cleaned away first. Raises SandboxError, and then nothing is left behind.
        """
        if not 1 <= hosts <= MOST_HOSTS:
            raise SandboxError(f"A sandbox has 1 to {MOST_HOSTS} hosts, not {hosts}")
        self._provider.require()
        with self._locked():
            found = load(self.paths)
            if found is not None and self._is_up(found):
                self._start_services(Journal(found, self.paths))
                if len(found.hosts) != hosts:
                    raise SandboxError(
                        f"The sandbox {self.name} is up with {len(found.hosts)} hosts, not {hosts}",
                        hint=f"Take it down first, or keep it: --hosts {len(found.hosts)}",
                    )
                return False
            if found is not None:
                say("removing what is left of an earlier one")
                self._remove(found)
            archives = default_images(say) if images is None else images
            with _machine_wide_lock():
                journal = Journal(self._plan(hosts), self.paths)
                journal.manifest.save(self.paths)
            try:
                self._make(journal, archives, say)
            except BaseException:
                with contextlib.suppress(SandboxError, OSError):
                    self._remove(journal.manifest)
                raise
            self._journal = journal
            return True

    def down(self) -> bool:
        """End it and remove all that it made; False when there was nothing."""
        with self._locked():
            found = load(self.paths)
            self._journal = None
            if found is None:
                return False
            self._remove(found)
            return True

    def status(self) -> Status | None:
        """None when there is no such sandbox."""
        found = load(self.paths)
        if found is None:
            return None
        services = {role: self._alive(found, role) for role in (WORKSTATION, registry.ROLE, registry.DOOR_ROLE)}
        alive = {host.name: self._alive(found, host.name) for host in found.hosts}
        return Status(
            name=self.name,
            up=self._is_up(found),
            hosts=alive,
            services=services,
            addresses={host.name: host.address for host in found.hosts},
            registry=found.registry_server,
            project=self.paths.project,
        )

    # What stands in it

    @property
    def manifest(self) -> Manifest:
        return self._open().manifest

    @property
    def hosts(self) -> list[Host]:
        journal = self._open()
        return [Host(journal, self._provider, machine) for machine in journal.manifest.hosts]

    def host(self, name: str) -> Host:
        """By name (`h1`) or address."""
        for host in self.hosts:
            if name in {host.name, host.address}:
                return host
        known = ", ".join(host.name for host in self.hosts)
        raise SandboxError(f"The sandbox {self.name} has no host {name}", hint=f"Its hosts are {known}.")

    @property
    def engine(self) -> Engine:
        """The workstation's engine, where images are built."""
        return Engine(self.paths.workstation_socket, name=WORKSTATION)

    def environment(self) -> dict[str, str]:
        """Variables for a Kamal or Docker that works on this sandbox: put them into os.environ or `env=`."""
        return project.environment(self.manifest, self.paths)

    def copy_project(self, target: Path) -> list[Path]:
        """Give a project the sandbox's deploy.yml and secrets where it has none; the files that were written."""
        return project.copy_project(self.paths, target)

    def ssh_argv(self, host: str, command: Sequence[str] = ()) -> list[str]:
        address = self.host(host).address
        return ["ssh", "-F", str(self.paths.ssh_config), *(() if command else ("-t",)), address, *command]

    def docker(self, *arguments: str, check: bool = True) -> str:
        """Standard output of the Docker client against the workstation's engine."""
        done = subprocess.run(
            ["docker", *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            env=os.environ | self.environment(),
        )
        if check and done.returncode != 0:
            raise SandboxError(
                f"docker {arguments[0]} ended with status {done.returncode}",
                host=WORKSTATION,
                details=(f"stderr: {done.stderr.strip() or 'Nothing written'}",),
            )
        return done.stdout

    def login(self) -> None:
        """Log the operator's Docker client in to the registry."""
        found = self.manifest
        self.docker("login", found.registry_server, "-u", found.registry_username, "-p", found.registry_password)

    def build_app(self, directory: Path, tag: str, *, push: bool = True) -> str:
        """Build a folder with a Dockerfile as `SERVER/TAG`, push it unless told not to, and return the reference."""
        server = self.manifest.registry_server
        reference = f"{server}/{tag}"
        service = f"service={project.SERVICE}"
        arguments = ["--build-arg", f"REGISTRY={server}", "--label", service, "--tag", reference]
        self.docker("build", *arguments, str(directory))
        if push:
            self.login()
            self.docker("push", reference)
        return reference

    def load_image(self, tar: Path) -> None:
        """Load a docker-archive on every host, at once."""

        def load_on(host: Host) -> None:
            host.engine.load(tar)
            host.keep_images()

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(load_on, self.hosts))

    def stop_registry(self) -> None:
        """A registry that is away: connections to its port are closed at once."""
        journal = self._open()
        process = journal.manifest.process(registry.ROLE)
        if process is not None:
            registry.stop_server(process)

    def start_registry(self) -> None:
        self._start_services(self._open())
        registry.wait(self.paths)

    def _start_services(self, journal: Journal) -> None:
        if not self._alive(journal.manifest, registry.ROLE):
            registry.start_server(journal)
        if not self._alive(journal.manifest, registry.DOOR_ROLE):
            registry.start_door(journal)

    # Making and removing

    def _plan(self, hosts: int) -> Manifest:
        others = [other for other in _all_manifests() if other.name != self.name]
        preference = int.from_bytes(hashlib.sha256(str(self.paths.root).encode()).digest()[:4])
        subnet = network.choose_subnet(preference, [other.subnet for other in others])
        prefix = subnet.rpartition(".")[0]
        if self.paths.root.exists() and any(self.paths.root.iterdir()):
            raise SandboxError(
                f"{self.paths.root} exists and was not made by a sandbox", hint="Remove it, or choose another name."
            )
        self.paths.root.mkdir(parents=True, exist_ok=True)
        return Manifest(
            name=self.name,
            token=secrets.token_hex(4),
            boot=boot_identifier(),
            provider=self._provider.name,
            subnet=subnet,
            gateway=f"{prefix}.1",
            bridge=self.paths.bridge,
            registry_port=network.choose_port(preference, [other.registry_port for other in others]),
            registry_username="sandbox",
            registry_password=secrets.token_urlsafe(12),
            workstation=Machine(WORKSTATION, f"{prefix}.2", self.paths.link(0)),
            hosts=tuple(
                Machine(f"h{number}", f"{prefix}.{10 + number}", self.paths.link(number))
                for number in range(1, hosts + 1)
            ),
        )

    def _make(self, journal: Journal, images: Sequence[Path], say: Callable[[str], None]) -> None:
        manifest, paths = journal.manifest, journal.paths
        seed = seeds.seed_for(images)
        known = seed.ready
        paths.shared.mkdir(exist_ok=True)
        with ThreadPoolExecutor(8) as pool:
            keys = pool.submit(project.make_keys, manifest, paths)
            if known:
                list(pool.map(lambda machine: self._plant(seed, manifest, machine), manifest.machines))
                seed.plant_registry(paths.registry / "storage")
            registry.start(journal)
            self._provider.make_network(journal)
            self._provider.start(journal, manifest.workstation)
            if not known:
                self.engine.wait()
                registry.wait(paths)
                seeds.make_seed(seed, journal, self.engine, images, say=say)
                list(pool.map(lambda machine: self._plant(seed, manifest, machine), manifest.hosts))
            keys.result()
            say(f"starting {len(manifest.hosts)} hosts")
            list(pool.map(lambda host: self._provider.start(journal, host), manifest.hosts))
            list(pool.map(lambda host: self._finish(journal, host), manifest.hosts))
            self.engine.wait()
            registry.wait(paths)
        base = f"{manifest.registry_server}/{REPOSITORY}"
        self.engine.tag(f"{REPOSITORY}:{seed.python_version}", base, seed.python_version)
        project.write_project(manifest, paths)

    def _plant(self, seed: seeds.Seed, manifest: Manifest, machine: Machine) -> None:
        seed.plant_engine(self.paths.host(machine.name) / "docker", manifest.registry_server)

    def _finish(self, journal: Journal, machine: Machine) -> None:
        host = Host(journal, self._provider, machine)
        host.wait_for_port(22)
        host.engine.wait()
        host.keep_images()

    def _remove(self, found: Manifest) -> None:
        self._provider.remove(found)
        shutil.rmtree(self.paths.root)

    def _open(self) -> Journal:
        if self._journal is None:
            found = load(self.paths)
            if found is None or not self._is_up(found):
                raise SandboxError(
                    f"The sandbox {self.name} is not up", hint=f"Bring it up: kamal sandbox up --name {self.name}"
                )
            self._journal = Journal(found, self.paths)
        return self._journal

    def _is_up(self, found: Manifest) -> bool:
        """Whether all machines run; a registry that a test stopped is no reason to begin anew."""
        return found.boot == boot_identifier() and all(self._alive(found, machine.name) for machine in found.machines)

    @staticmethod
    def _alive(found: Manifest, role: str) -> bool:
        process = found.process(role)
        return process is not None and process.alive

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        """One `up` or `down` of a name at a time."""
        with _lock(home() / f".{self.name}.lock"):
            yield


def _machine_wide_lock() -> contextlib.AbstractContextManager[None]:
    """Held while a subnet and a port are chosen and written down."""
    return _lock(home() / ".lock")


@contextlib.contextmanager
def _lock(path: Path) -> Iterator[None]:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _all_manifests() -> list[Manifest]:
    names = [folder.parent.name for folder in home().glob("*/manifest.json")]
    return [found for name in names if (found := load(Paths.of(name))) is not None]
