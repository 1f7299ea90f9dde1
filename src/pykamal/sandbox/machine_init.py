"""Process 1 of a sandbox machine: makes its file system, starts its services, reaps their processes.

It runs as a script of its own (`python -I -S machine_init.py SPEC.json`), already inside new network, mount, pid and
host name namespaces, and imports nothing of ours. When it ends, the kernel ends everything else in there. In a
container, which has a file system of its own already, `stage` is null.
"""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

MS_RDONLY, MS_BIND, MS_REC, MS_PRIVATE, MNT_DETACH = 1, 4096, 16384, 1 << 18, 2
ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/root",
    "LANG": "C.UTF-8",
}
LOGS = "/var/log/sandbox"
SSHD_LOG = f"{LOGS}/sshd.log"
SSHD = ["/usr/sbin/sshd", "-E", SSHD_LOG]
CONTAINERD_SOCKET = "/run/docker/containerd/containerd.sock"
CONTAINERD_SECONDS = 10.0
CONTAINERD = ["containerd", "--config", "/run/docker/containerd/config.toml"]
DOCKERD = ["dockerd", "--containerd", CONTAINERD_SOCKET, "--exec-opt", "native.cgroupdriver=cgroupfs"]

# A plug-in that cannot work here costs time at every start; a second content store is not needed either.
CONTAINERD_CONFIGURATION = """\
version = 2
root = "/var/lib/docker/containerd/daemon"
state = "/run/docker/containerd/daemon"
disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.snapshotter.v1.btrfs",
  "io.containerd.snapshotter.v1.zfs", "io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.devmapper"]
[grpc]
address = "/run/docker/containerd/containerd.sock"
"""

SSHD_CONFIGURATION = """\
Port 22
HostKey /etc/ssh/ssh_host_ed25519_key
PermitRootLogin prohibit-password
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM no
UseDNS no
LogLevel VERBOSE
AllowTcpForwarding yes
PidFile /run/sshd.pid
Subsystem sftp internal-sftp
"""

_libc = ctypes.CDLL(None, use_errno=True)


def main(spec_path: str) -> None:
    spec = json.loads(Path(spec_path).read_text())
    os.environ.clear()  # a server has nothing of the operator's environment
    os.environ.update(ENVIRONMENT)
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    if spec["stage"] is not None:
        Path(spec["pid_file"]).write_text(str(Path("/proc/self").readlink()))  # the pid as the machine outside sees it
        socket.sethostname(spec["hostname"])
        make_file_system(spec)
        write_names(spec)
    write_settings(spec)
    start_services(spec)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    while True:
        try:
            os.wait()
        except ChildProcessError:
            signal.pause()


def make_file_system(spec: dict[str, Any]) -> None:
    """Mount a memory file system over this machine's files: every change in there ends with this process."""
    stage = Path(spec["stage"])
    mount(None, "/", flags=MS_REC | MS_PRIVATE)
    mount("tmpfs", stage, "tmpfs", data="mode=755")
    upper, work, root = stage / "upper", stage / "work", stage / "root"
    for folder in (upper, work, root):
        folder.mkdir()
    mount("overlay", root, "overlay", data=f"lowerdir=/,upperdir={upper},workdir={work}")
    for name in ("dev", "sys"):
        mount(f"/{name}", root / name, flags=MS_BIND | MS_REC)
    mount("proc", root / "proc", "proc")
    for name, mode in (("run", "755"), ("root", "700"), ("home", "755"), ("tmp", "1777"), ("var/tmp", "1777")):
        (root / name).mkdir(parents=True, exist_ok=True)
        mount("tmpfs", root / name, "tmpfs", data=f"mode={mode}")
    for source, target in spec["binds"]:
        (root / target.lstrip("/")).mkdir(parents=True, exist_ok=True)
        mount(source, root / target.lstrip("/"), flags=MS_BIND)
    hidden = root / spec["hide"].lstrip("/")
    hidden.mkdir(parents=True, exist_ok=True)
    mount("tmpfs", hidden, "tmpfs", flags=MS_RDONLY, data="mode=755,size=4k")
    (root / "run/.machine").mkdir()
    os.chdir(root)
    subprocess.run(["pivot_root", ".", "run/.machine"], check=True)
    os.chdir("/")
    call("umount2", b"/run/.machine", MNT_DETACH)
    Path("/run/.machine").rmdir()


def write_names(spec: dict[str, Any]) -> None:
    write("/etc/hostname", spec["hostname"] + "\n")
    write("/etc/hosts", f"127.0.0.1 localhost\n{spec['address']} {spec['hostname']}\n")
    write("/etc/resolv.conf", "nameserver 127.0.0.1\n")  # nothing outside is reachable from here


def write_settings(spec: dict[str, Any]) -> None:
    write("/run/docker/containerd/config.toml", CONTAINERD_CONFIGURATION)
    shutil.rmtree("/etc/docker", ignore_errors=True)  # the machine's own daemon.json is not this engine's
    for client in ("/usr/local/bin/docker", "/usr/local/sbin/docker"):
        Path(client).unlink(missing_ok=True)  # the packaged client, not one that the operator put in front of it
    if spec["ssh"]:
        write_ssh_settings(spec["ssh"])


def write_ssh_settings(ssh: dict[str, Any]) -> None:
    shutil.rmtree("/etc/ssh", ignore_errors=True)
    write("/etc/ssh/sshd_config", SSHD_CONFIGURATION)
    write("/etc/ssh/ssh_host_ed25519_key", ssh["host_key"], mode=0o600)
    write("/root/.ssh/authorized_keys", ssh["authorized_key"], mode=0o600)
    Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)


def start_services(spec: dict[str, Any]) -> None:
    Path(LOGS).mkdir(parents=True, exist_ok=True)
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    if spec["ssh"]:
        subprocess.run(SSHD, check=True)
    listen = f"TCP-LISTEN:{spec['registry_port']},bind=127.0.0.1,reuseaddr,fork"
    start(["socat", listen, spec["registry"]], "registry-forward")
    start_engine(spec["engine_arguments"])


def start_engine(arguments: list[str]) -> None:
    """Start containerd, then the engine: an engine that starts its own containerd waits a second for it."""
    start(CONTAINERD, "containerd")
    deadline = time.monotonic() + CONTAINERD_SECONDS
    while not Path(CONTAINERD_SOCKET).exists() and time.monotonic() < deadline:
        time.sleep(0.005)
    start([*DOCKERD, *arguments], "dockerd")


def start(argv: list[str], name: str) -> None:
    with Path(LOGS, f"{name}.log").open("ab") as log:
        process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
    process.returncode = 0  # main() collects it


def write(path: str, text: str, *, mode: int = 0o644) -> None:
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.unlink(missing_ok=True)  # it may be a link into a folder that is not here
    target.touch(mode=mode)
    target.write_text(text)


def mount(
    source: str | None, target: Path | str, kind: str | None = None, *, flags: int = 0, data: str | None = None
) -> None:
    encode = [None if value is None else str(value).encode() for value in (source, target, kind)]
    call("mount", *encode, flags, None if data is None else data.encode())


def call(function: str, *arguments: object) -> None:
    if getattr(_libc, function)(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{function}{arguments}: {os.strerror(number)}")


if __name__ == "__main__":
    main(sys.argv[1])
