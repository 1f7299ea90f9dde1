"""Makes machines of containers, for a user with Docker who is not root (spec/lab.md, way B).

Each host is a container of a Debian image with sshd and an engine of its own; the registry is one more. Images are
built by the operator's own engine, whose loopback address leads to the registry as it does on every host.
"""

from __future__ import annotations

import importlib.resources
import json
import os
import platform
import shutil
import subprocess
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from pykamal.core.errors import SandboxError
from pykamal.sandbox import background_processes, machine_init, project, registry_server
from pykamal.sandbox.background_processes import at_once
from pykamal.sandbox.engine import Engine
from pykamal.sandbox.manifest import Journal, Machine, Manifest
from pykamal.sandbox.paths import Paths, cache
from pykamal.sandbox.provider import Entrance, Say, wait_for_engine
from pykamal.sandbox.python_image import REPOSITORY

IMAGE_VARIABLE = "PYKAMAL_SANDBOX_IMAGE"
IMAGE = "pykamal/sandbox-host:2"
LABEL = "pykamal-sandbox"
REGISTRY_PORT = 5000
READY_SECONDS = 30.0

# Debian 12, as the proxy's image is made of it, with the engine of Debian 13 (as scripts/setup has it).
DOCKERFILE = r"""
FROM debian:bookworm-slim
RUN cd /etc/apt && \
    awk -v RS= '/(^|\n)Suites: bookworm / { gsub(/(^|\n)Suites:[^\n]*/, "\nSuites: trixie"); print $0 "\n" }' \
        sources.list.d/debian.sources > sources.list.d/trixie.sources && \
    printf 'Package: *\nPin: release n=trixie\nPin-Priority: 50\n' > preferences.d/trixie && \
    apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
    apache2-utils busybox-static ca-certificates docker-cli/trixie docker-registry docker.io/trixie iproute2 iptables \
    openssh-client openssh-server procps python3 socat sudo
"""

# A nested engine without --privileged, which fails where a capability cannot be given (spec/lab.md).
RIGHTS = (
    "--cap-add=ALL", "--security-opt=seccomp=unconfined", "--security-opt=apparmor=unconfined",
    "--security-opt=systempaths=unconfined", "--cgroupns=host",
    "--volume=/sys/fs/cgroup:/sys/fs/cgroup:rw", "--device-cgroup-rule=a *:* rwm", "--init",
)  # fmt: skip


# A control group can be removed a moment after its last process has ended, not before.
CLEAN_UP = """\
find /sandbox -mindepth 1 ! -name manifest.json -delete
for attempt in 1 2 3 4 5 6 7 8 9 10; do
  find /sys/fs/cgroup -depth -type d -path "*/$0*" -exec rmdir {} + 2>/dev/null
  [ -z "$(find /sys/fs/cgroup -type d -path "*/$0*" -print -quit)" ] && exit 0
  sleep 0.1
done
"""


