"""Servers made of containers, by a user who is not root. A sandbox server's own engine plays the user's Docker."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from pykamal.sandbox.host import Host
from pykamal.sandbox.sandbox import Sandbox

pytestmark = pytest.mark.e2e

ROOT = Path(__file__).parents[2]
IMAGE = "sandbox-host:trial"
PACKAGES = ("apache2-utils", "bash", "busybox-static", "coreutils", "dash", "docker-cli", "docker-registry",
            "docker.io", "findutils", "grep", "iproute2", "iptables", "libc-bin", "login", "mount", "openssh-client",
            "openssh-server", "passwd", "procps", "python3", "sed", "socat", "tar", "util-linux")  # fmt: skip
MADE_AT_INSTALLATION = ("/bin", "/sbin", "/lib", "/lib64", "/home", "/root", "/run", "/tmp", "/var", "/var/lib",
                        "/var/log", "/etc", "/etc/group", "/etc/ld.so.cache", "/etc/passwd", "/etc/shadow",
                        "/usr/bin/sh", *map(str, Path("/etc/alternatives").iterdir()),
                        *map(str, Path("/usr/sbin").glob("ip*tables*")))  # fmt: skip

PROGRAM = """
import json, subprocess, sys
from pathlib import Path
from pykamal.sandbox.sandbox import Sandbox, choose_provider

sandbox = Sandbox("inner")
assert choose_provider().name == "containers"
assert sandbox.up(hosts=2, images=[Path(sys.argv[1])]) is True
assert sandbox.up(hosts=2) is False
first, second = sandbox.hosts

def over_ssh(host, command):
    argv = sandbox.ssh_argv(host.name, [command])
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    return done.stdout.strip() or done.stderr

assert over_ssh(first, "uname -n") == "inner-h1"
first.docker("volume", "create", "mine")
assert "mine" not in second.docker("volume", "ls")

reference = sandbox.build_app(Path(sys.argv[2]), "hello/app:trial")
found = sandbox.manifest
for host in sandbox.hosts:
    host.docker("login", found.registry_server, "-u", found.registry_username, "-p", found.registry_password)
    host.docker("pull", reference)
    host.docker("run", "-d", "--name", "hello", reference)

first.remove_docker()
assert over_ssh(first, "docker -v || echo none") == "none"
first.reset()
assert over_ssh(first, "docker ps -aq; docker volume ls -q") == ""
assert "basecamp/kamal-proxy" in first.docker("images")
sandbox.stop_registry()
sandbox.start_registry()
assert sandbox.down() is True
left = subprocess.run(["docker", "ps", "-aq"], capture_output=True, text=True).stdout
left += subprocess.run(["docker", "volume", "ls", "-q"], capture_output=True, text=True).stdout
assert left == "", left
assert not sandbox.paths.root.exists()
print("all is well")
"""


@pytest.fixture
def outer(tmp_path: Path) -> Iterator[Host]:
    """A server whose user `deploy` has Docker and an image for hosts, and is not root."""
    sandbox = Sandbox(f"test-{os.getpid()}-outer")
    sandbox.up(hosts=1)
    try:
        (host,) = sandbox.hosts
        host.add_user("deploy")
        host.put(ROOT / "src" / "pykamal", "/opt/program")
        host.put(ROOT / "examples" / "hello", "/opt")
        for image in sandbox.paths.images.glob("proxy-image-*.tar"):
            host.put(image, "/opt")
            host.run(["mv", f"/opt/{image.name}", "/opt/proxy.tar"])
        import_machine(host, tmp_path / "listing")
        yield host
    finally:
        sandbox.down()


def import_machine(host: Host, listing: Path) -> None:
    """An image from this machine's own packages: no image registry is in reach to start from."""
    options = ["--recurse", "--installed", "--no-recommends", "--no-suggests", "--no-conflicts", "--no-breaks"]
    listed = subprocess.check_output(["apt-cache", "depends", *options, "--no-replaces", *PACKAGES], text=True)
    names = sorted({line for line in listed.splitlines() if line[0].isalnum()})
    installed = subprocess.run(["dpkg-query", "-L", *names], capture_output=True, text=True, check=False).stdout
    files = [Path(line) for line in installed.splitlines() if line.startswith("/") and "/share/doc/" not in line]
    wanted = {str(file.parent.resolve() / file.name) for file in files if file.is_symlink() or file.is_file()}
    listing.write_text("\n".join(f".{path}" for path in sorted(wanted.union(MADE_AT_INSTALLATION))))
    packer = ["tar", "--create", "--no-recursion", "--directory=/", f"--files-from={listing}"]
    with subprocess.Popen(packer, stdout=subprocess.PIPE) as packing:
        host.run(["docker", "import", "-", IMAGE], stdin=packing.stdout)


def test_a_user_who_is_not_root_gets_servers(outer: Host) -> None:
    """Two containers are two servers that keep the promises of the others: separate engines, a registry with a
    password, faults that can be undone, and nothing left behind (spec/lab.md, way B)."""
    arguments = ["PYTHONPATH=/opt/program", "HOME=/home/deploy", f"PYKAMAL_SANDBOX_IMAGE={IMAGE}"]
    user = ["setpriv", "--reuid=deploy", "--regid=deploy", "--init-groups", "env", *arguments]
    said = outer.run([*user, "python3", "-", "/opt/proxy.tar", "/opt/hello"], stdin=PROGRAM)
    assert said.strip() == "all is well"
