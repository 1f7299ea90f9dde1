"""Makes machines of Linux namespaces: this machine's packages, with a network, processes and files of their own.

Each has its own sshd and its own engine, starts in a fraction of a second and needs no image (spec/lab.md, way A).
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from pykamal.core.errors import SandboxError
from pykamal.sandbox import background_processes, machine_init, network, project, registry_server, seeds
from pykamal.sandbox.background_processes import at_once
from pykamal.sandbox.engine import Engine
from pykamal.sandbox.manifest import Journal, Machine, Manifest, boot_identifier
from pykamal.sandbox.paths import Paths, home
from pykamal.sandbox.provider import Say, wait_for_engine
from pykamal.sandbox.proxy_image import proxy_image
from pykamal.sandbox.python_image import REPOSITORY

NAMESPACES = ("--net", "--mount", "--uts", "--pid")
PROGRAMS = (
    "containerd", "docker", "docker-registry", "dockerd", "htpasswd", "ip", "iptables", "nsenter", "pivot_root",
    "runc", "socat", "ssh-keygen", "sshd", "unshare",
)  # fmt: skip
HINT = "The sandbox makes Linux namespaces: it needs root (sudo) and, in a container, --privileged or CAP_SYS_ADMIN."


class NamespaceProvider:
    name = "namespaces"

    def require(self) -> None:
        if sys.platform != "linux":
            raise SandboxError("The sandbox needs Linux", hint="Run it in a Linux virtual machine.")
        if os.geteuid() != 0:
            raise SandboxError("The sandbox needs root", hint="Run it with sudo.")
        missing = [
            program for program in PROGRAMS if shutil.which(program, path=machine_init.ENVIRONMENT["PATH"]) is None
        ]
        if missing:
            raise SandboxError(
                f"The sandbox needs programs that are not installed: {', '.join(missing)}",
                hint="Run scripts/setup, which installs what the sandbox needs.",
            )
        trial = subprocess.run(["unshare", *NAMESPACES, "--fork", "true"], capture_output=True, text=True, check=False)
        if trial.returncode != 0:
            raise SandboxError(
                "This machine does not permit new namespaces", details=(trial.stderr.strip(),), hint=HINT
            )
        home().mkdir(parents=True, exist_ok=True)
        if background_processes.run(["stat", "--file-system", "--format=%T", str(home())]).strip() == "overlayfs":
            raise SandboxError(
                f"{home()} is on an overlay, where Docker cannot keep its layers",
                hint="Mount a volume there, or set PYKAMAL_SANDBOX_HOME to a folder on a real disk.",
            )

    def make(self, journal: Journal, images: Sequence[Path], say: Say) -> None:
        manifest, paths = journal.manifest, journal.paths
        workstation = Engine(paths.workstation_socket, name=manifest.workstation.name)
        seed = seeds.seed_for(images)
        known = seed.ready
        paths.shared.mkdir(exist_ok=True)
        network.make_bridge(manifest)
        if known:
            seed.plant_archive(paths.images)
            seed.plant_registry(paths.registry / "storage")
            at_once(lambda machine: _plant(seed, journal, machine), manifest.machines)
        registry_server.start(journal)
        start_machine(journal, manifest.workstation)
        if not known:
            workstation.wait()
            registry_server.wait(paths)
            seeds.make_seed(seed, journal, workstation, images, say=say)
            at_once(lambda host: _plant(seed, journal, host), manifest.hosts)
        say(f"starting {len(manifest.hosts)} hosts")
        at_once(lambda host: start_machine(journal, host), manifest.hosts)
        at_once(lambda machine: wait_for_engine(self.entrance(journal, machine)), manifest.machines)
        registry_server.wait(paths)
        repository = f"{manifest.registry_server}/{REPOSITORY}"
        workstation.tag(f"{REPOSITORY}:{seed.python_version}", repository, seed.python_version)

    def remove(self, manifest: Manifest, paths: Paths) -> None:  # noqa: ARG002 (other providers look there)
        if manifest.boot == boot_identifier():
            background_processes.end({process.pid: process.started_ticks for process in manifest.processes})
        network.remove(manifest)
        for machine in manifest.machines:
            _remove_cgroups(_cgroup(manifest, machine))

    def alive(self, manifest: Manifest) -> dict[str, bool]:
        names = [*(machine.name for machine in manifest.machines), registry_server.ROLE, registry_server.FORWARD_ROLE]
        same_boot = manifest.boot == boot_identifier()
        found = {name: manifest.process(name) for name in names}
        return {name: same_boot and process is not None and process.alive for name, process in found.items()}

    def entrance(self, journal: Journal, machine: Machine) -> NamespaceEntrance:
        process = journal.manifest.process(machine.name)
        if process is None or not process.alive:
            raise SandboxError(f"{machine.name} of the sandbox {journal.manifest.name} is not running")
        return NamespaceEntrance(process.pid, machine)

    def stop_registry(self, journal: Journal) -> None:
        process = journal.manifest.process(registry_server.ROLE)
        if process is not None:
            registry_server.stop_server(process)

    def start_registry(self, journal: Journal) -> None:
        alive = self.alive(journal.manifest)
        if not alive[registry_server.ROLE]:
            registry_server.start_server(journal)
        if not alive[registry_server.FORWARD_ROLE]:
            registry_server.start_forward(journal)
        registry_server.wait(journal.paths)

    def default_images(self, say: Say) -> list[Path]:
        return [proxy_image(say)]

    def environment(self, paths: Paths) -> dict[str, str]:
        return {"DOCKER_HOST": f"unix://{paths.workstation_socket}"}


class NamespaceEntrance:
    def __init__(self, pid: int, machine: Machine) -> None:
        self.pid = pid
        self.machine = machine

    def argv(self, argv: Sequence[str], *, stdin: bool = False) -> list[str]:  # noqa: ARG002 (nsenter passes it on)
        # The root is named too: where this process runs below a chroot, the namespace's own root is another.
        enter = ["nsenter", "--target", str(self.pid), "--net", "--mount", "--uts", "--pid", "--root", "--wd"]
        environment = (f"{name}={value}" for name, value in machine_init.ENVIRONMENT.items())
        return [*enter, "env", "--ignore-environment", *environment, *argv]

    def engine(self) -> Engine:
        return Engine(Path(f"/proc/{self.pid}/root/run/docker.sock"), name=self.machine.name)

    def set_connected(self, connected: bool) -> None:
        network.set_cable(self.machine, plugged=connected)


def start_machine(journal: Journal, machine: Machine) -> None:
    """Start a machine and plug it in; it can be entered then, while its services are still starting."""
    manifest, paths = journal.manifest, journal.paths
    folder = paths.host(machine.name)
    for name in ("docker", "log", "stage"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    pid_file = folder / "pid"
    pid_file.unlink(missing_ok=True)
    (folder / "init.json").write_text(json.dumps(_specification(manifest, paths, machine), indent=2))
    log = folder / "log" / "init.log"
    program = [sys.executable, "-I", "-S", machine_init.__file__, str(folder / "init.json")]
    keeper = background_processes.spawn(["unshare", *NAMESPACES, "--fork", "--kill-child", *program], log=log)
    journal.add(f"{machine.name} keeper", keeper)
    pid = _wait_for_pid(pid_file, keeper, machine, log)
    journal.add(machine.name, pid)
    network.connect(manifest, machine, pid)


def _plant(seed: seeds.Seed, journal: Journal, machine: Machine) -> None:
    seed.plant_engine(journal.paths.host(machine.name) / "docker", journal.manifest.registry_server)


def _specification(manifest: Manifest, paths: Paths, machine: Machine) -> dict[str, object]:
    """Return the specification for machine_init.py."""
    folder = paths.host(machine.name)
    is_host = machine in manifest.hosts
    sockets = ["--host", "unix:///run/docker.sock"]
    if not is_host:
        paths.workstation_socket.unlink(missing_ok=True)
        sockets += ["--host", "unix:///run/sandbox/docker.sock"]
    return {
        "pid_file": str(folder / "pid"),
        "stage": str(folder / "stage"),
        "hostname": f"{manifest.name}-{machine.name}",
        "address": machine.address,
        "hide": str(home()),
        "binds": [
            [str(folder / "docker"), "/var/lib/docker"],
            [str(folder / "log"), machine_init.LOGS],
            [str(paths.shared), "/run/sandbox"],
        ],
        "registry_port": manifest.registry_port,
        "registry": "UNIX-CONNECT:/run/sandbox/registry.sock",
        "engine_arguments": [*sockets, "--cgroup-parent", f"/{_cgroup(manifest, machine)}"],
        "ssh": project.server_keys(paths, machine) if is_host else None,
    }


def _cgroup(manifest: Manifest, machine: Machine) -> str:
    return f"pykamal-{manifest.token}-{machine.name}"


def _remove_cgroups(name: str) -> None:
    """Remove the control groups that an engine made for its containers, in every hierarchy (version 2 has one).

    A group can be removed a moment after its last process has ended, not before.
    """
    root = Path("/sys/fs/cgroup")
    deadline = time.monotonic() + 2
    while tops := [top for top in (root / name, *root.glob(f"*/{name}")) if top.exists()]:
        for top in tops:
            for folder, _, _ in os.walk(top, topdown=False):
                with contextlib.suppress(OSError):
                    Path(folder).rmdir()
        if time.monotonic() > deadline:
            raise SandboxError(f"The control groups {name} cannot be removed", details=tuple(map(str, tops)))
        time.sleep(0.002)


def _wait_for_pid(pid_file: Path, keeper: int, machine: Machine, log: Path) -> int:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        if pid_file.exists() and (text := pid_file.read_text()):
            return int(text)
        if background_processes.start_time_ticks(keeper) is None:
            break
        time.sleep(0.002)
    lines = log.read_text(errors="replace").splitlines()[-5:]
    raise SandboxError(f"{machine.name} does not start", details=tuple(lines), hint=HINT)