class ContainerProvider:
    name = "containers"

    def require(self) -> None:
        if shutil.which("docker") is None:
            raise SandboxError("Docker is not installed", hint="Install Docker, or run the sandbox as root.")
        answer = subprocess.run(["docker", "info"], capture_output=True, text=True, check=False)
        if answer.returncode != 0:
            raise SandboxError("Docker does not answer", details=(answer.stderr.strip(),), hint="Start Docker first.")
        if platform.system() != "Linux":
            raise SandboxError(
                "Containers cannot be reached by their addresses on this system",
                hint="Run the sandbox in a Linux virtual machine.",
            )

    def make(self, journal: Journal, images: Sequence[Path], say: Say) -> None:
        manifest, paths = journal.manifest, journal.paths
        image = _host_image(say)
        docker(
            "network", "create", "--driver=bridge", f"--subnet={manifest.subnet}", f"--gateway={manifest.gateway}",
            f"--label={_label(manifest)}", _network(manifest),
        )  # fmt: skip
        _start_registry_container(manifest, paths, image)
        say(f"starting {len(manifest.hosts)} hosts")
        with ThreadPoolExecutor(1) as beside:
            base = beside.submit(_push_base_image, manifest, paths, image, say)
            at_once(lambda host: _start_host(manifest, paths, host, image), manifest.hosts)
            archives = [base.result(), *images]
        at_once(lambda host: _load(self.entrance(journal, host), archives), manifest.hosts)

    def remove(self, manifest: Manifest, paths: Paths) -> None:
        ours = f"--filter=label={_label(manifest)}"
        containers = docker("ps", "--all", "--quiet", ours).split()
        if containers:
            image = docker("inspect", "--format={{.Image}}", containers[0]).strip()
            docker("rm", "--force", "--volumes", *containers)
            _clean_up_as_root(manifest, paths, image)
        networks = docker("network", "ls", "--quiet", ours).split()
        if networks:
            docker("network", "rm", *networks)
        reference = f"--filter=reference={manifest.registry_server}/*/*"
        built = set(docker("images", "--format={{.Repository}}:{{.Tag}}", reference).split())
        if built:
            docker("rmi", "--force", *sorted(built))

    def alive(self, manifest: Manifest) -> dict[str, bool]:
        listed = docker("ps", f"--filter=label={_label(manifest)}", "--format={{.Names}}").split()
        names = [*(host.name for host in manifest.hosts), registry_server.ROLE]
        return {name: _container(manifest, name) in listed for name in names}

    def entrance(self, journal: Journal, machine: Machine) -> ContainerEntrance:
        return ContainerEntrance(journal.manifest, journal.paths, machine)

    def stop_registry(self, journal: Journal) -> None:
        docker("kill", _container(journal.manifest, registry_server.ROLE))

    def start_registry(self, journal: Journal) -> None:
        docker("start", _container(journal.manifest, registry_server.ROLE))
        _wait_for_registry(journal.manifest)

    def default_images(self, say: Say) -> list[Path]:
        """Build the default images in a container: the operator's system need not be a Debian."""
        folder = cache() / "proxy"
        folder.mkdir(parents=True, exist_ok=True)
        say("building the proxy's image")
        program = ["python3", "-m", "pykamal.proxy.image", "/output"]
        written = _run_ours(_host_image(say), program, folder).split()
        return [folder / Path(written[-1]).name]

    def environment(self, paths: Paths) -> dict[str, str]:  # noqa: ARG002 (other providers have an engine of their own)
        """Return the Docker client's address, resolved: the sandbox's client settings have no contexts."""
        chosen = docker("context", "inspect", "--format={{.Endpoints.docker.Host}}").strip()
        return {"DOCKER_HOST": os.environ.get("DOCKER_HOST") or chosen}


class ContainerEntrance:
    def __init__(self, manifest: Manifest, paths: Paths, machine: Machine) -> None:
        self.container = _container(manifest, machine.name)
        self._manifest = manifest
        self._paths = paths
        self._machine = machine

    def argv(self, argv: Sequence[str], *, stdin: bool = False) -> list[str]:
        return ["docker", "exec", *(["--interactive"] if stdin else []), self.container, *argv]

    def engine(self) -> Engine:
        return Engine(self._paths.host(self._machine.name) / "run" / "docker.sock", name=self._machine.name)

    def set_connected(self, connected: bool) -> None:
        network = _network(self._manifest)
        attached = self.container in docker("network", "inspect", "--format={{json .Containers}}", network)
        if connected and not attached:
            docker("network", "connect", f"--ip={self._machine.address}", network, self.container)
        elif attached and not connected:
            docker("network", "disconnect", network, self.container)


def docker(*arguments: str) -> str:
    """Run the operator's Docker client and return its standard output. Raises SandboxError when it fails."""
    return background_processes.run(["docker", *arguments])


def _start_host(manifest: Manifest, paths: Paths, machine: Machine, image: str) -> None:
    folder = paths.host(machine.name)
    (folder / "run").mkdir(parents=True, exist_ok=True)
    (folder / "init.json").write_text(json.dumps(_specification(manifest, paths, machine), indent=2))
    _run_container(
        manifest, machine, machine.name,
        *RIGHTS, f"--hostname={manifest.name}-{machine.name}", "--volume=/var/lib/docker",
        f"--volume={folder}:/sandbox", f"--volume={machine_init.__file__}:/sandbox-init.py:ro",
        image, "python3", "-I", "-S", "/sandbox-init.py", "/sandbox/init.json",
    )  # fmt: skip


def _specification(manifest: Manifest, paths: Paths, machine: Machine) -> dict[str, object]:
    """Return what machine_init.py reads. The engine's group is the operator's, so that they can use its socket."""
    return {
        "stage": None,
        "registry_port": manifest.registry_port,
        "registry": f"TCP:{manifest.workstation.address}:{REGISTRY_PORT}",
        "engine_arguments": [
            "--host", "unix:///run/docker.sock", "--host", "unix:///sandbox/run/docker.sock",
            "--group", str(os.getgid()), "--cgroup-parent", f"/{_cgroup(manifest, machine)}",
        ],
        "ssh": project.server_keys(paths, machine),
    }  # fmt: skip


