"""The sandbox as a whole: up, status, down, and helpers for tests and the demo."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import secrets
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from pykamal.core.errors import SandboxError
from pykamal.sandbox import network, project
from pykamal.sandbox.container_machines import ContainerProvider
from pykamal.sandbox.host import Host
from pykamal.sandbox.manifest import Journal, Machine, Manifest, boot_identifier, load
from pykamal.sandbox.namespaces import NamespaceProvider
from pykamal.sandbox.paths import DEFAULT_NAME, Paths, home
from pykamal.sandbox.provider import Provider, Say

WORKSTATION = "workstation"
MOST_HOSTS = 50
PROVIDERS: dict[str, type[Provider]] = {"namespaces": NamespaceProvider, "containers": ContainerProvider}


@dataclass(frozen=True, slots=True)
class Status:
    """The state of a sandbox. `hosts` and `services` map names to True where they run; `project` is a ready project."""

    name: str
    up: bool
    hosts: dict[str, bool]
    services: dict[str, bool]
    addresses: dict[str, str]
    registry: str
    project: Path


class Sandbox:
    """The sandbox of one name on this machine, up or not. Methods block; they may run in threads."""

    def __init__(self, name: str = DEFAULT_NAME) -> None:
        self.paths = Paths.of(name)
        self.name = name
        self._journal: Journal | None = None

    def up(
        self,
        *,
        hosts: int = 2,
        provider: Provider | None = None,
        images: Sequence[Path] | None = None,
        say: Say = lambda _: None,
    ) -> bool:
        """Start it with these docker-archives on every host (None: the proxy's); return False when it was up already.

        Remains of a sandbox that died are cleaned away first. Raises SandboxError, and then nothing is left behind.
        """
        if not 1 <= hosts <= MOST_HOSTS:
            raise SandboxError(f"A sandbox has 1 to {MOST_HOSTS} hosts, not {hosts}")
        chosen = provider or choose_provider()
        chosen.require()
        with self._locked():
            found = load(self.paths)
            if found is not None and _is_up(found):
                _provider_of(found).start_registry(Journal(found, self.paths))
                if len(found.hosts) != hosts:
                    raise SandboxError(
                        f"The sandbox {self.name} is up with {len(found.hosts)} hosts, not {hosts}",
                        hint=f"Take it down first, or keep it: --hosts {len(found.hosts)}",
                    )
                return False
            if found is not None:
                say("removing what is left of an earlier one")
                self._remove(found)
            archives = chosen.default_images(say) if images is None else images
            with _machine_wide_lock():
                journal = Journal(self._plan(hosts, chosen.name), self.paths)
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
        """End it and remove all that it made; return False when there was nothing."""
        with self._locked():
            found = load(self.paths)
            self._journal = None
            if found is None:
                return False
            self._remove(found)
            return True

    def status(self) -> Status | None:
        """Return the state, None where there is no such sandbox."""
        found = load(self.paths)
        if found is None:
            return None
        alive = _provider_of(found).alive(found)
        names = [host.name for host in found.hosts]
        return Status(
            name=self.name,
            up=_is_up(found),
            hosts={name: alive[name] for name in names},
            services={name: running for name, running in alive.items() if name not in names},
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
        provider = _provider_of(journal.manifest)
        return [Host(journal, provider, machine) for machine in journal.manifest.hosts]

    def host(self, name: str) -> Host:
        """Return a host by name (`h1`) or address. Raises `SandboxError` for an unknown one."""
        for host in self.hosts:
            if name in {host.name, host.address}:
                return host
        known = ", ".join(host.name for host in self.hosts)
        raise SandboxError(f"The sandbox {self.name} has no host {name}", hint=f"Its hosts are {known}.")

    def environment(self) -> dict[str, str]:
        """Return the environment variables with which Kamal and Docker work on this sandbox."""
        found = self.manifest
        return _provider_of(found).environment(self.paths) | project.environment(found, self.paths)

    def copy_project(self, target: Path) -> list[Path]:
        """Copy the sandbox's deploy.yml and secrets to a project that has none; return the new files."""
        return project.copy_project(self.paths, target)

    def ssh_argv(self, host: str, command: Sequence[str] = ()) -> list[str]:
        address = self.host(host).address
        return ["ssh", "-F", str(self.paths.ssh_config), *(() if command else ("-t",)), address, *command]

    def docker(self, *arguments: str, check: bool = True) -> str:
        """Run the Docker client against the workstation's engine and return its standard output.

        Raises `SandboxError` for a command that fails, unless `check` is false.
        """
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

    def stop_registry(self) -> None:
        """Stop the registry: connections to its port are closed at once."""
        journal = self._open()
        _provider_of(journal.manifest).stop_registry(journal)

    def start_registry(self) -> None:
        journal = self._open()
        _provider_of(journal.manifest).start_registry(journal)

    # Making and removing

    def _plan(self, hosts: int, provider: str) -> Manifest:
        others = [other for other in _all_manifests() if other.name != self.name]
        preference = int.from_bytes(hashlib.sha256(str(self.paths.root).encode()).digest()[:4])
        subnet = network.choose_subnet(preference, [other.subnet for other in others])
        prefix = subnet.rpartition(".")[0]
        if self.paths.root.exists() and any(path != self.paths.manifest_draft for path in self.paths.root.iterdir()):
            raise SandboxError(
                f"{self.paths.root} exists and was not made by a sandbox", hint="Remove it, or choose another name."
            )
        self.paths.root.mkdir(mode=0o700, parents=True, exist_ok=True)  # private keys and passwords are below it
        return Manifest(
            name=self.name,
            token=secrets.token_hex(4),
            boot=boot_identifier(),
            provider=provider,
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

    def _make(self, journal: Journal, images: Sequence[Path], say: Say) -> None:
        provider = _provider_of(journal.manifest)
        project.make_keys(journal.manifest, self.paths)
        self.paths.images.mkdir(exist_ok=True)
        for image in images:
            self._keep_archive(image)
        provider.make(journal, images, say)
        for machine in journal.manifest.hosts:
            host = Host(journal, provider, machine)
            host.wait_for_port(22)
            host.keep_images()
        project.write_project(journal.manifest, self.paths)

    def _keep_archive(self, tar: Path) -> None:
        kept = self.paths.images / tar.name
        if not kept.exists():
            shutil.copyfile(tar, kept)

    def _remove(self, found: Manifest) -> None:
        _provider_of(found).remove(found, self.paths)
        try:
            shutil.rmtree(self.paths.root)
        except OSError as error:
            raise SandboxError(
                f"{self.paths.root} cannot be removed: {error}", hint=f"Remove it: sudo rm -r {self.paths.root}"
            ) from error

    def _open(self) -> Journal:
        if self._journal is None:
            found = load(self.paths)
            if found is None or not _is_up(found):
                raise SandboxError(
                    f"The sandbox {self.name} is not up", hint=f"Bring it up: kamal sandbox up --name {self.name}"
                )
            self._journal = Journal(found, self.paths)
        return self._journal

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        """Hold the lock of this name: one `up` or `down` at a time."""
        with _lock(home() / f".{self.name}.lock"):
            yield


def choose_provider(name: str | None = None) -> Provider:
    """Return the provider of that name; by default namespaces, or containers where only those are possible.

    Raises SandboxError when neither can work.
    """
    if name is not None:
        return PROVIDERS[name]()
    provider = NamespaceProvider()
    try:
        provider.require()
    except SandboxError as error:
        containers = ContainerProvider()
        try:
            containers.require()
        except SandboxError as other:
            raise SandboxError(
                error.message, details=(*error.details, f"Nor can it use Docker: {other.message}"), hint=error.hint
            ) from error
        return containers
    return provider


def _provider_of(manifest: Manifest) -> Provider:
    try:
        return PROVIDERS[manifest.provider]()
    except KeyError:
        raise SandboxError(f"A newer version made the sandbox {manifest.name}: {manifest.provider}") from None


def _is_up(found: Manifest) -> bool:
    """Return True where all machines run; a registry that a test stopped is no reason to begin anew."""
    alive = _provider_of(found).alive(found)
    return all(alive.get(machine.name, True) for machine in found.machines)


def _machine_wide_lock() -> contextlib.AbstractContextManager[None]:
    """Hold a lock of the whole machine, while a subnet and a port are chosen and recorded."""
    return _lock(home() / ".lock")


@contextlib.contextmanager
def _lock(path: Path) -> Iterator[None]:
    """Hold a lock file, and remove it afterwards: a run of the tests would leave several."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        while True:
            file = path.open("w")
            fcntl.flock(file, fcntl.LOCK_EX)
            if _is_open_as(file, path):
                break
            file.close()  # its last holder removed the file: it is no lock any more
    except PermissionError as error:
        raise SandboxError(f"{error.filename} is not writable", hint="Run it with sudo.") from error
    with file:
        try:
            yield
        finally:
            path.unlink()


def _is_open_as(file: TextIO, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False


def _all_manifests() -> list[Manifest]:
    names = [folder.parent.name for folder in home().glob("*/manifest.json")]
    return [found for name in names if (found := load(Paths.of(name))) is not None]
