"""A server of the sandbox, for tests: arrange and observe things there without SSH."""

from __future__ import annotations

import json
import socket
import subprocess
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO, Any

from pykamal.core.errors import SandboxError
from pykamal.sandbox import background_processes, machine_init, project
from pykamal.sandbox.engine import Engine
from pykamal.sandbox.manifest import Journal, Machine
from pykamal.sandbox.provider import Entrance, Provider

HOST_KEY = "/etc/ssh/ssh_host_ed25519_key"
ENGINE_ROOT = "/var/lib/docker"
DOCKER_FILES = ("/usr/bin/docker", "/usr/sbin/dockerd")
AWAY = ".away"  # what a removed file is renamed to until it is restored
SMALL_DISK = "small-disk"
KEPT_IMAGES = "images.json"
OWN_NETWORKS = {"bridge", "host", "none"}


class Host:
    """A running host. `name` is `h1`, `address` an IPv4 address that this machine reaches."""

    def __init__(self, journal: Journal, provider: Provider, machine: Machine) -> None:
        self.name = machine.name
        self.address = machine.address
        self._journal = journal
        self._provider = provider
        self._machine = machine

    # Looking and arranging

    def run(self, argv: Sequence[str], *, stdin: str | IO[bytes] | None = None, check: bool = True) -> str:
        """Run a command as root inside; return its output. Raises SandboxError when it fails, unless `check` is off."""
        given: dict[str, Any] = {"input": stdin} if isinstance(stdin, str) else {"stdin": stdin or subprocess.DEVNULL}
        done: subprocess.CompletedProcess[str] = subprocess.run(
            self._entrance.argv(argv, stdin=stdin is not None), capture_output=True, text=True, check=False, **given
        )
        if check and done.returncode != 0:
            raise SandboxError(
                f"{argv[0]} ended with status {done.returncode}",
                host=self.name,
                details=(f"command: {' '.join(argv)}", f"stderr: {done.stderr.strip() or 'Nothing written'}"),
            )
        return done.stdout

    def docker(self, *arguments: str, check: bool = True) -> str:
        return self.run(["docker", *arguments], check=check)

    def read(self, path: str) -> str:
        return self.run(["cat", path])

    def write(self, path: str, text: str, *, mode: int = 0o644) -> None:
        """Write a file, and make its folder where there is none."""
        self.run(["mkdir", "-p", str(Path(path).parent)])
        self.run(["install", "-m", f"{mode:o}", "/dev/stdin", path], stdin=text)

    def put(self, source: Path, folder: str) -> None:
        """Copy a file or a folder of this machine into a folder there."""
        self.run(["mkdir", "-p", folder])
        packer = ["tar", "--create", "--directory", str(source.parent), source.name]
        with subprocess.Popen(packer, stdout=subprocess.PIPE) as packing:
            self.run(["tar", "--extract", "--no-same-owner", "--directory", folder], stdin=packing.stdout)

    def exists(self, path: str) -> bool:
        return self.run(["find", path, "-maxdepth", "0"], check=False) != ""

    @property
    def engine(self) -> Engine:
        return self._entrance.engine()

    # SSH

    def sshd_log(self) -> str:
        """Return sshd's log since the host came up or `clear_sshd_log`; it counts sessions and commands."""
        return self.read(machine_init.SSHD_LOG)

    def clear_sshd_log(self) -> None:
        self.run(["truncate", "--size", "0", machine_init.SSHD_LOG])  # sshd appends: it goes on at the new end

    def stop_sshd(self) -> None:
        """End sshd and every connection that it holds, as a host that goes away does."""
        self.run(["pkill", "-KILL", "-x", "sshd"], check=False)
        self.wait_for_port(22, open_=False)

    def start_sshd(self) -> None:
        if not self._port_is_open(22):
            self.run(machine_init.SSHD)
        self.wait_for_port(22)

    def replace_host_key(self) -> None:
        """Give the host another key, as a reinstalled or an impersonated server has. `restore_host_key` undoes it."""
        self.run(["rm", "-f", HOST_KEY])
        self.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", HOST_KEY])
        self.run(["rm", f"{HOST_KEY}.pub"])
        self.stop_sshd()
        self.start_sshd()

    def restore_host_key(self) -> None:
        original = project.server_keys(self._journal.paths, self._machine)["host_key"]
        if self.read(HOST_KEY) != original:
            self.write(HOST_KEY, original, mode=0o600)
            self.stop_sshd()
            self.start_sshd()

    def add_user(self, name: str, *, groups: Sequence[str] = ("docker",), sudo: bool = True) -> None:
        """A login that is not root and takes the same key; with `sudo` it may become root without a password."""
        listed = ["--groups", ",".join(groups)] if groups else []
        self.run(["useradd", "--create-home", "--shell", "/bin/bash", "--password", "*", *listed, name])
        keys = self.read("/root/.ssh/authorized_keys")
        self.run(["install", "-d", "-m", "700", "-o", name, "-g", name, f"/home/{name}/.ssh"])
        target = f"/home/{name}/.ssh/authorized_keys"
        self.run(["install", "-m", "600", "-o", name, "-g", name, "/dev/stdin", target], stdin=keys)
        if sudo:
            self.write(f"/etc/sudoers.d/{name}", f"{name} ALL=(ALL) NOPASSWD: ALL\n", mode=0o440)

    # Network

    def cut_off(self) -> None:
        """Disconnect the host from the network: packets to and from it vanish. `plug_in` undoes it."""
        self._entrance.set_connected(False)

    def plug_in(self) -> None:
        self._entrance.set_connected(True)

    # Docker

    def stop_engine(self) -> None:
        """End the engine at once, with every container."""
        self.run(["pkill", "-KILL", "-x", "dockerd"], check=False)
        self.run(["pkill", "-KILL", "-x", "containerd"], check=False)
        self.run(["pkill", "-KILL", "-f", "containerd-shim"], check=False)
        deadline = time.monotonic() + 5
        while self.run(["pgrep", "-x", "dockerd|containerd"], check=False):
            if time.monotonic() > deadline:
                raise SandboxError("The engine does not end", host=self.name)
            time.sleep(0.01)
        # The containers' networks outlive them here; on another disk the next engine would not know whose they are.
        self.run(["sh", "-c", "umount /run/docker/netns/*; rm -f /run/docker/netns/*"], check=False)

    def start_engine(self) -> None:
        if self.engine.answers():
            return
        self.run(["rm", "-f", "/run/docker.pid", "/run/docker.sock", machine_init.CONTAINERD_SOCKET])
        specification = json.loads((self._folder / "init.json").read_text())
        self._spawn(machine_init.CONTAINERD)
        self._wait_for_file(machine_init.CONTAINERD_SOCKET)
        self._spawn([*machine_init.DOCKERD, *specification["engine_arguments"]])
        self.engine.wait()

    def remove_docker(self) -> None:
        """Remove engine and client from the host. `restore_docker` undoes it."""
        self.stop_engine()
        for file in DOCKER_FILES:
            self.run(["mv", file, file + AWAY])

    def restore_docker(self) -> None:
        for file in DOCKER_FILES:
            if self.exists(file + AWAY):
                self.run(["mv", file + AWAY, file])
        self.start_engine()

    # Disks

    def fill_disk(self, path: str = "/root/.kamal", *, free_kilobytes: int = 0) -> None:
        """Put a small disk with the same contents at `path` and fill it but for `free_kilobytes`.

        At `/var/lib/docker` the engine is started anew on it, without its containers' processes.
        """
        engine = path.rstrip("/") == ENGINE_ROOT
        if engine:
            self.stop_engine()
        self.run(["mkdir", "-p", path])
        kilobytes = int(self.run(["du", "-sk", path]).split()[0])
        copy = "/run/.disk"
        self.run(["mkdir", "-p", copy])
        # The engine writes a few megabytes by itself when it starts.
        size = 2 * kilobytes + 256 + free_kilobytes + (8192 if engine else 0)
        self.run(["mount", "-t", "tmpfs", "-o", f"size={size}k", SMALL_DISK, copy])
        self.run(["cp", "-a", f"{path}/.", copy])
        self.run(["mount", "--move", copy, path])
        if engine:
            self.start_engine()
        left = int(self.run(["df", "-k", "--output=avail", path]).split()[-1]) - free_kilobytes
        filler = f"{path}/.filler"
        self.run(["dd", "if=/dev/zero", f"of={filler}", "bs=1k", f"count={max(left, 0)}"], check=False)

    def free_disk(self, path: str = "/root/.kamal") -> None:
        """Remove the small disk again, with all that was written to it."""
        engine = path.rstrip("/") == ENGINE_ROOT
        if engine:
            self.stop_engine()
        self.run(["umount", "-l", path])
        if engine:
            self.start_engine()

    # Back to the beginning

    def reset(self) -> None:
        """Reset the host to its state after `up`: prepared images, no containers, networks, volumes or Kamal files."""
        self.plug_in()
        for line in self.read("/proc/1/mounts").splitlines():
            source, path = line.split()[:2]
            if source == SMALL_DISK:
                self.free_disk(path)
        self.restore_docker()
        self.restore_host_key()
        self.start_sshd()
        engine = self.engine
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda found: engine.remove_container(found["Id"]), engine.containers()))
            networks = [found["Id"] for found in engine.networks() if found["Name"] not in OWN_NETWORKS]
            list(pool.map(engine.remove_network, networks))
            list(pool.map(lambda found: engine.remove_volume(found["Name"]), engine.volumes()))
        kept: dict[str, str] = json.loads((self._folder / KEPT_IMAGES).read_text())
        found = self._images()
        for reference, identifier in found.items():
            if kept.get(reference) != identifier:
                engine.remove_image(reference)
        if any(found.get(reference) != identifier for reference, identifier in kept.items() if reference != identifier):
            for archive in sorted(self._journal.paths.images.iterdir()):
                engine.load(archive)
        leavings = ["/root/.kamal", "/root/.docker", "/root/.cache"]
        self.run(["sh", "-c", 'rm -rf "$@" /home/*/.kamal /home/*/.docker', "rm", *leavings])

    def keep_images(self) -> None:
        """Let `reset` keep the images that are there now."""
        (self._folder / KEPT_IMAGES).write_text(json.dumps(self._images()))

    def wait_for_port(self, port: int, *, open_: bool = True, timeout_seconds: float = 10.0) -> None:
        """Wait until something listens there, or nothing without `open_`. Raises `SandboxError` after the time-out."""
        deadline = time.monotonic() + timeout_seconds
        while self._port_is_open(port) is not open_:
            if time.monotonic() > deadline:
                state = "closed" if open_ else "open"
                raise SandboxError(f"Port {port} stays {state}", host=self.name)
            time.sleep(0.01)

    def _images(self) -> dict[str, str]:
        """Return the image of each tag; images without a tag by their identifiers."""
        return {tag: image["Id"] for image in self.engine.images() for tag in image["RepoTags"] or [image["Id"]]}

    def _port_is_open(self, port: int) -> bool:
        try:
            socket.create_connection((self.address, port), timeout=2).close()
        except OSError:
            return False
        return True

    def _wait_for_file(self, path: str, *, timeout_seconds: float = 10.0) -> None:
        deadline = time.monotonic() + timeout_seconds
        while not self.exists(path):
            if time.monotonic() > deadline:
                raise SandboxError(f"{path} does not appear", host=self.name)
            time.sleep(0.005)

    def _spawn(self, argv: Sequence[str]) -> None:
        """Start a service anew; its output goes to a file on this machine."""
        background_processes.spawn(self._entrance.argv(argv), log=self._folder / "restarted.log")

    @property
    def _entrance(self) -> Entrance:
        return self._provider.entrance(self._journal, self._machine)

    @property
    def _folder(self) -> Path:
        return self._journal.paths.host(self.name)