def _start_registry_container(manifest: Manifest, paths: Paths, image: str) -> None:
    """Start the registry on the workstation's address, which no other machine of this provider uses."""
    hashing = ["docker", "run", "--rm", "--interactive", image, *registry_server.password_program(manifest)]
    line = background_processes.run(hashing, stdin=manifest.registry_password)
    listen = {"addr": f":{REGISTRY_PORT}"}
    registry_server.write_settings(manifest, paths, password_line=line, folder=Path("/registry"), listen=listen)
    _run_container(
        manifest, manifest.workstation, registry_server.ROLE,
        f"--publish={manifest.registry_server}:{REGISTRY_PORT}", f"--volume={paths.registry}:/registry",
        image, "docker-registry", "serve", "/registry/config.yml",
    )  # fmt: skip
    _wait_for_registry(manifest)


def _run_container(manifest: Manifest, machine: Machine, name: str, *arguments: str) -> None:
    docker(
        "run", "--detach", f"--name={_container(manifest, name)}", f"--label={_label(manifest)}",
        f"--network={_network(manifest)}", f"--ip={machine.address}", *arguments,
    )  # fmt: skip


def _wait_for_registry(manifest: Manifest) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while not registry_server.answers(manifest):
        if time.monotonic() > deadline:
            log = docker("logs", "--tail=5", _container(manifest, registry_server.ROLE))
            raise SandboxError("The registry does not answer", details=(log,))
        time.sleep(0.02)


def _push_base_image(manifest: Manifest, paths: Paths, image: str, say: Say) -> Path:
    """Make the Python image in a container, push it with the operator's engine, and return its archive."""
    say("building the Python base image")
    version = _run_ours(image, ["python3", "-m", "pykamal.sandbox.python_image", "/output/python.tar"], paths.images)
    archive = paths.images / "python.tar"
    tag = version.strip()
    reference = f"{manifest.registry_server}/{REPOSITORY}:{tag}"
    settings = {**os.environ, "DOCKER_CONFIG": str(paths.docker_config)}
    paths.docker_config.mkdir(exist_ok=True)
    name, password = manifest.registry_username, manifest.registry_password
    docker("load", "--quiet", "--input", str(archive))
    docker("tag", f"{REPOSITORY}:{tag}", reference)
    docker("rmi", f"{REPOSITORY}:{tag}")  # the operator's engine keeps nothing under a name that is not the sandbox's
    login = ["docker", "login", "--username", name, "--password-stdin", manifest.registry_server]
    background_processes.run(login, stdin=password, env=settings)
    background_processes.run(["docker", "push", "--quiet", reference], env=settings)
    return archive


def _load(entrance: Entrance, archives: Sequence[Path]) -> None:
    wait_for_engine(entrance, timeout_seconds=READY_SECONDS)
    for archive in archives:
        entrance.engine().load(archive)


def _host_image(say: Say) -> str:
    """Return the image of hosts: built once, or named by the operator where no image registry can be reached."""
    chosen = os.environ.get(IMAGE_VARIABLE)
    if chosen:
        return chosen
    if not docker("images", "--quiet", IMAGE).strip():
        say("building the image of the hosts from Debian packages")
        background_processes.run(["docker", "build", "--quiet", "--tag", IMAGE, "-"], stdin=DOCKERFILE)
    return IMAGE


def _run_ours(image: str, program: Sequence[str], output: Path) -> str:
    """Run a module of ours in a container as the operator; `output` is /output there."""
    package = importlib.resources.files("pykamal")
    return docker(
        "run", "--rm", f"--user={os.getuid()}:{os.getgid()}", f"--volume={package}:/program/pykamal:ro",
        "--env=PYTHONPATH=/program", "--env=PYTHONDONTWRITEBYTECODE=1", f"--volume={output}:/output", image, *program,
    )  # fmt: skip


def _clean_up_as_root(manifest: Manifest, paths: Paths, image: str) -> None:
    """Remove files that a container's root wrote to the sandbox's folder, and control groups of the hosts' engines."""
    docker(
        "run", "--rm", f"--volume={paths.root}:/sandbox", "--volume=/sys/fs/cgroup:/sys/fs/cgroup:rw", image,
        "sh", "-c", CLEAN_UP, f"pykamal-{manifest.token}-",
    )  # fmt: skip


def _cgroup(manifest: Manifest, machine: Machine) -> str:
    return f"pykamal-{manifest.token}-{machine.name}"


def _label(manifest: Manifest) -> str:
    return f"{LABEL}={manifest.token}"


def _network(manifest: Manifest) -> str:
    return f"pykamal-sandbox-{manifest.name}"


def _container(manifest: Manifest, name: str) -> str:
    return f"pykamal-sandbox-{manifest.name}-{name}"
